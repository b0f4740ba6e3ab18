/* Candidates for many sandboxes at once: all of a tenant, all from a template. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"

static struct core_template_shadow *find(struct core *core, const char *template)
{
	for (size_t i = 0; i < core->n_template_shadows; i++)
		if (strcmp(core->template_shadows[i].template, template) == 0)
			return &core->template_shadows[i];
	return NULL;
}

const char *template_shadow(const struct core *core, const char *template)
{
	const struct core_template_shadow *found = find((struct core *)core, template);

	return found ? found->policy : "";
}

int template_shadows_start(struct core *core, struct failure *why)
{
	const struct launch_template *templates;
	size_t n;

	templates = launch_templates(core->launch, &n);
	for (size_t i = 0; i < n && i < POOL_TEMPLATES_MAX; i++) {
		struct core_template_shadow *row =
			&core->template_shadows[core->n_template_shadows++];
		int r;

		snprintf(row->template, sizeof(row->template), "%s", templates[i].name);
		r = store_template_shadow_get(core->store, row->template, row->policy);
		if (r < 0 && r != -ENOENT)
			return failure_set(why, r, "candidates",
				"that of template \"%s\" cannot be read", row->template);
	}
	return 0;
}

void shadow_settle_all(struct core *core)
{
	struct sandbox *sandbox;
	size_t position = 0;

	core_consume_events(core);
	while ((sandbox = table_next(core->sandboxes, &position)))
		if (sandbox->phase == PHASE_CLAIMED || sandbox->phase == PHASE_RUNNING)
			shadow_settle(sandbox);
}

static bool is_counted(const struct sandbox *sandbox, const struct shadow_group *group)
{
	if ((sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING) ||
		sandbox->shadow_source != group->source)
		return false;
	return (!group->tenant || sandbox->tenant == group->tenant) &&
	       (!group->template || strcmp(sandbox->template, group->template) == 0);
}

void shadow_count(const struct core *core, const struct shadow_group *group, uint32_t *ret_asked,
	uint32_t *ret_not_asked)
{
	const struct sandbox *sandbox;
	size_t position = 0;

	*ret_asked = *ret_not_asked = 0;
	while ((sandbox = table_next(core->sandboxes, &position)))
		if (is_counted(sandbox, group))
			++*(sandbox->shadow ? ret_asked : ret_not_asked);
}

static int check_name(const struct core *core, const char *name, struct refusal *why)
{
	if (!name[0] || policies_find(core->policies, name))
		return 0;
	return refuse(why, WIRE_CODE_NOT_FOUND,
		"There is no policy \"%s\". GET /v1/policies lists those in force.", name);
}

static int refuse_unwritten(int r, struct refusal *why)
{
	return refuse(why, WIRE_CODE_UNAVAILABLE,
		"Nothing was changed: it cannot be written down (%s).", strerror(-r));
}

int tenant_set_shadow(
	struct core *core, struct tenant *tenant, const char *name, struct refusal *why)
{
	int r = check_name(core, name, why);

	if (r < 0)
		return r;
	r = store_tenant_shadow_put(core->store, tenant->row.id, name);
	if (r < 0)
		return refuse_unwritten(r, why);
	snprintf(tenant->shadow, sizeof(tenant->shadow), "%s", name);
	shadow_settle_all(core);
	return 0;
}

int template_set_shadow(
	struct core *core, const char *template, const char *name, struct refusal *why)
{
	struct core_template_shadow *row = find(core, template);
	int r = check_name(core, name, why);

	if (!row)
		return refuse(why, WIRE_CODE_NOT_FOUND,
			"There is no template \"%s\". GET /v1/templates lists those there are.",
			template);
	if (r < 0)
		return r;
	r = store_template_shadow_put(core->store, template, name);
	if (r < 0)
		return refuse_unwritten(r, why);
	snprintf(row->policy, sizeof(row->policy), "%s", name);
	shadow_settle_all(core);
	return 0;
}
