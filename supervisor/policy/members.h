/* Inside the policy room: the members of a line of the log that say what was done. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum member_key {
	MEMBER_ADDRESS,
	MEMBER_DIALLED,
	MEMBER_NAME,
	MEMBER_PORT,
	MEMBER_PROTOCOL,
	MEMBER_QTYPE,
	MEMBER_REASON,
	MEMBER_SANDBOX,
	MEMBER_SEQ,
	MEMBER_TEMPLATE,
	MEMBER_TIME,
	MEMBER_TYPE,
	MEMBER_VERDICT,
	MEMBERS, /* how many */
};

/* What is absent, or neither text nor a whole number, is empty and 0. */
struct member {
	const char *text; /* not terminated; NULL: no text */
	size_t length;
	int64_t integer;
};

struct members {
	struct member list[MEMBERS];
	json_t *json; /* owned: whom texts belong to when not to the line; may be NULL */
};

/* Reads a line that is one JSON object; texts are borrowed from it. Returns 0, or -EBADMSG when it
 * is none; members_fini() follows after 0. */
int members_read(const char *line, size_t size_bytes, struct members *ret_members);
void members_fini(struct members *members);

/* The fast way, for lines as nearly all are: ASCII without escapes, whole numbers. False when the
 * line is not of that kind, which says nothing about whether it is good. */
bool members_scan(const char *line, size_t size_bytes, struct members *ret_members);

bool member_is(const struct member *member, const char *text);
/* Copies the text, cut to what there is room for; empty when there is none. */
void member_copy(const struct member *member, char *ret_text, size_t size);
