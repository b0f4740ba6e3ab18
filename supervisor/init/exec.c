/* Starting a command: the message is taken apart in place, then a vforked child sets itself up and
 * becomes the command. The child shares this process's memory, so what went wrong is simply left in
 * struct start for the parent.
 *
 * Until execve(2) the child has PID 1's memory, which is not dumpable: no process of the sandbox
 * can trace it or look into it. One thing a hostile process with the same uid can do is to stop it
 * in that moment, and PID 1 with it; cloched's deadline for the answer then ends the sandbox. */
#include "supervisor/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "supervisor/init/syscall.h"

#define PATH_ROOM 4096
#define SHELL "/bin/sh"
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct start {
	struct wire_init_exec exec;
	char **argv; /* one slot before it is free, for the shell of a script without a first line
		      */
	char **env;
	const char *cwd;
	const void *filter; /* exec.n_filter instructions */
	const int *fds;
	uint32_t failed_stage; /* enum wire_init_stage, 0: the command runs */
	long error;
};

/* Takes one string off the tail. NULL when there is none. */
static char *take_text(uint8_t **cursor, const uint8_t *end)
{
	char *text = (char *)*cursor;

	for (uint8_t *at = *cursor; at < end; at++)
		if (*at == '\0') {
			*cursor = at + 1;
			return text;
		}
	return NULL;
}

static int parse(struct init *init, const struct message *message, struct start *start)
{
	uint8_t *cursor = (uint8_t *)message->body + sizeof(start->exec);
	const uint8_t *end = message->body + message->body_size;
	char **next = init->vector;
	uint32_t n_text;

	memset(start, 0, sizeof(*start));
	if (message->body_size < sizeof(start->exec) || message->n_fds != 3 ||
		message->header->cookie == 0)
		return -EPROTO;
	memcpy(&start->exec, message->body, sizeof(start->exec));
	start->fds = message->fds;
	if (start->exec.argc < 1 || start->exec.argc > INIT_VECTOR_MAX ||
		start->exec.n_env > INIT_VECTOR_MAX - start->exec.argc ||
		start->exec.n_filter < 1 || start->exec.n_filter > WIRE_INIT_FILTER_MAX)
		return -EPROTO;
	*next++ = NULL; /* the free slot */
	start->argv = next;
	n_text = start->exec.argc + start->exec.n_env;
	for (uint32_t i = 0; i < n_text; i++) {
		if (i == start->exec.argc) {
			*next++ = NULL;
			start->env = next;
		}
		*next = take_text(&cursor, end);
		if (!*next++)
			return -EPROTO;
	}
	*next = NULL;
	if (!start->env)
		start->env = next;
	start->cwd = take_text(&cursor, end);
	if (!start->cwd ||
		(size_t)(end - cursor) != start->exec.n_filter * sizeof(struct sock_filter))
		return -EPROTO;
	start->filter = cursor;
	return 0;
}

static int take_fds(const int *fds)
{
	for (int i = 0; i < 3; i++) {
		long r = syscall3(__NR_dup3, fds[i], i, 0);

		if (r < 0)
			return (int)r;
	}
	/* The child has a table of its own, so this closes nothing of PID 1's. */
	return (int)syscall3(__NR_close_range, 3, ~0U, 0);
}

static int take_identity(uint32_t uid, uint32_t gid)
{
	long r = syscall2(__NR_setgroups, 0, 0);

	if (r == 0)
		r = syscall3(__NR_setresgid, gid, gid, gid);
	if (r == 0)
		r = syscall3(__NR_setresuid, uid, uid, uid);
	return (int)r;
}

/* Empties the permitted, effective and inheritable sets, and the ambient one with them. The
 * bounding set has been empty since before PID 1. */
static int drop_privileges(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

	return (int)syscall2(__NR_capset, (long)&header, (long)none);
}

/* More than PID 1 itself may have is not to be had: a policy may ask for it on a host that gives
 * less. */
static int limit_files(uint32_t n)
{
	uint64_t limit[2] = {0, 0}; /* struct rlimit64: soft, hard */
	long r;

	if (n == 0)
		return 0;
	r = syscall4(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)limit);
	if (r < 0)
		return (int)r;
	if (n < limit[1])
		limit[1] = n;
	limit[0] = limit[1];
	return (int)syscall4(__NR_prlimit64, 0, RLIMIT_NOFILE, (long)limit, 0);
}

static int load_filter(const void *filter, uint32_t n)
{
	struct sock_fprog program = {.len = (uint16_t)n, .filter = (struct sock_filter *)filter};

	return (int)syscall3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program);
}

/* A policy may deny execve: then programs cannot start others through it, but the command itself
 * must start, so execveat is tried. A policy that denies both lets nothing start. */
static long exec_path(struct start *start, char *path)
{
	long r = syscall3(__NR_execve, (long)path, (long)start->argv, (long)start->env);

	if (r == -EPERM)
		r = syscall6(__NR_execveat, AT_FDCWD, (long)path, (long)start->argv,
			(long)start->env, 0, 0);
	if (r == -ENOEXEC) { /* as execvp(3) does */
		start->argv[0] = path;
		start->argv[-1] = (char *)SHELL;
		r = syscall3(__NR_execve, (long)SHELL, (long)(start->argv - 1), (long)start->env);
	}
	return r;
}

static const char *find_search_path(char **env)
{
	for (; *env; env++)
		if (memcmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return PATH_DEFAULT;
}

/* As execvpe(3): a name without a slash is looked for in the PATH that the command was given. */
static long exec_command(struct start *start)
{
	static char path[PATH_ROOM];
	const char *name = start->argv[0], *at = find_search_path(start->env);
	size_t name_length = text_length(name);
	long result = -ENOENT;

	if (name_length == 0)
		return -ENOENT;
	for (const char *c = name; *c; c++)
		if (*c == '/')
			return exec_path(start, start->argv[0]);
	for (;;) {
		size_t length = 0;
		long r;

		while (at[length] && at[length] != ':')
			length++;
		if (length + name_length + 2 <= sizeof(path)) {
			memcpy(path, length ? at : ".", length ? length : 1);
			length += length == 0;
			path[length] = '/';
			memcpy(path + length + 1, name, name_length + 1);
			r = exec_path(start, path);
			if (r == -EACCES)
				result = r;
			else if (r != -ENOENT && r != -ENOTDIR)
				return r;
		}
		while (*at && *at != ':')
			at++;
		if (!*at++)
			return result;
	}
}

static int fail(struct start *start, uint32_t stage, long error)
{
	start->failed_stage = stage;
	start->error = error;
	return 127;
}

static int child(void *argument)
{
	struct start *start = argument;
	uint64_t no_signals = 0;
	long r;

	syscall4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, sizeof(no_signals));
	syscall1(__NR_setsid, 0);
	syscall1(__NR_umask, 022);
	r = take_fds(start->fds);
	if (r < 0)
		return fail(start, WIRE_INIT_STAGE_FORK, r);
	r = limit_files(start->exec.open_files);
	if (r < 0)
		return fail(start, WIRE_INIT_STAGE_PRIVILEGES, r);
	r = take_identity(start->exec.uid, start->exec.gid);
	if (r < 0)
		return fail(start, WIRE_INIT_STAGE_IDENTITY, r);
	r = drop_privileges();
	if (r < 0)
		return fail(start, WIRE_INIT_STAGE_PRIVILEGES, r);
	r = syscall1(__NR_chdir, (long)start->cwd); /* with the command's own rights */
	if (r < 0)
		return fail(start, WIRE_INIT_STAGE_CWD, r);
	r = load_filter(start->filter, start->exec.n_filter);
	if (r < 0)
		return fail(start, WIRE_INIT_STAGE_FILTER, r);
	return fail(start, WIRE_INIT_STAGE_EXEC, exec_command(start));
}

static int refuse(struct init *init, uint64_t cookie, uint32_t stage, long error)
{
	struct wire_init_refused refused = {.stage = stage, .error = (int32_t)error};

	return connection_send(init, WIRE_INIT_REFUSED, cookie, &refused, sizeof(refused));
}

int exec_start(struct init *init, const struct message *message)
{
	uint64_t cookie = message->header->cookie;
	struct wire_init_started started = {0, 0};
	struct command *command;
	struct start start;
	long pid;
	int r = parse(init, message, &start);

	if (r < 0)
		return r;
	if (command_find(init, cookie))
		return -EPROTO;
	if (init->n_commands == WIRE_INIT_EXECS_MAX)
		return refuse(init, cookie, WIRE_INIT_STAGE_MESSAGE, -EAGAIN);
	command = &init->commands[init->n_commands];
	memset(command, 0, sizeof(*command));
	command->cookie = cookie;
	command->started_ns = command_clock_ns();
	pid = arch_clone_vfork(
		CLONE_VM | CLONE_VFORK | SIGCHLD, init->stack + sizeof(init->stack), child, &start);
	if (pid < 0)
		return refuse(init, cookie, WIRE_INIT_STAGE_FORK, pid);
	if (start.failed_stage) {
		syscall4(__NR_wait4, pid, 0, 0, 0);
		return refuse(init, cookie, start.failed_stage, start.error);
	}
	command->pid = (int32_t)pid;
	init->n_commands++;
	started.pid = (uint32_t)pid;
	return connection_send(init, WIRE_INIT_STARTED, cookie, &started, sizeof(started));
}
