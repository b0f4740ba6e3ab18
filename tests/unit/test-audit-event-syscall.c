/* supervisor/audit/lines/event-syscall.c: what a record of a system call says, and of bytes that no
 * program of ours wrote. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/clock.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static const char names[][32] = {"read", "", "open", "renameat2", "connect"};

static struct abi_file_event event_of(enum abi_event_type type)
{
	return (struct abi_file_event){
		.call = {.header = {.version = ABI_VERSION,
				 .type = type,
				 .size = type == ABI_EVENT_FILE ? sizeof(struct abi_file_event)
								: sizeof(struct abi_syscall_event),
				 .boottime_ns = clock_read_ns(CLOCK_BOOTTIME),
				 .sandbox = 0x10},
			.arguments = {1, 0xffffffffffffffff, 3, 4, 5, 6},
			.number = 2}};
}

/* The body of the record; the caller frees it. */
static char *body_of(const struct abi_file_event *event)
{
	struct audit_scene scene = {};
	char *text, *body;

	audit_scene_begin(&scene);
	audit_name_syscalls(scene.audit, names, ARRAY_SIZE(names));
	audit_event(scene.audit, &event->call.header, NULL);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	text = audit_scene_text(&scene);
	audit_scene_end(&scene);
	body = strstr(text, "\"type\"");
	CHECK(body);
	memmove(text, body, strlen(body) + 1);
	return text;
}

static void check_type(const struct abi_file_event *event, const char *type)
{
	char *text = body_of(event), expected[64];

	snprintf(expected, sizeof(expected), "\"type\":\"%s\",", type);
	CHECK(strncmp(text, expected, strlen(expected)) == 0);
	free(text);
}

static void check_body(const struct abi_file_event *event, const char *type, const char *body)
{
	char *text = body_of(event), *start = strstr(text, "\"comm_untrusted\":\"\"},");

	CHECK(start);
	CHECK_TEXT(start + strlen("\"comm_untrusted\":\"\"},"), body);
	free(text);
	check_type(event, type);
}

TEST(a_call_that_was_refused_names_who_did_it)
{
	struct abi_file_event event = event_of(ABI_EVENT_SYSCALL);

	event.call.result = -EPERM;
	event.call.refusal = ABI_REFUSAL_SECCOMP;
	check_body(&event, "syscall.open",
		"\"syscall\":\"open\",\"number\":2,\"abi\":\"native\",\"result\":-1,\"error\":"
		"\"EPERM\","
		"\"verdict\":\"deny\",\"refused_by\":\"seccomp\",\"arguments\":[\"0x1\","
		"\"0xffffffffffffffff\",\"0x3\",\"0x4\",\"0x5\",\"0x6\"]}\n");
}

TEST(what_is_no_program_of_the_policy_was_refused)
{
	struct abi_file_event event = event_of(ABI_EVENT_SYSCALL);

	event.call.result = -EACCES;
	event.call.refusal = ABI_REFUSAL_EXECUTABLE;
	check_body(&event, "syscall.open",
		"\"syscall\":\"open\",\"number\":2,\"abi\":\"native\",\"result\":-13,\"error\":"
		"\"EACCES\","
		"\"verdict\":\"deny\",\"refused_by\":\"executables or "
		"mode\",\"arguments\":[\"0x1\","
		"\"0xffffffffffffffff\",\"0x3\",\"0x4\",\"0x5\",\"0x6\"]}\n");
}

TEST(a_file_that_was_refused_is_not_one_that_was_opened)
{
	struct abi_file_event event = event_of(ABI_EVENT_FILE);

	event.call.inode = 7;
	event.call.result = -EACCES;
	check_type(&event, "file.open");
	event.call.refusal = ABI_REFUSAL_EXECUTABLE;
	check_type(&event, "syscall.open");
}

TEST(a_process_that_was_killed_has_no_result)
{
	struct abi_file_event event = event_of(ABI_EVENT_SYSCALL);

	event.call.refusal = ABI_REFUSAL_KILLED;
	event.call.abi = ABI_CALL_COMPAT;
	check_body(&event, "syscall.unnamed",
		"\"number\":2,\"abi\":\"i386\",\"verdict\":\"deny\",\"refused_by\":\"seccomp, by a "
		"signal\"}\n");
}

TEST(a_file_that_was_opened_has_the_kernels_word)
{
	struct abi_file_event event = event_of(ABI_EVENT_FILE);

	event.call.result = 3;
	event.call.inode = 77;
	event.call.device = 8 << 20 | 1;
	event.call.writable = 1;
	event.call.sources[0] = ABI_SOURCE_KERNEL;
	strcpy(event.texts[0], "/tmp/a");
	check_body(&event, "file.open",
		"\"syscall\":\"open\",\"number\":2,\"abi\":\"native\",\"result\":3,\"arguments\":["
		"\"0x1\",\"0xffffffffffffffff\",\"0x3\",\"0x4\",\"0x5\",\"0x6\"],\"path\":\"/tmp/"
		"a\",\"path_src\":\"kernel\",\"inode\":77,\"device\":\"8:1\",\"writable\":true,"
		"\"created\":false}\n");
}

TEST(two_paths_are_the_users_word)
{
	struct abi_file_event event = event_of(ABI_EVENT_FILE);

	event.call.number = 3;
	event.call.result = -ENOENT;
	event.call.sources[0] = event.call.sources[1] = ABI_SOURCE_USER;
	memset(event.texts[0], 'a', sizeof(event.texts[0]));
	strcpy(event.texts[1], "b\"\n");
	{
		char *text = body_of(&event);

		CHECK(strstr(text, "aaa\",\"path_src\":\"user\",\"second_path\":\"b\\\"\\n\","
				   "\"second_path_src\":\"user\"}"));
		free(text);
	}
	check_type(&event, "syscall.renameat2");
	event.call.sources[0] = event.call.sources[1] = ABI_SOURCE_NONE;
	{
		char *text = body_of(&event);

		CHECK(strstr(text, "],\"path_src\":\"unreadable\"}"));
		free(text);
	}
}

/* Behind the arguments. */
static void check_texts(const struct abi_file_event *event, const char *expected)
{
	char *text = body_of(event), *start = strstr(text, "],");

	CHECK(start);
	CHECK_TEXT(start + strlen("],"), expected);
	free(text);
}

TEST(a_relative_path_has_a_directory)
{
	struct abi_file_event event = event_of(ABI_EVENT_FILE);

	event.call.result = -ENOENT;
	event.call.sources[0] = ABI_SOURCE_USER;
	event.call.sources[1] = ABI_SOURCE_DIRECTORY;
	strcpy(event.texts[0], "b/c");
	strcpy(event.texts[1], "/tmp/\"a");
	check_texts(
		&event, "\"path\":\"b/c\",\"path_src\":\"user\",\"directory\":\"/tmp/\\\"a\"}\n");
	/* The twin: without one. */
	event.call.sources[1] = ABI_SOURCE_NONE;
	check_texts(&event, "\"path\":\"b/c\",\"path_src\":\"user\"}\n");
	event.call.sources[1] = ABI_SOURCE_USER;
	check_texts(&event, "\"path\":\"b/c\",\"path_src\":\"user\",\"second_path\":\"/tmp/\\\"a\","
			    "\"second_path_src\":\"user\"}\n");
}

TEST(each_of_two_relative_paths_has_a_directory)
{
	struct abi_pair_event event = {.file = event_of(ABI_EVENT_PAIR)};

	event.file.call.header.size = sizeof(event);
	event.file.call.sources[0] = event.file.call.sources[1] = ABI_SOURCE_USER;
	strcpy(event.file.texts[0], "a");
	strcpy(event.file.texts[1], "b");
	strcpy(event.directories[0], "/one");
	memset(event.directories[1], 'd', sizeof(event.directories[1]));
	{
		char *text = body_of(&event.file);

		CHECK(strstr(text, "\"path\":\"a\",\"path_src\":\"user\",\"directory\":\"/one\","
				   "\"second_path\":\"b\",\"second_path_src\":\"user\","
				   "\"second_directory\":\"ddd"));
		free(text);
	}
	event.directories[0][0] = '\0';
	strcpy(event.directories[1], "/two");
	check_texts(&event.file, "\"path\":\"a\",\"path_src\":\"user\",\"second_path\":\"b\","
				 "\"second_path_src\":\"user\",\"second_directory\":\"/two\"}\n");
}

TEST(a_socket_of_a_relative_path_has_a_directory)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
	struct abi_file_event event = event_of(ABI_EVENT_FILE);

	event.call.is_address = 1;
	event.call.text_size = sizeof(address);
	event.call.sources[0] = ABI_SOURCE_USER;
	event.call.sources[1] = ABI_SOURCE_DIRECTORY;
	memcpy(event.texts[0], &address, sizeof(address));
	strcpy(event.texts[1], "/run");
	check_texts(&event, "\"family\":\"unix\",\"path\":\"s\",\"address_src\":\"user\","
			    "\"directory\":\"/run\"}\n");
}

static void check_address(const void *address, size_t size, const char *expected)
{
	struct abi_file_event event = event_of(ABI_EVENT_FILE);
	char *text;

	event.call.number = 4;
	event.call.is_address = 1;
	event.call.text_size = (uint8_t)size;
	event.call.sources[0] = ABI_SOURCE_USER;
	memcpy(event.texts[0], address, size);
	text = body_of(&event);
	if (!strstr(text, expected))
		check_fail(__FILE__, __LINE__, "%s is not in %s", expected, text);
	free(text);
}

TEST(addresses_are_shown_by_their_family)
{
	const struct sockaddr_in ipv4 = {
		.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0xcb007107)};
	const struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(53),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
	const struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0name"};
	const sa_family_t other = AF_NETLINK;

	check_address(&ipv4, sizeof(ipv4),
		"\"family\":\"ipv4\",\"address\":\"203.0.113.7\",\"port\":80,\"address_src\":"
		"\"user\"");
	check_address(&ipv6, sizeof(ipv6), "\"family\":\"ipv6\",\"address\":\"::1\",\"port\":53,");
	check_address(&path, sizeof(path), "\"family\":\"unix\",\"path\":\"/run/x\",");
	check_address(&abstract, 2 + 5, "\"family\":\"unix\",\"path\":\"name\",\"abstract\":true,");
	check_address(&path, 2, "\"family\":\"unix\",\"path\":\"\",");
	check_address(&other, sizeof(other), "\"family\":16,");
	/* Too short for what its family says. */
	check_address(&ipv4, 4, "\"family\":2,");
}

static void check_malformed(const struct abi_file_event *event)
{
	char *text = body_of(event);

	CHECK(strstr(text, "\"type\":\"audit.lost\",\"lost\":1,\"where\":\"malformed\"}"));
	free(text);
}

TEST(what_no_program_of_ours_writes_is_counted_as_lost)
{
	struct abi_file_event event = event_of(ABI_EVENT_SYSCALL);

	event.call.abi = 3;
	check_malformed(&event);
	event = event_of(ABI_EVENT_SYSCALL);
	event.call.refusal = ABI_REFUSAL_EXECUTABLE + 1;
	check_malformed(&event);
	event = event_of(ABI_EVENT_SYSCALL);
	event.call.header.size--;
	check_malformed(&event);
	event = event_of(ABI_EVENT_FILE);
	event.call.header.size--;
	check_malformed(&event);
	event.call.header.type = ABI_EVENT_PAIR;
	event.call.header.size = sizeof(struct abi_pair_event) - 1;
	check_malformed(&event);
	/* The twin: unknown numbers are no fault. */
	event = event_of(ABI_EVENT_SYSCALL);
	event.call.number = 1;
	check_type(&event, "syscall.unnamed");
	event.call.number = UINT32_MAX;
	check_type(&event, "syscall.unnamed");
}
