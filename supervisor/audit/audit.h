/* The audit log: append-only JSON lines, one record per line, dense sequence numbers, in segments.
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

#include "bpf/abi/emission.h"
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
	const char *policy_name, *policy_hash; /* of what decides */
	const char *policy_learns; /* the policy in mode "learn" that was asked for, if one was */
	uint32_t policy_generation;
	const char *host; /* of a kernel event: the name that its address stands for */
	const char *shadow_name, *shadow_hash; /* likewise: the candidate that said otherwise */
	const struct audit_opinion *opinion;   /* likewise: what it said, if it is in no event */
};

/* Of a candidate, of a call, a file or a program. */
struct audit_opinion {
	uint32_t generation;
	bool allows;
	const char *part; /* which part of it decides */
};

struct audit_config {
	const char *state_dir; /* the log is in audit/ below it, which is made if it is not there */
	const char *instance;  /* in a new log's name; NULL: "default" */
	uint64_t segment_bytes;           /* a segment that has so many is left; 0: 64 MiB */
	uint64_t segment_age_ns;          /* or whose first record is so old; 0: a day */
	uint64_t keep_bytes, keep_age_ns; /* older segments go; 0: for ever */
	uint64_t key_age_ns;              /* then a new epoch begins; 0: 30 days */
	uint64_t heartbeat_ns;            /* between checkpoints when nothing happens; 0: 30 s */
};

/* Opens or continues the log, and signs a checkpoint of it. Returns 0, or 1 with `why` when a
 * broken log was moved aside. What a crash left: half a line is cut off, whole ones are kept, and a
 * record says so. A log that is shorter than its newest checkpoint, or does not agree with it, is
 * not continued: it is moved to audit.broken-TIME, and the first record of the new one says so.
 * -EBUSY when another process has it open; other -errno. `config` is borrowed for the call. */
int audit_open(struct loop *loop, const struct audit_config *config, struct audit **ret_audit,
	struct failure *why);
/* Writes what waits and signs a last checkpoint, all on the disk when it returns. Takes NULL,
 * returns NULL. */
struct audit *audit_free(struct audit *audit);

/* Appends one record; takes over `body` (an object whose members follow the common ones; may be
 * NULL). Never blocks on a reader. A record that cannot be written is counted, and an audit.lost
 * record says so as soon as writing works again. */
void audit_record(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body);
/* The same from a kernel event. `subject` is whom the event's slot belongs to now; generation of
 * the policy is the event's own, and all else of it is left out when `subject` has another
 * generation: it would be another policy's. */
void audit_event(struct audit *audit, const struct abi_event_header *event,
	const struct audit_subject *subject);
/* The native table's names by number, "" without; borrowed until the log is freed. */
void audit_name_syscalls(struct audit *audit, const char (*names)[32], size_t n);
/* What the record of a system call says in words; NULL: nothing. */
struct audit_call_words {
	const char *name, *refused_by;
	bool opened; /* it is "file.open" */
};
/* False: there will be none, for the event is not whole, or says what no program of ours says. */
bool audit_call_words(const struct audit *audit, const struct abi_event_header *event,
	struct audit_call_words *ret_words);
/* For bodies: a JSON string from bytes that somebody else chose; what is no UTF-8 becomes U+FFFD.
 * NULL when memory is out (json_object_set_new() takes that). */
json_t *audit_text(const char *bytes, size_t size_bytes);

/* enum abi_reason as records have it; NULL when there is none of that number. */
const char *audit_reason_name(uint8_t reason);

/* Notes that `n` events were lost before they reached this process; `where` lives for ever. */
void audit_lost(struct audit *audit, uint64_t n, const char *where);
/* The same of `n` events of one sandbox (or of none that can be named) that the kernel counted. */
void audit_lost_events(struct audit *audit, const struct audit_subject *subject,
	enum abi_class class, enum abi_loss loss, uint64_t n);

/* The stream of a sandbox: its records have dense numbers of their own from audit_sandbox_begin()
 * to audit_sandbox_end(), as far as their tenant is the one that it began with. The first is
 * sandbox.create; its body is taken over. Returns 0, or -errno when it is not in the file: then
 * nothing may run in that sandbox. */
int audit_sandbox_begin(struct audit *audit, const struct audit_subject *subject, json_t *body);
/* Records sandbox.end; `body` (with a "reason") is taken over. When it cannot be written it is as
 * soon as that works again. */
void audit_sandbox_end(struct audit *audit, const struct audit_subject *subject, json_t *body);
/* After a restart: for each sandbox that lives, then for all others of which the log has no end. */
int audit_sandbox_adopt(struct audit *audit, const struct audit_subject *subject);
void audit_sandbox_sweep(struct audit *audit);

/* What checkpoints say of the enforcement in force; texts are empty when there is nothing to say.
 */
struct audit_enforcement {
	uint64_t events_seen, events_emitted, events_dropped; /* in all */
	char programs[65], policies[65];                      /* SHA-256 in hex */
};
/* Asked at each checkpoint. */
void audit_set_enforcement(struct audit *audit,
	void (*callback)(struct audit_enforcement *ret_state, void *userdata), void *userdata);
/* A policy was put in force: a checkpoint is signed when the loop's round ends. */
void audit_policy_changed(struct audit *audit);
/* A new signing key, certified by the old one, whose secret is erased. Returns 0 or -errno with
 * `why`. */
int audit_rotate_key(struct audit *audit, struct failure *why);
uint32_t audit_key_epoch(const struct audit *audit);
/* "name+hash+key": what cloche-verify is given. */
#define AUDIT_VKEY_SIZE 128
void audit_key_text(const struct audit *audit, char ret_vkey[AUDIT_VKEY_SIZE]);
/* Records that a checkpoint on the disk covers. */
uint64_t audit_sealed_size(const struct audit *audit);

uint64_t audit_last_sequence(const struct audit *audit);
/* Since the log began, as far as checkpoints remember it. */
uint64_t audit_n_lost(const struct audit *audit);
/* False when records or checkpoints cannot be written now (full disk): new sandboxes are refused
 * meanwhile, and what runs goes on. */
bool audit_is_writable(const struct audit *audit);

/* Of the newest checkpoint on the disk; 0: none was written since the start. The listener is called
 * when it grows. */
uint64_t audit_checkpoint_number(const struct audit *audit);
/* The newest checkpoint on the disk, NUL-terminated. Returns 0 or -errno. */
#define AUDIT_NOTE_SIZE 1280
int audit_checkpoint(struct audit *audit, char ret_note[AUDIT_NOTE_SIZE]);
/* The key of an epoch as a line, and its certificate by the key before it ("" for the first).
 * Returns 0, -ENOENT past the newest, other -errno. */
int audit_key(struct audit *audit, uint32_t epoch, char ret_vkey[AUDIT_VKEY_SIZE],
	char ret_certificate[AUDIT_NOTE_SIZE]);

#define AUDIT_PROOF_HASHES_MAX 65

struct audit_proof {
	uint64_t size; /* of the tree that it is in */
	uint8_t leaf[32], hashes[AUDIT_PROOF_HASHES_MAX][32];
	uint32_t n_hashes;
	char note[AUDIT_NOTE_SIZE]; /* the checkpoint of that size */
	char record[AUDIT_READ_MIN];
	size_t record_bytes; /* without a line feed */
};

/* That a record is in the tree of the checkpoint of `size` (0: the newest on the disk). -ENOENT: no
 * such record is there, or `tenant` (0: any) may not see it; -ERANGE: the tree does not have it
 * yet; -ESRCH: no checkpoint has this size; -EBADMSG: the log's files are damaged; other -errno. */
int audit_prove(struct audit *audit, uint64_t sequence, uint64_t size, uint32_t tenant,
	struct audit_proof *ret_proof);
/* That the tree of `to` records begins with that of `from` > 0; fills `size`, `hashes`, `n_hashes`.
 * -ERANGE unless from <= to <= what the newest checkpoint on the disk covers. */
int audit_prove_growth(
	struct audit *audit, uint64_t from, uint64_t to, struct audit_proof *ret_proof);

struct audit_query {
	uint64_t after;   /* records with a larger sequence */
	uint64_t until;   /* none with a larger one; 0: to the end */
	uint64_t sandbox; /* 0: any */
	uint32_t tenant;  /* 0: any (administrators) */
	uint32_t limit;   /* records; 0: as many as fit */
	/* "" or NULL: any; whole types or prefixes that end before a dot, separated by commas */
	const char *type;
	const char *verdict; /* "" or NULL: any; else only records that have this one: "deny" */
	/* Realtime: since <= time < until; 0: no bound. Records are in order of sequence, and of
	 * time as far as AUDIT_DISORDER_NS: what is further out of order, because the machine's
	 * clock was set back, may be missed. */
	uint64_t since_ns, until_ns;
};

#define AUDIT_DISORDER_NS (600 * 1000000000ULL)

/* Fills `buffer` with whole lines that match, oldest first. `*ret_next` is the sequence to pass as
 * `after` next time; `*ret_more` says to ask again at once: one call looks at a bounded stretch of
 * the log, so it may find nothing and still say so. It says no more when all that the query's upper
 * bounds allow was looked at. -EMSGSIZE when `buffer` is too small for the first. */
int audit_read(struct audit *audit, const struct audit_query *query, char *buffer,
	size_t size_bytes, size_t *ret_used, uint32_t *ret_n, uint64_t *ret_next, bool *ret_more);
/* The oldest sequence that is still there; what is older was removed. */
uint64_t audit_first_sequence(const struct audit *audit);

/* Called after records were appended, once per round of the loop: for those who follow. */
void audit_set_listener(struct audit *audit, void (*listener)(void *userdata), void *userdata);
