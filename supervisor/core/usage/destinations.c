/* Traffic by destination: told by the gate as what was added, and added up in the store at once. So
 * no end of the gate or of this process takes anything back; at most the last second is never told.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/wire/strings.h"

/* Names as tickets have them, and literal addresses: the gate makes nothing else. */
static bool is_plain(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_:")] == '\0';
}

/* Of a sandbox that has ended too: its last traffic may be told later than its end. */
static uint32_t tenant_of(const struct core *core, uint64_t sandbox)
{
	const struct sandbox *living = table_get(core->sandboxes, sandbox);
	struct wire_usage usage;
	uint32_t tenant;

	if (living)
		return living->tenant ? living->tenant->row.id : 0;
	if (store_usage_get(core->store, sandbox, &tenant, &usage, sizeof(usage)) < 0 ||
		!tenants_get(core->tenants, tenant))
		return 0;
	return tenant;
}

static int add(struct core *core, uint64_t sandbox, const struct store_destination *more)
{
	uint32_t tenant = tenant_of(core, sandbox);
	int r;

	if (!tenant)
		return 0;
	r = store_destination_add(core->store, tenant, sandbox, more);
	return r < 0 ? r : store_destination_add(core->store, tenant, 0, more);
}

static int add_rows(struct core *core, const struct wire_gate_used *rows, uint32_t n)
{
	int r = store_begin(core->store);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		struct store_destination more = {.bytes_sent = rows[i].bytes_sent,
			.bytes_received = rows[i].bytes_received,
			.connections = rows[i].connections};

		snprintf(more.name, sizeof(more.name), "%s", rows[i].name);
		r = add(core, rows[i].sandbox, &more);
	}
	if (r == 0)
		r = store_commit(core->store);
	if (r < 0)
		store_rollback(core->store);
	return r;
}

int destinations_used(struct core *core, const struct channel_message *message)
{
	const struct wire_gate_used_page *page = message->body;
	const struct wire_gate_used *rows = (const struct wire_gate_used *)(page + 1);
	int r;

	if (message->body_size < sizeof(*page) || page->n_rows > WIRE_GATE_USED_MAX ||
		message->body_size != sizeof(*page) + page->n_rows * sizeof(*rows))
		return -EPROTO;
	for (uint32_t i = 0; i < page->n_rows; i++)
		if (!WIRE_TEXT_VALID(rows[i].name) || !is_plain(rows[i].name))
			return -EPROTO;
	r = add_rows(core, rows, page->n_rows);
	if (r < 0)
		log_warning("traffic of %u destinations was not stored: %s", page->n_rows,
			strerror(-r));
	return 0;
}

void destinations_flow(struct core *core, const struct wire_gate_flow *flow)
{
	struct wire_gate_used row = {.sandbox = flow->sandbox,
		.bytes_sent = flow->bytes_sent,
		.bytes_received = flow->bytes_received,
		.connections = 1};
	char address[ADDRESS_TEXT_SIZE];
	int r;

	if (flow->protocol != IPPROTO_UDP || (!flow->bytes_sent && !flow->bytes_received))
		return;
	address_to_text(flow->address.bytes, address);
	snprintf(row.name, sizeof(row.name), "%s", flow->name[0] ? flow->name : address);
	if (!is_plain(row.name))
		row.name[0] = '\0';
	r = add_rows(core, &row, 1);
	if (r < 0)
		log_warning("traffic of a destination was not stored: %s", strerror(-r));
}
