/* Messages of supervisor/wire/api.h about tenants and their keys. */
#pragma once

#include "supervisor/wire/templates.h"

/* Budgets as they are asked for. */
struct wire_budget_limits {
	uint64_t limits[WIRE_BUDGETS]; /* 0: none */
	uint32_t per_seconds;          /* 0: as long as the tenant is there */
	uint8_t is_given;              /* else they stay as they are */
	uint8_t reserved[3];
};

#define WIRE_BUDGET_BYTES_MIN 1024ULL /* less opens no connection */
#define WIRE_BUDGET_BYTES_MAX (1ULL << 50)
#define WIRE_BUDGET_COUNT_MAX UINT32_MAX
#define WIRE_BUDGET_SECONDS_MAX (366 * 86400)

struct wire_tenant_create {
	struct wire_caller caller;
	char name[WIRE_NAME_SIZE];
	char policy[WIRE_NAME_SIZE]; /* outer bound; empty: "deny-all" */
	uint32_t n_sandboxes_max;    /* 0: no limit of its own */
	uint32_t reserved;
	struct wire_budget_limits budgets;
};

struct wire_tenant_patch {
	struct wire_caller caller;
	char name[WIRE_NAME_SIZE];
	struct wire_budget_limits budgets;
	struct wire_shadow_change shadow;
};

struct wire_tenant_row {
	uint32_t tenant, n_sandboxes, n_sandboxes_max;
	uint32_t reserved;
	char name[WIRE_NAME_SIZE];
	char policy[WIRE_NAME_SIZE]; /* "*": not bound (the administrator's) */
	uint64_t created_ns;
	struct wire_budget budgets[WIRE_BUDGETS];
	uint64_t budget_window_seconds;
	struct wire_shadow_state shadow;
};

struct wire_key_create {
	struct wire_caller caller;
	char tenant[WIRE_NAME_SIZE];
	char description[WIRE_NAME_SIZE];
	uint8_t administrator;
	uint8_t reserved[7];
};

struct wire_key_row {
	char id[WIRE_NAME_SIZE];
	char tenant[WIRE_NAME_SIZE];
	char description[WIRE_NAME_SIZE];
	uint8_t administrator;
	uint8_t reserved[7];
	uint64_t created_ns;
};

struct wire_key {
	struct wire_key_row row;
	char secret[WIRE_KEY_SIZE];
};
