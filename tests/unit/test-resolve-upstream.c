#include "tests/harness/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/resolve/question.h"
#include "supervisor/resolve/upstream.h"
#include "tests/harness/name-server.h"

#define NAME "www.example.com"

static const uint8_t v4[4] = {203, 0, 113, 7};
static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};

struct scene {
	struct loop *loop;
	struct name_server servers[WIRE_GATE_RESOLVERS_MAX];
	size_t n_servers;
	struct upstream *upstream;
};

/* What a callback was told, and what it does. */
struct told {
	int n_calls, error;
	size_t n_addresses;
	struct abi_address addresses[UPSTREAM_ADDRESSES_MAX];
	uint64_t asked_ns, told_ns;
	struct scene *scene;
	struct upstream_query *query;
	struct told *cancels; /* another that waits */
	struct told *asks;    /* another that asks for the same name then */
	bool frees_upstream;
};

static void ask(struct scene *scene, const char *name, struct told *told);

static void on_told(struct upstream_query *query, int error, const struct abi_address *addresses,
	size_t n_addresses, void *userdata)
{
	struct told *told = userdata;

	CHECK(query == told->query);
	told->query = NULL;
	told->n_calls++;
	told->error = error;
	told->n_addresses = n_addresses;
	CHECK(n_addresses <= UPSTREAM_ADDRESSES_MAX);
	memcpy(told->addresses, addresses, n_addresses * sizeof(*addresses));
	told->told_ns = clock_monotonic_ns();
	if (told->cancels)
		told->cancels->query = upstream_cancel(told->cancels->query);
	if (told->asks)
		ask(told->scene, NAME, told->asks);
	if (told->frees_upstream)
		told->scene->upstream = upstream_free(told->scene->upstream);
}

static void ask(struct scene *scene, const char *name, struct told *told)
{
	told->scene = scene;
	told->asked_ns = clock_monotonic_ns();
	CHECK_INT(upstream_resolve(scene->upstream, name, on_told, told, &told->query), 0);
	CHECK_INT(told->n_calls, 0);
}

/* `respond` is NULL: a port where nobody listens. */
static struct scene *scene_new(size_t n, const name_server_respond *respond)
{
	struct wire_gate_resolver resolvers[WIRE_GATE_RESOLVERS_MAX];
	struct scene *scene = calloc(1, sizeof(*scene));

	CHECK_INT(loop_new(&scene->loop), 0);
	scene->n_servers = n;
	for (size_t i = 0; i < n; i++) {
		name_server_open(
			&scene->servers[i], scene->loop, AF_INET, respond[i], &scene->servers[i]);
		resolvers[i] = scene->servers[i].address;
		if (!respond[i])
			name_server_close(&scene->servers[i]);
	}
	CHECK_INT(upstream_new(scene->loop, resolvers, n, &scene->upstream), 0);
	return scene;
}

static struct scene *scene_of(name_server_respond respond)
{
	return scene_new(1, &respond);
}

static void scene_free(struct scene *scene)
{
	upstream_free(scene->upstream);
	for (size_t i = 0; i < scene->n_servers; i++)
		if (scene->servers[i].respond)
			name_server_close(&scene->servers[i]);
	loop_free(scene->loop);
	free(scene);
}

static void wait_for(struct scene *scene, const struct told *told)
{
	while (told->n_calls == 0)
		CHECK_INT(loop_run_once(scene->loop, 10000), 0);
}

/* Runs until nothing has happened for `ms`. */
static void settle(struct scene *scene, int ms)
{
	for (uint64_t end_ns = clock_monotonic_ns() + (uint64_t)ms * NS_PER_MS;
		clock_monotonic_ns() < end_ns;)
		CHECK_INT(loop_run_once(scene->loop, ms), 0);
}

static uint64_t took_ms(const struct told *told)
{
	return (told->told_ns - told->asked_ns) / NS_PER_MS;
}

static void check_both(const struct told *told)
{
	CHECK_INT(told->n_calls, 1);
	CHECK_INT(told->error, 0);
	CHECK_INT(told->n_addresses, 2);
	CHECK(memcmp(told->addresses[0].bytes, v6, 16) == 0);
	CHECK(memcmp(&told->addresses[1].bytes[12], v4, 4) == 0);
	CHECK_INT(told->addresses[1].bytes[10], 0xff);
}

static void add_address(struct name_server_query *query)
{
	if (query->type == QUESTION_AAAA)
		name_server_add(query, query->name, QUESTION_AAAA, 300, v6, 16);
	else
		name_server_add(query, query->name, QUESTION_A, 300, v4, 4);
}

static void say_address(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, 0x8180);
	add_address(query);
}

static void say_nothing(struct name_server_query *query _unused_, void *userdata _unused_)
{
}

static void say_failure(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, 0x8182);
}

TEST(upstream_gives_both_families)
{
	struct scene *scene = scene_of(say_address);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	check_both(&told);
	CHECK_INT(scene->servers[0].n_udp, 2);
	CHECK_INT(scene->servers[0].n_tcp, 0);
	scene_free(scene);
}

TEST(upstream_asks_a_resolver_over_ipv6)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct told told = {0};

	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		check_skip("this kernel has no IPv6");
	CHECK_INT(loop_new(&scene->loop), 0);
	scene->n_servers = 1;
	name_server_open(&scene->servers[0], scene->loop, AF_INET6, say_address, NULL);
	CHECK_INT(upstream_new(scene->loop, &scene->servers[0].address, 1, &scene->upstream), 0);
	ask(scene, NAME, &told);
	wait_for(scene, &told);
	check_both(&told);
	scene_free(scene);
}

TEST(upstream_answers_from_the_cache)
{
	struct scene *scene = scene_of(say_address);
	struct told first = {0}, second = {0}, other = {0};

	ask(scene, NAME, &first);
	wait_for(scene, &first);
	ask(scene, NAME, &second);
	wait_for(scene, &second);
	check_both(&second);
	CHECK_INT(scene->servers[0].n_udp, 2);
	ask(scene, "other.example.com", &other);
	wait_for(scene, &other);
	CHECK_INT(scene->servers[0].n_udp, 4);
	scene_free(scene);
}

TEST(upstream_shares_a_query_between_callers)
{
	struct scene *scene = scene_of(say_address);
	struct told told[50] = {0};

	for (int i = 0; i < 50; i++)
		ask(scene, NAME, &told[i]);
	wait_for(scene, &told[49]);
	for (int i = 0; i < 50; i++)
		check_both(&told[i]);
	CHECK_INT(scene->servers[0].n_udp, 2);
	scene_free(scene);
}

static void say_no_such_name(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, 0x8183);
}

static void say_no_address(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, 0x8180);
}

static void say_ipv4_only(struct name_server_query *query, void *userdata _unused_)
{
	/* Servers that answer so to AAAA are common, and wrong. */
	name_server_begin(query, query->type == QUESTION_A ? 0x8180 : 0x8183);
	if (query->type == QUESTION_A)
		add_address(query);
}

TEST(upstream_tells_absent_names_from_names_without_addresses_and_keeps_that)
{
	struct scene *absent = scene_of(say_no_such_name), *empty = scene_of(say_no_address);
	struct told told[4] = {0};

	for (int i = 0; i < 4; i++) {
		struct scene *scene = i % 2 ? empty : absent;

		ask(scene, NAME, &told[i]);
		wait_for(scene, &told[i]);
		CHECK_INT(told[i].error, i % 2 ? -ENODATA : -ENOENT);
		CHECK_INT(told[i].n_addresses, 0);
	}
	CHECK_INT(absent->servers[0].n_udp, 2);
	CHECK_INT(empty->servers[0].n_udp, 2);
	scene_free(absent);
	scene_free(empty);
}

TEST(upstream_gives_one_family_when_the_other_is_said_not_to_be)
{
	struct scene *scene = scene_of(say_ipv4_only);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	CHECK_INT(told.error, 0);
	CHECK_INT(told.n_addresses, 1);
	CHECK(took_ms(&told) < 200);
	scene_free(scene);
}

static void say_only_when_asked_for_ipv4(struct name_server_query *query, void *userdata)
{
	if (query->type == QUESTION_A)
		say_address(query, userdata);
}

TEST(upstream_waits_a_moment_for_the_slower_family_and_only_once)
{
	struct scene *scene = scene_of(say_only_when_asked_for_ipv4);
	struct told first = {0}, second = {0};

	ask(scene, NAME, &first);
	wait_for(scene, &first);
	CHECK_INT(first.error, 0);
	CHECK_INT(first.n_addresses, 1);
	CHECK(took_ms(&first) >= 249 && took_ms(&first) < 1500);
	ask(scene, NAME, &second);
	wait_for(scene, &second);
	CHECK_INT(second.n_addresses, 1);
	CHECK(took_ms(&second) < 200);
	scene_free(scene);
}

static void say_truncated_over_udp(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, query->over_tcp ? 0x8180 : 0x8380);
	/* What a truncated answer holds counts for nothing. */
	if (query->over_tcp)
		for (int i = 0; i < 100; i++)
			add_address(query);
	else
		name_server_add(query, query->name, query->type, 300, "\1\2\3\4", 4);
}

TEST(upstream_asks_over_tcp_when_the_answer_was_cut)
{
	struct scene *scene = scene_of(say_truncated_over_udp);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	CHECK_INT(told.error, 0);
	CHECK_INT(told.n_addresses, 16);
	CHECK(memcmp(told.addresses[7].bytes, v6, 16) == 0);
	CHECK(memcmp(&told.addresses[8].bytes[12], v4, 4) == 0);
	CHECK_INT(scene->servers[0].n_udp, 2);
	CHECK_INT(scene->servers[0].n_tcp, 2);
	scene_free(scene);
}

static void say_truncated_always(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, 0x8380);
}

TEST(upstream_gives_up_on_what_is_cut_over_tcp_too)
{
	struct scene *scene = scene_of(say_truncated_always);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	CHECK_INT(told.error, -EREMOTEIO);
	CHECK_INT(scene->servers[0].n_udp, 4);
	CHECK_INT(scene->servers[0].n_tcp, 4);
	scene_free(scene);
}

static void say_format_error_to_edns(struct name_server_query *query, void *userdata)
{
	if (query->edns)
		name_server_begin(query, 0x8181);
	else
		say_address(query, userdata);
}

TEST(upstream_asks_without_edns_where_it_is_not_known)
{
	struct scene *scene = scene_of(say_format_error_to_edns);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	check_both(&told);
	CHECK_INT(scene->servers[0].n_udp, 4);
	scene_free(scene);
}

static void say_lies_before_the_truth(struct name_server_query *query, void *userdata)
{
	struct name_server *server = userdata;
	static unsigned turn;

	/* The first query of each type gets an answer with another id, or to another question. */
	if (server->n_udp <= 2) {
		name_server_begin(query, 0x8180);
		name_server_add(
			query, query->name, query->type, 300, v6, query->type == 1 ? 4 : 16);
		query->answer[turn++ % 2 ? 1 : 13] ^= 1;
		query->n_times = 20;
	} else {
		say_address(query, userdata);
	}
}

TEST(upstream_does_not_believe_answers_to_other_questions)
{
	struct scene *scene = scene_of(say_lies_before_the_truth);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	check_both(&told);
	/* It waited for the right one, in vain, and asked again. */
	CHECK(took_ms(&told) >= 1999);
	CHECK_INT(scene->servers[0].n_udp, 4);
	scene_free(scene);
}

static void say_many_lies(struct name_server_query *query, void *userdata _unused_)
{
	name_server_begin(query, 0x8180);
	query->answer[0] ^= 1;
	query->n_times = 40;
}

TEST(upstream_ends_a_try_that_somebody_guesses_at)
{
	struct scene *scene = scene_of(say_many_lies);
	struct told told = {0};

	ask(scene, NAME, &told);
	wait_for(scene, &told);
	CHECK_INT(told.error, -EREMOTEIO);
	CHECK(took_ms(&told) < 1500);
	CHECK_INT(scene->servers[0].n_udp, 4);
	scene_free(scene);
}

static uint16_t ids[64], ports[64];
static size_t n_seen;

static void note_id_and_port(struct name_server_query *query, void *userdata)
{
	struct name_server *server = userdata;

	ids[n_seen % 64] = query->id;
	ports[n_seen++ % 64] = server->last_port;
	say_address(query, userdata);
}

static size_t count_distinct(const uint16_t *numbers)
{
	size_t n = 0;

	for (size_t i = 0; i < 64; i++) {
		size_t before = 0;

		while (before < i && numbers[before] != numbers[i])
			before++;
		n += before == i;
	}
	return n;
}

TEST(upstream_changes_id_and_port_with_each_query)
{
	struct scene *scene = scene_of(note_id_and_port);

	n_seen = 0;
	for (int i = 0; i < 32; i++) {
		struct told told = {0};
		char name[32];

		snprintf(name, sizeof(name), "n%d.example.com", i);
		ask(scene, name, &told);
		wait_for(scene, &told);
	}
	CHECK_INT(n_seen, 64);
	/* 64 of 65536 and of 28232: a few may be the same by chance. */
	CHECK(count_distinct(ids) >= 58);
	CHECK(count_distinct(ports) >= 58);
	scene_free(scene);
}

TEST(upstream_asks_the_next_resolver_at_once_when_one_cannot)
{
	const name_server_respond cannot[] = {say_failure, say_address};
	const name_server_respond absent[] = {NULL, say_address};
	struct scene *scenes[] = {scene_new(2, cannot), scene_new(2, absent)};

	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		struct told told = {0};

		ask(scenes[i], NAME, &told);
		wait_for(scenes[i], &told);
		check_both(&told);
		CHECK(took_ms(&told) < 1500);
		scene_free(scenes[i]);
	}
}

TEST(upstream_says_that_resolvers_fail_or_are_not_there)
{
	const name_server_respond nobody[] = {NULL};
	struct scene *failing = scene_of(say_failure), *absent = scene_new(1, nobody);
	struct scene *none = scene_new(0, NULL);
	struct told told[3] = {0};

	ask(failing, NAME, &told[0]);
	wait_for(failing, &told[0]);
	CHECK_INT(told[0].error, -EREMOTEIO);
	CHECK_INT(failing->servers[0].n_udp, 4);
	ask(absent, NAME, &told[1]);
	wait_for(absent, &told[1]);
	CHECK_INT(told[1].error, -ECONNREFUSED);
	ask(none, NAME, &told[2]);
	wait_for(none, &told[2]);
	CHECK_INT(told[2].error, -ENETUNREACH);
	scene_free(failing);
	scene_free(absent);
	scene_free(none);
}

/* In one test, so that they wait at the same time. */
TEST(upstream_ends_in_time_when_resolvers_are_silent)
{
	const name_server_respond second[] = {say_nothing, say_address};
	const name_server_respond nobody[] = {say_nothing, say_nothing, say_nothing};
	struct scene *all[] = {scene_new(2, second), scene_new(1, nobody), scene_new(3, nobody)};
	static const uint64_t wanted_ms[] = {2000, 4000, 6000};
	struct told told[3] = {0};
	size_t n_told = 0;

	for (int i = 0; i < 3; i++)
		ask(all[i], NAME, &told[i]);
	while (n_told < 3) {
		n_told = 0;
		for (int i = 0; i < 3; i++) {
			CHECK_INT(loop_run_once(all[i]->loop, 5), 0);
			n_told += (size_t)told[i].n_calls;
		}
	}
	check_both(&told[0]);
	CHECK_INT(told[1].error, -ETIMEDOUT);
	CHECK_INT(told[2].error, -ETIMEDOUT);
	CHECK_INT(all[1]->servers[0].n_udp, 4);
	for (int i = 0; i < 3; i++) {
		CHECK(took_ms(&told[i]) >= wanted_ms[i] - 1);
		CHECK(took_ms(&told[i]) < wanted_ms[i] + 900);
		CHECK_INT(all[2]->servers[i].n_udp, 2);
	}
	for (int i = 0; i < 3; i++)
		scene_free(all[i]);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(upstream_calls_nobody_who_cancelled_and_leaves_nothing_open)
{
	struct scene *scene = scene_of(say_nothing);
	struct told one = {0}, two = {0};
	int n_fds = count_fds();

	CHECK(!upstream_cancel(NULL));
	ask(scene, NAME, &one);
	ask(scene, NAME, &two);
	settle(scene, 20);
	CHECK_INT(count_fds(), n_fds + 2);
	one.query = upstream_cancel(one.query);
	CHECK(!one.query);
	CHECK_INT(count_fds(), n_fds + 2);
	two.query = upstream_cancel(two.query);
	CHECK_INT(count_fds(), n_fds);
	settle(scene, 20);
	CHECK_INT(one.n_calls + two.n_calls, 0);
	scene_free(scene);
}

TEST(upstream_calls_the_others_when_one_cancelled)
{
	struct scene *scene = scene_of(say_address);
	struct told one = {0}, two = {0};

	ask(scene, NAME, &one);
	ask(scene, NAME, &two);
	one.query = upstream_cancel(one.query);
	wait_for(scene, &two);
	check_both(&two);
	CHECK_INT(one.n_calls, 0);
	scene_free(scene);
}

TEST(upstream_lets_a_callback_cancel_another_and_ask_again)
{
	struct scene *scene = scene_of(say_address);
	struct told first = {0}, cancelled = {0}, third = {0}, again = {0};

	first.cancels = &cancelled;
	first.asks = &again;
	ask(scene, NAME, &first);
	ask(scene, NAME, &cancelled);
	ask(scene, NAME, &third);
	wait_for(scene, &again);
	check_both(&first);
	check_both(&third);
	check_both(&again);
	CHECK_INT(cancelled.n_calls, 0);
	CHECK_INT(scene->servers[0].n_udp, 2);
	scene_free(scene);
}

TEST(upstream_lets_a_callback_cancel_the_last_that_waits)
{
	struct scene *scene = scene_of(say_address);
	struct told first = {0}, last = {0};

	first.cancels = &last;
	ask(scene, NAME, &first);
	ask(scene, NAME, &last);
	wait_for(scene, &first);
	settle(scene, 20);
	CHECK_INT(last.n_calls, 0);
	scene_free(scene);
}

TEST(upstream_lets_a_callback_free_it)
{
	struct scene *scene = scene_of(say_address);
	struct told first = {0}, second = {0}, other = {0};
	int n_fds = count_fds();

	first.frees_upstream = true;
	ask(scene, NAME, &first);
	ask(scene, NAME, &second);
	ask(scene, "other.example.com", &other);
	wait_for(scene, &first);
	settle(scene, 20);
	check_both(&first);
	CHECK(!scene->upstream);
	CHECK_INT(second.n_calls + other.n_calls, 0);
	CHECK_INT(count_fds(), n_fds);
	scene_free(scene);
}

TEST(upstream_bounds_the_names_in_flight)
{
	struct scene *scene = scene_of(say_nothing);
	static struct told told[UPSTREAM_LOOKUPS_MAX + 1];
	char name[32];

	memset(told, 0, sizeof(told));
	for (int i = 0; i < UPSTREAM_LOOKUPS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		ask(scene, name, &told[i]);
	}
	CHECK_INT(upstream_resolve(
			  scene->upstream, NAME, on_told, NULL, &told[UPSTREAM_LOOKUPS_MAX].query),
		-EBUSY);
	/* One that is in flight already has room, and so has the next when one has gone. */
	ask(scene, name, &told[UPSTREAM_LOOKUPS_MAX]);
	upstream_cancel(told[0].query);
	ask(scene, NAME, &told[0]);
	scene_free(scene);
}

TEST(upstream_refuses_what_is_no_name_and_too_many_resolvers)
{
	struct wire_gate_resolver resolvers[WIRE_GATE_RESOLVERS_MAX + 1] = {0};
	struct scene *scene = scene_of(say_address);
	struct upstream_query *query = NULL;
	struct upstream *upstream = NULL;

	CHECK_INT(upstream_resolve(scene->upstream, "", on_told, NULL, &query), -EINVAL);
	CHECK_INT(upstream_resolve(scene->upstream, "a.", on_told, NULL, &query), -EINVAL);
	CHECK_INT(upstream_resolve(scene->upstream, "127.0.0.1", on_told, NULL, &query), -EINVAL);
	CHECK(!query);
	CHECK_INT(upstream_new(scene->loop, resolvers, ARRAY_SIZE(resolvers), &upstream), -E2BIG);
	CHECK(!upstream);
	CHECK(!upstream_free(NULL));
	scene_free(scene);
}
