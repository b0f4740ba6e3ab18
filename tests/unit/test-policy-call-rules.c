/* Rules for arguments of system calls: acts, changes, meets, and the table of arguments. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/policy/acts/trial.h"
#include "supervisor/policy/calls/arguments.h"
#include "supervisor/policy/diff/diff.h"

static struct policy *parse(const char *deny)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[8192];

	snprintf(text, sizeof(text),
		"{\"version\":1,\"name\":\"x\",\"syscalls\":{\"profile\":\"debug\",\"deny\":[%s]}}",
		deny);
	if (policy_parse(text, strlen(text), "x", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s: %s (%s)", deny, why.sentence, why.location);
	return policy;
}

#define RULE(name, args) "{\"name\":\"" name "\",\"args\":[" args "]}"
#define IS(index, value) "{\"index\":" #index ",\"is\":" value "}"

static bool allows(const char *deny, const char *text)
{
	struct policy *policy = parse(deny);
	struct policy_trial *trial = NULL;
	struct policy_opinion opinion;
	struct failure why = {0};
	struct policy_act act;

	if (policy_act_parse(text, NULL, &act, &why) < 0)
		CHECK_FAIL("%s: %s", text, why.sentence);
	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	opinion = policy_trial_judge(trial, &act);
	CHECK_INT(opinion.layer, POLICY_LAYER_SECCOMP);
	policy_trial_free(trial);
	policy_unref(policy);
	return opinion.allowed;
}

TEST(rule_denies_the_call_with_these_arguments_alone)
{
	static const char ioctl[] = RULE("ioctl", IS(1, "\"FIONREAD\""));
	static const char socket[] = RULE("socket",
		IS(0, "\"AF_INET\"") ",{\"index\":1,\"mask\":\"SOCK_TYPE_MASK\",\"is\":2}");

	CHECK(!allows(ioctl, "syscall ioctl 1=FIONREAD"));
	CHECK(!allows(ioctl, "syscall ioctl 0 0x541b 77"));
	CHECK(!allows(ioctl, "syscall ioctl 1=0x10000541b"));
	CHECK(!allows(ioctl, "syscall ioctl 1=0xffffffff0000541b"));
	CHECK(allows(ioctl, "syscall ioctl 1=FIONBIO"));
	CHECK(allows(ioctl, "syscall ioctl 0x541b"));
	CHECK(allows(ioctl, "syscall ioctl"));
	CHECK(allows(ioctl, "syscall prctl 1=0x541b"));
	CHECK(allows("", "syscall ioctl 1=FIONREAD"));
	CHECK(!allows(socket, "syscall socket AF_INET SOCK_DGRAM|SOCK_CLOEXEC"));
	CHECK(allows(socket, "syscall socket AF_INET SOCK_STREAM|SOCK_CLOEXEC"));
	CHECK(allows(socket, "syscall socket AF_INET6 SOCK_DGRAM"));
	/* What is not said is not denied. */
	CHECK(allows(socket, "syscall socket AF_INET"));
	CHECK(!allows("\"socket\"", "syscall socket AF_UNIX"));
}

TEST(rule_counts_from_edges_as_the_kernel_reads_the_number)
{
	static const char group[] = RULE("kill", "{\"index\":0,\"at_most\":-1}");
	static const char trace[] = RULE(
		"ptrace", "{\"index\":0,\"at_least\":16},{\"index\":0,\"at_most\":\"0x4206\"}");

	CHECK(!allows(group, "syscall kill -1"));
	CHECK(!allows(group, "syscall kill 0x80000000"));
	CHECK(!allows(group, "syscall kill 0x1ffffffff"));
	CHECK(allows(group, "syscall kill 0"));
	CHECK(allows(group, "syscall kill 0xffffffff00000000"));
	CHECK(allows(trace, "syscall ptrace 15"));
	CHECK(!allows(trace, "syscall ptrace 16"));
	CHECK(!allows(trace, "syscall ptrace 0x4206"));
	CHECK(allows(trace, "syscall ptrace 0x4207"));
	/* All 64 bits are the request. */
	CHECK(allows(trace, "syscall ptrace 0x100000010"));
	CHECK(allows(trace, "syscall ptrace -1"));
}

TEST(no_policy_opens_what_every_sandbox_is_denied_by_arguments)
{
	CHECK(!allows("", "syscall ioctl 1=TIOCSTI"));
	CHECK(!allows("", "syscall socket AF_VSOCK"));
	CHECK(allows("", "syscall socket AF_UNIX"));
	CHECK(!allows("", "syscall socket AF_INET SOCK_RAW"));
	CHECK(allows("", "syscall socket AF_INET SOCK_DGRAM"));
	CHECK(!allows("", "syscall socket AF_NETLINK 3 9"));
	CHECK(allows("", "syscall socket AF_NETLINK 3 0"));
	CHECK(!allows("", "syscall clone CLONE_NEWUSER"));
	CHECK(allows("", "syscall clone CLONE_THREAD"));
}

static void check_change(const struct policy_change *change, void *userdata)
{
	char *told = userdata;

	sprintf(told + strlen(told), "%c%s\n", "+-=~"[change->kind], change -> what);
}

static void check_diff(const char *before, const char *after, const char *expected)
{
	struct policy *a = parse(before), *b = parse(after);
	char told[2048] = "";

	CHECK_INT(policy_diff(a, b, check_change, told, NULL), 0);
	CHECK_TEXT(told, expected);
	policy_unref(a);
	policy_unref(b);
}

TEST(diff_tells_which_arguments_become_denied_and_allowed)
{
	static const char one[] = RULE("ioctl", IS(1, "\"FIONREAD\""));
	static const char kill_group[] = RULE("kill", IS(1, "9") ",{\"index\":0,\"at_most\":-1}");

	check_diff("", one, "-ioctl where cmd is FIONREAD\n");
	check_diff(one, "", "+ioctl where cmd is FIONREAD\n");
	check_diff(one, RULE("ioctl", IS(1, "\"FIONBIO\"")),
		"+ioctl where cmd is FIONREAD\n-ioctl where cmd is FIONBIO\n");
	check_diff(one, "\"ioctl\"", "-ioctl, with any arguments\n");
	check_diff("\"ioctl\"", one, "+ioctl, but for what rules for its arguments deny\n");
	/* Fewer conditions deny more. */
	check_diff(kill_group, RULE("kill", IS(1, "9")), "-kill where sig is SIGKILL\n");
	check_diff(RULE("kill", IS(1, "9")), kill_group, "+kill where sig is SIGKILL\n");
	check_diff("\"openat2\"," RULE("openat", "{\"index\":2,\"mask\":3,\"is_not\":0}"),
		"\"openat2\"", "+openat where flags & O_ACCMODE is not O_RDONLY\n");
	check_diff(RULE("chmod", "{\"index\":1,\"mask\":\"S_ISUID|S_ISGID\",\"is\":\"0o6000\"}"),
		"", "+chmod where mode has S_ISUID|S_ISGID\n");
}

/* ---- meets */

static const char *const pieces[] = {RULE("ioctl", IS(1, "1")), RULE("ioctl", IS(1, "2")),
	RULE("kill", IS(1, "9")), RULE("kill", IS(0, "1")), RULE("kill", IS(0, "1") "," IS(1, "9")),
	RULE("kill", IS(1, "9") ",{\"index\":0,\"at_least\":1}"),
	RULE("kill", "{\"index\":0,\"at_least\":1}"), "\"ioctl\"", "\"kill\""};

/* Some that go together: a policy refuses what says nothing beside the rest. */
static struct policy *choose(unsigned int *seed)
{
	struct policy *policy = NULL;
	char text[2048];

	for (;;) {
		strcpy(text, "{\"version\":1,\"name\":\"x\",\"syscalls\":{\"deny\":[");
		for (size_t i = 0, n = 0; i < ARRAY_SIZE(pieces); i++)
			if (rand_r(seed) % 4 == 0)
				sprintf(text + strlen(text), "%s%s", n++ ? "," : "", pieces[i]);
		strcat(text, "]}}");
		if (policy_parse(text, strlen(text), "x", NULL, &policy, NULL) == 0)
			return policy;
	}
}

static bool permits(const struct policy *policy, const char *name, const uint64_t *arguments)
{
	return policy_allows_call(policy, name, POLICY_CALL_STRICT) &&
	       !policy_find_call_rule(policy, name, arguments, 0x3f);
}

static struct policy *meet(const struct policy *bound, const struct policy *request)
{
	struct policy *both = NULL;
	struct failure why = {0};

	if (policy_meet(bound, request, &both, &why) < 0)
		CHECK_FAIL("%s", why.sentence);
	return both;
}

TEST(meet_denies_the_arguments_that_either_denies)
{
	static const char *const names[] = {"ioctl", "kill"};
	unsigned int seed = 5;
	size_t n_denied = 0, n_allowed = 0;

	for (int round = 0; round < 5000; round++) {
		struct policy *a = choose(&seed), *b = choose(&seed), *c = choose(&seed);
		struct policy *both = meet(a, b), *reverse = meet(b, a), *again = meet(a, both);
		struct policy *right = meet(b, c), *all = meet(both, c), *other = meet(a, right);

		for (unsigned int i = 0; i < 64; i++) {
			const char *name = names[i % 2];
			const uint64_t arguments[POLICY_CALL_ARGUMENTS] = {
				i / 2 % 4, i & 32 ? 9 : i / 8 % 4};
			bool wanted = permits(a, name, arguments) && permits(b, name, arguments);

			if (permits(both, name, arguments) != wanted)
				CHECK_FAIL("%s of\n%s and\n%s", name, a->canonical, b->canonical);
			n_denied += !wanted;
			n_allowed += wanted;
		}
		CHECK_TEXT(both->canonical, reverse->canonical);
		CHECK_TEXT(both->canonical, again->canonical);
		CHECK_TEXT(all->canonical, other->canonical);
		policy_unref(a);
		policy_unref(b);
		policy_unref(c);
		policy_unref(both);
		policy_unref(reverse);
		policy_unref(again);
		policy_unref(right);
		policy_unref(all);
		policy_unref(other);
	}
	CHECK(n_denied > 10000 && n_allowed > 10000);
}

static struct policy *parse_many(const char *name, int first)
{
	char *text = malloc(8192);
	struct policy *policy;

	text[0] = '\0';
	for (int i = first; i < first + POLICY_CALL_RULES_MAX; i++)
		sprintf(text + strlen(text),
			"%s{\"name\":\"%s\",\"args\":[{\"index\":1,\"is\":%d}]}",
			i > first ? "," : "", name, i);
	policy = parse(text);
	free(text);
	return policy;
}

TEST(meet_of_too_many_rules_is_refused)
{
	struct policy *a = parse_many("ioctl", 0), *b = parse_many("ioctl", 64);
	struct policy *c = parse_many("fcntl", 0), *both = meet(a, b), *same, *all = NULL;
	struct failure why = {0};

	CHECK_INT(both->n_call_rules, 2 * POLICY_CALL_RULES_MAX);
	same = meet(both, a);
	CHECK_INT(same->n_call_rules, 2 * POLICY_CALL_RULES_MAX);
	CHECK_INT(policy_meet(both, c, &all, &why), -E2BIG);
	CHECK_TEXT(why.sentence,
		"\"x\" and \"x\" have more than 128 rules for arguments of system calls together.");
	policy_unref(same);
	policy_unref(both);
	policy_unref(c);
	policy_unref(b);
	policy_unref(a);
}

/* ---- the table */

TEST(table_is_sorted_and_has_each_argument_once)
{
	for (size_t i = 1; call_argument_at(i); i++) {
		const struct call_argument *a = call_argument_at(i - 1), *b = call_argument_at(i);
		int order = strcmp(a->call, b->call);

		CHECK(order < 0 || (order == 0 && a->index < b->index));
	}
}

TEST(values_are_written_as_they_are_read)
{
	static const uint64_t numbers[] = {0, 1, 2, 3, 9, 40, 4095, 4096, 0x5412, 0x105412,
		UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX, UINT64_MAX - 5000, INT64_MAX};

	for (size_t i = 0; call_argument_at(i); i++)
		for (size_t j = 0; j < ARRAY_SIZE(numbers); j++) {
			char text[CALL_VALUE_TEXT_SIZE];
			uint64_t value = 7;

			call_value_format(call_argument_at(i), numbers[j], text);
			CHECK_INT(call_value_read(text, call_argument_at(i), &value), 0);
			if (value != numbers[j])
				CHECK_FAIL("%s for %llx", text, (unsigned long long)numbers[j]);
		}
}

TEST(names_of_constants_are_unlike_and_fit)
{
	for (size_t i = 0; call_argument_at(i); i++) {
		const struct call_argument *argument = call_argument_at(i);

		for (size_t j = 0; argument->constants && argument->constants[j].name; j++) {
			uint64_t value;

			CHECK_INT(
				call_value_read(argument->constants[j].name, argument, &value), 0);
			if (value != argument->constants[j].value)
				CHECK_FAIL("%s is there twice", argument->constants[j].name);
			if (argument->bits < 64 && value >> argument->bits)
				CHECK_FAIL("%s has no room", argument->constants[j].name);
			CHECK(j < 62);
		}
	}
}
