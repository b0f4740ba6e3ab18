/* A record of the kernel's ring buffer becomes a line of the log. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/abi/budget.h"
#include "bpf/abi/rule.h"
#include "bpf/abi/slot.h"
#include "supervisor/audit/lines/event-syscall.h"
#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/address.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"

static const char *const operation_types[] = {
	[ABI_OPERATION_CONNECT] = "network.connect",
	[ABI_OPERATION_SENDMSG] = "network.send",
	[ABI_OPERATION_SOCKET] = "network.socket",
	[ABI_OPERATION_BIND] = "network.bind",
	[ABI_OPERATION_PACKET] = "network.packet",
};

static const char *const operation_names[] = {
	[ABI_OPERATION_CONNECT] = "connect",
	[ABI_OPERATION_SENDMSG] = "sendmsg",
	[ABI_OPERATION_SOCKET] = "socket",
	[ABI_OPERATION_BIND] = "bind",
	[ABI_OPERATION_PACKET] = "packet",
};

static const char *const reason_names[] = {
	[ABI_REASON_RULE] = "rule",
	[ABI_REASON_LOOPBACK] = "loopback",
	[ABI_REASON_DEFAULT] = "default",
	[ABI_REASON_NO_SANDBOX] = "no_sandbox",
	[ABI_REASON_NO_GATE] = "no_gate",
	[ABI_REASON_GATE_PORT] = "gate_port",
	[ABI_REASON_SOCKET_TYPE] = "socket_type",
	[ABI_REASON_FAMILY] = "family",
	[ABI_REASON_NO_MEMORY] = "no_memory",
	[ABI_REASON_BIND] = "bind",
	[ABI_REASON_TICKET] = "ticket",
	[ABI_REASON_BUDGET] = "budget",
	[ABI_REASON_DESTINATIONS] = "too_many_destinations",
};

const char *audit_reason_name(uint8_t reason)
{
	return reason < ARRAY_SIZE(reason_names) ? reason_names[reason] : NULL;
}

static const char *const family_names[] = {
	[AF_UNIX] = "unix",
	[AF_INET] = "ipv4",
	[AF_INET6] = "ipv6",
	[AF_NETLINK] = "netlink",
	[AF_PACKET] = "packet",
	[AF_VSOCK] = "vsock",
};

static const char *const protocol_names[] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_ICMPV6] = "icmpv6",
};

static const char *const socket_type_names[] = {
	[SOCK_STREAM] = "stream",
	[SOCK_DGRAM] = "dgram",
	[SOCK_RAW] = "raw",
	[SOCK_SEQPACKET] = "seqpacket",
};

static const char *name_of(const char *const *names, size_t n_names, unsigned number)
{
	return number < n_names ? names[number] : NULL;
}

#define NAME_OF(names, number) name_of(names, ARRAY_SIZE(names), number)

/* The name of a number, or the number itself when it has none. */
static void add_named(struct json_line *line, const char *key, const char *name, unsigned number)
{
	if (name)
		json_line_add_text(line, key, name);
	else
		json_line_add_unsigned(line, key, number);
}

static void add_process(struct json_line *line, const struct abi_process *process)
{
	json_line_key(line, "process");
	json_line_raw(line, "{");
	json_line_add_unsigned(line, "pid", process->pid_inside);
	json_line_add_unsigned(line, "pid_host", process->pid_host);
	json_line_add_unsigned(line, "ppid_host", process->parent_pid_host);
	json_line_add_unsigned(line, "uid_host", process->uid_host);
	json_line_add_unsigned(line, "start_ns", process->start_boottime_ns);
	json_line_add_field(line, "exe", process->exe, sizeof(process->exe));
	json_line_add_unsigned(line, "exe_inode", process->exe_inode);
	/* The kernel's own form of a device number: 12 bits of major, 20 of minor. */
	json_line_key(line, "exe_device");
	json_line_raw(line, "\"");
	json_line_unsigned(line, process->exe_device >> 20);
	json_line_raw(line, ":");
	json_line_unsigned(line, process->exe_device & 0xfffff);
	json_line_raw(line, "\"");
	json_line_add_field(line, "comm_untrusted", process->comm, sizeof(process->comm));
	json_line_raw(line, "}");
}

static void add_address(struct json_line *line, const struct abi_address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_to_text(address->bytes, text);
	json_line_add_text(line, "address", text);
}

static void add_spent(struct json_line *line, const char *key, unsigned int spent)
{
	static const char *const names[] = {
		[ABI_BUDGET_BYTES_OUT] = "[\"bytes_out\"",
		[ABI_BUDGET_BYTES_IN] = "[\"bytes_in\"",
		[ABI_BUDGET_CONNECTIONS] = "[\"connections\"",
		[ABI_BUDGET_DNS_QUERIES] = "[\"dns_queries\"",
	};
	bool any = false;

	json_line_key(line, key);
	for (unsigned int i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		if (!(spent & ABI_BUDGET_BIT(i)))
			continue;
		if (any)
			json_line_raw(line, ",");
		json_line_raw(line, names[i] + any);
		any = true;
	}
	json_line_raw(line, any ? "]" : "[]");
}

static void add_rule(struct json_line *line, uint16_t rule)
{
	json_line_key(line, "rule");
	if (rule == ABI_RULE_NONE)
		json_line_raw(line, "null");
	else
		json_line_unsigned(line, rule);
}

static void add_network(
	struct json_line *line, const struct abi_network_event *event, const char *host)
{
	add_named(line, "operation", NAME_OF(operation_names, event->operation), event->operation);
	json_line_add_text(line, "verdict", event->verdict == ABI_VERDICT_DENY ? "deny" : "allow");
	if (event->verdict == ABI_VERDICT_REDIRECT)
		json_line_add_text(line, "via", "gate");
	add_named(line, "reason", NAME_OF(reason_names, event->reason), event->reason);
	if (event->reason == ABI_REASON_BUDGET) {
		add_spent(line, "budgets", event->spent);
		add_spent(line, "tenant_budgets", event->spent >> ABI_BUDGET_TENANT_SHIFT);
	}
	add_rule(line, event->rule);
	add_named(line, "family", NAME_OF(family_names, event->family), event->family);
	if (event->operation != ABI_OPERATION_SOCKET) {
		if (host)
			json_line_add_text(line, "name", host);
		add_address(line, &event->address);
		json_line_add_unsigned(line, "port", event->port);
	}
	add_named(line, "protocol", NAME_OF(protocol_names, event->protocol), event->protocol);
	add_named(line, "socket_type", NAME_OF(socket_type_names, event->socket_type),
		event->socket_type);
}

static void begin_shadow(
	struct json_line *line, const struct audit_subject *who, uint32_t generation, bool allows)
{
	json_line_key(line, "shadow");
	json_line_raw(line, "{");
	if (who->shadow_name)
		json_line_add_text(line, "policy", who->shadow_name);
	if (who->shadow_hash)
		json_line_add_text(line, "hash", who->shadow_hash);
	json_line_add_unsigned(line, "generation", generation);
	json_line_add_text(line, "verdict", allows ? "allow" : "deny");
}

/* Where a candidate would have decided otherwise. */
static void add_shadow(struct json_line *line, const struct abi_network_event *event,
	const struct audit_subject *who)
{
	if (!event->shadow)
		return;
	begin_shadow(line, who, ABI_SLOT_GENERATION(event->shadow),
		event->shadow_verdict != ABI_VERDICT_DENY);
	add_named(
		line, "reason", NAME_OF(reason_names, event->shadow_reason), event->shadow_reason);
	add_rule(line, event->shadow_rule);
	json_line_raw(line, "}");
}

/* The same, of what no numbered rule is about. */
static void add_opinion(struct json_line *line, const struct audit_subject *who)
{
	if (!who->opinion)
		return;
	begin_shadow(line, who, who->opinion->generation, who->opinion->allows);
	add_rule(line, ABI_RULE_NONE);
	json_line_add_text(line, "part", who->opinion->part);
	json_line_raw(line, "}");
}

static void add_exec(struct json_line *line, const struct abi_exec_event *event)
{
	size_t size_bytes =
		event->argv_size < sizeof(event->argv) ? event->argv_size : sizeof(event->argv);
	size_t start = 0;

	json_line_key(line, "argv");
	json_line_raw(line, "[");
	while (start < size_bytes) {
		size_t length = strnlen(event->argv + start, size_bytes - start);

		if (start > 0)
			json_line_raw(line, ",");
		json_line_text(line, event->argv + start, length);
		start += length + 1;
	}
	json_line_raw(line, "]");
	json_line_add_bool(line, "argv_truncated", event->argv_truncated);
	if (event->script[0])
		json_line_add_field(line, "script", event->script, sizeof(event->script));
}

static void add_script(struct json_line *line, const struct abi_script_event *event)
{
	add_exec(line, &event->exec);
	if (event->directory[0])
		json_line_add_field(
			line, "script_directory", event->directory, sizeof(event->directory));
}

static void add_exit(struct json_line *line, const struct abi_exit_event *event)
{
	const char *name = event->signal > 0 ? sigabbrev_np(event->signal) : NULL;
	char text[32];

	json_line_key(line, "exit_code");
	if (event->signal)
		json_line_raw(line, "null");
	else
		json_line_number(line, event->exit_code);
	if (name)
		snprintf(text, sizeof(text), "SIG%s", name);
	else
		snprintf(text, sizeof(text), "SIG%d", event->signal);
	json_line_key(line, "signal");
	if (event->signal)
		json_line_text(line, text, strlen(text));
	else
		json_line_raw(line, "null");
	json_line_add_bool(line, "oom_killed", event->oom_killed);
	json_line_add_unsigned(line, "lifetime_ns", event->lifetime_ns);
}

static const char *type_of(const struct audit *audit, const struct abi_event_header *event,
	char buffer[AUDIT_TYPE_SIZE])
{
	switch ((enum abi_event_type)event->type) {
	case ABI_EVENT_NETWORK:
		if (event->size < sizeof(struct abi_network_event))
			return NULL;
		return NAME_OF(
			operation_types, ((const struct abi_network_event *)event)->operation);
	case ABI_EVENT_EXEC:
		return event->size < sizeof(struct abi_exec_event) ? NULL : "process.exec";
	case ABI_EVENT_SCRIPT:
		return event->size < sizeof(struct abi_script_event) ? NULL : "process.exec";
	case ABI_EVENT_EXIT:
		return event->size < sizeof(struct abi_exit_event) ? NULL : "process.exit";
	case ABI_EVENT_SYSCALL:
	case ABI_EVENT_FILE:
	case ABI_EVENT_PAIR:
		return event_syscall_type(audit, event, buffer);
	}
	return NULL;
}

static void add_body(const struct audit *audit, struct json_line *line,
	const struct abi_event_header *event, const struct audit_subject *who)
{
	switch ((enum abi_event_type)event->type) {
	case ABI_EVENT_NETWORK:
		add_network(line, (const struct abi_network_event *)event, who->host);
		add_shadow(line, (const struct abi_network_event *)event, who);
		break;
	case ABI_EVENT_EXEC:
		add_exec(line, (const struct abi_exec_event *)event);
		add_opinion(line, who);
		break;
	case ABI_EVENT_SCRIPT:
		add_script(line, (const struct abi_script_event *)event);
		add_opinion(line, who);
		break;
	case ABI_EVENT_EXIT:
		add_exit(line, (const struct abi_exit_event *)event);
		break;
	case ABI_EVENT_SYSCALL:
	case ABI_EVENT_FILE:
	case ABI_EVENT_PAIR:
		event_syscall_add(audit, line, event);
		add_opinion(line, who);
		break;
	}
}

/* The machine's clock may be set between two events; each is converted by the clock as it is now.
 */
static uint64_t realtime_of(uint64_t boottime_ns)
{
	uint64_t now_boottime_ns = clock_read_ns(CLOCK_BOOTTIME);

	return clock_realtime_ns() - (now_boottime_ns - boottime_ns);
}

void audit_event(struct audit *audit, const struct abi_event_header *event,
	const struct audit_subject *subject)
{
	struct audit_subject who = subject ? *subject : (struct audit_subject){};
	char buffer[AUDIT_TYPE_SIZE];
	const char *type = event->version == ABI_VERSION ? type_of(audit, event, buffer) : NULL;
	uint32_t generation = ABI_SLOT_GENERATION(event->policy);
	struct audit_line line;

	if (!type || !audit->writable) {
		audit_count_loss(audit, 1, type ? "disk" : "malformed");
		audit_end_of_round(audit);
		return;
	}
	who.sandbox = event->sandbox;
	if (generation != who.policy_generation)
		who.policy_name = who.policy_hash = who.policy_learns = NULL;
	who.policy_generation = generation;
	audit_line_begin(audit, &line, type, realtime_of(event->boottime_ns), &who);
	add_process(&audit->pending, &event->process);
	add_body(audit, &audit->pending, event, &who);
	if (audit_line_end(audit, &line) < 0)
		audit_count_loss(audit, 1, "memory");
	if (audit->pending.size_bytes > AUDIT_PENDING_MAX ||
		audit->n_pending == AUDIT_PENDING_LINES)
		audit_flush(audit);
	audit_end_of_round(audit);
}
