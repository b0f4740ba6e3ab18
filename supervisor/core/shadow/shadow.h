/* Candidates: policies that are asked beside the one in force, and the sums of what they said. */
#pragma once

#include "supervisor/core/core.h"
#include "supervisor/core/shadow/candidate.h"
#include "supervisor/policy/acts/part.h"
#include "supervisor/policy/acts/recorded-event.h"

struct shadow_sums;

/* ---- shadow/many.c: a candidate for all sandboxes of a tenant, or from a template (`name` empty:
 * none any more), those that live and those to come. NOT_FOUND, UNAVAILABLE; that some cannot be
 * asked is no refusal: shadow_count() tells how many. */
int tenant_set_shadow(
	struct core *core, struct tenant *tenant, const char *name, struct refusal *why);
int template_set_shadow(
	struct core *core, const char *template, const char *name, struct refusal *why);
/* "" for none. */
const char *template_shadow(const struct core *core, const char *template);
int template_shadows_start(struct core *core, struct failure *why);

/* Living sandboxes whose candidate is from `source`. */
struct shadow_group {
	enum candidate_source source;
	const struct tenant *tenant; /* NULL: of all */
	const char *template;        /* NULL: any */
};
void shadow_count(const struct core *core, const struct shadow_group *group, uint32_t *ret_asked,
	uint32_t *ret_not_asked);

/* ---- shadow.c */

/* Names a candidate for this sandbox alone, on the word of an administrator's key or its tenant's,
 * each of which takes back only its own (`name` empty): asked within its tenant's bound, as the
 * policy in force. It changes no verdict. Refusals as of effective_get(), LIMIT when the kernel has
 * no room, CONFLICT when the sandbox is ending or as of candidate_check_own(); then all is as it
 * was, but counts of what is asked may have begun anew. */
int sandbox_set_shadow(
	struct sandbox *sandbox, bool administrators, const char *name, struct refusal *why);
/* At a claim, before its record: what it says of the candidate is shadow_describe(). */
void shadow_begin(struct sandbox *sandbox);
/* {"shadow": …, "shadow_hash": …, "shadow_source": …, "shadow_error": …} */
json_t *shadow_describe(const struct sandbox *sandbox);
/* Whenever candidate_find() may say something else than before. A candidate that cannot be asked is
 * recorded, and tried again at the next occasion. */
void shadow_settle(struct sandbox *sandbox);
/* After the policy in force became another: likewise, and counts begin anew. */
void shadow_renew(struct sandbox *sandbox);
/* After a restart: what the store says. */
void shadow_restore(struct sandbox *sandbox);
/* Of all sandboxes. */
void shadow_settle_all(struct core *core);
/* After all were taken back: counts in the kernel of an earlier process are nobody's. */
void shadow_forget_earlier(struct core *core);
/* The sandbox ends: its counts are added to the sums. */
void shadow_end(struct sandbox *sandbox);

/* ---- opinions.c: what candidates say of what is recorded */

/* What its record says of a call, a file or a program that the candidate would have decided
 * otherwise. */
struct shadow_opinion {
	struct audit_opinion said; /* borrows `part` */
	char part[POLICY_PART_SIZE];
};

/* Has the sandbox's candidate asked about an event of the kernel, counts what it says, and fills in
 * what the record will tell. `subject` has the event's host, and borrows `opinion`. */
void shadow_note_event(const struct sandbox *sandbox, const struct abi_event_header *event,
	struct audit_subject *subject, struct shadow_opinion *opinion);
/* What the candidate says of a query: {"policy": …, "verdict": …}, NULL when it agrees, is not told
 * by the answer, or there is none. */
json_t *shadow_note_query(
	const struct sandbox *sandbox, const struct policy_recorded_answer *answer);

#define SHADOW_EXAMPLE_SIZE 320

struct shadow_sum {
	enum abi_shadow_outcome outcome;
	char policy[POLICY_NAME_SIZE]; /* whose rule it is */
	uint16_t rule;                 /* ABI_RULE_NONE: none's, or there were too many */
	char part[POLICY_PART_SIZE];   /* instead of a rule: of files, calls and programs */
	uint64_t n;
	char example[SHADOW_EXAMPLE_SIZE]; /* "connect pypi.org:443", as explain takes it; or "" */
	uint64_t example_sandbox, example_ns;
};

/* After a change of policies: forgets what candidates said that are not those of now, and whose
 * sums so nobody can read. */
void shadow_sums_tidy(struct core *core);
/* Takes the kernel's counts, all of them at once. 0, -EAGAIN when that was done a moment ago, or
 * -errno; counts are then what they were. */
int shadow_sums_read(struct core *core);
/* Calls back for each row, as it was read last, of the candidate as it is loaded now (as it is in
 * `staged`: of whatever was asked because of this staged version), of `tenant`'s sandboxes (NULL:
 * of all), living or not, since this process started. */
void shadow_sums_each(const struct core *core, const struct tenant *tenant,
	const struct policy *candidate, const struct policies_draft *staged,
	void (*callback)(const struct shadow_sum *sum, void *userdata), void *userdata);
struct shadow_sums *shadow_sums_free(struct shadow_sums *sums);
