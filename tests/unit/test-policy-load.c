#include "tests/harness/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/policy/policy.h"

static char directory[64];
static const char *const names[] = {"deny-all.json", "web.json", "upon.json", "a.json", "b.json",
	"web.test.json", "web.schema.json", ".hidden.json", "README.md", "fifo.json", "dir.json",
	"Bad.json", "out.json"};

static void remove_files(void)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		if (unlink(path) < 0)
			rmdir(path);
	}
}

static void remove_directory(void)
{
	remove_files();
	rmdir(directory);
}

static void start_empty(void)
{
	if (!directory[0]) {
		snprintf(directory, sizeof(directory), "/tmp/cloche-test-policy-XXXXXX");
		CHECK(mkdtemp(directory) != NULL);
		atexit(remove_directory);
	}
	remove_files();
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
}

static void write_policy(const char *name)
{
	char file[80], text[128];

	snprintf(file, sizeof(file), "%s.json", name);
	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"%s\"}", name);
	write_file(file, text);
}

static void free_policies(struct policy **policies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		policy_unref(policies[i]);
	free(policies);
}

static void check_refused(int expected, const char *name, const char *place, const char *sentence)
{
	struct policy **policies = NULL;
	struct failure why = {0};
	char location[160];
	size_t n = 99;

	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, &why), expected);
	CHECK(policies == NULL && n == 99);
	CHECK_TEXT(why.sentence, sentence);
	snprintf(location, sizeof(location), "%s%s", path_of(name), place);
	CHECK_TEXT(why.location, location);
}

TEST(load_reads_all_policies_in_order_of_name)
{
	struct policy **policies;
	size_t n;

	start_empty();
	write_policy("web");
	write_policy("deny-all");
	write_policy("a");
	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, NULL), 0);
	CHECK_INT(n, 3);
	CHECK_TEXT(policies[0]->name, "a");
	CHECK_TEXT(policies[1]->name, "deny-all");
	CHECK_TEXT(policies[2]->name, "web");
	free_policies(policies, n);
}

TEST(load_passes_over_what_is_no_policy)
{
	struct policy **policies;
	size_t n;

	start_empty();
	write_policy("deny-all");
	write_file("web.test.json", "not a policy");
	write_file("web.schema.json", "not a policy");
	write_file(".hidden.json", "not a policy");
	write_file("README.md", "not a policy");
	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, NULL), 0);
	CHECK_INT(n, 1);
	free_policies(policies, n);
}

TEST(load_takes_all_or_nothing)
{
	start_empty();
	write_policy("deny-all");
	write_policy("a");
	write_file("b.json", "{\"version\": 1,\n \"name\": \"b\", \"netwrk\": {}}");
	check_refused(-EINVAL, "b.json", ":2:15: /netwrk",
		"There is no key \"netwrk\" here; did you mean \"network\"?");
}

TEST(load_finds_what_a_policy_extends)
{
	struct policy **policies;
	size_t n;

	start_empty();
	write_policy("deny-all");
	write_file("a.json", "{\"version\":1,\"name\":\"a\",\"extends\":\"web\","
			     "\"network\":{\"allow\":[{\"name\":\"a.example.org\"}]}}");
	write_file("web.json", "{\"version\":1,\"name\":\"web\",\"resources\":{\"pids\":7},"
			       "\"network\":{\"allow\":[{\"name\":\"b.example.org\"}]}}");
	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, NULL), 0);
	CHECK_INT(n, 3);
	CHECK_INT(policies[0]->n_rules, 2);
	CHECK_TEXT(policies[0]->rules[0].name, "a.example.org");
	CHECK_TEXT(policies[0]->rules[1].name, "b.example.org");
	CHECK_INT(policies[0]->limits.pids, 7);
	CHECK_INT(policies[2]->n_rules, 1);
	free_policies(policies, n);
}

TEST(load_refuses_a_base_that_is_not_there)
{
	start_empty();
	write_policy("deny-all");
	write_file("a.json", "{\"version\": 1, \"name\": \"a\",\n \"extends\": \"deny-al\"}");
	check_refused(-EINVAL, "a.json", ":2:2: /extends",
		"There is no policy \"deny-al\" to extend; did you mean \"deny-all\"?");
	/* What is passed over as a policy is no base either. */
	write_file(".hidden.json", "{\"version\": 1, \"name\": \"hidden\"}");
	write_file("a.json", "{\"version\": 1, \"name\": \"a\",\n \"extends\": \"hidden\"}");
	check_refused(-EINVAL, "a.json", ":2:2: /extends",
		"There is no policy \"hidden\" to extend; it would be hidden.json in the same "
		"directory.");
}

TEST(load_names_the_place_in_the_base)
{
	start_empty();
	write_policy("deny-all");
	write_file("a.json", "{\"version\": 1, \"name\": \"a\", \"extends\": \"b\"}");
	write_file("b.json", "{\"version\": 1, \"name\": \"b\",\n \"network\": {\"allow\": [{}]}}");
	check_refused(-EINVAL, "b.json", ":2:24: /network/allow/0",
		"The rule has no \"name\" and no \"cidr\"; write what it allows.");
}

TEST(load_wants_the_file_named_as_its_policy)
{
	start_empty();
	write_policy("deny-all");
	write_file("a.json", "{\"version\": 1,\n \"name\": \"aa\"}");
	check_refused(-EINVAL, "a.json", ":2:2: /name",
		"The policy's name is \"aa\", so its file must be \"aa.json\".");
	write_file("a.json", "{\"version\": 1,\n \"name\": \"b\"}");
	check_refused(-EINVAL, "a.json", ":2:2: /name",
		"The policy's name is \"b\", so its file must be \"b.json\".");
}

TEST(load_refuses_a_directory_without_deny_all)
{
	start_empty();
	write_policy("web");
	check_refused(-ENOENT, "deny-all.json", "",
		"There is no policy \"deny-all\", which binds tenants that have no other; install "
		"the "
		"one that comes with Cloche.");
}

TEST(load_does_not_wait_for_a_fifo)
{
	start_empty();
	write_policy("deny-all");
	CHECK_INT(mkfifo(path_of("fifo.json"), 0600), 0);
	check_refused(-EINVAL, "fifo.json", "", "This is not a plain file.");
}

TEST(load_refuses_a_directory_named_as_a_policy)
{
	start_empty();
	write_policy("deny-all");
	CHECK_INT(mkdir(path_of("dir.json"), 0700), 0);
	check_refused(-EINVAL, "dir.json", "", "This is not a plain file.");
}

TEST(load_follows_links_inside_the_directory_and_none_that_lead_out)
{
	struct policy **policies = NULL;
	char kept[128];
	size_t n = 0;

	start_empty();
	write_policy("deny-all");
	write_policy("web");
	snprintf(kept, sizeof(kept), "%s", path_of(".hidden.json"));
	CHECK_INT(rename(path_of("web.json"), kept), 0);
	CHECK_INT(symlink(".hidden.json", path_of("web.json")), 0);
	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, NULL), 0);
	CHECK_INT(n, 2);
	while (n > 0)
		policy_unref(policies[--n]);
	free(policies);
	CHECK_INT(symlink("/etc/passwd", path_of("out.json")), 0);
	check_refused(-EXDEV, "out.json", "",
		"This is a symbolic link that leads out of the directory; put the file itself "
		"here.");
}

TEST(load_refuses_a_file_that_is_too_large)
{
	int fd;

	start_empty();
	write_policy("deny-all");
	fd = open(path_of("web.json"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(ftruncate(fd, POLICY_FILE_BYTES_MAX + 1), 0);
	close(fd);
	check_refused(-E2BIG, "web.json", "", "The file is larger than 8 MiB.");
}

TEST(load_names_the_directory_that_is_absent)
{
	struct policy **policies = NULL;
	struct failure why = {0};
	size_t n;

	CHECK_INT(policy_load_dir("/tmp/absent/cloche", NULL, &policies, &n, &why), -ENOENT);
	CHECK_TEXT(why.sentence, "The directory cannot be opened: No such file or directory.");
	CHECK_TEXT(why.location, "/tmp/absent/cloche");
}

static int level_of(const char *name)
{
	return strcmp(name, "ptrace") == 0 ? -ENOENT : POLICY_CALL_STRICT;
}

static bool name_at(unsigned int number, char ret_name[POLICY_CALL_NAME_SIZE])
{
	strcpy(ret_name, "mount");
	return number == 7;
}

TEST(load_asks_whether_a_system_call_is_known)
{
	static const struct policy_calls calls = {level_of, name_at};
	struct policy **policies = NULL;
	struct failure why = {0};
	size_t n = 0;

	start_empty();
	write_file("deny-all.json", "{\"version\": 1, \"name\": \"deny-all\",\n"
				    " \"syscalls\": {\"deny\": [\"mount\", \"ptrace\"]}}");
	CHECK_INT(policy_load_dir(directory, &calls, &policies, &n, &why), -EINVAL);
	CHECK(strstr(why.location, "deny-all.json:2:33: /syscalls/deny/1") != NULL);
	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, &why), 0);
	free_policies(policies, n);
}

static const struct policy *find(struct policy **policies, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	CHECK_FAIL("%s is not shipped", name);
}

TEST(load_reads_the_policies_that_are_shipped)
{
	struct policy **policies;
	struct failure why = {0};
	const struct policy *deny_all;
	size_t n;

	if (policy_load_dir("policies", NULL, &policies, &n, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	CHECK(n >= 7);
	deny_all = find(policies, n, "deny-all");
	CHECK_INT(deny_all->n_rules, 0);
	CHECK_INT(find(policies, n, "offline-build")->n_rules, 0);
	CHECK_INT(find(policies, n, "internal-service")->n_rules, 3);
	CHECK_INT(find(policies, n, "public-web")->n_rules, 2);
	CHECK_TEXT(find(policies, n, "python-pip")->rules[1].name, "files.pythonhosted.org");
	CHECK_TEXT(find(policies, n, "node-npm")->rules[0].name, "registry.npmjs.org");
	CHECK_TEXT(find(policies, n, "git-clone")->rules[0].name, "github.com");
	for (size_t i = 0; i < n; i++)
		CHECK(policies[i]->description[0] != '\0');
	free_policies(policies, n);
}

TEST(load_takes_an_overlay_for_the_file_and_what_extends_it)
{
	static const char good[] = "{\"version\": 1, \"name\": \"web\", \"description\": \"new\"}";
	const struct policy_overlay web = {"web", good, sizeof(good) - 1},
				    fresh = {"fresh", good, sizeof(good) - 1},
				    outside = {"../web", good, sizeof(good) - 1};
	struct policy **policies = NULL;
	struct failure why = {0};
	size_t n;

	start_empty();
	write_policy("deny-all");
	write_policy("web");
	write_file("upon.json", "{\"version\": 1, \"name\": \"upon\", \"extends\": \"web\"}");
	CHECK_INT(policy_load_dir_with(directory, NULL, &web, &policies, &n, &why), 0);
	CHECK_INT(n, 3);
	CHECK_TEXT(find(policies, n, "web")->description, "new");
	CHECK_TEXT(find(policies, n, "web")->text, good);
	CHECK_INT(strlen(find(policies, n, "web")->file_hash), 64);
	CHECK(strcmp(find(policies, n, "web")->file_hash, find(policies, n, "upon")->file_hash));
	free_policies(policies, n);
	/* Its name must be the one that it is put under. */
	CHECK_INT(policy_load_dir_with(directory, NULL, &fresh, &policies, &n, &why), -EINVAL);
	CHECK_INT(policy_load_dir_with(directory, NULL, &outside, &policies, &n, &why), -EINVAL);
	CHECK_INT(policy_load_dir(directory, NULL, &policies, &n, NULL), 0);
	CHECK_TEXT(find(policies, n, "web")->description, "");
	free_policies(policies, n);
}

TEST(load_over_policies_takes_their_texts_and_not_the_directory)
{
	static const char good[] = "{\"version\": 1, \"name\": \"web\", \"description\": \"new\"}";
	static const char loop[] = "{\"version\": 1, \"name\": \"web\", \"extends\": \"upon\"}";
	const struct policy_overlay web = {"web", good, sizeof(good) - 1},
				    broken = {"web", loop, sizeof(loop) - 1},
				    outside = {"../web", good, sizeof(good) - 1};
	struct policy **present = NULL, **policies = NULL;
	struct failure why = {0};
	size_t n_present, n;

	start_empty();
	write_policy("deny-all");
	write_file("web.json", "{\"version\": 1, \"name\": \"web\"}");
	write_file("upon.json", "{\"version\": 1, \"name\": \"upon\", \"extends\": \"web\"}");
	CHECK_INT(policy_load_dir(directory, NULL, &present, &n_present, &why), 0);
	/* What somebody writes there meanwhile is nobody's business here. */
	write_file("upon.json", "{\"version\": 1, \"name\": \"upon\", \"description\": \"x\"}");
	CHECK_INT(policy_load_over(present, n_present, NULL, &web, &policies, &n, &why), 0);
	CHECK_INT(n, 3);
	CHECK_TEXT(find(policies, n, "web")->description, "new");
	CHECK_TEXT(find(policies, n, "upon")->description, "");
	CHECK_TEXT(find(policies, n, "upon")->hash, find(present, n, "upon")->hash);
	free_policies(policies, n);
	CHECK_INT(
		policy_load_over(present, n_present, NULL, &broken, &policies, &n, &why), -EINVAL);
	CHECK_INT(
		policy_load_over(present, n_present, NULL, &outside, &policies, &n, &why), -EINVAL);
	free_policies(present, n_present);
}
