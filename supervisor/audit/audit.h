/* The audit log, first form: append-only JSON lines, one record per line, dense sequence numbers.
 *
 * Record: {"v":1,"seq":…,"time":"…Z","type":"network.connect","sandbox":"sb-…","tenant_id":…,
 * "tenant":"…","policy":{"name","hash","generation"},"process":{…},…body}; what does not apply is
 * left out. A record is in the file (write(2), not fsync(2)) when audit_record() returns, so that
 * kill -9 loses none that a client was told of; kernel events are written when the loop's round
 * ends. Types: sandbox.create, sandbox.end, sandbox.fail, exec.start, exec.end, process.exec,
 * process.exit, network.connect, network.send, network.socket, network.bind, network.flow,
 * network.inbound, api.call, policy.reload, tenant.*, key.*, daemon.start, daemon.stop, audit.lost,
 * audit.recovered.
 * What a client sent is escaped, never trusted to be UTF-8. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi/event.h"
#include "supervisor/base/failure.h"
#include "supervisor/base/loop.h"

#define AUDIT_READ_MIN 32768 /* a buffer for audit_read() of at least this holds any record */

struct audit;

/* Who a record is about; fields that do not apply are NULL or 0. */
struct audit_subject {
	uint64_t sandbox;
	uint32_t tenant;
	const char *tenant_name;
	const char *policy_name, *policy_hash;
	uint32_t policy_generation;
};

/* Opens or continues the log in `directory` (made if its parent exists; one file, audit.jsonl): the
 * sequence goes on after the last whole line; half a line left by a crash is cut off and recorded.
 * -EBUSY when another process has it open, -EBADMSG when its last whole line is none of ours. */
int audit_open(
	struct loop *loop, const char *directory, struct audit **ret_audit, struct failure *why);
/* Writes what waits and syncs the file. Takes NULL, returns NULL. */
struct audit *audit_free(struct audit *audit);

/* Appends one record; takes over `body` (an object whose members follow the common ones; may be
 * NULL). Never blocks on a reader. A record that cannot be written is counted, and an audit.lost
 * record says so as soon as writing works again. */
void audit_record(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body);
/* The same from a kernel event. `subject` is whom the event's slot belongs to now; generation of
 * the policy is the event's own, and the hash is left out when `subject` has another generation. */
void audit_event(struct audit *audit, const struct abi_event_header *event,
	const struct audit_subject *subject);
/* For bodies: a JSON string from bytes that somebody else chose; what is no UTF-8 becomes U+FFFD.
 * NULL when memory is out (json_object_set_new() takes that). */
json_t *audit_text(const char *bytes, size_t size_bytes);

/* Notes that `n` events were lost before they reached this process; `where` lives for ever. */
void audit_lost(struct audit *audit, uint64_t n, const char *where);

uint64_t audit_last_sequence(const struct audit *audit);
uint64_t audit_n_lost(const struct audit *audit);
/* False when records cannot be written now (full disk): new sandboxes are refused meanwhile. */
bool audit_is_writable(const struct audit *audit);

struct audit_query {
	uint64_t after;   /* records with a larger sequence */
	uint64_t sandbox; /* 0: any */
	uint32_t tenant;  /* 0: any (administrators) */
	uint32_t limit;   /* records; 0: as many as fit */
	const char *type; /* "" or NULL: any; a whole type or a prefix that ends before a dot */
};

/* Fills `buffer` with whole lines that match, oldest first. `*ret_next` is the sequence to pass as
 * `after` next time; `*ret_more` says to ask again at once: one call looks at a bounded stretch of
 * the file, so it may find nothing and still say so. -EMSGSIZE when `buffer` is too small for the
 * first. */
int audit_read(struct audit *audit, const struct audit_query *query, char *buffer,
	size_t size_bytes, size_t *ret_used, uint32_t *ret_n, uint64_t *ret_next, bool *ret_more);

/* Called after records were appended, once per round of the loop: for those who follow. */
void audit_set_listener(struct audit *audit, void (*listener)(void *userdata), void *userdata);
