/* A kernel scene's sandboxes with budgets, and programs in them that spend these. */
#pragma once

#include "tests/harness/kernel-scene.h"

#define BUDGET_ORIGIN "203.0.113.7" /* where ROW_IMAGE_A lets to */

/* Under `name` to ROW_IMAGE_A of tests/table/rows.h, with the gate and the resolver. */
void budget_bind(struct kernel_scene *scene, struct kernel_sandbox *sandbox, const char *name);
/* Of one counter; there is no other budget. */
void budget_limit(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	enum abi_budget_counter counter, uint64_t most, uint64_t window_ns);
uint64_t budget_used(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	enum abi_budget_counter counter);
void budget_end(struct kernel_scene *scene, struct kernel_sandbox *sandbox);

/* A connected socket, or -errno. */
int budget_dial(const char *text, uint16_t port, int type);
/* A kernel_act: connects `*argument` (an int) times; how often it could, 100 when it was anything
 * but EPERM that ended it. */
int budget_act_connect(struct kernel_scene *scene, const void *argument);
int budget_connects(struct kernel_scene *scene, const struct kernel_sandbox *sandbox, int n);
/* How many refusals by a budget were recorded since the last call, which must all be of
 * `operation`, for the budgets `spent`. */
size_t budget_refusals(struct kernel_scene *scene, uint8_t operation, uint8_t spent);
