#include "tests/harness/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/wire/channel.h"

struct scene {
	struct loop *loop;
	struct channel *channel;
	int peer; /* the other end, a bare socket */
	int n_received, n_closed, reason;
	uint64_t last_cookie;
	char body[64];
	size_t body_size, n_fds;
	int fds[WIRE_FDS_MAX];
	bool take_fds, free_on_message, free_on_close;
	int answer;
};

static int on_message(struct channel *channel, struct channel_message *message, void *userdata)
{
	struct scene *scene = userdata;

	scene->n_received++;
	scene->last_cookie = message->header->cookie;
	scene->body_size = message->body_size;
	memcpy(scene->body, message->body,
		message->body_size < sizeof(scene->body) ? message->body_size
							 : sizeof(scene->body));
	scene->n_fds = message->n_fds;
	for (size_t i = 0; i < message->n_fds; i++) {
		scene->fds[i] = message->fds[i];
		if (scene->take_fds)
			message->fds[i] = -1;
	}
	if (scene->free_on_message)
		scene->channel = channel_free(channel);
	return scene->answer;
}

static void on_closed(struct channel *channel, int reason, void *userdata)
{
	struct scene *scene = userdata;

	scene->n_closed++;
	scene->reason = reason;
	if (scene->free_on_close)
		scene->channel = channel_free(channel);
}

/* The callbacks hold the scene's address, so it must not move. */
static void begin(struct scene *scene)
{
	int pair[2];

	*scene = (struct scene){.peer = -1, .reason = 1};
	CHECK_INT(loop_new(&scene->loop), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	scene->peer = pair[1];
	CHECK_INT(channel_new(scene->loop, pair[0], on_message, on_closed, scene, &scene->channel),
		0);
}

static void end(struct scene *scene)
{
	channel_free(scene->channel);
	if (scene->peer >= 0)
		close(scene->peer);
	loop_free(scene->loop);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

struct frame {
	struct wire_header header;
	char body[64];
};

static void peer_send(
	struct scene *scene, uint64_t cookie, const char *body, const int *fds, size_t n)
{
	struct frame frame = {.header = {.version = WIRE_VERSION, .type = 7, .cookie = cookie}};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = {0};
	struct iovec part = {&frame, sizeof(frame.header) + strlen(body)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	frame.header.size = (uint32_t)part.iov_len;
	memcpy(frame.body, body, strlen(body));
	if (n > 0) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * n);
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	}
	CHECK_INT(sendmsg(scene->peer, &message, MSG_DONTWAIT), part.iov_len);
}

/* Receives at the bare end; returns the cookie, and closes nothing. UINT64_MAX: nothing there. */
static uint64_t peer_receive(struct scene *scene, int *ret_fd)
{
	static struct {
		struct wire_header header;
		char rest[WIRE_FRAME_MAX];
	} frame;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	struct iovec part = {&frame, sizeof(frame)};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(scene->peer, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got <= 0)
		return UINT64_MAX;
	CHECK_INT(frame.header.size, got);
	CHECK_INT(frame.header.version, WIRE_VERSION);
	if (ret_fd) {
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		*ret_fd = -1;
		if (header)
			memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	}
	return frame.header.cookie;
}

static void run(struct scene *scene)
{
	CHECK_INT(loop_run_once(scene->loop, 0), 0);
}

TEST(channel_receives_a_message_whole)
{
	struct scene scene;

	begin(&scene);
	peer_send(&scene, 99, "hello", NULL, 0);
	run(&scene);
	CHECK_INT(scene.n_received, 1);
	CHECK_INT(scene.last_cookie, 99);
	CHECK_INT(scene.body_size, 5);
	CHECK(memcmp(scene.body, "hello", 5) == 0);
	CHECK_INT(scene.n_fds, 0);
	CHECK_INT(scene.n_closed, 0);
	end(&scene);
}

TEST(channel_sends_header_body_and_tail_as_one_message)
{
	struct scene scene;
	struct frame frame = {.header = {.version = 0}};

	begin(&scene);
	CHECK_INT(channel_send(scene.channel, 12, 34, "body", 4, "tail!", 5, NULL, 0), 0);
	CHECK_INT(recv(scene.peer, &frame, sizeof(frame), MSG_DONTWAIT), 25);
	CHECK_INT(frame.header.version, WIRE_VERSION);
	CHECK_INT(frame.header.type, 12);
	CHECK_INT(frame.header.size, 25);
	CHECK_INT(frame.header.cookie, 34);
	CHECK(memcmp(frame.body, "bodytail!", 9) == 0);
	CHECK_INT(channel_send(scene.channel, 13, 0, NULL, 0, NULL, 0, NULL, 0), 0);
	CHECK_INT(recv(scene.peer, &frame, sizeof(frame), MSG_DONTWAIT), 16);
	end(&scene);
}

TEST(channel_refuses_a_message_that_is_too_large)
{
	static char tail[WIRE_FRAME_MAX];
	struct scene scene;
	int fds[WIRE_FDS_MAX + 1] = {0};

	begin(&scene);
	CHECK_INT(channel_send(scene.channel, 1, 0, "b", 1, tail, WIRE_FRAME_MAX - 16, NULL, 0),
		-EMSGSIZE);
	CHECK_INT(channel_send(scene.channel, 1, 0, NULL, 0, NULL, 0, fds, WIRE_FDS_MAX + 1),
		-EMSGSIZE);
	CHECK_INT(
		channel_send(scene.channel, 1, 7, NULL, 0, tail, WIRE_FRAME_MAX - 16, NULL, 0), 0);
	CHECK_INT(peer_receive(&scene, NULL), 7);
	end(&scene);
}

TEST(channel_closes_received_descriptors_that_nobody_took)
{
	struct scene scene;
	int before, fds[] = {0, 1, 2};

	begin(&scene);
	before = count_fds();
	peer_send(&scene, 1, "", fds, 3);
	run(&scene);
	CHECK_INT(scene.n_fds, 3);
	CHECK_INT(count_fds(), before);
	end(&scene);
}

TEST(channel_leaves_received_descriptors_to_who_takes_them)
{
	struct scene scene;
	struct stat sent, got;
	int pipe_fds[2];

	begin(&scene);
	CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
	scene.take_fds = true;
	peer_send(&scene, 1, "", pipe_fds, 1);
	run(&scene);
	CHECK_INT(scene.n_fds, 1);
	CHECK_INT(fcntl(scene.fds[0], F_GETFD), FD_CLOEXEC);
	CHECK_INT(fstat(pipe_fds[0], &sent), 0);
	CHECK_INT(fstat(scene.fds[0], &got), 0);
	CHECK_INT(got.st_ino, sent.st_ino);
	close(scene.fds[0]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	end(&scene);
}

/* Sends `size` bytes of a frame as it should not be; the channel must give up, once, and go quiet.
 */
static void check_broken(const struct frame *frame, size_t size)
{
	struct scene scene;

	begin(&scene);
	CHECK_INT(send(scene.peer, frame, size, MSG_DONTWAIT), size);
	peer_send(&scene, 2, "good", NULL, 0);
	run(&scene);
	run(&scene);
	CHECK_INT(scene.n_received, 0);
	CHECK_INT(scene.n_closed, 1);
	CHECK_INT(scene.reason, -EPROTO);
	CHECK_INT(channel_send(scene.channel, 1, 0, NULL, 0, NULL, 0, NULL, 0), -EPIPE);
	end(&scene);
}

TEST(channel_gives_up_a_peer_with_another_version)
{
	struct frame frame = {.header = {.version = WIRE_VERSION + 1, .size = sizeof(frame)}};

	check_broken(&frame, sizeof(frame));
}

TEST(channel_gives_up_a_peer_whose_size_is_not_the_frames)
{
	struct frame frame = {.header = {.version = WIRE_VERSION, .size = sizeof(frame) - 1}};

	check_broken(&frame, sizeof(frame));
	frame.header.size = sizeof(frame) + 1;
	check_broken(&frame, sizeof(frame));
}

TEST(channel_gives_up_a_peer_whose_frame_is_shorter_than_a_header)
{
	struct frame frame = {.header = {.version = WIRE_VERSION, .size = 8}};

	check_broken(&frame, 8);
}

TEST(channel_gives_up_a_peer_whose_frame_is_too_large)
{
	static struct {
		struct wire_header header;
		char rest[WIRE_FRAME_MAX];
	} frame;
	struct scene scene;

	begin(&scene);
	frame.header = (struct wire_header){.version = WIRE_VERSION, .size = WIRE_FRAME_MAX};
	CHECK_INT(send(scene.peer, &frame, WIRE_FRAME_MAX + 1, MSG_DONTWAIT), WIRE_FRAME_MAX + 1);
	run(&scene);
	CHECK_INT(scene.n_received, 0);
	CHECK_INT(scene.n_closed, 1);
	CHECK_INT(scene.reason, -EPROTO);
	end(&scene);
}

TEST(channel_gives_up_a_peer_that_sends_too_many_descriptors_and_keeps_none)
{
	struct scene scene;
	int before, fds[WIRE_FDS_MAX + 1] = {0};

	begin(&scene);
	before = count_fds();
	peer_send(&scene, 1, "", fds, WIRE_FDS_MAX + 1);
	run(&scene);
	CHECK_INT(scene.n_received, 0);
	CHECK_INT(scene.n_closed, 1);
	CHECK_INT(scene.reason, -EPROTO);
	CHECK_INT(count_fds(), before);
	end(&scene);
}

TEST(channel_gives_up_when_the_receiver_says_that_the_protocol_is_broken)
{
	struct scene scene;

	begin(&scene);
	scene.answer = -EPROTO;
	peer_send(&scene, 1, "", NULL, 0);
	peer_send(&scene, 2, "", NULL, 0);
	run(&scene);
	run(&scene);
	CHECK_INT(scene.n_received, 1);
	CHECK_INT(scene.n_closed, 1);
	CHECK_INT(scene.reason, -EPROTO);
	end(&scene);
}

TEST(channel_tells_an_orderly_end_after_what_was_sent_before)
{
	struct scene scene;

	begin(&scene);
	peer_send(&scene, 1, "last", NULL, 0);
	close(scene.peer);
	scene.peer = -1;
	run(&scene);
	run(&scene);
	CHECK_INT(scene.n_received, 1);
	CHECK_INT(scene.n_closed, 1);
	CHECK_INT(scene.reason, 0);
	end(&scene);
}

TEST(channel_may_be_freed_while_it_receives)
{
	struct scene scene;
	int before = count_fds();

	begin(&scene);
	scene.free_on_message = true;
	peer_send(&scene, 1, "", (int[]){0}, 1);
	peer_send(&scene, 2, "", (int[]){0}, 1);
	run(&scene);
	run(&scene);
	CHECK(scene.channel == NULL);
	CHECK_INT(scene.n_received, 1);
	CHECK_INT(scene.n_closed, 0);
	end(&scene);
	CHECK_INT(count_fds(), before);
}

TEST(channel_may_be_freed_while_it_is_closed)
{
	struct scene scene;

	begin(&scene);
	scene.free_on_close = true;
	close(scene.peer);
	scene.peer = -1;
	run(&scene);
	CHECK(scene.channel == NULL);
	CHECK_INT(scene.n_closed, 1);
	end(&scene);
	CHECK(channel_free(NULL) == NULL);
}

/* Sends until the socket is full and `n_queued` messages wait; returns how many were sent in all.
 */
static uint64_t fill(struct scene *scene, size_t n_queued)
{
	static char tail[60000];
	uint64_t n = 0;
	int space, size = (int)sizeof(space);

	/* The socket's own limit says when it is full; twice that is surely more. */
	CHECK_INT(getsockopt(channel_fd(scene->channel), SOL_SOCKET, SO_SNDBUF, &space,
			  (socklen_t *)&size),
		0);
	for (; n < (uint64_t)space / sizeof(tail) + n_queued + 1; n++)
		CHECK_INT(channel_send(scene->channel, 1, n, NULL, 0, tail, sizeof(tail), NULL, 0),
			0);
	return n;
}

/* Receives until nothing is left; the cookies must count on from `next`. Returns the next one. */
static uint64_t drain(struct scene *scene, uint64_t next, uint64_t n)
{
	for (int round = 0; round < 1000 && next < n; round++) {
		uint64_t cookie;

		while ((cookie = peer_receive(scene, NULL)) != UINT64_MAX)
			CHECK_INT(cookie, next++);
		run(scene);
	}
	return next;
}

TEST(channel_queues_what_the_socket_does_not_take_and_keeps_the_order)
{
	struct scene scene;
	uint64_t start_ns;

	begin(&scene);
	/* Twice, because a queue that was emptied must take up again where it was. */
	for (int i = 0; i < 2; i++) {
		uint64_t n = fill(&scene, 20);

		/* The socket has room again, but those that wait come first. */
		for (uint64_t next = 0; next < 3; next++)
			CHECK_INT(peer_receive(&scene, NULL), next);
		CHECK_INT(channel_send(scene.channel, 1, n++, NULL, 0, NULL, 0, NULL, 0), 0);
		CHECK_INT(drain(&scene, 3, n), n);
		CHECK_INT(channel_send(scene.channel, 1, n, NULL, 0, NULL, 0, NULL, 0), 0);
		CHECK_INT(peer_receive(&scene, NULL), n);
	}
	CHECK_INT(scene.n_closed, 0);
	/* With nothing left to send, a socket that has room does not wake the loop. */
	start_ns = clock_monotonic_ns();
	CHECK_INT(loop_run_once(scene.loop, 5), 0);
	CHECK(clock_monotonic_ns() - start_ns >= 4 * NS_PER_MS);
	end(&scene);
}

TEST(channel_keeps_descriptors_of_queued_messages)
{
	struct scene scene;
	struct stat sent, got = {0};
	int pipe_fds[2], fd = -1, before = count_fds();
	uint64_t n, cookie;

	begin(&scene);
	CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
	CHECK_INT(fstat(pipe_fds[1], &sent), 0);
	n = fill(&scene, 4);
	CHECK_INT(channel_send(scene.channel, 1, n, NULL, 0, NULL, 0, &pipe_fds[1], 1), 0);
	/* Borrowed: the sender closes its own at once. */
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	for (int round = 0; round < 1000 && fd < 0; round++) {
		while (fd < 0 && (cookie = peer_receive(&scene, &fd)) != UINT64_MAX)
			CHECK(fd < 0 || cookie == n);
		run(&scene);
	}
	CHECK_INT(fstat(fd, &got), 0);
	CHECK_INT(got.st_ino, sent.st_ino);
	close(fd);
	end(&scene);
	CHECK_INT(count_fds(), before);
}

TEST(channel_freed_with_a_queue_closes_the_descriptors_in_it)
{
	struct scene scene;
	int before = count_fds();

	begin(&scene);
	fill(&scene, 4);
	CHECK_INT(channel_send(scene.channel, 1, 0, NULL, 0, NULL, 0, (int[]){0, 1}, 2), 0);
	end(&scene);
	CHECK_INT(count_fds(), before);
}

TEST(channel_queue_has_a_limit)
{
	static char tail[100000];
	struct scene scene;
	int r = 0, n;

	begin(&scene);
	for (n = 0; n < 1000 && r == 0; n++)
		r = channel_send(scene.channel, 1, 0, NULL, 0, tail, sizeof(tail), NULL, 0);
	CHECK_INT(r, -ENOBUFS);
	CHECK(n > 50);
	end(&scene);
}
