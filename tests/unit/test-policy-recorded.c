/* Lines of the log as acts: what counts, and what does not. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/policy/acts/tally.h"

static struct policy_recorded read_line(const char *line)
{
	struct policy_recorded record;

	CHECK_INT(policy_recorded_read(line, strlen(line), &record), 0);
	return record;
}

#define HEAD(type)                                                                                 \
	"{\"v\":1,\"seq\":7,\"time\":\"2026-11-27T10:00:00.000000000Z\",\"type\":\"" type          \
	"\",\"sandbox\":\"sb-00000000000000ff\","

#define CALL(name) HEAD("syscall." name) "\"syscall\":\"" name "\",\"number\":1,\"abi\":\"native\","

/* Each act of a line, denied ones with "!" before them; then what was passed over. */
static const char *describe(const char *line, char ret_text[1024])
{
	static const char *const reasons[POLICY_PASSED] = {
		"relative", "cut", "own", "failed", "unclear", "call", "answer"};
	struct policy_recorded record = read_line(line);
	size_t n = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; record.kind == POLICY_RECORDED_ACTS && i < record.n_acts; i++) {
		const struct policy_recorded_act *act = &record.acts[i];
		char text[POLICY_ACT_TEXT_SIZE];

		n += (size_t)snprintf(ret_text + n, 1024 - n, "%s%s%s%s%s", n ? "; " : "",
			act->allowed ? "" : "!", policy_act_format(&act->act, text),
			act->in_directory ? " in" : "", act->made_directory ? " made" : "");
	}
	for (size_t i = 0; i < POLICY_PASSED; i++)
		if (record.passed[i])
			n += (size_t)snprintf(ret_text + n, 1024 - n, "%s(%s %d)", n ? "; " : "",
				reasons[i], record.passed[i]);
	return ret_text;
}

TEST(record_of_a_query_says_whether_the_policy_allowed_it)
{
#define DNS(verdict, type, rest)                                                                   \
	HEAD("network.dns")                                                                        \
	"\"verdict\":\"" verdict "\",\"name\":\"a.org\",\"qtype\":" type rest "}"
	static const struct {
		const char *line, *acts;
	} rows[] = {
		{DNS("allow", "1", ",\"rcode\":0"), "resolve a.org"},
		{DNS("deny", "28", ",\"rcode\":5,\"extended_error\":15"), "!resolve a.org"},
		/* a flood; nobody to ask */
		{DNS("deny", "1", ",\"rcode\":5,\"extended_error\":18"), "(answer 1)"},
		{DNS("deny", "1", ",\"rcode\":2,\"extended_error\":0"), "(answer 1)"},
		{DNS("allow", "15", ",\"rcode\":0,\"records\":2"), "resolve a.org MX"},
		{DNS("allow", "33", ",\"rcode\":0,\"records\":1"), "resolve a.org SRV"},
		{DNS("deny", "16", ",\"rcode\":5,\"extended_error\":15"), "!resolve a.org TXT"},
		/* there is no such name, or nobody answers: it was asked for */
		{DNS("deny", "16", ",\"rcode\":3"), "resolve a.org TXT"},
		{DNS("deny", "16", ",\"rcode\":2,\"extended_error\":23"), "resolve a.org TXT"},
		{DNS("deny", "16", ",\"rcode\":2,\"extended_error\":0"), "(answer 1)"},
		{DNS("deny", "16", ",\"rcode\":5,\"extended_error\":18"), "(answer 1)"},
		/* no rule for the type, or no records */
		{DNS("allow", "15", ",\"rcode\":0"), "(answer 1)"},
		{DNS("allow", "65", ",\"rcode\":0"), ""},
		{DNS("allow", "255", ",\"rcode\":0"), ""},
	};
	char text[1024];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_TEXT(describe(rows[i].line, text), rows[i].acts);
}

#define DONE "\"result\":0,\"path_src\":\"user\","
#define FAILED(error) "\"result\":-2,\"error\":\"" error "\",\"path_src\":\"user\","
static const struct {
	const char *line, *acts;
} calls[] = {
	{CALL("ptrace") "\"result\":0}", "syscall ptrace"},
	{CALL("ptrace") "\"result\":-3,\"error\":\"ESRCH\"}", "syscall ptrace"},
	{CALL("ptrace") "\"result\":-1,\"error\":\"EPERM\",\"verdict\":\"deny\","
			"\"refused_by\":\"seccomp\"}",
		"!syscall ptrace"},
	{CALL("ptrace") "\"verdict\":\"deny\",\"refused_by\":\"seccomp, by a signal\"}",
		"!syscall ptrace"},
	{CALL("socket") "\"result\":3,\"arguments\":[\"0x1\",\"0x80001\",\"0x0\","
			"\"0xffffffffffffffff\",\"0X1\",\"0xg\",\"0x7\"]}",
		"syscall socket 0=AF_UNIX 1=SOCK_STREAM|SOCK_CLOEXEC 2=IPPROTO_IP "
		"3=0xffffffffffffffff"},
	{CALL("socket") "\"arguments\":[\"0x10000000000000000\",\"0x\",1,null,true,[\"0x1\"]]}",
		"syscall socket"},
	{CALL("socket") "\"arguments\":[\"0x1\"],\"arguments\":[]}", "syscall socket"},
	{CALL("socket") "\"arguments\":[\"0x2\"],\"path\":\"\\u0001\"}",
		"syscall socket 0=AF_INET"},
	{CALL("socket") "\"result\":-1,\"verdict\":\"deny\","
			"\"refused_by\":\"seccomp or kernel\"}",
		"(unclear 1)"},
	{HEAD("syscall.unnamed") "\"number\":999,\"abi\":\"native\"}", "(call 1)"},
	{HEAD("syscall.unnamed") "\"syscall\":\"open\",\"number\":5,\"abi\":\"i386\"}", "(call 1)"},
	{CALL("unlink") DONE "\"path\":\"/tmp/a\"}", "syscall unlink; write /tmp/a in"},
	{CALL("unlink") FAILED("EROFS") "\"path\":\"/tmp/a\"}", "syscall unlink; !write /tmp/a in"},
	{CALL("unlink") FAILED("ENOENT") "\"path\":\"/tmp/a\"}", "syscall unlink; (failed 1)"},
	{CALL("unlink") FAILED("EACCES") "\"path\":\"/tmp/a\"}", "syscall unlink; (failed 1)"},
	{CALL("unlink") DONE "\"path\":\"a\"}", "syscall unlink; (relative 1)"},
	{CALL("unlink") DONE "\"path\":\"/tmp/../a\"}", "syscall unlink; (relative 1)"},
	{CALL("unlink") DONE "\"path\":\"/tmp//b/./a/\"}", "syscall unlink; write /tmp/b/a in"},
	{CALL("unlink") DONE "\"path\":\"/a\\u0001b\"}", "syscall unlink; (cut 1)"},
	{CALL("unlink") DONE "\"path\":\"/a\\ufffdb\"}", "syscall unlink; (cut 1)"},
	{CALL("unlink") DONE "\"path\":\"\"}", "syscall unlink; (cut 1)"},
	{CALL("unlink") "\"result\":0,\"path_src\":\"unreadable\"}", "syscall unlink"},
	{CALL("chmod") DONE "\"path\":\"/dev/shm/a\"}", "syscall chmod; (own 1)"},
	{CALL("chmod") DONE "\"path\":\"/tmp/a\"}", "syscall chmod; write /tmp/a"},
	{CALL("mkdir") DONE "\"path\":\"/tmp/a\"}", "syscall mkdir; write /tmp/a in made"},
	{CALL("execve") FAILED("EACCES") "\"path\":\"/a\",\"verdict\":\"deny\",\"refused_by\":"
					 "\"executables or mode\"}",
		"syscall execve; !execute /a"},
	{CALL("mmap") FAILED("EPERM") "\"path\":\"/a\",\"verdict\":\"deny\",\"refused_by\":"
				      "\"executables or mode\"}",
		"syscall mmap; (unclear 1)"},
	{HEAD("process.exec") "\"argv\":[\"x\"],\"process\":{\"exe\":\"/usr/bin/dash\"}}",
		"execute /usr/bin/dash"},
	{HEAD("process.exec") "\"process\":{\"exe\":\"/usr/bin/dash\"},\"script\":\"/opt//a\"}",
		"execute /usr/bin/dash; execute /opt/a"},
	{HEAD("process.exec") "\"process\":{\"exe\":\"/usr/bin/dash\"},\"script\":\"./a\"}",
		"execute /usr/bin/dash; (relative 1)"},
	{HEAD("process.exec") "\"process\":{\"exe\":\"in/dash\"}}", "(relative 1)"},
	{HEAD("process.exec") "\"process\":{\"exe\":\"/memfd:cloche-init\"}}", ""},
	{HEAD("process.exec") "\"process\":{\"exe\":\"/memfd:x\"}}", "(cut 1)"},
	{HEAD("process.exec") "\"argv\":[\"x\"]}", "(cut 1)"},
	{CALL("rename") DONE "\"path\":\"/tmp/a\",\"second_path\":\"/srv/b\"}",
		"syscall rename; write /tmp/a in; write /srv/b in"},
	{CALL("symlink") DONE "\"path\":\"/etc/a\",\"second_path\":\"/srv/b\"}",
		"syscall symlink; write /srv/b in"},
	{CALL("stat") DONE "\"path\":\"/etc/passwd\"}", "syscall stat; read /etc/passwd"},
	{CALL("stat") FAILED("EROFS") "\"path\":\"/etc/passwd\"}", "syscall stat; (failed 1)"},
	{CALL("openat") FAILED("EROFS") "\"path\":\"/usr/a\"}", "syscall openat; !write /usr/a"},
	{CALL("openat") FAILED("ENOENT") "\"path\":\"/usr/a\"}", "syscall openat; (failed 1)"},
	{CALL("bind") "\"result\":0,\"family\":\"unix\",\"path\":\"/run/s\"}",
		"syscall bind; write /run/s in"},
	{CALL("bind") "\"result\":0,\"family\":\"unix\",\"path\":\"/run/s\","
		      "\"abstract\":true}",
		"syscall bind"},
	{CALL("bind") "\"result\":0,\"family\":\"ipv4\",\"port\":80}", "syscall bind"},
	{HEAD("file.open") "\"syscall\":\"openat\",\"abi\":\"native\",\"result\":3,"
			   "\"path\":\"/tmp/a\",\"path_src\":\"kernel\",\"writable\":true,"
			   "\"created\":true}",
		"syscall openat; write /tmp/a in"},
	{HEAD("file.open") "\"syscall\":\"openat\",\"abi\":\"native\",\"result\":3,"
			   "\"path\":\"/tmp/a\",\"writable\":true,\"created\":false}",
		"syscall openat; write /tmp/a"},
	{HEAD("file.open") "\"syscall\":\"openat\",\"abi\":\"native\",\"result\":3,"
			   "\"path\":\"/tmp/a\",\"writable\":false,\"created\":false}",
		"syscall openat; read /tmp/a"},
	/* the end of a long one */
	{HEAD("file.open") "\"syscall\":\"openat\",\"abi\":\"native\",\"result\":3,"
			   "\"path\":\"b/a\",\"writable\":true,\"created\":false}",
		"syscall openat; (relative 1)"},
	{HEAD("file.open") "\"syscall\":\"openat\",\"abi\":\"native\",\"result\":3,"
			   "\"path\":\"/memfd:a\",\"writable\":true,\"created\":false}",
		"syscall openat; (cut 1)"},
};

#define N50 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define N200 N50 N50 N50 N50
#define UNLINK(path, directory)                                                                    \
	CALL("unlink") DONE "\"path\":\"" path "\",\"directory\":\"" directory "\"}"

TEST(a_relative_path_goes_on_from_its_directory)
{
	static const struct {
		const char *line, *acts;
	} relative[] = {
		{UNLINK("a", "/srv/b"), "syscall unlink; write /srv/b/a in"},
		{UNLINK("a", "/"), "syscall unlink; write /a in"},
		{UNLINK("./b//c/./", "/srv"), "syscall unlink; write /srv/b/c in"},
		{UNLINK("", "/srv/b"), "syscall unlink; write /srv/b in"},
		{UNLINK(".", "/srv/b"), "syscall unlink; write /srv/b in"},
		/* An absolute one does not. */
		{UNLINK("/a", "/srv/b"), "syscall unlink; write /a in"},
		/* No link lies in what the kernel says, but a name of the path may be one. */
		{UNLINK("../c", "/srv/b"), "syscall unlink; write /srv/c in"},
		{UNLINK("./.././../c/d", "/srv/b"), "syscall unlink; write /c/d in"},
		{UNLINK("../../../../c", "/srv/b"), "syscall unlink; write /c in"},
		{UNLINK("..", "/"), "syscall unlink; write / in"},
		{UNLINK("c/../d", "/srv/b"), "syscall unlink; (relative 1)"},
		{UNLINK("../c/..", "/srv/b"), "syscall unlink; (relative 1)"},
		/* The end of a longer directory, and what may be the beginning of a longer path. */
		{UNLINK("a", "srv/b"), "syscall unlink; (cut 1)"},
		{UNLINK("a", ""), "syscall unlink; (cut 1)"},
		{UNLINK("", ""), "syscall unlink; (cut 1)"},
		{UNLINK("a\\ufffd", "/srv"), "syscall unlink; (cut 1)"},
		{UNLINK("a", "/srv\\ufffd"), "syscall unlink; (cut 1)"},
		{UNLINK(N200 N50 "nnnn", "/s"), "syscall unlink; (cut 1)"},
		{UNLINK(N200 N50 "nn", "/"), "syscall unlink; write /" N200 N50 "nn in"},
		{UNLINK(N200, "/" N200), "syscall unlink; (cut 1)"},
		{UNLINK("a", "/memfd:x"), "syscall unlink; (cut 1)"},
		{UNLINK("a", "/proc/7"), "syscall unlink; (own 1)"},
		{UNLINK("../tmp/a", "/proc"), "syscall unlink; write /tmp/a in"},
		{CALL("unlink") DONE "\"path\":5,\"directory\":\"/srv\"}",
			"syscall unlink; (cut 1)"},
		{CALL("unlink") DONE "\"path\":\"a\",\"directory\":5}",
			"syscall unlink; (relative 1)"},
		{CALL("unlink") FAILED("EROFS") "\"path\":\"a\",\"directory\":\"/usr\"}",
			"syscall unlink; !write /usr/a in"},
		{CALL("unlink") FAILED("ENOENT") "\"path\":\"a\",\"directory\":\"/usr\"}",
			"syscall unlink; (failed 1)"},
		{CALL("openat") FAILED("EROFS") "\"path\":\"a\",\"directory\":\"/usr\"}",
			"syscall openat; !write /usr/a"},
		{CALL("rename") DONE "\"path\":\"a\",\"directory\":\"/srv\",\"second_path\":\"b\","
				     "\"second_directory\":\"/tmp\"}",
			"syscall rename; write /srv/a in; write /tmp/b in"},
		{CALL("rename") DONE
			"\"path\":\"a\",\"second_path\":\"b\",\"second_directory\":\"/tmp\"}",
			"syscall rename; write /tmp/b in; (relative 1)"},
		{CALL("symlink") DONE "\"path\":\"a\",\"second_path\":\"b\","
				      "\"second_directory\":\"/tmp\"}",
			"syscall symlink; write /tmp/b in"},
		{CALL("bind") "\"result\":0,\"family\":\"unix\",\"path\":\"s\",\"directory\":"
			      "\"/run\"}",
			"syscall bind; write /run/s in"},
		{CALL("execve") FAILED("EACCES") "\"path\":\"./a\",\"directory\":\"/srv\","
						 "\"verdict\":\"deny\",\"refused_by\":"
						 "\"executables or mode\"}",
			"syscall execve; !execute /srv/a"},
		{HEAD("process.exec") "\"process\":{\"exe\":\"/usr/bin/dash\"},\"script\":\"./a\","
				      "\"script_directory\":\"/srv\"}",
			"execute /usr/bin/dash; execute /srv/a"},
		/* What the kernel opened is whole or cut; no directory makes it another. */
		{HEAD("process.exec") "\"process\":{\"exe\":\"in/dash\"},\"directory\":\"/srv\"}",
			"(relative 1)"},
	};
	char text[1024];

	for (size_t i = 0; i < sizeof(relative) / sizeof(relative[0]); i++)
		CHECK_TEXT(describe(relative[i].line, text), relative[i].acts);
}

TEST(record_of_a_call_is_that_call_and_what_it_did_to_files)
{
	char text[1024];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		CHECK_TEXT(describe(calls[i].line, text), calls[i].acts);
}

TEST(path_that_may_have_been_cut_is_passed_over)
{
	char line[1024], path[300], text[1024];

	for (int length = 250; length < 270; length++) {
		snprintf(path, sizeof(path), "/%0*d", length - 1, 7);
		snprintf(line, sizeof(line), CALL("unlink") DONE "\"path\":\"%s\"}", path);
		describe(line, text);
		CHECK_INT(strstr(text, "(cut 1)") != NULL, length >= 255);
		CHECK_INT(strstr(text, path) != NULL, length < 255);
	}
}

TEST(record_of_a_policy_says_which_calls_are_recorded)
{
	static const struct {
		const char *rest;
		enum policy_recorded_calls calls;
	} rows[] = {
		{"}", POLICY_RECORDED_CALLS_UNKNOWN},
		{",\"syscalls\":\"default\"}", POLICY_RECORDED_CALLS_USUAL},
		{",\"syscalls\":\"listed\"}", POLICY_RECORDED_CALLS_OTHER},
		{",\"syscalls\":\"none\"}", POLICY_RECORDED_CALLS_OTHER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[512];
		struct policy_recorded record;

		snprintf(line, sizeof(line), HEAD("sandbox.create") "\"template\":\"a\"%s",
			rows[i].rest);
		CHECK_INT(read_line(line).calls, rows[i].calls);
		snprintf(line, sizeof(line), HEAD("sandbox.policy") "\"hash_before\":\"a\"%s",
			rows[i].rest);
		record = read_line(line);
		CHECK_INT(record.kind, POLICY_RECORDED_SWAP);
		CHECK_INT(record.calls, rows[i].calls);
	}
}

TEST(fault_names_the_column)
{
	char text[POLICY_RECORDED_FAULT_SIZE];

	policy_recorded_fault("{\"a\":1,}", 8, text);
	CHECK(strstr(text, "column 8: ") == text);
	policy_recorded_fault("[1]", 3, text);
	CHECK_TEXT(text, "column 1: it is no object");
	policy_recorded_fault("", 0, text);
	CHECK(strstr(text, "column ") == text);
}

TEST(record_of_an_act_is_that_act)
{
	static const struct {
		const char *line, *act;
		bool allowed;
	} rows[] = {
		{HEAD("network.connect") "\"verdict\":\"allow\",\"reason\":\"rule\",\"address\":"
					 "\"203.0.113.7\",\"port\":443,\"protocol\":\"tcp\"}",
			"connect 203.0.113.7:443", true},
		{HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"default\",\"address\":"
					 "\"2001:db8::1\",\"port\":443,\"protocol\":\"tcp\"}",
			"connect [2001:db8::1]:443", false},
		{HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"ticket\",\"name\":"
					 "\"a.org\",\"address\":\"198.18.1.0\",\"port\":22,"
					 "\"protocol\":\"tcp\"}",
			"connect a.org:22", false},
		{HEAD("network.send") "\"verdict\":\"deny\",\"reason\":\"default\",\"address\":"
				      "\"203.0.113.7\",\"port\":123,\"protocol\":\"udp\"}",
			"send 203.0.113.7:123", false},
		{HEAD("network.dns") "\"verdict\":\"deny\",\"name\":\"evil.org\",\"qtype\":28}",
			"resolve evil.org", false},
		{HEAD("network.inbound") "\"verdict\":\"allow\",\"port\":8000}", "inbound 8000",
			true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_recorded record = read_line(rows[i].line);
		char text[POLICY_ACT_TEXT_SIZE];

		CHECK_INT(record.kind, POLICY_RECORDED_ACTS);
		CHECK_TEXT(policy_act_format(&record.acts[0].act, text), rows[i].act);
		CHECK_INT(record.acts[0].allowed, rows[i].allowed);
		CHECK_INT(record.sequence, 7);
		CHECK_INT(record.sandbox, 255);
	}
}

TEST(record_that_no_policy_decides_is_no_act)
{
	static const char *const lines[] = {
		HEAD("process.exit") "\"exit_code\":0}",
		HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"budget\",\"address\":"
					"\"203.0.113.7\",\"port\":443,\"protocol\":\"tcp\"}",
		HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"no_gate\",\"address\":"
					"\"203.0.113.7\",\"port\":443,\"protocol\":\"tcp\"}",
		/* whose name the log does not say */
		HEAD("network.connect") "\"verdict\":\"allow\",\"reason\":\"rule\",\"address\":"
					"\"198.18.1.0\",\"port\":443,\"protocol\":\"tcp\"}",
		HEAD("network.dns") "\"verdict\":\"allow\",\"name\":\"a.org\",\"qtype\":65}",
		HEAD("network.connect") "\"verdict\":\"allow\",\"address\":\"203.0.113.7\","
					"\"port\":70000,\"protocol\":\"tcp\"}",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_INT(read_line(lines[i]).kind, POLICY_RECORDED_OTHER);
}

TEST(record_that_is_none_is_refused)
{
	static const char *const lines[] = {"", "\n", "x", "[1]", "{\"type\":\"network.connect\"",
		/* a type in the text of another field */
		"{\"a\":\"\\\"type\\\":\\\"network.connect\\\"\",\"x\":{\"type\":\"network."
		"connect\"},\"type\":\"process.exec\"}"};
	struct policy_recorded record;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_INT(policy_recorded_read(lines[i], strlen(lines[i]), &record), -EBADMSG);
}

TEST(record_of_a_creation_has_its_labels)
{
	struct policy_recorded record = read_line(
		HEAD("sandbox.create") "\"labels\":{\"job\":\"17\"},\"template\":\"python\"}");

	CHECK_INT(record.kind, POLICY_RECORDED_CREATE);
	CHECK_TEXT(record.template, "python");
	CHECK(policy_recorded_has_label(&record, "job=17"));
	CHECK(!policy_recorded_has_label(&record, "job=18"));
	CHECK(!policy_recorded_has_label(&record, "other=17"));
	CHECK(!policy_recorded_has_label(&record, "job"));
}

TEST(tally_counts_what_is_the_same_once_with_its_times)
{
	struct policy_recorded record = {
		.kind = POLICY_RECORDED_ACTS, .n_acts = 1, .acts[0].allowed = true, .sequence = 3};
	struct tally tally = {0};

	for (int i = 0; i < 3000; i++) {
		record.acts[0].act = (struct policy_act){
			.kind = POLICY_ACT_CONNECT, .port = (uint16_t)(1 + i % 1500)};
		snprintf(record.time, sizeof(record.time), "%04d", i);
		CHECK_INT(tally_add(&tally, &record), 0);
	}
	CHECK_INT(tally.n, 1500);
	CHECK_INT(tally.rows[1499].n, 2);
	CHECK_TEXT(tally.rows[1499].first, "1499");
	CHECK_TEXT(tally.rows[1499].last, "2999");
	record.acts[0].allowed = false;
	CHECK_INT(tally_add(&tally, &record), 0);
	CHECK_INT(tally.n, 1501);
	tally_fini(&tally);
}

TEST(tally_notes_private_addresses_of_names_alone)
{
	static const struct {
		const char *dialled;
		bool is_private;
	} rows[] = {{"\"10.0.0.1\"", true}, {"\"fd00::1\"", true}, {"\"203.0.113.1\"", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tally tally = {0};
		struct policy_recorded act,
			record = read_line(HEAD("network.connect") "\"verdict\":\"allow\","
								   "\"reason\":\"rule\",\"name\":"
								   "\"a.org\",\"address\":\"198.18."
								   "1.0\",\"port\":443,"
								   "\"protocol\":\"tcp\"}");
		char line[512];

		/* the relay's record may come first */
		if (i % 2)
			CHECK_INT(tally_add(&tally, &record), 0);
		act = record;
		snprintf(line, sizeof(line),
			HEAD("network.flow") "\"name\":\"a.org\",\"port\":443,\"address\":"
					     "\"198.18.1.0\",\"dialled\":%s}",
			rows[i].dialled);
		record = read_line(line);
		CHECK_INT(record.kind, POLICY_RECORDED_DIAL);
		CHECK_INT(tally_note_dial(&tally, &record), 0);
		if (i % 2 == 0)
			CHECK_INT(tally_add(&tally, &act), 0);
		CHECK_INT(tally.n, 1);
		CHECK_INT(tally.rows[0].n, 1);
		CHECK_TEXT(tally.rows[0].first, act.time);
		CHECK_INT(tally.rows[0].is_private, rows[i].is_private);
		tally_fini(&tally);
	}
}
