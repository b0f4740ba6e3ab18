/* The one connection to cloched: accept, greet, receive, check, answer. */
#include "supervisor/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "supervisor/init/syscall.h"

#define SIGNAL_MAX 64 /* of the kernel: SIGRTMAX is a libc's */

void connection_drop(struct init *init)
{
	close_fd(init->connection_fd);
	init->connection_fd = -1;
}

int connection_send(
	struct init *init, uint16_t type, uint64_t cookie, const void *body, size_t body_size)
{
	struct wire_header header = {.version = WIRE_VERSION,
		.type = type,
		.size = (uint32_t)(sizeof(header) + body_size),
		.cookie = cookie};
	struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)body, body_size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	long sent;

	if (init->connection_fd < 0)
		return -ENOTCONN;
	do
		sent = syscall3(__NR_sendmsg, init->connection_fd, (long)&message,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent == -EINTR);
	return sent < 0 ? (int)sent : 0;
}

static int greet(struct init *init)
{
	struct wire_init_hello hello;

	memset(&hello, 0, sizeof(hello));
	for (uint32_t i = 0; i < init->n_commands; i++)
		if (!init->commands[i].ended)
			hello.cookies[hello.n_running++] = init->commands[i].cookie;
	return connection_send(init, WIRE_INIT_HELLO, 0, &hello, sizeof(hello));
}

/* The socket's path is out of the sandbox's sight. Should a process of the sandbox reach it all the
 * same, its pid gives it away: a peer outside of this pid namespace shows as 0. */
static bool comes_from_outside(int fd)
{
	struct {
		int32_t pid;
		uint32_t uid, gid;
	} peer = {-1, 0, 0};
	uint32_t size = sizeof(peer);
	long r =
		syscall6(__NR_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&size, 0);

	return r == 0 && peer.pid == 0;
}

void connection_accept(struct init *init)
{
	long fd = syscall4(__NR_accept4, INIT_LISTEN_FD, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	init->connection_fd = (int)fd;
	if (!comes_from_outside((int)fd) || greet(init) < 0)
		connection_drop(init);
}

static void collect_fds(const struct msghdr *header, struct message *message)
{
	const struct cmsghdr *part = header->msg_control;

	message->n_fds = 0;
	if (header->msg_controllen < sizeof(*part) || part->cmsg_level != SOL_SOCKET ||
		part->cmsg_type != SCM_RIGHTS || part->cmsg_len > header->msg_controllen)
		return;
	message->n_fds = (uint32_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(message->fds, CMSG_DATA(part), message->n_fds * sizeof(int));
}

/* Returns 1 with a message, 0 when there is none now, negative to drop the connection. The fds are
 * to be closed in any case. */
static int receive(struct init *init, struct message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	struct iovec part = {init->buffer, sizeof(init->buffer)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	const struct wire_header *frame = (const void *)init->buffer;
	long got = syscall3(
		__NR_recvmsg, init->connection_fd, (long)&header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (got == -EAGAIN || got == -EINTR)
		return 0;
	if (got < 0)
		return (int)got;
	collect_fds(&header, message);
	if (got == 0)
		return -ESHUTDOWN;
	if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)got < sizeof(*frame) ||
		frame->version != WIRE_VERSION || frame->size != (uint64_t)got)
		return -EPROTO;
	message->header = frame;
	message->body = init->buffer + sizeof(*frame);
	message->body_size = (size_t)got - sizeof(*frame);
	return 1;
}

static int serve_kill(struct init *init, const struct message *message)
{
	struct wire_init_kill body;
	struct command *command;

	if (message->body_size != sizeof(body) || message->n_fds != 0)
		return -EPROTO;
	memcpy(&body, message->body, sizeof(body));
	if (body.signal < 1 || body.signal > SIGNAL_MAX)
		return -EPROTO;
	command = command_find(init, message->header->cookie);
	if (command && !command->ended)
		command_kill(init, command, body.signal);
	return 0;
}

/* Whatever a later policy's own filter says: what is made of memory has no mount and no Landlock.
 */
static long close_memory_files(void)
{
	static const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]), .filter = (struct sock_filter *)code};

	return syscall3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program);
}

/* Holds for all that is started from here on; cloched made the ruleset, inside. */
static int serve_restrict(struct init *init, const struct message *message)
{
	struct wire_init_joined restricted = {0, 0};

	if (message->body_size != 0 || message->n_fds > 1)
		return -EPROTO;
	restricted.error = (int32_t)close_memory_files();
	if (restricted.error == 0 && message->n_fds == 1)
		restricted.error =
			(int32_t)syscall2(__NR_landlock_restrict_self, message->fds[0], 0);
	return connection_send(init, WIRE_INIT_RESTRICTED, message->header->cookie, &restricted,
		sizeof(restricted));
}

/* "0" means the writer itself. Written to `tasks` of a v1 hierarchy it moves this one thread, which
 * is the whole process, without the wait that a write to cgroup.procs may cost. */
static int serve_join(struct init *init, const struct message *message)
{
	struct wire_init_joined joined = {0, 0};
	long r;

	if (message->body_size != 0 || message->n_fds != 1)
		return -EPROTO;
	r = syscall3(__NR_write, message->fds[0], (long)"0", 1);
	if (r < 0)
		joined.error = (int32_t)r;
	return connection_send(
		init, WIRE_INIT_JOINED, message->header->cookie, &joined, sizeof(joined));
}

static int serve(struct init *init, const struct message *message)
{
	switch (message->header->type) {
	case WIRE_INIT_EXEC:
		return exec_start(init, message);
	case WIRE_INIT_KILL:
		return serve_kill(init, message);
	case WIRE_INIT_JOIN:
		return serve_join(init, message);
	case WIRE_INIT_RESTRICT:
		return serve_restrict(init, message);
	}
	return -EPROTO;
}

void connection_serve(struct init *init)
{
	struct message message = {.n_fds = 0};
	int r = receive(init, &message);

	if (r == 1)
		r = serve(init, &message);
	for (uint32_t i = 0; i < message.n_fds; i++)
		close_fd(message.fds[i]);
	if (r < 0)
		connection_drop(init);
	/* A large message is rare; its pages are not to stay for the sandbox's life. */
	if (message.body_size > INIT_BUFFER_KEEP)
		syscall3(__NR_madvise, (long)(init->buffer + INIT_BUFFER_KEEP),
			WIRE_FRAME_MAX - INIT_BUFFER_KEEP, MADV_DONTNEED);
}
