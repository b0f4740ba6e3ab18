/* Acts: read, written again, refused with a sentence, and judged. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/policy/acts/trial.h"

static int level_of(const char *name)
{
	static const char *const others[] = {"socket", "ioctl", "mmap", "kill", "close", "open"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i]) == 0)
			return POLICY_CALL_STRICT;
	return strcmp(name, "ptrace") == 0 ? POLICY_CALL_DEBUG : -ENOENT;
}

static bool name_at(unsigned int number, char ret_name[POLICY_CALL_NAME_SIZE])
{
	strcpy(ret_name, "ptrace");
	return number == 0;
}

static const struct policy_calls few_calls = {level_of, name_at};

/* Rows of what is read and how it is written then; NULL: not at all. */
static void check_written(const char *const rows[][2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[POLICY_ACT_TEXT_SIZE];
		struct policy_act act;
		int r = policy_act_parse(rows[i][0], &few_calls, &act, NULL);

		if (r != (rows[i][1] ? 0 : -EINVAL))
			CHECK_FAIL("\"%s\" gives %d", rows[i][0], r);
		if (r == 0)
			CHECK_TEXT(policy_act_format(&act, text), rows[i][1]);
	}
}

TEST(act_is_written_as_it_is_read)
{
	static const char *const rows[][2] = {
		{"connect pypi.org:443", "connect pypi.org:443"},
		{"connect  PyPI.org.:443", "connect pypi.org:443"},
		{"connect 203.0.113.7:1", "connect 203.0.113.7:1"},
		{"connect ::1:1", NULL},
		{"connect 203.0.113.7.:1", NULL},
		{"connect 127.1:1", NULL},
		{"resolve a.0x7f", NULL},
		{"resolve 4.example.org", "resolve 4.example.org"},
		{"connect [2001:DB8::1]:65535", "connect [2001:db8::1]:65535"},
		{"connect [::ffff:203.0.113.7]:80", "connect 203.0.113.7:80"},
		{"send 203.0.113.7:123", "send 203.0.113.7:123"},
		{"send ntp.example.org:123", "send ntp.example.org:123"},
		{"resolve pypi.org", "resolve pypi.org"},
		{"resolve Example.org.  MX", "resolve example.org MX"},
		{"resolve _sip._tcp.example.org SRV", "resolve _sip._tcp.example.org SRV"},
		{"resolve example.org TXT", "resolve example.org TXT"},
		{"resolve example.org A", "resolve example.org A"},
		{"resolve example.org AAAA", "resolve example.org AAAA"},
		{"resolve example.org HTTPS", "resolve example.org HTTPS"},
		{"resolve example.org mx", NULL},
		{"resolve example.org NS", NULL},
		{"resolve example.org MX MX", NULL},
		{"resolve example.org ", NULL},
		{"read /", "read /"},
		{"read  /etc/Pass Wd", "read /etc/Pass Wd"},
		{"write /procedure", "write /procedure"},
		{"write", NULL},
		{"write etc", NULL},
		{"write /a/", NULL},
		{"write /a/../b", NULL},
		{"read /proc/1/mem", NULL},
		{"read /dev", NULL},
		{"inbound 8000", "inbound 8000"},
		{"syscall ptrace", "syscall ptrace"},
		{"syscall socket  AF_LOCAL 0x2", "syscall socket 0=AF_UNIX 1=SOCK_DGRAM"},
		{"syscall ioctl 1=21522", "syscall ioctl 1=TIOCSTI"},
		{"syscall ioctl 1=0x100005412 0=9", "syscall ioctl 0=9 1=0x100005412"},
		{"syscall mmap 4096 2=PROT_EXEC|PROT_WRITE 0o22",
			"syscall mmap 0=0x1000 2=PROT_EXEC|PROT_WRITE 3=MAP_PRIVATE|MAP_FIXED"},
		{"syscall open 1=67777",
			"syscall open 1=O_WRONLY|O_CREAT|O_EXCL|O_NONBLOCK|O_DIRECTORY"},
		{"syscall open 1=O_WRONLY|O_CREAT|O_EXCL|O_NONBLOCK|O_DIRECTORY",
			"syscall open 1=O_WRONLY|O_CREAT|O_EXCL|O_NONBLOCK|O_DIRECTORY"},
		{"syscall kill -1 SIGKILL", "syscall kill 0=-1 1=SIGKILL"},
		{"syscall close -1", "syscall close 0=0xffffffffffffffff"},
		{"use memory 1048576", "use memory 1MiB"},
		{"execute /usr/bin/git", "execute /usr/bin/git"},
		{"execute  /", "execute /"},
		{"execute git", NULL},
		{"execute /dev/null", NULL},
		{"execute", NULL},
		{"use disk 1000", "use disk 1000"},
		{"use cpu  1.5", "use cpu 1.5"},
		{"use cpu 2", "use cpu 2"},
		{"use connections 1000", "use connections 1000"},
		{"use auto_stop 90m", "use auto_stop 90m"},
		{"use time_to_live 7d", "use time_to_live 7d"},
		{"use auto_stop 90", NULL},
		{"use bytes_in -1", NULL},
		{"use pids 4294967296", NULL},
		{"use memory", NULL},
		{"use \xff 1", NULL},
		{"use memory \xff", NULL},
		{"omit API_KEY", "omit API_KEY"},
		{"omit API-KEY", NULL},
		{"omit", NULL},
	};

	check_written(rows, ARRAY_SIZE(rows));
}

TEST(act_on_a_device_is_written_as_it_is_read)
{
	static const char *const rows[][2] = {
		{"open /dev/ptmx", "open /dev/ptmx"},
		{"open  /dev/null", "open /dev/null"},
		{"open /dev/kvm", NULL},
		{"open /dev/nul", NULL},
		{"open /dev/nulls", NULL},
		{"open /dev/", NULL},
		{"open ptmx", NULL},
		{"open", NULL},
	};

	check_written(rows, ARRAY_SIZE(rows));
}

#define CALL_EXAMPLES                                                                              \
	" Write, for example, \"syscall socket AF_VSOCK\" or \"syscall ioctl 1=0x5412\"."

TEST(act_with_arguments_that_make_no_sense_is_refused)
{
	static const char *const rows[][2] = {
		{"syscall socket AF_VSOKC", "There is no such constant for this argument."},
		{"syscall close AF_UNIX", "There is no such constant for this argument."},
		{"syscall ioctl 6=1", "A call has arguments 0 to 5."},
		{"syscall ioctl 5=1 2", "A call has arguments 0 to 5."},
		{"syscall ioctl 1 0=2", "An argument is there twice."},
		{"syscall ioctl 1=", "A value is a number of 64 bits or the name of a constant."},
		{"syscall ioctl 1=0x10000000000000000",
			"A value is a number of 64 bits or the name of a constant."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct failure why = {0};
		struct policy_act act;
		char expected[256];

		CHECK_INT(policy_act_parse(rows[i][0], &few_calls, &act, &why), -EINVAL);
		snprintf(expected, sizeof(expected), "%s" CALL_EXAMPLES, rows[i][1]);
		CHECK_TEXT(why.sentence, expected);
	}
}

TEST(act_that_makes_no_sense_is_refused_with_an_example)
{
	static const char *const rows[][2] = {
		{"", "An act begins with connect, send, resolve, inbound, syscall, read, write, "
		     "open, execute, use or omit, as in \"connect pypi.org:443\"."},
		{"conect pypi.org:443",
			"An act begins with connect, send, resolve, inbound, "
			"syscall, read, write, open, execute, use or omit, as in \"connect "
			"pypi.org:443\"."},
		{"resolve a.org PTR", "Behind the name stands nothing, or a type: A, AAAA, MX, "
				      "SRV, TXT or HTTPS. Write, for example, \"resolve "
				      "pypi.org\"."},
		{"read a", "A path is absolute, without \"//\", \".\", \"..\" and no / at its end. "
			   "Write, for example, \"read /etc/passwd\"."},
		{"write /sys/x", "What is at /proc, /sys and /dev no policy decides on. Write, for "
				 "example, \"write /workspace/out\"."},
		{"open /dev/sda", "A sandbox has the devices null, zero, full, random, urandom, "
				  "tty and ptmx in /dev at most. Write, for example, \"open "
				  "/dev/ptmx\"."},
		{"execute git", "A path is absolute, without \"//\", \".\", \"..\" and no / at its "
				"end. Write, for example, \"execute /usr/bin/git\"."},
		{"connect", "A port from 1 to 65535 is missing after a colon. Write, for example, "
			    "\"connect pypi.org:443\"."},
		{"connect pypi.org", "A port from 1 to 65535 is missing after a colon. Write, for "
				     "example, \"connect pypi.org:443\"."},
		{"connect pypi.org:0", "A port from 1 to 65535 is missing after a colon. Write, "
				       "for example, \"connect pypi.org:443\"."},
		{"connect pypi.org:65536", "A port from 1 to 65535 is missing after a colon. "
					   "Write, for example, \"connect pypi.org:443\"."},
		{"connect 2001:db8::1:443", "An IPv6 address stands in []. Write, for example, "
					    "\"connect pypi.org:443\"."},
		{"connect [pypi.org]:443", "What stands in [] is no address. Write, for example, "
					   "\"connect pypi.org:443\"."},
		{"connect 10.0.0.0/8:443", "This is neither a host's name nor an address. Write, "
					   "for example, \"connect pypi.org:443\"."},
		{"connect -a.org:443", "This is neither a host's name nor an address. Write, for "
				       "example, \"connect pypi.org:443\"."},
		{"resolve *.org", "This is no host's name. Write, for example, \"resolve "
				  "pypi.org\"."},
		{"inbound http", "A port is a number from 1 to 65535. Write, for example, "
				 "\"inbound 8000\"."},
		{"syscall ptarce", "There is no such system call. Write, for example, \"syscall "
				   "ptrace\"."},
		{"use sugar 1", "What is used is a key of resources, budgets or lifecycle and how "
				"much of it. Write, for example, \"use memory 512MiB\"."},
		{"use memory 4GB", "\"4GB\" is no size; did you mean \"4GiB\"? Units are KiB, "
				   "MiB, GiB and TiB, of 1024."},
		{"omit 1A", "This is no name of a variable. Write, for example, \"omit "
			    "OPENAI_API_KEY\"."},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct failure why = {0};
		struct policy_act act;

		CHECK_INT(policy_act_parse(rows[i][0], &few_calls, &act, &why), -EINVAL);
		CHECK_TEXT(why.sentence, rows[i][1]);
	}
}

static const char document[] =
	"{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":["
	"{\"name\":\"pypi.org\",\"ports\":[443],\"tls\":\"require\"},"
	"{\"cidr\":\"203.0.113.0/24\",\"ports\":[\"8000-8010\"]},"
	"{\"cidr\":\"0.0.0.0/0\",\"ports\":[443]},"
	"{\"name\":\"db.corp\",\"ports\":[5432],\"tls\":\"passthrough\",\"private\":true},"
	"{\"cidr\":\"203.0.113.0/24\",\"ports\":[123],\"protocol\":\"udp\"}],"
	"\"inbound\":{\"ports\":[8000]}},\"syscalls\":{\"deny\":[\"ptrace\"]}}";

static void check_opinion(const struct policy_trial *trial, const char *text, bool allowed,
	enum policy_layer layer, uint16_t rule)
{
	struct policy_opinion opinion;
	struct policy_act act;

	CHECK_INT(policy_act_parse(text, NULL, &act, NULL), 0);
	opinion = policy_trial_judge(trial, &act);
	if (opinion.allowed != allowed || opinion.layer != layer || opinion.rule != rule)
		CHECK_FAIL("\"%s\": allowed %d layer %d rule %u", text, opinion.allowed,
			opinion.layer, opinion.rule);
}

TEST(trial_sends_queries_to_the_sandboxs_own_resolver)
{
	static const char text[] = "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":["
				   "{\"cidr\":\"203.0.113.0/24\",\"ports\":[53]}]}}";
	struct policy_trial *trial = NULL;
	struct policy *policy = NULL;
	struct policy_opinion opinion;
	struct policy_act act;

	CHECK_INT(policy_parse(text, strlen(text), "x", NULL, &policy, NULL), 0);
	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	CHECK_INT(policy_act_parse("connect 198.51.100.1:53", NULL, &act, NULL), 0);
	opinion = policy_trial_judge(trial, &act);
	CHECK(opinion.allowed);
	CHECK_INT(opinion.reason, ABI_REASON_RESOLVER);
	policy_trial_free(trial);
	policy_unref(policy);
}

TEST(trial_judges_as_sandbox_would_fare)
{
	struct policy_trial *trial = NULL;
	struct policy *policy = NULL;
	struct policy_opinion opinion;
	struct policy_act act;

	CHECK_INT(policy_parse(document, strlen(document), "x", NULL, &policy, NULL), 0);
	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	check_opinion(trial, "connect pypi.org:443", true, POLICY_LAYER_KERNEL, 0);
	check_opinion(trial, "connect pypi.org:80", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "connect evil.org:443", false, POLICY_LAYER_RESOLVER, ABI_RULE_NONE);
	check_opinion(trial, "resolve pypi.org", true, POLICY_LAYER_RESOLVER, 0);
	check_opinion(trial, "resolve a.pypi.org", false, POLICY_LAYER_RESOLVER, ABI_RULE_NONE);
	check_opinion(trial, "connect db.corp:5432", true, POLICY_LAYER_KERNEL, 3);
	check_opinion(trial, "connect 203.0.113.9:8005", true, POLICY_LAYER_KERNEL, 1);
	check_opinion(trial, "connect 203.0.113.9:8011", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "connect 8.8.8.8:443", true, POLICY_LAYER_KERNEL, 2);
	check_opinion(
		trial, "connect 169.254.169.254:443", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "connect 10.0.0.1:443", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "connect 198.18.1.0:443", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "connect 127.0.0.1:80", true, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "send 203.0.113.9:123", true, POLICY_LAYER_KERNEL, 4);
	check_opinion(trial, "connect 203.0.113.9:123", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "send 203.0.113.9:8005", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "send pypi.org:443", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "send 203.0.113.9:123", true, POLICY_LAYER_KERNEL, 4);
	check_opinion(trial, "connect 203.0.113.9:123", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "send 203.0.113.9:8005", false, POLICY_LAYER_KERNEL, ABI_RULE_NONE);
	check_opinion(trial, "inbound 8000", true, POLICY_LAYER_PREVIEW, ABI_RULE_NONE);
	check_opinion(trial, "inbound 8001", false, POLICY_LAYER_PREVIEW, ABI_RULE_NONE);
	check_opinion(trial, "syscall ptrace", false, POLICY_LAYER_SECCOMP, ABI_RULE_NONE);
	check_opinion(trial, "syscall read", true, POLICY_LAYER_SECCOMP, ABI_RULE_NONE);

	CHECK_INT(policy_act_parse("connect db.corp:5432", NULL, &act, NULL), 0);
	opinion = policy_trial_judge(trial, &act);
	CHECK(opinion.has_terms && opinion.is_private);
	CHECK_INT(opinion.tls, POLICY_TLS_PASSTHROUGH);
	policy_trial_free(trial);
	policy_unref(policy);
}

TEST(a_call_is_judged_by_its_level)
{
	static const struct {
		const char *syscalls;
		bool allowed;
	} rows[] = {
		{"", false},
		{",\"syscalls\":{\"profile\":\"debug\"}", true},
		{",\"syscalls\":{\"profile\":\"strict\",\"allow\":[\"ptrace\"]}", true},
		{",\"syscalls\":{\"profile\":\"debug\",\"deny\":[\"ptrace\"]}", false},
	};
	const struct policy_context context = {.calls = &few_calls};
	struct policy_act act;

	CHECK_INT(policy_act_parse("syscall ptrace", &few_calls, &act, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_trial *trial = NULL;
		struct policy *policy = NULL;
		char text[256];

		snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"x\"%s}", rows[i].syscalls);
		CHECK_INT(policy_parse(text, strlen(text), "x", &context, &policy, NULL), 0);
		CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
		CHECK(policy_trial_judge(trial, &act).allowed == rows[i].allowed);
		policy_trial_free(trial);
		policy_unref(policy);
	}
}

TEST(what_is_used_fits_up_to_the_bound)
{
	static const char text[] =
		"{\"version\":1,\"name\":\"x\",\"resources\":{\"memory\":\"1GiB\",\"disk\":"
		"\"2GiB\",\"cpu\":1.5,\"pids\":50,\"open_files\":60},\"budgets\":{\"bytes_out\":"
		"\"1MiB\",\"bytes_in\":\"2MiB\",\"connections\":7,\"dns_queries\":8},"
		"\"lifecycle\":{\"time_to_live\":\"8h\",\"auto_stop\":\"30m\"},"
		"\"secrets\":[\"KEY\"]}";
	static const struct {
		const char *act;
		bool allowed;
	} rows[] = {
		{"use memory 1GiB", true},
		{"use memory 1073741825", false},
		{"use disk 2GiB", true},
		{"use disk 2147483649", false},
		{"use cpu 1.5", true},
		{"use cpu 1.501", false},
		{"use pids 50", true},
		{"use pids 51", false},
		{"use open_files 60", true},
		{"use open_files 61", false},
		{"use bytes_out 1MiB", true},
		{"use bytes_out 1048577", false},
		{"use bytes_in 2MiB", true},
		{"use bytes_in 2097153", false},
		{"use connections 7", true},
		{"use connections 8", false},
		{"use dns_queries 8", true},
		{"use dns_queries 9", false},
		{"use time_to_live 8h", true},
		{"use time_to_live 8h1s", false},
		{"use auto_stop 30m", true},
		{"use auto_stop 31m", false},
		{"omit KEY", false},
		{"omit KEYS", true},
	};
	struct policy_trial *trial = NULL;
	struct policy *policy = NULL;

	CHECK_INT(policy_parse(text, strlen(text), "x", NULL, &policy, NULL), 0);
	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum policy_layer layer =
			rows[i].act[0] == 'u' ? POLICY_LAYER_LIMITS : POLICY_LAYER_REQUEST;

		check_opinion(trial, rows[i].act, rows[i].allowed, layer, ABI_RULE_NONE);
	}
	policy_trial_free(trial);
	policy_unref(policy);
}

struct row {
	const char *act;
	bool allowed;
	uint16_t rule;
};

static void check_rows(const char *text, enum policy_layer layer, const struct row *rows, size_t n)
{
	struct policy_trial *trial = NULL;
	struct policy *policy = NULL;

	CHECK_INT(policy_parse(text, strlen(text), "x", NULL, &policy, NULL), 0);
	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	for (size_t i = 0; i < n; i++)
		check_opinion(trial, rows[i].act, rows[i].allowed, layer, rows[i].rule);
	policy_trial_free(trial);
	policy_unref(policy);
}

TEST(the_longest_path_around_a_file_decides)
{
	static const char text[] =
		"{\"version\":1,\"name\":\"x\",\"files\":{\"read_only\":[\"/\",\"/w/lib\"],"
		"\"writable\":[\"/w\",\"/w/lib/tmp\"],\"hidden\":[\"/usr/secret\",\"/w/key\"]}}";
	static const struct row rows[] = {
		{"read /", true, ABI_RULE_NONE},
		{"write /", false, ABI_RULE_NONE},
		{"write /usr/x", false, ABI_RULE_NONE},
		{"read /usr/x", true, ABI_RULE_NONE},
		{"write /w", true, ABI_RULE_NONE},
		{"write /w/a/b", true, ABI_RULE_NONE},
		{"write /wide", false, ABI_RULE_NONE},
		{"write /w/lib", false, ABI_RULE_NONE},
		{"write /w/library", true, ABI_RULE_NONE},
		{"write /w/lib/tmp/x", true, ABI_RULE_NONE},
		{"read /usr/secret", false, ABI_RULE_NONE},
		{"read /usr/secret/a", false, ABI_RULE_NONE},
		{"write /usr/secret/a", false, ABI_RULE_NONE},
		{"read /usr/secrets", true, ABI_RULE_NONE},
		{"read /w/key", false, ABI_RULE_NONE},
		{"write /w/key", false, ABI_RULE_NONE},
		{"write /w/keys", true, ABI_RULE_NONE},
	};
	static const struct row without[] = {
		{"write /usr/x", true, ABI_RULE_NONE},
		{"read /usr/secret", true, ABI_RULE_NONE},
	};

	check_rows(text, POLICY_LAYER_MOUNTS, rows, ARRAY_SIZE(rows));
	check_rows("{\"version\":1,\"name\":\"x\"}", POLICY_LAYER_MOUNTS, without,
		ARRAY_SIZE(without));
}

TEST(records_are_told_by_a_rule_that_names_their_type)
{
	static const char text[] = "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":["
				   "{\"name\":\"example.org\"},"
				   "{\"name\":\"example.org\",\"records\":[\"MX\",\"TXT\"]},"
				   "{\"name\":\"_sip._tcp.example.net\",\"records\":[\"SRV\"]},"
				   "{\"name\":\"*.example.com\"}]}}";
	static const struct row rows[] = {
		{"resolve example.org", true, 0},
		{"resolve example.org A", true, 0},
		{"resolve example.org AAAA", true, 0},
		{"resolve example.org HTTPS", false, ABI_RULE_NONE},
		{"resolve example.org MX", true, 1},
		{"resolve example.org TXT", true, 1},
		{"resolve example.org SRV", false, ABI_RULE_NONE},
		{"resolve a.example.org MX", false, ABI_RULE_NONE},
		{"resolve _sip._tcp.example.net SRV", true, 2},
		{"resolve _sip._tcp.example.net TXT", false, ABI_RULE_NONE},
		{"resolve _sip._tcp.example.net", false, ABI_RULE_NONE},
		{"resolve a.example.com A", true, 3},
		{"resolve a.example.com MX", false, ABI_RULE_NONE},
	};

	check_rows(text, POLICY_LAYER_RESOLVER, rows, ARRAY_SIZE(rows));
}

TEST(what_has_no_bound_may_be_used)
{
	static const char text[] = "{\"version\":1,\"name\":\"x\"}";
	struct policy_trial *trial = NULL;
	struct policy *policy = NULL;

	CHECK_INT(policy_parse(text, strlen(text), "x", NULL, &policy, NULL), 0);
	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	check_opinion(trial, "use bytes_out 1TiB", true, POLICY_LAYER_LIMITS, ABI_RULE_NONE);
	check_opinion(trial, "use time_to_live 366d", true, POLICY_LAYER_LIMITS, ABI_RULE_NONE);
	check_opinion(trial, "use memory 1TiB", false, POLICY_LAYER_LIMITS, ABI_RULE_NONE);
	policy_trial_free(trial);
	policy_unref(policy);
}
