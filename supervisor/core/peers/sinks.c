#include "supervisor/core/peers/sinks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/core.h"
#include "supervisor/core/peers/peer.h"

struct sinks {
	struct sink *first;
	struct peer *peer;
	char program[256];
};

struct sink **sinks_list(struct sinks *sinks)
{
	return &sinks->first;
}

struct peer **sinks_peer(struct sinks *sinks)
{
	return &sinks->peer;
}

char *sinks_program(struct sinks *sinks)
{
	return sinks->program;
}

struct sink *sinks_first(const struct core *core)
{
	return core->sinks->first;
}

static struct sink *add(struct sinks *sinks, const struct store_sink *row)
{
	struct sink *sink = calloc(1, sizeof(*sink)), **place = &sinks->first;

	if (!sink)
		return NULL;
	sink->row = *row;
	sink->stored_cursor = row->cursor;
	while (*place)
		place = &(*place)->next;
	*place = sink;
	return sink;
}

struct load {
	struct core *core;
	bool failed;
};

/* A log that ends before the cursor is another one, begun after the old one was moved aside. */
static void load_row(const struct store_sink *row, void *userdata)
{
	struct load *load = userdata;
	struct sink *sink = add(load->core->sinks, row);

	if (!sink) {
		load->failed = true;
		return;
	}
	if (row->cursor > audit_last_sequence(load->core->audit)) {
		log_warning("sink %lu: the audit log is a new one: beginning at its first record",
			(unsigned long)row->id);
		sink->row.cursor = 0;
	}
}

static bool is_active(const struct core *core, const struct sink *sink)
{
	return sink->row.kind == STORE_SINK_WEBHOOK ||
	       (core->config->syslog && strcmp(core->config->syslog, sink->row.url) == 0);
}

/* The sink of --syslog: what was delivered in an earlier run is not sent again. */
static int find_syslog(struct core *core)
{
	struct store_sink row = {.kind = STORE_SINK_SYSLOG,
		.created_ns = clock_realtime_ns(),
		.cursor = audit_last_sequence(core->audit)};
	int r;

	if (!core->config->syslog)
		return 0;
	for (const struct sink *each = core->sinks->first; each; each = each->next)
		if (each->row.kind == STORE_SINK_SYSLOG && is_active(core, each))
			return 0;
	snprintf(row.url, sizeof(row.url), "%s", core->config->syslog);
	r = store_sink_insert(core->store, &row);
	if (r < 0)
		return r;
	return add(core->sinks, &row) ? 0 : -ENOMEM;
}

static void drop_inactive(struct core *core)
{
	struct sink **place = &core->sinks->first, *sink;

	while ((sink = *place)) {
		if (is_active(core, sink)) {
			place = &sink->next;
			continue;
		}
		*place = sink->next;
		free(sink);
	}
}

int sinks_start(struct core *core, struct failure *why)
{
	struct load load = {.core = core};
	int r;

	core->sinks = calloc(1, sizeof(*core->sinks));
	if (!core->sinks)
		return failure_set(why, -ENOMEM, "sinks", "out of memory");
	r = store_sink_each(core->store, load_row, &load);
	if (r == 0 && load.failed)
		r = -ENOMEM;
	if (r == 0)
		r = find_syslog(core);
	if (r < 0)
		return failure_set(why, r, "sinks", "the rows of sinks are not read");
	drop_inactive(core);
	if (core->sinks->first && export_start(core, why) < 0) {
		log_failure("audit records are not sent to anybody", why);
		*why = (struct failure){0};
	}
	return 0;
}

struct sinks *sinks_free(struct sinks *sinks)
{
	if (!sinks)
		return NULL;
	peer_stop(sinks->peer);
	while (sinks->first) {
		struct sink *sink = sinks->first;

		sinks->first = sink->next;
		explicit_bzero(sink, sizeof(*sink));
		free(sink);
	}
	free(sinks);
	return NULL;
}

struct sink *sinks_find(const struct core *core, const struct tenant *tenant, uint64_t id)
{
	struct sink *sink = core->sinks->first;

	while (sink && (sink->row.id != id || sink->row.kind != STORE_SINK_WEBHOOK ||
			       (tenant && sink->row.tenant != tenant->row.id)))
		sink = sink->next;
	return sink;
}

static int check_room(const struct core *core, uint32_t tenant, struct refusal *why)
{
	size_t n = 0, n_of_tenant = 0;

	for (const struct sink *each = core->sinks->first; each; each = each->next) {
		n++;
		n_of_tenant += tenant && each->row.tenant == tenant;
	}
	if (n >= SINKS_MAX)
		return refuse(why, WIRE_CODE_LIMIT, "There are %d webhooks already; delete one.",
			SINKS_MAX);
	if (n_of_tenant >= SINKS_PER_TENANT_MAX)
		return refuse(why, WIRE_CODE_LIMIT,
			"The tenant has %d webhooks already; delete one.", SINKS_PER_TENANT_MAX);
	return 0;
}

int sinks_create(struct core *core, const struct store_sink *row, struct sink **ret_sink,
	struct refusal *why)
{
	struct store_sink made = *row;
	struct failure failure = {0};
	int r = check_room(core, row->tenant, why);

	if (r < 0)
		return r;
	if (export_start(core, &failure) < 0)
		return refuse(why, WIRE_CODE_UNAVAILABLE, "cloche-export does not start: %s",
			failure.sentence);
	made.created_ns = clock_realtime_ns();
	if (getrandom(made.secret, sizeof(made.secret), 0) != (ssize_t)sizeof(made.secret))
		return refuse(why, WIRE_CODE_INTERNAL, "There are no random numbers.");
	r = store_sink_insert(core->store, &made);
	if (r < 0)
		return refuse(why, WIRE_CODE_UNAVAILABLE, "The webhook was not stored: %s.",
			strerror(-r));
	*ret_sink = add(core->sinks, &made);
	explicit_bzero(&made, sizeof(made));
	if (!*ret_sink)
		return refuse(why, WIRE_CODE_INTERNAL, "Out of memory.");
	export_tell(core, *ret_sink);
	return 0;
}

static void forget(struct core *core, struct sink *sink)
{
	struct sink **place = &core->sinks->first;

	while (*place != sink)
		place = &(*place)->next;
	*place = sink->next;
	export_tell_gone(core, sink->row.id);
	explicit_bzero(sink, sizeof(*sink));
	free(sink);
	if (!core->sinks->first)
		core->sinks->peer = peer_stop(core->sinks->peer);
}

int sinks_delete(struct core *core, struct sink *sink, struct refusal *why)
{
	int r = store_sink_delete(core->store, sink->row.id);

	if (r < 0 && r != -ENOENT)
		return refuse(why, WIRE_CODE_UNAVAILABLE, "The webhook stays: %s.", strerror(-r));
	forget(core, sink);
	return 0;
}

void sinks_forget_tenant(struct core *core, uint32_t tenant)
{
	struct sink *sink, *next;
	int r = store_sink_delete_of_tenant(core->store, tenant);

	if (r < 0)
		log_error("webhooks of tenant %u stay in the store: %s", tenant, strerror(-r));
	for (sink = core->sinks->first; sink; sink = next) {
		next = sink->next;
		if (sink->row.tenant == tenant)
			forget(core, sink);
	}
}

void sinks_wake(struct core *core)
{
	for (struct sink *each = core->sinks->first; each; each = each->next)
		if (each->waiting)
			export_answer(core, each);
}
