#include "supervisor/policy/acts/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/network/special.h"

/* FNV-1a; whoever wrote the log can make it slow, not wrong: rows are bounded. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

static uint64_t hash_of(const struct policy_act *act, bool allowed)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ (uint64_t)act->query << 8 ^
			(uint64_t)act->kind << 1 ^ allowed;

	hash = mix(hash, &act->port, sizeof(act->port));
	if (act->given)
		hash = mix(hash, act->arguments, sizeof(act->arguments));
	if (act->is_name)
		return mix(hash, act->name, strlen(act->name));
	return mix(hash, &act->address, sizeof(act->address));
}

static bool same(const struct tally_row *row, const struct policy_act *act, bool allowed)
{
	if (row->allowed != allowed || row->act.kind != act->kind || row->act.port != act->port ||
		row->act.query != act->query || row->act.is_name != act->is_name ||
		row->act.given != act->given ||
		memcmp(row->act.arguments, act->arguments, sizeof(act->arguments)) != 0 ||
		strcmp(row->act.name, act->name) != 0)
		return false;
	return act->is_name || memcmp(&row->act.address, &act->address, sizeof(act->address)) == 0;
}

/* Where the act is, or the free slot where it belongs. */
static uint32_t *find(const struct tally *tally, const struct policy_act *act, bool allowed)
{
	uint64_t at = hash_of(act, allowed);

	for (;; at++) {
		uint32_t *slot = &tally->slots[at & (tally->n_slots - 1)];

		if (*slot == 0 || same(&tally->rows[*slot - 1], act, allowed))
			return slot;
	}
}

static int grow(struct tally *tally)
{
	size_t room = tally->room ? tally->room * 2 : 1024, n_slots = room * 2;
	uint32_t *slots = calloc(n_slots, sizeof(*slots));
	void *rows = slots ? reallocarray(tally->rows, room, sizeof(*tally->rows)) : NULL;

	if (!rows) {
		free(slots);
		return -ENOMEM;
	}
	free(tally->slots);
	*tally = (struct tally){
		.rows = rows, .n = tally->n, .room = room, .slots = slots, .n_slots = n_slots};
	for (size_t i = 0; i < tally->n; i++)
		*find(tally, &tally->rows[i].act, tally->rows[i].allowed) = (uint32_t)i + 1;
	return 0;
}

/* The row of the act, made if there is none. */
static int find_row(
	struct tally *tally, const struct policy_act *act, bool allowed, struct tally_row **ret_row)
{
	uint32_t *slot;

	if (tally->n == tally->room) {
		int r = tally->n >= TALLY_ROWS_MAX ? -E2BIG : grow(tally);

		if (r < 0)
			return r;
	}
	slot = find(tally, act, allowed);
	if (*slot == 0) {
		tally->rows[tally->n] = (struct tally_row){.act = *act, .allowed = allowed};
		*slot = (uint32_t)++tally->n;
	}
	*ret_row = &tally->rows[*slot - 1];
	return 0;
}

static int add_act(struct tally *tally, const struct policy_recorded *record,
	const struct policy_recorded_act *act)
{
	struct tally_row *row;
	int r = find_row(tally, &act->act, act->allowed, &row);

	if (r < 0)
		return r;
	if (row->n++ == 0) {
		row->sequence = record->sequence;
		row->sandbox = record->sandbox;
		strcpy(row->first, record->time);
	}
	row->in_directory |= act->in_directory;
	row->made_directory |= act->made_directory;
	strcpy(row->last, record->time);
	return 0;
}

int tally_add(struct tally *tally, const struct policy_recorded *record)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < record->n_acts; i++)
		r = add_act(tally, record, &record->acts[i]);
	return r;
}

int tally_note_dial(struct tally *tally, const struct policy_recorded *record)
{
	struct tally_row *row;
	int r;

	if (!special_is_private(&record->acts[0].act.address))
		return 0;
	r = find_row(tally, &record->acts[0].act, true, &row);
	if (r == 0)
		row->is_private = true;
	return r;
}

const struct tally_row *tally_get(
	const struct tally *tally, const struct policy_act *act, bool allowed)
{
	uint32_t place = tally->n_slots ? *find(tally, act, allowed) : 0;

	return place && tally->rows[place - 1].n > 0 ? &tally->rows[place - 1] : NULL;
}

uint64_t tally_know_calls(struct tally *tally, const struct policy_calls *calls)
{
	uint64_t n_unknown = 0;

	for (size_t i = 0; i < tally->n; i++) {
		struct tally_row *row = &tally->rows[i];
		int level = row->act.kind == POLICY_ACT_SYSCALL ? calls->level(row->act.name) : 0;

		if (level >= 0) {
			row->act.call_level = (uint8_t)level;
			continue;
		}
		n_unknown += row->n;
		row->n = 0;
	}
	return n_unknown;
}

void tally_fini(struct tally *tally)
{
	free(tally->rows);
	free(tally->slots);
	*tally = (struct tally){0};
}
