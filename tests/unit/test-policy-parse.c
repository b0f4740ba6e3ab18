/* The cases lie in tests/unit/policy. valid/NAME.expect is the canonical JSON; invalid/NAME.expect
 * is the place, without the file unless that is a base of it, and on the next line the sentence. */
#include "tests/harness/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/fd.h"
#include "supervisor/policy/policy.h"

static const struct {
	const char *name;
	enum policy_call_level level;
} known[] = {{"read", POLICY_CALL_STRICT}, {"execveat", POLICY_CALL_DEFAULT},
	{"memfd_create", POLICY_CALL_DEFAULT}, {"ptrace", POLICY_CALL_DEBUG},
	{"splice", POLICY_CALL_OPENABLE}, {"tee", POLICY_CALL_OPENABLE},
	{"mount", POLICY_CALL_NEVER}, {"ioctl", POLICY_CALL_STRICT}, {"socket", POLICY_CALL_STRICT},
	{"openat", POLICY_CALL_STRICT}, {"openat2", POLICY_CALL_STRICT},
	{"kill", POLICY_CALL_STRICT}, {"mmap", POLICY_CALL_STRICT}, {"chmod", POLICY_CALL_STRICT},
	{"clone", POLICY_CALL_STRICT}, {"clone3", POLICY_CALL_NEVER},
	{"setsockopt", POLICY_CALL_STRICT}};

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

/* What cases extend. */
static int read_base(void *userdata _unused_, const char *name, char **ret_text, size_t *ret_size,
	char **ret_file, struct failure *why _unused_)
{
	char path[256];
	int r;

	snprintf(path, sizeof(path), "tests/unit/policy/bases/%s.json", name);
	r = fd_read_file_at(AT_FDCWD, path, 1 << 20, ret_text, ret_size);
	if (r == -ENOENT) {
		snprintf(path, sizeof(path), "tests/unit/policy/invalid/%s.json", name);
		r = fd_read_file_at(AT_FDCWD, path, 1 << 20, ret_text, ret_size);
	}
	if (r < 0)
		return r;
	return asprintf(ret_file, "%s.json", name) < 0 ? -ENOMEM : 0;
}

static const char *const base_names[] = {"base", "base-of-base", "circle", NULL};
static const struct policy_context context = {
	.calls = &calls, .read_base = read_base, .names = base_names};

static char *read_case(const char *kind, const char *name, const char *end, size_t *ret_size)
{
	char path[256], *text = NULL;

	snprintf(path, sizeof(path), "tests/unit/policy/%s/%s%s", kind, name, end);
	if (fd_read_file_at(AT_FDCWD, path, 1 << 20, &text, ret_size) < 0)
		CHECK_FAIL("%s cannot be read; tests run in the repository's top directory", path);
	return text;
}

/* Calls `run` with the name of each case; returns how many there are. */
static size_t each_case(const char *kind, void (*run)(const char *name))
{
	char path[64];
	struct dirent *entry;
	size_t n = 0;
	DIR *stream;

	snprintf(path, sizeof(path), "tests/unit/policy/%s", kind);
	stream = opendir(path);
	CHECK(stream != NULL);
	while ((entry = readdir(stream))) {
		char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".json") != 0)
			continue;
		*dot = '\0';
		run(entry->d_name);
		n++;
	}
	closedir(stream);
	return n;
}

static void is_valid(const char *name)
{
	size_t size, expect_size;
	char *text = read_case("valid", name, ".json", &size);
	char *expect = read_case("valid", name, ".expect", &expect_size);
	struct policy *policy = NULL, *again = NULL;
	struct failure why = {0};

	if (policy_parse(text, size, name, &context, &policy, &why) < 0)
		CHECK_FAIL("%s: %s (%s)", name, why.sentence, why.location);
	expect[strcspn(expect, "\n")] = '\0';
	if (strcmp(policy->canonical, expect) != 0)
		CHECK_FAIL("%s: %s\nexpected %s", name, policy->canonical, expect);
	/* The canonical form is a policy too, and its own canonical form. */
	CHECK_INT(policy_parse(policy->canonical, strlen(policy->canonical), name, &context, &again,
			  &why),
		0);
	CHECK_TEXT(again->canonical, policy->canonical);
	CHECK_TEXT(again->hash, policy->hash);
	CHECK_INT(again->n_rules, policy->n_rules);
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule left = policy->rules[i], right = again->rules[i];

		CHECK_TEXT(left.name ? left.name : "", right.name ? right.name : "");
		left.name = right.name = NULL;
		CHECK(memcmp(&left, &right, sizeof(left)) == 0);
	}
	policy_unref(policy);
	policy_unref(again);
	free(text);
	free(expect);
}

TEST(policy_valid_cases_have_their_canonical_form)
{
	CHECK(each_case("valid", is_valid) >= 10);
}

static void is_invalid(const char *name)
{
	size_t size, expect_size;
	char *text = read_case("invalid", name, ".json", &size), found[512];
	char *expect = read_case("invalid", name, ".expect", &expect_size);
	struct policy *policy = NULL;
	struct failure why = {0};
	int r = policy_parse(text, size, "FILE", &context, &policy, &why);

	if (r != -EINVAL && r != -E2BIG)
		CHECK_FAIL("%s: returned %d", name, r);
	CHECK(policy == NULL);
	CHECK_INT(why.error, r);
	snprintf(found, sizeof(found), "%s\n%s\n",
		why.location + (strncmp(why.location, "FILE:", 5) == 0 ? 5 : 0), why.sentence);
	if (strcmp(found, expect) != 0)
		CHECK_FAIL("%s: %sexpected %s", name, found, expect);
	/* Without a `why` it is refused all the same. */
	CHECK_INT(policy_parse(text, size, "FILE", &context, &policy, NULL), r);
	free(text);
	free(expect);
}

TEST(policy_invalid_cases_name_their_place_and_reason)
{
	CHECK(each_case("invalid", is_invalid) >= 80);
}

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct failure why = {0};

	if (policy_parse(text, strlen(text), "test", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	return policy;
}

TEST(policy_without_resources_has_the_defaults)
{
	struct policy *policy = parse("{\"version\":1,\"name\":\"x\"}");

	CHECK_INT(policy->limits.memory_bytes, 512 << 20);
	CHECK_INT(policy->limits.disk_bytes, 256 << 20);
	CHECK_INT(policy->limits.cpu_millis, 1000);
	CHECK_INT(policy->limits.pids, 128);
	CHECK_INT(policy->limits.open_files, 1024);
	CHECK(!policy_has_network(policy));
	policy_unref(policy);
}

TEST(policy_fills_every_field)
{
	struct policy *policy =
		parse("{\"version\":1,\"name\":\"web\",\"description\":\"d\",\"network\":{"
		      "\"allow\":[{\"cidr\":\"10.0.0.0/8\"},{\"cidr\":\"2001:db8::/33\","
		      "\"ports\":[\"8000-8010\",443]}]},\"resources\":{\"memory\":"
		      "\"1GiB\",\"disk\":\"3MiB\",\"cpu\":0.25,\"pids\":9,\"open_files\":"
		      "99},\"syscalls\":{\"deny\":[\"b\",\"a\"]}}");
	const struct policy_rule *rule = policy->rules;

	CHECK_TEXT(policy->name, "web");
	CHECK_TEXT(policy->description, "d");
	CHECK_INT(policy->n_rules, 2);
	CHECK(memcmp(rule->address.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\0", 16) == 0);
	CHECK_INT(rule->prefix_bits, 104);
	CHECK_INT(rule->protocol, 6);
	CHECK_INT(rule->n_ports, 1);
	CHECK(rule->ports[0].first == 0 && rule->ports[0].last == 65535 && rule->id == 0);
	rule++;
	CHECK(memcmp(rule->address.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16) == 0);
	CHECK_INT(rule->prefix_bits, 33);
	CHECK_INT(rule->n_ports, 2);
	CHECK(rule->ports[0].first == 443 && rule->ports[0].last == 443);
	CHECK(rule->ports[1].first == 8000 && rule->ports[1].last == 8010 && rule->id == 1);
	CHECK_INT(policy->limits.memory_bytes, 1 << 30);
	CHECK_INT(policy->limits.disk_bytes, 3 << 20);
	CHECK_INT(policy->limits.cpu_millis, 250);
	CHECK_INT(policy->limits.pids, 9);
	CHECK_INT(policy->limits.open_files, 99);
	CHECK_INT(policy->n_syscalls_denied, 2);
	CHECK_TEXT(policy->syscalls_denied[0], "a");
	CHECK_TEXT(policy->syscalls_denied[1], "b");
	CHECK(policy_has_network(policy));
	policy_unref(policy);
}

/* sha256sum of the text beside it. */
TEST(policy_hash_is_of_the_canonical_form)
{
	struct policy *policy = parse(" { \"name\" : \"x\", \"version\" : 1 } ");

	CHECK_TEXT(policy->canonical,
		"{\"name\":\"x\",\"network\":{\"allow\":[]},\"resources\":{\"cpu\":1,\"disk\":"
		"268435456,"
		"\"memory\":536870912,\"open_files\":1024,\"pids\":128},\"syscalls\":{\"deny\":[]},"
		"\"version\":1}");
	CHECK_TEXT(
		policy->hash, "518717fb86f5ece0d35b16c236da4d1547643e51a5deaa14f5f21313b75f34f7");
	policy_unref(policy);
}

TEST(policy_hash_changes_with_what_is_allowed)
{
	struct policy *narrow =
		parse("{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[{\"cidr\":"
		      "\"10.0.0.0/9\"}]}}");
	struct policy *wide =
		parse("{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[{\"cidr\":"
		      "\"10.0.0.0/8\"}]}}");

	CHECK(strcmp(narrow->hash, wide->hash) != 0);
	policy_unref(narrow);
	policy_unref(wide);
}

TEST(policy_lives_until_its_last_reference_is_dropped)
{
	struct policy *policy = parse("{\"version\":1,\"name\":\"x\"}");

	CHECK(policy_ref(policy) == policy);
	CHECK(policy_unref(policy) == NULL);
	CHECK_TEXT(policy->name, "x");
	CHECK(policy_unref(policy) == NULL);
	CHECK(policy_unref(NULL) == NULL);
}

TEST(policy_with_too_many_rules_is_refused)
{
	size_t room = 64 + 24 * (POLICY_RULES_MAX + 1), used;
	struct failure why = {0};
	struct policy *policy = NULL;
	char *text = malloc(room);

	CHECK(text != NULL);
	used = (size_t)sprintf(text, "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[");
	for (unsigned int i = 0; i <= POLICY_RULES_MAX; i++)
		used += (size_t)sprintf(
			text + used, "%s{\"cidr\":\"20.0.%u.%u\"}", i ? "," : "", i / 256, i % 256);
	sprintf(text + used, "]}}");
	CHECK_INT(policy_parse(text, strlen(text), "f", NULL, &policy, &why), -E2BIG);
	CHECK_TEXT(why.sentence, "The policy has 16385 rules, and 16384 are allowed.");
	/* One rule less: all of them fill the trie to its last place. */
	strcpy(strrchr(text, ','), "]}}");
	CHECK_INT(policy_parse(text, strlen(text), "f", NULL, &policy, &why), 0);
	CHECK_INT(policy->n_rules, POLICY_RULES_MAX);
	policy_unref(policy);
	free(text);
}

/* What a fuzzer would do first: the text ends anywhere, any byte is another one. */
TEST(policy_survives_any_cut_and_any_changed_byte)
{
	size_t size;
	char *text = read_case("valid", "all-keys", ".json", &size);
	struct policy *policy = NULL;
	struct failure why;

	for (size_t i = 0; i + 2 < size; i++) {
		char *part = malloc(i + 1); /* its own block, so that a sanitizer sees the end */

		memcpy(part, text, i);
		CHECK_INT(policy_parse(part, i, "f", &context, &policy, &why), -EINVAL);
		free(part);
	}
	for (size_t i = 0; i < size * 8; i++) {
		text[i / 8] ^= (char)(1 << (i % 8));
		if (policy_parse(text, size, "f", &context, &policy, &why) == 0)
			policy_unref(policy);
		else
			CHECK(strlen(why.sentence) > 10 && strlen(why.location) > 3);
		text[i / 8] ^= (char)(1 << (i % 8));
	}
	free(text);
}
