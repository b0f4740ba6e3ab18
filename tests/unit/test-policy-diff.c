/* What a change of a policy means: by what it allows, not by how it is written. */
#include "tests/harness/check.h"

#include <stdio.h>

#include "supervisor/policy/diff/diff.h"

static char told[4096];

static void tell(const struct policy_change *change, void *userdata _unused_)
{
	static const char *const signs[] = {"+", "-", "=", "~"};
	size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%s%s %s\n", signs[change->kind],
		change->section, change->what);
}

static struct policy *parse(const char *rest)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[4096];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"x\"%s%s}", *rest ? "," : "", rest);
	if (policy_parse(text, strlen(text), "x", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	return policy;
}

static void check_diff(const char *before, const char *after, const char *expected)
{
	struct policy *a = parse(before), *b = parse(after);

	told[0] = '\0';
	CHECK_INT(policy_diff(a, b, tell, NULL, NULL), 0);
	CHECK_TEXT(told, expected);
	policy_unref(a);
	policy_unref(b);
}

#define ALLOW(rules) "\"network\":{\"allow\":[" rules "]}"

TEST(diff_of_the_same_meaning_is_empty)
{
	check_diff("", "", "");
	check_diff(ALLOW("{\"cidr\":\"203.0.113.0/25\",\"ports\":[443]},"
			 "{\"cidr\":\"203.0.113.128/25\",\"ports\":[443]},"
			 "{\"name\":\"a.org\",\"description\":\"x\"}"),
		ALLOW("{\"name\":\"A.org.\",\"ports\":[443,80]},"
		      "{\"cidr\":\"203.0.113.0/25\",\"ports\":[\"443-443\"]},"
		      "{\"cidr\":\"203.0.113.128/25\",\"ports\":[443]}"),
		"");
	check_diff("\"resources\":{\"memory\":\"512MiB\"}", "", "");
}

TEST(diff_tells_addresses_and_ports_that_are_gained_and_lost)
{
	check_diff("", ALLOW("{\"cidr\":\"203.0.113.7\",\"ports\":[443]}"),
		"+network 203.0.113.7/32 tcp 443\n");
	check_diff(ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[443,80]}"),
		ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[443,\"8000-8010\"]}"),
		"+network 203.0.113.0/24 tcp 8000-8010\n-network 203.0.113.0/24 tcp 80\n");
}

TEST(diff_tells_what_stays_inside_what_changes)
{
	check_diff(ALLOW("{\"cidr\":\"203.0.113.64/26\",\"ports\":[443]}"),
		ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]}"),
		"+network 203.0.113.0/24 tcp 443\n=network 203.0.113.64/26 tcp\n");
	/* a wider rule that changes nothing for a narrower prefix that had it all */
	check_diff(ALLOW("{\"cidr\":\"203.0.113.0/24\"}"),
		ALLOW("{\"cidr\":\"203.0.113.0/24\"},{\"cidr\":\"203.0.113.7\",\"ports\":[1]}"),
		"");
}

TEST(diff_does_not_list_special_ranges_that_stay_closed)
{
	check_diff("", ALLOW("{\"cidr\":\"0.0.0.0/0\",\"ports\":[443]}"),
		"+network 0.0.0.0/0 tcp 443\n");
	check_diff(ALLOW("{\"cidr\":\"0.0.0.0/0\",\"ports\":[443]}"),
		ALLOW("{\"cidr\":\"0.0.0.0/0\",\"ports\":[443]},"
		      "{\"cidr\":\"169.254.169.254\",\"ports\":[443]}"),
		"+network 169.254.169.254/32 tcp 443\n");
}

TEST(diff_tells_what_is_recorded_apart_from_what_is_allowed)
{
	check_diff("", "\"audit\":{\"syscalls\":\"none\",\"on_loss\":\"kill\"}",
		"~audit does not record the default system calls\n"
		"~audit on_loss: kill instead of log\n");
	check_diff("\"audit\":{\"syscalls\":[\"openat\"]}",
		"\"audit\":{\"syscalls\":[\"openat\",\"unlink\"]}", "~audit records unlink\n");
}

TEST(diff_tells_protocols_apart)
{
	check_diff(ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[53]}"),
		ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[53],\"protocol\":\"udp\"}"),
		"-network 203.0.113.0/24 tcp 53\n+network 203.0.113.0/24 udp 53\n");
}

TEST(diff_of_one_family_says_nothing_of_the_other)
{
	check_diff("",
		ALLOW("{\"cidr\":\"0.0.0.0/0\",\"ports\":[443]},"
		      "{\"cidr\":\"::/0\",\"ports\":[443]}"),
		"+network ::/0 tcp 443\n+network 0.0.0.0/0 tcp 443\n");
	check_diff(ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]}"),
		ALLOW("{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]},"
		      "{\"cidr\":\"::/0\",\"ports\":[443]}"),
		"+network ::/0 tcp 443\n");
}

TEST(diff_of_names_goes_by_the_rule_that_decides)
{
	check_diff(ALLOW("{\"name\":\"a.example.org\"}"), ALLOW("{\"name\":\"*.example.org\"}"),
		"+network *.example.org for TLS on 80, 443\n"
		"+network *.example.org for plain HTTP on 80, 443\n");
	check_diff(ALLOW("{\"name\":\"a.org\",\"ports\":[443]}"),
		ALLOW("{\"name\":\"a.org\",\"ports\":[443],\"tls\":\"require\"}"),
		"-network a.org for plain HTTP on 443\n");
	check_diff(ALLOW("{\"name\":\"a.org\",\"ports\":[443],\"tls\":\"require\"}"),
		ALLOW("{\"name\":\"a.org\",\"ports\":[443],\"tls\":\"require\",\"private\":true}"),
		"+network a.org for TLS, at private addresses on 443\n");
}

TEST(diff_of_amounts_says_which_way_they_go)
{
	check_diff("\"resources\":{\"memory\":\"512MiB\"}", "\"resources\":{\"memory\":\"1GiB\"}",
		"+resources memory: 1GiB instead of 512MiB\n");
	check_diff("\"resources\":{\"pids\":100}", "\"resources\":{\"pids\":50}",
		"-resources pids: 50 instead of 100\n");
	check_diff("", "\"budgets\":{\"connections\":5}",
		"-budgets connections: 5 instead of no limit\n");
	check_diff("\"budgets\":{\"connections\":5}", "",
		"+budgets connections: no limit instead of 5\n");
	check_diff("\"syscalls\":{\"profile\":\"strict\",\"allow\":[\"tee\",\"splice\"]}",
		"\"syscalls\":{\"allow\":[\"vmsplice\"],\"deny\":[\"tee\"]}",
		"+syscalls those of profile default instead of strict\n+syscalls vmsplice\n"
		"-syscalls tee\n-syscalls splice\n");
	check_diff("\"syscalls\":{\"deny\":[\"ptrace\"]}", "\"syscalls\":{\"deny\":[\"execveat\"]}",
		"+syscalls ptrace\n-syscalls execveat\n");
	check_diff("\"network\":{\"inbound\":{\"ports\":[8000]}}",
		"\"network\":{\"inbound\":{\"ports\":[\"8000-8001\"]}}", "+network inbound 8001\n");
}

TEST(diff_tells_records)
{
	check_diff(ALLOW("{\"name\":\"a.org\",\"records\":[\"MX\"]},{\"name\":\"b.org\","
			 "\"records\":[\"MX\"]}"),
		ALLOW("{\"name\":\"A.org\",\"records\":[\"TXT\",\"SRV\",\"MX\"]}"),
		"+network SRV, TXT records of a.org\n-network MX records of b.org\n");
}

TEST(rule_for_records_in_words)
{
	struct policy *policy = parse(ALLOW("{\"name\":\"a.org\",\"records\":[\"TXT\",\"MX\"]}"));
	char text[POLICY_RULE_TEXT_SIZE];

	CHECK_TEXT(policy_rule_format(&policy->rules[0], text), "MX, TXT records of a.org");
	policy_unref(policy);
}

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

TEST(diff_tells_executables)
{
	check_diff("", "\"executables\":{\"allow\":[\"/bin/a\",\"/bin/b\"]}",
		"-executables any program but the 2 that are listed\n");
	check_diff("\"executables\":{\"allow\":[]}", "",
		"+executables any program but the 0 that are listed\n");
	check_diff("\"executables\":{\"allow\":[\"/bin\",\"/opt/a\"]}",
		"\"executables\":{\"allow\":[\"/bin/a\",{\"path\":\"/opt/a\",\"sha256\":\"" ONES
		"\"},\"/opt/b\"],\"libraries\":[\"/usr/lib/x\",\"/usr/local/lib\",\"/opt\"],"
		"\"best_effort\":true}",
		"+executables /opt/b\n+executables libraries in /opt\n-executables /bin\n"
		"-executables /opt/a\n-executables libraries in /usr/lib\n"
		"-executables libraries in /usr/lib32\n-executables libraries in /usr/lib64\n"
		"+executables a sandbox without some of the paths, or without Landlock\n");
	check_diff("\"executables\":{\"allow\":[{\"path\":\"/a\",\"sha256\":\"" ONES "\"}]}",
		"\"executables\":{\"allow\":[\"/a\"]}", "+executables /a\n");
}

TEST(diff_tells_files_devices_life_and_secrets)
{
	check_diff(
		"\"files\":{\"read_only\":[\"/\"],\"writable\":[\"/tmp\"],\"hidden\":[\"/x\"]},"
		"\"devices\":[\"null\"],\"lifecycle\":{\"auto_stop\":\"1m\"},\"secrets\":[\"A\"]",
		"\"files\":{\"hidden\":[\"/tmp\"],\"read_only\":[\"/x\"]},\"devices\":[\"zero\"],"
		"\"lifecycle\":{\"time_to_live\":\"1h\",\"auto_stop\":\"2m\"},\"secrets\":[\"B\"]",
		"+files / writable instead of read-only\n"
		"-files /tmp hidden instead of writable\n"
		"+files /x read-only instead of hidden\n"
		"-devices null\n+devices zero\n"
		"-lifecycle time_to_live: 1h instead of no limit\n"
		"+lifecycle auto_stop: 2m instead of 1m\n"
		"+secrets a sandbox without A\n-secrets a sandbox without B\n");
}

/* First of all, since it counts more than all that follows. */
TEST(diff_tells_the_mode_before_all_else)
{
	check_diff(ALLOW("{\"cidr\":\"203.0.113.7\",\"ports\":[443]}"), "\"mode\":\"learn\"",
		"+mode learn instead of enforce: ALL that the tenant's and the template's policies "
		"allow; what follows is asked for the record alone, but for amounts and secrets\n"
		"-network 203.0.113.7/32 tcp 443\n");
	check_diff("\"mode\":\"learn\"", "",
		"-mode enforce instead of learn: all that the policy does not allow\n");
	check_diff("\"mode\":\"learn\"", "\"mode\":\"learn\"", "");
	check_diff("", "\"mode\":\"enforce\"", "");
}
