/* What a policy's filter makes of rules for arguments, held against what the policy says of the
 * same arguments, and against the kernel. */
#include "tests/harness/check.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/policy/calls/rules.h"
#include "tests/harness/filter.h"

#define ROUNDS 3000
#define ASKED 200 /* calls, of each filter */
#define RULES_MAX 6

static const char *const names[] = {"ioctl", "prctl", "kill", "close"};

static uint64_t random64(unsigned int *seed)
{
	return (uint64_t)rand_r(seed) << 42 ^ (uint64_t)rand_r(seed) << 21 ^ (uint64_t)rand_r(seed);
}

/* Numbers near to edges, and such that differ in one half only. */
static uint64_t choose_number(unsigned int *seed)
{
	static const uint64_t some[] = {0, 1, 2, 0x5412, INT32_MAX, (uint64_t)INT32_MIN, UINT32_MAX,
		UINT64_C(1) << 32, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
	uint64_t number = some[(size_t)rand_r(seed) % ARRAY_SIZE(some)];

	switch (rand_r(seed) % 4) {
	case 0:
		return number;
	case 1:
		return number + (uint64_t)(rand_r(seed) % 3) - 1;
	case 2:
		return number ^ UINT64_C(1) << (rand_r(seed) % 64);
	default:
		return random64(seed);
	}
}

static struct policy_condition choose_condition(unsigned int *seed)
{
	struct policy_condition condition = {.index = (uint8_t)(rand_r(seed) % 6),
		.comparison = (uint8_t)(rand_r(seed) % 4),
		.is_wide = rand_r(seed) % 2,
		.is_signed = rand_r(seed) % 2,
		.value = choose_number(seed)};

	if (condition.comparison <= POLICY_IS_NOT && rand_r(seed) % 2)
		condition.mask = rand_r(seed) % 3 ? choose_number(seed) : 0xf;
	if (!condition.is_wide) {
		condition.mask &= UINT32_MAX;
		condition.value = condition.is_signed ? (uint64_t)(int32_t)condition.value
						      : condition.value & UINT32_MAX;
	}
	if (condition.mask)
		condition.value &= condition.mask;
	return condition;
}

static size_t choose_rules(unsigned int *seed, struct policy_call_rule rules[RULES_MAX])
{
	size_t n = 1 + (size_t)rand_r(seed) % RULES_MAX;

	memset(rules, 0, RULES_MAX * sizeof(*rules));
	for (size_t i = 0; i < n; i++) {
		strcpy(rules[i].name, names[(size_t)rand_r(seed) % ARRAY_SIZE(names)]);
		rules[i].n_conditions = (uint8_t)(1 + rand_r(seed) % 3);
		for (size_t j = 0; j < rules[i].n_conditions; j++)
			rules[i].conditions[j] = choose_condition(seed);
	}
	qsort(rules, n, sizeof(*rules), call_rule_compare);
	return n;
}

/* Half of what is asked is made from what the rules name. */
static void choose_arguments(unsigned int *seed, const struct policy_call_rule *rules, size_t n,
	__u64 arguments[POLICY_CALL_ARGUMENTS])
{
	const struct policy_call_rule *rule = &rules[(size_t)rand_r(seed) % n];

	for (size_t i = 0; i < POLICY_CALL_ARGUMENTS; i++)
		arguments[i] = choose_number(seed);
	for (size_t i = 0; i < rule->n_conditions && rand_r(seed) % 4; i++)
		arguments[rule->conditions[i].index] = rule->conditions[i].value +
						       (uint64_t)(rand_r(seed) % 3) - 1 +
						       ((uint64_t)(rand_r(seed) % 2) << 32);
}

static struct program filter_of(const struct confine_calls *calls)
{
	struct program program;
	struct failure why = {0};

	if (confine_policy_filter(calls, &program.code, &program.n, &why) < 0)
		CHECK_FAIL("%s", why.sentence);
	return program;
}

TEST(filter_and_policy_say_the_same_of_any_arguments)
{
	unsigned int seed = 20;
	size_t n_denied = 0, n_allowed = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct policy_call_rule rules[RULES_MAX];
		size_t n = choose_rules(&seed, rules);
		const struct policy policy = {.call_rules = rules, .n_call_rules = n};
		struct program program = filter_of(&(struct confine_calls){
			.profile = CONFINE_DEFAULT, .rules = rules, .n_rules = n});

		for (int asked = 0; asked < ASKED; asked++) {
			const char *name = names[(size_t)rand_r(&seed) % ARRAY_SIZE(names)];
			struct seccomp_data data = {
				.nr = confine_call_number(name), .arch = AUDIT_ARCH_X86_64};
			uint64_t arguments[POLICY_CALL_ARGUMENTS];
			bool denied;

			choose_arguments(&seed, rules, n, data.args);
			memcpy(arguments, data.args, sizeof(arguments));
			denied = policy_find_call_rule(&policy, name, arguments, 0x3f) != NULL;
			if (filter_run(&program, &data) !=
				(denied ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW))
				CHECK_FAIL("round %d: %s(%llx, %llx, …), denied by the policy: %d",
					round, name, (unsigned long long)data.args[0],
					(unsigned long long)data.args[1], denied);
			n_denied += denied;
			n_allowed += !denied;
		}
		free(program.code);
	}
	CHECK(n_denied > ROUNDS * ASKED / 20 && n_allowed > ROUNDS * ASKED / 20);
}

/* supervisor/policy/calls/fixed.c repeats what sandbox-arguments.c emits. */
TEST(every_sandbox_is_denied_what_the_policy_room_says)
{
	static const char *const judged[] = {"clone", "ioctl", "socket", "socketpair",
		"personality", "mknod", "mknodat", "read"};
	struct program program;
	unsigned int seed = 21;
	size_t n_denied = 0;

	CHECK_INT(confine_sandbox_filter(&program.code, &program.n, NULL), 0);
	for (int round = 0; round < 400000; round++) {
		static const uint64_t near[] = {0, 1, 2, 3, 10, 16, 17, 38, 40, 58, 0x5412, 0x541c,
			0x541d, 0x5423, 0x2000000, 0x10000000, 0x1000, 0x8000, 0xc000, 0x6000, 6,
			0x80003, UINT32_MAX};
		const char *name = judged[(size_t)rand_r(&seed) % ARRAY_SIZE(judged)];
		struct seccomp_data data = {
			.nr = confine_call_number(name), .arch = AUDIT_ARCH_X86_64};
		uint64_t arguments[POLICY_CALL_ARGUMENTS];
		uint32_t answer;
		bool denied;

		for (size_t i = 0; i < POLICY_CALL_ARGUMENTS; i++)
			data.args[i] = rand_r(&seed) % 8
					       ? near[(size_t)rand_r(&seed) % ARRAY_SIZE(near)] |
							 (uint64_t)(rand_r(&seed) % 2) << 32
					       : choose_number(&seed);
		memcpy(arguments, data.args, sizeof(arguments));
		denied = policy_find_fixed_rule(name, arguments, 0x3f) != NULL;
		answer = filter_run(&program, &data);
		if ((answer == SECCOMP_RET_ALLOW) == denied)
			CHECK_FAIL("%s(%llx, %llx, %llx): %x", name,
				(unsigned long long)data.args[0], (unsigned long long)data.args[1],
				(unsigned long long)data.args[2], answer);
		n_denied += denied;
	}
	CHECK(n_denied > 50000 && n_denied < 350000);
	free(program.code);
}

/* ---- in the kernel */

static const struct policy_call_rule some_rules[] = {
	{"ioctl", 1, {{.index = 1, .value = FIONREAD}}, 0},
	{"kill", 1,
		{{.index = 0,
			.comparison = POLICY_AT_MOST,
			.is_signed = true,
			.value = (uint64_t)-2}},
		1},
	{"mmap", 1,
		{{.index = 1, .comparison = POLICY_AT_LEAST, .is_wide = true, .value = 1ULL << 33}},
		2},
	{"socket", 2,
		{{.index = 0, .value = AF_INET}, {.index = 1, .mask = 0xf, .value = SOCK_DGRAM}},
		3},
};

#define AS_ALLOWED -1

static const struct attempt {
	const char *what;
	long number, arguments[3];
	int error; /* AS_ALLOWED: anything but EPERM */
} attempts[] = {
	{"FIONREAD", SYS_ioctl, {-1, FIONREAD, 0}, EPERM},
	{"FIONREAD and more above", SYS_ioctl, {-1, FIONREAD | 1L << 32, 0}, EPERM},
	{"FIONREAD and all above", SYS_ioctl, {-1, FIONREAD | (long)(0xffffffffUL << 32), 0},
		EPERM},
	{"another ioctl", SYS_ioctl, {-1, FIONBIO, 0}, EBADF},
	{"a group of processes", SYS_kill, {-1000000, 0, 0}, EPERM},
	{"a group, as 32 bits", SYS_kill, {0xfff0bdc0L, 0, 0}, EPERM},
	{"a process", SYS_kill, {0x7ffffff, 0, 0}, ESRCH},
	{"much memory", SYS_mmap, {0, 1L << 33, 0}, EPERM},
	{"more memory", SYS_mmap, {0, 1L << 40, 0}, EPERM},
	{"little memory", SYS_mmap, {0, (1L << 33) - 1, 0}, AS_ALLOWED},
	{"a datagram socket", SYS_socket, {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0}, EPERM},
	{"a datagram socket, and more above", SYS_socket, {AF_INET | 1L << 40, SOCK_DGRAM, 0},
		EPERM},
	{"a stream socket", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0}, AS_ALLOWED},
	{"a local socket", SYS_socket, {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0}, AS_ALLOWED},
};

/* Exit status of a child under the filter: the first attempt that went otherwise, from 1. */
static int try_all(const struct program *program)
{
	struct sock_fprog filter = {.len = (unsigned short)program->n, .filter = program->code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		return 100;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *attempt = &attempts[i];
		long r = syscall(attempt->number, attempt->arguments[0], attempt->arguments[1],
			attempt->arguments[2], 0, -1, 0);
		int error = r < 0 ? errno : 0;

		if (attempt->error == AS_ALLOWED ? error == EPERM : error != attempt->error)
			return (int)i + 1;
	}
	return 0;
}

TEST(kernel_denies_what_the_rules_say_and_nothing_else)
{
	struct program program = filter_of(&(struct confine_calls){.profile = CONFINE_DEFAULT,
		.rules = some_rules,
		.n_rules = ARRAY_SIZE(some_rules)});
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		_exit(try_all(&program));
	free(program.code);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100)
		CHECK_FAIL("the kernel does not take the filter");
	if (WEXITSTATUS(status))
		CHECK_FAIL("%s", attempts[WEXITSTATUS(status) - 1].what);
}

/* ---- the rest of the filter */

TEST(calls_with_rules_are_known_as_judged_by_arguments)
{
	static const struct policy_call_rule rules[] = {{"kill", 1, {{.index = 1, .value = 9}}, 0},
		{"mkdir", 1, {{.index = 1, .value = 9}}, 1},
		{"ptrace", 1, {{.index = 0, .value = 16}}, 2}};
	static const char mkdir[][CONFINE_CALL_NAME_SIZE] = {"mkdir"};
	struct program program = filter_of(&(struct confine_calls){.profile = CONFINE_DEFAULT,
		.denied = mkdir,
		.n_denied = 1,
		.rules = rules,
		.n_rules = ARRAY_SIZE(rules)});
	enum confine_treatment table[CONFINE_NUMBERS_MAX];

	confine_treat_calls(program.code, program.n, table, ARRAY_SIZE(table));
	CHECK_INT(table[SYS_kill], CONFINE_BY_ARGUMENTS);
	CHECK_INT(table[SYS_ioctl], CONFINE_BY_ARGUMENTS);
	CHECK_INT(table[SYS_tgkill], CONFINE_ALLOWED);
	/* What is denied or closed by the profile stays so whatever its arguments are. */
	CHECK_INT(table[SYS_mkdir], CONFINE_REFUSED);
	CHECK_INT(table[SYS_ptrace], CONFINE_REFUSED);
	CHECK_INT(table[SYS_mount], CONFINE_REFUSED);
	free(program.code);
}

TEST(refuses_rules_that_make_too_long_a_filter_or_know_no_call)
{
	struct policy_call_rule rules[2 * POLICY_CALL_RULES_MAX] = {0};
	struct confine_calls calls = {.profile = CONFINE_DEFAULT, .rules = rules, .n_rules = 60};
	struct program program = {0};
	struct failure why = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		strcpy(rules[i].name, "ioctl");
		rules[i].n_conditions = 1;
		rules[i].conditions[0] = (struct policy_condition){.index = 1, .value = i};
	}
	/* A block of more than 255 steps is jumped over, too. */
	for (calls.n_rules = 60; calls.n_rules <= 100; calls.n_rules += 40) {
		struct seccomp_data data = {.nr = SYS_mount, .arch = AUDIT_ARCH_X86_64};

		program = filter_of(&calls);
		CHECK_INT(filter_run(&program, &data), SECCOMP_RET_ALLOW);
		data.nr = SYS_ptrace;
		CHECK_INT(filter_run(&program, &data), SECCOMP_RET_ERRNO | EPERM);
		free(program.code);
	}
	calls.n_rules = ARRAY_SIZE(rules);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i].conditions[0].is_wide = true;
	CHECK_INT(confine_policy_filter(&calls, &program.code, &program.n, &why), -E2BIG);
	CHECK_TEXT(why.sentence,
		"a filter that denies 0 calls besides its profile, and by 128 rules "
		"for arguments, is too long");
	calls.n_rules = 1;
	strcpy(rules[0].name, "no_such_call");
	CHECK_INT(confine_policy_filter(&calls, &program.code, &program.n, &why), -EINVAL);
}
