/* Which addresses did not answer while another one of their name did (RFC 8305, 6: "historical
 * information"), so that not every connection waits for them anew. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi/types.h"

#define DIAL_MEMORY_MS 60000
#define DIAL_MEMORY_PLACES 512 /* a newer address takes the place of an older one */

struct dial_memory;

/* Returns 0, -ENOMEM or another -errno. */
int dial_memory_new(struct dial_memory **ret_memory);
/* Takes NULL, returns NULL. */
struct dial_memory *dial_memory_free(struct dial_memory *memory);

/* Each takes NULL: nothing is remembered then. Times are monotonic. */
void dial_memory_add(
	struct dial_memory *memory, const struct abi_address *address, uint64_t now_ns);
void dial_memory_drop(struct dial_memory *memory, const struct abi_address *address);
bool dial_memory_has(
	const struct dial_memory *memory, const struct abi_address *address, uint64_t now_ns);
