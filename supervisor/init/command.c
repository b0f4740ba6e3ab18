/* The commands that run: found, reaped, reported, killed. */
#include "supervisor/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "supervisor/init/syscall.h"

#define SCANS_MAX 8 /* of /proc for one kill: a fork bomb may outrun one */

struct directory_entry { /* struct linux_dirent64, see getdents(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

uint64_t command_clock_ns(void)
{
	struct timespec now = {0, 0};

	syscall2(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct command *command_find(struct init *init, uint64_t cookie)
{
	for (uint32_t i = 0; i < init->n_commands; i++)
		if (init->commands[i].cookie == cookie)
			return &init->commands[i];
	return NULL;
}

static struct command *find_pid(struct init *init, int32_t pid)
{
	for (uint32_t i = 0; i < init->n_commands; i++)
		if (!init->commands[i].ended && init->commands[i].pid == pid)
			return &init->commands[i];
	return NULL;
}

static void forget(struct init *init, struct command *command)
{
	struct command *last = &init->commands[--init->n_commands];

	if (command != last)
		*command = *last;
}

static uint64_t microseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000u + (uint64_t)time->tv_usec;
}

void command_reap(struct init *init)
{
	for (;;) {
		struct rusage usage;
		int32_t status = 0;
		long pid = syscall4(__NR_wait4, -1, (long)&status, WNOHANG, (long)&usage);
		struct command *command;

		if (pid <= 0)
			return;
		command = find_pid(init, (int32_t)pid);
		if (!command)
			continue; /* an orphan of some command */
		command->ended = true;
		command->exited.status = (uint32_t)status;
		command->exited.user_us = microseconds(&usage.ru_utime);
		command->exited.system_us = microseconds(&usage.ru_stime);
		command->exited.max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
		command->exited.wall_us = (command_clock_ns() - command->started_ns) / 1000;
	}
}

bool command_report(struct init *init)
{
	uint32_t i = 0;

	while (i < init->n_commands) {
		struct command *command = &init->commands[i];
		int r = 0;

		if (!command->ended) {
			i++;
			continue;
		}
		/* Without a connection nobody is left who asked. */
		if (init->connection_fd >= 0)
			r = connection_send(init, WIRE_INIT_EXITED, command->cookie,
				&command->exited, sizeof(command->exited));
		if (r == -EAGAIN)
			return true;
		if (r < 0)
			connection_drop(init);
		forget(init, command);
	}
	return false;
}

/* Reads a number and moves past it and the blank behind. Negative numbers end as 0. */
static uint32_t take_number(const char **cursor)
{
	uint32_t value = 0;

	while (**cursor >= '0' && **cursor <= '9')
		value = value * 10 + (uint32_t)(*(*cursor)++ - '0');
	while (**cursor && **cursor != ' ')
		(*cursor)++;
	if (**cursor)
		(*cursor)++;
	return value;
}

/* The session of a process: the fourth field behind the name, proc(5). The name is chosen by the
 * process and may hold anything, so the last ')' counts. 0 when it is gone. */
static uint32_t read_session(int proc_fd, const char *pid_text)
{
	char path[32], text[512];
	const char *cursor = NULL;
	size_t length = text_length(pid_text);
	long fd, got;

	if (length > sizeof(path) - 6)
		return 0;
	memcpy(path, pid_text, length);
	memcpy(path + length, "/stat", 6);
	fd = syscall4(__NR_openat, proc_fd, (long)path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	got = syscall3(__NR_read, fd, (long)text, sizeof(text) - 1);
	close_fd((int)fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	for (const char *at = text; *at; at++)
		if (*at == ')')
			cursor = at;
	if (!cursor || cursor[1] != ' ' || !cursor[2] || cursor[3] != ' ')
		return 0;
	cursor += 4;          /* past ") S " */
	take_number(&cursor); /* parent */
	take_number(&cursor); /* process group */
	return take_number(&cursor);
}

/* One pass over /proc. Returns how many processes of the session were signalled. */
static uint32_t kill_session(struct init *init, int proc_fd, uint32_t session, int signal)
{
	uint32_t n_killed = 0;
	long got;

	syscall3(__NR_lseek, proc_fd, 0, SEEK_SET);
	while ((got = syscall3(__NR_getdents64, proc_fd, (long)init->buffer, INIT_BUFFER_KEEP)) >
		0) {
		for (long at = 0; at < got;) {
			const struct directory_entry *entry = (const void *)(init->buffer + at);
			const char *cursor = entry->name;
			uint32_t pid = take_number(&cursor);

			at += entry->size;
			if (pid <= 1 || read_session(proc_fd, entry->name) != session)
				continue;
			if (syscall2(__NR_kill, pid, signal) == 0)
				n_killed++;
		}
	}
	return n_killed;
}

void command_kill(struct init *init, const struct command *command, int signal)
{
	uint32_t session = (uint32_t)command->pid;
	uint32_t n_before = 0;
	long proc_fd;

	syscall2(__NR_kill, -command->pid, signal);
	proc_fd = syscall4(__NR_openat, -100, (long)"/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (proc_fd < 0)
		return;
	/* Killed processes stay visible until reaped: go on while new ones appear. Another signal
	 * is sent once, not as often as there are scans. */
	for (int i = 0; i < SCANS_MAX; i++) {
		uint32_t n = kill_session(init, (int)proc_fd, session, signal);

		if (signal != SIGKILL || n <= n_before)
			break;
		n_before = n;
	}
	close_fd((int)proc_fd);
}
