/* The tightest policy that covers what was done, generalised by stated rules only:
 *
 * - a name that was connected to, with its ports; one that was only looked up, with port 443;
 * records of a name, by type;
 * - `private` where the relay dialled a private address for it;
 * - once `wildcard_after` names lie right below one and the same name, and that name is somebody's
 *   own (what the language takes a wildcard for), the wildcard; 0: never;
 * - an address with its ports, never a network;
 * - more ports than a rule holds become the range from the first to the last;
 * - a previewed port as it is;
 * - of files and of system calls: see learnt-files.c and learnt-calls.c.
 *
 * No rule is made wider than what was done if something that was denied lies in it. What was denied
 * is not covered, but where the same was allowed elsewhere. Each rule says how often it was needed,
 * and when. */
#pragma once

#include <jansson.h>

#include "tools/policy/log.h"

struct learnt_options {
	const char *name;
	uint32_t wildcard_after, directory_after;
};

/* Why a policy says nothing of files. */
enum learnt_files {
	LEARNT_FILES_SAID,
	LEARNT_FILES_UNRECORDED, /* writes of some sandbox may not have been recorded */
	LEARNT_FILES_ROOT,       /* something right below / was made or taken away */
	LEARNT_FILES_MANY,       /* there are more paths than a policy may name */
};

/* The document; the caller's to free. NULL when memory is out. */
json_t *learnt_policy(const struct log_reading *reading, const struct learnt_options *options,
	enum learnt_files *ret_files);
