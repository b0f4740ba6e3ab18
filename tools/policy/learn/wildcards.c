/* A log may have a hundred thousand names, so nothing here compares each with each other: names are
 * sorted by what they lie right below, and those that were denied from behind, where all that lie
 * below one name stand together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "tools/policy/file.h"
#include "tools/policy/learn/needs.h"

#define PORTS 65536

int need_add_port(struct need *need, uint16_t port)
{
	void *larger;

	for (size_t i = 0; i < need->n_ports; i++)
		if (need->ports[i] == port)
			return 0;
	larger = reallocarray(need->ports, need->n_ports + 1, sizeof(*need->ports));
	if (!larger)
		return -ENOMEM;
	need->ports = larger;
	need->ports[need->n_ports++] = port;
	return 0;
}

bool need_lies_below(const char *name, const char *parent)
{
	size_t length = strlen(name), above = strlen(parent);

	return length > above + 1 && name[length - above - 1] == '.' &&
	       strcmp(name + length - above, parent) == 0;
}

bool need_is_denied(const struct tally *tally, const struct tally_row *row)
{
	return row->n > 0 && !row->allowed && !tally_get(tally, &row->act, true);
}

/* ---- what was denied */

/* Acts towards names that were denied, sorted by these from behind. */
struct denied {
	const struct policy_act **acts; /* owned */
	size_t n;
};

/* As strcmp() of the names written backwards. */
static int compare_from_behind(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	while (n > 0 && m > 0 && a[n - 1] == b[m - 1]) {
		n--;
		m--;
	}
	if (n == 0 || m == 0)
		return (n > 0) - (m > 0);
	return (int)(unsigned char)a[n - 1] - (int)(unsigned char)b[m - 1];
}

static int compare_acts(const void *a, const void *b)
{
	const struct policy_act *left = *(const struct policy_act *const *)a,
				*right = *(const struct policy_act *const *)b;

	return compare_from_behind(left->name, right->name);
}

static bool is_towards_name(const struct policy_act *act)
{
	return act->is_name && (act->kind == POLICY_ACT_CONNECT ||
				       (act->kind == POLICY_ACT_RESOLVE && !act->query));
}

static int find_denied(const struct tally *tally, struct denied *ret_denied)
{
	ret_denied->acts = calloc(tally->n + 1, sizeof(struct policy_act *));
	if (!ret_denied->acts)
		return -ENOMEM;
	for (size_t i = 0; i < tally->n; i++)
		if (is_towards_name(&tally->rows[i].act) && need_is_denied(tally, &tally->rows[i]))
			ret_denied->acts[ret_denied->n++] = &tally->rows[i].act;
	qsort(ret_denied->acts, ret_denied->n, sizeof(struct policy_act *), compare_acts);
	return 0;
}

/* The first that does not sort before the name: what lies below it follows. */
static size_t first_from(const struct denied *denied, const char *name)
{
	size_t low = 0, high = denied->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_from_behind(denied->acts[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The ports at which something below the name was denied. False when one of the names itself was:
 * the wildcard would open it to the resolver. */
static bool find_denied_ports(
	const struct denied *denied, const char *parent, bool ret_ports[PORTS])
{
	size_t length = strlen(parent);

	memset(ret_ports, 0, PORTS * sizeof(*ret_ports));
	for (size_t i = first_from(denied, parent); i < denied->n; i++) {
		const struct policy_act *act = denied->acts[i];
		size_t whole = strlen(act->name);

		/* "badexample.org" may stand among what lies below "example.org". */
		if (whole < length || strcmp(act->name + whole - length, parent) != 0)
			break;
		if (!need_lies_below(act->name, parent))
			continue;
		if (act->kind == POLICY_ACT_RESOLVE)
			return false;
		ret_ports[act->port] = true;
	}
	return true;
}

/* ---- siblings: what lies right below one name */

/* The language knows what names are anybody's. */
static bool is_wildcard_taken(const char *parent)
{
	_cleanup_free_ char *text = NULL;
	struct policy *policy = NULL;
	int r;

	if (asprintf(&text,
		    "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[{\"name\":\"*.%s\"}]}}",
		    parent) < 0) {
		text = NULL;
		return false;
	}
	r = policy_file_parse("-", text, strlen(text), &policy, NULL);
	policy_unref(policy);
	return r == 0;
}

static const char *parent_of(const struct need *need)
{
	const char *dot = need->host ? strchr(need->host, '.') : NULL;

	return dot ? dot + 1 : NULL;
}

/* Siblings come together, in the order that they have. */
static int compare_needs(const void *a, const void *b)
{
	const struct need *left = *(struct need *const *)a, *right = *(struct need *const *)b;
	int order = strcmp(parent_of(left), parent_of(right));

	if (order == 0)
		order = (int)left->is_private - (int)right->is_private;
	return order ? order : (left > right) - (left < right);
}

static size_t count_siblings(struct need *const *needs, size_t n)
{
	size_t same = 1;

	while (same < n && needs[0]->is_private == needs[same]->is_private &&
		strcmp(parent_of(needs[0]), parent_of(needs[same])) == 0)
		same++;
	return same;
}

static bool has_port_of(const struct need *need, const bool ports[PORTS])
{
	for (size_t i = 0; i < need->n_ports; i++)
		if (ports[need->ports[i]])
			return true;
	return false;
}

/* The first takes in the others, which are left without a row. */
static int join(struct need *const *needs, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < needs[i]->n_ports; j++)
			if (need_add_port(needs[0], needs[i]->ports[j]) < 0)
				return -ENOMEM;
		support_add(&needs[0]->support, &needs[i]->support);
		needs[i]->row = NULL;
	}
	needs[0]->host = parent_of(needs[0]);
	needs[0]->wildcard = true;
	return 0;
}

static int join_siblings(
	const struct denied *denied, struct need *const *needs, size_t n, uint32_t after)
{
	bool ports[PORTS];
	size_t first = n;

	if (n < after || !find_denied_ports(denied, parent_of(needs[0]), ports))
		return 0;
	while (first > 0 && !has_port_of(needs[first - 1], ports))
		first--;
	if (n - first < after || !is_wildcard_taken(parent_of(needs[0])))
		return 0;
	return join(needs + first, n - first);
}

static void drop_joined(struct needs *needs)
{
	size_t kept = 0;

	for (size_t i = 0; i < needs->n; i++)
		if (needs->items[i].row)
			needs->items[kept++] = needs->items[i];
		else
			free(needs->items[i].ports);
	needs->n = kept;
}

int needs_generalise(struct needs *needs, uint32_t after)
{
	_cleanup_free_ struct need **sorted = calloc(needs->n + 1, sizeof(*sorted));
	struct denied denied = {0};
	size_t n = 0, same;
	int r = sorted ? find_denied(needs->tally, &denied) : -ENOMEM;

	for (size_t i = 0; after && r == 0 && i < needs->n; i++)
		if (parent_of(&needs->items[i]))
			sorted[n++] = &needs->items[i];
	if (r == 0)
		qsort(sorted, n, sizeof(*sorted), compare_needs);
	for (size_t i = 0; r == 0 && i < n; i += same) {
		same = count_siblings(sorted + i, n - i);
		r = join_siblings(&denied, sorted + i, same, after);
	}
	drop_joined(needs);
	free(denied.acts);
	return r;
}
