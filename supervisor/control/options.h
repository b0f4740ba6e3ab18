/* cloched's command line. */
#pragma once

#include <stdbool.h>

#include "supervisor/base/log.h"
#include "supervisor/core/core.h"

struct options {
	struct core_config core;
	const char *listen, *socket, *api_user;
	enum log_level log_level;
	bool check, json;
	char socket_default[128], cgroup_default[96], libexec_default[256], instance_copy[32];
};

/* Returns 0 to go on, 1 when all is said (--help, --version), 2 after a message about a bad option.
 */
int options_parse(int argc, char **argv, struct options *ret_options);
