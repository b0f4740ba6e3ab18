/* A relay scene (relay-scene.h) with names: sandboxes with DNS sockets, cloched played by the test,
 * and a resolver of the host's on loopback that answers from a table. */
#pragma once

#include "tests/harness/relay-scene.h"

#define NAMES_SCENE_HOSTS_MAX 16
#define NAMES_SCENE_RECORDS_MAX 64
#define NAMES_SCENE_LINES_MAX 2048

struct names_host {
	const char *name;
	const char *addresses[8]; /* as text, both families */
};

/* Of a host that is there. */
struct names_record {
	const char *name;
	uint16_t type;
	const void *data;
	size_t size;
};

struct names_scene {
	struct scene relay; /* first: the gate's reports carry its address */
	struct names_host hosts[NAMES_SCENE_HOSTS_MAX];
	size_t n_hosts;
	struct names_record records[NAMES_SCENE_RECORDS_MAX];
	size_t n_records;
	int resolver_fd;
	struct loop_source *resolver_source;
	size_t n_resolver_queries;
	uint16_t dns_ports[SCENE_SANDBOXES_MAX + 1];
	struct wire_gate_name asked[NAMES_SCENE_LINES_MAX];
	size_t n_asked;
	int ask_result, report_result;
	struct wire_gate_dns lines[NAMES_SCENE_LINES_MAX];
	size_t n_lines;
};

/* Change `relay.config` between the two calls. */
void names_scene_prepare(struct names_scene *it, int family);
void names_scene_start(struct names_scene *it);
void names_scene_end(struct names_scene *it);
void names_scene_add_host(struct names_scene *it, const struct names_host *host);

void names_scene_add_record(struct names_scene *it, const struct names_record *record);

/* Like scene_open(), with sockets for DNS. */
void names_scene_open(struct names_scene *it, uint64_t sandbox);

/* A ticket for the origin's port; `error` 0 or why there is none. */
void names_scene_ticket(struct names_scene *it, uint64_t sandbox, uint32_t index, const char *name,
	uint16_t flags, int error);
/* One that is for records alone, or (`error` 0) for those beside the port. */
void names_scene_ticket_for_records(
	struct names_scene *it, uint64_t sandbox, const char *name, uint32_t records, int error);
/* A client that connects to the synthetic address of `index`, at the origin's port. */
int names_scene_dial(struct names_scene *it, uint64_t sandbox, uint32_t index);

/* ---- DNS, seen from a sandbox */

/* Writes a query with EDNS; returns its size. */
size_t names_query(uint8_t *ret_query, uint16_t id, const char *name, uint16_t type);
/* A UDP socket connected to the sandbox's resolver, or a TCP socket if `over_tcp`. */
int names_scene_resolver(struct names_scene *it, uint64_t sandbox, bool over_tcp);
/* Waits for the next answer; returns its size. */
size_t names_scene_receive(
	struct names_scene *it, int fd, bool over_tcp, uint8_t *ret_answer, size_t size);
/* Whether the answer carries these bytes: a text, an address. */
bool names_answer_has(const uint8_t *answer, size_t size, const void *bytes, size_t n_bytes);
