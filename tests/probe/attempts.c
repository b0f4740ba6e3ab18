/* Tries, one after the other, what its arguments name, and prints "NAME ok" or "NAME ERRNO" for
 * each. Twins of denied attempts, which must work, are here too. Nothing here does harm where it is
 * allowed: calls are made so that they fail or change only this process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static long reap(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long clone_flags(unsigned long flags)
{
	return reap(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
}

static long clone3_flags(uint64_t flags)
{
	struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};

	return reap(syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

static long write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long r = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return r;
}

static long close_it(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd;
}

/* A pseudo-terminal of the sandbox's own, so that the request reaches the terminal's code. */
static long terminal_request(unsigned long request, void *argument)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	long r = fd < 0 ? -1 : syscall(SYS_ioctl, fd, request, argument);
	int error = errno;

	close_it(fd);
	errno = error;
	return r;
}

static char letter = 'x';
static struct winsize size;
static int discipline;
static struct iovec nothing = {&letter, 1};

/* clang-format off */
#define ATTEMPT(name, expression) static long try_##name(void) { return (long)(expression); }
ATTEMPT(fork, reap(fork()))
ATTEMPT(clone_user, clone_flags(CLONE_NEWUSER))
ATTEMPT(clone_net, clone_flags(CLONE_NEWNET))
ATTEMPT(clone3_plain, clone3_flags(0))
ATTEMPT(clone3_user, clone3_flags(CLONE_NEWUSER))
ATTEMPT(unshare_user, unshare(CLONE_NEWUSER))
ATTEMPT(unshare_time, unshare(CLONE_NEWTIME))
ATTEMPT(setns, setns(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), 0))
ATTEMPT(mount_tmpfs, mount("none", "/tmp", "tmpfs", 0, NULL))
ATTEMPT(mount_cgroup, mount("none", "/tmp", "cgroup", 0, "memory"))
ATTEMPT(mount_cgroup2, mount("none", "/tmp", "cgroup2", 0, NULL))
ATTEMPT(umount_proc, umount2("/proc", MNT_DETACH))
ATTEMPT(fsopen, close_it(syscall(SYS_fsopen, "tmpfs", 0)))
ATTEMPT(open_tree, close_it(syscall(SYS_open_tree, AT_FDCWD, "/", 0)))
ATTEMPT(pivot_root, syscall(SYS_pivot_root, "/", "/"))
ATTEMPT(chroot, chroot("/tmp"))
ATTEMPT(sethostname, sethostname("x", 1))
ATTEMPT(mknod_device, mknod("/tmp/device", S_IFCHR | 0666, 0x103))
ATTEMPT(mknod_block, mknod("/tmp/block", S_IFBLK | 0666, 0x800))
ATTEMPT(mknod_fifo, mknod("/tmp/fifo", S_IFIFO | 0666, 0))
ATTEMPT(tiocsti, terminal_request(TIOCSTI, &letter))
ATTEMPT(tiocsti_high, terminal_request(0x100000000UL | TIOCSTI, &letter))
ATTEMPT(tioclinux, terminal_request(TIOCLINUX, &letter))
ATTEMPT(tioclinux_high, terminal_request(0xdead00000000UL | TIOCLINUX, &letter))
ATTEMPT(tiocsetd, terminal_request(TIOCSETD, &discipline))
ATTEMPT(tiocgwinsz, terminal_request(TIOCGWINSZ, &size))
ATTEMPT(tiocgwinsz_high, terminal_request(0x100000000UL | TIOCGWINSZ, &size))
ATTEMPT(io_uring, syscall(SYS_io_uring_setup, 1, NULL))
ATTEMPT(bpf, syscall(SYS_bpf, 0, NULL, 0))
ATTEMPT(userfaultfd, close_it(syscall(SYS_userfaultfd, 1)))
ATTEMPT(keyctl, syscall(SYS_keyctl, 0, -3, 0))
ATTEMPT(add_key, syscall(SYS_add_key, "user", "x", "y", 1, -3))
ATTEMPT(request_key, syscall(SYS_request_key, "user", "x", NULL, 0))
ATTEMPT(perf, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
ATTEMPT(ptrace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
ATTEMPT(process_vm_readv, process_vm_readv(getpid(), &nothing, 1, &nothing, 1, 0))
ATTEMPT(pidfd_getfd, syscall(SYS_pidfd_getfd, -1, 0, 0))
ATTEMPT(kcmp, syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0))
ATTEMPT(open_by_handle, syscall(SYS_open_by_handle_at, -1, NULL, 0))
ATTEMPT(name_to_handle, syscall(SYS_name_to_handle_at, -1, NULL, NULL, NULL, 0))
ATTEMPT(init_module, syscall(SYS_init_module, NULL, 0, ""))
ATTEMPT(kexec, syscall(SYS_kexec_load, 0, 0, NULL, 0))
ATTEMPT(syslog, syscall(SYS_syslog, 10, NULL, 0))
ATTEMPT(vmsplice, syscall(SYS_vmsplice, -1, NULL, 0, 0))
ATTEMPT(splice, syscall(SYS_splice, -1, NULL, -1, NULL, 0, 0))
ATTEMPT(sendfile, syscall(SYS_sendfile, -1, -1, NULL, 0))
ATTEMPT(io_setup, syscall(SYS_io_setup, 1, NULL))
ATTEMPT(memfd_secret, close_it(syscall(447, 0)))
ATTEMPT(memfd_create, close_it(syscall(SYS_memfd_create, "x", 0)))
ATTEMPT(sync, syscall(SYS_sync))
ATTEMPT(unknown_call, syscall(1000))
ATTEMPT(personality_ask, personality(0xffffffff))
ATTEMPT(personality_norandom, personality(ADDR_NO_RANDOMIZE))
ATTEMPT(socket_unix, close_it(socket(AF_UNIX, SOCK_STREAM, 0)))
ATTEMPT(socket_inet, close_it(socket(AF_INET, SOCK_STREAM, 0)))
ATTEMPT(socket_inet6, close_it(socket(AF_INET6, SOCK_DGRAM, 0)))
ATTEMPT(socket_raw, close_it(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)))
ATTEMPT(socket_sctp, close_it(socket(AF_INET, SOCK_STREAM, 132)))
ATTEMPT(socket_packet, close_it(socket(AF_PACKET, SOCK_RAW, 0)))
ATTEMPT(socket_route, close_it(socket(AF_NETLINK, SOCK_RAW, 0)))
ATTEMPT(socket_audit, close_it(socket(AF_NETLINK, SOCK_RAW, 9)))
ATTEMPT(socket_alg, close_it(socket(AF_ALG, SOCK_SEQPACKET, 0)))
ATTEMPT(socket_vsock, close_it(socket(AF_VSOCK, SOCK_STREAM, 0)))
ATTEMPT(socket_vsock_high, close_it(syscall(SYS_socket, 0x100000000UL | AF_VSOCK, SOCK_STREAM, 0)))
ATTEMPT(setuid_0, setuid(0))
ATTEMPT(setgid_0, setgid(0))
ATTEMPT(kill_init, kill(1, SIGKILL))
ATTEMPT(oom_lower, write_file("/proc/self/oom_score_adj", "-1000"))
ATTEMPT(oom_raise, write_file("/proc/self/oom_score_adj", "1000"))
ATTEMPT(user_namespaces_sysctl, write_file("/proc/sys/user/max_user_namespaces", "9"))
ATTEMPT(core_pattern, write_file("/proc/sys/kernel/core_pattern", ""))
ATTEMPT(sysrq, close_it(open("/proc/sysrq-trigger", O_WRONLY)))
ATTEMPT(write_usr, close_it(open("/usr/bin/true", O_WRONLY)))
ATTEMPT(write_tmp, close_it(open("/tmp/attempt", O_WRONLY | O_CREAT, 0600)))
ATTEMPT(dev_kmsg, close_it(open("/dev/kmsg", O_RDONLY)))
ATTEMPT(init_mem, close_it(open("/proc/1/mem", O_RDONLY)))
ATTEMPT(init_root, close_it(open("/proc/1/root", O_PATH)))
ATTEMPT(init_exe, close_it(open("/proc/1/exe", O_RDONLY)))
#undef ATTEMPT

static const struct {
	const char *name;
	long (*function)(void);
} attempts[] = {
#define ATTEMPT(name) {#name, try_##name}
	ATTEMPT(fork), ATTEMPT(clone_user), ATTEMPT(clone_net), ATTEMPT(clone3_plain),
	ATTEMPT(clone3_user), ATTEMPT(unshare_user), ATTEMPT(unshare_time), ATTEMPT(setns),
	ATTEMPT(mount_tmpfs), ATTEMPT(mount_cgroup), ATTEMPT(mount_cgroup2), ATTEMPT(umount_proc),
	ATTEMPT(fsopen), ATTEMPT(open_tree), ATTEMPT(pivot_root), ATTEMPT(chroot),
	ATTEMPT(sethostname), ATTEMPT(mknod_device), ATTEMPT(mknod_block), ATTEMPT(mknod_fifo),
	ATTEMPT(tiocsti), ATTEMPT(tiocsti_high), ATTEMPT(tioclinux), ATTEMPT(tioclinux_high),
	ATTEMPT(tiocsetd), ATTEMPT(tiocgwinsz), ATTEMPT(tiocgwinsz_high), ATTEMPT(io_uring),
	ATTEMPT(bpf), ATTEMPT(userfaultfd), ATTEMPT(keyctl), ATTEMPT(add_key),
	ATTEMPT(request_key), ATTEMPT(perf), ATTEMPT(ptrace), ATTEMPT(process_vm_readv),
	ATTEMPT(pidfd_getfd), ATTEMPT(kcmp), ATTEMPT(open_by_handle), ATTEMPT(name_to_handle),
	ATTEMPT(init_module), ATTEMPT(kexec), ATTEMPT(syslog), ATTEMPT(vmsplice), ATTEMPT(splice),
	ATTEMPT(sendfile), ATTEMPT(io_setup), ATTEMPT(memfd_secret), ATTEMPT(memfd_create),
	ATTEMPT(sync), ATTEMPT(unknown_call), ATTEMPT(personality_ask),
	ATTEMPT(personality_norandom), ATTEMPT(socket_unix), ATTEMPT(socket_inet),
	ATTEMPT(socket_inet6), ATTEMPT(socket_raw), ATTEMPT(socket_sctp), ATTEMPT(socket_packet),
	ATTEMPT(socket_route), ATTEMPT(socket_audit), ATTEMPT(socket_alg), ATTEMPT(socket_vsock),
	ATTEMPT(socket_vsock_high), ATTEMPT(setuid_0), ATTEMPT(setgid_0), ATTEMPT(kill_init),
	ATTEMPT(oom_lower), ATTEMPT(oom_raise), ATTEMPT(user_namespaces_sysctl),
	ATTEMPT(core_pattern), ATTEMPT(sysrq), ATTEMPT(write_usr), ATTEMPT(write_tmp),
	ATTEMPT(dev_kmsg), ATTEMPT(init_mem), ATTEMPT(init_root), ATTEMPT(init_exe),
};
/* clang-format on */

static int attempt(const char *name)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		long r;

		if (strcmp(attempts[i].name, name) != 0)
			continue;
		errno = 0;
		r = attempts[i].function();
		printf("%s %s\n", name, r >= 0 ? "ok" : strerrorname_np(errno));
		return 0;
	}
	fprintf(stderr, "attempts: there is no \"%s\"\n", name);
	return -1;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (attempt(argv[i]) < 0)
			return 2;
	return 0;
}
