/* What is said between us and a resolver: one question out, and what its answer means. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/types.h"

#define REPLY_ADDRESSES_MAX 8
#define REPLY_QUERY_SIZE_MAX 512
#define REPLY_UDP_SIZE 1232 /* what we offer to take: fits every path unfragmented */
#define REPLY_TTL_MIN_SECONDS                                                                      \
	1 /* a name that changes faster than that is asked for once a second */
#define REPLY_TTL_MAX_SECONDS 3600
#define REPLY_TTL_NEGATIVE_SECONDS 5

/* The addresses of one family that a name has. */
struct reply_answer {
	int error; /* 0: there are some; otherwise as in upstream.h */
	uint32_t ttl_seconds;
	uint32_t n_addresses;
	struct abi_address addresses[REPLY_ADDRESSES_MAX];
};

#define REPLY_RECORDS_MAX 32
#define REPLY_RECORDS_BYTES_MAX 3700 /* with a name and OPT below ANSWER_SIZE_MAX */
#define REPLY_RECORD_OVERHEAD 14     /* what a record has beside its data: its length twice */

/* The MX, SRV or TXT records of a name, rebuilt. */
struct reply_records {
	uint16_t n, size;
	uint8_t bytes[REPLY_RECORDS_BYTES_MAX]; /* of each: two bytes of length, data as on the wire
						 */
};

enum reply_meaning {
	REPLY_FOREIGN,   /* no answer to this question: keep waiting */
	REPLY_ANSWER,    /* there are addresses, or it is sure that there are none */
	REPLY_TRUNCATED, /* ask over TCP */
	REPLY_NO_EDNS,   /* does not know EDNS, perhaps: ask without */
	REPLY_FAILED,    /* this resolver cannot say: ask another */
};

struct reply_question {
	const char *name; /* of letters, digits, '-', '_' and dots, none at its end */
	uint16_t type;    /* QUESTION_A or QUESTION_AAAA, with `records` MX, SRV or TXT */
	uint16_t id;
	bool edns;
	struct reply_records *records; /* where those go; NULL for addresses */
};

/* True if `name` can be asked for: lower case, labels of 1 to 63 characters, 253 in all, and not of
 * the form of an IPv4 address, which some library on the way may take for one. */
bool reply_name_is_valid(const char *name);

/* `ret_message` has room for REPLY_QUERY_SIZE_MAX bytes. Returns 0, -EINVAL (the name) or -ENOMEM.
 */
int reply_write_query(
	const struct reply_question *question, uint8_t *ret_message, size_t *ret_size);

/* Reads what may be the answer. CNAMEs are followed inside the answer section, at most eight;
 * records of other names, types and sections mean nothing. Fills `*ret_answer` for REPLY_ANSWER
 * only; with `question->records` it has no addresses, and its error is 0 if there are records, or
 * -EMSGSIZE: they are too many. */
enum reply_meaning reply_read(const struct reply_question *question, const uint8_t *message,
	size_t size, struct reply_answer *ret_answer);
