/* supervisor/audit/lines/event.c: every field of a kernel event, named and in order. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/abi/budget.h"
#include "bpf/abi/rule.h"
#include "bpf/abi/shadow.h"
#include "bpf/abi/slot.h"
#include "supervisor/audit/audit.h"
#include "supervisor/base/clock.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static const struct audit_subject subject = {
	.sandbox = 0x10,
	.tenant = 4,
	.tenant_name = "acme",
	.policy_name = "web",
	.policy_hash = "beef",
	.policy_generation = 2,
};

static struct abi_event_header header(enum abi_event_type type, size_t size_bytes)
{
	struct abi_event_header event = {
		.version = ABI_VERSION,
		.type = type,
		.size = (uint32_t)size_bytes,
		.boottime_ns = clock_read_ns(CLOCK_BOOTTIME),
		.sandbox = 0x10,
		.tenant = 4,
		.policy = ABI_SLOT_POLICY(2, 1),
		.process =
			{
				.pid_host = 4321,
				.pid_inside = 7,
				.parent_pid_host = 4320,
				.uid_host = 101000,
				.start_boottime_ns = 99,
				.exe_inode = 1234,
				.exe_device = 8 << 20 | 1,
				.comm = "p\"\xff",
				.exe = "/usr/bin/python3",
			},
	};

	return event;
}

/* Writes the event and returns its line without what changes: sequence and time. */
static char *line_of(const struct abi_event_header *event, const struct audit_subject *who)
{
	struct audit_scene scene = {};
	char *text, *type;

	audit_scene_begin(&scene);
	audit_event(scene.audit, event, who);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	text = audit_scene_text(&scene);
	audit_scene_end(&scene);
	type = strstr(text, "\"type\"");
	CHECK(type);
	memmove(text, type, strlen(type) + 1);
	return text;
}

static void check_event_of(const struct audit_subject *who, const struct abi_event_header *event,
	const char *type, const char *body)
{
	char *line = line_of(event, who), expected[2048];

	snprintf(expected, sizeof(expected),
		"\"type\":\"%s\",\"sandbox\":\"sb-0000000000000010\",\"tenant_id\":4,"
		"\"tenant\":\"acme\",\"policy\":{\"name\":\"web\",\"hash\":\"beef\",\"generation\":"
		"2},"
		"\"process\":{\"pid\":7,\"pid_host\":4321,\"ppid_host\":4320,\"uid_host\":101000,"
		"\"start_ns\":99,\"exe\":\"/usr/bin/"
		"python3\",\"exe_inode\":1234,\"exe_device\":\"8:1\","
		"\"comm_untrusted\":\"p\\\"\xef\xbf\xbd\"},%s}\n",
		type, body);
	CHECK_TEXT(line, expected);
	free(line);
}

static void check_event(const struct abi_event_header *event, const char *type, const char *body)
{
	check_event_of(&subject, event, type, body);
}

static struct abi_network_event network(enum abi_operation operation, const char *address)
{
	struct abi_network_event event = {
		.header = header(ABI_EVENT_NETWORK, sizeof(event)),
		.port = 443,
		.rule = ABI_RULE_NONE,
		.family = AF_INET6,
		.protocol = IPPROTO_TCP,
		.operation = operation,
		.verdict = ABI_VERDICT_DENY,
		.reason = ABI_REASON_DEFAULT,
		.socket_type = SOCK_STREAM,
	};

	CHECK_INT(inet_pton(AF_INET6, address, event.address.bytes), 1);
	return event;
}

TEST(a_denied_connect_names_every_field)
{
	struct abi_network_event event = network(ABI_OPERATION_CONNECT, "fd00::1");

	check_event(&event.header, "network.connect",
		"\"operation\":\"connect\",\"verdict\":\"deny\",\"reason\":\"default\",\"rule\":"
		"null,"
		"\"family\":\"ipv6\",\"address\":\"fd00::1\",\"port\":443,\"protocol\":\"tcp\","
		"\"socket_type\":\"stream\"");
}

TEST(an_allowed_connect_goes_by_the_gate_and_names_its_rule)
{
	struct abi_network_event event = network(ABI_OPERATION_CONNECT, "::ffff:10.214.0.2");

	event.family = AF_INET;
	event.verdict = ABI_VERDICT_REDIRECT;
	event.reason = ABI_REASON_RULE;
	event.rule = 0;
	check_event(&event.header, "network.connect",
		"\"operation\":\"connect\",\"verdict\":\"allow\",\"via\":\"gate\",\"reason\":"
		"\"rule\","
		"\"rule\":0,\"family\":\"ipv4\",\"address\":\"10.214.0.2\",\"port\":443,"
		"\"protocol\":\"tcp\",\"socket_type\":\"stream\"");
}

#define DENIED_443                                                                                 \
	"\"operation\":\"connect\",\"verdict\":\"deny\",\"reason\":\"default\",\"rule\":null,"     \
	"\"family\":\"ipv6\",\"address\":\"fd00::1\",\"port\":443,\"protocol\":\"tcp\","           \
	"\"socket_type\":\"stream\""

TEST(what_a_candidate_would_say_is_told_beside_the_verdict)
{
	struct abi_network_event event = network(ABI_OPERATION_CONNECT, "fd00::1");
	struct audit_subject asked = subject;

	asked.shadow_name = "wide";
	asked.shadow_hash = "cafe";
	event.shadow = ABI_SLOT_POLICY(ABI_SHADOW_GENERATION | 5, 9);
	event.shadow_verdict = ABI_VERDICT_REDIRECT;
	event.shadow_reason = ABI_REASON_RULE;
	event.shadow_rule = 3;
	check_event_of(&asked, &event.header, "network.connect",
		DENIED_443
		",\"shadow\":{\"policy\":\"wide\",\"hash\":\"cafe\",\"generation\":2147483653,"
		"\"verdict\":\"allow\",\"reason\":\"rule\",\"rule\":3}");
	event.shadow_verdict = ABI_VERDICT_DENY;
	event.shadow_reason = ABI_REASON_TICKET;
	event.shadow_rule = ABI_RULE_NONE;
	check_event_of(&asked, &event.header, "network.connect",
		DENIED_443
		",\"shadow\":{\"policy\":\"wide\",\"hash\":\"cafe\",\"generation\":2147483653,"
		"\"verdict\":\"deny\",\"reason\":\"ticket\",\"rule\":null}");
	/* Of one that is not asked any more only the generation is known. */
	check_event(&event.header, "network.connect",
		DENIED_443 ",\"shadow\":{\"generation\":2147483653,\"verdict\":\"deny\",\"reason\":"
			   "\"ticket\",\"rule\":null}");
	/* The twin: nobody was asked, or agreed. */
	event.shadow = 0;
	check_event_of(&asked, &event.header, "network.connect", DENIED_443);
}

TEST(what_a_candidate_would_say_of_a_program_has_the_part_that_decides)
{
	struct abi_exec_event event = {.header = header(ABI_EVENT_EXEC, sizeof(event))};
	const struct audit_opinion opinion = {7, false, "executables.allow"};
	struct audit_subject asked = subject;

	asked.shadow_name = "tight";
	asked.shadow_hash = "cafe";
	asked.opinion = &opinion;
	check_event_of(&asked, &event.header, "process.exec",
		"\"argv\":[],\"argv_truncated\":false,\"shadow\":{\"policy\":\"tight\",\"hash\":"
		"\"cafe\",\"generation\":7,\"verdict\":\"deny\",\"rule\":null,\"part\":"
		"\"executables.allow\"}");
	/* The twin: it agrees. */
	asked.opinion = NULL;
	check_event_of(
		&asked, &event.header, "process.exec", "\"argv\":[],\"argv_truncated\":false");
}

TEST(a_denial_for_a_budget_names_those_that_are_used_up)
{
	struct abi_network_event event = network(ABI_OPERATION_PACKET, "fd00::1");

	event.reason = ABI_REASON_BUDGET;
	event.rule = 2;
	event.spent = ABI_BUDGET_BIT(ABI_BUDGET_BYTES_OUT) | ABI_BUDGET_BIT(ABI_BUDGET_DNS_QUERIES);
	check_event(&event.header, "network.packet",
		"\"operation\":\"packet\",\"verdict\":\"deny\",\"reason\":\"budget\","
		"\"budgets\":[\"bytes_out\",\"dns_queries\"],\"tenant_budgets\":[],\"rule\":2,"
		"\"family\":\"ipv6\",\"address\":\"fd00::1\",\"port\":443,\"protocol\":\"tcp\","
		"\"socket_type\":\"stream\"");
	event.spent = ABI_BUDGET_BIT(ABI_BUDGET_CONNECTIONS) |
		      ABI_BUDGET_TENANT_BIT(ABI_BUDGET_BYTES_IN) |
		      ABI_BUDGET_TENANT_BIT(ABI_BUDGET_DNS_QUERIES);
	check_event(&event.header, "network.packet",
		"\"operation\":\"packet\",\"verdict\":\"deny\",\"reason\":\"budget\","
		"\"budgets\":[\"connections\"],\"tenant_budgets\":[\"bytes_in\",\"dns_queries\"],"
		"\"rule\":2,\"family\":\"ipv6\",\"address\":\"fd00::1\",\"port\":443,"
		"\"protocol\":\"tcp\",\"socket_type\":\"stream\"");
}

TEST(a_mapped_address_is_told_as_ipv4_with_the_family_that_was_asked)
{
	struct abi_network_event event = network(ABI_OPERATION_SENDMSG, "::ffff:8.8.8.8");

	event.protocol = IPPROTO_UDP;
	event.socket_type = SOCK_DGRAM;
	check_event(&event.header, "network.send",
		"\"operation\":\"sendmsg\",\"verdict\":\"deny\",\"reason\":\"default\",\"rule\":"
		"null,"
		"\"family\":\"ipv6\",\"address\":\"8.8.8.8\",\"port\":443,\"protocol\":\"udp\","
		"\"socket_type\":\"dgram\"");
}

TEST(a_refused_socket_has_no_address_and_unknown_numbers_stay_numbers)
{
	struct abi_network_event event = network(ABI_OPERATION_SOCKET, "::");

	event.family = 38;
	event.protocol = 132;
	event.socket_type = SOCK_RAW;
	event.reason = ABI_REASON_SOCKET_TYPE;
	check_event(&event.header, "network.socket",
		"\"operation\":\"socket\",\"verdict\":\"deny\",\"reason\":\"socket_type\",\"rule\":"
		"null,"
		"\"family\":38,\"protocol\":132,\"socket_type\":\"raw\"");
}

TEST(an_exec_lists_its_arguments)
{
	struct abi_exec_event event = {
		.header = header(ABI_EVENT_EXEC, sizeof(event)),
		.argv_size = 11,
		.argv = "sh\0\0-c\0a\nb",
	};

	check_event(&event.header, "process.exec",
		"\"argv\":[\"sh\",\"\",\"-c\",\"a\\nb\"],\"argv_truncated\":false");
}

TEST(an_exec_of_a_script_names_it)
{
	struct abi_exec_event event = {
		.header = header(ABI_EVENT_EXEC, sizeof(event)),
		.argv_size = 3,
		.argv = "sh",
		.script = "./a\"b",
	};

	check_event(&event.header, "process.exec",
		"\"argv\":[\"sh\"],\"argv_truncated\":false,\"script\":\"./a\\\"b\"");
	memset(event.script, 'x', sizeof(event.script));
	check_event(&event.header, "process.exec",
		"\"argv\":[\"sh\"],\"argv_truncated\":false,\"script\":"
		"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxx"
		"xxxxxxxxxxxxx\"");
}

TEST(an_exec_of_a_script_by_a_relative_path_has_a_directory)
{
	struct abi_script_event event = {
		.exec = {.header = header(ABI_EVENT_SCRIPT, sizeof(event)),
			.argv_size = 3,
			.argv = "sh",
			.script = "./a"},
		.directory = "/tmp/b",
	};

	check_event(&event.exec.header, "process.exec",
		"\"argv\":[\"sh\"],\"argv_truncated\":false,\"script\":\"./a\","
		"\"script_directory\":\"/tmp/b\"");
	event.directory[0] = '\0';
	check_event(&event.exec.header, "process.exec",
		"\"argv\":[\"sh\"],\"argv_truncated\":false,\"script\":\"./a\"");
}

TEST(arguments_that_were_cut_are_marked_and_sizes_are_not_trusted)
{
	struct abi_exec_event event = {
		.header = header(ABI_EVENT_EXEC, sizeof(event)),
		.argv_size = 100000,
		.argv_truncated = 1,
	};
	char body[640] = "\"argv\":[\"";

	memset(event.argv, 'x', sizeof(event.argv));
	memset(body + strlen(body), 'x', sizeof(event.argv));
	strcat(body, "\"],\"argv_truncated\":true");
	check_event(&event.header, "process.exec", body);
}

TEST(an_exit_tells_code_or_signal)
{
	struct abi_exit_event event = {
		.header = header(ABI_EVENT_EXIT, sizeof(event)),
		.exit_code = 3,
		.lifetime_ns = 55,
	};

	check_event(&event.header, "process.exit",
		"\"exit_code\":3,\"signal\":null,\"oom_killed\":false,\"lifetime_ns\":55");
	event.exit_code = -1;
	event.signal = 9;
	event.oom_killed = 1;
	check_event(&event.header, "process.exit",
		"\"exit_code\":null,\"signal\":\"SIGKILL\",\"oom_killed\":true,\"lifetime_ns\":55");
	event.signal = 40;
	event.oom_killed = 0;
	check_event(&event.header, "process.exit",
		"\"exit_code\":null,\"signal\":\"SIG40\",\"oom_killed\":false,\"lifetime_ns\":55");
}

TEST(an_earlier_generation_is_told_without_what_is_of_the_later)
{
	struct abi_network_event event = network(ABI_OPERATION_CONNECT, "fd00::1");
	char *line;

	event.header.policy = ABI_SLOT_POLICY(1, 1);
	line = line_of(&event.header, &subject);
	CHECK(strstr(line, "\"policy\":{\"generation\":1}"));
	free(line);
}

TEST(the_time_is_that_of_the_event)
{
	struct abi_exit_event event = {.header = header(ABI_EVENT_EXIT, sizeof(event))};
	struct audit_scene scene = {};
	char *text, *found;
	int64_t hour_before_s;
	struct tm when = {};

	audit_scene_begin(&scene);
	event.header.boottime_ns -= 3600 * NS_PER_SECOND;
	hour_before_s = (int64_t)(clock_realtime_ns() / NS_PER_SECOND) - 3600;
	audit_event(scene.audit, &event.header, NULL);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	text = audit_scene_text(&scene);
	found = strstr(text, "\"time\":\"");
	CHECK(found && strptime(found + 8, "%Y-%m-%dT%H:%M:%S", &when));
	CHECK(llabs(timegm(&when) - hour_before_s) <= 60);
	free(text);
	audit_scene_end(&scene);
}

TEST(an_event_that_is_malformed_is_a_counted_loss)
{
	struct abi_exec_event exec = {.header = header(ABI_EVENT_EXEC, 100)};
	struct abi_event_header unknown = header(77, sizeof(unknown));
	struct abi_network_event operation = network(99, "::");
	struct audit_scene scene = {};
	char *text;

	audit_scene_begin(&scene);
	audit_event(scene.audit, &exec.header, &subject);
	audit_event(scene.audit, &unknown, &subject);
	audit_event(scene.audit, &operation.header, &subject);
	unknown.version = ABI_VERSION + 1;
	audit_event(scene.audit, &unknown, &subject);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(audit_n_lost(scene.audit), 4);
	CHECK_INT(audit_last_sequence(scene.audit), 1);
	text = audit_scene_text(&scene);
	CHECK(strstr(text, "\"type\":\"audit.lost\",\"lost\":4,\"where\":\"malformed\"}"));
	free(text);
	audit_scene_end(&scene);
}
