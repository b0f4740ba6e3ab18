/* Bytes both ways: two socket pairs, with the tunnel between them in this process's loop. */
#include "tests/harness/check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/v1/tunnel.h"
#include "supervisor/base/cleanup.h"

struct scene {
	struct loop *loop;
	struct tunnel *tunnel;
	int ends[2], inner[2]; /* of the client and of the server */
	bool ended;
};

static void on_ended(void *userdata)
{
	struct scene *scene = userdata;

	scene->ended = true;
}

static void begin(struct scene *scene, uint64_t idle_ms)
{
	*scene = (struct scene){0};
	CHECK_INT(loop_new(&scene->loop), 0);
	for (size_t i = 0; i < 2; i++) {
		int pair[2];

		CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		scene->ends[i] = pair[0];
		scene->inner[i] = pair[1];
	}
	CHECK_INT(
		tunnel_new(scene->loop, scene->inner, idle_ms, on_ended, scene, &scene->tunnel), 0);
}

static void finish(struct scene *scene)
{
	tunnel_free(scene->tunnel);
	for (size_t i = 0; i < 2; i++) {
		close(scene->inner[i]);
		if (scene->ends[i] >= 0)
			close(scene->ends[i]);
	}
	loop_free(scene->loop);
}

static void settle(struct scene *scene)
{
	for (size_t i = 0; i < 20; i++)
		CHECK_INT(loop_run_once(scene->loop, 0), 0);
}

static void check_read(int fd, const char *text)
{
	char buffer[64];
	ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	CHECK_INT(got, strlen(text));
	CHECK(memcmp(buffer, text, strlen(text)) == 0);
}

static void check_quiet(int fd)
{
	char byte;

	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

TEST(tunnel_passes_bytes_both_ways)
{
	struct scene scene;

	begin(&scene, 10000);
	CHECK_INT(send(scene.ends[0], "ask", 3, 0), 3);
	CHECK_INT(send(scene.ends[1], "answer", 6, 0), 6);
	settle(&scene);
	check_read(scene.ends[1], "ask");
	check_read(scene.ends[0], "answer");
	CHECK(!scene.ended);
	finish(&scene);
}

TEST(tunnel_passes_first_what_was_read_before_it)
{
	struct scene scene;

	begin(&scene, 10000);
	CHECK_INT(tunnel_put(scene.tunnel, 0, "one", 3), 0);
	CHECK_INT(tunnel_put(scene.tunnel, 1, "two", 3), 0);
	CHECK_INT(send(scene.ends[0], " more", 5, 0), 5);
	settle(&scene);
	check_read(scene.ends[1], "one more");
	check_read(scene.ends[0], "two");
	finish(&scene);
}

TEST(tunnel_passes_on_the_end_of_one_side_and_goes_on)
{
	for (size_t first = 0; first < 2; first++) {
		struct scene scene;
		char byte;

		begin(&scene, 10000);
		CHECK_INT(send(scene.ends[first], "last", 4, 0), 4);
		shutdown(scene.ends[first], SHUT_WR);
		settle(&scene);
		check_read(scene.ends[!first], "last");
		CHECK_INT(recv(scene.ends[!first], &byte, 1, MSG_DONTWAIT), 0);
		CHECK(!scene.ended);
		CHECK_INT(send(scene.ends[!first], "late", 4, 0), 4);
		settle(&scene);
		check_read(scene.ends[first], "late");
		shutdown(scene.ends[!first], SHUT_WR);
		settle(&scene);
		CHECK(scene.ended);
		finish(&scene);
	}
}

/* Sends until nothing goes any more; returns how much went. */
static size_t fill(struct scene *scene, int fd)
{
	static const char block[4096];
	size_t size = 0, before;

	do {
		ssize_t sent;

		before = size;
		while ((sent = send(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
			size += (size_t)sent;
		settle(scene);
	} while (size > before);
	return size;
}

TEST(tunnel_holds_back_who_writes_faster_than_the_other_reads)
{
	static char buffer[1 << 16];
	struct scene scene;
	size_t size, got = 0;

	begin(&scene, 10000);
	size = fill(&scene, scene.ends[0]);
	CHECK(size < 4u << 20);
	/* The other way is free meanwhile. */
	CHECK_INT(send(scene.ends[1], "free", 4, 0), 4);
	settle(&scene);
	check_read(scene.ends[0], "free");
	shutdown(scene.ends[0], SHUT_WR);
	for (;;) {
		ssize_t n = recv(scene.ends[1], buffer, sizeof(buffer), MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		settle(&scene);
	}
	CHECK_INT(got, size);
	finish(&scene);
}

TEST(tunnel_ends_when_a_side_breaks)
{
	for (size_t first = 0; first < 2; first++) {
		struct scene scene;

		begin(&scene, 10000);
		fill(&scene, scene.ends[first]);
		close(steal_fd(&scene.ends[!first]));
		settle(&scene);
		CHECK(scene.ended);
		finish(&scene);
	}
}

TEST(tunnel_ends_when_nothing_passes)
{
	struct scene scene;

	begin(&scene, 30);
	CHECK_INT(send(scene.ends[0], "x", 1, 0), 1);
	while (!scene.ended)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	check_read(scene.ends[1], "x");
	check_quiet(scene.ends[0]);
	finish(&scene);
}

TEST(tunnel_does_not_spin_on_a_side_that_hung_up)
{
	struct scene scene;

	begin(&scene, 10000);
	shutdown(scene.ends[0], SHUT_WR);
	settle(&scene);
	/* The client's half is over, and the server silent: a round has nothing to do. */
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK(!scene.ended);
	close(steal_fd(&scene.ends[0]));
	settle(&scene);
	CHECK_INT(send(scene.ends[1], "to nobody", 9, 0), 9);
	settle(&scene);
	CHECK(scene.ended);
	finish(&scene);
}
