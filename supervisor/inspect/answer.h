/* The status line of a server's answer: did it agree to an upgrade? */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum inspect_answer_is {
	INSPECT_ANSWER_MORE,     /* not known yet */
	INSPECT_ANSWER_SWITCHES, /* 101 */
	INSPECT_ANSWER_OTHER,    /* the final answer is another, or is no HTTP/1.1 */
};

struct inspect_answer {
	uint8_t n_line; /* bytes of the status line seen, up to the byte behind its status */
	uint8_t status[3];
	uint8_t tail; /* of "\r\n\r\n", which ends an interim answer (100, 103) */
};

void inspect_answer_init(struct inspect_answer *answer);

/* Once it is known it is not to be called again. */
enum inspect_answer_is inspect_answer_feed(
	struct inspect_answer *answer, const uint8_t *bytes, size_t n_bytes);
