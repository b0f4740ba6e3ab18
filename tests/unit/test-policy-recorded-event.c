/* Events of the kernel as acts: those of the line that the log has of them, each of them; and which
 * part of a policy decides on one. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/clock.h"
#include "supervisor/policy/acts/part.h"
#include "supervisor/policy/acts/recorded-event.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

#define ROUNDS 3000

static const char names[][32] = {"openat", "unlink", "", "renameat2", "bind", "ioctl", "execve",
	"chdir", "mkdir", "linkat", "mmap", "stat"};

/* Absolute, relative, not normal, not whole, no text, nobody's, empty. */
static const char *const paths[] = {"/work/out", "/usr/bin/git", "out", "./a/../b", "//work//./a/",
	"/work/../etc", "/proc/self/mem", "/dev/null", "/a\xff", "/b\xef\xbf\xbd", "/memfd:x", "",
	"/caf\xc3\xa9", "/a\tb", "/q\"\\", "/"};

union event {
	struct abi_event_header header;
	struct abi_file_event file;
	struct abi_exec_event exec;
	struct abi_script_event script;
	struct abi_pair_event pair;
};

static void fill(char *field, size_t size, const char *path, bool whole)
{
	memset(field, 0, size);
	if (whole)
		snprintf(field, size, "%s", path);
	else
		memset(field, 'p', size - 1);
}

static void choose_path(unsigned int *seed, char *field, size_t size)
{
	fill(field, size, paths[(size_t)rand_r(seed) % ARRAY_SIZE(paths)], rand_r(seed) % 16 != 0);
}

static union event head_of(enum abi_event_type type, size_t size)
{
	return (union event){.header = {.version = ABI_VERSION,
				     .type = (uint16_t)type,
				     .size = (uint32_t)size,
				     .boottime_ns = clock_read_ns(CLOCK_BOOTTIME),
				     .sandbox = 0x10}};
}

static union event choose_exec(unsigned int *seed)
{
	bool has_directory = rand_r(seed) % 3 == 0;
	union event event = head_of(has_directory ? ABI_EVENT_SCRIPT : ABI_EVENT_EXEC,
		has_directory ? sizeof(event.script) : sizeof(event.exec));

	if (has_directory)
		choose_path(seed, event.script.directory, sizeof(event.script.directory));
	choose_path(seed, event.header.process.exe, sizeof(event.header.process.exe));
	if (rand_r(seed) % 2)
		choose_path(seed, event.exec.script, sizeof(event.exec.script));
	if (rand_r(seed) % 16 == 0)
		fill(event.header.process.exe, sizeof(event.header.process.exe),
			"/memfd:cloche-init", true);
	return event;
}

static void choose_address(unsigned int *seed, struct abi_file_event *file)
{
	struct sockaddr_un address = {.sun_family = rand_r(seed) % 8 ? AF_UNIX : AF_NETLINK};

	choose_path(seed, address.sun_path, sizeof(address.sun_path));
	if (rand_r(seed) % 4 == 0)
		address.sun_path[0] = '\0';
	file->call.is_address = true;
	file->call.text_size = (uint8_t)((size_t)rand_r(seed) % sizeof(address)) + 2;
	memcpy(file->texts[0], &address, sizeof(address));
}

static union event choose_call(unsigned int *seed)
{
	static const int results[] = {0, 3, -EROFS, -ENOENT, -EPERM, -4000, -5000};
	static const struct {
		enum abi_event_type type;
		size_t size;
	} types[] = {{ABI_EVENT_SYSCALL, sizeof(struct abi_syscall_event)},
		{ABI_EVENT_FILE, sizeof(struct abi_file_event)},
		{ABI_EVENT_PAIR, sizeof(struct abi_pair_event)}};
	size_t type = (size_t)rand_r(seed) % ARRAY_SIZE(types);
	bool has_texts = type > 0;
	union event event = head_of(types[type].type, types[type].size);
	struct abi_syscall_event *call = &event.file.call;

	call->number = (uint32_t)((size_t)rand_r(seed) % (ARRAY_SIZE(names) + 1));
	call->abi = rand_r(seed) % 8 ? ABI_CALL_NATIVE : ABI_CALL_X32;
	call->result = results[(size_t)rand_r(seed) % ARRAY_SIZE(results)];
	call->refusal = rand_r(seed) % 3 ? 0 : (uint8_t)(rand_r(seed) % 5);
	call->inode = rand_r(seed) % 3 == 0;
	call->writable = rand_r(seed) % 2;
	call->created = rand_r(seed) % 2;
	for (size_t i = 0; i < ARRAY_SIZE(call->arguments); i++)
		call->arguments[i] = (uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed);
	for (size_t i = 0; has_texts && i < ABI_TEXTS; i++) {
		choose_path(seed, event.file.texts[i], sizeof(event.file.texts[i]));
		call->sources[i] = (uint8_t)(rand_r(seed) % (i && type == 1 ? 4 : 3));
	}
	for (size_t i = 0; type == 2 && i < ABI_TEXTS; i++)
		choose_path(seed, event.pair.directories[i], sizeof(event.pair.directories[i]));
	if (type == 1 && rand_r(seed) % 5 == 0)
		choose_address(seed, &event.file);
	return event;
}

static struct policy_recorded read_event(
	const struct audit *audit, const struct abi_event_header *event)
{
	struct policy_event_words words = {0};
	struct policy_recorded record;
	struct audit_call_words said;

	if (event->type != ABI_EVENT_EXEC && event->type != ABI_EVENT_SCRIPT) {
		CHECK(audit_call_words(audit, event, &said));
		words = (struct policy_event_words){said.name, said.refused_by, said.opened};
	}
	policy_recorded_event(event, &words, &record);
	return record;
}

static void check_same(const struct policy_recorded *said, const struct policy_recorded *read)
{
	CHECK_INT(said->kind, read->kind);
	CHECK_INT(said->n_acts, read->n_acts);
	CHECK(memcmp(said->passed, read->passed, sizeof(said->passed)) == 0);
	CHECK_INT(said->shows_opens, read->shows_opens);
	CHECK_INT(said->executes_unknown, read->executes_unknown);
	for (size_t i = 0; i < said->n_acts; i++) {
		const struct policy_recorded_act *a = &said->acts[i], *b = &read->acts[i];
		char text[POLICY_ACT_TEXT_SIZE], other[POLICY_ACT_TEXT_SIZE];

		CHECK_TEXT(policy_act_format(&a->act, text), policy_act_format(&b->act, other));
		CHECK(memcmp(a->act.arguments, b->act.arguments, sizeof(a->act.arguments)) == 0);
		CHECK_INT(a->act.given, b->act.given);
		CHECK_INT(a->allowed, b->allowed);
		CHECK_INT(a->in_directory, b->in_directory);
		CHECK_INT(a->made_directory, b->made_directory);
	}
}

TEST(an_event_has_the_acts_that_its_line_has)
{
	struct audit_scene scene = {};
	struct policy_recorded *said = calloc(ROUNDS, sizeof(*said));
	size_t n = 0, n_acts = 0, n_denied = 0, n_passed[POLICY_PASSED] = {0};
	unsigned int seed = 11;
	char *text, *line;

	audit_scene_begin(&scene);
	audit_name_syscalls(scene.audit, names, ARRAY_SIZE(names));
	for (size_t i = 0; i < ROUNDS; i++) {
		union event event = rand_r(&seed) % 4 ? choose_call(&seed) : choose_exec(&seed);

		said[i] = read_event(scene.audit, &event.header);
		audit_event(scene.audit, &event.header, NULL);
	}
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	line = text = audit_scene_text(&scene);
	audit_scene_end(&scene);
	for (; *line; line = strchr(line, '\n') + 1) {
		size_t length = (size_t)(strchr(line, '\n') - line);
		struct policy_recorded read;

		CHECK_INT(policy_recorded_read(line, length, &read), 0);
		if (!memmem(line, length, "\"type\":\"syscall.", 16) &&
			!memmem(line, length, "\"type\":\"file.open\"", 18) &&
			!memmem(line, length, "\"type\":\"process.exec\"", 21))
			continue;
		CHECK(n < ROUNDS);
		check_same(&said[n], &read);
		for (size_t i = 0; i < read.n_acts; i++, n_acts++)
			n_denied += !read.acts[i].allowed;
		for (size_t i = 0; i < POLICY_PASSED; i++)
			n_passed[i] += read.passed[i];
		n++;
	}
	CHECK_INT(n, ROUNDS);
	/* All that a call or a program can be was among them. */
	CHECK(n_acts > ROUNDS / 2 && n_denied > 100);
	for (size_t i = 0; i < POLICY_PASSED_ANSWER; i++)
		CHECK(n_passed[i] > 10);
	free(text);
	free(said);
}

TEST(a_query_has_the_act_that_its_line_has)
{
	static const struct {
		struct policy_recorded_answer answer;
		const char *line, *act; /* NULL: none */
		bool allowed;
	} rows[] = {
		{{"a.org", 1, 0, -1, 0}, "\"verdict\":\"allow\",\"qtype\":1,\"rcode\":0",
			"resolve a.org", true},
		{{"a.org", 28, 5, 15, 0},
			"\"verdict\":\"deny\",\"qtype\":28,\"rcode\":5,\"extended_error\":15",
			"resolve a.org", false},
		{{"a.org", 1, 5, 18, 0},
			"\"verdict\":\"deny\",\"qtype\":1,\"rcode\":5,\"extended_error\":18", NULL,
			false},
		{{"a.org", 15, 0, -1, 2},
			"\"verdict\":\"allow\",\"qtype\":15,\"rcode\":0,\"records\":2",
			"resolve a.org MX", true},
		{{"a.org", 16, 5, 15, 0},
			"\"verdict\":\"deny\",\"qtype\":16,\"rcode\":5,\"extended_error\":15",
			"resolve a.org TXT", false},
		{{"a.org", 16, 0, -1, 0}, "\"verdict\":\"allow\",\"qtype\":16,\"rcode\":0", NULL,
			false},
		{{"a.org", 65, 0, -1, 0}, "\"verdict\":\"allow\",\"qtype\":65,\"rcode\":0", NULL,
			false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[256], text[POLICY_ACT_TEXT_SIZE];
		struct policy_recorded said, read;

		snprintf(line, sizeof(line), "{\"type\":\"network.dns\",\"name\":\"a.org\",%s}",
			rows[i].line);
		CHECK_INT(policy_recorded_read(line, strlen(line), &read), 0);
		policy_recorded_query(&rows[i].answer, &said);
		if (said.kind == POLICY_RECORDED_ACTS)
			check_same(&said, &read);
		CHECK_INT(said.kind, read.kind);
		CHECK_INT(
			said.kind == POLICY_RECORDED_ACTS && said.n_acts > 0, rows[i].act != NULL);
		if (!rows[i].act)
			continue;
		CHECK_TEXT(policy_act_format(&said.acts[0].act, text), rows[i].act);
		CHECK_INT(said.acts[0].allowed, rows[i].allowed);
	}
}

static int level_of(const char *name)
{
	return strcmp(name, "ptrace") == 0        ? POLICY_CALL_DEBUG
	       : strcmp(name, "userfaultfd") == 0 ? POLICY_CALL_OPENABLE
						  : POLICY_CALL_STRICT;
}

static bool name_at(unsigned int number _unused_, char ret_name[POLICY_CALL_NAME_SIZE] _unused_)
{
	return false;
}

static void check_part(const char *body, const char *act, bool allowed, const char *part)
{
	static const struct policy_calls calls = {level_of, name_at};
	static const struct policy_context context = {.calls = &calls};
	char text[1024], got[POLICY_PART_SIZE];
	struct policy *policy = NULL;
	struct policy_act parsed;
	struct failure why = {0};

	snprintf(
		text, sizeof(text), "{\"version\":1,\"name\":\"p\"%s%s}", body[0] ? "," : "", body);
	CHECK_INT(policy_parse(text, strlen(text), "p.json", &context, &policy, &why), 0);
	CHECK_INT(policy_act_parse(act, &calls, &parsed, &why), 0);
	CHECK_TEXT(policy_part(policy, &parsed, got), part);
	CHECK_INT(policy_ask(policy, &parsed).allowed, allowed);
	policy_unref(policy);
}

TEST(the_part_that_decides_is_named)
{
#define FILES "\"files\":{\"read_only\":[\"/\"],\"writable\":[\"/work\"],\"hidden\":[\"/etc/ssl\"]}"
#define PROGRAMS "\"executables\":{\"allow\":[\"/usr/bin\"],\"libraries\":[\"/usr/lib\"]}"
#define CALLS                                                                                      \
	"\"syscalls\":{\"allow\":[\"ptrace\"],\"deny\":[\"bind\",{\"name\":\"ioctl\",\"args\":"    \
	"[{\"index\":1,\"is\":\"TIOCSTI\"}]}]}"
	check_part("", "write /work/a", true, "files");
	check_part(FILES, "write /work/a", true, "files.writable /work");
	check_part(FILES, "write /a", false, "files.read_only /");
	check_part(FILES, "read /etc/ssl/key", false, "files.hidden /etc/ssl");
	check_part(PROGRAMS, "write /usr/bin/git", false, "executables /usr/bin");
	check_part(PROGRAMS, "read /usr/bin/git", true, "files");
	check_part("", "execute /work/a", true, "executables");
	check_part(PROGRAMS, "execute /work/a", false, "executables.allow");
	check_part(PROGRAMS, "execute /usr/bin/git", true, "executables.allow /usr/bin");
	check_part(FILES, "execute /etc/ssl/a", false, "files.hidden /etc/ssl");
	check_part("", "syscall bind", true, "syscalls.profile default");
	check_part("", "syscall ptrace", false, "syscalls.profile default");
	check_part(CALLS, "syscall ptrace", true, "syscalls.allow ptrace");
	check_part(CALLS, "syscall bind", false, "syscalls.deny bind");
	check_part(
		CALLS, "syscall ioctl 1=0x5412", false, "syscalls.deny ioctl where cmd is TIOCSTI");
	check_part(CALLS, "syscall ioctl 1=0x5401", true, "syscalls.profile default");
	check_part(PROGRAMS, "syscall memfd_create", false, "executables");
	check_part("", "connect a.org:443", false, "");
}
