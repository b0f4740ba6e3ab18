#include "api/v1/routes.h"

#include "supervisor/base/cleanup.h"

static const struct route routes[] = {
	{"POST", "/v1/sandboxes/{id}/exec", exec_run, ROUTE_BODY},
	{"POST", "/v1/sandboxes/{id}/code", code_run, ROUTE_BODY},
	{"POST", "/v1/sandboxes", sandboxes_create, ROUTE_BODY},
	{"GET", "/v1/sandboxes", sandboxes_list, ROUTE_QUERY},
	{"GET", "/v1/sandboxes/{id}", sandboxes_get, 0},
	{"PATCH", "/v1/sandboxes/{id}", sandboxes_patch, ROUTE_BODY},
	{"DELETE", "/v1/sandboxes/{id}", sandboxes_delete, 0},
	{"DELETE", "/v1/sandboxes/{id}/execs/{exec}", exec_kill, ROUTE_QUERY},
	{"GET", "/v1/sandboxes/{id}/ports/{port}", ports_get, 0},
	{"POST", "/v1/sandboxes/{id}/ports/{port}", ports_issue_ticket, ROUTE_BODY},
	{"*", "/v1/sandboxes/{id}/ports/{port}/*", ports_preview,
		ROUTE_QUERY | ROUTE_TAIL | ROUTE_TICKET},
	{"GET", "/v1/sandboxes/{id}/syscalls", syscalls_of_sandbox, 0},
	{"GET", "/v1/sandboxes/{id}/usage", usage_of_sandbox, ROUTE_QUERY},
	{"GET", "/v1/usage", usage_of_tenant, ROUTE_QUERY},
	{"GET", "/v1/audit", audit_export, ROUTE_EXACT | ROUTE_QUERY},
	{"GET", "/v1/events", events_read, ROUTE_EXACT | ROUTE_QUERY},
	{"GET", "/v1/audit/checkpoint", audit_checkpoint_read, 0},
	{"GET", "/v1/audit/keys", audit_keys_list, 0},
	{"GET", "/v1/audit/proof", audit_proof_read, ROUTE_QUERY},
	{"GET", "/v1/audit/consistency", audit_consistency_read, ROUTE_QUERY},
	{"POST", "/v1/audit/rotate-key", audit_key_rotate, ROUTE_BODY},
	{"GET", "/v1/policies", policies_list, 0},
	{"POST", "/v1/policies/reload", policies_reload, ROUTE_BODY},
	{"GET", "/v1/policies/{name}", policies_get, ROUTE_QUERY},
	{"POST", "/v1/policies/{name}", policies_put, ROUTE_BODY | ROUTE_QUERY},
	{"DELETE", "/v1/policies/{name}", policies_drop, ROUTE_QUERY},
	{"POST", "/v1/policies/{name}/rollback", policies_rollback, ROUTE_BODY},
	{"GET", "/v1/policies/{name}/versions", policies_versions, 0},
	{"GET", "/v1/policies/{name}/shadow", policies_shadow, 0},
	{"GET", "/v1/templates", templates_list, 0},
	{"PATCH", "/v1/templates/{name}", templates_change, ROUTE_BODY},
	{"GET", "/v1/tenants", tenants_list, 0},
	{"POST", "/v1/tenants", tenants_create, ROUTE_BODY},
	{"PATCH", "/v1/tenants/{name}", tenants_change, ROUTE_BODY},
	{"DELETE", "/v1/tenants/{name}", tenants_delete, 0},
	{"GET", "/v1/keys", keys_list, ROUTE_QUERY},
	{"POST", "/v1/keys", keys_create, ROUTE_BODY},
	{"DELETE", "/v1/keys/{id}", keys_revoke, 0},
	{"GET", "/v1/webhooks", webhooks_list, 0},
	{"POST", "/v1/webhooks", webhooks_create, ROUTE_BODY},
	{"DELETE", "/v1/webhooks/{id}", webhooks_delete, 0},
	{"GET", "/healthz", health_live, ROUTE_OPEN | ROUTE_SILENT},
	{"GET", "/readyz", health_ready, ROUTE_OPEN | ROUTE_SILENT},
	{"GET", "/metrics", metrics_read, ROUTE_SILENT},
};

struct route_table v1_routes(void)
{
	return (struct route_table){routes, ARRAY_SIZE(routes)};
}
