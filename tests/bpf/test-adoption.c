/* A supervisor that dies and comes back: enforcement goes on without it, the successor takes over
 * what fits and replaces what does not, and in between nothing opens. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/abi/meta.h"
#include "supervisor/base/clock.h"
#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox, const char *name)
{
	struct policy_image image;

	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, name, &image, true);
}

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)scene;
	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

static void check_judged(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	CHECK_INT(kernel_sandbox_run(scene, sandbox, act_connect, "203.0.113.8"), EPERM);
	CHECK_INT(kernel_sandbox_run(scene, sandbox, act_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
}

/* The path of `name` in the set in force; there must be exactly one set. */
static void find_pin(struct kernel_scene *scene, const char *name, char *ret_path, size_t size)
{
	DIR *directory = opendir(scene->pins);
	const struct dirent *entry;
	int n = 0;

	CHECK(directory);
	while ((entry = readdir(directory))) {
		if (strncmp(entry->d_name, "set-", 4) != 0)
			continue;
		n++;
		snprintf(ret_path, size, "%s/%s/%s", scene->pins, entry->d_name, name);
	}
	closedir(directory);
	CHECK_INT(n, 1);
}

static int open_pin(struct kernel_scene *scene, const char *name)
{
	char path[512];
	int fd;

	find_pin(scene, name, path, sizeof(path));
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	return fd;
}

static size_t count_exact(struct kernel_scene *scene, uint32_t image)
{
	int fd = open_pin(scene, "exact");
	struct abi_exact_key key, *before = NULL;
	size_t n = 0;

	while (bpf_map_get_next_key(fd, before, &key) == 0) {
		n += key.image == image;
		before = &key;
	}
	close(fd);
	return n;
}

TEST(enforcement_goes_on_without_a_supervisor_and_is_adopted)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct policy_image image;
	uint32_t slot, index, generation;

	make(scene, &sandbox, "adopt");
	scene->enforce = enforce_free(scene->enforce);
	check_judged(scene, &sandbox);
	CHECK(kernel_scene_reopen(scene));
	check_judged(scene, &sandbox);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), 0);
	CHECK_INT(slot, sandbox.slot);
	/* The same policy is the same image, already in force: no gap, no second copy. */
	row_image(ROW_IMAGE_A, &image);
	CHECK_INT(enforce_image_take(scene->enforce,
			  "adoptfffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			  &image, &index),
		0);
	CHECK_INT(index, sandbox.image);
	CHECK_INT(count_exact(scene, index), 2);
	CHECK_INT(enforce_slot_sweep(scene->enforce), 0);
	check_judged(scene, &sandbox);
	CHECK_INT(enforce_slot_bind(scene->enforce, slot, sandbox.tenant, scene->gate_port, index,
			  &generation),
		0);
	CHECK_INT(generation, sandbox.generation + 1);
	check_judged(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(what_happened_meanwhile_is_read_afterwards)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;
	uint32_t slot;

	make(scene, &sandbox, "meanwhile");
	kernel_scene_events(scene);
	scene->enforce = enforce_free(scene->enforce);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.8"), EPERM);
	CHECK(kernel_scene_reopen(scene));
	kernel_scene_events(scene);
	CHECK(kernel_scene_network_event(scene));
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, slot, &counters), 0);
	CHECK_INT(counters.connections_denied, 1);
	enforce_slot_sweep(scene->enforce);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(adopts_only_the_sandbox_that_has_the_slot)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox, bare;
	uint32_t slot;

	make(scene, &sandbox, "only");
	kernel_sandbox_make_bare(scene, &bare);
	CHECK(kernel_scene_reopen(scene));
	CHECK_INT(enforce_slot_adopt(scene->enforce, bare.cgroup_id, bare.id, &slot), -ENOENT);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, bare.id, &slot), -ESTALE);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, 0, &slot), -ESTALE);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), 0);
	CHECK_INT(
		enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), -ESTALE);
	enforce_slot_sweep(scene->enforce);
	kernel_sandbox_end(scene, &bare);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_sweep_closes_what_nobody_adopted)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox kept, lost;
	struct policy_image none = {0};
	uint64_t due_ns;
	uint32_t slot, other;

	make(scene, &kept, "kept");
	make(scene, &lost, "lost");
	CHECK(kept.image != lost.image);
	CHECK(kernel_scene_reopen(scene));
	CHECK_INT(enforce_slot_adopt(scene->enforce, kept.cgroup_id, kept.id, &slot), 0);
	CHECK_INT(enforce_slot_sweep(scene->enforce), 1);
	CHECK_INT(enforce_slot_sweep(scene->enforce), 0);
	CHECK_INT(kernel_sandbox_run(scene, &lost, act_connect, "203.0.113.7"), EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &lost, act_connect, "127.0.0.1"), EPERM);
	/* Images that nobody took again are emptied after their rest; nothing but time ends it. */
	due_ns = clock_monotonic_ns() + 5 * NS_PER_SECOND;
	while (count_exact(scene, lost.image) > 0 && clock_monotonic_ns() < due_ns) {
		poll(NULL, 0, 50);
		kernel_scene_events(scene);
	}
	CHECK_INT(count_exact(scene, lost.image), 0);
	CHECK_INT(kernel_sandbox_run(scene, &kept, act_connect, "203.0.113.7"), EPERM);
	/* Its number is free again for another. */
	CHECK_INT(enforce_image_take(scene->enforce,
			  "otherfffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", &none,
			  &other),
		0);
	CHECK(other <= lost.image);
	enforce_image_release(scene->enforce, other);
	kept.image = lost.image = 0;
	lost.slot = UINT32_MAX;
	kernel_sandbox_end(scene, &kept);
	kernel_sandbox_end(scene, &lost);
}

/* A set that another version made is not understood: it goes, and its sandboxes are nobody's. */
TEST(a_set_of_another_version_is_replaced_and_denies)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	const uint32_t zero = 0;
	struct abi_meta meta;
	uint32_t slot;
	int fd;

	make(scene, &sandbox, "version");
	fd = open_pin(scene, "meta");
	CHECK_INT(bpf_map_lookup_elem(fd, &zero, &meta), 0);
	meta.version++;
	CHECK_INT(bpf_map_update_elem(fd, &zero, &meta, BPF_ANY), 0);
	close(fd);
	CHECK(!kernel_scene_reopen(scene));
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), EPERM);
	CHECK_INT(
		enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), -ENOENT);
	sandbox.slot = UINT32_MAX;
	sandbox.image = 0;
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_set_with_a_link_missing_is_replaced)
{
	struct kernel_scene *scene = kernel_scene();
	char path[512];
	struct stat info;

	find_pin(scene, "link-cloche_connect6", path, sizeof(path));
	CHECK_INT(unlink(path), 0);
	CHECK(!kernel_scene_reopen(scene));
	CHECK_INT(stat(path, &info), 0);
	CHECK(kernel_scene_reopen(scene));
}

#define DETACH_TRIES 50

/* Connects without waiting for longer than half a second; returns 0, errno, or ETIMEDOUT. */
static int act_connect_soon(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	struct pollfd waiting = {
		.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};

	(void)scene;
	if (connect(waiting.fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS)
		return errno;
	return poll(&waiting, 1, 500) == 1 ? 0 : ETIMEDOUT;
}

/* As when there is no memory for the flow: what the gate could not place must not reach it. */
TEST(a_connection_that_was_not_published_never_leaves)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char path[512];
	int r = 0;

	make(scene, &sandbox, "publish");
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect_soon, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	find_pin(scene, "link-cloche_sockops", path, sizeof(path));
	CHECK_INT(unlink(path), 0);
	/* The kernel detaches a link whose last reference goes from a work queue: maybe a moment
	 * later (bpf_link_put(), kernel/bpf/syscall.c). */
	for (int i = 0; i < DETACH_TRIES && r == 0; i++) {
		kernel_scene_drain(scene);
		r = kernel_sandbox_run(scene, &sandbox, act_connect_soon, "203.0.113.7");
	}
	CHECK_INT(r, ETIMEDOUT);
	CHECK_INT(accept(scene->gate_fd, NULL, NULL), -1);
	kernel_sandbox_end(scene, &sandbox);
	CHECK(!kernel_scene_reopen(scene));
}

TEST(an_older_set_beside_it_goes_only_after_the_new_one_is_whole)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char path[512], older[512];

	make(scene, &sandbox, "older");
	find_pin(scene, "", path, sizeof(path));
	path[strlen(path) - 1] = '\0';
	snprintf(older, sizeof(older), "%s/set-0-older", scene->pins);
	CHECK_INT(rename(path, older), 0);
	/* Two sets are attached now and both must allow; the older one is taken down. */
	CHECK(!kernel_scene_reopen(scene));
	find_pin(scene, "", path, sizeof(path));
	CHECK_INT(access(older, F_OK), -1);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), EPERM);
	CHECK_INT(
		enforce_slot_take(scene->enforce, sandbox.cgroup_id, sandbox.id, &sandbox.slot), 0);
	sandbox.image = 0;
	{
		struct policy_image image;

		row_image(ROW_IMAGE_A, &image);
		kernel_sandbox_bind(scene, &sandbox, "older", &image, true);
	}
	check_judged(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(says_what_is_wrong_with_its_directories)
{
	struct kernel_scene *scene = kernel_scene();
	const struct enforce_config no_bpffs = {"/tmp/cloche-test-no-bpffs", scene->cgroup};
	const struct enforce_config no_cgroup = {scene->pins, "/tmp"};
	const struct enforce_config absent = {scene->pins, "/sys/fs/cgroup/cloche-test-absent"};
	struct enforce *enforce = NULL;
	struct failure why = {0};
	bool adopted;

	CHECK_INT(enforce_open(&no_bpffs, &enforce, &adopted, &why), -EINVAL);
	CHECK(strstr(why.sentence, "is not on a bpffs"));
	CHECK_INT(access(no_bpffs.pin_dir, F_OK), -1);
	CHECK_INT(enforce_open(&no_cgroup, &enforce, &adopted, &why), -EINVAL);
	CHECK(strstr(why.sentence, "cgroup v2"));
	CHECK_INT(enforce_open(&absent, &enforce, &adopted, &why), -ENOENT);
	CHECK(!enforce);
	/* What was in force still is. */
	CHECK(kernel_scene_reopen(scene));
}

/* bpffs refuses dots in its own names, and only there. */
TEST(a_dot_in_the_path_is_fine_and_one_in_a_pins_name_is_refused)
{
	struct kernel_scene *scene = kernel_scene();
	char directory[] = "/tmp/cloche-test-d.t-XXXXXX", cgroup[128], pins[64], dotted[64];
	const struct enforce_config good = {pins, cgroup}, bad = {dotted, cgroup};
	struct enforce *enforce = NULL;
	struct failure why = {0};
	bool adopted;

	CHECK(mkdtemp(directory));
	CHECK_INT(mount("bpf", directory, "bpf", 0, "mode=0700"), 0);
	snprintf(cgroup, sizeof(cgroup), "%.100s/dots", scene->cgroup);
	CHECK_INT(mkdir(cgroup, 0755), 0);
	snprintf(pins, sizeof(pins), "%s/cloche", directory);
	snprintf(dotted, sizeof(dotted), "%s/clo.che", directory);
	for (int i = 0; i < 2; i++) {
		if (enforce_open(&good, &enforce, &adopted, &why) < 0)
			CHECK_FAIL("%s: %s", why.stage, why.sentence);
		CHECK_INT(adopted, i == 1);
		if (i == 1)
			CHECK_INT(enforce_remove(enforce), 0);
		enforce_free(enforce);
	}
	enforce = NULL;
	CHECK_INT(enforce_open(&bad, &enforce, &adopted, &why), -EINVAL);
	CHECK(strstr(why.sentence, "has no dot"));
	CHECK(!enforce);
	CHECK_INT(umount(directory), 0);
	CHECK_INT(rmdir(directory), 0);
	CHECK_INT(rmdir(cgroup), 0);
}

TEST(removal_leaves_nothing_and_opens_the_cgroup)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox bare;
	int answer = EPERM;

	kernel_sandbox_make_bare(scene, &bare);
	CHECK_INT(kernel_sandbox_run(scene, &bare, act_connect, "127.0.0.1"), EPERM);
	CHECK_INT(enforce_remove(scene->enforce), 0);
	CHECK_INT(access(scene->pins, F_OK), -1);
	scene->enforce = enforce_free(scene->enforce);
	/* The kernel detaches a link that nobody holds any more from a worker of its own. */
	for (int i = 0; i < 1000 && answer == EPERM; i++)
		answer = kernel_sandbox_run(scene, &bare, act_connect, "127.0.0.1");
	CHECK_INT(answer, ECONNREFUSED);
	CHECK(!kernel_scene_reopen(scene));
	CHECK_INT(kernel_sandbox_run(scene, &bare, act_connect, "127.0.0.1"), EPERM);
	kernel_sandbox_end(scene, &bare);
}
