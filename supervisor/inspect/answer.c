#include "supervisor/inspect/answer.h"

#include <string.h>

static const char VERSION[] = "HTTP/1.1 ";
#define N_VERSION (sizeof(VERSION) - 1)
#define N_STATUS 3
static const char END[] = "\r\n\r\n";
#define N_END (sizeof(END) - 1)

void inspect_answer_init(struct inspect_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
}

/* One byte of "HTTP/1.1 101 …". An interim answer goes on to its end, then another answer comes. */
static enum inspect_answer_is take_line(struct inspect_answer *answer, uint8_t byte)
{
	if (answer->n_line < N_VERSION)
		return byte == (uint8_t)VERSION[answer->n_line++] ? INSPECT_ANSWER_MORE
								  : INSPECT_ANSWER_OTHER;
	if (answer->n_line < N_VERSION + N_STATUS) {
		answer->status[answer->n_line++ - N_VERSION] = byte;
		return INSPECT_ANSWER_MORE;
	}
	answer->n_line++;
	if (answer->status[0] != '1' || (byte != ' ' && byte != '\r'))
		return INSPECT_ANSWER_OTHER;
	answer->tail = byte == '\r';
	return memcmp(answer->status, "101", N_STATUS) == 0 ? INSPECT_ANSWER_SWITCHES
							    : INSPECT_ANSWER_MORE;
}

static void take_rest(struct inspect_answer *answer, uint8_t byte)
{
	if (byte == (uint8_t)END[answer->tail])
		answer->tail++;
	else
		answer->tail = byte == '\r';
	if (answer->tail == N_END)
		inspect_answer_init(answer);
}

enum inspect_answer_is inspect_answer_feed(
	struct inspect_answer *answer, const uint8_t *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		if (answer->n_line > N_VERSION + N_STATUS) {
			take_rest(answer, bytes[i]);
			continue;
		}
		enum inspect_answer_is is = take_line(answer, bytes[i]);

		if (is != INSPECT_ANSWER_MORE)
			return is;
	}
	return INSPECT_ANSWER_MORE;
}
