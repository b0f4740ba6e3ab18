#include "tools/policy/log/sandboxes.h"

#include <stdlib.h>

static struct log_sandbox *find(const struct log_sandboxes *sandboxes, uint64_t id)
{
	uint64_t at = (id * 0x9e3779b97f4a7c15ull) >> 32;

	for (;; at++) {
		struct log_sandbox *slot = &sandboxes->slots[at & (sandboxes->n_slots - 1)];

		if (slot->id == id || slot->id == 0)
			return slot;
	}
}

static bool grow(struct log_sandboxes *sandboxes)
{
	struct log_sandboxes larger = {
		.n = sandboxes->n, .n_slots = sandboxes->n_slots ? sandboxes->n_slots * 2 : 64};

	larger.slots = calloc(larger.n_slots, sizeof(*larger.slots));
	if (!larger.slots)
		return false;
	for (size_t i = 0; i < sandboxes->n_slots; i++)
		if (sandboxes->slots[i].id)
			*find(&larger, sandboxes->slots[i].id) = sandboxes->slots[i];
	free(sandboxes->slots);
	*sandboxes = larger;
	return true;
}

struct log_sandbox *log_sandboxes_get(struct log_sandboxes *sandboxes, uint64_t id)
{
	struct log_sandbox *slot;

	if (sandboxes->last && sandboxes->last->id == id)
		return sandboxes->last;
	if (sandboxes->n * 2 >= sandboxes->n_slots && !grow(sandboxes))
		return NULL;
	slot = find(sandboxes, id);
	if (slot->id == 0) {
		slot->id = id;
		sandboxes->n++;
	}
	sandboxes->last = slot;
	return slot;
}

size_t log_sandboxes_unrecorded(const struct log_sandboxes *sandboxes)
{
	size_t n = 0;

	for (size_t i = 0; i < sandboxes->n_slots; i++) {
		const struct log_sandbox *sandbox = &sandboxes->slots[i];

		n += sandbox->acted &&
		     (sandbox->says_other || !(sandbox->says_usual || sandbox->shows_opens));
	}
	return n;
}

void log_sandboxes_fini(struct log_sandboxes *sandboxes)
{
	free(sandboxes->slots);
	*sandboxes = (struct log_sandboxes){0};
}
