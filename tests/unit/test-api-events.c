/* GET /v1/events: ranges, following, and clients that leave or read slowly. */
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct api api;
static struct frame question;
static int client;

static const struct wire_events_query *asks(const char *path, const char *headers)
{
	api_start(&api, NULL);
	client = api_connect(&api);
	api_request(client, "GET", path, headers, NULL);
	return api_expect(&api, &question, WIRE_API_EVENTS, sizeof(struct wire_events_query));
}

static const struct wire_events_query *asks_again(void)
{
	return api_expect(&api, &question, WIRE_API_EVENTS, sizeof(struct wire_events_query));
}

static void answers(const char *lines, uint32_t n, uint64_t next, bool more)
{
	struct wire_events_reply reply = {.next = next, .n_records = n, .more = more};

	api_answer(&api, &question, WIRE_API_EVENTS_REPLY, &reply, sizeof(reply), lines,
		strlen(lines), NULL, 0);
}

static void end(int status)
{
	close(client);
	CHECK_INT(api_stop(&api), status);
}

static void seen(const char *text)
{
	static char buffer[1 << 16];

	api_read_until(client, text, buffer, sizeof(buffer));
}

TEST(reads_a_range_in_pieces)
{
	const struct wire_events_query *query =
		asks("/v1/events?after=5&limit=300&sandbox=sb-00000000000000ab&type=network", "");
	struct response response;

	CHECK_INT(query->after, 5);
	CHECK_INT(query->limit, 256);
	CHECK_INT(query->wait_ms, 0);
	CHECK_INT(query->sandbox, 0xab);
	CHECK_TEXT(query->type, "network");
	answers("{\"seq\":6}\n{\"seq\":7}\n", 2, 7, true);
	query = asks_again();
	CHECK_INT(query->after, 7);
	answers("{\"seq\":9}\n", 1, 12, false);
	api_read(client, &response);
	CHECK_INT(response.status, 200);
	CHECK(strstr(response.head, "Content-Type: application/x-ndjson\n"));
	CHECK(strstr(response.head, "Cloche-Next: 12\n"));
	CHECK_TEXT(response.body, "{\"seq\":6}\n{\"seq\":7}\n{\"seq\":9}\n");
	api_response_fini(&response);
	end(0);
}

TEST(stops_a_range_at_its_limit)
{
	const struct wire_events_query *query = asks("/v1/events?limit=2", "");
	struct response response;

	CHECK_INT(query->limit, 2);
	answers("{\"seq\":1}\n{\"seq\":2}\n", 2, 2, true);
	api_read(client, &response);
	CHECK(strstr(response.head, "Cloche-Next: 2\n"));
	api_response_fini(&response);
	CHECK(api_is_quiet(&api));
	end(0);
}

TEST(follows_and_waits)
{
	const struct wire_events_query *query = asks("/v1/events?follow=true&after=3", "");

	CHECK_INT(query->wait_ms, 0);
	answers("", 0, 3, false);
	seen("Cloche-Next: 3\r\n");
	seen("\r\n\r\n"); /* the headers come before there is anything to say */
	query = asks_again();
	CHECK(query->wait_ms > 0);
	answers("{\"seq\":4}\n", 1, 4, false);
	seen("{\"seq\":4}\n");
	query = asks_again();
	CHECK_INT(query->after, 4);
	answers("", 0, 4, false);
	query = asks_again();
	answers("{\"seq\":5}\n{\"seq\":6}\n", 2, 6, false);
	seen("{\"seq\":5}\n{\"seq\":6}\n");
	asks_again();
	end(0);
}

TEST(follows_no_further_than_its_limit)
{
	const struct wire_events_query *query = asks("/v1/events?follow=true&limit=2", "");

	answers("{\"seq\":1}\n", 1, 1, false);
	query = asks_again();
	CHECK_INT(query->limit, 1);
	answers("{\"seq\":2}\n", 1, 2, true);
	seen("{\"seq\":2}\n");
	seen("\r\n0\r\n\r\n");
	CHECK(api_is_quiet(&api));
	end(0);
}

TEST(server_sent_events_have_ids_and_go_on_after_the_last)
{
	const struct wire_events_query *query = asks("/v1/events?follow=true&after=1",
		"Accept: text/event-stream\r\nLast-Event-ID: 41\r\n");

	CHECK_INT(query->after, 41);
	answers("{\"a\":{\"seq\":1},\"seq\":42}\n", 1, 42, false);
	seen("Content-Type: text/event-stream");
	seen("id: 42\ndata: {\"a\":{\"seq\":1},\"seq\":42}\n\n");
	asks_again();
	answers("", 0, 42, false);
	seen(":\n\n"); /* a sign of life for who is in between */
	asks_again();
	end(0);
}

TEST(a_client_that_leaves_cancels)
{
	static struct frame frame;

	asks("/v1/events?follow=true", "");
	answers("{\"seq\":1}\n", 1, 1, false);
	seen("{\"seq\":1}\n");
	asks_again();
	close(client);
	api_expect(&api, &frame, WIRE_API_EVENTS_CANCEL, sizeof(struct wire_caller));
	CHECK_INT(frame.header.cookie, question.header.cookie);
	answers("{\"seq\":2}\n", 1, 2, false); /* too late */
	client = api_connect(&api);
	api_request(client, "GET", "/healthz", "", NULL);
	seen("ok");
	end(0);
}

TEST(a_slow_reader_is_not_read_ahead_for)
{
	static char lines[100001];
	int n = 0;

	memset(lines, 'x', 100000);
	memcpy(lines, "{\"seq\":1,\"x\":\"", 14);
	memcpy(lines + 99997, "\"}\n", 3);
	asks("/v1/events?follow=true", "");
	do {
		answers(lines, 1, 1, false);
		for (int i = 0; i < 20 && api_is_quiet(&api); i++)
			usleep(10000);
		if (api_is_quiet(&api))
			break;
		asks_again();
	} while (++n < 100);
	CHECK(n < 20);
	for (int i = 0; i <= n; i++) {
		static char buffer[200000];

		api_read_until(client, "\"}\n", buffer, sizeof(buffer));
	}
	asks_again();
	end(0);
}

TEST(refuses_with_cloched)
{
	struct response response;

	asks("/v1/events?follow=true", "");
	api_answer_error(&api, &question, WIRE_CODE_UNAUTHENTICATED, "unknown key");
	api_read(client, &response);
	CHECK_INT(response.status, 401);
	api_response_fini(&response);
	end(0);
}

TEST(ends_on_lines_that_do_not_fit_their_count)
{
	asks("/v1/events", "");
	answers("{\"seq\":1}\n", 2, 1, false);
	CHECK(api_is_closed(client));
	end(1);
	asks("/v1/events", "");
	answers("{\"seq\":1}", 1, 1, false);
	end(1);
	asks("/v1/events", "Accept: text/event-stream\r\n");
	answers("{}\n", 1, 1, false);
	end(1);
}

TEST(asks_for_what_the_query_says)
{
	const struct wire_events_query *query = asks(
		"/v1/audit?since=2026-11-21T21:40:00Z&until_time=2026-11-21T21:40:01.5Z&until=9&"
		"tenant=acme&verdict=deny&type=network,process.exec",
		"");
	struct response response;

	CHECK_INT(query->since_ns, 1795297200000000000);
	CHECK_INT(query->until_ns, 1795297201500000000);
	CHECK_INT(query->until, 9);
	CHECK_TEXT(query->tenant, "acme");
	CHECK_TEXT(query->verdict, "deny");
	CHECK_TEXT(query->type, "network,process.exec");
	CHECK_INT(query->limit, 256);
	api_answer_error(&api, &question, WIRE_CODE_FORBIDDEN, "not yours");
	api_read(client, &response);
	CHECK_INT(response.status, 403);
	api_response_fini(&response);
	end(0);
}

TEST(streams_a_whole_range_up_to_what_was_there_at_first)
{
	struct wire_events_reply reply = {
		.next = 2, .n_records = 2, .more = 1, .first = 1, .last = 4};
	const struct wire_events_query *query = asks("/v1/audit", "");
	struct response response;

	CHECK_INT(query->until, 0);
	api_answer(&api, &question, WIRE_API_EVENTS_REPLY, &reply, sizeof(reply),
		"{\"seq\":1}\n{\"seq\":2}\n", 20, NULL, 0);
	query = asks_again();
	CHECK_INT(query->until, 4); /* the log has grown meanwhile */
	CHECK_INT(query->wait_ms, 0);
	reply = (struct wire_events_reply){.next = 4, .n_records = 2, .first = 1, .last = 9};
	api_answer(&api, &question, WIRE_API_EVENTS_REPLY, &reply, sizeof(reply),
		"{\"seq\":3}\n{\"seq\":4}\n", 20, NULL, 0);
	api_read(client, &response);
	CHECK(strstr(response.head, "Cloche-Last: 4\n"));
	CHECK(strstr(response.head, "Cloche-First: 1\n"));
	CHECK_TEXT(response.body, "{\"seq\":1}\n{\"seq\":2}\n{\"seq\":3}\n{\"seq\":4}\n");
	api_response_fini(&response);
	end(0);
}

TEST(a_stream_that_fails_is_broken_off)
{
	asks("/v1/audit?follow=true", "");
	answers("{\"seq\":1}\n", 1, 1, false);
	seen("{\"seq\":1}\n");
	asks_again();
	api_answer_error(&api, &question, WIRE_CODE_UNAUTHENTICATED, "the key was revoked");
	CHECK(api_is_closed(client)); /* and no chunk that says that this was all */
	end(0);
}

TEST(followers_see_a_sign_of_life_that_is_no_record)
{
	asks("/v1/audit?follow=true", "");
	answers("", 0, 3, false);
	asks_again();
	answers("", 0, 3, false);
	seen("\r\n1\r\n\n\r\n");
	asks_again();
	end(0);
}
