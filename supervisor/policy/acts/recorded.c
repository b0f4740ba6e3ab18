#include "supervisor/policy/acts/recorded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bpf/lib/match.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/policy/acts/recorded-calls.h"
#include "supervisor/policy/network/prefix.h"

#define HEAD_BYTES 256 /* a record's type stands within these */

/* Of DNS (RFC 1035, 8914): what the gate answers by what it was told, and what it adds to it. */
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define REASON_OTHER 0
#define REASON_BLOCKED 15
#define TYPE_A 1
#define TYPE_MX 15
#define TYPE_TXT 16
#define TYPE_AAAA 28
#define TYPE_SRV 33

static void cleanup_json(json_t **value)
{
	json_decref(*value);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

struct policy_recorded_act *recorded_act_add(
	struct policy_recorded *record, enum policy_act_kind kind)
{
	struct policy_recorded_act *act = &record->acts[record->n_acts++];

	*act = (struct policy_recorded_act){.act.kind = kind};
	return act;
}

/* Denials that no policy decides; the names are audit's. */
static bool is_policys(const struct member *reason)
{
	static const char *const policys[] = {"rule", "default", "ticket"};

	for (size_t i = 0; i < ARRAY_SIZE(policys); i++)
		if (member_is(reason, policys[i]))
			return true;
	return reason->length == 0;
}

static bool read_address(const struct member *member, struct abi_address *ret_address)
{
	struct abi_cidr_key whole;
	char text[64];

	if (member->length == 0 || member->length >= sizeof(text))
		return false;
	member_copy(member, text, sizeof(text));
	if (strchr(text, '/') || prefix_parse(text, &whole) < 0)
		return false;
	*ret_address = whole.address;
	return true;
}

static bool read_name(const struct member *name, struct policy_act *act)
{
	if (name->length >= POLICY_HOST_SIZE || name->length == 0)
		return false;
	member_copy(name, act->name, sizeof(act->name));
	act->is_name = true;
	return true;
}

static bool read_port(const struct member *list, struct policy_act *act)
{
	int64_t port = list[MEMBER_PORT].integer;

	act->port = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX;
}

static bool is_allowed(const struct member *list)
{
	return !member_is(&list[MEMBER_VERDICT], "deny");
}

/* connect(2) and sendmsg(2). A synthetic address is a name's; without that it says nothing. */
static bool read_network(const struct member *list, struct policy_recorded *record)
{
	struct policy_recorded_act *recorded = recorded_act_add(record,
		member_is(&list[MEMBER_PROTOCOL], "udp") ? POLICY_ACT_SEND : POLICY_ACT_CONNECT);
	struct policy_act *act = &recorded->act;

	recorded->allowed = is_allowed(list);
	if (!is_policys(&list[MEMBER_REASON]) || !read_port(list, act) ||
		!read_address(&list[MEMBER_ADDRESS], &act->address))
		return false;
	if (list[MEMBER_NAME].length)
		return read_name(&list[MEMBER_NAME], act);
	return !match_is_synthetic(&act->address);
}

enum answer {
	ANSWER_ALLOWED,
	ANSWER_DENIED,
	ANSWER_UNTOLD, /* it would have been the same under each policy, or may have been */
};

/* With a query for addresses nobody else is asked, so what went wrong says that it was denied, but
 * for floods and what has no room. One for records that was allowed may find none, or nobody. */
static enum answer judge_answer(const struct member *list, enum policy_query query)
{
	const struct member *reason = &list[MEMBER_EXTENDED_ERROR];

	if (reason->is_there && reason->integer == REASON_BLOCKED)
		return ANSWER_DENIED;
	if (query == POLICY_QUERY_ADDRESS)
		return is_allowed(list)   ? ANSWER_ALLOWED
		       : reason->is_there ? ANSWER_UNTOLD
					  : ANSWER_DENIED;
	switch (list[MEMBER_RCODE].integer) {
	case 0:
		return list[MEMBER_RECORDS].integer > 0 ? ANSWER_ALLOWED : ANSWER_UNTOLD;
	case RCODE_NXDOMAIN:
		return ANSWER_ALLOWED;
	case RCODE_SERVFAIL:
		return reason->is_there && reason->integer != REASON_OTHER ? ANSWER_ALLOWED
									   : ANSWER_UNTOLD;
	default:
		return ANSWER_UNTOLD;
	}
}

static bool read_query(int64_t type, enum policy_query *ret_query)
{
	switch (type) {
	case TYPE_A:
	case TYPE_AAAA:
		*ret_query = POLICY_QUERY_ADDRESS;
		return true;
	case TYPE_MX:
		*ret_query = POLICY_QUERY_MX;
		return true;
	case TYPE_SRV:
		*ret_query = POLICY_QUERY_SRV;
		return true;
	case TYPE_TXT:
		*ret_query = POLICY_QUERY_TXT;
		return true;
	default:
		return false;
	}
}

/* Queries that a policy decides on: other types are answered by none. */
bool recorded_read_query(const struct member *list, struct policy_recorded *record)
{
	struct policy_recorded_act *recorded = recorded_act_add(record, POLICY_ACT_RESOLVE);
	struct policy_act *act = &recorded->act;
	enum answer answer;

	if (!read_query(list[MEMBER_QTYPE].integer, &act->query) ||
		!read_name(&list[MEMBER_NAME], act))
		return false;
	answer = judge_answer(list, act->query);
	recorded->allowed = answer == ANSWER_ALLOWED;
	if (answer == ANSWER_UNTOLD) {
		record->n_acts = 0;
		record->passed[POLICY_PASSED_ANSWER]++;
	}
	return true;
}

static bool read_inbound(const struct member *list, struct policy_recorded *record)
{
	struct policy_recorded_act *recorded = recorded_act_add(record, POLICY_ACT_INBOUND);

	recorded->allowed = is_allowed(list);
	return read_port(list, &recorded->act);
}

static bool read_dial(const struct member *list, struct policy_recorded *record)
{
	struct policy_act *act = &recorded_act_add(record, POLICY_ACT_CONNECT)->act;

	return read_name(&list[MEMBER_NAME], act) && read_port(list, act) &&
	       read_address(&list[MEMBER_DIALLED], &act->address);
}

static void read_calls(const struct member *list, struct policy_recorded *record)
{
	const struct member *calls = &list[MEMBER_SYSCALLS];

	if (calls->length)
		record->calls = member_is(calls, "default") ? POLICY_RECORDED_CALLS_USUAL
							    : POLICY_RECORDED_CALLS_OTHER;
}

static bool read_create(const struct member *list, struct policy_recorded *record)
{
	member_copy(&list[MEMBER_TEMPLATE], record->template, sizeof(record->template));
	read_calls(list, record);
	return true;
}

static bool read_swap(const struct member *list, struct policy_recorded *record)
{
	read_calls(list, record);
	return true;
}

static bool read_lost(const struct member *list, struct policy_recorded *record)
{
	record->n_lost = (uint64_t)list[MEMBER_LOST].integer;
	return list[MEMBER_LOST].integer > 0;
}

static const struct type {
	const char *name;
	enum policy_recorded_kind kind;
	bool (*read)(const struct member *list, struct policy_recorded *record);
} types[] = {
	{"network.connect", POLICY_RECORDED_ACTS, read_network},
	{"network.send", POLICY_RECORDED_ACTS, read_network},
	{"network.dns", POLICY_RECORDED_ACTS, recorded_read_query},
	{"network.inbound", POLICY_RECORDED_ACTS, read_inbound},
	{"network.flow", POLICY_RECORDED_DIAL, read_dial},
	{"file.open", POLICY_RECORDED_ACTS, recorded_read_call},
	{"syscall.", POLICY_RECORDED_ACTS, recorded_read_call}, /* and a name */
	{"process.exec", POLICY_RECORDED_ACTS, recorded_read_exec},
	{"sandbox.create", POLICY_RECORDED_CREATE, read_create},
	{"sandbox.policy", POLICY_RECORDED_SWAP, read_swap},
	{"audit.lost", POLICY_RECORDED_LOST, read_lost},
};

/* The text of the member "type", which stands before all that programs choose; whoever wrote the
 * line may have put white space around the colon. NULL without. */
static const char *find_value(const char *line, size_t size_bytes, size_t *ret_length)
{
	size_t head_bytes = size_bytes < HEAD_BYTES ? size_bytes : HEAD_BYTES;
	static const char mark[] = "\"type\"";
	const char *end = line + size_bytes, *at = memmem(line, head_bytes, mark, strlen(mark)),
		   *quote;

	if (!at)
		return NULL;
	for (at += strlen(mark); at < end && (*at == ' ' || *at == ':'); at++)
		;
	quote = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
	if (!quote)
		return NULL;
	*ret_length = (size_t)(quote - at - 1);
	return at + 1;
}

static bool is_type(const struct type *type, const char *value, size_t length)
{
	size_t wanted = strlen(type->name);
	bool is_prefix = type->name[wanted - 1] == '.';

	return (length == wanted || (is_prefix && length > wanted)) &&
	       memcmp(type->name, value, wanted) == 0;
}

/* Most lines are about something else, and are not worth reading whole. */
static const struct type *find_type(const char *line, size_t size_bytes)
{
	size_t length;
	const char *value = find_value(line, size_bytes, &length);

	for (size_t i = 0; value && i < ARRAY_SIZE(types); i++)
		if (is_type(&types[i], value, length))
			return &types[i];
	return NULL;
}

/* "sb-" and hexadecimal digits in lower case, as they are written; 0: no sandbox. */
static uint64_t read_sandbox(const struct member *member)
{
	static const char prefix[] = "sb-";
	uint64_t id = 0;

	if (member->length <= strlen(prefix) || member->length > strlen(prefix) + 16 ||
		memcmp(member->text, prefix, strlen(prefix)) != 0)
		return 0;
	for (size_t i = strlen(prefix); i < member->length; i++) {
		char c = member->text[i];

		if (c >= '0' && c <= '9')
			id = id << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			id = id << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
	}
	return id;
}

static void fill(const struct member *list, const struct type *type, struct policy_recorded *record)
{
	record->sequence = (uint64_t)list[MEMBER_SEQ].integer;
	record->sandbox = read_sandbox(&list[MEMBER_SANDBOX]);
	member_copy(&list[MEMBER_TIME], record->time, sizeof(record->time));
	if (type->read(list, record))
		record->kind = type->kind;
}

/* The acts are as large as all else, and made when they are met. */
void recorded_begin(const char *line, size_t size_bytes, struct policy_recorded *record)
{
	memset(record, 0, offsetof(struct policy_recorded, acts));
	record->template[0] = '\0';
	record->line = line;
	record->size_bytes = size_bytes;
}

int policy_recorded_read(const char *line, size_t size_bytes, struct policy_recorded *ret_record)
{
	const struct type *type = find_type(line, size_bytes);
	struct members members;
	int r = 0;

	recorded_begin(line, size_bytes, ret_record);
	if (size_bytes == 0 || line[0] != '{')
		return -EBADMSG;
	if (!type)
		return 0;
	if (members_read(line, size_bytes, &members) < 0)
		return -EBADMSG;
	if (is_type(type, members.list[MEMBER_TYPE].text, members.list[MEMBER_TYPE].length))
		fill(members.list, type, ret_record);
	else
		r = -EBADMSG;
	members_fini(&members);
	return r;
}

void policy_recorded_fault(
	const char *line, size_t size_bytes, char ret_text[POLICY_RECORDED_FAULT_SIZE])
{
	json_error_t error = {.column = 1};
	_cleanup_(cleanup_json) json_t *json = json_loadb(line, size_bytes, 0, &error);

	if (!json)
		snprintf(ret_text, POLICY_RECORDED_FAULT_SIZE, "column %d: %s", error.column,
			error.text);
	else if (!json_is_object(json))
		snprintf(ret_text, POLICY_RECORDED_FAULT_SIZE, "column 1: it is no object");
	else
		snprintf(ret_text, POLICY_RECORDED_FAULT_SIZE,
			"column 1: its first \"type\" is not its type");
}

bool policy_recorded_has_label(const struct policy_recorded *record, const char *label)
{
	const char *equals = strchr(label, '=');
	_cleanup_(cleanup_json) json_t *object =
		json_loadb(record->line, record->size_bytes, 0, NULL);
	_cleanup_free_ char *key = equals ? strndup(label, (size_t)(equals - label)) : NULL;

	return key && strcmp(text_of(json_object_get(object, "labels"), key), equals + 1) == 0;
}
