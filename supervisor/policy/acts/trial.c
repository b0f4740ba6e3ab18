#include "supervisor/policy/acts/trial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/matcher.h"
#include "supervisor/policy/network/name-index.h"

/* What stands for a sandbox whose gate and resolver are up. No rule can be about these ports. */
#define SANDBOX 1
#define GATE_PORT 1
#define DNS_PORT 2
#define DATAGRAM_PORT 3

struct policy_trial {
	const struct policy *policy;
	struct policy_matcher *matcher;
	struct name_index names;
	size_t *places; /* owned; room for all of `names` */
	bool has_network, has_datagrams;
};

static int index_rules(struct policy_trial *trial, const struct policy *policy)
{
	trial->policy = policy;
	trial->has_network = policy_has_network(policy);
	trial->has_datagrams = policy_has_datagrams(policy);
	trial->places = calloc(policy->n_rules + 1, sizeof(*trial->places));
	return trial->places ? name_index_init(&trial->names, policy) : -ENOMEM;
}

int policy_trial_new(
	const struct policy *policy, struct policy_trial **ret_trial, struct failure *why)
{
	struct policy_trial *trial = calloc(1, sizeof(*trial));
	struct policy_image *image;
	int r;

	if (!trial)
		return failure_set(why, -ENOMEM, "ask policy", "There is no memory left.");
	r = policy_compile(policy, &image, why);
	if (r == 0) {
		r = policy_matcher_new(image, &trial->matcher);
		policy_image_free(image);
		if (r == 0)
			r = index_rules(trial, policy);
		if (r < 0)
			failure_set(why, r, "ask policy", "There is no memory left.");
	}
	if (r < 0) {
		policy_trial_free(trial);
		return r;
	}
	*ret_trial = trial;
	return 0;
}

struct policy_trial *policy_trial_free(struct policy_trial *trial)
{
	if (!trial)
		return NULL;
	policy_matcher_free(trial->matcher);
	name_index_fini(&trial->names);
	free(trial->places);
	free(trial);
	return NULL;
}

/* The ticket that the resolver would give for a name. */
static size_t write_ticket(const struct policy_trial *trial, const char *name,
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX], struct abi_ticket *ret_ticket)
{
	size_t n = name_index_ranges(
		&trial->names, name, trial->places, ranges, ABI_TICKET_RANGES_MAX);

	*ret_ticket = (struct abi_ticket){.sandbox = SANDBOX, .n_ranges = (uint32_t)n};
	for (size_t i = 0; i < n; i++)
		ret_ticket->ranges[i] = (struct abi_port_range){.first = ranges[i].first,
			.last = ranges[i].last,
			.rule = ranges[i].rule,
			.protocol = IPPROTO_TCP};
	return n;
}

static struct decide_facts facts_of(const struct policy_trial *trial, const struct policy_act *act)
{
	return (struct decide_facts){.address = act->address,
		.sandbox = SANDBOX,
		.port = act->port,
		.gate_port = trial->has_network ? GATE_PORT : 0,
		/* Whoever has a gate has its resolver, also with rules for addresses alone. */
		.dns_port = trial->has_network ? DNS_PORT : 0,
		.datagram_port = trial->has_datagrams ? DATAGRAM_PORT : 0,
		.protocol = act->kind == POLICY_ACT_SEND ? IPPROTO_UDP : IPPROTO_TCP,
		.live = true};
}

static struct policy_opinion opinion_of(struct decide_verdict verdict)
{
	return (struct policy_opinion){.allowed = verdict.verdict != ABI_VERDICT_DENY,
		.layer = POLICY_LAYER_KERNEL,
		.rule = verdict.rule,
		.reason = verdict.reason};
}

static void add_terms(const struct policy_name_range *ranges, size_t n, uint16_t port,
	struct policy_opinion *opinion)
{
	for (size_t i = 0; i < n; i++) {
		if (port < ranges[i].first || port > ranges[i].last)
			continue;
		opinion->has_terms = true;
		opinion->tls = ranges[i].tls;
		opinion->is_private = ranges[i].is_private;
		return;
	}
}

/* The resolver answers whatever name it knows a rule for. */
static struct policy_opinion judge_lookup(const struct policy *policy, const char *name)
{
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	bool found = policy_name_ranges(policy, name, ranges, ABI_TICKET_RANGES_MAX) > 0;

	return (struct policy_opinion){.allowed = found,
		.layer = POLICY_LAYER_RESOLVER,
		.rule = found ? ranges[0].rule : ABI_RULE_NONE};
}

/* First the resolver is asked, then the address that it gives is connected to. */
static struct policy_opinion judge_name(
	const struct policy_trial *trial, const struct policy_act *act)
{
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	struct decide_facts facts = facts_of(trial, act);
	struct policy_opinion opinion;
	struct abi_ticket ticket;
	size_t n = write_ticket(trial, act->name, ranges, &ticket);

	if (n == 0)
		return (struct policy_opinion){
			.layer = POLICY_LAYER_RESOLVER, .rule = ABI_RULE_NONE};
	facts.address = match_from_ipv4(htonl(ABI_SYNTHETIC4_BASE));
	opinion = opinion_of(policy_judge(trial->matcher, &ticket, &facts));
	if (opinion.allowed)
		add_terms(ranges, n, act->port, &opinion);
	return opinion;
}

/* Records are told by a rule that names them, whatever else is allowed of the name; those of HTTPS
 * by none. */
static struct policy_opinion judge_query(const struct policy *policy, const struct policy_act *act)
{
	struct policy_opinion opinion = {.layer = POLICY_LAYER_RESOLVER, .rule = ABI_RULE_NONE};

	switch (act->query) {
	case POLICY_QUERY_ADDRESS:
	case POLICY_QUERY_A:
	case POLICY_QUERY_AAAA:
		return judge_lookup(policy, act->name);
	case POLICY_QUERY_MX:
		opinion.rule = policy_record_rule(policy, act->name, POLICY_RECORD_MX);
		break;
	case POLICY_QUERY_SRV:
		opinion.rule = policy_record_rule(policy, act->name, POLICY_RECORD_SRV);
		break;
	case POLICY_QUERY_TXT:
		opinion.rule = policy_record_rule(policy, act->name, POLICY_RECORD_TXT);
		break;
	case POLICY_QUERY_HTTPS:
		break;
	}
	opinion.allowed = opinion.rule != ABI_RULE_NONE;
	return opinion;
}

static struct policy_opinion judge_address(
	const struct policy_trial *trial, const struct policy_act *act)
{
	struct decide_facts facts = facts_of(trial, act);

	return opinion_of(policy_judge(trial->matcher, NULL, &facts));
}

static bool fits(const struct policy *policy, const struct policy_act *act)
{
	uint64_t limit = policy_term_limit(policy, act->term);

	return limit == 0 || act->amount <= limit;
}

static bool may_call(const struct policy *policy, const struct policy_act *act)
{
	return policy_allows_call(policy, act->name, (enum policy_call_level)act->call_level) &&
	       !policy_find_call_rule(policy, act->name, act->arguments, act->given) &&
	       !policy_find_fixed_rule(act->name, act->arguments, act->given);
}

struct policy_opinion policy_ask(const struct policy *policy, const struct policy_act *act)
{
	struct policy_opinion opinion = {.rule = ABI_RULE_NONE};
	enum policy_access access;

	switch (act->kind) {
	case POLICY_ACT_CONNECT:
	case POLICY_ACT_SEND:
		return opinion; /* the kernel's, which policy_trial_judge() asks */
	case POLICY_ACT_RESOLVE:
		return judge_query(policy, act);
	case POLICY_ACT_INBOUND:
		opinion.layer = POLICY_LAYER_PREVIEW;
		opinion.allowed = policy_allows_inbound(policy, act->port);
		return opinion;
	case POLICY_ACT_SYSCALL:
		opinion.layer = POLICY_LAYER_SECCOMP;
		opinion.allowed = may_call(policy, act);
		return opinion;
	case POLICY_ACT_READ:
	case POLICY_ACT_WRITE:
		access = policy_access_at(policy, act->name);
		opinion.layer = POLICY_LAYER_MOUNTS;
		opinion.allowed = act->kind == POLICY_ACT_READ
					  ? access != POLICY_ACCESS_HIDDEN
					  : access == POLICY_ACCESS_WRITABLE &&
						    !policy_code_at(policy, act->name);
		return opinion;
	case POLICY_ACT_OPEN:
		opinion.layer = POLICY_LAYER_MOUNTS;
		opinion.allowed = policy->devices & 1U << act->device;
		return opinion;
	case POLICY_ACT_EXECUTE:
		opinion.layer = POLICY_LAYER_MOUNTS;
		opinion.allowed =
			policy_access_at(policy, act->name) != POLICY_ACCESS_HIDDEN &&
			(!policy->executables.limited || policy_program_at(policy, act->name));
		return opinion;
	case POLICY_ACT_USE:
		opinion.layer = POLICY_LAYER_LIMITS;
		opinion.allowed = fits(policy, act);
		return opinion;
	case POLICY_ACT_OMIT:
		opinion.layer = POLICY_LAYER_REQUEST;
		opinion.allowed = !policy_wants_secret(policy, act->name);
		return opinion;
	}
	return opinion;
}

struct policy_opinion policy_trial_judge(
	const struct policy_trial *trial, const struct policy_act *act)
{
	if (act->kind != POLICY_ACT_CONNECT && act->kind != POLICY_ACT_SEND)
		return policy_ask(trial->policy, act);
	return act->is_name ? judge_name(trial, act) : judge_address(trial, act);
}
