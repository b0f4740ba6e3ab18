/* Messages of supervisor/wire/api.h about templates, and about candidates for many sandboxes. */
#pragma once

#include "supervisor/wire/api.h"

/* A candidate for many sandboxes. */
struct wire_shadow_change {
	char policy[WIRE_NAME_SIZE]; /* empty: none any more */
	uint8_t is_given;            /* else it stays as it is */
	uint8_t reserved[7];
};

struct wire_shadow_state {
	char policy[WIRE_NAME_SIZE]; /* empty: none */
	uint32_t n_asked;            /* living sandboxes that it is asked for */
	uint32_t n_not_asked;        /* and those that it should be, but cannot be */
};

struct wire_template_row {
	char name[WIRE_NAME_SIZE];
	uint8_t available;
	uint8_t reserved[7];
	uint32_t n_warm, n_target;
	char runtime[WIRE_NAME_SIZE];  /* "/usr/bin/python3" */
	char reason[WIRE_REASON_SIZE]; /* why not available */
	struct wire_shadow_state shadow;
};

struct wire_template_patch {
	struct wire_caller caller;
	char name[WIRE_NAME_SIZE];
	struct wire_shadow_change shadow;
};
