#include "supervisor/core/peers/start.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"

#define EXIT_NOT_STARTED 127

/* By the system call itself: the C library refuses to touch its own two signals, and its
 * posix_spawn(3), as used by make(1), leaves both ignored in whatever it starts. */
static int reset_signals(void)
{
	static const uint64_t by_default[4]; /* the kernel's struct sigaction: SIG_DFL, no flags */
	sigset_t none;

	for (int signal = 1; signal <= 64; signal++)
		syscall(SYS_rt_sigaction, signal, by_default, NULL, sizeof(uint64_t));
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* Each descriptor is copied above all the places first, so that no place is overwritten before
 * its old holder has been copied. Copies made by dup2(2) survive exec; all else goes. */
static int place_fds(const struct peer_exec *exec)
{
	const int first_free = PEER_EXEC_FD_FIRST + (int)exec->n_fds;
	int copies[PEER_EXEC_ARGUMENTS_MAX];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -errno;
	for (size_t i = 0; i < exec->n_fds; i++) {
		copies[i] = fcntl(exec->fds[i], F_DUPFD_CLOEXEC, first_free);
		if (copies[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < exec->n_fds; i++)
		if (dup2(copies[i], PEER_EXEC_FD_FIRST + (int)i) < 0)
			return -errno;
	return close_range((unsigned int)first_free, ~0U, 0) < 0 ? -errno : 0;
}

/* Called as root: with CAP_SETPCAP the bounding set is cut and root made meaningless for good;
 * leaving uid 0 then empties the effective and permitted sets. */
static int drop_user(const struct peer_exec *exec)
{
	const unsigned long securebits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
					 SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
					 SECBIT_NO_CAP_AMBIENT_RAISE |
					 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (exec->keep_user)
		return 0;
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
		capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			return -errno;
	if (prctl(PR_SET_SECUREBITS, securebits, 0, 0, 0) < 0 ||
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(exec->gid, exec->gid, exec->gid) < 0 ||
		setresuid(exec->uid, exec->uid, exec->uid) < 0)
		return -errno;
	return 0;
}

/* The inheritable set outlives a change of user. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* Changing user clears the parent-death signal, hence last; the parent may have died before. */
static int tie_to_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static int give_up_everything(const struct peer_exec *exec, pid_t parent, const char **ret_stage)
{
	static const struct rlimit no_core = {0, 0};
	int r = reset_signals();

	*ret_stage = "signals";
	if (r == 0 && (setsid() < 0 || chdir("/") < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0))
		r = -errno;
	umask(077);
	if (r < 0)
		return r;
	*ret_stage = "change user";
	r = drop_user(exec);
	if (r < 0)
		return r;
	*ret_stage = "drop capabilities";
	r = drop_capabilities();
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*ret_stage = "parent";
	return tie_to_parent(parent);
}

/* By path, so that the process has its name; by descriptor where the new user may not walk the
 * path (a build directory below a private home): `program_fd` was opened by us. */
static _Noreturn void run(const struct peer_exec *exec, int program_fd, pid_t parent)
{
	char *environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};
	struct peer_exec with_program = *exec;
	const char *stage = NULL;
	int r, program_at;

	with_program.fds[with_program.n_fds++] = program_fd;
	program_at = PEER_EXEC_FD_FIRST + (int)exec->n_fds;
	r = place_fds(&with_program);
	if (r < 0)
		stage = "place descriptors";
	else
		r = give_up_everything(exec, parent, &stage);
	if (r == 0 && fcntl(program_at, F_SETFD, FD_CLOEXEC) == 0) {
		stage = "exec";
		execve(exec->program, exec->arguments, environment);
		if (errno == EACCES)
			execveat(program_at, "", exec->arguments, environment, AT_EMPTY_PATH);
		r = -errno;
	}
	log_error("%s: not started: %s: %s", exec->name, stage, strerror(-r));
	_exit(EXIT_NOT_STARTED);
}

int peer_exec(const struct peer_exec *exec, pid_t *ret_pid, int *ret_pidfd, struct failure *why)
{
	_cleanup_close_ int program_fd = open(exec->program, O_PATH | O_CLOEXEC);
	pid_t parent = getpid(), pid;
	int pidfd, r;

	if (program_fd < 0)
		return failure_set(why, -errno, "open program", "cannot open %s", exec->program);
	pid = fork();
	if (pid < 0)
		return failure_set(why, -errno, "fork", "cannot make a process");
	if (pid == 0)
		run(exec, program_fd, parent);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return failure_set(why, r, "pidfd_open", "cannot watch process %d", (int)pid);
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}
