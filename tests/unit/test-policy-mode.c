/* Who runs under a policy in mode "learn" may do what its bound allows, and use what both allow. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/policy/acts/trial.h"
#include "tests/unit/policy/naive.h"

static const struct {
	const char *name;
	enum policy_call_level level;
} known[] = {{"read", POLICY_CALL_STRICT}, {"socket", POLICY_CALL_STRICT},
	{"execveat", POLICY_CALL_DEFAULT}, {"ptrace", POLICY_CALL_DEBUG},
	{"splice", POLICY_CALL_OPENABLE}, {"mount", POLICY_CALL_NEVER}};

static int level_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return (int)known[i].level;
	return -ENOENT;
}

static bool name_at(unsigned int number, char ret_name[POLICY_CALL_NAME_SIZE])
{
	if (number >= ARRAY_SIZE(known))
		return false;
	strcpy(ret_name, known[number].name);
	return true;
}

static const struct policy_calls calls = {level_of, name_at};
static const struct policy_context context = {.calls = &calls};

static struct policy *parse(const char *name, const char *rest)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[4096];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"%s\"%s}", name, rest);
	if (policy_parse(text, strlen(text), name, &context, &policy, &why) < 0)
		CHECK_FAIL("%s (%s): %s", why.sentence, why.location, text);
	return policy;
}

static struct policy *learn(const struct policy *bound, const struct policy *request)
{
	struct policy *policy = NULL;
	struct failure why = {0};

	if (policy_meet_learning(bound, request, &policy, &why) < 0)
		CHECK_FAIL("%s", why.sentence);
	return policy;
}

#define BOUND                                                                                      \
	",\"description\":\"the wide one\",\"network\":{\"allow\":["                               \
	"{\"cidr\":\"203.0.113.0/24\"},{\"name\":\"*.example.org\",\"tls\":\"require\"}],"         \
	"\"inbound\":{\"ports\":[8000]}},\"resources\":{\"memory\":\"1GiB\",\"pids\":50},"         \
	"\"syscalls\":{\"profile\":\"debug\",\"deny\":[\"execveat\"]},"                            \
	"\"files\":{\"hidden\":[\"/usr/share\"]},\"devices\":[\"null\",\"tty\"],"                  \
	"\"lifecycle\":{\"time_to_live\":\"1h\"},\"secrets\":[\"A\"],"                             \
	"\"audit\":{\"syscalls\":\"none\"}"
#define REQUEST                                                                                    \
	",\"mode\":\"learn\",\"resources\":{\"memory\":\"512MiB\",\"pids\":100},"                  \
	"\"budgets\":{\"connections\":5},\"syscalls\":{\"profile\":\"strict\"},"                   \
	"\"files\":{\"read_only\":[\"/\"]},\"devices\":[],"                                        \
	"\"lifecycle\":{\"auto_stop\":\"9m\"},\"secrets\":[\"B\"],"                                \
	"\"audit\":{\"syscalls\":[\"read\"],\"on_loss\":\"kill\"}"

TEST(learning_has_the_acts_of_the_bound_and_the_amounts_of_both)
{
	struct policy *bound = parse("bound", BOUND), *request = parse("request", REQUEST);
	struct policy *policy = learn(bound, request);

	CHECK_TEXT(policy->canonical,
		"{\"audit\":{\"on_loss\":\"kill\",\"syscalls\":[\"read\"]},"
		"\"budgets\":{\"connections\":5},\"description\":\"the wide one\","
		"\"devices\":[\"null\",\"tty\"],\"files\":{\"hidden\":[\"/usr/share\"]},"
		"\"lifecycle\":{\"auto_stop\":\"540s\",\"time_to_live\":\"3600s\"},"
		"\"mode\":\"learn\",\"name\":\"bound\",\"network\":{\"allow\":["
		"{\"cidr\":\"203.0.113.0/24\",\"protocol\":\"tcp\",\"rule\":0},"
		"{\"name\":\"*.example.org\",\"ports\":[80,443],\"private\":false,"
		"\"protocol\":\"tcp\",\"rule\":1,\"tls\":\"require\"}],"
		"\"inbound\":{\"ports\":[8000]}},"
		"\"resources\":{\"cpu\":1,\"disk\":268435456,\"memory\":536870912,"
		"\"open_files\":1024,\"pids\":50},\"secrets\":[\"A\",\"B\"],"
		"\"syscalls\":{\"deny\":[\"execveat\"],\"profile\":\"debug\"},\"version\":1}");
	CHECK_INT(policy->mode, POLICY_MODE_LEARN);
	/* What lives on are the bound's lists, whoever goes first. */
	policy_unref(bound);
	policy_unref(request);
	CHECK_TEXT(policy->rules[1].name, "example.org");
	CHECK_TEXT(policy->paths[0].path, "/usr/share");
	policy_unref(policy);
}

/* The same bound without a learner is another policy in the log, and in the kernel. */
TEST(learning_has_a_hash_of_its_own)
{
	struct policy *bound = parse("bound", BOUND), *request = parse("request", REQUEST);
	struct policy *none = parse("none", ",\"mode\":\"learn\",\"resources\":{\"class\":"
					    "\"large\"},\"audit\":{\"syscalls\":\"none\"}");
	struct policy *one = learn(bound, request), *other = learn(bound, none);

	CHECK(strcmp(bound->hash, one->hash) != 0);
	CHECK(strcmp(bound->hash, other->hash) != 0);
	CHECK(strcmp(one->hash, other->hash) != 0);
	policy_unref(one);
	policy_unref(other);
	policy_unref(none);
	policy_unref(request);
	policy_unref(bound);
}

TEST(learning_under_what_learns_itself_is_refused)
{
	struct policy *bound = parse("bound", ",\"mode\":\"learn\""), *policy = NULL;
	struct policy *request = parse("request", ",\"mode\":\"learn\"");
	struct failure why = {0};

	CHECK_INT(policy_meet_learning(bound, request, &policy, &why), -EINVAL);
	CHECK(!policy);
	CHECK_TEXT(why.sentence, "\"bound\" is in mode \"learn\" itself, so it bounds nothing.");
	policy_unref(request);
	policy_unref(bound);
}

TEST(learning_is_refused_where_the_meet_is)
{
	struct policy *bound = parse("bound", ",\"budgets\":{\"connections\":5}"), *policy = NULL;
	struct policy *request = parse(
		"request", ",\"mode\":\"learn\",\"budgets\":{\"connections\":5,\"per\":\"1h\"}");
	struct failure why = {0};

	CHECK_INT(policy_meet_learning(bound, request, &policy, &why), -EINVAL);
	CHECK(!policy);
	CHECK(strstr(why.sentence, "are for different times"));
	policy_unref(request);
	policy_unref(bound);
}

static enum policy_mode mode_of_meet(const char *bound_rest, const char *request_rest)
{
	struct policy *bound = parse("bound", bound_rest),
		      *request = parse("request", request_rest);
	struct policy *policy = NULL;
	enum policy_mode mode;

	CHECK_INT(policy_meet(bound, request, &policy, NULL), 0);
	mode = policy->mode;
	policy_unref(policy);
	policy_unref(request);
	policy_unref(bound);
	return mode;
}

TEST(meet_enforces_unless_all_layers_learn)
{
	static const char learns[] = ",\"mode\":\"learn\"";

	CHECK_INT(mode_of_meet("", ""), POLICY_MODE_ENFORCE);
	CHECK_INT(mode_of_meet(learns, ""), POLICY_MODE_ENFORCE);
	CHECK_INT(mode_of_meet("", learns), POLICY_MODE_ENFORCE);
	CHECK_INT(mode_of_meet(learns, learns), POLICY_MODE_LEARN);
}

TEST(names_that_bind_are_those_of_the_default_and_of_templates)
{
	CHECK(policy_name_binds("deny-all"));
	CHECK(policy_name_binds("template-python"));
	CHECK(!policy_name_binds("deny-all-of-it"));
	CHECK(!policy_name_binds("template"));
	CHECK(!policy_name_binds("my-template-python"));
}

/* ---- drawn policies and acts: nothing passes that the bound does not let pass */

static const char *const drawn_rules[] = {"{\"cidr\":\"203.0.113.0/24\"}",
	"{\"cidr\":\"203.0.113.7\",\"ports\":[443]}", "{\"cidr\":\"0.0.0.0/0\",\"ports\":[443]}",
	"{\"cidr\":\"10.0.0.0/8\"}", "{\"cidr\":\"203.0.113.0/24\",\"protocol\":\"udp\"}",
	"{\"cidr\":\"::/0\",\"ports\":[\"80-443\"]}", "{\"name\":\"a.example.org\"}",
	"{\"name\":\"*.example.org\"}", "{\"name\":\"b.example.org\",\"ports\":[22]}",
	"{\"name\":\"example.org\",\"records\":[\"MX\"]}"};
static const char *const drawn_sections[] = {"\"network\":{\"inbound\":{\"ports\":[8000]}}",
	"\"resources\":{\"class\":\"medium\"}", "\"resources\":{\"memory\":\"64MiB\",\"pids\":9}",
	"\"budgets\":{\"connections\":5,\"bytes_out\":\"1MiB\"}",
	"\"budgets\":{\"bytes_out\":1024}",
	"\"syscalls\":{\"deny\":[{\"name\":\"socket\",\"args\":[{\"index\":0,\"is\":\"AF_UNIX\"}]}]"
	"}",
	"\"syscalls\":{\"profile\":\"strict\"}",
	"\"syscalls\":{\"profile\":\"debug\",\"deny\":[\"execveat\"],\"allow\":[\"splice\"]}",
	"\"syscalls\":{\"allow\":[\"ptrace\"]}", "\"files\":{\"read_only\":[\"/\"]}",
	"\"files\":{\"read_only\":[\"/\"],\"writable\":[\"/tmp\"],\"hidden\":[\"/tmp/x\"]}",
	"\"files\":{\"hidden\":[\"/etc\"]}", "\"executables\":{\"allow\":[\"/usr/bin\"]}",
	"\"executables\":{\"allow\":[\"/usr/bin/ls\",\"/opt\"]}", "\"devices\":[\"null\",\"tty\"]",
	"\"devices\":[]", "\"lifecycle\":{\"time_to_live\":\"1h\"}",
	"\"lifecycle\":{\"time_to_live\":\"2h\",\"auto_stop\":\"5m\"}", "\"secrets\":[\"A\"]",
	"\"secrets\":[\"A\",\"B\"]", "\"audit\":{\"syscalls\":[\"read\"],\"rate\":100}"};
static const char *const acts[] = {"connect 203.0.113.7:443", "connect 203.0.113.8:80",
	"connect 10.1.2.3:443", "connect 198.51.100.1:443", "connect 198.51.100.1:80",
	"connect 127.0.0.1:80", "connect [2001:db8::1]:81", "connect [fc00::1]:443",
	"connect a.example.org:443", "connect b.example.org:22", "connect b.example.org:443",
	"connect example.org:443", "send 203.0.113.7:443", "send 198.51.100.1:443",
	"resolve a.example.org", "resolve c.example.org", "resolve example.org MX",
	"resolve example.org TXT", "resolve example.net", "inbound 8000", "inbound 8001",
	"open /dev/null", "open /dev/zero", "syscall read", "syscall socket AF_UNIX",
	"syscall socket AF_INET", "syscall execveat", "syscall ptrace", "syscall splice",
	"syscall mount", "read /etc/passwd", "write /etc/passwd", "write /tmp/a", "write /tmp/x/a",
	"read /tmp/x/a", "execute /usr/bin/ls", "execute /usr/bin/cat", "execute /opt/a",
	"execute /tmp/a", "use memory 64MiB", "use memory 512MiB", "use memory 2GiB", "use pids 9",
	"use pids 512", "use connections 5", "use connections 6", "use bytes_out 1KiB",
	"use bytes_out 1MiB", "use bytes_out 1GiB", "use time_to_live 1h", "use time_to_live 2h",
	"use time_to_live 9h", "use auto_stop 5m", "use auto_stop 6m", "omit A", "omit B"};

static size_t add_rules(uint64_t *state, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, ",\"network\":{\"allow\":[");
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(drawn_rules); i++)
		if (draw(state, 3) == 0) {
			used += (size_t)snprintf(
				text + used, size - used, "%s%s", any ? "," : "", drawn_rules[i]);
			any = true;
		}
	return used + (size_t)snprintf(text + used, size - used, "]%s}",
			      draw(state, 2) ? ",\"inbound\":{\"ports\":[8000]}" : "");
}

/* Each section once at most: of those with the same key the first that is drawn. */
static struct policy *draw_document(uint64_t *state, const char *name, bool learns)
{
	char text[4096] = "", seen[64] = "network";
	size_t used = add_rules(state, text, sizeof(text));

	if (learns)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",\"mode\":\"learn\"");
	for (size_t i = 0; i < ARRAY_SIZE(drawn_sections); i++) {
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(drawn_sections[i] + 1, "\""),
			drawn_sections[i] + 1);
		if (draw(state, 2) || strcmp(seen, key) == 0 || strcmp(key, "network") == 0)
			continue;
		strcpy(seen, key);
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, ",%s", drawn_sections[i]);
	}
	return parse(name, text);
}

static struct policy_opinion judge(const struct policy *policy, const struct policy_act *act)
{
	struct policy_trial *trial = NULL;
	struct policy_opinion opinion;

	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	opinion = policy_trial_judge(trial, act);
	policy_trial_free(trial);
	return opinion;
}

static bool is_amount(const struct policy_act *act)
{
	return act->kind == POLICY_ACT_USE || act->kind == POLICY_ACT_OMIT;
}

static bool same_opinion(const struct policy_opinion *a, const struct policy_opinion *b)
{
	return a->allowed == b->allowed && a->layer == b->layer && a->rule == b->rule &&
	       a->reason == b->reason && a->has_terms == b->has_terms && a->tls == b->tls &&
	       a->is_private == b->is_private;
}

static void compare_amounts(const struct policy *policy, const struct policy *both)
{
	for (size_t i = 0; i < POLICY_TERMS; i++)
		CHECK_INT(policy_term_limit(policy, (enum policy_term)i),
			policy_term_limit(both, (enum policy_term)i));
	CHECK_INT(policy->budgets.per_seconds, both->budgets.per_seconds);
	CHECK_INT(policy->n_secrets, both->n_secrets);
	CHECK_INT(policy->audit.defaults, both->audit.defaults);
	CHECK_INT(policy->audit.n_calls, both->audit.n_calls);
	CHECK_INT(policy->audit.on_loss, both->audit.on_loss);
	CHECK_INT(policy->audit.rate, both->audit.rate);
}

struct counts {
	size_t n_wider, n_denied, n_less;
};

static void compare_acts(const struct policy *bound, const struct policy *both,
	const struct policy *policy, struct counts *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		struct policy_opinion by_bound, by_both, by_policy;
		struct policy_act act;

		CHECK_INT(policy_act_parse(acts[i], &calls, &act, NULL), 0);
		by_bound = judge(bound, &act);
		by_both = judge(both, &act);
		by_policy = judge(policy, &act);
		if (!same_opinion(&by_policy, is_amount(&act) ? &by_both : &by_bound) ||
			(by_policy.allowed && !by_bound.allowed))
			CHECK_FAIL("%s: %d by the bound, %d by both, %d while learning\n%s\n%s",
				acts[i], by_bound.allowed, by_both.allowed, by_policy.allowed,
				bound->canonical, policy->canonical);
		counts->n_wider += by_policy.allowed && !by_both.allowed;
		counts->n_denied += !is_amount(&act) && !by_policy.allowed;
		counts->n_less += is_amount(&act) && by_bound.allowed && !by_policy.allowed;
	}
}

TEST(learning_never_allows_what_the_bound_does_not_on_drawn_policies)
{
	struct counts counts = {0};
	uint64_t state = 20261128;

	for (int round = 0; round < 1500; round++) {
		struct policy *bound = draw_document(&state, "bound", false);
		struct policy *request = draw_document(&state, "request", true);
		struct policy *both = NULL, *policy = learn(bound, request);

		CHECK_INT(policy_meet(bound, request, &both, NULL), 0);
		compare_acts(bound, both, policy, &counts);
		compare_amounts(policy, both);
		CHECK_INT(policy->devices, bound->devices);
		policy_unref(policy);
		policy_unref(both);
		policy_unref(request);
		policy_unref(bound);
	}
	if (counts.n_wider < 5000 || counts.n_denied < 5000 || counts.n_less < 2000)
		CHECK_FAIL("%zu allowed that the meet denies, %zu denied, %zu amounts less",
			counts.n_wider, counts.n_denied, counts.n_less);
}
