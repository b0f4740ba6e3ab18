/* The start of an unprivileged process of ours: fork, give everything up, exec. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "supervisor/base/failure.h"

#define PEER_EXEC_ARGUMENTS_MAX 20

struct peer_exec {
	const char *name; /* for log lines */
	const char *program;
	char *arguments[PEER_EXEC_ARGUMENTS_MAX + 1]; /* NULL at the end */
	int fds[PEER_EXEC_ARGUMENTS_MAX]; /* borrowed; fds[i] becomes PEER_EXEC_FD_FIRST + i */
	size_t n_fds;
	bool keep_user; /* stay who we are */
	uid_t uid;
	gid_t gid;
};

#define PEER_EXEC_FD_FIRST 3

/* Starts the program in a session of its own, with `uid` and `gid` and no other group, no
 * capability, no_new_privs, no core file, an environment of PATH and LANG, / as its directory,
 * /dev/null as stdin, our stderr as stdout and stderr, `fds`, and nothing else that is open. It is
 * killed when the calling thread ends. Returns 0 or -errno with `why`; what fails after the fork is
 * logged by the child, which then ends with status 127. */
int peer_exec(const struct peer_exec *exec, pid_t *ret_pid, int *ret_pidfd, struct failure *why);
