#include "supervisor/policy/recorded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/match.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/policy/members.h"
#include "supervisor/policy/prefix.h"

#define HEAD_BYTES 256 /* a record's type stands within these */

static void cleanup_json(json_t **value)
{
	json_decref(*value);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
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

/* connect(2) and sendmsg(2). A synthetic address is a name's; without that it says nothing. */
static bool read_network(const struct member *list, struct policy_recorded *record)
{
	struct policy_act *act = &record->act;

	act->kind = member_is(&list[MEMBER_PROTOCOL], "udp") ? POLICY_ACT_SEND : POLICY_ACT_CONNECT;
	if (!is_policys(&list[MEMBER_REASON]) || !read_port(list, act) ||
		!read_address(&list[MEMBER_ADDRESS], &act->address))
		return false;
	if (list[MEMBER_NAME].length)
		return read_name(&list[MEMBER_NAME], act);
	return !match_is_synthetic(&act->address);
}

/* Queries for addresses alone: other types are answered by other rules, or never. */
static bool read_dns(const struct member *list, struct policy_recorded *record)
{
	int64_t type = list[MEMBER_QTYPE].integer;

	record->act.kind = POLICY_ACT_RESOLVE;
	return (type == 1 || type == 28) && read_name(&list[MEMBER_NAME], &record->act);
}

static bool read_inbound(const struct member *list, struct policy_recorded *record)
{
	record->act.kind = POLICY_ACT_INBOUND;
	return read_port(list, &record->act);
}

static bool read_dial(const struct member *list, struct policy_recorded *record)
{
	record->act.kind = POLICY_ACT_CONNECT;
	return read_name(&list[MEMBER_NAME], &record->act) && read_port(list, &record->act) &&
	       read_address(&list[MEMBER_DIALLED], &record->act.address);
}

static bool read_create(const struct member *list, struct policy_recorded *record)
{
	member_copy(&list[MEMBER_TEMPLATE], record->template, sizeof(record->template));
	return true;
}

static const struct type {
	const char *name;
	enum policy_recorded_kind kind;
	bool (*read)(const struct member *list, struct policy_recorded *record);
} types[] = {
	{"network.connect", POLICY_RECORDED_ACT, read_network},
	{"network.send", POLICY_RECORDED_ACT, read_network},
	{"network.dns", POLICY_RECORDED_ACT, read_dns},
	{"network.inbound", POLICY_RECORDED_ACT, read_inbound},
	{"network.flow", POLICY_RECORDED_DIAL, read_dial},
	{"sandbox.create", POLICY_RECORDED_CREATE, read_create},
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

/* Most lines are about something else, and are not worth reading whole. */
static const struct type *find_type(const char *line, size_t size_bytes)
{
	size_t length;
	const char *value = find_value(line, size_bytes, &length);

	for (size_t i = 0; value && i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == length && memcmp(types[i].name, value, length) == 0)
			return &types[i];
	return NULL;
}

static uint64_t read_sandbox(const struct member *member)
{
	char text[32];

	member_copy(member, text, sizeof(text));
	return strncmp(text, "sb-", 3) == 0 ? strtoull(text + 3, NULL, 16) : 0;
}

static void fill(const struct member *list, const struct type *type, struct policy_recorded *record)
{
	record->sequence = (uint64_t)list[MEMBER_SEQ].integer;
	record->sandbox = read_sandbox(&list[MEMBER_SANDBOX]);
	record->allowed = !member_is(&list[MEMBER_VERDICT], "deny");
	member_copy(&list[MEMBER_TIME], record->time, sizeof(record->time));
	if (type->read(list, record))
		record->kind = type->kind;
}

int policy_recorded_read(const char *line, size_t size_bytes, struct policy_recorded *ret_record)
{
	const struct type *type = find_type(line, size_bytes);
	struct members members;
	int r = 0;

	*ret_record = (struct policy_recorded){.line = line, .size_bytes = size_bytes};
	if (size_bytes == 0 || line[0] != '{')
		return -EBADMSG;
	if (!type)
		return 0;
	if (members_read(line, size_bytes, &members) < 0)
		return -EBADMSG;
	if (member_is(&members.list[MEMBER_TYPE], type->name))
		fill(members.list, type, ret_record);
	else
		r = -EBADMSG;
	members_fini(&members);
	return r;
}

bool policy_recorded_has_label(const struct policy_recorded *record, const char *label)
{
	const char *equals = strchr(label, '=');
	_cleanup_(cleanup_json) json_t *object =
		json_loadb(record->line, record->size_bytes, 0, NULL);
	_cleanup_free_ char *key = equals ? strndup(label, (size_t)(equals - label)) : NULL;

	return key && strcmp(text_of(json_object_get(object, "labels"), key), equals + 1) == 0;
}
