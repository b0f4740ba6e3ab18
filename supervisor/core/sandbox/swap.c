/* Another policy for a living sandbox.
 *
 *   tickets of the next generation → one store flips the kernel's word → new connects are judged by
 *   the new policy → the gate lists what is open → what would be refused now is reset → answered.
 *
 * Swaps of one sandbox wait for each other, so each answer names the generation that it made. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/gate.h"

struct swap {
	struct swap *next;
	char name[POLICY_NAME_SIZE];
	uint32_t generation; /* of the one under way; 0: not begun */
	sandbox_swapped_callback callback;
	void *userdata;
};

static void begin_first(struct sandbox *sandbox);

/* Takes the first swap off, tells its caller, and begins the next. */
static void finish_first(struct sandbox *sandbox, const struct refusal *why)
{
	struct swap *swap = sandbox->swaps;

	sandbox->swaps = swap->next;
	if (swap->callback)
		swap->callback(why ? NULL : sandbox, why, swap->userdata);
	free(swap);
	if (sandbox->swaps)
		begin_first(sandbox);
}

static void record(const struct sandbox *sandbox, const char *before)
{
	struct audit_subject subject;

	sandbox_subject(sandbox, &subject);
	audit_record(sandbox->core->audit, "sandbox.policy", &subject,
		json_pack("{s:s, s:s, s:s*}", "hash_before", before, "syscalls",
			policy_audit_word(&sandbox->effective->policy->audit), "mode",
			effective_mode(sandbox->effective)));
	audit_policy_changed(sandbox->core->audit);
}

/* All that can fail comes before the flip; -errno leaves everything as it was. */
static int flip(struct sandbox *sandbox, struct effective *effective, struct failure *why)
{
	struct core *core = sandbox->core;
	uint32_t generation;
	char before[POLICY_HASH_SIZE];
	int r = egress_listen(sandbox, effective->policy, why);

	if (r == 0)
		r = enforce_slot_next_generation(core->enforce, sandbox->slot, &generation);
	if (r == 0)
		r = names_prepare(sandbox, effective->policy, generation);
	if (r == 0 && sandbox->stored)
		r = store_sandbox_set_policy(core->store, sandbox->id, effective->name);
	if (r < 0)
		return why->error ? r : failure_set(why, r, "policy", "the swap was not made");
	r = sandbox_set_budgets(sandbox, effective->policy);
	if (r == 0)
		r = sandbox_set_audit(sandbox, effective->policy);
	if (r == 0)
		r = enforce_slot_bind(core->enforce, sandbox->slot, sandbox->tenant->row.id,
			sandbox->sockets.relay_port, effective->image, &sandbox->generation);
	if (r < 0 && sandbox->stored)
		store_sandbox_set_policy(core->store, sandbox->id, sandbox->effective->name);
	if (r < 0)
		return failure_set(why, r, "policy", "the kernel's slot was not bound");
	memcpy(before, sandbox->effective->policy->hash, sizeof(before));
	effective_unref(sandbox->effective);
	sandbox->effective = effective;
	names_send_all(sandbox);
	shadow_renew(sandbox);
	idle_watch(sandbox);
	record(sandbox, before);
	return 0;
}

/* Asks the gate to review; true when there is a gate to wait for. */
static bool ask_gate(struct sandbox *sandbox)
{
	const struct wire_gate_swap body = {.sandbox = sandbox->id,
		.policy = ABI_SLOT_POLICY(sandbox->generation, sandbox->effective->image)};

	return sandbox->sockets.relay_port != 0 &&
	       egress_send(sandbox->core, WIRE_GATE_SWAP, sandbox->generation, &body, sizeof(body),
		       NULL, 0) == 0;
}

/* Mounts are made before anything runs; what runs could turn later ones elsewhere. */
static int check_files(
	const struct sandbox *sandbox, const struct effective *effective, struct refusal *why)
{
	const struct policy *now = sandbox->effective->policy, *then = effective->policy;

	/* A reload must not be held up: what it narrows elsewhere would not hold. */
	if (strcmp(sandbox->effective->name, effective->name) == 0 ||
		(policy_executables_equal(now, then) && now->devices == then->devices &&
			now->n_paths == then->n_paths &&
			(now->n_paths == 0 || memcmp(now->paths, then->paths,
						      now->n_paths * sizeof(*now->paths)) == 0)))
		return 0;
	return refuse(why, WIRE_CODE_CONFLICT,
		"Policy \"%s\" has other \"files\", \"executables\" or \"devices\" than \"%s\"; "
		"those are settled when a sandbox is created. Create another one.",
		effective->name, sandbox->effective->name);
}

static void begin_first(struct sandbox *sandbox)
{
	struct swap *swap = sandbox->swaps;
	struct effective *effective = NULL;
	struct failure failure = {0};
	struct refusal why;
	int r = effective_get(sandbox->core->policies, sandbox->tenant->row.policy,
		sandbox->template, swap->name, &effective, &why);

	if (r == 0) {
		r = check_files(sandbox, effective, &why);
		if (r < 0)
			effective_unref(effective);
	}
	if (r == 0) {
		r = flip(sandbox, effective, &failure);
		if (r < 0) {
			effective_unref(effective);
			refuse(&why, WIRE_CODE_UNAVAILABLE, "Nothing was changed: %s (%s).",
				failure.sentence, strerror(-r));
		}
	}
	if (r < 0) {
		finish_first(sandbox, &why);
		return;
	}
	swap->generation = sandbox->generation;
	if (!ask_gate(sandbox))
		finish_first(sandbox, NULL);
}

void sandbox_set_policy(struct sandbox *sandbox, const char *name,
	sandbox_swapped_callback callback, void *userdata)
{
	struct swap *swap = calloc(1, sizeof(*swap)), **last = &sandbox->swaps;
	struct refusal why;

	if (!swap || (sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING)) {
		free(swap);
		refuse(&why, WIRE_CODE_CONFLICT, "The sandbox is ending or has failed.");
		if (callback)
			callback(NULL, &why, userdata);
		return;
	}
	strncpy(swap->name, name, sizeof(swap->name) - 1);
	swap->callback = callback;
	swap->userdata = userdata;
	while (*last)
		last = &(*last)->next;
	*last = swap;
	if (sandbox->swaps == swap)
		begin_first(sandbox);
}

static struct sandbox *find_swapping(
	const struct core *core, uint64_t id, const struct channel_message *message)
{
	struct sandbox *sandbox = table_get(core->sandboxes, id);

	/* An answer to a swap that the gate's predecessor was asked for is of no use. */
	if (!sandbox || !sandbox->swaps || sandbox->swaps->generation != message->header->cookie)
		return NULL;
	return sandbox;
}

int swap_review(struct core *core, const struct channel_message *message)
{
	const struct wire_gate_review *review = message->body;
	const struct wire_gate_review_flow *flows = (const void *)(review + 1);
	struct wire_gate_verdicts verdicts = {.n_reset = 0};
	uint64_t reset[WIRE_GATE_REVIEW_MAX];
	const struct sandbox *sandbox;

	if (message->body_size < sizeof(*review) || review->n_flows > WIRE_GATE_REVIEW_MAX ||
		message->body_size != sizeof(*review) + review->n_flows * sizeof(*flows))
		return -EPROTO;
	sandbox = find_swapping(core, review->sandbox, message);
	if (!sandbox)
		return 0;
	verdicts.sandbox = sandbox->id;
	for (uint32_t i = 0; i < review->n_flows; i++)
		if (!enforce_slot_would_allow(core->enforce, sandbox->slot, flows[i].protocol,
			    &flows[i].address, flows[i].port))
			reset[verdicts.n_reset++] = flows[i].id;
	egress_send(core, WIRE_GATE_VERDICTS, message->header->cookie, &verdicts, sizeof(verdicts),
		reset, verdicts.n_reset * sizeof(reset[0]));
	return 0;
}

int swap_done(struct core *core, const struct channel_message *message)
{
	const struct wire_gate_close *body = message->body;
	struct sandbox *sandbox;

	if (message->body_size != sizeof(*body))
		return -EPROTO;
	sandbox = find_swapping(core, body->sandbox, message);
	if (sandbox)
		finish_first(sandbox, NULL);
	return 0;
}

void swap_gate_down(struct sandbox *sandbox)
{
	if (sandbox->swaps && sandbox->swaps->generation)
		finish_first(sandbox, NULL);
}

void swap_end_all(struct sandbox *sandbox)
{
	struct refusal why;

	refuse(&why, WIRE_CODE_CONFLICT, "The sandbox ended meanwhile.");
	while (sandbox->swaps) {
		struct swap *swap = sandbox->swaps;

		sandbox->swaps = swap->next;
		if (swap->callback)
			swap->callback(NULL, &why, swap->userdata);
		free(swap);
	}
}
