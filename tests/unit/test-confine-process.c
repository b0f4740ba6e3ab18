/* Each act is done in a child of its own: before confinement it must work, afterwards it must fail
 * with the stated errno, or not. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/confine/process.h"
#include "tests/harness/check.h"

#define NOT_CONFINED (-1)
#define CHILD_FAILED 255

/* 0 or an errno below 128. */
typedef int (*act_function)(void);

static int listener = -1;
static struct sockaddr_in listener_address;

static void open_listener(void)
{
	socklen_t size = sizeof(listener_address);

	if (listener >= 0)
		close(listener);
	listener_address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(bind(listener, (struct sockaddr *)&listener_address, size), 0);
	CHECK_INT(listen(listener, 8), 0);
	CHECK_INT(getsockname(listener, (struct sockaddr *)&listener_address, &size), 0);
}

/* The wait status of a child that confined itself (or not) and did the act. */
static int status_of(int kind, act_function act)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		struct failure why;

		if (kind != NOT_CONFINED && confine_process((enum confine_kind)kind, &why) < 0) {
			fprintf(stderr, "%s: %s\n", why.stage, why.sentence);
			_exit(CHILD_FAILED);
		}
		_exit(act());
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	return status;
}

static int errno_of(int kind, act_function act)
{
	int status = status_of(kind, act);

	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) != CHILD_FAILED);
	return WEXITSTATUS(status);
}

static int read_passwd(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : close(fd);
}

TEST(opens_no_file)
{
	CHECK_INT(errno_of(NOT_CONFINED, read_passwd), 0);
	CHECK_INT(errno_of(CONFINE_GATE, read_passwd), EPERM);
	CHECK_INT(errno_of(CONFINE_API, read_passwd), EPERM);
	CHECK_INT(errno_of(CONFINE_EXPORT, read_passwd), EPERM);
}

static int make_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	return fd < 0 ? errno : close(fd);
}

static int make_tcp4(void)
{
	return make_socket(AF_INET, SOCK_STREAM, 0);
}

static int make_tcp6(void)
{
	return make_socket(AF_INET6, SOCK_STREAM, 0);
}

static int make_udp(void)
{
	return make_socket(AF_INET, SOCK_DGRAM, 0);
}

static int make_udp6(void)
{
	return make_socket(AF_INET6, SOCK_DGRAM, 0);
}

/* Ping sockets: neither TCP nor UDP. */
static int make_icmp(void)
{
	return make_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static int bind_udp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	error = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int make_unix(void)
{
	return make_socket(AF_UNIX, SOCK_STREAM, 0);
}

static int make_netlink(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, 0);
}

TEST(gate_makes_tcp_and_udp_sockets_only)
{
	CHECK_INT(errno_of(CONFINE_GATE, make_tcp4), 0);
	CHECK_INT(errno_of(CONFINE_GATE, make_tcp6), 0);
	CHECK_INT(errno_of(CONFINE_GATE, make_udp), 0);
	CHECK_INT(errno_of(CONFINE_GATE, make_udp6), 0);
	CHECK_INT(errno_of(CONFINE_GATE, make_icmp), EPERM);
	CHECK_INT(errno_of(NOT_CONFINED, bind_udp), 0);
	CHECK_INT(errno_of(CONFINE_GATE, bind_udp), EPERM);
	CHECK_INT(errno_of(NOT_CONFINED, make_unix), 0);
	CHECK_INT(errno_of(CONFINE_GATE, make_unix), EPERM);
	CHECK_INT(errno_of(NOT_CONFINED, make_netlink), 0);
	CHECK_INT(errno_of(CONFINE_GATE, make_netlink), EPERM);
}

TEST(api_makes_no_socket)
{
	CHECK_INT(errno_of(NOT_CONFINED, make_tcp4), 0);
	CHECK_INT(errno_of(CONFINE_EXPORT, make_tcp4), 0);
	CHECK_INT(errno_of(CONFINE_EXPORT, make_udp6), 0);
	CHECK_INT(errno_of(CONFINE_EXPORT, make_icmp), EPERM);
	CHECK_INT(errno_of(CONFINE_EXPORT, bind_udp), EPERM);
	CHECK_INT(errno_of(CONFINE_EXPORT, make_unix), EPERM);
	CHECK_INT(errno_of(CONFINE_API, make_tcp4), EPERM);
	CHECK_INT(errno_of(NOT_CONFINED, make_udp), 0);
	CHECK_INT(errno_of(CONFINE_API, make_udp), EPERM);
	CHECK_INT(errno_of(CONFINE_API, make_unix), EPERM);
}

static int run_true(void)
{
	execl("/bin/true", "true", NULL);
	return errno;
}

TEST(exec_kills)
{
	int status = status_of(CONFINE_GATE, run_true);

	CHECK_INT(status_of(NOT_CONFINED, run_true), 0);
	CHECK(WIFSIGNALED(status));
	CHECK_INT(WTERMSIG(status), SIGSYS);
	CHECK_INT(WTERMSIG(status_of(CONFINE_API, run_true)), SIGSYS);
}

static int fork_once(void)
{
	pid_t child = fork();

	if (child < 0)
		return errno;
	if (child == 0)
		_exit(0);
	return waitpid(child, NULL, 0) == child ? 0 : errno;
}

TEST(forks_no_process)
{
	CHECK_INT(errno_of(NOT_CONFINED, fork_once), 0);
	CHECK_INT(errno_of(CONFINE_GATE, fork_once), EPERM);
	CHECK_INT(errno_of(CONFINE_API, fork_once), EPERM);
}

static int map_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? errno : 0;
}

static int map_data(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? errno : 0;
}

TEST(maps_no_executable_memory)
{
	CHECK_INT(errno_of(NOT_CONFINED, map_executable), 0);
	CHECK_INT(errno_of(CONFINE_API, map_executable), EPERM);
	CHECK_INT(errno_of(CONFINE_API, map_data), 0);
}

static int call_bpf(int command)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)-1;
	return syscall(SYS_bpf, command, &attr, sizeof(attr)) < 0 ? errno : 0;
}

static int look_up(void)
{
	return call_bpf(BPF_MAP_LOOKUP_ELEM);
}

static int update(void)
{
	return call_bpf(BPF_MAP_UPDATE_ELEM);
}

/* EBADF comes from the kernel's own check of the map: the filter let the call pass. */
TEST(gate_only_looks_up_in_maps)
{
	CHECK_INT(errno_of(CONFINE_GATE, look_up), EBADF);
	CHECK_INT(errno_of(NOT_CONFINED, update), EBADF);
	CHECK_INT(errno_of(CONFINE_GATE, update), EPERM);
	CHECK_INT(errno_of(CONFINE_API, look_up), EPERM);
	CHECK_INT(errno_of(CONFINE_EXPORT, look_up), EPERM);
}

static int connect_once(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&listener_address, sizeof(listener_address)) < 0
		       ? errno
		       : 0;
}

TEST(gate_still_connects)
{
	open_listener();
	CHECK_INT(errno_of(NOT_CONFINED, connect_once), 0);
	CHECK_INT(errno_of(CONFINE_GATE, connect_once), 0);
	CHECK_INT(errno_of(CONFINE_EXPORT, connect_once), 0);
}

/* A connection that waits in the backlog is accepted and answered, woken by epoll. */
static int serve_once(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct msghdr message = {.msg_iov = &(struct iovec){"x", 1}, .msg_iovlen = 1};
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0 ||
		epoll_wait(epoll, &event, 1, 5000) != 1)
		return errno ? errno : ETIME;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return fd < 0 || sendmsg(fd, &message, MSG_NOSIGNAL) != 1 ? errno : 0;
}

TEST(api_still_serves)
{
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte = 0;

	open_listener();
	CHECK_INT(
		connect(client, (struct sockaddr *)&listener_address, sizeof(listener_address)), 0);
	CHECK_INT(errno_of(CONFINE_API, serve_once), 0);
	CHECK_INT(read(client, &byte, 1), 1);
	CHECK_INT(byte, 'x');
	close(client);
}

/* A confined process can neither ask nor open /proc, so its parent reads there while it waits. */
static void read_status(pid_t child, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	got = read(fd, text, size - 1);
	CHECK(got > 0);
	text[got] = '\0';
	close(fd);
}

TEST(holds_no_capability_and_no_way_to_gain)
{
	char status[8192];
	int ready[2], go[2];
	pid_t child;

	CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
	CHECK_INT(pipe2(go, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		char byte = 0;
		int r = confine_process(CONFINE_GATE, NULL);

		close(go[1]);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0)
			_exit(1);
		_exit(r == 0 ? 0 : 1);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], status, 1), 1);
	read_status(child, status, sizeof(status));
	close(ready[0]);
	close(go[0]);
	close(go[1]);
	CHECK_INT(waitpid(child, NULL, 0), child);
	CHECK(strstr(status, "CapInh:\t0000000000000000"));
	CHECK(strstr(status, "CapPrm:\t0000000000000000"));
	CHECK(strstr(status, "CapEff:\t0000000000000000"));
	CHECK(strstr(status, "CapAmb:\t0000000000000000"));
	CHECK(geteuid() != 0 || strstr(status, "CapBnd:\t0000000000000000"));
	CHECK(strstr(status, "NoNewPrivs:\t1"));
	CHECK(strstr(status, "Seccomp:\t2"));
}
