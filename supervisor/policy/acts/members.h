/* Inside the policy room: the members of a line of the log that say what was done. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MEMBER_ARGUMENTS 6 /* of a system call */

/* In the order of their names. */
enum member_key {
	MEMBER_ABI,
	MEMBER_ABSTRACT,
	MEMBER_ADDRESS,
	MEMBER_CREATED,
	MEMBER_DIALLED,
	MEMBER_DIRECTORY,
	MEMBER_ERROR,
	MEMBER_EXTENDED_ERROR,
	MEMBER_LOST,
	MEMBER_NAME,
	MEMBER_PATH,
	MEMBER_PORT,
	MEMBER_PROTOCOL,
	MEMBER_QTYPE,
	MEMBER_RCODE,
	MEMBER_REASON,
	MEMBER_RECORDS,
	MEMBER_REFUSED_BY,
	MEMBER_SANDBOX,
	MEMBER_SCRIPT,
	MEMBER_SCRIPT_DIRECTORY,
	MEMBER_SECOND_DIRECTORY,
	MEMBER_SECOND_PATH,
	MEMBER_SEQ,
	MEMBER_SYSCALL,
	MEMBER_SYSCALLS,
	MEMBER_TEMPLATE,
	MEMBER_TIME,
	MEMBER_TYPE,
	MEMBER_VERDICT,
	MEMBER_WRITABLE,
	MEMBER_PROCESS_EXE, /* "exe" in the object "process" */
	MEMBER_ARGUMENT,    /* the first of the list "arguments"; the others follow it */
	MEMBERS = MEMBER_ARGUMENT + MEMBER_ARGUMENTS, /* how many */
};

/* What is absent, or neither text, a whole number nor `true`, is empty and 0. */
struct member {
	const char *text; /* not terminated; NULL: no text */
	size_t length;
	int64_t integer; /* of `true`: 1 */
	bool is_there;
};

struct members {
	struct member list[MEMBERS];
	json_t *json; /* owned: whom texts belong to when not to the line; may be NULL */
};

/* Reads a line that is one JSON object; texts are borrowed from it. Returns 0, or -EBADMSG when it
 * is none; members_fini() follows after 0. */
int members_read(const char *line, size_t size_bytes, struct members *ret_members);
/* The same member of a line that jansson read; borrowed, NULL if it is not there. */
const json_t *members_find(const json_t *json, enum member_key key);
void members_fini(struct members *members);

/* The fast way, for lines as nearly all are: ASCII without escapes, whole numbers. False when the
 * line is not of that kind, which says nothing about whether it is good. */
bool members_scan(const char *line, size_t size_bytes, struct members *ret_members);

/* "verdict"; "process.exe" for what lies deeper; not of arguments */
const char *member_name(enum member_key key);

/* Inline, for `text` is a constant nearly everywhere. */
static inline bool member_is(const struct member *member, const char *text)
{
	return member->length == strlen(text) && member->text &&
	       memcmp(member->text, text, member->length) == 0;
}

/* Copies the text, cut to what there is room for; empty when there is none. */
void member_copy(const struct member *member, char *ret_text, size_t size);
