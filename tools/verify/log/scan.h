/* Reads JSON (RFC 8259) in place, without memory of its own: the members of one object, one by one.
 * What is not asked about is checked and passed over. Text stays as it is written, escapes and all.
 *
 * Nesting is bounded and nothing recurses: a hostile line costs its length. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_DEPTH_MAX 64

struct span {
	const char *start;
	size_t size;
};

enum scan_type { SCAN_STRING, SCAN_NUMBER, SCAN_OBJECT, SCAN_ARRAY, SCAN_WORD };

struct scan {
	const char *at, *end;
	bool spaces;       /* white space between tokens is allowed */
	const char *error; /* NULL: none so far; nothing is read after the first */
};

void scan_begin(struct scan *scan, const char *text, size_t size, bool spaces);
/* Reads the opening bracket; false if it is not there. */
bool scan_open(struct scan *scan, char bracket);
/* The next member of the open object: its key, raw, without quotes. False at its end, or on error.
 * `*first` begins as true. */
bool scan_member(struct scan *scan, bool *first, struct span *ret_key);
/* The next element of the open array is there to be read. False at its end, or on error. */
bool scan_element(struct scan *scan, bool *first);
/* A whole value. A string without its quotes; others as they are written. */
bool scan_value(struct scan *scan, enum scan_type *ret_type, struct span *ret_value);
/* Nothing but white space is left. */
bool scan_ends(struct scan *scan);

bool span_is(struct span span, const char *text);
/* A whole number without sign, fraction, exponent, or leading zero. */
bool span_number(struct span span, uint64_t *ret_value);
/* Undoes the escapes of a string. Returns its size, or (size_t)-1: too long, or half a surrogate.
 */
size_t span_unescape(struct span span, char *ret_text, size_t room);
