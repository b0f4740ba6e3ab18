/* An event is put into the members that its line will have, as the audit room writes them, and
 * these are read as a line's are: what is judged at once and what is replayed later are the same
 * acts. No text is copied, and no memory taken. */
#include "supervisor/policy/acts/recorded-event.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/utf8.h"
#include "supervisor/policy/acts/recorded-calls.h"

static struct member number_of(int64_t number)
{
	return (struct member){.integer = number, .is_there = true};
}

/* What is no UTF-8 is replaced in a line, and so is not whole. */
static struct member text_of(const char *text, size_t length)
{
	static const char replaced[] = "\xef\xbf\xbd";

	if (!utf8_is_valid(text, length)) {
		text = replaced;
		length = strlen(replaced);
	}
	return (struct member){.text = text, .length = length, .is_there = true};
}

static struct member field_of(const char *field, size_t size)
{
	return text_of(field, strnlen(field, size));
}

static struct member word_of(const char *word)
{
	return word ? text_of(word, strlen(word)) : (struct member){0};
}

/* A socket's name; an abstract one begins with NUL and is none of a file. */
static void fill_address(const struct abi_file_event *event, struct member *list)
{
	size_t start = offsetof(struct sockaddr_un, sun_path), size = event->call.text_size;
	const char *path = event->texts[0] + start;
	sa_family_t family = AF_UNSPEC;

	if (size > sizeof(struct sockaddr_un))
		size = sizeof(struct sockaddr_un);
	if (size >= sizeof(family))
		memcpy(&family, event->texts[0], sizeof(family));
	if (family != AF_UNIX)
		return;
	size -= start;
	if (size > 0 && path[0] == '\0') {
		list[MEMBER_PATH] = text_of(path + 1, size - 1);
		list[MEMBER_ABSTRACT] = number_of(true);
	} else {
		list[MEMBER_PATH] = field_of(path, size);
	}
}

static struct member directory_of(const char text[ABI_TEXT_SIZE])
{
	return text[0] ? field_of(text, ABI_TEXT_SIZE) : (struct member){0};
}

static void fill_texts(const struct abi_file_event *event, struct member *list)
{
	bool is_single = event->call.sources[1] == ABI_SOURCE_DIRECTORY;

	if (event->call.is_address)
		fill_address(event, list);
	else if (event->call.sources[0] != ABI_SOURCE_NONE)
		list[MEMBER_PATH] = field_of(event->texts[0], ABI_TEXT_SIZE);
	if (is_single)
		list[MEMBER_DIRECTORY] = directory_of(event->texts[1]);
	else if (!event->call.is_address && event->call.sources[1] != ABI_SOURCE_NONE)
		list[MEMBER_SECOND_PATH] = field_of(event->texts[1], ABI_TEXT_SIZE);
}

static void fill_directories(const struct abi_pair_event *event, struct member *list)
{
	list[MEMBER_DIRECTORY] = directory_of(event->directories[0]);
	list[MEMBER_SECOND_DIRECTORY] = directory_of(event->directories[1]);
}

static void fill_call(const struct abi_syscall_event *call, const struct policy_event_words *words,
	struct member *list)
{
	list[MEMBER_TYPE] = word_of(words->opened ? "file.open" : "syscall.");
	list[MEMBER_SYSCALL] = word_of(words->call);
	list[MEMBER_REFUSED_BY] = word_of(words->refused_by);
	if (call->refusal != ABI_REFUSAL_KILLED && call->result < 0 && call->result >= -4095)
		list[MEMBER_ERROR] = word_of(strerrorname_np((int)-call->result));
	list[MEMBER_WRITABLE] = number_of(call->writable);
	list[MEMBER_CREATED] = number_of(call->created);
}

/* Arguments are numbers here, and no text. Of a call that ended its process there are none. */
static bool read_call(const struct abi_syscall_event *call, const struct policy_event_words *words,
	struct policy_recorded *record)
{
	struct policy_act *act = &record->acts[0].act;
	struct member list[MEMBERS] = {0};

	fill_call(call, words, list);
	if (call->header.type != ABI_EVENT_SYSCALL)
		fill_texts((const struct abi_file_event *)call, list);
	if (call->header.type == ABI_EVENT_PAIR)
		fill_directories((const struct abi_pair_event *)call, list);
	if (!recorded_read_call(list, record))
		return false;
	if (record->n_acts == 0 || act->kind != POLICY_ACT_SYSCALL ||
		call->refusal == ABI_REFUSAL_KILLED)
		return true;
	memcpy(act->arguments, call->arguments, sizeof(act->arguments));
	act->given = (1U << POLICY_CALL_ARGUMENTS) - 1;
	return true;
}

static bool read_exec(const struct abi_exec_event *exec, struct policy_recorded *record)
{
	const struct abi_process *process = &exec->header.process;
	struct member list[MEMBERS] = {0};

	list[MEMBER_PROCESS_EXE] = field_of(process->exe, sizeof(process->exe));
	if (exec->script[0])
		list[MEMBER_SCRIPT] = field_of(exec->script, sizeof(exec->script));
	if (exec->header.type == ABI_EVENT_SCRIPT)
		list[MEMBER_SCRIPT_DIRECTORY] =
			directory_of(((const struct abi_script_event *)exec)->directory);
	return recorded_read_exec(list, record);
}

void policy_recorded_event(const struct abi_event_header *event,
	const struct policy_event_words *words, struct policy_recorded *ret_record)
{
	bool read = false;

	recorded_begin(NULL, 0, ret_record);
	switch ((enum abi_event_type)event->type) {
	case ABI_EVENT_EXEC:
	case ABI_EVENT_SCRIPT:
		read = read_exec((const struct abi_exec_event *)event, ret_record);
		break;
	case ABI_EVENT_SYSCALL:
	case ABI_EVENT_FILE:
	case ABI_EVENT_PAIR:
		read = read_call((const struct abi_syscall_event *)event, words, ret_record);
		break;
	case ABI_EVENT_NETWORK:
	case ABI_EVENT_EXIT:
		break;
	}
	ret_record->kind = read ? POLICY_RECORDED_ACTS : POLICY_RECORDED_OTHER;
}

void policy_recorded_query(
	const struct policy_recorded_answer *answer, struct policy_recorded *ret_record)
{
	struct member list[MEMBERS] = {0};

	recorded_begin(NULL, 0, ret_record);
	list[MEMBER_NAME] = word_of(answer->name);
	list[MEMBER_QTYPE] = number_of(answer->type);
	list[MEMBER_RCODE] = number_of(answer->rcode);
	list[MEMBER_RECORDS] = number_of(answer->n_records);
	list[MEMBER_VERDICT] = word_of(answer->rcode == 0 ? "allow" : "deny");
	if (answer->extended_error >= 0)
		list[MEMBER_EXTENDED_ERROR] = number_of(answer->extended_error);
	if (recorded_read_query(list, ret_record))
		ret_record->kind = POLICY_RECORDED_ACTS;
}
