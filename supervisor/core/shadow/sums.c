/* What candidates said, by rule: what ended is kept here, the rest is in the kernel. Counts of what
 * the kernel asks are exact; others, and examples, are from records, which may be lost.
 *
 * The kernel's counts lie in one map for all sandboxes, which can only be walked as a whole. So
 * counts of a candidate that is asked no more stay there, under its slot and generation, which are
 * not used again, until one walk takes all of them: a second later, when there are many, or when
 * somebody wants to read the sums. A tenant that changes candidates in a loop causes no more, nor
 * one that reads in a loop: who comes too soon after a walk has to wait for the next. */
#include "supervisor/core/shadow/sums.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/policies/staged.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/rows.h"

#define ENDED_MAX 4096 /* each has three rows of the kernel's map, and more by rules */
#define FOLD_DELAY_MS 1000
#define READ_PERIOD_MS 200 /* a walk over a full map takes some ten milliseconds */

/* A candidate that is asked no more, and whose counts are still in the kernel. */
struct ended {
	uint32_t slot, generation;
	struct shadow_asked *asked;
	struct ended *next; /* of the same slot, while they are folded */
};

struct shadow_sums {
	struct shadow_rows *rows;
	struct ended ended[ENDED_MAX];
	size_t n_ended;
	struct loop_source *timer;
	uint64_t walked_ns; /* CLOCK_MONOTONIC; 0: never */
};

struct shadow_sums *shadow_sums_free(struct shadow_sums *sums)
{
	if (!sums)
		return NULL;
	for (size_t i = 0; i < sums->n_ended; i++)
		free(sums->ended[i].asked);
	loop_source_free(sums->timer);
	shadow_rows_free(sums->rows);
	free(sums);
	return NULL;
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	shadow_sums_fold(userdata);
}

/* NULL when memory is out. */
static struct shadow_sums *sums_of(struct core *core)
{
	struct shadow_sums *sums;

	if (core->shadow_sums)
		return core->shadow_sums;
	sums = calloc(1, sizeof(*sums));
	if (!sums)
		return NULL;
	sums->rows = shadow_rows_new();
	if (!sums->rows || loop_add_timer(core->loop, on_timer, core, &sums->timer) < 0)
		return shadow_sums_free(sums);
	core->shadow_sums = sums;
	return sums;
}

struct shadow_asked *shadow_sums_open(
	const struct sandbox *sandbox, const struct effective *candidate)
{
	struct shadow_asked *asked = calloc(1, sizeof(*asked));

	if (!asked || !sums_of(sandbox->core)) {
		free(asked);
		return NULL;
	}
	asked->tenant = sandbox->tenant->row.id;
	snprintf(asked->candidate, sizeof(asked->candidate), "%s", candidate->name);
	snprintf(asked->rules_of, sizeof(asked->rules_of), "%s", candidate->policy->name);
	snprintf(asked->hash, sizeof(asked->hash), "%s", candidate->hash_asked);
	snprintf(asked->staged, sizeof(asked->staged), "%s", candidate->staged);
	snprintf(asked->staged_hash, sizeof(asked->staged_hash), "%s", candidate->staged_hash);
	snprintf(asked->beside, sizeof(asked->beside), "%s", sandbox->effective->policy->name);
	return asked;
}

void shadow_sums_close(
	struct core *core, uint32_t slot, uint32_t generation, struct shadow_asked *asked)
{
	struct shadow_sums *sums = core->shadow_sums;

	if (sums->n_ended == ENDED_MAX)
		shadow_sums_fold(core);
	if (sums->n_ended == ENDED_MAX) {
		log_warning("counts of a candidate are lost: the kernel's cannot be read");
		free(asked);
		return;
	}
	if (sums->n_ended == 0)
		loop_timer_arm(sums->timer, FOLD_DELAY_MS, 0);
	sums->ended[sums->n_ended++] = (struct ended){slot, generation, asked, NULL};
}

/* ---- one walk */

struct walk {
	struct shadow_rows *rows;
	struct sandbox **living; /* by slot: those that have a candidate */
	struct ended **ended;    /* by slot */
};

struct shadow_row *shadow_sums_row(const struct sandbox *sandbox, enum abi_shadow_outcome outcome,
	uint16_t rule, const char *part)
{
	return shadow_rows_get(
		sandbox->core->shadow_sums->rows, sandbox->shadow_asked, outcome, rule, part);
}

static bool take_row(const struct abi_shadow_key *key, uint64_t n, void *userdata)
{
	const struct walk *walk = userdata;
	const struct sandbox *living;
	struct shadow_row *row;

	if (key->slot >= ABI_SLOTS_MAX)
		return true;
	living = walk->living[key->slot];
	if (living && living->shadow_generation == key->generation) {
		row = n > 0 ? shadow_rows_get(
				      walk->rows, living->shadow_asked, key->outcome, key->rule, "")
			    : NULL;
		if (row)
			row->n_living += n;
		return false;
	}
	for (struct ended *ended = walk->ended[key->slot]; ended && n > 0; ended = ended->next) {
		if (ended->generation != key->generation)
			continue;
		row = shadow_rows_get(walk->rows, ended->asked, key->outcome, key->rule, "");
		if (row)
			row->sum.n += n;
	}
	return true; /* nobody's, when none was found: of an earlier process */
}

static int walk(struct core *core, struct shadow_sums *sums)
{
	_cleanup_free_ struct sandbox **living = calloc(ABI_SLOTS_MAX, sizeof(*living));
	_cleanup_free_ struct ended **ended = calloc(ABI_SLOTS_MAX, sizeof(*ended));
	struct walk walk = {sums->rows, living, ended};
	struct sandbox *sandbox;
	size_t position = 0;
	int r;

	if (!living || !ended)
		return -ENOMEM;
	sums->walked_ns = clock_monotonic_ns();
	for (struct shadow_row *row = shadow_rows_first(sums->rows); row; row = row->next)
		row->n_living = 0;
	while ((sandbox = table_next(core->sandboxes, &position)))
		if (sandbox->shadow)
			living[sandbox->slot] = sandbox;
	for (size_t i = 0; i < sums->n_ended; i++) {
		struct ended **first = &ended[sums->ended[i].slot];

		sums->ended[i].next = *first;
		*first = &sums->ended[i];
	}
	r = enforce_shadow_take(core->enforce, take_row, &walk);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sums->n_ended; i++)
		free(sums->ended[i].asked);
	sums->n_ended = 0;
	return 0;
}

void shadow_sums_fold(struct core *core)
{
	struct shadow_sums *sums = sums_of(core);
	int r = sums ? walk(core, sums) : -ENOMEM;

	if (r == 0)
		return;
	log_warning("counts of candidates cannot be read: %s", strerror(-r));
	if (sums && sums->n_ended > 0)
		loop_timer_arm(sums->timer, FOLD_DELAY_MS, 0);
}

/* A staged version changes what others are, too: of each it must be what it is now. */
static bool is_of(const struct shadow_row *row, const struct policy *candidate,
	const struct policies_draft *staged)
{
	const struct policy *asked;

	if (!staged)
		return !row->staged[0] && strcmp(row->candidate, candidate->name) == 0 &&
		       strcmp(row->hash, candidate->hash) == 0;
	asked = policies_draft_find(staged, row->candidate);
	return strcmp(row->staged, candidate->name) == 0 &&
	       strcmp(row->staged_hash, candidate->hash) == 0 && asked &&
	       strcmp(row->hash, asked->hash) == 0;
}

static bool can_be_read(const struct shadow_row *row, void *userdata)
{
	const struct core *core = userdata;
	const struct policy *policy = policies_find(core->policies, row->candidate);
	const struct staged *staged = row->staged[0] ? staged_find(core, row->staged) : NULL;

	if (staged && staged->draft)
		return is_of(row, staged_policy(staged), staged->draft);
	return policy && is_of(row, policy, NULL);
}

void shadow_sums_tidy(struct core *core)
{
	if (core->shadow_sums)
		shadow_rows_drop(core->shadow_sums->rows, can_be_read, core);
}

int shadow_sums_read(struct core *core)
{
	struct shadow_sums *sums = core->shadow_sums;

	if (sums && sums->walked_ns &&
		clock_monotonic_ns() - sums->walked_ns < READ_PERIOD_MS * NS_PER_MS)
		return -EAGAIN;
	return sums ? walk(core, sums) : 0;
}

void shadow_sums_each(const struct core *core, const struct tenant *tenant,
	const struct policy *candidate, const struct policies_draft *staged,
	void (*callback)(const struct shadow_sum *sum, void *userdata), void *userdata)
{
	if (!core->shadow_sums)
		return;
	for (const struct shadow_row *row = shadow_rows_first(core->shadow_sums->rows); row;
		row = row->next) {
		struct shadow_sum sum = row->sum;

		if ((tenant && tenant->row.id != row->tenant) || !is_of(row, candidate, staged))
			continue;
		sum.n += row->n_living;
		callback(&sum, userdata);
	}
}
