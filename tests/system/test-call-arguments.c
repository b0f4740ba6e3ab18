/* The table of arguments that filters judge, held against the signatures of the kernel that runs:
 * tracefs tells them, in a mount namespace of the test's own. */
#include "tests/harness/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/policy/calls/arguments.h"

#define EVENTS "/sys/kernel/tracing/events/syscalls"

/* As the kernel's headers have them. */
static const struct {
	const char *type;
	uint8_t bits;
	bool is_signed;
} types[] = {{"int", 32, true}, {"pid_t", 32, true}, {"unsigned int", 32, false},
	{"unsigned", 32, false}, {"u32", 32, false}, {"uid_t", 32, false}, {"gid_t", 32, false},
	{"umode_t", 16, false}, {"long", 64, true}, {"unsigned long", 64, false},
	{"size_t", 64, false}};

/* "field:unsigned int cmd;" of the argument with this number, without "field:" and the name. */
static bool find_type(const char *format, unsigned int index, char type[64])
{
	const char *at = strstr(format, "__syscall_nr");
	size_t length, name;

	for (unsigned int i = 0; at && i <= index; i++)
		at = strstr(at + 1, "field:");
	if (!at)
		return false;
	at += strlen("field:");
	length = strcspn(at, ";");
	for (name = length; name > 0 && at[name - 1] != ' '; name--)
		;
	snprintf(type, 64, "%.*s", name > 0 ? (int)name - 1 : 0, at);
	return true;
}

/* What is wrong with the row, or nothing. False when the kernel has no such call. */
static bool compare(const struct call_argument *row, char *wrong, size_t size)
{
	char path[128], type[64] = "", *format = NULL;
	size_t n;

	snprintf(path, sizeof(path), EVENTS "/sys_enter_%s/format", row->call);
	if (fd_read_file_at(AT_FDCWD, path, 1 << 16, &format, &n) == -ENOENT)
		return false;
	if (!format || !find_type(format, row->index, type)) {
		snprintf(wrong, size, "%s has no argument %u", row->call, row->index);
		free(format);
		return true;
	}
	free(format);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].type, type) != 0)
			continue;
		/* Of flags it is enough that all that are known are in the bits looked at. */
		if (row->is_flags ? row->bits > types[i].bits ||
					    (types[i].bits == 16) != (row->bits == 16)
				  : row->bits != types[i].bits ||
					    row->is_signed != types[i].is_signed)
			snprintf(wrong, size, "%s has %s as argument %u", row->call, type,
				row->index);
		return true;
	}
	snprintf(wrong, size, "%s has a %s as argument %u", row->call, type, row->index);
	return true;
}

enum { SAME, DIFFERENT, CANNOT_TELL };

static int compare_all(int out)
{
	char wrong[256] = "";
	size_t n = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) < 0 ||
		access(EVENTS, F_OK) < 0)
		return CANNOT_TELL;
	for (size_t i = 0; call_argument_at(i) && !wrong[0]; i++)
		n += compare(call_argument_at(i), wrong, sizeof(wrong));
	if (n < 50 && !wrong[0])
		strcpy(wrong, "hardly any call is there");
	if (wrong[0] && write(out, wrong, strlen(wrong)) < 0)
		return CANNOT_TELL;
	return wrong[0] ? DIFFERENT : SAME;
}

TEST(each_argument_is_as_wide_as_the_kernel_declares_it)
{
	char wrong[256] = "";
	int ends[2], status;
	pid_t child;

	CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(compare_all(ends[1]));
	close(ends[1]);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(read(ends[0], wrong, sizeof(wrong) - 1) >= 0);
	close(ends[0]);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_TELL)
		check_skip("this kernel has no tracefs with system calls");
	if (WEXITSTATUS(status) == DIFFERENT)
		CHECK_FAIL("%s", wrong);
}
