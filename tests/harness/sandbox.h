/* Sandboxes for tests, made through launch.h without a daemon.
 *
 * The first box_new() starts a spawner, a cgroup subtree /cloche-launch-<pid> and directories below
 * /run; box_all_gone() takes everything away again and says what was left behind. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/launch/launch.h"
#include "supervisor/wire/init.h"

#define BOX_OUTPUT_MAX 262144

struct box {
	struct box *next;
	uint64_t id;
	struct cgroup cgroup;
	bool has_cgroup;
	uint32_t pid, uid_first;
	int pidfd, socket;
	struct wire_init_hello hello;
	uint64_t next_cookie;
};

struct box_command {
	const char *const *argv; /* NULL at the end */
	const char *const *env;  /* NULL: PATH, HOME, LANG */
	const char *cwd;         /* NULL: / */
	const void *input;
	size_t input_size;
	uint32_t uid, gid;                /* as given; box_shell() takes 1000 */
	const struct sock_filter *filter; /* NULL: that of the profile "default" */
	uint32_t n_filter, open_files;
};

struct box_output {
	bool refused;
	struct wire_init_refused refusal;
	struct wire_init_exited exited;
	uint32_t pid;
	char text[BOX_OUTPUT_MAX]; /* standard output and error together, NUL-terminated */
	size_t size;
	uint64_t started_us, exited_us; /* from sending the order */
};

/* Fails the running test when it cannot. */
struct box *box_new(void);
/* Kills everything in it, waits for its end, removes its cgroup. Takes NULL. False if it does not
 * empty in 15 s. */
bool box_free(struct box *box);
/* Sets limits and joins the memory cgroup, as a claim does. */
void box_claim(struct box *box, uint64_t memory_bytes, uint32_t cpu_millis, uint32_t pids);

/* Runs a command to its end. */
void box_run(struct box *box, const struct box_command *command, struct box_output *ret_output);
/* Runs "sh -c script" as uid 1000; returns the output in static storage, trailing newline cut. */
const char *box_shell(struct box *box, const char *script);
const struct box_output *box_last(void);
/* Runs one of tests/probe in the sandbox: the program goes in through standard input. */
const char *box_probe(struct box *box, const char *probe, const char *arguments, uint32_t uid);

/* The two halves of box_run(), for commands that overlap. */
uint64_t box_start(struct box *box, const struct box_command *command, int ret_fds[2]);
/* Receives the next message; returns its type, or -errno. Fails the test after `timeout_ms`. */
int box_receive(struct box *box, int timeout_ms, uint64_t *ret_cookie, void *ret_body, size_t size);
void box_send(struct box *box, uint16_t type, uint64_t cookie, const void *body, size_t size);

/* What the tests share. */
struct launch *box_launch(void);
struct cgroup_tree *box_tree(void);
struct loop *box_loop(void);
const char *box_socket_dir(void);
/* Makes a sandbox without waiting; *ret_done becomes true. */
struct box *box_begin(uint64_t disk_bytes, bool *ret_done, struct launch_result *ret_result);
/* Ends the spawner and removes directories and cgroups. False, with a sentence in `*ret_left`, if
 * something of ours is still there: a process, a cgroup, a mount, a socket. */
bool box_all_gone(const char **ret_left);
