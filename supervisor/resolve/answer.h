/* Writing the answer to a query: one address, nothing, or a refusal that says why (RFC 8914). */
#pragma once

#include "bpf/abi/types.h"
#include "supervisor/resolve/question.h"
#include "supervisor/resolve/reply.h"

#define ANSWER_SIZE_MAX 4096 /* room that always suffices, over TCP too */
#define ANSWER_TEXT_MAX 512  /* a longer reason is cut */

/* Extended DNS errors (RFC 8914), IANA's numbers. */
enum answer_reason {
	ANSWER_OTHER = 0,
	ANSWER_NOT_READY = 14,
	ANSWER_BLOCKED = 15,
	ANSWER_PROHIBITED = 18,
	ANSWER_NOT_SUPPORTED = 21,
	ANSWER_NETWORK_ERROR = 23,
	ANSWER_NONE = 0xffff, /* send none */
};

/* All write a whole message (over TCP, the two bytes of length before it are the caller's) with the
 * question as it was asked, recursion available, and an OPT record if the query had one. What does
 * not fit into question->answer_size_max is left out and TC is set, so that the client comes back
 * over TCP. `ret_message` has room for ANSWER_SIZE_MAX bytes. Return 0 or -ENOMEM. */

/* NOERROR with one record of the type asked: A wants a mapped IPv4 address, AAAA any. -EINVAL if
 * `address` is not of the type asked. */
int answer_address(const struct question *question, const struct abi_address *address,
	uint32_t ttl_seconds, uint8_t *ret_message, size_t *ret_size);

/* NOERROR with these records, of the type asked. */
int answer_records(const struct question *question, const struct reply_records *records,
	uint32_t ttl_seconds, uint8_t *ret_message, size_t *ret_size);

/* NOERROR without records: the name has none of this type. */
int answer_empty(const struct question *question, uint8_t *ret_message, size_t *ret_size);

/* `rcode`: enum question_rcode. The reason and `text` (UTF-8, may be NULL) are sent if the query
 * had EDNS. Works for a question that question_parse() refused. */
int answer_refuse(const struct question *question, uint16_t rcode, enum answer_reason reason,
	const char *text, uint8_t *ret_message, size_t *ret_size);
