/* From outside to a port inside: only where the policy says so, and each attempt recorded. */
#include <errno.h>
#include <string.h>

#include "supervisor/core/sandbox/sandbox.h"

static void record(const struct sandbox *sandbox, uint16_t port, bool allowed, const char *key_id,
	const char *remote)
{
	struct audit_subject subject;

	sandbox_subject(sandbox, &subject);
	audit_record(sandbox->core->audit, "network.inbound", &subject,
		json_pack("{s:s, s:i, s:s, s:o}", "verdict", allowed ? "allow" : "deny", "port",
			(int)port, "key", key_id, "remote", audit_text(remote, strlen(remote))));
}

/* The gate's own sockets inside are not the sandbox's to show. */
static bool is_gate_port(const struct sandbox *sandbox, uint16_t port)
{
	return port == sandbox->sockets.relay_port || port == sandbox->sockets.dns_port;
}

static bool is_up(const struct sandbox *sandbox)
{
	return sandbox->phase == PHASE_CLAIMED || sandbox->phase == PHASE_RUNNING;
}

bool sandbox_port_is_open(const struct sandbox *sandbox, uint16_t port)
{
	return is_up(sandbox) && policy_allows_inbound(sandbox->effective->policy, port) &&
	       !is_gate_port(sandbox, port);
}

int sandbox_connect_port(struct sandbox *sandbox, uint16_t port, const char *key_id,
	const char *remote, int *ret_fd, struct refusal *why)
{
	bool allowed;
	int r;

	*ret_fd = -1;
	if (!is_up(sandbox))
		return refuse(
			why, WIRE_CODE_CONFLICT, "The sandbox is not up yet, ending, or failed.");
	if (port == 0)
		return refuse(why, WIRE_CODE_INVALID, "A port lies between 1 and 65535.");
	allowed = sandbox_port_is_open(sandbox, port);
	record(sandbox, port, allowed, key_id, remote);
	if (!allowed && is_gate_port(sandbox, port))
		return refuse(why, WIRE_CODE_FORBIDDEN,
			"Port %u of this sandbox is Cloche's own gate; use another one.", port);
	if (!allowed)
		return refuse(why, WIRE_CODE_FORBIDDEN,
			"Port %u is not open to previews by policy \"%s\" of this sandbox; ask for "
			"{\"network\": {\"inbound\": {\"ports\": [%u]}}} in it and in its tenant's "
			"policy.",
			port, sandbox->effective->policy->name, port);
	r = launch_connect_inside(sandbox->pidfd, port, ret_fd);
	if (r < 0 && r != -ECONNREFUSED)
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Port %u cannot be connected to now (%s).", port, strerror(-r));
	return 0;
}
