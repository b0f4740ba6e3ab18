/* Budgets that are used up, as the one decision core sees them. */
#include "bpf/lib/decide.h"
#include "tests/harness/check.h"
#include "tests/table/rows.h"

#define OUT ABI_BUDGET_BIT(ABI_BUDGET_BYTES_OUT)
#define IN ABI_BUDGET_BIT(ABI_BUDGET_BYTES_IN)
#define CONNECTIONS ABI_BUDGET_BIT(ABI_BUDGET_CONNECTIONS)
#define QUERIES ABI_BUDGET_BIT(ABI_BUDGET_DNS_QUERIES)
#define TENANTS(bits) ((bits) << ABI_BUDGET_TENANT_SHIFT)
#define RULE 3

static const struct {
	const char *address;
	uint16_t port;
	uint8_t protocol, spent, verdict, reason;
	uint16_t rule;
} spent_rows[] = {
	{"203.0.113.7", 443, IPPROTO_TCP, 0, ABI_VERDICT_REDIRECT, ABI_REASON_RULE, RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, OUT, ABI_VERDICT_DENY, ABI_REASON_BUDGET, RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, IN, ABI_VERDICT_DENY, ABI_REASON_BUDGET, RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, CONNECTIONS, ABI_VERDICT_DENY, ABI_REASON_BUDGET, RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, OUT | IN | CONNECTIONS | QUERIES, ABI_VERDICT_DENY,
		ABI_REASON_BUDGET, RULE},
	/* Queries and connections have nothing to do with each other. */
	{"203.0.113.7", 443, IPPROTO_TCP, QUERIES, ABI_VERDICT_REDIRECT, ABI_REASON_RULE, RULE},
	{"9.9.9.9", 53, IPPROTO_UDP, 0, ABI_VERDICT_RESOLVE, ABI_REASON_RESOLVER, ABI_RULE_NONE},
	{"9.9.9.9", 53, IPPROTO_UDP, OUT | IN | CONNECTIONS, ABI_VERDICT_RESOLVE,
		ABI_REASON_RESOLVER, ABI_RULE_NONE},
	{"9.9.9.9", 53, IPPROTO_UDP, QUERIES, ABI_VERDICT_DENY, ABI_REASON_BUDGET, ABI_RULE_NONE},
	{"127.0.0.53", 53, IPPROTO_UDP, QUERIES, ABI_VERDICT_DENY, ABI_REASON_BUDGET,
		ABI_RULE_NONE},
	{"2620:fe::fe", 53, IPPROTO_TCP, QUERIES, ABI_VERDICT_DENY, ABI_REASON_BUDGET,
		ABI_RULE_NONE},
	/* The tenant's, as the sandbox's. */
	{"203.0.113.7", 443, IPPROTO_TCP, TENANTS(OUT), ABI_VERDICT_DENY, ABI_REASON_BUDGET, RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, TENANTS(IN), ABI_VERDICT_DENY, ABI_REASON_BUDGET, RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, TENANTS(CONNECTIONS), ABI_VERDICT_DENY, ABI_REASON_BUDGET,
		RULE},
	{"203.0.113.7", 443, IPPROTO_TCP, TENANTS(QUERIES), ABI_VERDICT_REDIRECT, ABI_REASON_RULE,
		RULE},
	{"9.9.9.9", 53, IPPROTO_UDP, TENANTS(OUT | IN | CONNECTIONS), ABI_VERDICT_RESOLVE,
		ABI_REASON_RESOLVER, ABI_RULE_NONE},
	{"9.9.9.9", 53, IPPROTO_UDP, TENANTS(QUERIES), ABI_VERDICT_DENY, ABI_REASON_BUDGET,
		ABI_RULE_NONE},
	{"127.0.0.1", 8080, IPPROTO_TCP, TENANTS(OUT | IN | CONNECTIONS | QUERIES),
		ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE},
	/* The sandbox's own loopback costs nothing. */
	{"127.0.0.1", 8080, IPPROTO_TCP, OUT | IN | CONNECTIONS | QUERIES, ABI_VERDICT_ALLOW,
		ABI_REASON_LOOPBACK, ABI_RULE_NONE},
	{"::1", 8080, IPPROTO_UDP, OUT | IN | CONNECTIONS | QUERIES, ABI_VERDICT_ALLOW,
		ABI_REASON_LOOPBACK, ABI_RULE_NONE},
};

TEST(budgets_that_are_used_up_deny_what_they_are_for)
{
	for (size_t i = 0; i < ARRAY_SIZE(spent_rows); i++) {
		const struct decide_facts facts = {.address = row_address(spent_rows[i].address),
			.sandbox = 1,
			.port = spent_rows[i].port,
			.gate_port = 40000,
			.dns_port = 40001,
			.rule = spent_rows[i].verdict == ABI_VERDICT_REDIRECT ||
						spent_rows[i].rule == RULE
					? RULE
					: ABI_RULE_NONE,
			.protocol = spent_rows[i].protocol,
			.spent = spent_rows[i].spent,
			.live = true};
		struct decide_verdict verdict = decide_destination(&facts);

		if (verdict.verdict != spent_rows[i].verdict ||
			verdict.reason != spent_rows[i].reason ||
			verdict.rule != spent_rows[i].rule)
			CHECK_FAIL("row %zu: verdict %u reason %u rule %u", i, verdict.verdict,
				verdict.reason, verdict.rule);
	}
}

/* What no rule allows is denied for that reason, and shows nothing of the budget. */
TEST(what_no_rule_allows_is_denied_for_that_reason)
{
	const struct decide_facts facts = {.address = row_address("203.0.113.7"),
		.port = 443,
		.gate_port = 40000,
		.rule = ABI_RULE_NONE,
		.protocol = IPPROTO_TCP,
		.spent = 0xff,
		.live = true};

	CHECK_INT(decide_destination(&facts).reason, ABI_REASON_DEFAULT);
}
