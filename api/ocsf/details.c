#include "api/ocsf/details.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ocsf/place.h"
#include "supervisor/base/cleanup.h"

static const struct ocsf_place policy_places[] = {
	{"policy.name", "policy.name", OCSF_STRING},
	{"policy.hash", "policy.uid", OCSF_STRING},
	{"policy.generation", "policy.version", OCSF_TEXT},
	{"sandbox", "device.uid", OCSF_STRING},
};

static const struct ocsf_place actor_places[] = {
	{"process.pid", "actor.process.pid", OCSF_NUMBER},
	{"process.exe", "actor.process.file.path", OCSF_STRING},
	{"process.exe_inode", "actor.process.file.uid", OCSF_TEXT},
};

static const struct ocsf_place process_places[] = {
	{"process.pid", "process.pid", OCSF_NUMBER},
	{"process.exe", "process.file.path", OCSF_STRING},
	{"process.exe_inode", "process.file.uid", OCSF_TEXT},
	{"exit_code", "exit_code", OCSF_NUMBER},
};

static const struct ocsf_place network_places[] = {
	{"address", "dst_endpoint.ip", OCSF_STRING},
	{"port", "dst_endpoint.port", OCSF_NUMBER},
	{"name", "dst_endpoint.hostname", OCSF_STRING},
	{"protocol", "connection_info.protocol_name", OCSF_STRING},
	{"rule", "firewall_rule.uid", OCSF_TEXT},
	{"reason", "status_detail", OCSF_STRING},
	{"end", "status_detail", OCSF_STRING},
	{"error", "status_code", OCSF_TEXT},
	{"bytes_sent", "traffic.bytes_out", OCSF_NUMBER},
	{"bytes_received", "traffic.bytes_in", OCSF_NUMBER},
};

static const struct ocsf_place file_places[] = {
	{"path", "file.path", OCSF_STRING},
	{"new_path", "file_result.path", OCSF_STRING},
	{"inode", "file.uid", OCSF_TEXT},
	{"error", "status_code", OCSF_TEXT},
};

static const struct ocsf_place api_places[] = {
	{"method", "http_request.http_method", OCSF_STRING},
	{"path", "http_request.url.path", OCSF_STRING},
	{"status", "http_response.code", OCSF_NUMBER},
	{"key", "actor.user.uid", OCSF_STRING},
};

struct word_number {
	const char *word;
	int number;
	const char *caption;
};

static const struct word_number *find_word(
	const struct word_number *rows, size_t n_rows, const char *word)
{
	for (size_t i = 0; i < n_rows; i++)
		if (strcmp(rows[i].word, word) == 0)
			return &rows[i];
	return NULL;
}

static void put_number(json_t *event, const char *path, json_int_t number)
{
	ocsf_put(event, path, json_integer(number));
}

static void put_status(json_t *event, bool failed)
{
	put_number(event, "status_id", failed ? 2 : 1);
	ocsf_put_text(event, "status", failed ? "Failure" : "Success");
}

/* A file object needs a name and a type beside its path. */
static void complete_file(json_t *event, const char *object, int type, const char *caption)
{
	json_t *file = ocsf_get(event, object);
	const char *path = ocsf_get_text(file, "path"), *slash = strrchr(path, '/');

	if (!file)
		return;
	ocsf_put_text(file, "name", slash && slash[1] ? slash + 1 : *path ? path : "unknown");
	put_number(file, "type_id", type);
	ocsf_put_text(file, "type", caption);
}

/* The name that a process gives itself is not trusted: it is called by its program. */
static void complete_process(json_t *event, const char *object)
{
	json_t *process = ocsf_get(event, object);
	const char *name;

	complete_file(process, "file", 1, "Regular File");
	name = ocsf_get_text(process, "file.name");
	if (*name)
		ocsf_put_text(process, "name", name);
}

/* A sandbox is the device; the action is the policy's. */
static void put_subject(json_t *event, json_t *record, bool with_host)
{
	static const struct word_number actions[] = {
		{"allow", 1, "Allowed"}, {"deny", 2, "Denied"}, {"would_deny", 3, "Observed"}};
	static const struct word_number dispositions[] = {
		{"allow", 1, "Allowed"}, {"deny", 2, "Blocked"}, {"would_deny", 17, "Logged"}};
	const char *verdict = ocsf_get_text(record, "verdict");
	const struct word_number *action = find_word(actions, ARRAY_SIZE(actions), verdict);
	const struct word_number *disposition =
		find_word(dispositions, ARRAY_SIZE(dispositions), verdict);
	json_t *profiles = json_array();

	json_array_append_new(profiles, json_string("security_control"));
	if (with_host)
		json_array_append_new(profiles, json_string("host"));
	ocsf_put(event, "metadata.profiles", profiles);
	if (action) {
		put_number(event, "action_id", action->number);
		ocsf_put_text(event, "action", action->caption);
		put_number(event, "disposition_id", disposition->number);
		ocsf_put_text(event, "disposition", disposition->caption);
	}
	ocsf_move(record, event, policy_places, ARRAY_SIZE(policy_places));
	if (!ocsf_get(event, "device"))
		return;
	put_number(event, "device.type_id", 6);
	ocsf_put_text(event, "device.type", "Virtual");
}

/* "203.0.113.7:80" and "[2001:db8::1]:80"; others, as of unix sockets, are a name. */
static void put_remote(json_t *event, json_t *record)
{
	const char *remote = ocsf_get_text(record, "remote"), *colon = strrchr(remote, ':');
	char address[64], number[sizeof(struct in6_addr)];
	size_t length = colon ? (size_t)(colon - remote) : 0;
	bool bracketed = length > 2 && remote[0] == '[' && remote[length - 1] == ']';

	if (!*remote)
		return;
	snprintf(address, sizeof(address), "%.*s", (int)(bracketed ? length - 2 : length),
		remote + bracketed);
	if (colon && strlen(colon + 1) > 0 && !colon[1 + strspn(colon + 1, "0123456789")] &&
		inet_pton(bracketed ? AF_INET6 : AF_INET, address, number) == 1) {
		ocsf_put_text(event, "src_endpoint.ip", address);
		put_number(event, "src_endpoint.port", strtol(colon + 1, NULL, 10));
	} else {
		ocsf_put_text(event, "src_endpoint.name", remote);
	}
	json_object_del(record, "remote");
}

static void put_duration(json_t *event, const json_t *record)
{
	const json_t *us = json_object_get(record, "duration_us");

	if (json_is_integer(us))
		put_number(event, "duration", json_integer_value(us) / 1000);
}

static void put_connection(json_t *event, const json_t *record, bool inbound)
{
	static const struct word_number versions[] = {
		{"ipv4", 4, "Internet Protocol version 4 (IPv4)"},
		{"ipv6", 6, "Internet Protocol version 6 (IPv6)"}};
	static const struct word_number protocols[] = {
		{"icmp", 1, ""}, {"tcp", 6, ""}, {"udp", 17, ""}, {"icmpv6", 58, ""}};
	const struct word_number *version =
		find_word(versions, ARRAY_SIZE(versions), ocsf_get_text(record, "family"));
	const struct word_number *protocol =
		find_word(protocols, ARRAY_SIZE(protocols), ocsf_get_text(record, "protocol"));
	bool local = strcmp(ocsf_get_text(record, "reason"), "loopback") == 0;

	put_number(event, "connection_info.direction_id", local ? 4 : inbound ? 1 : 2);
	ocsf_put_text(event, "connection_info.direction",
		local     ? "Local"
		: inbound ? "Inbound"
			  : "Outbound");
	if (version) {
		put_number(event, "connection_info.protocol_ver_id", version->number);
		ocsf_put_text(event, "connection_info.protocol_ver", version->caption);
	}
	if (protocol)
		put_number(event, "connection_info.protocol_num", protocol->number);
}

static void put_network(json_t *event, json_t *record, const struct ocsf_kind *kind)
{
	bool inbound = strcmp(ocsf_get_text(record, "type"), "network.inbound") == 0;

	put_connection(event, record, inbound);
	put_duration(event, record);
	put_remote(event, record);
	if (*ocsf_get_text(record, "sandbox"))
		ocsf_put_text(event, inbound ? "dst_endpoint.uid" : "src_endpoint.uid",
			ocsf_get_text(record, "sandbox"));
	put_subject(event, record, true);
	ocsf_move(record, event, network_places, ARRAY_SIZE(network_places));
	ocsf_move(record, event, actor_places, ARRAY_SIZE(actor_places));
	complete_process(event, "actor.process");
	put_status(event, kind->activity == 4 || kind->activity == 5);
}

static void join_words(const json_t *argv, char *ret_text, size_t size)
{
	size_t used = 0, i;
	const json_t *word;

	ret_text[0] = '\0';
	json_array_foreach(argv, i, word)
	{
		const char *text = json_string_value(word);
		size_t length = text ? strlen(text) : 0;

		if (used + length + 2 > size)
			return;
		if (i > 0)
			ret_text[used++] = ' ';
		memcpy(ret_text + used, text ? text : "", length);
		used += length;
		ret_text[used] = '\0';
	}
}

/* What the kernel tells of a program's start and end is told of the process itself, which is its
 * own actor. */
static void put_process(json_t *event, json_t *record, const struct ocsf_kind *kind)
{
	char line[4096];

	put_subject(event, record, false);
	ocsf_move(record, event, process_places, ARRAY_SIZE(process_places));
	complete_process(event, "process");
	ocsf_put(event, "actor.process.pid", json_incref(ocsf_get(event, "process.pid")));
	if (*ocsf_get_text(event, "process.name"))
		ocsf_put_text(event, "actor.process.name", ocsf_get_text(event, "process.name"));
	join_words(json_object_get(record, "argv"), line, sizeof(line));
	if (line[0])
		ocsf_put_text(event, "process.cmd_line", line);
	if (kind->activity == 1) {
		put_number(event, "launch_type_id", 3);
		ocsf_put_text(event, "launch_type", "Exec");
	}
	put_status(event, false);
}

static void put_file(json_t *event, json_t *record)
{
	/* a number of the kernel's, or its name */
	bool failed = json_integer_value(json_object_get(record, "error")) != 0 ||
		      *ocsf_get_text(record, "error") ||
		      strcmp(ocsf_get_text(record, "verdict"), "deny") == 0;

	put_subject(event, record, false);
	ocsf_move(record, event, file_places, ARRAY_SIZE(file_places));
	ocsf_move(record, event, actor_places, ARRAY_SIZE(actor_places));
	complete_process(event, "actor.process");
	complete_file(event, "file", 0, "Unknown");
	complete_file(event, "file_result", 0, "Unknown");
	put_status(event, failed);
}

static void put_api(json_t *event, json_t *record)
{
	char operation[400];
	json_t *resource;

	snprintf(operation, sizeof(operation), "%s %s", ocsf_get_text(record, "method"),
		ocsf_get_text(record, "path"));
	ocsf_put_text(event, "api.operation", operation);
	put_remote(event, record);
	put_duration(event, record);
	ocsf_move(record, event, api_places, ARRAY_SIZE(api_places));
	if (!ocsf_get(event, "actor"))
		ocsf_put_text(event, "actor.user.name", "unknown");
	if (*ocsf_get_text(record, "sandbox")) {
		resource = json_pack(
			"[{s:s, s:s}]", "uid", ocsf_get_text(record, "sandbox"), "type", "sandbox");
		if (resource && ocsf_put(event, "resources", resource))
			json_object_del(record, "sandbox");
	}
	put_status(event, json_integer_value(ocsf_get(event, "http_response.code")) >= 400);
}

void ocsf_put_details(json_t *event, json_t *record, const struct ocsf_kind *kind)
{
	switch (kind->class) {
	case OCSF_BASE:
		break;
	case OCSF_NETWORK:
		put_network(event, record, kind);
		break;
	case OCSF_PROCESS:
		put_process(event, record, kind);
		break;
	case OCSF_FILE:
		put_file(event, record);
		break;
	case OCSF_API:
		put_api(event, record);
		break;
	}
}
