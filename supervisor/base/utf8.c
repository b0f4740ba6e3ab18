#include "supervisor/base/utf8.h"

#include <string.h>

/* What may follow a first byte (Unicode 15, table 3-7). */
struct lead {
	size_t length; /* of the sequence; 0: no sequence begins so */
	unsigned char second_min, second_max;
};

static struct lead lead_of(unsigned char byte)
{
	if (byte >= 0xc2 && byte <= 0xdf)
		return (struct lead){2, 0x80, 0xbf};
	if (byte == 0xe0)
		return (struct lead){3, 0xa0, 0xbf};
	if (byte == 0xed)
		return (struct lead){3, 0x80, 0x9f};
	if (byte >= 0xe1 && byte <= 0xef)
		return (struct lead){3, 0x80, 0xbf};
	if (byte == 0xf0)
		return (struct lead){4, 0x90, 0xbf};
	if (byte >= 0xf1 && byte <= 0xf3)
		return (struct lead){4, 0x80, 0xbf};
	if (byte == 0xf4)
		return (struct lead){4, 0x80, 0x8f};
	return (struct lead){0};
}

/* Returns how many bytes of the sequence at `bytes` are right; `*ret_length` is what it needs. */
static size_t sequence_size(const unsigned char *bytes, size_t size, size_t *ret_length)
{
	struct lead lead = lead_of(bytes[0]);
	size_t right = 1;

	*ret_length = lead.length;
	if (lead.length == 0)
		return 0;
	if (size > 1 && bytes[1] >= lead.second_min && bytes[1] <= lead.second_max)
		right++;
	while (right >= 2 && right < lead.length && right < size && (bytes[right] & 0xc0) == 0x80)
		right++;
	return right;
}

static size_t ascii_size(const unsigned char *bytes, size_t size)
{
	size_t used = 0;
	uint64_t word;

	for (; size - used >= sizeof(word); used += sizeof(word)) {
		memcpy(&word, bytes + used, sizeof(word));
		if (word & 0x8080808080808080ULL)
			break;
	}
	while (used < size && bytes[used] < 0x80)
		used++;
	return used;
}

size_t utf8_valid_size(const char *bytes, size_t size, bool *ret_cut_short)
{
	const unsigned char *next = (const unsigned char *)bytes;
	size_t used = 0;

	*ret_cut_short = false;
	for (;;) {
		size_t length, right;

		used += ascii_size(next + used, size - used);
		if (used == size)
			return used;
		right = sequence_size(next + used, size - used, &length);
		if (length == 0 || right < length) {
			*ret_cut_short = length > 0 && used + right == size;
			return used;
		}
		used += length;
	}
}

size_t utf8_decode(const void *bytes, size_t size, uint32_t *ret_code_point)
{
	const unsigned char *next = bytes;
	uint32_t code_point;
	size_t length;

	if (size == 0)
		return 0;
	if (next[0] < 0x80) {
		*ret_code_point = next[0];
		return 1;
	}
	if (sequence_size(next, size, &length) < length || length == 0)
		return 0;
	code_point = next[0] & (0xffU >> (length + 1));
	for (size_t i = 1; i < length; i++)
		code_point = code_point << 6 | (next[i] & 0x3f);
	*ret_code_point = code_point;
	return length;
}

bool utf8_is_valid(const char *bytes, size_t size)
{
	bool cut_short;

	return utf8_valid_size(bytes, size, &cut_short) == size;
}
