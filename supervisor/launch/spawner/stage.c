/* From clone3(2) to cloche-init, in an order that matters:
 *
 *  - with the host's uid 0 still in place, but without any power over the host: join the v1 cgroups
 *    (so that all that follows is charged and limited), bind the socket in cloched's directory (the
 *    kernel notes this process as the listener, which is how cloched knows PID 1 later);
 *  - own cgroup namespace, host name, loopback;
 *  - wait for the id maps and the mounts from outside; become uid 0 of the sandbox;
 *  - mounts, and out of sight of the host; limits; privileges; landlock; the filter; cloche-init.
 *
 * Each step that fails ends the stage with its name and a sentence; the spawner then kills what is
 * left of it, and with PID 1 the kernel takes the namespaces down. */
#include "supervisor/launch/spawner/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/ipv6.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "bpf/abi/ticket.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/confine/privileges.h"
#include "supervisor/launch/files/landlock.h"
#include "supervisor/launch/spawner/root.h"

#define LOOPBACK_INDEX 1 /* the first interface of every network namespace */
#define HOST_NAME "sandbox"
#define BACKLOG 4
#define LISTEN_FD 3 /* where cloche-init finds it */
#define INIT_FD 4

static int fail(struct failure *why, const char *stage, const char *what)
{
	return failure_set(why, -errno, stage, "cannot %s: %s", what, strerror(errno));
}

/* A write of "0" to `tasks` moves the writer alone, which is cheaper than a write of its pid to
 * cgroup.procs by someone else (5 to 15 ms). */
static int join_cgroups(const struct stage *stage, struct failure *why)
{
	for (uint32_t i = 0; i < stage->n_tasks; i++)
		if (write(stage->tasks_fds[i], "0", 1) != 1)
			return fail(why, "join cgroups", "join a v1 cgroup");
	return 0;
}

static int listen_for_cloched(const char *name, int *ret_fd, struct failure *why)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length;

	if (fd < 0)
		return fail(why, "control socket", "make a socket");
	length = snprintf(
		address.sun_path, sizeof(address.sun_path), "%s/%s", SPAWNER_SOCKETS, name);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return failure_set(why, -ENAMETOOLONG, "control socket", "the name is too long");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, BACKLOG) < 0)
		return fail(why, "control socket", "listen on the control socket");
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Name look-ups with AI_ADDRCONFIG (RFC 3493, 6.1) ask only for families of which the machine has
 * an address other than loopback, so `lo` gets one of each. They are synthetic and stand for no
 * name: the kernel's programs refuse both to connect to them and to bind them. */
static int give_addresses(int fd)
{
	struct ifreq request = {.ifr_name = "lo:1"};
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	struct sockaddr_in *mask = (struct sockaddr_in *)&request.ifr_netmask;
	struct in6_ifreq request6 = {.ifr6_prefixlen = 128, .ifr6_ifindex = LOOPBACK_INDEX};
	_cleanup_close_ int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ABI_SYNTHETIC4_FIRST + 1)};
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		return -errno;
	*mask = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = 0xffffffff};
	if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
		return -errno;
	for (int i = 0; i < 8; i++)
		request6.ifr6_addr.s6_addr[i] = (uint8_t)(ABI_SYNTHETIC6_HIGH >> (56 - 8 * i));
	request6.ifr6_addr.s6_addr[15] = 1;
	/* A host may be without IPv6; then nobody can ask for it inside either. */
	if (fd6 >= 0 && ioctl(fd6, SIOCSIFADDR, &request6) < 0 && errno != EACCES)
		return -errno;
	return 0;
}

/* The cgroup namespace is made here and not by clone3(2), which would take the spawner's cgroup as
 * its root and show the path from there to the sandbox's. */
static int set_up_namespaces(struct failure *why)
{
	_cleanup_close_ int fd = -1;
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (unshare(CLONE_NEWCGROUP) < 0)
		return fail(why, "namespaces", "have a cgroup namespace of its own");
	if (sethostname(HOST_NAME, sizeof(HOST_NAME) - 1) < 0 || setdomainname("", 0) < 0)
		return fail(why, "namespaces", "set the host name");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return fail(why, "namespaces", "bring the loopback up");
	if (give_addresses(fd) < 0)
		return fail(why, "namespaces", "give the loopback its addresses");
	return 0;
}

/* The message with the mounts also says that the id maps are written. */
static int receive_mounts(int report_fd, struct stage_mounts *ret_mounts, struct failure *why)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(report_fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;
	int fds[2];

	if (got != 1)
		return failure_set(why, got < 0 ? -errno : -EPIPE, "receive mounts",
			"the spawner did not send them");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(fds)))
		return failure_set(why, -EPROTO, "receive mounts", "not the expected message");
	memcpy(fds, CMSG_DATA(header), sizeof(fds));
	ret_mounts->usr_fd = fds[0];
	ret_mounts->extra_fd = fds[1];
	return 0;
}

static int become_root_inside(struct failure *why)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return fail(why, "identity", "become uid 0 of the sandbox");
	return 0;
}

/* No user namespaces inside, whatever else fails: the sysctl counts for this namespace and below.
 */
static int forbid_user_namespaces(struct failure *why)
{
	int r = fd_write_file_at(AT_FDCWD, SPAWNER_PROC "/sys/user/max_user_namespaces", "0");

	return r < 0 ? failure_set(why, r, "namespaces", "cannot forbid user namespaces: %s",
			       strerror(-r))
		     : 0;
}

/* Limits that cgroups do not have. That of descriptors is narrowed to the policy's for each command
 * (struct wire_init_exec). */
static int limit_resources(struct failure *why)
{
	static const struct {
		int resource;
		rlim_t soft, hard;
	} limits[] = {
		{RLIMIT_CORE, 0, 0},
		{RLIMIT_NOFILE, 1024, 65536},
		{RLIMIT_MEMLOCK, 1048576, 1048576},
		{RLIMIT_MSGQUEUE, 65536, 65536},
		{RLIMIT_SIGPENDING, 1024, 1024},
		{RLIMIT_NPROC, 16384, 16384},
		{RLIMIT_STACK, 8388608, 1073741824},
		{RLIMIT_NICE, 0, 0},
		{RLIMIT_RTPRIO, 0, 0},
		{RLIMIT_RTTIME, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit = {limits[i].soft, limits[i].hard}, now;

		/* Never above what is inherited: raising needs CAP_SYS_RESOURCE. */
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &now) < 0)
			return fail(why, "resource limits", "read a limit");
		if (limit.rlim_max > now.rlim_max)
			limit.rlim_max = now.rlim_max;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
			return fail(why, "resource limits", "set a limit");
	}
	return 0;
}

/* 0, 1 and 2 are the sandbox's own /dev/null, 3 the socket, 4 the program; nothing else is left. */
static int arrange_fds(const struct stage *stage, int listen_fd, struct failure *why)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return fail(why, "descriptors", "open /dev/null");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null_fd, fd) < 0)
			return fail(why, "descriptors", "replace a standard descriptor");
	/* The spawner keeps 3 and 4 for its own use and sends nothing else so low. */
	if (dup3(stage->init_fd, INIT_FD, O_CLOEXEC) < 0 && errno != EINVAL)
		return fail(why, "descriptors", "place the program");
	if (dup2(listen_fd, LISTEN_FD) < 0)
		return fail(why, "descriptors", "place the socket");
	if (close_range(INIT_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(why, "descriptors", "close the others");
	return 0;
}

static int become_init(const struct stage *stage, struct failure *why)
{
	static char *const argv[] = {(char *)"cloche-init", NULL};
	static char *const env[] = {NULL};
	struct sock_fprog program = {.len = (unsigned short)stage->n_filter,
		.filter = (struct sock_filter *)stage->filter};

	/* Ignored signals stay ignored over execve(2), down to every command. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return fail(why, "system call filter", "load it");
	fexecve(INIT_FD, argv, env);
	return fail(why, "cloche-init", "execute it");
}

static int run(const struct stage *stage, struct failure *why)
{
	struct stage_mounts mounts = {.masks = stage->masks, .etc_mapped = stage->etc_mapped};
	int listen_fd = -1;
	int r = join_cgroups(stage, why);

	if (r == 0)
		r = listen_for_cloched(stage->socket_name, &listen_fd, why);
	if (r == 0)
		r = set_up_namespaces(why);
	if (r == 0)
		r = receive_mounts(stage->report_fd, &mounts, why);
	if (r == 0)
		r = become_root_inside(why);
	if (r == 0)
		r = forbid_user_namespaces(why);
	if (r == 0)
		r = mounts_enter(&mounts, stage->disk_bytes, why);
	if (r == 0)
		r = limit_resources(why);
	if (r == 0)
		r = arrange_fds(stage, listen_fd, why);
	if (r == 0)
		r = privileges_reduce(why);
	if (r == 0)
		r = landlock_restrict(why);
	return r < 0 ? r : become_init(stage, why);
}

_Noreturn void stage_run(const struct stage *stage)
{
	struct wire_spawn_failed failed = {0};
	struct failure why = {0};

	failed.error = run(stage, &why);
	snprintf(failed.stage, sizeof(failed.stage), "%s", why.stage);
	snprintf(failed.sentence, sizeof(failed.sentence), "%s", why.sentence);
	send(stage->report_fd, &failed, sizeof(failed), MSG_NOSIGNAL);
	_exit(1);
}
