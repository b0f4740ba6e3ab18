/* supervisor/audit/segments/index.c: the ring of recent records. */
#include "supervisor/audit/audit.h"
#include "supervisor/audit/segments/index.h"
#include "tests/harness/check.h"

static void add(struct audit_index *index, uint64_t sequence)
{
	struct audit_facts facts = {.sequence = sequence, .sandbox = sequence % 3};

	audit_index_add(index, &facts, sequence * 100, 100);
}

TEST(holds_what_was_added_and_nothing_before)
{
	struct audit_index index;

	CHECK_INT(audit_index_init(&index, 41), 0);
	CHECK(!audit_index_get(&index, 41) && !audit_index_get(&index, 42));
	add(&index, 42);
	add(&index, 43);
	CHECK_INT(audit_index_get(&index, 42)->offset_bytes, 4200);
	CHECK_INT(audit_index_get(&index, 43)->facts.sequence, 43);
	CHECK(!audit_index_get(&index, 44) && !audit_index_get(&index, 41));
	audit_index_fini(&index);
}

TEST(forgets_the_oldest_when_full)
{
	struct audit_index index;

	CHECK_INT(audit_index_init(&index, 0), 0);
	for (uint64_t i = 1; i <= AUDIT_INDEX_MAX + 5; i++)
		add(&index, i);
	CHECK(!audit_index_get(&index, 5));
	CHECK_INT(audit_index_get(&index, 6)->facts.sequence, 6);
	CHECK_INT(
		audit_index_get(&index, AUDIT_INDEX_MAX + 5)->facts.sequence, AUDIT_INDEX_MAX + 5);
	audit_index_fini(&index);
}

TEST(cutting_forgets_the_newest_and_goes_on_from_there)
{
	struct audit_index index;

	CHECK_INT(audit_index_init(&index, 10), 0);
	for (uint64_t i = 11; i <= 15; i++)
		add(&index, i);
	audit_index_cut(&index, 13);
	CHECK(audit_index_get(&index, 13) && !audit_index_get(&index, 14));
	add(&index, 14);
	audit_index_cut(&index, 10);
	CHECK(!audit_index_get(&index, 11));
	audit_index_cut(&index, 99);
	add(&index, 11);
	CHECK_INT(audit_index_get(&index, 11)->offset_bytes, 1100);
	audit_index_fini(&index);
}

TEST(a_type_matches_whole_or_up_to_a_dot)
{
	struct audit_facts facts = {.sandbox = 7, .tenant = 2, .type = "network.connect"};

	CHECK(audit_facts_match(&facts, &(struct audit_query){}));
	CHECK(audit_facts_match(&facts, &(struct audit_query){.type = ""}));
	CHECK(audit_facts_match(&facts, &(struct audit_query){.type = "network"}));
	CHECK(audit_facts_match(&facts, &(struct audit_query){.type = "network.connect"}));
	CHECK(!audit_facts_match(&facts, &(struct audit_query){.type = "network.conn"}));
	CHECK(!audit_facts_match(&facts, &(struct audit_query){.type = "net"}));
	CHECK(!audit_facts_match(&facts, &(struct audit_query){.type = "network.connect.x"}));
}

TEST(a_record_of_nobody_is_not_a_tenants)
{
	struct audit_facts own = {.sandbox = 7, .tenant = 2}, nobody = {.sandbox = 7};
	struct audit_query query = {.tenant = 2};

	CHECK(audit_facts_match(&own, &query));
	CHECK(!audit_facts_match(&nobody, &query));
	query.tenant = 0;
	query.sandbox = 7;
	CHECK(audit_facts_match(&nobody, &query));
	query.sandbox = 8;
	CHECK(!audit_facts_match(&nobody, &query));
}
