/* One question put to the resolvers until one answers: over UDP, from a new port with a new id each
 * time; over TCP when the answer does not fit; without EDNS when a server does not know it. */
#pragma once

#include <stddef.h>

#include "supervisor/base/loop.h"
#include "supervisor/resolve/reply.h"
#include "supervisor/wire/gate.h"

#define ASK_TRY_MS 2000
#define ASK_TRIES_PER_RESOLVER 2
#define ASK_TOTAL_MS 6000

struct ask;

/* Called once; may free `ask`, and must not use it for anything else. `answer->error` is 0 or as in
 * upstream.h. */
typedef void (*ask_callback)(struct ask *ask, const struct reply_answer *answer, void *userdata);

/* Borrows `resolvers` and `name` while it lives. The callback never runs inside. 0 or -errno. */
int ask_new(struct loop *loop, const struct wire_gate_resolver *resolvers, size_t n_resolvers,
	const char *name, uint16_t type, ask_callback callback, void *userdata,
	struct ask **ret_ask);
/* Right after ask_new() for MX, SRV or TXT: the records go to `ret_records`, borrowed while it
 * lives. */
void ask_want_records(struct ask *ask, struct reply_records *ret_records);
/* Without a callback from then on. Takes NULL, returns NULL. */
struct ask *ask_free(struct ask *ask);
