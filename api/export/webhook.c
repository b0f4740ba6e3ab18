/* A webhook: the host's address is looked up and vetted for each attempt, then the batch is posted
 * to that address. */
#include <arpa/inet.h>
#include <string.h>

#include "api/export/sink.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/resolve/vet.h"

int webhook_take(struct sink *sink, const char *lines, size_t size)
{
	delivery_fini(&sink->delivery);
	return delivery_make(&sink->delivery, sink->id, sink->ocsf, lines, size);
}

static void on_done(const struct transfer_result *result, void *userdata)
{
	struct sink *sink = userdata;

	sink->transfer = NULL;
	if (result->status >= 200 && result->status < 300)
		sink_delivered(sink);
	else if (result->status >= 300 && result->status < 400)
		sink_failed(sink, 0, "The receiver answered %ld; redirects are not followed.",
			result->status);
	else if (result->status)
		sink_failed(sink, result->retry_after_seconds, "The receiver answered %ld.",
			result->status);
	else
		sink_failed(sink, 0, "%s", result->error);
}

static void post(struct sink *sink, const struct abi_address *address)
{
	char headers[3][DELIVERY_HEADER_SIZE];
	const char *list[] = {
		headers[0], headers[1], headers[2], "Content-Type: application/x-ndjson", NULL};
	const struct transfer_config config = {.url = sink->url_text,
		.address = *address,
		.port = sink->url.port,
		.headers = list,
		.body = sink->delivery.body.bytes,
		.body_size = sink->delivery.body.size,
		.done = on_done,
		.userdata = sink};

	if (delivery_sign(&sink->delivery, sink->secret, sizeof(sink->secret),
		    clock_realtime_ns() / NS_PER_SECOND, headers) < 0 ||
		transfer_start(sink->exporter->transfers, &config, &sink->transfer) < 0)
		sink_failed(sink, 0, "There was no memory for the request.");
}

/* One of those that may be called, another one with each attempt. */
static void choose(struct sink *sink, const struct abi_address *addresses, size_t n_addresses)
{
	size_t allowed[UPSTREAM_ADDRESSES_MAX], n_allowed = 0;
	const char *range = NULL;

	for (size_t i = 0; i < n_addresses && i < UPSTREAM_ADDRESSES_MAX; i++) {
		const char *refusal = sink->internal ? NULL : vet_refusal(&addresses[i], false);

		if (refusal)
			range = refusal;
		else
			allowed[n_allowed++] = i;
	}
	if (n_allowed == 0)
		sink_failed(sink, 0,
			"The address of %s is not public (%s): only an administrator's webhook "
			"with \"internal\" may go there.",
			sink->url.host, range ? range : "there is none");
	else
		post(sink, &addresses[allowed[sink->n_attempts % n_allowed]]);
}

static void on_resolved(struct upstream_query *query _unused_, int error,
	const struct abi_address *addresses, size_t n_addresses, void *userdata)
{
	struct sink *sink = userdata;

	sink->query = NULL;
	if (error)
		sink_failed(sink, 0, "The name %s has no address now: %s.", sink->url.host,
			strerror(-error));
	else
		choose(sink, addresses, n_addresses);
}

void webhook_attempt(struct sink *sink)
{
	struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
	int r;

	if (sink->url.is_address) {
		if (inet_pton(AF_INET, sink->url.host, address.bytes + 12) != 1)
			inet_pton(AF_INET6, sink->url.host, address.bytes);
		choose(sink, &address, 1);
		return;
	}
	r = upstream_resolve(
		sink->exporter->upstream, sink->url.host, on_resolved, sink, &sink->query);
	if (r < 0)
		sink_failed(sink, 0, "The name %s cannot be looked up: %s.", sink->url.host,
			strerror(-r));
}

void webhook_fini(struct sink *sink)
{
	sink->query = upstream_cancel(sink->query);
	sink->transfer = transfer_cancel(sink->transfer);
	delivery_fini(&sink->delivery);
}
