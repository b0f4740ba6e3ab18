/* Inside the policy room: the one document that a file and all that it extends make together. */
#pragma once

#include "supervisor/policy/read/reader.h"

#define POLICY_EXTENDS_MAX 8 /* files behind the first */

struct policy_document {
	struct policy_source sources[1 + POLICY_EXTENDS_MAX]; /* the first is the policy's own */
	char names[1 + POLICY_EXTENDS_MAX][POLICY_NAME_SIZE];
	char *texts[1 + POLICY_EXTENDS_MAX], *files[1 + POLICY_EXTENDS_MAX]; /* owned; of bases */
	size_t n_sources;
	json_t *json; /* owned */
};

/* Reads what `ret_document->sources[0]` has, and what it extends, with which it is put together:
 * objects key by key; lists one behind the other, the policy's own first; of all else the policy's
 * own counts. Version, name and description of a base are its own. `reader` reads from that
 * source. Returns 0, -EINVAL, -E2BIG, -ENOMEM or what reading a base gave, with `why`; in any case
 * policy_document_fini() must follow. */
int policy_document_read(const struct policy_reader *reader, const struct policy_context *context,
	struct policy_document *ret_document);
void policy_document_fini(struct policy_document *document);
