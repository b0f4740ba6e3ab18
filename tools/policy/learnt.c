#include "tools/policy/learnt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/cleanup.h"
#include "tools/policy/file.h"

#define NAME_PORTS_MAX 8     /* of a rule for a name */
#define ADDRESS_PORTS_MAX 16 /* of one for addresses */
#define PORT_OF_LOOKED_UP 443

/* One rule on its way: all acts towards one host or address. */
struct need {
	const char *host; /* NULL: `row`'s address */
	const struct tally_row *row;
	bool is_private, wildcard;
	uint16_t *ports;
	size_t n_ports;
	uint64_t n;
	const char *first, *last;
};

struct needs {
	struct need *items;
	size_t n;
};

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

static void add_support(struct need *need, uint64_t n, const char *first, const char *last)
{
	need->n += n;
	if (!need->first || strcmp(first, need->first) < 0)
		need->first = first;
	if (!need->last || strcmp(last, need->last) > 0)
		need->last = last;
}

static int add_row(struct needs *needs, const struct tally_row *row)
{
	struct need *need = needs->n ? &needs->items[needs->n - 1] : NULL;

	if (!need || !is_for(need, row)) {
		need = &needs->items[needs->n++];
		*need = (struct need){.host = row->act.is_name ? row->act.name : NULL, .row = row};
	}
	need->is_private |= row->is_private;
	add_support(need, row->n, row->first, row->last);
	return row->act.kind == POLICY_ACT_RESOLVE ? 0 : add_port(need, row->act.port);
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
			r = add_port(&needs->items[i], PORT_OF_LOOKED_UP);
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
		add_support(need, other->n, other->first, other->last);
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
		if (parent && n >= wildcard_after && is_wildcard_taken(parent))
			r = join(needs, need, parent);
	}
	return r;
}

static int compare_ports(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static json_t *write_ports(const struct need *need)
{
	size_t n_max = need->host ? NAME_PORTS_MAX : ADDRESS_PORTS_MAX;
	json_t *ports = json_array();

	qsort(need->ports, need->n_ports, sizeof(*need->ports), compare_ports);
	if (need->n_ports > n_max)
		json_array_append_new(ports,
			json_sprintf("%u-%u", need->ports[0], need->ports[need->n_ports - 1]));
	for (size_t i = 0; need->n_ports <= n_max && i < need->n_ports; i++)
		json_array_append_new(ports, json_integer(need->ports[i]));
	return ports;
}

static json_t *write_rule(const struct need *need)
{
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
	json_object_set_new(rule, "ports", write_ports(need));
	json_object_set_new(rule, "description",
		json_sprintf("learnt: %" PRIu64 "x, first %s, last %s", need->n, need->first,
			need->last));
	return rule;
}

static json_t *write_inbound(const struct tally *tally)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < tally->n; i++)
		if (tally->rows[i].allowed && tally->rows[i].act.kind == POLICY_ACT_INBOUND)
			json_array_append_new(ports, json_integer(tally->rows[i].act.port));
	return ports;
}

static json_t *write_document(
	const struct tally *tally, const struct needs *needs, const char *name)
{
	json_t *allow = json_array(), *inbound = write_inbound(tally), *network;

	for (size_t i = 0; i < needs->n; i++)
		json_array_append_new(allow, write_rule(&needs->items[i]));
	network = json_pack("{s:o}", "allow", allow);
	if (json_array_size(inbound) > 0)
		json_object_set_new(network, "inbound", json_pack("{s:o}", "ports", inbound));
	else
		json_decref(inbound);
	return json_pack("{s:i, s:s, s:s, s:o}", "version", 1, "name", name, "description",
		"Learnt from recorded runs; review each rule before use.", "network", network);
}

json_t *learnt_policy(const struct tally *tally, const char *name, uint32_t wildcard_after)
{
	struct needs needs = {0};
	json_t *document = NULL;

	if (gather(tally, &needs) == 0 && generalise(&needs, wildcard_after) == 0)
		document = write_document(tally, &needs, name);
	for (size_t i = 0; i < needs.n; i++)
		free(needs.items[i].ports);
	free(needs.items);
	return document;
}
