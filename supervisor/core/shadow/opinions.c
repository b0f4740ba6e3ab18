/* What candidates say of what is recorded. Connections the kernel has asked about, and counted;
 * calls, files and programs are held by other layers than its programs, so the candidate is asked
 * here, when the record is made, about the acts that a replay of it will find. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/clock.h"
#include "supervisor/core/policies/audit-set.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/rows.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/core/shadow/sums.h"

_printf_(3, 4) static void set_example(
	struct shadow_row *row, const struct sandbox *sandbox, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(row->sum.example, sizeof(row->sum.example), format, arguments);
	va_end(arguments);
	row->sum.example_sandbox = sandbox->id;
	row->sum.example_ns = clock_realtime_ns();
}

/* Whose opinion it is: the candidate may have been asked no more, or another, when it is read. */
static void note_network(const struct sandbox *sandbox, const struct abi_network_event *event,
	struct audit_subject *subject)
{
	bool denies = event->verdict != ABI_VERDICT_DENY;
	const char *verb = event->protocol == IPPROTO_UDP ? "send" : "connect";
	char address[ADDRESS_TEXT_SIZE];
	struct shadow_row *row;

	if (event->header.size < sizeof(*event) || !event->shadow ||
		ABI_SLOT_GENERATION(event->shadow) != sandbox->shadow_generation)
		return;
	subject->shadow_name = sandbox->shadow->policy->name;
	subject->shadow_hash = sandbox->shadow->policy->hash;
	row = shadow_sums_row(sandbox, denies ? ABI_SHADOW_WOULD_DENY : ABI_SHADOW_WOULD_ALLOW,
		denies ? event->rule : event->shadow_rule, "");
	if (!row)
		return;
	address_to_text(event->address.bytes, address);
	if (!subject->host && strchr(address, ':'))
		set_example(row, sandbox, "%s [%s]:%u", verb, address, event->port);
	else
		set_example(row, sandbox, "%s %s:%u", verb, subject->host ? subject->host : address,
			event->port);
}

static void count(const struct sandbox *sandbox, const struct policy_act *act, bool allows,
	uint16_t rule, const char *part)
{
	struct shadow_row *row = shadow_sums_row(
		sandbox, allows ? ABI_SHADOW_WOULD_ALLOW : ABI_SHADOW_WOULD_DENY, rule, part);
	char text[POLICY_ACT_TEXT_SIZE];
	struct policy_act kept;

	if (!row)
		return;
	row->sum.n++;
	kept = *act;
	policy_act_keep_arguments(&kept, sandbox->shadow->policy);
	set_example(row, sandbox, "%s", policy_act_format(&kept, text));
}

static bool read_call(const struct core *core, const struct abi_syscall_event *call,
	struct policy_recorded *ret_record)
{
	struct policy_event_words words;
	struct audit_call_words said;

	if (!audit_call_words(core->audit, &call->header, &said))
		return false;
	words = (struct policy_event_words){said.name, said.refused_by, said.opened};
	policy_recorded_event(&call->header, &words, ret_record);
	if (ret_record->n_acts > 0 && ret_record->acts[0].act.kind == POLICY_ACT_SYSCALL)
		ret_record->acts[0].act.call_level = core->call_names->levels[call->number];
	return true;
}

/* False: the event is malformed, or another one. */
static bool read_event(const struct core *core, const struct abi_event_header *event,
	struct policy_recorded *ret_record)
{
	size_t size = event->type == ABI_EVENT_SCRIPT ? sizeof(struct abi_script_event)
						      : sizeof(struct abi_exec_event);

	if (event->version != ABI_VERSION)
		return false;
	switch ((enum abi_event_type)event->type) {
	case ABI_EVENT_EXEC:
	case ABI_EVENT_SCRIPT:
		if (event->size < size)
			return false;
		policy_recorded_event(event, NULL, ret_record);
		return true;
	case ABI_EVENT_SYSCALL:
	case ABI_EVENT_FILE:
	case ABI_EVENT_PAIR:
		return read_call(core, (const struct abi_syscall_event *)event, ret_record);
	case ABI_EVENT_NETWORK:
	case ABI_EVENT_EXIT:
		break;
	}
	return false;
}

/* The record tells the first act that would have fared otherwise; each of them is counted. */
static void note_acts(const struct sandbox *sandbox, const struct policy_recorded *record,
	struct audit_subject *subject, struct shadow_opinion *opinion)
{
	const struct policy *candidate = sandbox->shadow->policy;

	for (size_t i = 0; i < record->n_acts; i++) {
		const struct policy_recorded_act *recorded = &record->acts[i];
		bool allows = policy_ask(candidate, &recorded->act).allowed;
		char part[POLICY_PART_SIZE];

		if (allows == recorded->allowed)
			continue;
		policy_part(candidate, &recorded->act, part);
		count(sandbox, &recorded->act, allows, ABI_RULE_NONE, part);
		if (subject->opinion)
			continue;
		memcpy(opinion->part, part, sizeof(part));
		opinion->said =
			(struct audit_opinion){sandbox->shadow_generation, allows, opinion->part};
		subject->opinion = &opinion->said;
		subject->shadow_name = candidate->name;
		subject->shadow_hash = candidate->hash;
	}
}

void shadow_note_event(const struct sandbox *sandbox, const struct abi_event_header *event,
	struct audit_subject *subject, struct shadow_opinion *opinion)
{
	struct policy_recorded record;

	if (!sandbox->shadow)
		return;
	if (event->type == ABI_EVENT_NETWORK)
		note_network(sandbox, (const struct abi_network_event *)event, subject);
	else if (ABI_SLOT_GENERATION(event->policy) == sandbox->generation &&
		 read_event(sandbox->core, event, &record) && record.kind == POLICY_RECORDED_ACTS)
		note_acts(sandbox, &record, subject, opinion);
}

json_t *shadow_note_query(
	const struct sandbox *sandbox, const struct policy_recorded_answer *answer)
{
	struct policy_recorded record;
	const struct policy_act *act = &record.acts[0].act;
	struct policy_opinion opinion;
	bool allowed;

	if (!sandbox->shadow)
		return NULL;
	policy_recorded_query(answer, &record);
	if (record.kind != POLICY_RECORDED_ACTS || record.n_acts == 0)
		return NULL;
	allowed = record.acts[0].allowed;
	opinion = policy_ask(sandbox->shadow->policy, act);
	if (opinion.allowed == allowed)
		return NULL;
	/* An address that it would deny is counted when something is sent there. */
	if (opinion.allowed)
		count(sandbox, act, true, opinion.rule, "");
	else if (act->query != POLICY_QUERY_ADDRESS)
		count(sandbox, act, false, policy_ask(sandbox->effective->policy, act).rule, "");
	return json_pack("{s:s, s:s, s:I, s:s, s:o}", "policy", sandbox->shadow->policy->name,
		"hash", sandbox->shadow->policy->hash, "generation",
		(json_int_t)sandbox->shadow_generation, "verdict",
		opinion.allowed ? "allow" : "deny", "rule",
		opinion.rule == ABI_RULE_NONE ? json_null() : json_integer(opinion.rule));
}
