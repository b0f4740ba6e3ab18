/* Block I/O: of threads that ended and of those that live, each byte once, and for one sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"

#define SIZE (8u << 20)
#define STEP (1u << 20)
#define TMPFS 0x01021994
#define RAMFS 0x858458f6
/* What the file system writes of its own on behalf of a writer. */
#define SLACK (SIZE / 16)

/* Beside the program: that is where it was built, so not in memory. */
static int scratch_file(void)
{
	char here[512], path[600];
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);
	struct statfs info;
	int fd;

	CHECK(n > 0);
	here[n] = '\0';
	snprintf(path, sizeof(path), "%s.XXXXXX", here);
	fd = mkostemp(path, O_CLOEXEC | O_DIRECT);
	CHECK(fd >= 0);
	unlink(path);
	CHECK_INT(fstatfs(fd, &info), 0);
	if (info.f_type == TMPFS || info.f_type == RAMFS) {
		close(fd);
		return -1;
	}
	return fd;
}

static int move(int fd, bool write_it)
{
	void *block;
	int r = posix_memalign(&block, 4096, STEP);

	for (size_t at = 0; r == 0 && at < SIZE; at += STEP) {
		ssize_t n = write_it ? pwrite(fd, block, STEP, (off_t)at)
				     : pread(fd, block, STEP, (off_t)at);

		if (n != STEP)
			r = n < 0 ? errno : EIO;
	}
	return r;
}

static int act_write(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return move(*(const int *)argument, true);
}

static int act_read(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return move(*(const int *)argument, false);
}

struct held {
	int file, said, go;
};

static void *read_in_thread(void *argument)
{
	const struct held *held = argument;

	return (void *)(intptr_t)move(held->file, false);
}

/* One thread reads all and ends, the first one reads all again and lives on. */
static int act_hold(struct kernel_scene *scene, const void *argument)
{
	const struct held *held = argument;
	pthread_t thread;
	void *failed;
	char byte = 0;

	(void)scene;
	if (pthread_create(&thread, NULL, read_in_thread, (void *)held) ||
		pthread_join(thread, &failed) || failed || move(held->file, false))
		return 1;
	if (write(held->said, &byte, 1) != 1 || read(held->go, &byte, 1) != 1)
		return 2;
	return 0;
}

static void ask(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	uint64_t *ret_read, uint64_t *ret_written)
{
	CHECK_INT(enforce_slot_block(scene->enforce, sandbox->slot, ret_read, ret_written), 0);
}

TEST(bytes_of_the_dead_are_those_of_the_transfer_and_the_slots_next_sandbox_has_none)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox, other;
	uint64_t read_bytes, written_bytes;
	int fd = scratch_file();

	if (fd < 0)
		check_skip("the build directory lies in memory: there is no block device below it");
	kernel_sandbox_make(scene, &sandbox);
	kernel_sandbox_make(scene, &other);
	ask(scene, &sandbox, &read_bytes, &written_bytes);
	CHECK_INT(read_bytes + written_bytes, 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_write, &fd), 0);
	ask(scene, &sandbox, &read_bytes, &written_bytes);
	CHECK(written_bytes >= SIZE && written_bytes <= SIZE + SLACK);
	CHECK(read_bytes <= SLACK);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_read, &fd), 0);
	ask(scene, &sandbox, &read_bytes, &written_bytes);
	CHECK(read_bytes >= SIZE && read_bytes <= SIZE + SLACK);
	CHECK(written_bytes <= SIZE + SLACK);
	ask(scene, &other, &read_bytes, &written_bytes);
	CHECK_INT(read_bytes + written_bytes, 0);
	CHECK_INT(enforce_slot_reset_counters(scene->enforce, sandbox.slot), 0);
	ask(scene, &sandbox, &read_bytes, &written_bytes);
	CHECK_INT(read_bytes + written_bytes, 0);
	kernel_sandbox_end(scene, &sandbox);
	kernel_sandbox_end(scene, &other);
	close(fd);
}

/* A walk is at most a second old. */
static void await_walk(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	uint64_t *ret_read, uint64_t least)
{
	uint64_t written;

	*ret_read = 0;
	for (int i = 0; i < 500 && *ret_read < least; i++) {
		ask(scene, sandbox, ret_read, &written);
		poll(NULL, 0, 10);
	}
}

TEST(the_living_are_counted_and_not_again_when_they_end_also_over_a_restart)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint64_t alive, ended, written;
	int said[2], go[2], fd = scratch_file(), pid;
	struct held held;
	char byte = 0;

	if (fd < 0)
		check_skip("the build directory lies in memory: there is no block device below it");
	CHECK_INT(move(fd, true), 0);
	CHECK_INT(pipe(said) + pipe(go), 0);
	held = (struct held){fd, said[1], go[0]};
	kernel_sandbox_make(scene, &sandbox);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_hold, &held);
	CHECK_INT(read(said[0], &byte, 1), 1);
	await_walk(scene, &sandbox, &alive, 2 * SIZE);
	CHECK(alive >= 2 * SIZE && alive <= 2 * SIZE + SLACK);
	CHECK(kernel_scene_reopen(scene));
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &sandbox.slot),
		0);
	ask(scene, &sandbox, &ended, &written);
	CHECK(ended >= alive);
	CHECK_INT(write(go[1], &byte, 1), 1);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	ask(scene, &sandbox, &ended, &written);
	CHECK(ended >= alive && ended <= alive + SLACK);
	kernel_sandbox_end(scene, &sandbox);
	close(fd);
}
