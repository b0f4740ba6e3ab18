/* What the commands that read the audit log have in common. */
#pragma once

#include "tools/cloche/call.h"

/* Adds those of --sandbox, --tenant, --type, --verdict, --since and --until that were given.
 * Returns 0 or -E2BIG. */
int events_add_filters(char path[static CALL_PATH_SIZE], const struct arguments *arguments);

/* Option rows, to be put into a command's table. */
#define EVENTS_FILTER_OPTIONS                                                                      \
	{"sandbox", "ID", "only records of this sandbox", false},                                  \
		{"tenant", "NAME", "only records of this tenant (administrators)", false},         \
		{"type", "TYPE,...",                                                               \
			"only these types, or their first parts: network,process.exec", false},    \
		{"verdict", "WORD", "only records with this verdict: allow, deny", false},         \
	{                                                                                          \
		"since", "TIME", "not before, as 2026-11-21T21:40:00Z", false                      \
	}
#define EVENTS_UNTIL_OPTION                                                                        \
	{                                                                                          \
		"until", "TIME", "only before this time", false                                    \
	}
