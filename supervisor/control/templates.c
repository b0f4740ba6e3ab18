#include <stdio.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/strings.h"
#include "supervisor/wire/templates.h"

void shadow_fill_state(const struct core *core, const struct shadow_group *group,
	const char *policy, struct wire_shadow_state *ret_state)
{
	snprintf(ret_state->policy, sizeof(ret_state->policy), "%s", policy);
	if (policy[0])
		shadow_count(core, group, &ret_state->n_asked, &ret_state->n_not_asked);
}

static void add_row(
	const struct request *request, const struct launch_template *template, struct rows *rows)
{
	const struct core *core = request->control->core;
	const struct shadow_group group = {.source = CANDIDATE_TEMPLATE,
		.tenant = request_scope(request),
		.template = template->name};
	struct wire_template_row row = {.available = template->available};

	snprintf(row.name, sizeof(row.name), "%s", template->name);
	snprintf(row.runtime, sizeof(row.runtime), "%s", template->runtime);
	snprintf(row.reason, sizeof(row.reason), "%s", template->reason);
	pool_count(core->pool, template->name, &row.n_warm, &row.n_target);
	shadow_fill_state(core, &group, template_shadow(core, template->name), &row.shadow);
	rows_add(rows, &row, sizeof(row), NULL, 0);
}

/* `name` NULL: all. */
static void answer(struct request *request, const char *name)
{
	const struct core *core = request->control->core;
	const struct launch_template *templates;
	struct rows rows = {0};
	size_t n;

	templates = launch_templates(core->launch, &n);
	for (size_t i = 0; i < n; i++)
		if (!name || strcmp(name, templates[i].name) == 0)
			add_row(request, &templates[i], &rows);
	rows_answer(&rows, request, WIRE_API_TEMPLATES);
}

void handle_template_list(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	answer(request, NULL);
}

void shadow_record(const struct request *request, const char *type, const char *remote,
	const char *name, const struct wire_shadow_state *state)
{
	const struct tenant *actor = request->key->tenant;
	const struct audit_subject subject = {
		.tenant = actor->row.id, .tenant_name = actor->row.name};

	audit_record(request->control->core->audit, type, &subject,
		json_pack("{s:s, s:s, s:s, s:s?, s:i, s:i}", "by_key", request->key->row.id,
			"remote", remote, "name", name, "shadow",
			state->policy[0] ? state->policy : NULL, "asked", (int)state->n_asked,
			"not_asked", (int)state->n_not_asked));
}

void handle_template_patch(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_template_patch *patch = body;
	struct core *core = request->control->core;
	const struct shadow_group group = {.source = CANDIDATE_TEMPLATE, .template = patch->name};
	struct wire_shadow_state state = {0};
	struct refusal why;

	if (!WIRE_TEXT_VALID(patch->name) || !WIRE_TEXT_VALID(patch->shadow.policy) ||
		!patch->shadow.is_given) {
		request_fail(request, WIRE_CODE_INVALID, "A name is not a text.");
		return;
	}
	if (template_set_shadow(core, patch->name, patch->shadow.policy, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	shadow_fill_state(core, &group, patch->shadow.policy, &state);
	shadow_record(request, "template.shadow", patch->caller.remote, patch->name, &state);
	answer(request, patch->name);
}
