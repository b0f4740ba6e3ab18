/* What the two filters together answer, for every number that has a name and every profile. The
 * rows are in tests/unit/confine: "NAME answer", by name, so that they are the same for all
 * processors. A call that one profile has and its file has not is a difference, and the other way
 * round. */
#include "tests/harness/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/fd.h"
#include "supervisor/confine/sandbox-filter.h"
#include "tests/harness/filter.h"

static const char *const profiles[] = {"strict", "default", "debug"};

static const char *describe(uint32_t answer)
{
	if (answer == SECCOMP_RET_ALLOW)
		return "allowed";
	if (answer == SECCOMP_RET_ERRNO)
		return "faked";
	CHECK_INT(answer & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
	return strerrorname_np((int)(answer & SECCOMP_RET_DATA));
}

static struct program first_filter(void)
{
	struct program program;

	CHECK_INT(confine_sandbox_filter(&program.code, &program.n, NULL), 0);
	return program;
}

static struct program second_filter(const struct confine_calls *calls)
{
	struct program program;
	struct failure why = {0};

	if (confine_policy_filter(calls, &program.code, &program.n, &why) < 0)
		CHECK_FAIL("%s", why.sentence);
	return program;
}

static uint32_t answer_to(const struct confine_calls *calls, const char *name)
{
	struct program first = first_filter(), second = second_filter(calls);
	struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = -1};
	char each[CONFINE_CALL_NAME_SIZE];
	uint32_t answer;

	for (unsigned int number = 0; number < CONFINE_NUMBERS_MAX && data.nr < 0; number++)
		if (confine_call_name(number, each) && strcmp(each, name) == 0)
			data.nr = (int)number;
	CHECK(data.nr >= 0);
	answer = filter_run_both(&first, &second, &data);
	free(first.code);
	free(second.code);
	return answer;
}

/* Answers with null arguments, which is what tests/probe/syscalls asks a sandbox too. */
static char *describe_profile(enum confine_level profile)
{
	const struct confine_calls calls = {.profile = profile};
	struct program first = first_filter(), second = second_filter(&calls);
	char name[CONFINE_CALL_NAME_SIZE], *text = calloc(CONFINE_NUMBERS_MAX, 48);

	CHECK(text != NULL);
	for (unsigned int number = 0; number < CONFINE_NUMBERS_MAX; number++) {
		const struct seccomp_data data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64};

		if (confine_call_name(number, name))
			sprintf(text + strlen(text), "%s %s\n", name,
				describe(filter_run_both(&first, &second, &data)));
	}
	free(first.code);
	free(second.code);
	return text;
}

/* A newer libseccomp has more names; those of the file must be there, with their answers. */
static void check_profile(enum confine_level profile)
{
	char path[64], row[64], *expected = NULL, *text = describe_profile(profile), *line, *next;
	size_t size, n = 0;

	snprintf(path, sizeof(path), "tests/unit/confine/%s.expect", profiles[profile]);
	if (getenv("CLOCHE_TEST_REWRITE")) {
		FILE *file = fopen(path, "w");

		CHECK(file != NULL);
		fputs(text, file);
		fclose(file);
	}
	CHECK_INT(fd_read_file_at(AT_FDCWD, path, 1 << 20, &expected, &size), 0);
	for (line = expected; *line; line = next, n++) {
		next = strchr(line, '\n');
		CHECK(next != NULL);
		snprintf(row, sizeof(row), "%.*s", (int)(++next - line), line);
		if (strncmp(text, row, strlen(row)) != 0 && !strstr(text, row))
			CHECK_FAIL("%s: no row %s", profiles[profile], row);
	}
	CHECK(n > 340);
	free(expected);
	free(text);
}

TEST(each_profile_answers_every_call_as_its_file_says)
{
#if defined(__x86_64__)
	check_profile(CONFINE_STRICT);
	check_profile(CONFINE_DEFAULT);
	check_profile(CONFINE_DEBUG);
#else
	check_skip("the rows are for x86-64");
#endif
}

TEST(a_profile_contains_the_narrower_ones)
{
	struct program first = first_filter(), filters[3];
	size_t n_allowed[3] = {0};

	for (unsigned int i = 0; i < 3; i++)
		filters[i] = second_filter(&(struct confine_calls){.profile = i});
	for (unsigned int number = 0; number < CONFINE_NUMBERS_MAX; number++) {
		const struct seccomp_data data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64};
		bool allowed[3];

		for (unsigned int i = 0; i < 3; i++) {
			allowed[i] =
				filter_run_both(&first, &filters[i], &data) == SECCOMP_RET_ALLOW;
			n_allowed[i] += allowed[i];
		}
		CHECK(!allowed[0] || allowed[1]);
		CHECK(!allowed[1] || allowed[2]);
	}
	CHECK(n_allowed[0] + 50 < n_allowed[1]);
	CHECK_INT(n_allowed[2], n_allowed[1] + 3);
	for (unsigned int i = 0; i < 3; i++)
		free(filters[i].code);
	free(first.code);
}

TEST(what_is_never_open_stays_closed_whatever_a_policy_says)
{
	static const char *const never[] = {"bpf", "mount", "setns", "unshare", "io_uring_setup",
		"userfaultfd", "keyctl", "perf_event_open", "open_by_handle_at", "kexec_load",
		"init_module", "clone3", "pidfd_getfd", "kcmp"};

	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		char allowed[1][CONFINE_CALL_NAME_SIZE];
		struct confine_calls calls = {.profile = CONFINE_DEBUG,
			.allowed = (const char(*)[CONFINE_CALL_NAME_SIZE])allowed,
			.n_allowed = 1};
		struct program program = {0};
		struct failure why = {0};

		snprintf(allowed[0], sizeof(allowed[0]), "%s", never[i]);
		CHECK_INT(confine_call_level(never[i]), CONFINE_NEVER);
		CHECK_INT(confine_policy_filter(&calls, &program.code, &program.n, &why), -EINVAL);
		CHECK(strstr(why.sentence, "is never allowed in a sandbox") != NULL);
		/* And were the second filter to let it pass, the first would not. */
		calls.n_allowed = 0;
		CHECK(answer_to(&calls, never[i]) != SECCOMP_RET_ALLOW);
	}
}

TEST(a_policy_opens_what_its_profile_closes_and_closes_what_it_opens)
{
	static const char tee[][CONFINE_CALL_NAME_SIZE] = {"tee"};
	static const char both[][CONFINE_CALL_NAME_SIZE] = {"execveat", "ptrace"};
	static const char mkdir[][CONFINE_CALL_NAME_SIZE] = {"mkdir"};
	struct confine_calls calls = {.profile = CONFINE_DEFAULT};

	CHECK_INT(answer_to(&calls, "tee"), SECCOMP_RET_ERRNO | ENOSYS);
	CHECK_INT(answer_to(&calls, "mkdir"), SECCOMP_RET_ALLOW);
	calls = (struct confine_calls){CONFINE_DEFAULT, tee, 1, mkdir, 1, NULL, 0};
	CHECK_INT(answer_to(&calls, "tee"), SECCOMP_RET_ALLOW);
	CHECK_INT(answer_to(&calls, "mkdir"), SECCOMP_RET_ERRNO | EPERM);
	calls = (struct confine_calls){CONFINE_STRICT, both, 2, NULL, 0, NULL, 0};
	CHECK_INT(answer_to(&calls, "execveat"), SECCOMP_RET_ALLOW);
	CHECK_INT(answer_to(&calls, "ptrace"), SECCOMP_RET_ALLOW);
	CHECK_INT(answer_to(&calls, "process_vm_readv"), SECCOMP_RET_ERRNO | EPERM);
	/* Denied counts. */
	calls = (struct confine_calls){CONFINE_DEBUG, both, 2, both, 2, NULL, 0};
	CHECK_INT(answer_to(&calls, "ptrace"), SECCOMP_RET_ERRNO | EPERM);
	/* A call that pretends to succeed can be denied too. */
	calls = (struct confine_calls){CONFINE_DEFAULT, NULL, 0, NULL, 0, NULL, 0};
	CHECK_INT(answer_to(&calls, "sync"), SECCOMP_RET_ERRNO);
}

TEST(what_is_open_has_a_name_and_can_be_denied)
{
	const struct confine_calls debug = {.profile = CONFINE_DEBUG};
	struct program first = first_filter(), second = second_filter(&debug);
	char name[CONFINE_CALL_NAME_SIZE];

	for (unsigned int number = 0; number < CONFINE_NUMBERS_MAX; number++) {
		const struct seccomp_data data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64};

		if (filter_run_both(&first, &second, &data) != SECCOMP_RET_ALLOW)
			continue;
		if (!confine_call_name(number, name))
			CHECK_FAIL("system call %u is open and has no name", number);
		CHECK_INT(confine_call_number(name), number);
	}
	free(first.code);
	free(second.code);
	for (size_t i = 0; i < 2; i++) {
		static const char removexattrat[][CONFINE_CALL_NAME_SIZE] = {"removexattrat"};
		const struct confine_calls calls = {
			.profile = CONFINE_DEFAULT, .denied = removexattrat, .n_denied = i};

		CHECK_INT(answer_to(&calls, "removexattrat"),
			i ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW);
	}
}
