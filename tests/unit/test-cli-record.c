#include "tools/cloche/record.h"

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"
#include "tools/cloche/call.h"

#define COMMON                                                                                     \
	"\"v\":1,\"seq\":9,\"time\":\"2026-11-21T21:40:00.123456789Z\",\"sandbox\":\"sb-"          \
	"0011223344556677\","
#define PREFIX "21:40:00.123  sb-0011223344556677  "

#define FLOW                                                                                       \
	"\"type\":\"network.flow\",\"address\":\"198.18.1.0\",\"port\":443,\"name\":\"a."          \
	"example\","
#define FLOW_LINE PREFIX "network.flow     a.example:443 "
#define FLOW_END ": 0 B sent, 0 B received in 0 µs"

struct row {
	const char *record, *line;
};

static void check_lines(const struct row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		_cleanup_json_ json_t *record = json_loads(rows[i].record, 0, NULL);
		char line[512];

		CHECK(record);
		CHECK_TEXT(record_describe(line, sizeof(line), record), rows[i].line);
	}
}

TEST(record_says_what_happened_in_one_line)
{
	static const struct row rows[] = {
		{"{" COMMON "\"type\":\"network.connect\",\"address\":\"192.0.2.1\",\"port\":80,"
		 "\"protocol\":\"tcp\",\"verdict\":\"deny\",\"reason\":\"default\",\"rule\":null,"
		 "\"process\":{\"pid\":7,\"exe\":\"/usr/bin/curl\"}}",
			PREFIX
			"network.connect  DENIED 192.0.2.1:80 tcp, default by pid 7 /usr/bin/curl"},
		{"{" COMMON "\"type\":\"network.connect\",\"address\":\"2001:db8::1\",\"port\":443,"
		 "\"protocol\":\"tcp\",\"verdict\":\"allow\",\"via\":\"gate\",\"reason\":\"rule\","
		 "\"rule\":2}",
			PREFIX
			"network.connect  allowed [2001:db8::1]:443 tcp, rule 2, through the gate"},
		{"{" COMMON "\"type\":\"process.exec\",\"argv\":[\"sh\",\"-c\",\"a b\",\"\"],"
		 "\"argv_truncated\":true,\"process\":{\"pid\":3,\"exe\":\"/bin/sh\"}}",
			PREFIX "process.exec     sh -c \"a b\" \"\" … (pid 3, /bin/sh)"},
		{"{" COMMON "\"type\":\"process.exit\",\"exit_code\":3,\"signal\":null,"
		 "\"oom_killed\":false,\"lifetime_ns\":2500000}",
			PREFIX "process.exit     exit code 3 after 2.5 ms"},
		{"{" COMMON
		 "\"type\":\"process.exit\",\"exit_code\":null,\"signal\":9,\"oom_killed\":true}",
			PREFIX "process.exit     killed by signal 9, out of memory"},
		{"{" COMMON "\"type\":\"exec.start\",\"argv\":[\"python3\",\"-c\",\"a = "
		 "1\\nb\"],\"uid\":1000}",
			PREFIX "exec.start       python3 -c \"a = 1…\" as uid 1000"},
		{"{" COMMON "\"type\":\"exec.end\",\"reason\":\"exited\",\"code\":3,\"signal\":0,"
		 "\"user_us\":1000,\"system_us\":500,\"wall_us\":2500}",
			PREFIX "exec.end         exited, code 3 after 2.5 ms, CPU 1.5 ms"},
		{"{" COMMON "\"type\":\"exec.end\",\"reason\":\"oom\",\"code\":0,\"signal\":9}",
			PREFIX "exec.end         oom, signal 9 after 0 µs, CPU 0 µs"},
		{"{" COMMON "\"type\":\"network.flow\",\"address\":\"10.0.0.1\",\"port\":80,"
		 "\"end\":\"closed\",\"bytes_sent\":5,\"bytes_received\":2048,\"duration_us\":"
		 "1500}",
			PREFIX "network.flow     10.0.0.1:80 closed: 5 B sent, 2.0 KiB received in "
			       "1.5 ms"},
		{"{" COMMON "\"type\":\"sandbox.create\",\"template\":\"python\",\"warm\":true,"
		 "\"policy\":{\"name\":\"p\"},\"memory_bytes\":1048576,\"cpu_millis\":1500,"
		 "\"pids\":9}",
			PREFIX
			"sandbox.create   python, warm, policy p, 1.0 MiB, 1.5 CPUs, 9 processes"},
		{"{" COMMON
		 "\"type\":\"sandbox.end\",\"policy\":{\"name\":\"p\",\"hash\":\"x\"},\"n\":1}",
			PREFIX "sandbox.end      policy=p n=1"},
		{"{\"type\":\"audit.lost\",\"lost\":3}",
			"-             -                    audit.lost       lost=3"},
	};

	check_lines(rows, ARRAY_SIZE(rows));
}

#define ARGUMENTS                                                                                  \
	"\"arguments\":[\"0x2\",\"0x80003\",\"0x0\",\"0x0\",\"0x0\",\"0x0\"],\"process\":{"        \
	"\"pid\":3,"                                                                               \
	"\"exe\":\"/bin/a\"}}"
#define BY " by pid 3 /bin/a"

TEST(record_tells_calls_by_what_they_were_about)
{
	static const struct row rows[] = {
		{"{" COMMON "\"type\":\"syscall.unlinkat\",\"result\":-2,\"error\":\"ENOENT\","
		 "\"path\":\"a b\",\"directory\":\"/tmp\"," ARGUMENTS,
			PREFIX "syscall.unlinkat  ENOENT \"a b\" in /tmp" BY},
		{"{" COMMON "\"type\":\"syscall.rename\",\"result\":0,\"path\":\"/a\","
		 "\"second_path\":\"b\",\"second_directory\":\"/c\"," ARGUMENTS,
			PREFIX "syscall.rename   gave 0 /a b in /c" BY},
		{"{" COMMON "\"type\":\"syscall.mount\",\"result\":-1,\"error\":\"EPERM\","
		 "\"verdict\":\"deny\",\"refused_by\":\"seccomp\",\"path\":\"none\"," ARGUMENTS,
			PREFIX "syscall.mount    DENIED by seccomp, EPERM none" BY},
		{"{" COMMON "\"type\":\"syscall.ptrace\",\"verdict\":\"deny\","
		 "\"refused_by\":\"seccomp, by a signal\"}",
			PREFIX "syscall.ptrace   DENIED by seccomp, by a signal"},
		{"{" COMMON "\"type\":\"syscall.socket\",\"result\":5," ARGUMENTS,
			PREFIX "syscall.socket   gave 5 0x2, 0x80003" BY},
		{"{" COMMON "\"type\":\"syscall.connect\",\"result\":-1,\"error\":\"EPERM\","
		 "\"address\":\"192.0.2.1\",\"port\":80," ARGUMENTS,
			PREFIX "syscall.connect  EPERM 192.0.2.1:80" BY},
		{"{" COMMON "\"type\":\"file.open\",\"path\":\"/a\",\"writable\":true,"
		 "\"created\":true," ARGUMENTS,
			PREFIX "file.open        made /a" BY},
		{"{" COMMON "\"type\":\"file.open\",\"path\":\"/a\",\"writable\":true,"
		 "\"shadow\":{\"policy\":\"next\",\"verdict\":\"deny\",\"rule\":null,"
		 "\"part\":\"files.read_only /a\"}," ARGUMENTS,
			PREFIX "file.open        to write /a" BY
			       "; next would deny, files.read_only /a"},
		{"{" COMMON "\"type\":\"network.connect\",\"address\":\"192.0.2.1\",\"port\":80,"
		 "\"protocol\":\"tcp\",\"verdict\":\"deny\",\"reason\":\"default\",\"rule\":null,"
		 "\"shadow\":{\"policy\":\"next\",\"verdict\":\"allow\",\"rule\":1}}",
			PREFIX
			"network.connect  DENIED 192.0.2.1:80 tcp, default; next would allow, "
			"rule 1"},
	};

	check_lines(rows, ARRAY_SIZE(rows));
}

TEST(record_tells_names_and_why_a_connection_ended)
{
	static const struct row rows[] = {
		{"{" COMMON "\"type\":\"network.flow\",\"address\":\"10.0.0.1\",\"port\":80,"
		 "\"end\":\"connect_failed\",\"error\":-111}",
			PREFIX
			"network.flow     10.0.0.1:80 did not answer: 0 B sent, 0 B received "
			"in 0 µs, Connection refused"},
		{"{" COMMON FLOW "\"dialled\":\"2001:db8::5\",\"end\":\"closed\"}",
			FLOW_LINE "at 2001:db8::5 closed" FLOW_END},
		{"{" COMMON FLOW "\"dialled\":null,\"said\":\"b.example\",\"end\":\"other_name\"}",
			FLOW_LINE "stopped, it asked for b.example" FLOW_END},
		{"{" COMMON FLOW "\"said\":\"\",\"end\":\"other_name\"}",
			FLOW_LINE "stopped, it did not say which name it asks for" FLOW_END},
		{"{" COMMON FLOW "\"end\":\"other_protocol\"}",
			FLOW_LINE "stopped, neither TLS nor HTTP was spoken" FLOW_END},
		{"{" COMMON FLOW "\"end\":\"not_resolved\"}",
			FLOW_LINE "stopped, the name has no address now" FLOW_END},
		{"{" COMMON FLOW "\"end\":\"special_address\"}", FLOW_LINE
			"stopped, the name points to an address that is not public" FLOW_END},
		{"{" COMMON FLOW "\"end\":\"policy_changed\"}",
			FLOW_LINE "reset, the policy no longer allows it" FLOW_END},
		{"{" COMMON "\"type\":\"network.dns\",\"verdict\":\"deny\",\"name\":\"b.example\","
		 "\"qtype\":1,\"rcode\":5,\"tcp\":false,\"extended_error\":15}",
			PREFIX "network.dns      DENIED b.example, type A: refused, blocked"},
		{"{" COMMON "\"type\":\"network.dns\",\"verdict\":\"allow\",\"name\":\"a.example\","
		 "\"qtype\":28,\"rcode\":0,\"tcp\":true}",
			PREFIX "network.dns      allowed a.example, type AAAA: answered, over TCP"},
		{"{" COMMON "\"type\":\"network.dns\",\"verdict\":\"deny\",\"name\":\"a.example\","
		 "\"qtype\":99,\"rcode\":9,\"tcp\":false}",
			PREFIX "network.dns      DENIED a.example, type 99: 9"},
		{"{" COMMON "\"type\":\"network.inbound\",\"verdict\":\"deny\",\"port\":8000,"
		 "\"key\":\"ck_1\",\"remote\":\"127.0.0.1:5\"}",
			PREFIX "network.inbound  DENIED port 8000 to key ck_1 from 127.0.0.1:5"},
	};

	check_lines(rows, ARRAY_SIZE(rows));
}

TEST(record_is_cut_where_the_line_ends)
{
	_cleanup_json_ json_t *record =
		json_loads("{\"type\":\"x\",\"long\":\"0123456789\"}", 0, NULL);
	char line[60];

	CHECK_INT(strlen(record_describe(line, sizeof(line), record)), sizeof(line) - 1);
}
