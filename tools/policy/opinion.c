#include "tools/policy/opinion.h"

#include <stdio.h>
#include <string.h>

const char *opinion_verdict(const struct policy_opinion *opinion)
{
	return opinion->allowed ? "allow" : "deny";
}

const char *opinion_tls(enum policy_tls tls)
{
	switch (tls) {
	case POLICY_TLS_EITHER:
		return "TLS or plain HTTP that asks for the name";
	case POLICY_TLS_REQUIRE:
		return "TLS that asks for the name";
	case POLICY_TLS_PASSTHROUGH:
		return "whatever it is";
	}
	return "";
}

static const char *layer_word(enum policy_layer layer)
{
	switch (layer) {
	case POLICY_LAYER_KERNEL:
		return "kernel";
	case POLICY_LAYER_RESOLVER:
		return "resolver";
	case POLICY_LAYER_PREVIEW:
		return "preview";
	case POLICY_LAYER_SECCOMP:
		return "seccomp";
	case POLICY_LAYER_MOUNTS:
		return "mounts";
	case POLICY_LAYER_LIMITS:
		return "limits";
	case POLICY_LAYER_REQUEST:
		return "request";
	}
	return "";
}

static const struct policy_rule *rule_find(const struct policy *policy, uint16_t id)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].id == id)
			return &policy->rules[i];
	return NULL;
}

const char *opinion_rule(const struct policy *policy, uint16_t id, char *text, size_t size)
{
	const struct policy_rule *rule = rule_find(policy, id);
	char what[POLICY_RULE_TEXT_SIZE];

	if (rule)
		snprintf(text, size, "rule %u (%s)", id, policy_rule_format(rule, what));
	else
		snprintf(text, size, "rule %u", id);
	return text;
}

static const char *why_kernel_denies(const struct policy_act *act, uint8_t reason)
{
	switch (reason) {
	case ABI_REASON_TICKET:
		if (act->is_name)
			return "the name is allowed, but not on this port";
		return "the address is one of those that the resolver gives out for names, and "
		       "opens nothing by itself";
	case ABI_REASON_GATE_PORT:
		return "the port is the gate's own";
	default:
		return "no rule allows it, and denied is the default";
	}
}

static void why_kernel(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion, char *text)
{
	char rule[OPINION_TEXT_SIZE / 2];

	if (!opinion->allowed)
		snprintf(text, OPINION_TEXT_SIZE, "The kernel refuses it (EPERM): %s.",
			why_kernel_denies(act, opinion->reason));
	else if (opinion->reason == ABI_REASON_LOOPBACK)
		snprintf(text, OPINION_TEXT_SIZE, "It stays inside: the sandbox's own loopback.");
	else if (opinion->reason == ABI_REASON_RESOLVER)
		snprintf(text, OPINION_TEXT_SIZE,
			"It goes to the sandbox's own resolver, whatever address it is for.");
	else if (opinion->has_terms)
		snprintf(text, OPINION_TEXT_SIZE,
			"Allowed by %s; the relay passes %s, to %s addresses.",
			opinion_rule(policy, opinion->rule, rule, sizeof(rule)),
			opinion_tls(opinion->tls),
			opinion->is_private ? "public and private" : "public");
	else
		snprintf(text, OPINION_TEXT_SIZE, "Allowed by %s.",
			opinion_rule(policy, opinion->rule, rule, sizeof(rule)));
}

static void why_resolver(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion, char *text)
{
	char rule[OPINION_TEXT_SIZE / 2];

	if (opinion->allowed)
		snprintf(text, OPINION_TEXT_SIZE, "The resolver answers, by %s.",
			opinion_rule(policy, opinion->rule, rule, sizeof(rule)));
	else if (act->query == POLICY_QUERY_HTTPS)
		snprintf(text, OPINION_TEXT_SIZE,
			"The resolver never tells HTTPS records; clients go on with addresses.");
	else if (act->query >= POLICY_QUERY_MX)
		snprintf(text, OPINION_TEXT_SIZE,
			"The resolver tells none: no rule for the name has %s in its \"records\".",
			policy_query_name(act->query));
	else
		snprintf(text, OPINION_TEXT_SIZE,
			"The resolver refuses the name (REFUSED): no rule is for it.");
}

/* A policy takes away; what is left, owner and mode decide, of which it knows nothing. */
static void why_mounts(const struct policy *policy, const struct policy_act *act, char *text)
{
	static const char left[] = "owner and mode decide, which this does not look at";
	const struct policy_path *path;
	const char *code;

	if (act->kind == POLICY_ACT_OPEN) {
		snprintf(text, OPINION_TEXT_SIZE,
			policy->devices == POLICY_DEVICES_ALL
				? "There is no \"devices\": all are there."
			: policy->devices & 1U << act->device
				? "\"devices\" has it."
				: "\"devices\" does not list it; it cannot be opened (EACCES).");
		return;
	}
	path = policy_path_at(policy, act->name);
	code = policy_code_at(policy, act->name);
	if (act->kind == POLICY_ACT_WRITE && code &&
		(!path || path->access == POLICY_ACCESS_WRITABLE)) {
		snprintf(text, OPINION_TEXT_SIZE,
			"\"executables\" has %s: what code comes from does not change (EROFS).",
			code);
		return;
	}
	if (!path) {
		snprintf(text, OPINION_TEXT_SIZE, "No path of \"files\" is around it: %s.", left);
		return;
	}
	switch ((enum policy_access)path->access) {
	case POLICY_ACCESS_HIDDEN:
		snprintf(text, OPINION_TEXT_SIZE,
			"\"files.hidden\" has %s: directories look empty, files cannot be opened.",
			path->path);
		break;
	case POLICY_ACCESS_READ_ONLY:
		snprintf(text, OPINION_TEXT_SIZE, "\"files.read_only\" has %s: %s.", path->path,
			act->kind == POLICY_ACT_READ ? left : "nothing there changes (EROFS)");
		break;
	case POLICY_ACCESS_WRITABLE:
		snprintf(text, OPINION_TEXT_SIZE, "\"files.writable\" has %s: %s.", path->path,
			left);
		break;
	}
}

static void why_executes(const struct policy *policy, const struct policy_act *act, char *text)
{
	const struct policy_program *program = policy_program_at(policy, act->name);

	if (!policy->executables.limited)
		snprintf(text, OPINION_TEXT_SIZE,
			"The policy has no \"executables\": owner and mode decide, which this does "
			"not look at.");
	else if (!program)
		snprintf(text, OPINION_TEXT_SIZE,
			"\"executables.allow\" does not have it (EACCES), and denied is the "
			"default.");
	else if (program->sha256[0])
		snprintf(text, OPINION_TEXT_SIZE,
			"\"executables.allow\" has %s, if its SHA-256 is %s: a sandbox with "
			"another one is refused.",
			program->path, program->sha256);
	else
		snprintf(text, OPINION_TEXT_SIZE,
			"\"executables.allow\" has %s, as it is in the template.", program->path);
}

static void why_limits(const struct policy *policy, const struct policy_act *act, char *text)
{
	uint64_t limit = policy_term_limit(policy, act->term);
	char most[POLICY_TERM_TEXT_SIZE];

	if (limit)
		snprintf(text, OPINION_TEXT_SIZE, "\"%s.%s\" is at most %s.",
			policy_term_section(act->term), policy_term_key(act->term),
			policy_term_format(act->term, limit, most));
	else
		snprintf(text, OPINION_TEXT_SIZE, "\"%s.%s\" has no bound.",
			policy_term_section(act->term), policy_term_key(act->term));
}

static const struct policy_call_rule *any_rule(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_call_rules; i++)
		if (strcmp(policy->call_rules[i].name, name) == 0)
			return &policy->call_rules[i];
	return NULL;
}

/* Of calls that the policy opens as such. */
static void why_arguments(const struct policy *policy, const struct policy_act *act, char *text)
{
	const struct policy_call_rule *rule =
		policy_find_call_rule(policy, act->name, act->arguments, act->given);
	char what[POLICY_CALL_RULE_TEXT_SIZE];

	if (rule)
		snprintf(text, OPINION_TEXT_SIZE,
			"\"syscalls.deny\" has %.400s; it fails with EPERM.",
			policy_call_rule_format(rule, what));
	else
		snprintf(text, OPINION_TEXT_SIZE,
			"No sandbox may make it with these arguments, whatever its policy.");
}

static void why_seccomp(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion, char *text)
{
	if (policy->executables.limited && strcmp(act->name, POLICY_CALL_MEMORY_FILE) == 0)
		snprintf(text, OPINION_TEXT_SIZE,
			"It makes programs of memory, and \"executables\" limits those; it fails "
			"with EPERM.");
	else if (opinion->allowed)
		snprintf(text, OPINION_TEXT_SIZE, "The profile has it, or \"syscalls.allow\"%s.",
			any_rule(policy, act->name)
				? "; \"syscalls.deny\" has other arguments of it than these"
				: "");
	else if (act->call_level == POLICY_CALL_NEVER)
		snprintf(text, OPINION_TEXT_SIZE,
			"Nothing opens it; it fails with EPERM or ENOSYS.");
	else if (policy_allows_call(policy, act->name, (enum policy_call_level)act->call_level))
		why_arguments(policy, act, text);
	else
		snprintf(text, OPINION_TEXT_SIZE,
			"\"syscalls.deny\" has it, or the profile has not; it fails with EPERM or "
			"ENOSYS.");
}

const char *opinion_why(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion, char ret_text[OPINION_TEXT_SIZE])
{
	switch (opinion->layer) {
	case POLICY_LAYER_KERNEL:
		why_kernel(policy, act, opinion, ret_text);
		break;
	case POLICY_LAYER_RESOLVER:
		why_resolver(policy, act, opinion, ret_text);
		break;
	case POLICY_LAYER_PREVIEW:
		snprintf(ret_text, OPINION_TEXT_SIZE, "\"network.inbound\" %s the port.",
			opinion->allowed ? "opens" : "does not open");
		break;
	case POLICY_LAYER_SECCOMP:
		why_seccomp(policy, act, opinion, ret_text);
		break;
	case POLICY_LAYER_MOUNTS:
		if (act->kind == POLICY_ACT_EXECUTE &&
			policy_access_at(policy, act->name) != POLICY_ACCESS_HIDDEN)
			why_executes(policy, act, ret_text);
		else
			why_mounts(policy, act, ret_text);
		break;
	case POLICY_LAYER_LIMITS:
		why_limits(policy, act, ret_text);
		break;
	case POLICY_LAYER_REQUEST:
		snprintf(ret_text, OPINION_TEXT_SIZE,
			opinion->allowed
				? "\"secrets\" does not name it."
				: "\"secrets\" names it: a request without it is refused.");
		break;
	}
	return ret_text;
}

json_t *opinion_json(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion)
{
	static const char *const tls[] = {"either", "require", "passthrough"};
	char text[POLICY_ACT_TEXT_SIZE], why[OPINION_TEXT_SIZE];
	json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "act", policy_act_format(act, text),
		"verdict", opinion_verdict(opinion), "layer", layer_word(opinion->layer), "why",
		opinion_why(policy, act, opinion, why));

	/* As it is written: while it learns, its bound decides. */
	if (policy->mode != POLICY_MODE_ENFORCE)
		json_object_set_new(row, "mode", json_string(policy_mode_names[policy->mode]));
	if (opinion->rule != ABI_RULE_NONE)
		json_object_set_new(row, "rule", json_integer(opinion->rule));
	if (opinion->has_terms) {
		json_object_set_new(row, "tls", json_string(tls[opinion->tls]));
		json_object_set_new(row, "private", json_boolean(opinion->is_private));
	}
	return row;
}
