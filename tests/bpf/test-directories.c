/* What a relative path of a system call is relative to, as the kernel tells it: by the facts of the
 * audit set that real policies have. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/core/policies/audit-set.h"
#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

static const char document[] =
	"{\"version\":1,\"name\":\"x\",\"audit\":{\"syscalls\":[\"bind\",\"chdir\",\"execve\","
	"\"execveat\",\"linkat\",\"newfstatat\",\"openat\",\"rename\",\"renameat2\",\"symlink\","
	"\"symlinkat\",\"unlink\",\"unlinkat\"]}}";

#define TREE "/tmp/cloche-test-directories"
#define SUB TREE "/sub"
#define LONG                                                                                       \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnn"

static void remove_tree(void)
{
	rmdir(SUB "/" LONG "/" LONG "/" LONG);
	rmdir(SUB "/" LONG "/" LONG);
	rmdir(SUB "/" LONG);
	unlink(TREE "/script");
	rmdir(SUB);
	rmdir(TREE);
}

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct policy *policy = NULL;
	struct policy_image image;
	struct abi_audit_set set;

	CHECK_INT(policy_parse(document, strlen(document), "x", NULL, &policy, NULL), 0);
	audit_set_make(policy, NULL, 0, &set);
	policy_unref(policy);
	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "directories", &image, false);
	CHECK_INT(enforce_image_set_audit(scene->enforce, ret_sandbox->image, &set), 0);
	CHECK_INT(enforce_audit_begin(scene->enforce, ret_sandbox->slot), 0);
	kernel_scene_events(scene);
	remove_tree();
	CHECK_INT(mkdir(TREE, 0700), 0);
	CHECK_INT(mkdir(SUB, 0700), 0);
}

static void end(struct kernel_scene *scene, struct kernel_sandbox *sandbox)
{
	remove_tree();
	kernel_sandbox_end(scene, sandbox);
}

/* ---- in TREE, with a descriptor of SUB */

static void unlink_relative(int sub _unused_)
{
	syscall(SYS_unlink, "x");
}

static void unlink_nothing(int sub _unused_)
{
	syscall(SYS_unlink, "");
}

static void unlink_from_current(int sub _unused_)
{
	syscall(SYS_unlinkat, AT_FDCWD, "x", 0);
}

static void unlink_from_descriptor(int sub)
{
	syscall(SYS_unlinkat, sub, "./x", 0);
}

static void unlink_absolute(int sub)
{
	syscall(SYS_unlinkat, sub, "/nowhere/x", 0);
}

static void unlink_from_no_descriptor(int sub _unused_)
{
	syscall(SYS_unlinkat, 12345, "x", 0);
}

static void unlink_after_chdir(int sub)
{
	syscall(SYS_unlink, "x");
	syscall(SYS_fchdir, sub);
	syscall(SYS_unlink, "y");
}

static void unlink_from_root(int sub _unused_)
{
	syscall(SYS_chdir, "/");
	syscall(SYS_unlink, "nowhere/x");
}

static void unlink_in_chroot(int sub _unused_)
{
	syscall(SYS_chroot, TREE);
	syscall(SYS_chdir, "/sub");
	syscall(SYS_unlink, "x");
}

static void unlink_in_mount(int sub _unused_)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", SUB, "tmpfs", 0, NULL) < 0 || mkdir(SUB "/in", 0700) < 0)
		return;
	syscall(SYS_chdir, SUB "/in");
	syscall(SYS_unlink, "x");
}

static void unlink_deep(int sub)
{
	syscall(SYS_fchdir, sub);
	for (int i = 0; i < 3; i++)
		if (mkdir(LONG, 0700) < 0 || chdir(LONG) < 0)
			return;
	syscall(SYS_unlink, "x");
}

static void rename_both(int sub)
{
	syscall(SYS_renameat2, sub, "a", AT_FDCWD, "b", 0);
}

static void rename_second(int sub)
{
	syscall(SYS_renameat2, AT_FDCWD, "/nowhere/a", sub, "b", 0);
}

static void rename_first(int sub _unused_)
{
	syscall(SYS_rename, "a", "/nowhere/b");
}

static void rename_absolute(int sub _unused_)
{
	syscall(SYS_rename, "/nowhere/a", "/nowhere/b");
}

static void symlink_relative(int sub _unused_)
{
	syscall(SYS_symlink, "target", "nowhere/link");
}

static void symlink_from_descriptor(int sub)
{
	syscall(SYS_symlinkat, "target", sub, "nowhere/link");
}

static void symlink_absolute(int sub _unused_)
{
	syscall(SYS_symlink, "target", "/nowhere/link");
}

static void stat_descriptor(int sub)
{
	struct stat info;

	syscall(SYS_newfstatat, sub, "", &info, AT_EMPTY_PATH);
}

static void link_descriptor(int sub)
{
	syscall(SYS_linkat, sub, "", AT_FDCWD, "nowhere/x", AT_EMPTY_PATH);
}

static void fail_to_open(int sub)
{
	syscall(SYS_openat, sub, "missing", O_RDONLY);
}

static void fail_to_execute(int sub _unused_)
{
	syscall(SYS_execve, "./missing", NULL, NULL);
}

static void fail_to_execute_at(int sub)
{
	syscall(SYS_execveat, sub, "missing", NULL, NULL, 0);
}

static void go(int sub _unused_)
{
	syscall(SYS_chdir, "sub");
}

static void fail_to_go(int sub _unused_)
{
	syscall(SYS_chdir, "missing");
}

static void bind_to(const char *path, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, path, size);
	bind(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + size));
}

static void bind_relative(int sub _unused_)
{
	bind_to("nowhere/s", 10);
}

static void bind_absolute(int sub _unused_)
{
	bind_to("/nowhere/s", 11);
}

static void bind_abstract(int sub _unused_)
{
	bind_to("\0cloche-test-directories", 24);
}

static const struct example {
	const char *name;
	void (*act)(int sub);
	long number;
	const char *path, *directory, *second, *second_directory; /* NULL: none */
} examples[] = {
	{"unlink", unlink_relative, SYS_unlink, "x", TREE, NULL, NULL},
	{"empty", unlink_nothing, SYS_unlink, "", TREE, NULL, NULL},
	{"AT_FDCWD", unlink_from_current, SYS_unlinkat, "x", TREE, NULL, NULL},
	{"descriptor", unlink_from_descriptor, SYS_unlinkat, "./x", SUB, NULL, NULL},
	{"absolute", unlink_absolute, SYS_unlinkat, "/nowhere/x", NULL, NULL, NULL},
	{"no descriptor", unlink_from_no_descriptor, SYS_unlinkat, "x", NULL, NULL, NULL},
	{"after chdir", unlink_after_chdir, SYS_unlink, "y", SUB, NULL, NULL},
	{"root", unlink_from_root, SYS_unlink, "nowhere/x", "/", NULL, NULL},
	{"chroot", unlink_in_chroot, SYS_unlink, "x", "/sub", NULL, NULL},
	{"mount", unlink_in_mount, SYS_unlink, "x", SUB "/in", NULL, NULL},
	{"rename", rename_both, SYS_renameat2, "a", SUB, "b", TREE},
	{"rename second", rename_second, SYS_renameat2, "/nowhere/a", NULL, "b", SUB},
	{"rename first", rename_first, SYS_rename, "a", TREE, "/nowhere/b", NULL},
	{"rename absolute", rename_absolute, SYS_rename, "/nowhere/a", NULL, "/nowhere/b", NULL},
	{"symlink", symlink_relative, SYS_symlink, "target", NULL, "nowhere/link", TREE},
	{"symlinkat", symlink_from_descriptor, SYS_symlinkat, "target", NULL, "nowhere/link", SUB},
	{"symlink absolute", symlink_absolute, SYS_symlink, "target", NULL, "/nowhere/link", NULL},
	{"stat of a descriptor", stat_descriptor, SYS_newfstatat, "", SUB, NULL, NULL},
	{"link of a descriptor", link_descriptor, SYS_linkat, "", SUB, "nowhere/x", TREE},
	{"open", fail_to_open, SYS_openat, "missing", SUB, NULL, NULL},
	{"execve", fail_to_execute, SYS_execve, "./missing", TREE, NULL, NULL},
	{"execveat", fail_to_execute_at, SYS_execveat, "missing", SUB, NULL, NULL},
	/* The path is the kernel's word: it is where the process is now. */
	{"chdir", go, SYS_chdir, SUB, NULL, NULL, NULL},
	{"chdir that fails", fail_to_go, SYS_chdir, "missing", TREE, NULL, NULL},
};

static int act_example(struct kernel_scene *scene, const void *argument)
{
	const struct example *example = argument;
	int sub;

	(void)scene;
	sub = chdir(TREE) < 0 ? -1 : open("sub", O_PATH | O_DIRECTORY);
	if (sub < 0)
		return 1;
	example->act(sub);
	return 0;
}

/* The last event of this number among those taken; NULL if there is none. */
static const union kernel_event *last_of(const struct kernel_scene *scene, long number)
{
	for (size_t i = scene->n_events; i-- > 0;) {
		const union kernel_event *event = &scene->events[i];

		if ((event->header.type == ABI_EVENT_FILE ||
			    event->header.type == ABI_EVENT_PAIR) &&
			event->call.number == number)
			return event;
	}
	return NULL;
}

static const union kernel_event *event_of(struct kernel_scene *scene,
	const struct kernel_sandbox *sandbox, const struct example *example)
{
	CHECK_INT(kernel_sandbox_run(scene, sandbox, act_example, example), 0);
	kernel_scene_events(scene);
	return last_of(scene, example->number);
}

static void check_words(
	const struct example *example, const char *what, const char *text, const char *expected)
{
	if (strcmp(text, expected ? expected : "") != 0)
		check_fail(__FILE__, __LINE__, "%s: %s is \"%s\"", example->name, what, text);
}

static void check_example(const struct example *example, const union kernel_event *event)
{
	const struct abi_file_event *file = &event->file;
	bool is_pair = example->second && (example->directory || example->second_directory);
	unsigned int expected = example->second      ? ABI_SOURCE_USER
				: example->directory ? ABI_SOURCE_DIRECTORY
						     : ABI_SOURCE_NONE;

	check_words(example, "path", file->texts[0], example->path);
	CHECK_INT(file->call.sources[0], example->number == SYS_chdir && file->call.result == 0
						 ? ABI_SOURCE_KERNEL
						 : ABI_SOURCE_USER);
	if (file->call.sources[1] != expected)
		check_fail(
			__FILE__, __LINE__, "%s: source %d", example->name, file->call.sources[1]);
	CHECK_INT(event->header.type, is_pair ? ABI_EVENT_PAIR : ABI_EVENT_FILE);
	CHECK_INT(event->header.size, is_pair ? sizeof(event->pair) : sizeof(event->file));
	check_words(example, "second text", file->texts[1],
		example->second ? example->second : example->directory);
	if (!is_pair)
		return;
	check_words(example, "directory", event->pair.directories[0], example->directory);
	check_words(
		example, "second directory", event->pair.directories[1], example->second_directory);
}

TEST(a_relative_path_comes_with_its_directory)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const union kernel_event *event = event_of(scene, &sandbox, &examples[i]);

		if (!event)
			check_fail(__FILE__, __LINE__, "%s: no event", examples[i].name);
		check_example(&examples[i], event);
	}
	end(scene, &sandbox);
}

TEST(a_socket_of_a_relative_path_comes_with_its_directory)
{
	static const struct example sockets[] = {
		{"relative", bind_relative, SYS_bind, NULL, TREE, NULL, NULL},
		{"absolute", bind_absolute, SYS_bind, NULL, NULL, NULL, NULL},
		{"abstract", bind_abstract, SYS_bind, NULL, NULL, NULL, NULL},
	};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		const union kernel_event *event = event_of(scene, &sandbox, &sockets[i]);

		CHECK(event);
		CHECK_INT(event->call.is_address, 1);
		check_words(&sockets[i], "directory", event->file.texts[1], sockets[i].directory);
		CHECK_INT(event->call.sources[1],
			sockets[i].directory ? ABI_SOURCE_DIRECTORY : ABI_SOURCE_NONE);
	}
	end(scene, &sandbox);
}

TEST(what_is_left_of_a_long_directory_does_not_begin_with_a_slash)
{
	static const struct example deep = {
		"deep", unlink_deep, SYS_unlink, "x", LONG "/" LONG, NULL, NULL};
	struct kernel_scene *scene = kernel_scene();
	const union kernel_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	event = event_of(scene, &sandbox, &deep);
	CHECK(event);
	check_example(&deep, event);
	end(scene, &sandbox);
}

static int act_script(struct kernel_scene *scene, const void *argument)
{
	char *const argv[] = {"x", NULL};

	(void)scene;
	if (chdir(SUB) < 0)
		return 1;
	execv(argument, argv);
	return 2;
}

TEST(a_script_of_a_relative_path_comes_with_its_directory)
{
	struct kernel_scene *scene = kernel_scene();
	const union kernel_event *event;
	struct kernel_sandbox sandbox;
	int fd;

	make(scene, &sandbox);
	fd = open(TREE "/script", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	CHECK(dprintf(fd, "#!/bin/true\n") > 0);
	close(fd);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_script, "../script"), 0);
	kernel_scene_events(scene);
	event = kernel_scene_event(scene, ABI_EVENT_SCRIPT);
	CHECK(event);
	CHECK_INT(event->header.size, sizeof(event->script));
	CHECK_TEXT(event->exec.script, "../script");
	CHECK_TEXT(event->script.directory, SUB);
	CHECK_TEXT(event->exec.header.process.exe, "/usr/bin/true");
	/* The twin: a whole one needs none. */
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_script, TREE "/script"), 0);
	kernel_scene_events(scene);
	CHECK(!kernel_scene_event(scene, ABI_EVENT_SCRIPT));
	CHECK_TEXT(kernel_scene_event(scene, ABI_EVENT_EXEC)->exec.script, TREE "/script");
	end(scene, &sandbox);
}
