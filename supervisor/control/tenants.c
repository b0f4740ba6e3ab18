#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/core/peers/sinks.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/strings.h"
#include "supervisor/wire/tenants.h"

static void fill_row(
	const struct core *core, const struct tenant *tenant, struct wire_tenant_row *ret_row)
{
	const struct shadow_group group = {.source = CANDIDATE_TENANT, .tenant = tenant};

	*ret_row = (struct wire_tenant_row){.tenant = tenant->row.id,
		.n_sandboxes = tenant->n_sandboxes,
		.n_sandboxes_max = tenant->row.n_sandboxes_max,
		.created_ns = tenant->row.created_ns};
	snprintf(ret_row->name, sizeof(ret_row->name), "%s", tenant->row.name);
	snprintf(ret_row->policy, sizeof(ret_row->policy), "%s", tenant->row.policy);
	tenant_show_budgets(core, tenant, ret_row->budgets, &ret_row->budget_window_seconds);
	shadow_fill_state(core, &group, tenant->shadow, &ret_row->shadow);
}

static void answer_row(struct request *request, const struct tenant *tenant)
{
	struct wire_tenant_row row;
	struct rows rows = {0};

	fill_row(request->control->core, tenant, &row);
	rows_add(&rows, &row, sizeof(row), NULL, 0);
	rows_answer(&rows, request, WIRE_API_TENANTS);
}

static void record(
	const struct request *request, const char *type, const char *member, const char *value)
{
	const struct tenant *actor = request->key->tenant;
	const struct audit_subject subject = {
		.tenant = actor->row.id, .tenant_name = actor->row.name};

	audit_record(request->control->core->audit, type, &subject,
		json_pack("{s:s, s:s}", "by_key", request->key->row.id, member, value));
}

/* Answers and returns false if not. */
static bool may_bind(struct request *request, const char *name)
{
	const struct policy *policy = policies_find(request->control->core->policies, name);

	if (strcmp(name, STORE_TENANT_UNBOUND) == 0)
		return true;
	if (!policy)
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no policy \"%s\" to bind the tenant by.", name);
	else if (policy->mode == POLICY_MODE_LEARN)
		request_fail(request, WIRE_CODE_CONFLICT,
			"Policy \"%s\" is in mode \"learn\", so it would bind the tenant by "
			"nothing.",
			name);
	return policy && policy->mode != POLICY_MODE_LEARN;
}

void handle_tenant_create(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_tenant_create *create = body;
	struct core *core = request->control->core;
	const char *policy = create->policy[0] ? create->policy : TENANT_POLICY_DEFAULT;
	struct tenant *tenant;
	struct refusal why, ignored;

	if (!WIRE_TEXT_VALID(create->name) || !WIRE_TEXT_VALID(create->policy)) {
		request_fail(request, WIRE_CODE_INVALID, "A name is not a text.");
		return;
	}
	if (!may_bind(request, policy))
		return;
	if (tenants_create(core->tenants, create->name, policy, create->n_sandboxes_max, &tenant,
		    &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	if (tenant_set_budgets(core, tenant, &create->budgets, &why) < 0) {
		tenant_drop_budgets(core, tenant);
		tenants_delete(core->tenants, tenant, &ignored);
		request_refuse(request, &why);
		return;
	}
	record(request, "tenant.create", "name", tenant->row.name);
	answer_row(request, tenant);
}

static void change_shadow(
	struct request *request, struct tenant *tenant, const struct wire_tenant_patch *patch)
{
	struct core *core = request->control->core;
	struct wire_tenant_row row;
	struct refusal why;

	if (tenant_set_shadow(core, tenant, patch->shadow.policy, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	fill_row(core, tenant, &row);
	shadow_record(
		request, "tenant.shadow", patch->caller.remote, tenant->row.name, &row.shadow);
	answer_row(request, tenant);
}

void handle_tenant_patch(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_tenant_patch *patch = body;
	struct core *core = request->control->core;
	struct tenant *tenant =
		WIRE_TEXT_VALID(patch->name) ? tenants_find(core->tenants, patch->name) : NULL;
	struct refusal why;

	if (!tenant)
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no such tenant.");
	else if (!WIRE_TEXT_VALID(patch->shadow.policy) ||
		 (patch->shadow.is_given && patch->budgets.is_given))
		request_fail(request, WIRE_CODE_INVALID,
			"Change the budgets or the shadow, one at a time.");
	else if (patch->shadow.is_given)
		change_shadow(request, tenant, patch);
	else if (tenant_set_budgets(core, tenant, &patch->budgets, &why) < 0)
		request_refuse(request, &why);
	else {
		record(request, "tenant.budgets", "name", tenant->row.name);
		answer_row(request, tenant);
	}
}

void handle_tenant_list(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	struct rows rows = {0};
	const struct tenant *each;

	for (each = tenants_first(request->control->core->tenants); each; each = each->next) {
		struct wire_tenant_row row;

		if (rows.size + sizeof(row) + 64 > WIRE_FRAME_MAX)
			break;
		fill_row(request->control->core, each, &row);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows_answer(&rows, request, WIRE_API_TENANTS);
}

/* A tenant that is being deleted, until the last of its sandboxes has ended. */
struct removal {
	struct request *request;
	uint32_t tenant;
	size_t n_left;
};

static void one_ended(void *userdata)
{
	struct removal *removal = userdata;
	struct request *request = removal->request;
	struct tenants *tenants = request->control->core->tenants;
	struct tenant *tenant = tenants_get(tenants, removal->tenant);
	uint32_t id = removal->tenant;
	struct refusal why;

	if (--removal->n_left > 0)
		return;
	free(removal);
	if (tenant && tenant->n_sandboxes == 0)
		tenant_drop_budgets(request->control->core, tenant);
	if (!tenant || tenant->n_sandboxes > 0)
		request_fail(request, WIRE_CODE_CONFLICT,
			"A sandbox of the tenant was made meanwhile. Delete the tenant again.");
	else if (tenants_delete(tenants, tenant, &why) < 0)
		request_refuse(request, &why);
	else {
		sinks_forget_tenant(request->control->core, id);
		request_done(request);
	}
}

static void end_all(struct core *core, const struct tenant *tenant, struct removal *removal)
{
	struct sandbox **all = calloc(table_count(core->sandboxes) + 1, sizeof(struct sandbox *));
	struct sandbox *sandbox;
	size_t position = 0, n = 0;

	if (!all)
		return;
	while ((sandbox = table_next(core->sandboxes, &position)))
		if (sandbox_find(core, tenant, sandbox_id(sandbox)))
			all[n++] = sandbox;
	for (size_t i = 0; i < n; i++) {
		removal->n_left++;
		sandbox_end(all[i], "tenant deleted", one_ended, removal);
	}
	free(all);
}

void handle_tenant_delete(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	struct core *core = request->control->core;
	struct tenant *tenant =
		WIRE_TEXT_VALID(ref->name) ? tenants_find(core->tenants, ref->name) : NULL;
	struct removal *removal;

	if (!tenant) {
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no such tenant.");
		return;
	}
	if (tenant == request->key->tenant) {
		request_fail(request, WIRE_CODE_CONFLICT,
			"The key that asks speaks for this tenant. Delete it with another's key.");
		return;
	}
	removal = calloc(1, sizeof(*removal));
	if (!removal) {
		request_fail(request, WIRE_CODE_INTERNAL, "Out of memory.");
		return;
	}
	record(request, "tenant.delete", "name", tenant->row.name);
	*removal = (struct removal){request, tenant->row.id, 1};
	end_all(core, tenant, removal);
	one_ended(removal);
}

static void fill_key_row(const struct key *key, struct wire_key_row *ret_row)
{
	*ret_row = (struct wire_key_row){
		.administrator = key->row.administrator, .created_ns = key->row.created_ns};
	snprintf(ret_row->id, sizeof(ret_row->id), "%s", key->row.id);
	snprintf(ret_row->tenant, sizeof(ret_row->tenant), "%s", key->tenant->row.name);
	snprintf(ret_row->description, sizeof(ret_row->description), "%s", key->row.description);
}

void handle_key_create(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_key_create *create = body;
	struct core *core = request->control->core;
	struct wire_key reply = {0};
	struct tenant *tenant = NULL;
	const struct key *key;
	struct refusal why;

	if (WIRE_TEXT_VALID(create->tenant) && WIRE_TEXT_VALID(create->description))
		tenant = tenants_find(core->tenants, create->tenant);
	if (!tenant) {
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no such tenant.");
		return;
	}
	if (tenants_create_key(core->tenants, tenant, create->description,
		    create->administrator != 0, &key, reply.secret, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	record(request, "key.create", "key", key->row.id);
	fill_key_row(key, &reply.row);
	request_answer(request, WIRE_API_KEY, &reply, sizeof(reply), NULL, 0);
	explicit_bzero(&reply, sizeof(reply));
}

void handle_key_list(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	struct rows rows = {0};
	const struct key *key;

	if (!WIRE_TEXT_VALID(ref->name)) {
		request_fail(request, WIRE_CODE_INVALID, "The tenant's name is not a text.");
		return;
	}
	for (key = tenants_first_key(request->control->core->tenants); key; key = key->next) {
		struct wire_key_row row;

		if (ref->name[0] && strcmp(ref->name, key->tenant->row.name) != 0)
			continue;
		if (rows.size + sizeof(row) + 64 > WIRE_FRAME_MAX)
			break;
		fill_key_row(key, &row);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows_answer(&rows, request, WIRE_API_KEYS);
}

void handle_key_revoke(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	struct refusal why;

	if (!WIRE_TEXT_VALID(ref->name)) {
		request_fail(request, WIRE_CODE_INVALID, "The key's id is not a text.");
		return;
	}
	if (strcmp(ref->name, request->key->row.id) == 0) {
		request_fail(request, WIRE_CODE_CONFLICT,
			"This is the key that asks. Revoke it with another one.");
		return;
	}
	if (tenants_revoke_key(request->control->core->tenants, ref->name, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	record(request, "key.revoke", "key", ref->name);
	request_done(request);
}
