#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/cleanup.h"
#include "tools/policy/file.h"
#include "tools/policy/learn/parts.h"

#define NAME_PORTS_MAX 8     /* of a rule for a name */
#define ADDRESS_PORTS_MAX 16 /* of one for addresses */
#define INBOUND_PORTS_MAX 16 /* of a policy */
#define PORT_OF_LOOKED_UP 443

/* One rule on its way: all acts towards one host or address. */
struct need {
	const char *host; /* NULL: `row`'s address */
	const struct tally_row *row;
	bool is_private, wildcard;
	uint16_t *ports;
	size_t n_ports;
	struct support support;
};

struct needs {
	const struct tally *tally;
	struct need *items;
	size_t n;
};

/* ---- what was denied */

static bool lies_below(const char *name, const char *parent)
{
	size_t length = strlen(name), above = strlen(parent);

	return length > above + 1 && name[length - above - 1] == '.' &&
	       strcmp(name + length - above, parent) == 0;
}

/* Denied wherever it was tried: else a rule for it is needed. */
static bool is_denied(const struct tally *tally, const struct tally_row *row)
{
	return row->n > 0 && !row->allowed && !tally_get(tally, &row->act, true);
}

static bool is_towards(const struct need *need, const struct policy_act *act)
{
	if (act->kind != (need->host ? POLICY_ACT_CONNECT : need->row->act.kind) ||
		act->is_name != !!need->host)
		return false;
	if (!act->is_name)
		return memcmp(&act->address, &need->row->act.address, sizeof(act->address)) == 0;
	return need->wildcard ? lies_below(act->name, need->host)
			      : strcmp(act->name, need->host) == 0;
}

struct question {
	const struct tally *tally;
	const struct need *need;
};

/* learnt_denied: towards where a rule leads. */
static bool is_denied_there(const void *userdata, uint16_t first, uint16_t last)
{
	const struct question *question = userdata;

	for (size_t i = 0; i < question->tally->n; i++) {
		const struct tally_row *row = &question->tally->rows[i];

		if (first <= row->act.port && row->act.port <= last &&
			is_towards(question->need, &row->act) && is_denied(question->tally, row))
			return true;
	}
	return false;
}

static bool is_inbound_denied(const void *userdata, uint16_t first, uint16_t last)
{
	const struct tally *tally = userdata;

	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if (row->act.kind == POLICY_ACT_INBOUND && first <= row->act.port &&
			row->act.port <= last && is_denied(tally, row))
			return true;
	}
	return false;
}

/* ---- what was needed */

static bool is_for(const struct need *need, const struct tally_row *row)
{
	if (row->act.is_name)
		return need->host && !need->wildcard && strcmp(need->host, row->act.name) == 0;
	return !need->host && need->row->act.kind == row->act.kind &&
	       memcmp(&need->row->act.address, &row->act.address, sizeof(row->act.address)) == 0;
}

/* Rows towards one host come together when they are sorted. */
static int compare_rows(const void *a, const void *b)
{
	const struct tally_row *left = *(const struct tally_row *const *)a,
			       *right = *(const struct tally_row *const *)b;
	int order = (int)left->act.is_name - (int)right->act.is_name;

	if (order == 0 && !left->act.is_name)
		order = (int)left->act.kind - (int)right->act.kind;
	if (order == 0)
		order = left->act.is_name ? strcmp(left->act.name, right->act.name)
					  : memcmp(&left->act.address, &right->act.address,
						    sizeof(left->act.address));
	return order ? order : (int)left->act.port - (int)right->act.port;
}

static bool is_destination(const struct tally_row *row)
{
	return row->allowed && row->n > 0 &&
	       (row->act.kind == POLICY_ACT_CONNECT || row->act.kind == POLICY_ACT_SEND ||
		       (row->act.kind == POLICY_ACT_RESOLVE && !row->act.query));
}

static int add_port(struct need *need, uint16_t port)
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

static int add_row(struct needs *needs, const struct tally_row *row)
{
	struct need *need = needs->n ? &needs->items[needs->n - 1] : NULL;
	struct support support = support_of(row);

	if (!need || !is_for(need, row)) {
		need = &needs->items[needs->n++];
		*need = (struct need){.host = row->act.is_name ? row->act.name : NULL, .row = row};
	}
	/* A name of one label is one of the inside, and only such a rule may have it. */
	need->is_private |= row->is_private || (need->host && !strchr(need->host, '.'));
	support_add(&need->support, &support);
	return row->act.kind == POLICY_ACT_RESOLVE ? 0 : add_port(need, row->act.port);
}

/* Some port opens the name to the resolver: one at which nothing was denied. */
static uint16_t port_of_looked_up(const struct tally *tally, const struct need *need)
{
	struct policy_act act = {
		.kind = POLICY_ACT_CONNECT, .is_name = true, .port = PORT_OF_LOOKED_UP};

	strcpy(act.name, need->host);
	if (tally_get(tally, &act, false))
		for (act.port = 80; act.port < UINT16_MAX && tally_get(tally, &act, false);
			act.port++)
			;
	return act.port;
}

static int gather(const struct tally *tally, struct needs *needs)
{
	_cleanup_free_ const struct tally_row **rows = calloc(tally->n + 1, sizeof(*rows));
	size_t n = 0;
	int r = 0;

	needs->items = calloc(tally->n + 1, sizeof(*needs->items));
	if (!rows || !needs->items)
		return -ENOMEM;
	for (size_t i = 0; i < tally->n; i++)
		if (is_destination(&tally->rows[i]))
			rows[n++] = &tally->rows[i];
	qsort(rows, n, sizeof(*rows), compare_rows);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_row(needs, rows[i]);
	for (size_t i = 0; r == 0 && i < needs->n; i++)
		if (needs->items[i].n_ports == 0)
			r = add_port(&needs->items[i], port_of_looked_up(tally, &needs->items[i]));
	return r;
}

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
	const char *dot = need->host && !need->wildcard ? strchr(need->host, '.') : NULL;

	return dot ? dot + 1 : NULL;
}

static bool is_sibling(const struct need *need, const struct need *other, const char *parent)
{
	const char *others = parent_of(other);

	return others && need->is_private == other->is_private && strcmp(parent, others) == 0;
}

static bool has_port(
	const struct needs *needs, const struct need *need, const char *parent, uint16_t port)
{
	for (size_t i = (size_t)(need - needs->items); i < needs->n; i++) {
		const struct need *each = &needs->items[i];

		if (each != need && !is_sibling(need, each, parent))
			continue;
		for (size_t j = 0; j < each->n_ports; j++)
			if (each->ports[j] == port)
				return true;
	}
	return false;
}

/* Whether the wildcard would open what was denied. */
static bool covers_denied(const struct needs *needs, const struct need *need, const char *parent)
{
	for (size_t i = 0; i < needs->tally->n; i++) {
		const struct tally_row *row = &needs->tally->rows[i];
		const struct policy_act *act = &row->act;

		if (!act->is_name || !lies_below(act->name, parent) ||
			!is_denied(needs->tally, row))
			continue;
		if ((act->kind == POLICY_ACT_RESOLVE && !act->query) ||
			(act->kind == POLICY_ACT_CONNECT &&
				has_port(needs, need, parent, act->port)))
			return true;
	}
	return false;
}

static int join(struct needs *needs, struct need *need, const char *parent)
{
	size_t kept = (size_t)(need - needs->items) + 1;

	for (size_t i = kept; i < needs->n; i++) {
		struct need *other = &needs->items[i];

		if (!is_sibling(need, other, parent)) {
			needs->items[kept++] = *other;
			continue;
		}
		for (size_t j = 0; j < other->n_ports; j++)
			if (add_port(need, other->ports[j]) < 0)
				return -ENOMEM;
		support_add(&need->support, &other->support);
		free(other->ports);
	}
	needs->n = kept;
	need->host = parent;
	need->wildcard = true;
	return 0;
}

static int generalise(struct needs *needs, uint32_t wildcard_after)
{
	int r = 0;

	for (size_t i = 0; wildcard_after && r == 0 && i < needs->n; i++) {
		struct need *need = &needs->items[i];
		const char *parent = parent_of(need);
		uint32_t n = 1;

		for (size_t j = i + 1; parent && j < needs->n; j++)
			n += is_sibling(need, &needs->items[j], parent);
		if (parent && n >= wildcard_after && is_wildcard_taken(parent) &&
			!covers_denied(needs, need, parent))
			r = join(needs, need, parent);
	}
	return r;
}

/* ---- writing */

static json_t *describe(const struct support *support)
{
	char text[SUPPORT_TEXT_SIZE];

	return json_sprintf("learnt: %s", support_format(support, text));
}

static json_t *write_rule(const struct tally *tally, const struct need *need)
{
	const struct question question = {tally, need};
	json_t *rule = json_object();
	char address[ADDRESS_TEXT_SIZE];

	if (need->host) {
		json_object_set_new(
			rule, "name", json_sprintf("%s%s", need->wildcard ? "*." : "", need->host));
		if (need->is_private)
			json_object_set_new(rule, "private", json_true());
	} else {
		address_to_text(need->row->act.address.bytes, address);
		json_object_set_new(rule, "cidr", json_string(address));
		if (need->row->act.kind == POLICY_ACT_SEND)
			json_object_set_new(rule, "protocol", json_string("udp"));
	}
	json_object_set_new(rule, "ports",
		learnt_ports(need->ports, need->n_ports,
			need->host ? NAME_PORTS_MAX : ADDRESS_PORTS_MAX, is_denied_there,
			&question));
	json_object_set_new(rule, "description", describe(&need->support));
	return rule;
}

static bool is_records(const struct tally_row *row)
{
	return row->allowed && row->n > 0 && row->act.kind == POLICY_ACT_RESOLVE && row->act.query;
}

/* One rule for all types of records of the name of row `first`, which is the first of it. */
static json_t *write_records(const struct tally *tally, size_t first)
{
	json_t *types = json_array();
	struct support support = {0};

	for (size_t i = first; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];
		struct support more = support_of(row);

		if (!is_records(row) || strcmp(row->act.name, tally->rows[first].act.name) != 0)
			continue;
		json_array_append_new(types, json_string(policy_query_name(row->act.query)));
		support_add(&support, &more);
	}
	return json_pack("{s:s, s:o, s:o}", "name", tally->rows[first].act.name, "records", types,
		"description", describe(&support));
}

static bool is_first_of_name(const struct tally *tally, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (is_records(&tally->rows[j]) &&
			strcmp(tally->rows[j].act.name, tally->rows[i].act.name) == 0)
			return false;
	return true;
}

static json_t *write_inbound(const struct tally *tally)
{
	_cleanup_free_ uint16_t *ports = calloc(tally->n + 1, sizeof(*ports));
	size_t n = 0;

	for (size_t i = 0; ports && i < tally->n; i++)
		if (tally->rows[i].allowed && tally->rows[i].n > 0 &&
			tally->rows[i].act.kind == POLICY_ACT_INBOUND)
			ports[n++] = tally->rows[i].act.port;
	return ports ? learnt_ports(ports, n, INBOUND_PORTS_MAX, is_inbound_denied, tally) : NULL;
}

static json_t *write_network(const struct tally *tally, const struct needs *needs)
{
	json_t *allow = json_array(), *inbound = write_inbound(tally), *network;

	for (size_t i = 0; i < needs->n; i++)
		json_array_append_new(allow, write_rule(tally, &needs->items[i]));
	for (size_t i = 0; i < tally->n; i++)
		if (is_records(&tally->rows[i]) && is_first_of_name(tally, i))
			json_array_append_new(allow, write_records(tally, i));
	network = json_pack("{s:o}", "allow", allow);
	if (json_array_size(inbound) > 0)
		json_object_set_new(network, "inbound", json_pack("{s:o}", "ports", inbound));
	else
		json_decref(inbound);
	return network;
}

json_t *learnt_network(const struct tally *tally, uint32_t wildcard_after)
{
	struct needs needs = {.tally = tally};
	json_t *network = NULL;

	if (gather(tally, &needs) == 0 && generalise(&needs, wildcard_after) == 0)
		network = write_network(tally, &needs);
	for (size_t i = 0; i < needs.n; i++)
		free(needs.items[i].ports);
	free(needs.items);
	return network;
}
