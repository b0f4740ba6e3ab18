/* The cgroup back end of this machine, with processes of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/launch/cgroup/cgroup.h"
#include "tests/harness/check.h"

#define MIB (1024u * 1024)
#define SANDBOX 0x00c0ffee00000001ULL

static struct cgroup_tree *open_tree_at(const char *suffix)
{
	struct cgroup_tree *tree = NULL;
	struct failure why = {0};
	char base[96];

	if (geteuid() != 0)
		check_skip("needs root");
	snprintf(base, sizeof(base), "/cloche-launch-%d%s", getpid(), suffix);
	if (cgroup_tree_open(base, &tree, &why) < 0)
		CHECK_FAIL("%s: %s", why.stage, why.sentence);
	return tree;
}

static void close_tree(struct cgroup_tree *tree)
{
	char path[512];

	snprintf(path, sizeof(path), "%s", cgroup_tree_sandboxes_dir(tree));
	CHECK_INT(cgroup_tree_remove(tree), 0);
	cgroup_tree_free(tree);
	CHECK_INT(access(path, F_OK), -1);
}

/* A process inside the sandbox's cgroups that sleeps, made as the stage does it. */
static pid_t start_inside(const struct cgroup *cgroup, int join_fd)
{
	int fds[2], n = 0, ready[2];
	char byte;
	pid_t pid;

	CHECK_INT(cgroup_open_tasks(cgroup, fds, &n), 0);
	CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		bool good = fd_write_file_at(cgroup->dir_fd, "cgroup.procs", "0") == 0;

		for (int i = 0; i < n; i++)
			good = good && write(fds[i], "0", 1) == 1;
		if (join_fd >= 0)
			good = good && write(join_fd, "0", 1) == 1;
		if (good && write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	for (int i = 0; i < n; i++)
		close(fds[i]);
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void remove_when_empty(struct cgroup *cgroup)
{
	int r = -EBUSY;

	for (int i = 0; i < 2000 && r == -EBUSY; i++) {
		r = cgroup_remove(cgroup);
		if (r == -EBUSY)
			poll(NULL, 0, 1);
	}
	CHECK_INT(r, 0);
}

TEST(a_cgroup_holds_counts_freezes_and_kills)
{
	struct cgroup_tree *tree = open_tree_at("");
	struct cgroup cgroup;
	struct cgroup_usage usage;
	struct failure why;
	struct stat status;
	char state[64] = "";
	pid_t pid;
	int fd;

	CHECK_INT(cgroup_create(tree, SANDBOX, &cgroup, &why), 0);
	CHECK_INT(fstat(cgroup.dir_fd, &status), 0);
	CHECK_INT(cgroup.id, status.st_ino);
	CHECK_INT(cgroup_read_usage(&cgroup, &usage), 0);
	CHECK_INT(usage.n_pids, 0);
	pid = start_inside(&cgroup, -1);
	CHECK_INT(cgroup_read_usage(&cgroup, &usage), 0);
	CHECK_INT(usage.n_pids, 1);
	CHECK_INT(cgroup_remove(&cgroup), -EBUSY);
	CHECK_INT(cgroup_freeze(&cgroup, true), 0);
	fd = openat(cgroup.dir_fd, "cgroup.freeze", O_RDONLY | O_CLOEXEC);
	CHECK(read(fd, state, sizeof(state) - 1) > 0);
	close(fd);
	CHECK_TEXT(state, "1\n");
	CHECK_INT(cgroup_kill(&cgroup), 0); /* also what is frozen */
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	remove_when_empty(&cgroup);
	CHECK_INT(cgroup.dir_fd, -1);
	close_tree(tree);
}

TEST(a_claim_sets_limits_and_survives_a_restart)
{
	const struct cgroup_limits limits = {64 * MIB, 500, 7};
	const struct cgroup_limits narrower = {32 * MIB, 250, 5};
	struct cgroup_tree *tree = open_tree_at("");
	struct cgroup cgroup, adopted;
	struct cgroup_usage usage;
	struct failure why;
	int join_fd = -1, again_fd = -1;
	uint64_t n = 0;
	pid_t pid;

	for (int i = 0; i < 10; i++)
		cgroup_stock_refill(tree);
	CHECK_INT(cgroup_create(tree, SANDBOX, &cgroup, &why), 0);
	CHECK_INT(cgroup_claim(&cgroup, &limits, &join_fd, &why), 0);
	CHECK_INT(join_fd >= 0, cgroup_tree_kind(tree) == CGROUP_HYBRID);
	pid = start_inside(&cgroup, join_fd);
	CHECK_INT(cgroup_read_usage(&cgroup, &usage), 0);
	CHECK_INT(usage.n_pids, 1);
	if (cgroup.memory_fd >= 0) {
		CHECK_INT(fd_read_number_at(cgroup.memory_fd, "memory.limit_in_bytes", &n), 0);
		CHECK_INT(n, 64 * MIB);
		CHECK_INT(fd_read_number_at(cgroup.memory_fd, "memory.kmem.tcp.limit_in_bytes", &n),
			0);
		CHECK_INT(n, 16 * MIB);
	}
	CHECK_INT(cgroup_adopt(tree, SANDBOX, &adopted), 0);
	CHECK_INT(adopted.id, cgroup.id);
	CHECK_INT(adopted.memory_fd >= 0, cgroup.memory_fd >= 0);
	CHECK_INT(cgroup_claim(&adopted, &narrower, &again_fd, &why), 0);
	CHECK_INT(again_fd, -1); /* joined already */
	cgroup_fini(&adopted);
	CHECK_INT(cgroup_adopt(tree, SANDBOX + 1, &adopted), -ENOENT);
	close(join_fd);
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	remove_when_empty(&cgroup);
	close_tree(tree);
}

TEST(the_stock_is_found_again_and_never_grows_past_its_target)
{
	struct cgroup_tree *tree = open_tree_at("");
	struct cgroup_tree *second;
	struct stat first, later;
	char path[256];

	if (cgroup_tree_kind(tree) != CGROUP_HYBRID) {
		close_tree(tree);
		check_skip("only a hybrid host has a stock");
	}
	for (int i = 0; i < 20; i++)
		cgroup_stock_refill(tree);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/memory/cloche-launch-%d/sandboxes", getpid());
	CHECK_INT(stat(path, &first), 0);
	CHECK_INT(first.st_nlink, 2 + 32);
	cgroup_tree_free(tree);
	second = open_tree_at("");
	for (int i = 0; i < 20; i++)
		cgroup_stock_refill(second);
	CHECK_INT(stat(path, &later), 0);
	CHECK_INT(later.st_nlink, 2 + 32);
	close_tree(second);
}

TEST(a_base_may_have_several_components)
{
	struct cgroup_tree *tree = open_tree_at("/inner.service");
	struct cgroup cgroup;
	struct failure why;
	char path[256];
	static const char *const trees[] = {"unified", "pids", "cpu", "memory", ""};

	CHECK(strstr(cgroup_tree_sandboxes_dir(tree), "/inner.service/sandboxes"));
	CHECK_INT(cgroup_create(tree, SANDBOX, &cgroup, &why), 0);
	CHECK_INT(cgroup_create(tree, SANDBOX, &cgroup, &why), -EEXIST);
	CHECK_INT(cgroup_remove(&cgroup), 0);
	close_tree(tree);
	for (size_t i = 0; i < 5;
		i++) { /* the outer one was made by us too, but is not ours to remove */
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/cloche-launch-%d", trees[i],
			getpid());
		rmdir(path);
	}
}

static void count(uint64_t sandbox, void *userdata)
{
	uint64_t *sum = userdata;

	*sum += sandbox;
}

TEST(lists_what_is_there_after_a_restart)
{
	struct cgroup_tree *tree = open_tree_at("");
	struct cgroup first, second;
	struct failure why;
	uint64_t sum = 0;

	CHECK_INT(cgroup_create(tree, 3, &first, &why), 0);
	CHECK_INT(cgroup_create(tree, 4, &second, &why), 0);
	CHECK_INT(mkdirat(first.dir_fd, "sb-nonsense", 0755), 0);
	CHECK_INT(cgroup_tree_each(tree, count, &sum), 0);
	CHECK_INT(sum, 7);
	CHECK_INT(unlinkat(first.dir_fd, "sb-nonsense", AT_REMOVEDIR), 0);
	cgroup_fini(&first);
	cgroup_fini(&second);
	close_tree(tree); /* takes what is empty */
}

TEST(refuses_a_base_that_is_no_path)
{
	static const char *const bad[] = {"", "/", "relative", "/a/../b"};
	struct cgroup_tree *tree;
	struct failure why;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(cgroup_tree_open(bad[i], &tree, &why), -EINVAL);
}
