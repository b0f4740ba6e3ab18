/* System calls: what was asked for, what came of it, and whose word each value is. */
#include "supervisor/audit/lines/event-syscall.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "supervisor/base/cleanup.h"

static const char *const refusal_names[] = {
	[ABI_REFUSAL_SECCOMP] = "seccomp",
	[ABI_REFUSAL_EITHER] = "seccomp or kernel",
	[ABI_REFUSAL_KILLED] = "seccomp, by a signal",
	[ABI_REFUSAL_EXECUTABLE] = "executables or mode",
};

static const char *const abi_names[] = {
	[ABI_CALL_NATIVE] = "native",
	[ABI_CALL_COMPAT] = "i386",
	[ABI_CALL_X32] = "x32",
};

static const char *const source_names[] = {
	[ABI_SOURCE_KERNEL] = "kernel",
	[ABI_SOURCE_USER] = "user",
};

void audit_name_syscalls(struct audit *audit, const char (*names)[32], size_t n)
{
	audit->syscall_names = names;
	audit->n_syscall_names = n;
}

/* A number of another table than the native one has no name here. */
static const char *name_of(const struct audit *audit, const struct abi_syscall_event *call)
{
	if (call->abi != ABI_CALL_NATIVE || call->number >= audit->n_syscall_names ||
		!audit->syscall_names[call->number][0])
		return NULL;
	return audit->syscall_names[call->number];
}

static bool is_whole(const struct abi_event_header *event)
{
	const struct abi_syscall_event *call = (const struct abi_syscall_event *)event;
	size_t size = event->type == ABI_EVENT_PAIR   ? sizeof(struct abi_pair_event)
		      : event->type == ABI_EVENT_FILE ? sizeof(struct abi_file_event)
						      : sizeof(*call);

	return event->size >= size && call->abi < ARRAY_SIZE(abi_names) &&
	       call->refusal < ARRAY_SIZE(refusal_names);
}

bool audit_call_words(const struct audit *audit, const struct abi_event_header *event,
	struct audit_call_words *ret_words)
{
	const struct abi_syscall_event *call = (const struct abi_syscall_event *)event;

	if (!is_whole(event))
		return false;
	*ret_words = (struct audit_call_words){.name = name_of(audit, call),
		.refused_by = refusal_names[call->refusal],
		.opened = (call->inode || call->device) && !call->refusal};
	return true;
}

const char *event_syscall_type(const struct audit *audit, const struct abi_event_header *event,
	char buffer[AUDIT_TYPE_SIZE])
{
	struct audit_call_words words;

	if (!audit_call_words(audit, event, &words))
		return NULL;
	if (words.opened)
		return "file.open";
	snprintf(buffer, AUDIT_TYPE_SIZE, "syscall.%.23s", words.name ? words.name : "unnamed");
	return buffer;
}

static void add_arguments(struct json_line *line, const struct abi_syscall_event *call)
{
	json_line_key(line, "arguments");
	json_line_raw(line, "[");
	for (size_t i = 0; i < ARRAY_SIZE(call->arguments); i++) {
		char text[24];

		/* As text: 64 bits are more than many readers of JSON take for a number. */
		snprintf(text, sizeof(text), "%s\"0x%llx\"", i ? "," : "",
			(unsigned long long)call->arguments[i]);
		json_line_raw(line, text);
	}
	json_line_raw(line, "]");
}

static void add_result(struct json_line *line, const struct abi_syscall_event *call)
{
	const char *error = NULL;

	if (call->refusal == ABI_REFUSAL_KILLED)
		return;
	json_line_key(line, "result");
	json_line_number(line, call->result);
	if (call->result < 0 && call->result >= -4095)
		error = strerrorname_np((int)-call->result);
	if (error)
		json_line_add_text(line, "error", error);
}

static void add_source(struct json_line *line, const char *key, unsigned int source)
{
	json_line_add_text(line, key,
		source < ARRAY_SIZE(source_names) && source_names[source] ? source_names[source]
									  : "unreadable");
}

static void add_internet(struct json_line *line, int family, const void *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	json_line_add_text(line, "family", family == AF_INET ? "ipv4" : "ipv6");
	json_line_add_text(line, "address", inet_ntop(family, address, text, sizeof(text)));
	json_line_add_unsigned(line, "port", ntohs(port));
}

static void add_unix(struct json_line *line, const struct sockaddr_un *address, size_t size)
{
	const char *path = address->sun_path;
	size_t length = size - offsetof(struct sockaddr_un, sun_path);

	json_line_add_text(line, "family", "unix");
	json_line_key(line, "path");
	/* An abstract name begins with NUL and has no other end than its size. */
	if (length > 0 && path[0] == '\0') {
		json_line_text(line, path + 1, length - 1);
		json_line_add_bool(line, "abstract", true);
	} else {
		json_line_text(line, path, strnlen(path, length));
	}
}

static void add_address(struct json_line *line, const struct abi_file_event *event)
{
	union {
		sa_family_t family;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
		struct sockaddr_un local;
	} address = {0};
	size_t size = event->call.text_size;

	if (size > sizeof(address))
		size = sizeof(address);
	memcpy(&address, event->texts[0], size);
	if (address.family == AF_INET && size >= sizeof(address.ipv4))
		add_internet(line, AF_INET, &address.ipv4.sin_addr, address.ipv4.sin_port);
	else if (address.family == AF_INET6 && size >= offsetof(struct sockaddr_in6, sin6_scope_id))
		add_internet(line, AF_INET6, &address.ipv6.sin6_addr, address.ipv6.sin6_port);
	else if (address.family == AF_UNIX && size >= sizeof(address.family))
		add_unix(line, &address.local, size);
	else
		json_line_add_unsigned(line, "family", address.family);
	add_source(line, "address_src", event->call.sources[0]);
}

/* Always the kernel's word, so it has no source of its own. */
static void add_directory(struct json_line *line, const char *key, const char text[ABI_TEXT_SIZE])
{
	if (text[0])
		json_line_add_field(line, key, text, ABI_TEXT_SIZE);
}

static void add_texts(struct json_line *line, const struct abi_file_event *event)
{
	static const char *const keys[] = {"path", "second_path"};
	static const char *const source_keys[] = {"path_src", "second_path_src"};
	static const char *const directory_keys[] = {"directory", "second_directory"};
	const struct abi_pair_event *pair = event->call.header.type == ABI_EVENT_PAIR
						    ? (const struct abi_pair_event *)event
						    : NULL;
	bool is_single = event->call.sources[1] == ABI_SOURCE_DIRECTORY;

	if (event->call.is_address)
		add_address(line, event);
	for (size_t i = 0; i < ABI_TEXTS && !event->call.is_address; i++) {
		unsigned int source = event->call.sources[i];

		if (i > 0 && (is_single || source == ABI_SOURCE_NONE))
			continue;
		if (source != ABI_SOURCE_NONE)
			json_line_add_field(
				line, keys[i], event->texts[i], sizeof(event->texts[i]));
		add_source(line, source_keys[i], source);
		if (pair)
			add_directory(line, directory_keys[i], pair->directories[i]);
	}
	if (is_single)
		add_directory(line, directory_keys[0], event->texts[1]);
}

static void add_opened(struct json_line *line, const struct abi_syscall_event *call)
{
	char device[24];

	snprintf(device, sizeof(device), "%u:%u", call->device >> 20, call->device & 0xfffff);
	json_line_add_unsigned(line, "inode", call->inode);
	json_line_add_text(line, "device", device);
	json_line_add_bool(line, "writable", call->writable);
	json_line_add_bool(line, "created", call->created);
}

void event_syscall_add(
	const struct audit *audit, struct json_line *line, const struct abi_event_header *event)
{
	const struct abi_syscall_event *call = (const struct abi_syscall_event *)event;
	const char *name = name_of(audit, call);

	if (name)
		json_line_add_text(line, "syscall", name);
	json_line_add_unsigned(line, "number", call->number);
	json_line_add_text(line, "abi", abi_names[call->abi]);
	add_result(line, call);
	if (call->refusal) {
		json_line_add_text(line, "verdict", "deny");
		json_line_add_text(line, "refused_by", refusal_names[call->refusal]);
	}
	if (call->refusal != ABI_REFUSAL_KILLED)
		add_arguments(line, call);
	if (event->type != ABI_EVENT_SYSCALL)
		add_texts(line, (const struct abi_file_event *)event);
	if (call->inode || call->device)
		add_opened(line, call);
}
