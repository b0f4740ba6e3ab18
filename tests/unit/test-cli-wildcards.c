/* Names that come together in wildcards: the same as by comparing each with each other. */
#include "tests/harness/check.h"
#include "tests/harness/draw.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/policy/learn/needs.h"

#define NAMES_MAX 40
#define ROUNDS 3000

/* The last two have no names that a wildcard is taken for, or hardly any. */
static const char *const zones[] = {
	"a.example.org", "example.org", "badexample.org", "b.example.org", "co.uk", "org"};
static const uint16_t ports[] = {22, 80, 443, 8443};

static void add_act(struct tally *tally, enum policy_act_kind kind, const char *name, uint16_t port,
	bool allowed)
{
	struct policy_recorded record = {.n_acts = 1, .time = "2026-11-27T10:00:00Z"};
	struct policy_recorded_act *act = &record.acts[0];

	*act = (struct policy_recorded_act){
		.act = {.kind = kind, .is_name = true, .port = port}, .allowed = allowed};
	snprintf(act->act.name, sizeof(act->act.name), "%s", name);
	CHECK_INT(tally_add(tally, &record), 0);
}

static void draw_name(struct draw *from, char name[64])
{
	snprintf(name, 64, "h%u.%s", draw(from, 6), zones[draw(from, ARRAY_SIZE(zones))]);
}

static void draw_tally(struct draw *from, struct tally *tally)
{
	uint32_t n = draw(from, 12), rare = draw(from, 3);
	char name[64];

	*tally = (struct tally){0};
	for (uint32_t i = 0; i < n; i++) {
		draw_name(from, name);
		if (draw(from, 6) == 0 && rare)
			add_act(tally, POLICY_ACT_RESOLVE, name, 0, draw(from, 4) == 0);
		else
			add_act(tally, POLICY_ACT_CONNECT, name, ports[draw(from, 4)],
				draw(from, 3) == 0);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Those of names sorted, one for each; `names` keeps the texts. */
static void draw_needs(struct draw *from, const struct tally *tally, char names[NAMES_MAX][64],
	struct needs *needs)
{
	static const struct tally_row row = {.n = 1};
	uint32_t n = draw(from, NAMES_MAX);

	*needs = (struct needs){.tally = tally, .items = calloc(NAMES_MAX, sizeof(struct need))};
	CHECK(needs->items != NULL);
	for (uint32_t i = 0; i < n; i++)
		draw_name(from, names[i]);
	qsort(names, n, sizeof(names[0]), compare_names);
	for (uint32_t i = 0; i < n; i++) {
		struct need *need = &needs->items[needs->n];

		if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
			continue;
		needs->n++;
		*need = (struct need){.host = names[i],
			.row = &row,
			.is_private = draw(from, 8) == 0,
			.support = {
				1 + draw(from, 9), "2026-11-27T10:00:00Z", "2026-11-27T10:00:01Z"}};
		do
			CHECK_INT(need_add_port(need, ports[1 + draw(from, 3)]), 0);
		while (draw(from, 3) == 0);
		if (draw(from, 12) == 0)
			CHECK_INT(need_add_port(need, 22), 0);
	}
}

static void free_needs(struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++)
		free(needs->items[i].ports);
	free(needs->items);
}

/* ---- by comparing each with each other; the public suffixes among the zones are known */

static const char *naive_parent(const struct need *need)
{
	return need->wildcard ? NULL : strchr(need->host, '.') + 1;
}

static bool naive_sibling(const struct need *a, const struct need *b)
{
	return naive_parent(a) && naive_parent(b) && a->is_private == b->is_private &&
	       strcmp(naive_parent(a), naive_parent(b)) == 0;
}

static bool naive_has_port(const struct needs *needs, size_t first, uint16_t port)
{
	for (size_t i = first; i < needs->n; i++)
		for (size_t j = 0; j < needs->items[i].n_ports; j++)
			if (naive_sibling(&needs->items[first], &needs->items[i]) &&
				needs->items[i].ports[j] == port)
				return true;
	return false;
}

static bool naive_opens_denied(const struct needs *needs, size_t first)
{
	const char *parent = naive_parent(&needs->items[first]);

	for (size_t i = 0; i < needs->tally->n; i++) {
		const struct tally_row *row = &needs->tally->rows[i];

		if (need_lies_below(row->act.name, parent) && need_is_denied(needs->tally, row) &&
			(row->act.kind == POLICY_ACT_RESOLVE ||
				naive_has_port(needs, first, row->act.port)))
			return true;
	}
	return false;
}

static void naive_join(struct needs *needs, size_t first)
{
	struct need *need = &needs->items[first];
	size_t kept = first + 1;

	for (size_t i = first + 1; i < needs->n; i++) {
		struct need *other = &needs->items[i];

		if (!naive_sibling(need, other)) {
			needs->items[kept++] = *other;
			continue;
		}
		for (size_t j = 0; j < other->n_ports; j++)
			CHECK_INT(need_add_port(need, other->ports[j]), 0);
		support_add(&need->support, &other->support);
		free(other->ports);
	}
	needs->n = kept;
	need->host = naive_parent(need);
	need->wildcard = true;
}

static void naive_generalise(struct needs *needs, uint32_t after)
{
	for (size_t i = 0; i < needs->n; i++) {
		const char *parent = naive_parent(&needs->items[i]);
		uint32_t n = 0;

		for (size_t j = i; parent && j < needs->n; j++)
			n += naive_sibling(&needs->items[i], &needs->items[j]);
		if (after && n >= after && strcmp(parent, "org") != 0 &&
			strcmp(parent, "co.uk") != 0 && !naive_opens_denied(needs, i))
			naive_join(needs, i);
	}
}

/* ---- */

static size_t check_same(const struct needs *found, const struct needs *expected)
{
	size_t n_wildcards = 0;

	CHECK_INT(found->n, expected->n);
	for (size_t i = 0; i < found->n; i++) {
		const struct need *a = &found->items[i], *b = &expected->items[i];

		CHECK_TEXT(a->host, b->host);
		CHECK(a->wildcard == b->wildcard && a->is_private == b->is_private);
		CHECK_INT(a->support.n, b->support.n);
		CHECK_INT(a->n_ports, b->n_ports);
		CHECK(memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports)) == 0);
		n_wildcards += a->wildcard;
	}
	return n_wildcards;
}

TEST(names_join_as_if_each_were_compared_with_each_other)
{
	struct draw from = {DRAW_SEED}, again;
	static char names[NAMES_MAX][64], same_names[NAMES_MAX][64];
	size_t n_wildcards = 0, n_names = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint32_t after = draw(&from, 6);
		struct needs found, expected;
		struct tally tally;

		draw_tally(&from, &tally);
		again = from;
		draw_needs(&from, &tally, names, &found);
		draw_needs(&again, &tally, same_names, &expected);
		CHECK_INT(needs_generalise(&found, after), 0);
		naive_generalise(&expected, after);
		n_wildcards += check_same(&found, &expected);
		n_names += found.n;
		free_needs(&found);
		free_needs(&expected);
		tally_fini(&tally);
	}
	/* Both kinds were met, and often. */
	CHECK(n_wildcards > ROUNDS / 2 && n_names > 4 * n_wildcards);
}
