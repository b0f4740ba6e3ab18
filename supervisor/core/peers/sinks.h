/* Sinks: whom audit records are sent to by cloche-export, which runs while there are any.
 *
 * Each has a cursor in the store, up to which all was delivered; cloche-export asks for what
 * follows and tells how it went. What was sent when either process died is sent again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/failure.h"
#include "supervisor/core/refusal.h"
#include "supervisor/store/store.h"

#define SINKS_MAX 64
#define SINKS_PER_TENANT_MAX 4

struct core;
struct sinks;
struct tenant;

struct sink {
	struct store_sink row;
	struct sink *next;
	uint64_t stored_cursor;
	uint64_t checkpoint, checkpoint_ns; /* the one that was sent last; monotonic */
	bool connected;                     /* syslog: this run was asked for it */
	/* cloche-export waits for records after `after`, to be answered with `cookie`. */
	bool waiting;
	uint64_t after, cookie;
};

/* Reads all rows, and begins to send. 0 or -errno with `why`; that cloche-export cannot be started
 * is logged only. */
int sinks_start(struct core *core, struct failure *why);
struct sinks *sinks_free(struct sinks *sinks);

struct sink *sinks_first(const struct core *core);
/* A webhook; NULL when there is none, or it is another tenant's (`tenant` NULL: any). */
struct sink *sinks_find(const struct core *core, const struct tenant *tenant, uint64_t id);
/* Keeps `row`, whose id, secret and time are set here. 0, or -1 with `why`. */
int sinks_create(struct core *core, const struct store_sink *row, struct sink **ret_sink,
	struct refusal *why);
int sinks_delete(struct core *core, struct sink *sink, struct refusal *why);
void sinks_forget_tenant(struct core *core, uint32_t tenant);

/* There are new records. */
void sinks_wake(struct core *core);

/* For export.c. */
struct sink **sinks_list(struct sinks *sinks);
struct peer **sinks_peer(struct sinks *sinks);
char *sinks_program(struct sinks *sinks);
/* Sends what cloche-export must know of a sink, if it runs. */
void export_tell(struct core *core, const struct sink *sink);
void export_tell_gone(struct core *core, uint64_t id);
/* Answers if there is something, else leaves it waiting. */
void export_answer(struct core *core, struct sink *sink);
/* Starts cloche-export unless it runs. */
int export_start(struct core *core, struct failure *why);
