/* Records: what they say of a process, what exec and exit leave, and that a full ring changes
 * nothing but the count of what was lost. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct policy_image image;

	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "events", &image, true);
	kernel_scene_events(scene);
}

static int connect_to(const char *text)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, 443, &address);
	int fd = socket(address.ss_family, SOCK_STREAM, 0);
	int r = connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;

	close(fd);
	return r;
}

/* As BPF sees it: of its mount. stat(2) tells another one on overlay and btrfs. */
static unsigned int device_of(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), mount = -1, id;
	unsigned int found = 0, major, minor;
	char line[1024];
	FILE *file;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	file = fopen(line, "re");
	CHECK(fd >= 0 && file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "mnt_id: %d", &mount);
	fclose(file);
	close(fd);
	file = fopen("/proc/self/mountinfo", "re");
	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%d %*d %u:%u ", &id, &major, &minor) == 3 && id == mount)
			found = major << 20 | minor;
	fclose(file);
	return found;
}

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return connect_to(argument);
}

/* ---- processes */

static int act_exec(struct kernel_scene *scene, const void *argument)
{
	char *const *argv = (char *const *)argument;

	(void)scene;
	execv(argv[0], argv);
	return errno;
}

TEST(exec_and_exit_are_recorded_with_arguments_and_status)
{
	char *argv[] = {"/bin/sh", "-c", "exit 7", "", "last one", NULL};
	static const char expected[] = "/bin/sh\0-c\0exit 7\0\0last one";
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;
	const struct abi_exec_event *exec;
	const struct abi_exit_event *exit;
	struct stat image;
	char *resolved = realpath("/bin/sh", NULL);
	int pid;

	make(scene, &sandbox);
	CHECK(resolved);
	CHECK_INT(stat(resolved, &image), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_exec, argv);
	CHECK_INT(kernel_sandbox_wait(pid), 7);
	CHECK_INT(kernel_scene_events(scene), 2);
	exec = &kernel_scene_event(scene, ABI_EVENT_EXEC)->exec;
	exit = &kernel_scene_event(scene, ABI_EVENT_EXIT)->exit;
	CHECK(exec && exit);
	CHECK_INT(exec->header.size, sizeof(*exec));
	CHECK_INT(exec->argv_size, sizeof(expected));
	CHECK(memcmp(exec->argv, expected, sizeof(expected)) == 0);
	CHECK_INT(exec->argv_truncated, 0);
	CHECK_INT(exec->header.sandbox, sandbox.id);
	CHECK_INT(exec->header.tenant, sandbox.tenant);
	CHECK_INT(exec->header.process.pid_host, pid);
	CHECK_INT(exec->header.process.pid_inside, pid);
	CHECK_INT(exec->header.process.parent_pid_host, getpid());
	CHECK_INT(exec->header.process.uid_host, 0);
	CHECK_TEXT(exec->header.process.comm, "sh");
	CHECK_TEXT(exec->header.process.exe, resolved);
	CHECK_INT(exec->header.process.exe_inode, image.st_ino);
	CHECK_INT(exec->header.process.exe_device, device_of(resolved));
	CHECK_INT(exit->exit_code, 7);
	CHECK_INT(exit->signal, 0);
	CHECK_INT(exit->oom_killed, 0);
	CHECK_INT(exit->header.process.pid_host, pid);
	CHECK_TEXT(exit->header.process.exe, resolved);
	CHECK_INT(exit->header.process.exe_inode, image.st_ino);
	CHECK_INT(exit->header.process.start_boottime_ns, exec->header.process.start_boottime_ns);
	CHECK(exit->lifetime_ns > 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.execs, 1);
	free(resolved);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(long_arguments_are_cut_and_said_to_be)
{
	static char longest[2000];
	char *argv[] = {"/bin/true", longest, NULL};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	const struct abi_exec_event *exec;

	make(scene, &sandbox);
	memset(longest, 'a', sizeof(longest) - 1);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_exec, argv), 0);
	kernel_scene_events(scene);
	exec = &kernel_scene_event(scene, ABI_EVENT_EXEC)->exec;
	CHECK_INT(exec->argv_truncated, 1);
	CHECK_INT(exec->argv_size, ABI_ARGV_SIZE);
	CHECK_TEXT(exec->argv, "/bin/true");
	CHECK_INT(exec->argv[ABI_ARGV_SIZE - 2], 'a');
	CHECK_INT(exec->argv[ABI_ARGV_SIZE - 1], 0);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(exec_of_a_script_names_it_and_its_interpreter)
{
	char path[] = "/tmp/cloche-script-XXXXXX";
	char *script[] = {path, NULL}, *plain[] = {"/bin/true", NULL};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	const struct abi_exec_event *exec;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK_INT(dprintf(fd, "#!/bin/true -x\n"), 15);
	CHECK_INT(fchmod(fd, 0700), 0);
	close(fd);
	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_exec, script), 0);
	unlink(path);
	kernel_scene_events(scene);
	exec = &kernel_scene_event(scene, ABI_EVENT_EXEC)->exec;
	CHECK_TEXT(exec->script, path);
	CHECK_TEXT(exec->header.process.exe, "/usr/bin/true");
	kernel_sandbox_end(scene, &sandbox);
	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_exec, plain), 0);
	kernel_scene_events(scene);
	CHECK_TEXT(kernel_scene_event(scene, ABI_EVENT_EXEC)->exec.script, "");
	kernel_sandbox_end(scene, &sandbox);
}

static int act_kill_self(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	raise(*(const int *)argument);
	return 0;
}

TEST(death_by_signal_is_recorded_as_one)
{
	const int signal = SIGKILL;
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	const struct abi_exit_event *exit;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_kill_self, &signal), -SIGKILL);
	kernel_scene_events(scene);
	exit = &kernel_scene_event(scene, ABI_EVENT_EXIT)->exit;
	CHECK_INT(exit->signal, SIGKILL);
	CHECK_INT(exit->exit_code, -1);
	kernel_sandbox_end(scene, &sandbox);
}

static void *return_at_once(void *argument)
{
	return argument;
}

static int act_threads(struct kernel_scene *scene, const void *argument)
{
	pthread_t threads[4];

	(void)scene;
	(void)argument;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, return_at_once, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 5;
}

TEST(a_process_with_threads_exits_once)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_threads, NULL), 5);
	CHECK_INT(kernel_scene_events(scene), 1);
	CHECK_INT(scene->events[0].exit.exit_code, 5);
	kernel_sandbox_end(scene, &sandbox);
}

/* With a root and pids of its own, as a sandbox has. */
static int act_exec_enclosed(struct kernel_scene *scene, const void *argument)
{
	int status;
	pid_t pid;

	if (chroot("/usr") < 0 || chdir("/") < 0 || unshare(CLONE_NEWPID) < 0)
		return 200;
	pid = fork();
	if (pid == 0)
		_exit(act_exec(scene, argument));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 201;
}

TEST(path_and_pid_are_those_of_the_inside)
{
	char *argv[] = {"/bin/true", NULL};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	const struct abi_exec_event *exec;

	if (access("/usr/lib64", F_OK) < 0)
		check_skip("/usr is no root that /bin/true runs in here");
	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_exec_enclosed, argv), 0);
	kernel_scene_events(scene);
	exec = &kernel_scene_event(scene, ABI_EVENT_EXEC)->exec;
	CHECK_TEXT(exec->header.process.exe, "/bin/true");
	CHECK_INT(exec->header.process.pid_inside, 1);
	CHECK(exec->header.process.pid_host > 1);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- who connected */

TEST(a_connection_names_its_process)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	const struct abi_network_event *event;
	char self[256] = "";
	int pid;

	make(scene, &sandbox);
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_connect, "203.0.113.8");
	CHECK_INT(kernel_sandbox_wait(pid), EPERM);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->header.process.pid_host, pid);
	CHECK_TEXT(event->header.process.exe, self);
	CHECK(event->header.process.comm[0]);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(nothing_outside_is_recorded)
{
	struct kernel_scene *scene = kernel_scene();
	pid_t pid;

	kernel_scene_events(scene);
	pid = fork();
	if (pid == 0) {
		char *const argv[] = {"/bin/true", NULL};

		connect_to("203.0.113.8");
		execv(argv[0], argv);
		_exit(1);
	}
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	CHECK_INT(kernel_scene_events(scene), 0);
}
