/* The audit of system calls: counts, what becomes an event, whose word its values are, and that it
 * costs nobody anything when nobody is audited. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

/* Numbers that a scene's set says something of. */
static const struct {
	long number;
	uint16_t word;
} words[] = {
	{SYS_openat, ABI_AUDIT_CHANGES | ABI_AUDIT_OPENS | ABI_AUDIT_TEXT_AT(0, 1)},
	{SYS_open, ABI_AUDIT_ALWAYS | ABI_AUDIT_OPENS | ABI_AUDIT_TEXT_AT(0, 0)},
	{SYS_renameat2, ABI_AUDIT_ALWAYS | ABI_AUDIT_TEXT_AT(0, 1) | ABI_AUDIT_TEXT_AT(1, 3)},
	{SYS_execve, ABI_AUDIT_FAILURES | ABI_AUDIT_TEXT_AT(0, 0)},
	{SYS_execveat, ABI_AUDIT_EXECUTES | ABI_AUDIT_TEXT_AT(0, 1)},
	{SYS_mmap, ABI_AUDIT_MAPS},
	{SYS_kill, ABI_AUDIT_OTHERS},
	{SYS_connect, ABI_AUDIT_ALWAYS | ABI_AUDIT_SOCKADDR},
	{SYS_setns, ABI_AUDIT_ALWAYS | ABI_AUDIT_SECURITY},
	{SYS_getppid, ABI_AUDIT_REFUSED},
	{SYS_umask, ABI_AUDIT_BY_ARGUMENTS},
};

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct abi_audit_set set = {};
	struct policy_image image;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		set.calls[words[i].number] = words[i].word;
	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "syscalls", &image, false);
	CHECK_INT(enforce_image_set_audit(scene->enforce, ret_sandbox->image, &set), 0);
	CHECK_INT(enforce_audit_begin(scene->enforce, ret_sandbox->slot), 0);
	kernel_scene_events(scene);
}

static struct abi_audited counts_of(
	struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	struct abi_audited counts;

	CHECK_INT(enforce_slot_syscalls(scene->enforce, sandbox->slot, &counts), 0);
	return counts;
}

/* The only event of this number among those taken; NULL if there is none. */
static const struct abi_file_event *event_of(struct kernel_scene *scene, long number)
{
	const struct abi_file_event *found = NULL;

	for (size_t i = 0; i < scene->n_events; i++) {
		const union kernel_event *event = &scene->events[i];

		if ((event->header.type != ABI_EVENT_SYSCALL &&
			    event->header.type != ABI_EVENT_FILE) ||
			event->call.number != number)
			continue;
		CHECK(!found);
		found = &event->file;
	}
	return found;
}

/* A filter of the kind that sandboxes have: `action` for `number`. */
static int refuse_call(long number, unsigned int action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* ---- counts */

static int act_many(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	for (int i = 0; i < 1000; i++)
		syscall(SYS_getpgrp);
	for (int i = 0; i < 70; i++)
		syscall(470 + 7000);
	return kernel_sandbox_wait(fork() ?: (_exit(0), 0));
}

TEST(every_call_is_counted_by_its_number)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;
	struct abi_audited counts;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_many, NULL), 0);
	counts = counts_of(scene, &sandbox);
	CHECK_INT(counts.slot, sandbox.slot);
	CHECK_INT(counts.calls[SYS_getpgrp], 1000);
	CHECK_INT(counts.calls[ABI_SYSCALL_OTHER], 70);
	/* The child leaves clone(2) as well, and is not counted for it. */
	CHECK_INT(counts.calls[SYS_clone], 1);
	CHECK_INT(counts.calls[SYS_wait4], 1);
	CHECK_INT(counts.foreign, 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK(counters.n_syscalls >= 1072 && counters.n_syscalls < 1200);
	CHECK_INT(counters.n_refused, 0);
	kernel_scene_events(scene);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(who_is_not_audited_is_not_counted)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox audited, other;
	struct policy_image image;
	struct abi_counters counters;
	struct abi_audited counts;

	make(scene, &audited);
	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, &other);
	kernel_sandbox_bind(scene, &other, "syscalls", &image, false);
	CHECK_INT(kernel_sandbox_run(scene, &other, act_many, NULL), 0);
	CHECK_INT(act_many(scene, NULL), 0);
	CHECK_INT(enforce_slot_syscalls(scene->enforce, other.slot, &counts), -ENOENT);
	CHECK_INT(enforce_slot_counters(scene->enforce, other.slot, &counters), 0);
	CHECK_INT(counters.n_syscalls, 0);
	CHECK_INT(counts_of(scene, &audited).calls[SYS_getpgrp], 0);
	kernel_scene_events(scene);
	kernel_sandbox_end(scene, &other);
	kernel_sandbox_end(scene, &audited);
}

/* ---- refusals */

static int act_refused(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	if (refuse_call(SYS_getppid, SECCOMP_RET_ERRNO | EPERM))
		return 1;
	return syscall(SYS_getppid) == -1 && errno == EPERM ? 0 : 2;
}

TEST(what_seccomp_refused_is_counted_and_recorded)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;
	struct abi_counters counters;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_refused, NULL), 0);
	CHECK_INT(counts_of(scene, &sandbox).refused[SYS_getppid], 1);
	CHECK_INT(counts_of(scene, &sandbox).calls[SYS_getppid], 1);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.n_refused, 1);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_getppid);
	CHECK(event);
	CHECK_INT(event->call.header.type, ABI_EVENT_SYSCALL);
	CHECK_INT(event->call.header.class, ABI_CLASS_SECURITY);
	CHECK_INT(event->call.result, -EPERM);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_SECCOMP);
	CHECK_INT(event->call.abi, ABI_CALL_NATIVE);
	CHECK_INT(event->call.header.sandbox, sandbox.id);
	CHECK(event->call.header.process.pid_host > 1);
	kernel_sandbox_end(scene, &sandbox);
}

/* The kernel's own refusal of a call that seccomp lets pass. */
static int act_refused_by_kernel(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	return syscall(SYS_setns, -1, 0) == -1 && errno == EBADF ? 0 : 1;
}

TEST(what_the_kernel_refused_is_told_apart)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_refused_by_kernel, NULL), 0);
	CHECK_INT(counts_of(scene, &sandbox).refused[SYS_setns], 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_setns);
	CHECK(event);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_NONE);
	CHECK_INT(event->call.header.class, ABI_CLASS_SECURITY);
	CHECK_INT(event->call.result, -EBADF);
	CHECK_INT((int)event->call.arguments[0], -1);
	kernel_sandbox_end(scene, &sandbox);
}

/* /proc is no file, "nowhere" is not there. */
static int act_execute(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	syscall(SYS_execveat, AT_FDCWD, argument, NULL, NULL, 0);
	return 0;
}

TEST(a_program_that_a_policy_has_not_is_a_denial)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_execute, "/proc"), 0);
	/* By no filter. */
	CHECK_INT(counts_of(scene, &sandbox).refused[SYS_execveat], 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_execveat);
	CHECK(event);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_EXECUTABLE);
	CHECK_INT(event->call.header.class, ABI_CLASS_SECURITY);
	CHECK_INT(event->call.result, -EACCES);
	CHECK_TEXT(event->texts[0], "/proc");
	/* The twin: what is not there was refused by nobody, and is asked for all the time. */
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_execute, "/nowhere"), 0);
	kernel_scene_events(scene);
	CHECK(!event_of(scene, SYS_execveat));
	kernel_sandbox_end(scene, &sandbox);
}

static int act_execute_descriptor(struct kernel_scene *scene, const void *argument)
{
	int fd = open(argument, O_PATH);

	(void)scene;
	syscall(SYS_execveat, fd, "", NULL, NULL, AT_EMPTY_PATH);
	return 0;
}

TEST(a_program_without_a_path_has_the_kernels)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_execute_descriptor, "/etc/passwd"), 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_execveat);
	CHECK(event);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_EXECUTABLE);
	CHECK_TEXT(event->texts[0], "/etc/passwd");
	CHECK_INT(event->call.sources[0], ABI_SOURCE_KERNEL);
	CHECK(event->call.inode);
	kernel_sandbox_end(scene, &sandbox);
}

struct mapping {
	int protection;
	long error;
};

/* /proc is noexec everywhere. */
static int act_map(struct kernel_scene *scene, const void *argument)
{
	const struct mapping *mapping = argument;
	int fd = open("/proc/self/maps", O_RDONLY);
	long r = syscall(SYS_mmap, NULL, 4096, mapping->protection, MAP_PRIVATE, fd, 0);

	(void)scene;
	return r == -1 && errno == mapping->error ? 0 : 1;
}

TEST(code_of_a_file_that_a_policy_has_not_is_a_denial)
{
	struct kernel_scene *scene = kernel_scene();
	const struct mapping code = {PROT_READ | PROT_EXEC, EPERM}, data = {PROT_READ, ENODEV};
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_map, &code), 0);
	CHECK_INT(counts_of(scene, &sandbox).refused[SYS_mmap], 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_mmap);
	CHECK(event);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_EXECUTABLE);
	CHECK_INT(event->call.header.class, ABI_CLASS_SECURITY);
	CHECK_INT(event->call.result, -EPERM);
	CHECK(strstr(event->texts[0], "/maps"));
	CHECK_INT(event->call.sources[0], ABI_SOURCE_KERNEL);
	/* The twin: data is not looked at. */
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_map, &data), 0);
	kernel_scene_events(scene);
	CHECK(!event_of(scene, SYS_mmap));
	kernel_sandbox_end(scene, &sandbox);
}

static int act_maybe_refused(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	syscall(SYS_umask, 022);
	if (refuse_call(SYS_umask, SECCOMP_RET_ERRNO | EPERM))
		return 1;
	return syscall(SYS_umask, 022) == -1 ? 0 : 2;
}

TEST(where_arguments_decide_both_may_have_refused)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_maybe_refused, NULL), 0);
	CHECK_INT(counts_of(scene, &sandbox).calls[SYS_umask], 2);
	CHECK_INT(counts_of(scene, &sandbox).refused[SYS_umask], 1);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_umask);
	CHECK(event);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_EITHER);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_killed(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	if (refuse_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS))
		return 1;
	syscall(SYS_getppid);
	return 2;
}

TEST(who_seccomp_kills_leaves_a_record)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_killed, NULL), -SIGSYS);
	CHECK_INT(counts_of(scene, &sandbox).refused[SYS_getppid], 1);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_getppid);
	CHECK(event);
	CHECK_INT(event->call.refusal, ABI_REFUSAL_KILLED);
	CHECK_INT(event->call.header.class, ABI_CLASS_SECURITY);
	kernel_sandbox_end(scene, &sandbox);
}

/* getpid by int 0x80: number 20 of i386's table, 20 of ours is writev. */
static int act_foreign(struct kernel_scene *scene, const void *argument)
{
	long result;

	(void)scene, (void)argument;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	return result == getpid() ? 0 : 77;
}

TEST(another_abis_calls_are_told_apart)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;
	int r;

	make(scene, &sandbox);
	r = kernel_sandbox_run(scene, &sandbox, act_foreign, NULL);
	if (r != 0) {
		kernel_sandbox_end(scene, &sandbox);
		check_skip("this kernel takes no calls by int 0x80");
	}
	CHECK_INT(counts_of(scene, &sandbox).foreign, 1);
	CHECK_INT(counts_of(scene, &sandbox).calls[SYS_writev], 0);
	kernel_scene_events(scene);
	event = event_of(scene, 20);
	CHECK(event);
	CHECK_INT(event->call.abi, ABI_CALL_COMPAT);
	CHECK_INT(event->call.header.class, ABI_CLASS_SECURITY);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- files */

#define DIRECTORY "/tmp/cloche-test-syscalls"

static int act_open(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	if (mkdir(DIRECTORY, 0700) < 0 || chdir(DIRECTORY) < 0)
		return 1;
	close(open("written", O_WRONLY | O_CREAT, 0600));
	close(open("/etc/passwd", O_RDONLY));
	return 0;
}

static int act_clean(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	unlink(DIRECTORY "/written");
	unlink(DIRECTORY "/renamed");
	rmdir(DIRECTORY);
	return 0;
}

TEST(an_open_that_writes_names_the_file_that_was_opened)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;
	struct stat info;

	make(scene, &sandbox);
	act_clean(scene, NULL);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_open, NULL), 0);
	CHECK_INT(stat(DIRECTORY "/written", &info), 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_openat); /* one: reading is none of its business */
	CHECK(event);
	CHECK_INT(event->call.header.type, ABI_EVENT_FILE);
	CHECK_INT(event->call.header.class, ABI_CLASS_BULK);
	CHECK_TEXT(event->texts[0], DIRECTORY "/written");
	CHECK_INT(event->call.sources[0], ABI_SOURCE_KERNEL);
	CHECK_INT(event->call.inode, info.st_ino);
	CHECK_INT(event->call.writable, 1);
	CHECK_INT(event->call.created, 1);
	CHECK(event->call.result >= 0);
	CHECK_INT(event->call.arguments[2], O_WRONLY | O_CREAT);
	act_clean(scene, NULL);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_fail_to_open(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return open(argument, O_RDONLY) < 0 ? errno : 0;
}

TEST(an_open_that_fails_has_the_users_word_for_it)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_fail_to_open, "/nowhere/at/all"), ENOENT);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_openat);
	CHECK(event);
	CHECK_TEXT(event->texts[0], "/nowhere/at/all");
	CHECK_INT(event->call.sources[0], ABI_SOURCE_USER);
	CHECK_INT(event->call.result, -ENOENT);
	CHECK_INT(event->call.inode, 0);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_rename(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	syscall(SYS_renameat2, AT_FDCWD, "/nowhere/one", AT_FDCWD, "/nowhere/two", 0);
	return errno;
}

TEST(two_names_are_both_recorded)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_rename, NULL), ENOENT);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_renameat2);
	CHECK(event);
	CHECK_TEXT(event->texts[0], "/nowhere/one");
	CHECK_TEXT(event->texts[1], "/nowhere/two");
	CHECK_INT(event->call.sources[1], ABI_SOURCE_USER);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- when */

static int act_exec(struct kernel_scene *scene, const void *argument)
{
	char *const argv[] = {"x", NULL};

	(void)scene;
	execv("/nowhere/program", argv);
	execv(argument, argv);
	return 1;
}

TEST(an_exec_is_recorded_here_only_if_it_failed)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_exec, "/bin/true"), 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_execve);
	CHECK(event);
	CHECK_INT(event->call.result, -ENOENT);
	CHECK_TEXT(event->texts[0], "/nowhere/program");
	CHECK(kernel_scene_event(scene, ABI_EVENT_EXEC));
	CHECK_INT(counts_of(scene, &sandbox).calls[SYS_execve], 2);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_kill(struct kernel_scene *scene, const void *argument)
{
	(void)scene, (void)argument;
	kill(getpid(), 0);
	kill(1, 0);
	return 0;
}

TEST(a_signal_to_itself_is_no_event)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_kill, NULL), 0);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_kill);
	CHECK(event);
	CHECK_INT(event->call.arguments[0], 1);
	CHECK_INT(counts_of(scene, &sandbox).calls[SYS_kill], 2);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_connect_unix(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere/socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)scene, (void)argument;
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

TEST(an_address_is_recorded_as_the_process_gave_it)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_file_event *event;
	struct kernel_sandbox sandbox;
	struct sockaddr_un address;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect_unix, NULL), ENOENT);
	kernel_scene_events(scene);
	event = event_of(scene, SYS_connect);
	CHECK(event);
	CHECK_INT(event->call.is_address, 1);
	CHECK_INT(event->call.sources[0], ABI_SOURCE_USER);
	CHECK_INT(event->call.text_size, sizeof(address));
	memcpy(&address, event->texts[0], sizeof(address));
	CHECK_INT(address.sun_family, AF_UNIX);
	CHECK_TEXT(address.sun_path, "/nowhere/socket");
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- attaching */

static void wait_until_detached(struct kernel_scene *scene)
{
	uint64_t until_ns = clock_monotonic_ns() + 10 * NS_PER_SECOND;

	while (enforce_audit_attached(scene->enforce) && clock_monotonic_ns() < until_ns) {
		poll(NULL, 0, 20);
		kernel_scene_events(scene);
	}
	CHECK(!enforce_audit_attached(scene->enforce));
}

static bool link_is_there(const struct kernel_scene *scene)
{
	char command[256];

	snprintf(command, sizeof(command), "ls %s/set-*/link-cloche_sys_exit >/dev/null 2>&1",
		scene->pins);
	return system(command) == 0;
}

TEST(the_program_is_attached_only_while_somebody_is_audited)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox one, two;

	wait_until_detached(scene);
	CHECK(!link_is_there(scene));
	make(scene, &one);
	make(scene, &two);
	CHECK(enforce_audit_attached(scene->enforce));
	CHECK(link_is_there(scene));
	kernel_sandbox_end(scene, &one);
	kernel_scene_events(scene);
	CHECK(link_is_there(scene));
	kernel_sandbox_end(scene, &two);
	wait_until_detached(scene);
	CHECK(!link_is_there(scene));
}

TEST(a_restart_goes_on_counting)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint32_t slot;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_many, NULL), 0);
	CHECK(kernel_scene_reopen(scene));
	CHECK(enforce_audit_attached(scene->enforce));
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_many, NULL), 0);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), 0);
	CHECK_INT(enforce_audit_begin(scene->enforce, slot), 0);
	CHECK_INT(counts_of(scene, &sandbox).calls[SYS_getpgrp], 2000);
	kernel_scene_events(scene);
	kernel_sandbox_end(scene, &sandbox);
}

/* A sandbox that nobody took back leaves nothing behind. */
TEST(a_sweep_ends_the_audit_of_what_is_gone)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK(kernel_scene_reopen(scene));
	CHECK(enforce_slot_sweep(scene->enforce) >= 1);
	wait_until_detached(scene);
	CHECK(!link_is_there(scene));
	kernel_sandbox_end(scene, &sandbox);
}
