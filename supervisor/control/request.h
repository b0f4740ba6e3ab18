/* One request of cloche-api on its way: who asks, and where the answer goes.
 *
 * An answer may come much later. Requests are kept on a list, so that none answers to a cloche-api
 * that has gone. */
#pragma once

#include "supervisor/control/control.h"
#include "supervisor/core/peers/peer.h"

struct control {
	struct core *core;
	struct peer *api;
	struct control_config config;
	char api_program[256];
	struct request *requests; /* unanswered */
	struct loop_source *follow_timer;
};

struct request {
	struct control *control;
	struct request *next, **place;
	uint64_t cookie;
	uint16_t type;
	bool orphaned;         /* the cloche-api that asked has gone */
	const struct key *key; /* valid while the handler runs; later only `tenant_id` */
	uint32_t tenant_id;    /* 0: an administrator, who may see all */
	/* events.c: a reader that waits */
	struct wire_events_query *query;
	uint32_t events_tenant; /* whose records; 0: everybody's */
	uint64_t deadline_ns;
	char sums_of[WIRE_NAME_SIZE]; /* shadow.c: a reader that waits; empty: none */
	/* execs.c */
	struct exec *exec;
	/* ports.c: a connection that is open, 0: none */
	uint64_t port_sandbox;
	uint16_t port;
};

/* Handlers get a body whose size and text fields have been checked. */
struct handler {
	uint16_t type;
	size_t body_size; /* exact; a tail may follow only if `has_tail` */
	bool has_tail, needs_key, needs_administrator;
	void (*handle)(
		struct request *request, const void *body, const char *tail, size_t tail_size);
};

/* Sends and frees the request. */
void request_answer(struct request *request, uint16_t type, const void *body, size_t body_size,
	const void *tail, size_t tail_size);
void request_done(struct request *request);
void request_refuse(struct request *request, const struct refusal *why);
void request_fail(struct request *request, enum wire_api_code code, const char *format, ...)
	_printf_(3, 4);
/* Sends without freeing: more answers follow. */
void request_send(struct request *request, uint16_t type, const void *body, size_t body_size,
	const int *fds, size_t n_fds);
struct request *request_free(struct request *request);

/* The tenant that a request is limited to; NULL: an administrator's, or, after the handler has
 * returned, one whose tenant is gone: then `tenant_id` is not 0. */
const struct tenant *request_scope(const struct request *request);

/* Collects the rows of a list answer. */
struct rows {
	struct wire_page page;
	char *bytes;
	size_t size;
	bool failed;
};

void rows_add(
	struct rows *rows, const void *row, size_t row_size, const void *tail, size_t tail_size);
/* Answers with the page and its rows; frees them. */
void rows_answer(struct rows *rows, struct request *request, uint16_t type);

/* The dispatch table, in dispatch.c, names these. */
typedef void handle_function(
	struct request *request, const void *body, const char *tail, size_t tail_size);
handle_function handle_audit_checkpoint, handle_audit_keys, handle_audit_proof,
	handle_audit_rotate_key;
handle_function handle_sandbox_create, handle_sandbox_get, handle_sandbox_list,
	handle_sandbox_delete, handle_sandbox_patch, handle_port_open, handle_exec_start,
	handle_exec_kill, handle_usage, handle_history, handle_status, handle_metrics, handle_call,
	handle_events, handle_events_cancel, handle_policy_list, handle_policy_get,
	handle_policy_reload, handle_template_list, handle_tenant_create, handle_tenant_patch,
	handle_tenant_list, handle_tenant_delete, handle_key_create, handle_key_list,
	handle_key_revoke;
handle_function handle_destinations;
handle_function handle_port_left, handle_webhook_create, handle_webhook_list, handle_webhook_delete;
handle_function handle_syscalls;
handle_function handle_port_left, handle_policy_put, handle_policy_rollback, handle_policy_versions,
	handle_shadow_sums, handle_template_patch, handle_policy_promote, handle_policy_drop,
	handle_policy_get_staged;

struct shadow_group;
struct wire_shadow_state;
/* templates.c */
void shadow_fill_state(const struct core *core, const struct shadow_group *group,
	const char *policy, struct wire_shadow_state *ret_state);
/* Who gave many sandboxes a candidate. */
void shadow_record(const struct request *request, const char *type, const char *remote,
	const char *name, const struct wire_shadow_state *state);
/* staged.c: nothing, with an empty hash, when none is staged. */
struct wire_policy_staged;
void staged_fill_row(
	const struct request *request, const char *name, struct wire_policy_staged *ret_row);
/* One that was just put. */
void staged_answer(struct request *request, const char *name, const char *before);
/* policies.c */
void policy_answer(struct request *request, const struct policy *policy);
/* A row of a list, for the caller. */
void policy_fill_row(const struct request *request, const struct policy *policy,
	struct wire_policy_row *ret_row);

/* usage.c: the tenant that is asked about, the caller's own or any by name for an administrator.
 * NULL when that was refused. */
const struct tenant *usage_find_tenant(struct request *request, const char *name);

/* events.c: answers readers for whom there is something new. */
void events_wake(struct control *control);
/* shadow.c: answers those who came too soon after the last reading. */
void sums_wake(struct control *control);
/* ports.c: closes the connections whose port is open no more. */
void ports_review(struct control *control);
