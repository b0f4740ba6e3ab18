/* Inside the policy room: reading a document, so that each complaint names its place. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "supervisor/policy/policy.h"
#include "supervisor/policy/read/source.h"

struct psl_ctx_st;

struct policy_reader {
	const struct policy_source *source; /* and what it extends */
	const struct policy_calls *calls;   /* may be NULL */
	struct psl_ctx_st **suffixes;       /* libpsl's list, from when a name is first met */
	struct failure *why;
};

/* Fills `why` with the sentence and "file:line:column: /json/pointer", returns `error`. A member is
 * found at its key, an element at its value. */
int policy_fail(const struct policy_reader *reader, const struct policy_place *place, int error,
	const char *format, ...) _printf_(4, 5);

/* The same at a spot that was found already. */
int policy_fail_at(const struct policy_reader *reader, const struct policy_place *place,
	const struct policy_spot *spot, int error, const char *format, ...) _printf_(5, 6);

#define POLICY_SPOT_SIZE 96

/* For use inside a sentence: "line 3, column 9", or "base.json:3:9" where there are several files.
 */
const char *policy_describe_spot(const struct policy_reader *reader, const struct policy_spot *spot,
	char ret_text[POLICY_SPOT_SIZE]);
const char *policy_describe_place(const struct policy_reader *reader,
	const struct policy_place *place, char ret_text[POLICY_SPOT_SIZE]);

/* A key that one object has twice is an error, with both places. -EINVAL, or 0 when there is none.
 * The text must be good JSON but for that. */
int policy_check_duplicates(const struct policy_reader *reader);

/* The same for text that is no JSON. */
int policy_fail_syntax(const struct policy_reader *reader, const json_error_t *error);

#define POLICY_SHORT_SIZE 56

/* Copies `text` for use inside a sentence: cut between characters when it is long. */
const char *policy_shorten(const char *text, char ret_short[POLICY_SHORT_SIZE]);

/* Refuses what is no object, and any key that is not in `keys` (ends with NULL), naming the
 * nearest. */
int policy_check_keys(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, const char *const *keys);

/* Finds `text` in `words` (ends with NULL) as it may have been meant; NULL when nothing is near. */
const char *policy_nearest(const char *text, const char *const *words);

/* Each reads one value, or says why not. Limits are inside. */
int policy_read_bytes(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint64_t min_bytes, uint64_t max_bytes, uint64_t *ret_bytes);
int policy_read_count(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint32_t min, uint32_t max, uint32_t *ret_count);
/* Such as "90s", "15m", "1h30m", "7d"; in seconds. */
int policy_read_duration(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint32_t min_s, uint32_t max_s, uint32_t *ret_seconds);
int policy_read_cpu(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint32_t *ret_millis);
/* As they are read: "512MiB", or a number of bytes; "90s". Return `ret_text`. */
const char *policy_format_size(uint64_t bytes, char ret_text[32]);
const char *policy_format_duration(uint32_t seconds, char ret_text[16]);
/* A list of ports: numbers and "first-last"; sorted, none of them twice. */
int policy_read_ports(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule);
int policy_read_cidr(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule);

/* A host's name, or "*." and one, in any form that IDNA knows; `rule` says already whether it is
 * private. Sets `name` and `wildcard`. */
int policy_read_host(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule);
void policy_suffixes_free(struct psl_ctx_st **suffixes);
int policy_read_rule(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule);
/* Text that is shown to people: no line breaks, no escape sequences, short enough for its field,
 * which may be NULL. */
int policy_read_description(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, char *ret_field);

bool policy_name_valid(const char *name);
/* The description that `section` has, or none. Kept by the canonical form alone. */
int policy_check_description(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *section);

/* Both: that it has no other keys, and what it says to people. */
int policy_check_section(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *section, const char *const *keys);

/* True or false; a value that is not there (NULL) is false. */
int policy_read_flag(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, bool *ret_flag);

/* The object `resources` of `root`, which may be absent (NULL): all limits are set. */
int policy_read_limits(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_limits *ret_limits);

/* The name of a system call. */
int policy_read_call(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_call *ret_call);
/* A list of names of system calls; sorted, none of them twice. `*ret_calls` is the caller's to
 * free, also on failure. */
int policy_read_calls(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy_call **ret_calls, size_t *ret_n);
/* The object `audit` of `root`, which may be absent (NULL): the usual calls. */
int policy_read_audit(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_audit *audit);

/* The value `mode` of `root`, which may be absent (NULL); the policy has its name already. */
int policy_read_mode(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy);

/* The object `syscalls` of `root`, which may be absent (NULL). */
int policy_read_syscalls(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy);

/* The object `files` and the list `devices` of `root`, which may be absent (NULL). */
int policy_read_files(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy);
int policy_read_devices(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *list, struct policy *policy);

/* The object `executables` of `root`, which may be absent (NULL). After `files` and `syscalls`,
 * which it must go with. */
int policy_read_executables(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy);

/* The object `lifecycle` and the list `secrets` of `root`, which may be absent (NULL). */
int policy_read_lifecycle(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_lifecycle *lifecycle);
int policy_read_secrets(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *list, struct policy *policy);

/* The object `budgets` of `root`, which may be absent (NULL). */
int policy_read_budgets(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_budgets *ret_budgets);

/* What holds between the parts of a policy that was read: no rule given twice, an image that the
 * kernel takes. `rules` is the place of the list. */
int policy_check(const struct policy_reader *reader, const struct policy_place *rules,
	const struct policy *policy);
