#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/cleanup.h"
#include "tools/policy/learn/needs.h"

#define NAME_PORTS_MAX 8     /* of a rule for a name */
#define ADDRESS_PORTS_MAX 16 /* of one for addresses */
#define INBOUND_PORTS_MAX 16 /* of a policy */
#define PORT_OF_LOOKED_UP 443
#define RECORD_TYPES 3 /* that rules name */
#define PORTS 65536

/* ---- what was needed */

static bool is_for(const struct need *need, const struct tally_row *row)
{
	if (row->act.is_name)
		return need->host && !need->wildcard && strcmp(need->host, row->act.name) == 0;
	return !need->host && need->row->act.kind == row->act.kind &&
	       memcmp(&need->row->act.address, &row->act.address, sizeof(row->act.address)) == 0;
}

static int compare_destinations(const struct policy_act *left, const struct policy_act *right)
{
	int order = (int)left->is_name - (int)right->is_name;

	if (order == 0 && !left->is_name)
		order = (int)left->kind - (int)right->kind;
	if (order == 0)
		order = left->is_name
				? strcmp(left->name, right->name)
				: memcmp(&left->address, &right->address, sizeof(left->address));
	return order;
}

/* Rows towards one host come together when they are sorted. */
static int compare_rows(const void *a, const void *b)
{
	const struct policy_act *left = &(*(const struct tally_row *const *)a)->act,
				*right = &(*(const struct tally_row *const *)b)->act;
	int order = compare_destinations(left, right);

	return order ? order : (int)left->port - (int)right->port;
}

static bool is_destination(const struct tally_row *row)
{
	return row->allowed && row->n > 0 &&
	       (row->act.kind == POLICY_ACT_CONNECT || row->act.kind == POLICY_ACT_SEND ||
		       (row->act.kind == POLICY_ACT_RESOLVE && !row->act.query));
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
	return row->act.kind == POLICY_ACT_RESOLVE ? 0 : need_add_port(need, row->act.port);
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
			r = need_add_port(
				&needs->items[i], port_of_looked_up(tally, &needs->items[i]));
	return r;
}

/* ---- what was denied: of a log with a million of such acts, too, each is looked at once or twice
 */

struct denied {
	const struct tally_row **rows; /* owned; by destination */
	size_t n;
};

static int find_denied(const struct tally *tally, struct denied *ret_denied)
{
	ret_denied->rows = calloc(tally->n + 1, sizeof(*ret_denied->rows));
	if (!ret_denied->rows)
		return -ENOMEM;
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if ((row->act.kind == POLICY_ACT_CONNECT ||
			    (row->act.kind == POLICY_ACT_SEND && !row->act.is_name)) &&
			need_is_denied(tally, row))
			ret_denied->rows[ret_denied->n++] = row;
	}
	qsort(ret_denied->rows, ret_denied->n, sizeof(*ret_denied->rows), compare_rows);
	return 0;
}

static size_t first_towards(const struct denied *denied, const struct policy_act *act)
{
	size_t low = 0, high = denied->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_destinations(&denied->rows[middle]->act, act) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The ports at which something was denied towards where a rule leads. */
static void find_denied_ports(
	const struct denied *denied, const struct need *need, uint8_t ret_ports[PORTS])
{
	memset(ret_ports, 0, PORTS * sizeof(*ret_ports));
	for (size_t i = need->wildcard ? 0 : first_towards(denied, &need->row->act); i < denied->n;
		i++) {
		const struct tally_row *row = denied->rows[i];

		if (!need->wildcard && !is_for(need, row))
			break;
		if (!need->wildcard ||
			(row->act.is_name && need_lies_below(row->act.name, need->host)))
			ret_ports[row->act.port] = 1;
	}
}

/* learnt_denied */
static bool is_denied_there(const void *userdata, uint16_t first, uint16_t last)
{
	return memchr((const uint8_t *)userdata + first, 1, (size_t)(last - first) + 1);
}

/* ---- writing */

static json_t *describe(const struct support *support)
{
	char text[SUPPORT_TEXT_SIZE];

	return json_sprintf("learnt: %s", support_format(support, text));
}

static json_t *write_rule(const struct denied *denied, const struct need *need)
{
	size_t n_max = need->host ? NAME_PORTS_MAX : ADDRESS_PORTS_MAX;
	json_t *rule = json_object();
	char address[ADDRESS_TEXT_SIZE];
	uint8_t ports[PORTS];

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
	if (need->n_ports > n_max)
		find_denied_ports(denied, need, ports);
	json_object_set_new(rule, "ports",
		learnt_ports(need->ports, need->n_ports, n_max, is_denied_there, ports));
	json_object_set_new(rule, "description", describe(&need->support));
	return rule;
}

static bool is_records(const struct tally_row *row)
{
	return row->allowed && row->n > 0 && row->act.kind == POLICY_ACT_RESOLVE && row->act.query;
}

/* The rows of all types of records of the name, in the order in which they were met. Returns how
 * many. */
static size_t rows_of_records(const struct tally *tally, const struct tally_row *of,
	const struct tally_row *ret_rows[RECORD_TYPES])
{
	static const enum policy_query types[RECORD_TYPES] = {
		POLICY_QUERY_MX, POLICY_QUERY_SRV, POLICY_QUERY_TXT};
	size_t n = 0, at;

	for (size_t i = 0; i < RECORD_TYPES; i++) {
		struct policy_act act = of->act;
		const struct tally_row *row;

		act.query = types[i];
		row = tally_get(tally, &act, true);
		if (!row)
			continue;
		for (at = n++; at > 0 && ret_rows[at - 1] > row; at--)
			ret_rows[at] = ret_rows[at - 1];
		ret_rows[at] = row;
	}
	return n;
}

/* One rule for all of them, where the first stands; NULL at the others. */
static json_t *write_records(const struct tally *tally, const struct tally_row *row)
{
	const struct tally_row *rows[RECORD_TYPES];
	size_t n = rows_of_records(tally, row, rows);
	struct support support = {0};
	json_t *types;

	if (rows[0] != row)
		return NULL;
	types = json_array();
	for (size_t i = 0; i < n; i++) {
		struct support more = support_of(rows[i]);

		json_array_append_new(types, json_string(policy_query_name(rows[i]->act.query)));
		support_add(&support, &more);
	}
	return json_pack("{s:s, s:o, s:o}", "name", row->act.name, "records", types, "description",
		describe(&support));
}

static json_t *write_inbound(const struct tally *tally)
{
	_cleanup_free_ uint16_t *ports = calloc(tally->n + 1, sizeof(*ports));
	uint8_t denied[PORTS] = {0};
	size_t n = 0;

	for (size_t i = 0; ports && i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if (row->act.kind != POLICY_ACT_INBOUND || row->n == 0)
			continue;
		if (row->allowed)
			ports[n++] = row->act.port;
		denied[row->act.port] |= need_is_denied(tally, row);
	}
	return ports ? learnt_ports(ports, n, INBOUND_PORTS_MAX, is_denied_there, denied) : NULL;
}

static json_t *write_network(
	const struct tally *tally, const struct needs *needs, const struct denied *denied)
{
	json_t *allow = json_array(), *inbound = write_inbound(tally), *network;

	for (size_t i = 0; i < needs->n; i++)
		json_array_append_new(allow, write_rule(denied, &needs->items[i]));
	for (size_t i = 0; i < tally->n; i++)
		if (is_records(&tally->rows[i]))
			json_array_append_new(allow, write_records(tally, &tally->rows[i]));
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
	struct denied denied = {0};
	json_t *network = NULL;

	if (gather(tally, &needs) == 0 && needs_generalise(&needs, wildcard_after) == 0 &&
		find_denied(tally, &denied) == 0)
		network = write_network(tally, &needs, &denied);
	free(denied.rows);
	for (size_t i = 0; i < needs.n; i++)
		free(needs.items[i].ports);
	free(needs.items);
	return network;
}
