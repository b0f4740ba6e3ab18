/* The routes of API v1; the whole surface at a glance is in routes.c and openapi.yaml. */
#pragma once

#include "api/http/route.h"

struct route_table v1_routes(void);

void sandboxes_create(struct request *request);
void sandboxes_list(struct request *request);
void sandboxes_get(struct request *request);
void sandboxes_patch(struct request *request);
void sandboxes_delete(struct request *request);
void exec_run(struct request *request);
void exec_kill(struct request *request);
void code_run(struct request *request);
void ports_get(struct request *request);
void ports_issue_ticket(struct request *request);
void ports_preview(struct request *request);
void syscalls_of_sandbox(struct request *request);
void usage_of_sandbox(struct request *request);
void usage_of_tenant(struct request *request);
void audit_export(struct request *request);
void events_read(struct request *request);
void audit_checkpoint_read(struct request *request);
void audit_keys_list(struct request *request);
void audit_proof_read(struct request *request);
void audit_consistency_read(struct request *request);
void policies_list(struct request *request);
void policies_get(struct request *request);
void policies_reload(struct request *request);
void policies_put(struct request *request);
void policies_drop(struct request *request);
void policies_rollback(struct request *request);
void policies_versions(struct request *request);
void policies_shadow(struct request *request);
void audit_key_rotate(struct request *request);
void templates_list(struct request *request);
void templates_change(struct request *request);
void tenants_list(struct request *request);
void tenants_create(struct request *request);
void tenants_change(struct request *request);
void tenants_delete(struct request *request);
void keys_list(struct request *request);
void keys_create(struct request *request);
void keys_revoke(struct request *request);
void webhooks_list(struct request *request);
void webhooks_create(struct request *request);
void webhooks_delete(struct request *request);
void metrics_read(struct request *request);
void health_live(struct request *request);
void health_ready(struct request *request);
