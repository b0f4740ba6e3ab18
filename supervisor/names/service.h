/* What the files of this room share: the resolver, one sandbox of it, a question that waits. */
#pragma once

#include <netinet/in.h>
#include <sys/queue.h>

#include "supervisor/names/names.h"
#include "supervisor/resolve/answer.h"
#include "supervisor/resolve/question.h"

#define ASK_TIMEOUT_MS 3000
#define STREAM_IDLE_MS 10000
#define QUERIES_PER_SECOND 200
#define QUERIES_BURST 400
#define WAITING_MAX 64 /* questions of one sandbox that wait for a ticket */
#define STREAMS_PER_SERVICE_MAX 8
#define STREAMS_MAX 1024
#define RECORDS_PER_SECOND 10 /* of MX, SRV and TXT, which go to the host's resolvers */
#define RECORDS_BURST 20
#define RECORDS_TTL_MIN_SECONDS 5
#define RECORDS_TTL_MAX_SECONDS 300
#define LOOKUPS_PER_SERVICE_MAX 8
#define LOOKUPS_MAX 256
#define TICK_MS 100 /* while somebody waits, is idle, or is held back */

struct lookup;
struct stream;
TAILQ_HEAD(lookup_list, lookup);
TAILQ_HEAD(waiting_list, waiting);
TAILQ_HEAD(stream_list, stream);
TAILQ_HEAD(service_list, names_service);

/* Tokens: one is taken for each query. */
struct bucket {
	uint64_t filled_ns;
	double n_tokens;
};

struct names {
	struct loop *loop;
	struct names_config config;
	struct loop_source *tick;
	bool tick_armed;
	struct waiting_list waiting; /* oldest first: all have the same time limit */
	struct stream_list streams;  /* longest silent first, likewise */
	struct service_list held;    /* their sockets are not read until the next tick */
	size_t n_streams, n_lookups;
};

struct names_service {
	struct names *names;
	uint64_t sandbox;
	struct tickets *tickets;
	int udp_fd, tcp_fd;
	struct loop_source *udp_source, *tcp_source;
	struct waiting_list waiting;
	struct stream_list streams;
	struct lookup_list lookups;
	size_t n_waiting, n_streams, n_lookups;
	struct bucket queries;  /* that are looked at */
	struct bucket records;  /* that are asked for upstream */
	struct bucket refusals; /* that are only told to be too many; beyond, nothing is read */
	uint64_t flood_told_ns;
	TAILQ_ENTRY(names_service) in_held;
	bool is_held;
};

/* Who asked, and gets the answer. */
struct asker {
	struct stream *stream; /* NULL: over UDP, from `address` */
	struct sockaddr_in6 address;
	struct in6_addr asked; /* where the datagram went: the answer comes from there */
};

struct waiting {
	struct names_service *service;
	TAILQ_ENTRY(waiting) in_service, in_names;
	uint64_t since_ns;
	struct asker asker;
	struct question question;
};

/* One connection of DNS over TCP. */
struct stream {
	struct names_service *service;
	TAILQ_ENTRY(stream) in_service, in_names;
	int fd;
	struct loop_source *source;
	uint64_t active_ns; /* when the last whole message came */
	size_t n_waiting;   /* its questions that wait for a ticket */
	size_t n_in, n_out;
	bool at_end; /* the client has no more questions */
	bool failed; /* to be freed */
	uint8_t *out;
	uint8_t in[2 + QUESTION_MESSAGE_MAX];
};

/* service.c */
void names_want_tick(struct names *names);
/* Hands the answer to the asker: what cannot be sent now is lost over UDP, kept over TCP. */
void service_send(struct names_service *service, const struct asker *asker, const uint8_t *message,
	size_t size_bytes);
/* Reads nothing of this sandbox until the next tick. */
void service_hold(struct names_service *service);

/* Records beside the addresses, for the record. */
struct answer_size {
	uint16_t n, bytes;
};

/* query.c: takes a token, if there is one. */
bool bucket_take(struct bucket *bucket, uint32_t per_second, uint32_t burst);
/* Sends what is in `message`, recorded; `told` may be NULL. */
void query_answer(struct names_service *service, const struct asker *asker,
	const struct question *question, const struct answer_size *told, const uint8_t *message,
	size_t size_bytes);
/* Refuses, or answers with nothing. */
void query_refuse(struct names_service *service, const struct asker *asker,
	const struct question *question, uint16_t rcode, enum answer_reason reason,
	const char *text);
/* One message, from whoever sent it. Returns 0, or -EBADMSG: it is no query. */
int query_take(struct names_service *service, const struct asker *asker, const uint8_t *message,
	size_t size_bytes);
/* Answers all that wait for the ticket's name. */
void query_take_ticket(struct names_service *service, const struct wire_gate_ticket *ticket);
void query_expire(struct names *names, uint64_t now_ns);
/* Nobody answers those any more: of `stream`, or of all if NULL. */
void query_forget(struct names_service *service, const struct stream *stream);

/* records.c: the enum wire_gate_record for a type, 0: none. */
uint32_t record_of(uint16_t type);
/* Asks upstream, and answers. */
void records_ask(
	struct names_service *service, const struct asker *asker, const struct question *question);
/* No rule has this type of this name. */
void records_refuse(struct names_service *service, const struct asker *asker,
	const struct question *question, const char *policy_name);
/* Nobody answers those any more: of `stream`, or of all if NULL. */
void records_forget(struct names_service *service, const struct stream *stream);

/* stream.c */
void stream_accept(struct names_service *service);
void stream_send(struct stream *stream, const uint8_t *message, size_t size_bytes);
void stream_expire(struct names *names, uint64_t now_ns);
void stream_free(struct stream *stream);
/* Reads again, after service_hold(). */
void stream_resume(struct stream *stream);
/* One of its questions was answered or forgotten, or (more) waits now. */
void stream_count_waiting(struct stream *stream, int change);
