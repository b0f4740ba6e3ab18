#include "supervisor/control/dispatch.h"

#include <errno.h>
#include <stdlib.h>

#include "supervisor/wire/audit.h"
#include "supervisor/wire/policies.h"
#include "supervisor/wire/strings.h"
#include "supervisor/wire/tenants.h"
#include "supervisor/wire/webhooks.h"

#define BODY(type) sizeof(struct type)

static const struct handler handlers[] = {
	{WIRE_API_SANDBOX_CREATE, BODY(wire_sandbox_create), true, true, false,
		handle_sandbox_create},
	{WIRE_API_SANDBOX_GET, BODY(wire_sandbox_ref), false, true, false, handle_sandbox_get},
	{WIRE_API_SANDBOX_LIST, BODY(wire_sandbox_list), true, true, false, handle_sandbox_list},
	{WIRE_API_SANDBOX_DELETE, BODY(wire_sandbox_ref), false, true, false,
		handle_sandbox_delete},
	{WIRE_API_SANDBOX_PATCH, BODY(wire_sandbox_patch), false, true, false,
		handle_sandbox_patch},
	{WIRE_API_EXEC_START, BODY(wire_exec_start), true, true, false, handle_exec_start},
	{WIRE_API_SYSCALLS, BODY(wire_sandbox_ref), false, true, false, handle_syscalls},
	{WIRE_API_EXEC_KILL, BODY(wire_exec_kill), false, true, false, handle_exec_kill},
	{WIRE_API_PORT_OPEN, BODY(wire_port_open), false, true, false, handle_port_open},
	{WIRE_API_PORT_LEFT, BODY(wire_caller), false, false, false, handle_port_left},
	{WIRE_API_USAGE, BODY(wire_usage_query), false, true, false, handle_usage},
	{WIRE_API_DESTINATIONS, BODY(wire_usage_query), false, true, false, handle_destinations},
	{WIRE_API_HISTORY, BODY(wire_history_query), false, true, false, handle_history},
	{WIRE_API_STATUS, BODY(wire_caller), false, false, false, handle_status},
	{WIRE_API_METRICS, BODY(wire_caller), false, true, true, handle_metrics},
	{WIRE_API_CALL, BODY(wire_call), false, false, false, handle_call},
	{WIRE_API_EVENTS, BODY(wire_events_query), false, true, false, handle_events},
	{WIRE_API_EVENTS_CANCEL, BODY(wire_caller), false, false, false, handle_events_cancel},
	{WIRE_API_AUDIT_CHECKPOINT, BODY(wire_caller), false, true, false, handle_audit_checkpoint},
	{WIRE_API_AUDIT_KEYS, BODY(wire_audit_keys_query), false, true, false, handle_audit_keys},
	{WIRE_API_AUDIT_PROOF, BODY(wire_audit_proof_query), false, true, false,
		handle_audit_proof},
	{WIRE_API_POLICY_LIST, BODY(wire_caller), false, true, false, handle_policy_list},
	{WIRE_API_POLICY_GET, BODY(wire_name_ref), false, true, false, handle_policy_get},
	{WIRE_API_POLICY_RELOAD, BODY(wire_caller), false, true, true, handle_policy_reload},
	{WIRE_API_POLICY_PUT, BODY(wire_policy_put), true, true, true, handle_policy_put},
	{WIRE_API_POLICY_ROLLBACK, BODY(wire_policy_rollback), false, true, true,
		handle_policy_rollback},
	{WIRE_API_POLICY_PROMOTE, BODY(wire_policy_rollback), false, true, true,
		handle_policy_promote},
	{WIRE_API_POLICY_DROP, BODY(wire_policy_rollback), false, true, true, handle_policy_drop},
	{WIRE_API_POLICY_GET_STAGED, BODY(wire_name_ref), false, true, true,
		handle_policy_get_staged},
	{WIRE_API_SHADOW_SUMS, BODY(wire_name_ref), false, true, false, handle_shadow_sums},
	{WIRE_API_POLICY_VERSIONS, BODY(wire_name_ref), false, true, true, handle_policy_versions},
	{WIRE_API_AUDIT_ROTATE_KEY, BODY(wire_caller), false, true, true, handle_audit_rotate_key},
	{WIRE_API_TEMPLATE_LIST, BODY(wire_caller), false, true, false, handle_template_list},
	{WIRE_API_TEMPLATE_PATCH, BODY(wire_template_patch), false, true, true,
		handle_template_patch},
	{WIRE_API_TENANT_CREATE, BODY(wire_tenant_create), false, true, true, handle_tenant_create},
	{WIRE_API_TENANT_PATCH, BODY(wire_tenant_patch), false, true, true, handle_tenant_patch},
	{WIRE_API_TENANT_LIST, BODY(wire_caller), false, true, true, handle_tenant_list},
	{WIRE_API_TENANT_DELETE, BODY(wire_name_ref), false, true, true, handle_tenant_delete},
	{WIRE_API_KEY_CREATE, BODY(wire_key_create), false, true, true, handle_key_create},
	{WIRE_API_KEY_LIST, BODY(wire_name_ref), false, true, true, handle_key_list},
	{WIRE_API_KEY_REVOKE, BODY(wire_name_ref), false, true, true, handle_key_revoke},
	{WIRE_API_WEBHOOK_CREATE, BODY(wire_webhook_create), false, true, false,
		handle_webhook_create},
	{WIRE_API_WEBHOOK_LIST, BODY(wire_caller), false, true, false, handle_webhook_list},
	{WIRE_API_WEBHOOK_DELETE, BODY(wire_webhook_ref), false, true, false,
		handle_webhook_delete},
};

static const struct handler *find(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (handlers[i].type == type)
			return &handlers[i];
	return NULL;
}

/* Every body begins with its caller; both of its texts must end inside their fields. */
static bool form_is_right(const struct handler *handler, const struct channel_message *message)
{
	const struct wire_caller *caller = message->body;

	if (message->body_size < handler->body_size || message->n_fds > 0)
		return false;
	if (!handler->has_tail && message->body_size != handler->body_size)
		return false;
	return WIRE_TEXT_VALID(caller->key) && WIRE_TEXT_VALID(caller->remote);
}

static struct request *request_new(
	struct control *control, const struct channel_message *message, const struct key *key)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->control = control;
	request->cookie = message->header->cookie;
	request->type = message->header->type;
	request->key = key;
	if (key && !key->row.administrator)
		request->tenant_id = key->row.tenant;
	request->place = &control->requests;
	request->next = control->requests;
	if (request->next)
		request->next->place = &request->next;
	control->requests = request;
	return request;
}

int dispatch(struct control *control, const struct channel_message *message)
{
	const struct handler *handler = find(message->header->type);
	const struct key *key;
	struct request *request;

	if (!handler || !form_is_right(handler, message))
		return -EPROTO;
	key = tenants_authenticate(
		control->core->tenants, ((const struct wire_caller *)message->body)->key);
	request = request_new(control, message, key);
	if (!request)
		return -ENOMEM;
	if (handler->needs_key && !key) {
		request_fail(request, WIRE_CODE_UNAUTHENTICATED,
			"The key is missing, unknown or revoked. Send \"Authorization: Bearer "
			"<key>\"; the "
			"administrator's key is in the state directory, in admin.key.");
		return 0;
	}
	if (handler->needs_administrator && !key->row.administrator) {
		request_fail(request, WIRE_CODE_FORBIDDEN,
			"Only an administrator's key may do this; yours speaks for tenant \"%s\".",
			key->tenant->row.name);
		return 0;
	}
	handler->handle(request, message->body, (const char *)message->body + handler->body_size,
		message->body_size - handler->body_size);
	return 0;
}
