/* cloche-api's requests: checked for form, for the caller's rights, then done by `core`. */
#pragma once

#include "supervisor/base/failure.h"
#include "supervisor/core/core.h"

struct control;

struct control_config {
	const char *libexec_dir, *api_user;
	int listen_fds[2]; /* for cloche-api: unix socket, TCP */
	size_t n_listen_fds;
};

/* Starts cloche-api and serves it. */
int control_start(struct core *core, const struct control_config *config,
	struct control **ret_control, struct failure *why);
struct control *control_free(struct control *control);
