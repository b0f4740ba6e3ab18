/* What candidates said, by rule: of sandboxes that are not asked any more it is kept here, of the
 * others it is in the kernel. Counts are exact; examples are from records, which may be lost. */
#include "supervisor/core/shadow-sums.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/clock.h"
#include "supervisor/core/sandbox.h"
#include "supervisor/policy/name.h"

#define ROWS_MAX 16384      /* of all candidates */
#define ROWS_NONE_MAX 20000 /* with those of no rule, which are always taken in */

/* A row of one tenant, and of one candidate as it was when it was asked. */
struct row {
	struct row *next;
	uint32_t tenant;
	char candidate[POLICY_NAME_SIZE], hash[POLICY_HASH_SIZE];
	struct shadow_sum sum;
	uint64_t n_living; /* while all are read */
};

struct shadow_sums {
	struct row *rows;
	size_t n;
};

struct shadow_sums *shadow_sums_free(struct shadow_sums *sums)
{
	while (sums && sums->rows) {
		struct row *row = sums->rows;

		sums->rows = row->next;
		free(row);
	}
	free(sums);
	return NULL;
}

/* The hash of the candidate alone, not of its meet: a rule's number is its place in the file. */
static const char *hash_of(const struct sandbox *sandbox)
{
	return sandbox->shadow->hash_asked;
}

static bool is_row(const struct row *row, const struct sandbox *sandbox, const char *policy,
	enum abi_shadow_outcome outcome, uint16_t rule)
{
	return row->tenant == sandbox->tenant->row.id && row->sum.outcome == outcome &&
	       row->sum.rule == rule && strcmp(row->sum.policy, policy) == 0 &&
	       strcmp(row->candidate, sandbox->shadow->policy->name) == 0 &&
	       strcmp(row->hash, hash_of(sandbox)) == 0;
}

static struct row *add_row(struct shadow_sums *sums, const struct sandbox *sandbox,
	const char *policy, enum abi_shadow_outcome outcome, uint16_t rule)
{
	struct row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->tenant = sandbox->tenant->row.id;
	row->sum.outcome = outcome;
	row->sum.rule = rule;
	snprintf(row->sum.policy, sizeof(row->sum.policy), "%s", policy);
	snprintf(row->candidate, sizeof(row->candidate), "%s", sandbox->shadow->policy->name);
	snprintf(row->hash, sizeof(row->hash), "%s", hash_of(sandbox));
	row->next = sums->rows;
	sums->rows = row;
	sums->n++;
	return row;
}

/* NULL when there is no room even for the row of no rule. */
static struct row *row_of(
	const struct sandbox *sandbox, enum abi_shadow_outcome outcome, uint16_t rule)
{
	struct core *core = sandbox->core;
	const char *policy = outcome == ABI_SHADOW_WOULD_DENY ? sandbox->shadow_beside
							      : sandbox->shadow->policy->name;
	struct row *row;

	if (!core->shadow_sums)
		core->shadow_sums = calloc(1, sizeof(*core->shadow_sums));
	if (!core->shadow_sums)
		return NULL;
	for (row = core->shadow_sums->rows; row; row = row->next)
		if (is_row(row, sandbox, policy, outcome, rule))
			return row;
	if (core->shadow_sums->n < ROWS_MAX ||
		(rule == ABI_RULE_NONE && core->shadow_sums->n < ROWS_NONE_MAX))
		return add_row(core->shadow_sums, sandbox, policy, outcome, rule);
	return rule == ABI_RULE_NONE ? NULL : row_of(sandbox, outcome, ABI_RULE_NONE);
}

static void fold_one(const struct abi_shadow_key *key, uint64_t n, void *userdata)
{
	const struct sandbox *sandbox = userdata;
	struct row *row;

	if (n == 0 || key->slot != sandbox->slot || key->generation != sandbox->shadow_generation)
		return;
	row = row_of(sandbox, key->outcome, key->rule);
	if (row)
		row->sum.n += n;
}

void shadow_sums_fold(struct sandbox *sandbox)
{
	if (sandbox->shadow)
		enforce_shadow_each(sandbox->core->enforce, fold_one, sandbox);
}

/* ---- reading them */

struct reading {
	struct core *core;
	struct sandbox **by_slot; /* those that have a candidate */
};

static void read_one(const struct abi_shadow_key *key, uint64_t n, void *userdata)
{
	const struct reading *reading = userdata;
	const struct sandbox *sandbox =
		key->slot < ABI_SLOTS_MAX ? reading->by_slot[key->slot] : NULL;
	struct row *row;

	if (n == 0 || !sandbox || key->generation != sandbox->shadow_generation)
		return;
	row = row_of(sandbox, key->outcome, key->rule);
	if (row)
		row->n_living += n;
}

static int read_living(struct core *core)
{
	_cleanup_free_ struct sandbox **by_slot = calloc(ABI_SLOTS_MAX, sizeof(*by_slot));
	struct reading reading = {core, by_slot};
	struct sandbox *sandbox;
	size_t position = 0;

	if (!by_slot)
		return -ENOMEM;
	for (struct row *row = core->shadow_sums ? core->shadow_sums->rows : NULL; row;
		row = row->next)
		row->n_living = 0;
	while ((sandbox = table_next(core->sandboxes, &position)))
		if (sandbox->shadow)
			by_slot[sandbox->slot] = sandbox;
	return enforce_shadow_each(core->enforce, read_one, &reading);
}

int shadow_sums_each(struct core *core, const struct tenant *tenant, const struct policy *candidate,
	void (*callback)(const struct shadow_sum *sum, void *userdata), void *userdata)
{
	int r;

	core_consume_events(core);
	r = read_living(core);
	if (r < 0 || !core->shadow_sums)
		return r;
	for (const struct row *row = core->shadow_sums->rows; row; row = row->next) {
		struct shadow_sum sum = row->sum;

		if ((tenant && tenant->row.id != row->tenant) ||
			strcmp(row->candidate, candidate->name) != 0 ||
			strcmp(row->hash, candidate->hash) != 0)
			continue;
		sum.n += row->n_living;
		callback(&sum, userdata);
	}
	return 0;
}

/* ---- examples */

_printf_(4, 5) static void set_example(
	struct row *row, const struct sandbox *sandbox, uint64_t time_ns, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(row->sum.example, sizeof(row->sum.example), format, arguments);
	va_end(arguments);
	row->sum.example_sandbox = sandbox->id;
	row->sum.example_ns = time_ns;
}

void shadow_note_event(struct core *core, const struct abi_network_event *event, const char *host)
{
	const struct sandbox *sandbox = table_get(core->sandboxes, event->header.sandbox);
	char address[ADDRESS_TEXT_SIZE];
	bool denies = event->verdict != ABI_VERDICT_DENY;
	const char *verb = event->protocol == IPPROTO_UDP ? "send" : "connect";
	struct row *row;

	if (!sandbox || !sandbox->shadow ||
		ABI_SLOT_GENERATION(event->shadow) != sandbox->shadow_generation)
		return;
	row = row_of(sandbox, denies ? ABI_SHADOW_WOULD_DENY : ABI_SHADOW_WOULD_ALLOW,
		denies ? event->rule : event->shadow_rule);
	if (!row)
		return;
	address_to_text(event->address.bytes, address);
	if (!host && strchr(address, ':'))
		set_example(row, sandbox, clock_realtime_ns(), "%s [%s]:%u", verb, address,
			event->port);
	else
		set_example(row, sandbox, clock_realtime_ns(), "%s %s:%u", verb,
			host ? host : address, event->port);
}

json_t *shadow_note_name(struct sandbox *sandbox, const char *name)
{
	struct policy_name_range enforced, candidate;
	size_t n_enforced, n_candidate;
	struct row *row;

	if (!sandbox->shadow)
		return NULL;
	n_enforced = policy_name_ranges(sandbox->effective->policy, name, &enforced, 1);
	n_candidate = policy_name_ranges(sandbox->shadow->policy, name, &candidate, 1);
	if (!n_enforced == !n_candidate)
		return NULL;
	/* What it would deny is counted when something is sent there. */
	row = n_enforced ? NULL : row_of(sandbox, ABI_SHADOW_WOULD_ALLOW, candidate.rule);
	if (row) {
		row->sum.n++;
		set_example(row, sandbox, clock_realtime_ns(), "resolve %s", name);
	}
	return json_pack("{s:s, s:s, s:I, s:s, s:o}", "policy", sandbox->shadow->policy->name,
		"hash", sandbox->shadow->policy->hash, "generation",
		(json_int_t)sandbox->shadow_generation, "verdict", n_candidate ? "allow" : "deny",
		"rule", n_candidate ? json_integer(candidate.rule) : json_null());
}
