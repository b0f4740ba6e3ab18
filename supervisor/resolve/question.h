/* Reading one DNS query, as a program in a sandbox sends it (RFC 1035, 6891). Nothing is trusted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUESTION_NAME_SIZE 256     /* a name's text: 253 characters and NUL fit */
#define QUESTION_WIRE_SIZE 255     /* a name on the wire (RFC 1035, 2.3.4) */
#define QUESTION_MESSAGE_MAX 4096  /* longer queries are malformed, over TCP too */
#define QUESTION_UDP_SIZE_MIN 512  /* what every client can take */
#define QUESTION_UDP_SIZE_MAX 1232 /* what we send at most: fits every path unfragmented */

/* Types that callers tell apart; IANA's numbers. */
enum question_type {
	QUESTION_A = 1,
	QUESTION_MX = 15,
	QUESTION_TXT = 16,
	QUESTION_AAAA = 28,
	QUESTION_SRV = 33,
	QUESTION_NULL = 10,
	QUESTION_SVCB = 64,
	QUESTION_HTTPS = 65,
	QUESTION_IXFR = 251,
	QUESTION_AXFR = 252,
	QUESTION_ANY = 255,
};

/* IANA's numbers, RFC 1035 and 6891. */
enum question_rcode {
	QUESTION_NOERROR = 0,
	QUESTION_FORMERR = 1,
	QUESTION_SERVFAIL = 2,
	QUESTION_NXDOMAIN = 3,
	QUESTION_NOTIMP = 4,
	QUESTION_REFUSED = 5,
	QUESTION_BADVERS = 16,
};

struct question {
	uint16_t id;
	uint16_t type; /* any number, see enum question_type */
	uint16_t class;
	/* What an answer may have in all: over UDP between the two sizes above, over TCP 65535. */
	uint16_t answer_size_max;
	uint8_t opcode; /* 0 but for NOTIMP; echoed */
	bool over_tcp;
	bool edns; /* the answer may carry an OPT record too, so a reason in words */
	bool recursion_desired, checking_disabled; /* both are echoed */
	bool has_name; /* the four members below, type and class are read */
	/* Every label is of letters, digits, '-' and '_', so that `name` says it all. Otherwise
	 * `name` is for the record only, with the other characters as \DDD, and no rule has it. */
	bool is_plain;
	uint8_t wire_size;
	uint8_t wire[QUESTION_WIRE_SIZE]; /* the name as asked, case included: echoed */
	char name[QUESTION_NAME_SIZE];    /* lower case, no dot at its end; "" is the root; cut */
};

/* Reads the message of `size` bytes (over TCP: behind the two bytes of length).
 * Returns 0: a standard query with one question of class IN; a positive enum question_rcode: answer
 * it with answer_refuse() and this code, `*ret_question` holds what could be read; or -EBADMSG:
 * too short, or itself an answer: send nothing. */
int question_parse(
	const uint8_t *message, size_t size, bool over_tcp, struct question *ret_question);
