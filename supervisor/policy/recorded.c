#include "supervisor/policy/recorded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/match.h"
#include "supervisor/base/cleanup.h"
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
static bool is_policys(const char *reason)
{
	static const char *const policys[] = {"", "rule", "default", "ticket"};

	for (size_t i = 0; i < ARRAY_SIZE(policys); i++)
		if (strcmp(reason, policys[i]) == 0)
			return true;
	return false;
}

static bool read_address(const char *text, struct abi_address *ret_address)
{
	struct abi_cidr_key whole;

	if (!*text || strchr(text, '/') || prefix_parse(text, &whole) < 0)
		return false;
	*ret_address = whole.address;
	return true;
}

static bool read_name(const char *text, struct policy_act *act)
{
	if (strlen(text) >= sizeof(act->name) || !*text)
		return false;
	strcpy(act->name, text);
	act->is_name = true;
	return true;
}

static bool read_port(const json_t *object, struct policy_act *act)
{
	json_int_t port = json_integer_value(json_object_get(object, "port"));

	act->port = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX;
}

/* connect(2) and sendmsg(2). A synthetic address is a name's; without that it says nothing. */
static bool read_network(const json_t *object, struct policy_recorded *record)
{
	struct policy_act *act = &record->act;
	const char *name = text_of(object, "name");

	act->kind = strcmp(text_of(object, "protocol"), "udp") == 0 ? POLICY_ACT_SEND
								    : POLICY_ACT_CONNECT;
	if (!is_policys(text_of(object, "reason")) || !read_port(object, act) ||
		!read_address(text_of(object, "address"), &act->address))
		return false;
	if (*name)
		return read_name(name, act);
	return !match_is_synthetic(&act->address);
}

/* Queries for addresses alone: other types are answered by other rules, or never. */
static bool read_dns(const json_t *object, struct policy_recorded *record)
{
	json_int_t type = json_integer_value(json_object_get(object, "qtype"));

	record->act.kind = POLICY_ACT_RESOLVE;
	return (type == 1 || type == 28) && read_name(text_of(object, "name"), &record->act);
}

static bool read_inbound(const json_t *object, struct policy_recorded *record)
{
	record->act.kind = POLICY_ACT_INBOUND;
	return read_port(object, &record->act);
}

static bool read_dial(const json_t *object, struct policy_recorded *record)
{
	record->act.kind = POLICY_ACT_CONNECT;
	return read_name(text_of(object, "name"), &record->act) &&
	       read_port(object, &record->act) &&
	       read_address(text_of(object, "dialled"), &record->act.address);
}

static bool read_create(const json_t *object, struct policy_recorded *record)
{
	snprintf(record->template, sizeof(record->template), "%s", text_of(object, "template"));
	return true;
}

static const struct type {
	const char *name;
	enum policy_recorded_kind kind;
	bool (*read)(const json_t *object, struct policy_recorded *record);
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

static uint64_t read_sandbox(const char *text)
{
	return strncmp(text, "sb-", 3) == 0 ? strtoull(text + 3, NULL, 16) : 0;
}

int policy_recorded_read(const char *line, size_t size_bytes, struct policy_recorded *ret_record)
{
	const struct type *type = find_type(line, size_bytes);
	_cleanup_(cleanup_json) json_t *object = NULL;

	*ret_record = (struct policy_recorded){.line = line, .size_bytes = size_bytes};
	if (size_bytes == 0 || line[0] != '{')
		return -EBADMSG;
	if (!type)
		return 0;
	object = json_loadb(line, size_bytes, 0, NULL);
	if (!json_is_object(object) || strcmp(text_of(object, "type"), type->name) != 0)
		return -EBADMSG;
	ret_record->sequence = (uint64_t)json_integer_value(json_object_get(object, "seq"));
	ret_record->sandbox = read_sandbox(text_of(object, "sandbox"));
	ret_record->allowed = strcmp(text_of(object, "verdict"), "deny") != 0;
	snprintf(ret_record->time, sizeof(ret_record->time), "%s", text_of(object, "time"));
	if (type->read(object, ret_record))
		ret_record->kind = type->kind;
	return 0;
}

bool policy_recorded_has_label(const struct policy_recorded *record, const char *label)
{
	const char *equals = strchr(label, '=');
	_cleanup_(cleanup_json) json_t *object =
		json_loadb(record->line, record->size_bytes, 0, NULL);
	_cleanup_free_ char *key = equals ? strndup(label, (size_t)(equals - label)) : NULL;

	return key && strcmp(text_of(json_object_get(object, "labels"), key), equals + 1) == 0;
}
