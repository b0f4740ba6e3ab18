/* Messages of supervisor/wire/api.h about changing policies. */
#pragma once

#include "supervisor/wire/api.h"

#define WIRE_COMMIT_SIZE 65
#define WIRE_POLICY_BYTES_MAX (WIRE_FRAME_MAX - 4096) /* of a document in one message */
#define WIRE_VERSIONS_MAX 16                          /* of one policy that are kept */

/* What must hold for a change to be made, and what is written down of it. */
struct wire_policy_condition {
	char if_hash[WIRE_HASH_SIZE];  /* of what is in force; empty: whatever it is */
	char commit[WIRE_COMMIT_SIZE]; /* 7 to 64 of 0-9 and a-f; empty: none was given */
	uint8_t if_new;                /* 1: there is no such policy yet */
	uint8_t reserved[5];
};

enum wire_policy_stage {
	WIRE_STAGE_ENFORCE = 0,
	WIRE_STAGE_SHADOW = 1, /* kept, and asked as a candidate; see struct wire_policy_staged */
};

struct wire_policy_put {
	struct wire_caller caller;
	char name[WIRE_NAME_SIZE];
	struct wire_policy_condition condition;
	uint32_t stage; /* enum wire_policy_stage */
	uint32_t reserved;
};

struct wire_policy_rollback {
	struct wire_caller caller;
	char name[WIRE_NAME_SIZE];
	char hash[WIRE_HASH_SIZE]; /* of the version to go back to, or that is staged */
	uint8_t reserved[7];
	struct wire_policy_condition condition;
};

struct wire_policy_changed {
	struct wire_policy_row row;       /* what is in force now */
	char hash_before[WIRE_HASH_SIZE]; /* empty: it is new */
	char file_hash[WIRE_HASH_SIZE];
	uint8_t is_staged; /* 1: `row` is what would be in force */
	uint8_t reserved[5];
	/* Living sandboxes that a staged version is asked for, and those that it would change
	 * something for and is not. */
	uint32_t n_asked, n_not_asked;
};

struct wire_policy_version {
	char hash[WIRE_HASH_SIZE];
	char file_hash[WIRE_HASH_SIZE];
	char commit[WIRE_COMMIT_SIZE];
	char by_key[WIRE_NAME_SIZE]; /* empty: it was read from the directory */
	uint8_t reserved[5];
	uint64_t time_ns; /* realtime: when it was seen first, or put */
};

/* The staged version of a policy. */
struct wire_policy_staged {
	char hash[WIRE_HASH_SIZE]; /* empty: there is none */
	char file_hash[WIRE_HASH_SIZE];
	char commit[WIRE_COMMIT_SIZE];
	char by_key[WIRE_NAME_SIZE]; /* empty for those who are no administrators; `commit` too */
	uint8_t reserved[5];
	uint64_t time_ns;              /* realtime: when it was put */
	uint32_t n_asked, n_not_asked; /* of the caller's sandboxes, as above */
	char error[WIRE_REASON_SIZE];  /* why it is not asked at all; empty: it is */
};

enum wire_shadow_outcome { /* as enum abi_shadow_outcome */
	WIRE_SHADOW_AGREED = 1,
	WIRE_SHADOW_WOULD_DENY = 2,
	WIRE_SHADOW_WOULD_ALLOW = 3,
};

#define WIRE_EXAMPLE_SIZE 320
#define WIRE_PART_SIZE 320

struct wire_shadow_sum {
	uint32_t outcome;            /* enum wire_shadow_outcome */
	uint32_t rule;               /* 0xffff: none's, or there were too many */
	char policy[WIRE_NAME_SIZE]; /* whose rule it is */
	uint64_t n;
	uint64_t example_sandbox, example_ns;
	uint8_t is_staged; /* 1: of the staged version, 0: of the one in force */
	uint8_t reserved[7];
	char example[WIRE_EXAMPLE_SIZE]; /* empty: none */
	char part[WIRE_PART_SIZE]; /* of files, calls and programs, instead of a rule; or empty */
};
