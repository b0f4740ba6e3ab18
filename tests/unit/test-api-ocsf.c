/* Audit records as OCSF events: rows of a record and what must be where, and what holds for all. */
#include "api/ocsf/ocsf.h"
#include "tests/harness/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD(type)                                                                                 \
	"{\"v\":1,\"seq\":7,\"time\":\"2026-11-21T21:40:00.123456789Z\",\"type\":\"" type "\""
#define WHO                                                                                        \
	",\"sandbox\":\"sb-00000000000000ab\",\"sandbox_seq\":3,\"tenant_id\":2,\"tenant\":"       \
	"\"acme\""                                                                                 \
	",\"policy\":{\"name\":\"web\",\"hash\":\"ff00\",\"generation\":4}"
#define PROCESS                                                                                    \
	",\"process\":{\"pid\":12,\"pid_host\":4012,\"ppid_host\":4000,\"uid_host\":101000,"       \
	"\"start_ns\":123456789012,\"exe\":\"/usr/bin/curl\",\"exe_inode\":998,"                   \
	"\"exe_device\":\"8:1\",\"comm_untrusted\":\"evil\"}"
#define CONNECT(verdict, more)                                                                     \
	HEAD("network.connect")                                                                    \
	WHO PROCESS ",\"operation\":\"connect\",\"verdict\":\"" verdict "\"" more                  \
		    ",\"family\":\"ipv4\",\"address\":\"203.0.113.7\",\"port\":443,"               \
		    "\"protocol\":\"tcp\",\"socket_type\":\"stream\"}"

struct row {
	const char *record;
	int class, activity, severity;
	/* Pairs of path and value (numbers as text), up to a NULL. */
	const char *expected[32];
};

static const struct row rows[] = {
	{CONNECT("allow", ",\"via\":\"gate\",\"reason\":\"rule\",\"rule\":0"), 4001, 1, 1,
		{"type_uid", "400101", "type_name", "Network Activity: Open", "category_uid", "4",
			"dst_endpoint.ip", "203.0.113.7", "dst_endpoint.port", "443",
			"src_endpoint.uid", "sb-00000000000000ab", "device.uid",
			"sb-00000000000000ab", "action_id", "1", "disposition_id", "1",
			"firewall_rule.uid", "0", "unmapped.via", "gate",
			"connection_info.protocol_num", "6"}},
	{CONNECT("deny", ",\"reason\":\"default\",\"rule\":null"), 4001, 5, 3,
		{"action", "Denied", "disposition", "Blocked", "status_id", "2", "status_detail",
			"default", "policy.name", "web", "policy.uid", "ff00", "policy.version",
			"4", "actor.process.pid", "12", "actor.process.name", "curl",
			"unmapped.process.comm_untrusted", "evil", "connection_info.direction_id",
			"2", "unmapped.rule", "null"}},
	{CONNECT("allow", ",\"reason\":\"loopback\",\"rule\":null"), 4001, 1, 1,
		{"connection_info.direction_id", "4", "connection_info.protocol_ver_id", "4"}},
	{HEAD("network.socket") WHO PROCESS
		",\"operation\":\"socket\",\"verdict\":\"deny\",\"reason\":\"family\",\"rule\":"
		"null,"
		"\"family\":\"packet\",\"protocol\":0,\"socket_type\":\"raw\"}",
		4001, 5, 3,
		{"activity_name", "Refuse", "src_endpoint.uid", "sb-00000000000000ab",
			"unmapped.family", "packet", "unmapped.protocol", "0"}},
	{HEAD("network.bind") WHO PROCESS
		",\"operation\":\"bind\",\"verdict\":\"allow\",\"reason\":\"loopback\","
		"\"address\":\"127.0.0.1\",\"port\":80,\"protocol\":\"tcp\"}",
		4001, 99, 1,
		{"activity_name", "bind", "type_name", "Network Activity: Other", "type_uid",
			"400199"}},
	{HEAD("network.flow") WHO
		",\"address\":\"198.18.0.1\",\"port\":443,\"rule\":1,\"name\":\"example.org\","
		"\"said\":\"evil.org\",\"dialled\":\"93.184.216.34\",\"end\":\"other_name\","
		"\"error\":0,\"bytes_sent\":10,\"bytes_received\":20,\"duration_us\":7999}",
		4001, 5, 3,
		{"dst_endpoint.hostname", "example.org", "traffic.bytes_out", "10",
			"traffic.bytes_in", "20", "duration", "7", "unmapped.duration_us", "7999",
			"unmapped.said", "evil.org", "status_detail", "other_name", "status_code",
			"0"}},
	{HEAD("network.flow") WHO ",\"address\":\"10.0.0.1\",\"port\":1,\"end\":\"closed\"}", 4001,
		2, 1, {"activity_name", "Close", "status", "Success"}},
	{HEAD("network.flow") WHO ",\"address\":\"10.0.0.1\",\"port\":1,\"end\":\"reset\"}", 4001,
		3, 1, {"activity_name", "Reset"}},
	{HEAD("network.flow") WHO
		",\"address\":\"10.0.0.1\",\"port\":1,\"end\":\"connect_failed\",\"error\":-111}",
		4001, 4, 2, {"status_code", "-111", "status_id", "2"}},
	{HEAD("network.dns") WHO
		",\"verdict\":\"deny\",\"name\":\"x.test\",\"qtype\":1,\"rcode\":3,"
		"\"tcp\":false}",
		4001, 5, 3, {"dst_endpoint.hostname", "x.test", "unmapped.rcode", "3"}},
	{HEAD("network.inbound") WHO ",\"verdict\":\"allow\",\"port\":8080,\"key\":\"ck_1\","
				     "\"remote\":\"[2001:db8::1]:5123\"}",
		4001, 1, 1,
		{"src_endpoint.ip", "2001:db8::1", "src_endpoint.port", "5123", "dst_endpoint.uid",
			"sb-00000000000000ab", "dst_endpoint.port", "8080",
			"connection_info.direction", "Inbound", "unmapped.key", "ck_1"}},
	{HEAD("process.exec") WHO PROCESS ",\"argv\":[\"curl\",\"-s\",\"x y\"],"
					  "\"argv_truncated\":false}",
		1007, 1, 1,
		{"process.pid", "12", "process.file.path", "/usr/bin/curl", "process.file.name",
			"curl", "process.file.type_id", "1", "process.file.uid", "998",
			"process.cmd_line", "curl -s x y", "launch_type_id", "3",
			"actor.process.pid", "12", "device.type_id", "6", "unmapped.argv.2", "x y",
			"unmapped.sandbox_seq", "3"}},
	{HEAD("process.exit") WHO PROCESS ",\"exit_code\":3,\"signal\":null,\"oom_killed\":false,"
					  "\"lifetime_ns\":5}",
		1007, 2, 1,
		{"exit_code", "3", "activity_name", "Terminate", "unmapped.signal", "null",
			"unmapped.oom_killed", "false"}},
	{HEAD("process.exec") PROCESS ",\"argv\":[]}", 0, 99, 1,
		{"class_name", "Base Event", "unmapped.process.pid", "12"}},
	{HEAD("file.open") WHO PROCESS ",\"path\":\"/tmp/a\",\"error\":0,\"flags\":\"w\"}", 1001,
		14, 1,
		{"file.path", "/tmp/a", "file.name", "a", "file.type_id", "0", "actor.process.pid",
			"12", "unmapped.flags", "w", "status_id", "1"}},
	{HEAD("file.open") WHO PROCESS
		",\"path\":\"/etc/shadow\",\"inode\":77,\"result\":-13,\"error\":\"EACCES\"}",
		1001, 14, 1,
		{"status_id", "2", "status_code", "EACCES", "file.uid", "77", "unmapped.result",
			"-13"}},
	{HEAD("file.unlink") WHO PROCESS ",\"path\":\"/\",\"error\":-13}", 1001, 4, 1,
		{"file.name", "/", "status_id", "2", "status_code", "-13"}},
	{HEAD("file.rename") WHO PROCESS ",\"path\":\"/a\",\"new_path\":\"/b\"}", 1001, 5, 1,
		{"file_result.path", "/b", "file_result.name", "b"}},
	{HEAD("file.open") WHO ",\"path\":\"/tmp/a\"}", 0, 99, 1, {"unmapped.path", "/tmp/a"}},
	{HEAD("syscall.ptrace") WHO PROCESS ",\"verdict\":\"deny\",\"nr\":101}", 0, 99, 3,
		{"activity_name", "syscall.ptrace", "unmapped.nr", "101", "unmapped.verdict",
			"deny"}},
	{HEAD("api.call") WHO
		",\"key\":\"ck_1\",\"remote\":\"127.0.0.1:5123\",\"method\":\"DELETE\","
		"\"path\":\"/v1/x\",\"status\":404,\"duration_us\":2500}",
		6003, 4, 1,
		{"api.operation", "DELETE /v1/x", "http_request.http_method", "DELETE",
			"http_response.code", "404", "src_endpoint.ip", "127.0.0.1",
			"src_endpoint.port", "5123", "actor.user.uid", "ck_1", "status_id", "2",
			"duration", "2", "resources.0.uid", "sb-00000000000000ab"}},
	{HEAD("api.call") ",\"key\":null,\"remote\":\"unix uid=0 pid=77\",\"method\":\"BREW\","
			  "\"path\":\"/\",\"status\":200,\"duration_us\":1}",
		6003, 99, 1,
		{"src_endpoint.name", "unix uid=0 pid=77", "actor.user.name", "unknown",
			"status_id", "1"}},
	{HEAD("audit.lost") ",\"lost\":5,\"where\":\"disk\"}", 0, 99, 4,
		{"severity", "High", "unmapped.lost", "5", "metadata.event_code", "audit.lost",
			"category_uid", "0", "category_name", "Uncategorized"}},
	{HEAD("sandbox.create") WHO ",\"template\":\"python\",\"warm\":true}", 0, 99, 1,
		{"metadata.tenant_uid", "acme", "unmapped.tenant_id", "2", "unmapped.sandbox",
			"sb-00000000000000ab", "metadata.sequence", "7", "metadata.uid", "7",
			"metadata.log_version", "1", "metadata.original_time",
			"2026-11-21T21:40:00.123456789Z", "time", "1795297200123",
			"metadata.version", "1.7.0", "metadata.product.vendor_name", "Cloche"}},
};

/* The member at a path, whose numbers are places in arrays. */
static const json_t *at(const json_t *value, const char *path)
{
	char name[64];

	while (*path && value) {
		size_t length = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(name))
					     : json_object_get(value, name);
		path += length + (path[length] == '.');
	}
	return value;
}

static void as_text(const json_t *value, char *ret_text, size_t size)
{
	char *dumped;

	if (json_is_string(value)) {
		snprintf(ret_text, size, "%s", json_string_value(value));
		return;
	}
	dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	snprintf(ret_text, size, "%s", dumped ? dumped : "(absent)");
	free(dumped);
}

static json_t *event_of(const char *record)
{
	json_t *event = ocsf_event_of_line(record, strlen(record));

	CHECK(json_is_object(event));
	return event;
}

TEST(puts_members_where_the_schema_has_them)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *event = event_of(rows[i].record);
		char text[512];

		CHECK_INT(json_integer_value(at(event, "class_uid")), rows[i].class);
		CHECK_INT(json_integer_value(at(event, "activity_id")), rows[i].activity);
		CHECK_INT(json_integer_value(at(event, "severity_id")), rows[i].severity);
		for (const char *const *pair = rows[i].expected; *pair; pair += 2) {
			as_text(at(event, pair[0]), text, sizeof(text));
			if (strcmp(text, pair[1]) != 0)
				CHECK_FAIL("row %zu: %s is %s, not %s", i, pair[0], text, pair[1]);
		}
		json_decref(event);
	}
}

/* Required by the classes' definitions of 1.7.0, and by those of the objects that are used. */
TEST(has_all_that_each_class_requires)
{
	static const char *const of_all[] = {"activity_id", "category_uid", "class_uid", "metadata",
		"metadata.product", "metadata.version", "severity_id", "time", "type_uid", NULL};
	static const char *const of_process[] = {
		"actor.process.pid", "device.type_id", "device.uid", "process.pid", NULL};
	static const char *const of_file[] = {
		"actor.process.pid", "device.type_id", "file.name", "file.type_id", NULL};
	static const char *const of_network[] = {"connection_info.direction_id", NULL};
	static const char *const of_api[] = {
		"actor.user", "api.operation", "src_endpoint", "http_request.url.path", NULL};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *event = event_of(rows[i].record);
		const char *const *more = rows[i].class == 1007   ? of_process
					  : rows[i].class == 1001 ? of_file
					  : rows[i].class == 4001 ? of_network
					  : rows[i].class == 6003 ? of_api
								  : NULL;

		for (const char *const *name = of_all; *name; name++)
			if (!at(event, *name))
				CHECK_FAIL("row %zu has no %s", i, *name);
		for (const char *const *name = more; name && *name; name++)
			if (!at(event, *name))
				CHECK_FAIL("row %zu has no %s", i, *name);
		if (rows[i].class == 4001)
			CHECK(at(event, "dst_endpoint") || at(event, "src_endpoint"));
		CHECK_INT(json_integer_value(at(event, "type_uid")),
			rows[i].class * 100 + rows[i].activity);
		json_decref(event);
	}
}

static bool holds(const json_t *tree, const char *wanted)
{
	const char *name;
	char text[512];
	json_t *each;
	size_t i;

	if (json_is_object(tree)) {
		json_object_foreach(
			(json_t *)tree, name, each) if (holds(each, wanted)) return true;
		return false;
	}
	if (json_is_array(tree)) {
		json_array_foreach(tree, i, each) if (holds(each, wanted)) return true;
		return false;
	}
	as_text(tree, text, sizeof(text));
	return strcmp(text, wanted) == 0;
}

static void check_kept(size_t row, const json_t *event, const json_t *part)
{
	const char *name;
	char text[512];
	json_t *each;
	size_t i;

	if (json_is_object(part)) {
		json_object_foreach((json_t *)part, name, each) check_kept(row, event, each);
	} else if (json_is_array(part)) {
		json_array_foreach(part, i, each) check_kept(row, event, each);
	} else {
		as_text(part, text, sizeof(text));
		/* an address and port of a client are told apart */
		if (!holds(event, text) && !strchr(text, ':'))
			CHECK_FAIL("row %zu: %s is lost", row, text);
	}
}

TEST(loses_nothing)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *event = event_of(rows[i].record);
		json_t *record = json_loads(rows[i].record, 0, NULL);

		check_kept(i, event, record);
		json_decref(record);
		json_decref(event);
	}
}

TEST(passes_on_what_is_no_record)
{
	static const char *const lines[] = {
		"", "[1]", "{\"seq\":", "\x1b", "{\"seq\":99999999999999999999}"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *event = event_of(lines[i]);

		CHECK_TEXT(json_string_value(at(event, "raw_data")), lines[i]);
		CHECK_INT(json_integer_value(at(event, "class_uid")), 0);
		json_decref(event);
	}
}

TEST(records_without_types_or_with_wrong_ones_are_base_events)
{
	static const char *const lines[] = {"{}", "{\"type\":5,\"seq\":\"x\",\"time\":[]}",
		"{\"type\":\"network.connect\"}", "{\"type\":\"api.call\",\"method\":{}}",
		"{\"type\":\"process.exec\",\"sandbox\":\"s\",\"process\":[1]}"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *event = event_of(lines[i]);

		CHECK_INT(json_integer_value(at(event, "class_uid")), 0);
		json_decref(event);
	}
}
