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
 * - of files, programs and system calls: see learn/files.c, learn/programs.c, learn/calls.c.
 *
 * No rule is made wider than what was done if something that was denied lies in it. What was denied
 * is not covered, but where the same was allowed elsewhere. Each rule says how often it was needed,
 * and when. */
#pragma once

#include <jansson.h>

#include "tools/policy/log/log.h"

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

/* Why a policy says nothing of executables. */
enum learnt_programs {
	LEARNT_PROGRAMS_SAID,
	LEARNT_PROGRAMS_NONE,    /* nothing was executed, or to be */
	LEARNT_PROGRAMS_WRITTEN, /* something was executed that the run may have written */
	LEARNT_PROGRAMS_UNKNOWN, /* something was executed whose path cannot be judged */
	LEARNT_PROGRAMS_MANY,
};

struct learnt {
	json_t *document; /* owned */
	enum learnt_files files;
	enum learnt_programs programs;
};

/* Returns 0, or -ENOMEM. */
int learnt_policy(const struct log_reading *reading, const struct learnt_options *options,
	struct learnt *ret_learnt);
