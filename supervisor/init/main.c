/* Waits for children, for a connection, and for what comes through it. */
#include "supervisor/init/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "supervisor/init/syscall.h"

__asm__(INIT_START);

_Noreturn void init_main(void);

static _Noreturn void end(int code)
{
	for (;;)
		syscall1(__NR_exit_group, code);
}

/* What was ignored by whoever started the daemon would stay ignored in every command. */
static void reset_signals(void)
{
	static const uint64_t by_default[4]; /* the kernel's struct sigaction: SIG_DFL, no flags */

	for (int signal = 1; signal <= 64; signal++)
		syscall4(__NR_rt_sigaction, signal, (long)by_default, 0, sizeof(uint64_t));
}

/* SIGCHLD arrives through a descriptor; everything else keeps its default, which for PID 1 means
 * that no process inside the namespace can signal it. */
static int open_signals(void)
{
	uint64_t set = 1ULL << (SIGCHLD - 1);

	syscall4(__NR_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, sizeof(set));
	return (int)syscall4(
		__NR_signalfd4, -1, (long)&set, sizeof(set), SFD_CLOEXEC | SFD_NONBLOCK);
}

static void drain_signals(int fd)
{
	struct signalfd_siginfo info;

	while (syscall3(__NR_read, fd, (long)&info, sizeof(info)) > 0)
		;
}

_Noreturn void init_main(void)
{
	static struct init init;
	struct pollfd polled[2];
	bool reporting = false;

	/* Nobody in the sandbox may trace PID 1 or look into it. The program is not readable from
	 * here, which has the same effect from the start; this does not depend on it. */
	syscall2(__NR_prctl, PR_SET_DUMPABLE, 0);
	reset_signals();
	init.connection_fd = -1;
	init.signal_fd = open_signals();
	if (init.signal_fd < 0)
		end(1);
	polled[0] = (struct pollfd){.fd = init.signal_fd, .events = POLLIN};
	for (;;) {
		bool connected = init.connection_fd >= 0;
		long r;

		/* One connection at a time: the next one waits in the backlog. */
		polled[1].fd = connected ? init.connection_fd : INIT_LISTEN_FD;
		polled[1].events = connected && reporting ? POLLIN | POLLOUT : POLLIN;
		r = syscall6(__NR_ppoll, (long)polled, 2, 0, 0, 0, 0);
		if (r < 0 && r != -EINTR)
			end(1);
		if (r <= 0)
			continue;
		if (polled[0].revents) {
			drain_signals(init.signal_fd);
			command_reap(&init);
		}
		if (polled[1].revents && !connected)
			connection_accept(&init);
		else if (polled[1].revents & (POLLIN | POLLHUP | POLLERR))
			connection_serve(&init);
		reporting = command_report(&init);
	}
}
