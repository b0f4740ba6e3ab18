/* MX, SRV and TXT at the resolver of sandboxes: told where a rule names them, at a rate, rebuilt.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/names/service.h"
#include "tests/harness/check.h"
#include "tests/harness/names-scene.h"

#define NAME "example.org"
#define ALL (WIRE_GATE_RECORD_MX | WIRE_GATE_RECORD_SRV | WIRE_GATE_RECORD_TXT)

static struct names_scene names;
static uint8_t answer[8192];
static size_t answer_size;

static void add(uint16_t type, const char *data, size_t size)
{
	names_scene_add_record(&names,
		&(struct names_record){.name = NAME, .type = type, .data = data, .size = size});
}

#define ADD(type, data) add(type, data, sizeof(data) - 1)

static void begin(void)
{
	names = (struct names_scene){0};
	names_scene_prepare(&names, AF_INET);
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_add_host(&names, &(struct names_host){NAME, {"203.0.113.7"}});
	ADD(QUESTION_TXT, "\5hello\0\7v=spf1 ");
	ADD(QUESTION_MX, "\0\12\4mail\7example\3org\0");
	ADD(QUESTION_SRV, "\0\1\0\2\1\205\4ldap\7example\3org\0");
}

static void send_query(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t query[512];
	size_t size = names_query(query, id, name, type);

	CHECK_INT(send(fd, query, size, 0), size);
}

static void wait_asked(size_t n)
{
	for (int i = 0; i < 1000 && names.n_asked < n; i++)
		scene_step(&names.relay);
	CHECK_INT(names.n_asked, n);
}

static void receive(int fd, uint16_t id, uint16_t rcode)
{
	answer_size = names_scene_receive(&names, fd, false, answer, sizeof(answer));
	CHECK_INT(answer[0] << 8 | answer[1], id);
	CHECK_INT(answer[3] & 0xf, rcode);
}

static unsigned int n_answers(void)
{
	return (unsigned int)(answer[6] << 8 | answer[7]);
}

static bool has(const char *bytes, size_t size)
{
	return names_answer_has(answer, answer_size, bytes, size);
}

#define HAS(text) has(text, sizeof(text) - 1)

/* Asks with a rule for `records` alone; the kernel of the answer is in `answer`. */
static void ask_with(uint16_t type, uint32_t records, uint16_t rcode)
{
	int fd = names_scene_resolver(&names, 1, false);
	size_t n = names.n_asked;

	send_query(fd, 7, "Example.ORG", type);
	wait_asked(n + 1);
	names_scene_ticket_for_records(&names, 1, NAME, records, -EACCES);
	receive(fd, 7, rcode);
	close(fd);
}

TEST(records_that_a_rule_names_are_told)
{
	const struct wire_gate_dns *line;

	begin();
	ask_with(QUESTION_TXT, ALL, QUESTION_NOERROR);
	CHECK_INT(n_answers(), 1);
	CHECK(HAS("\300\14\0\20\0\1\0\0\0\74\0\17\5hello\0\7v=spf1 "));
	CHECK(HAS("\7Example\3ORG\0\0\20\0\1"));
	line = &names.lines[names.n_lines - 1];
	CHECK_INT(line->type, QUESTION_TXT);
	CHECK_INT(line->n_records, 1);
	CHECK_INT(line->records_bytes, 2 + 15);
	ask_with(QUESTION_MX, WIRE_GATE_RECORD_MX, QUESTION_NOERROR);
	CHECK(HAS("\0\24\0\12\4mail\7example\3org\0") || HAS("\0\12\4mail\7example\3org\0"));
	ask_with(QUESTION_SRV, WIRE_GATE_RECORD_SRV, QUESTION_NOERROR);
	CHECK(HAS("\0\1\0\2\1\205\4ldap\7example\3org\0"));
	CHECK_INT(names.n_resolver_queries, 3);
	names_scene_end(&names);
}

TEST(records_that_no_rule_names_are_refused_and_nothing_is_asked_upstream)
{
	static const uint16_t types[] = {QUESTION_TXT, QUESTION_MX, QUESTION_SRV};
	static const uint32_t without[] = {ALL & ~WIRE_GATE_RECORD_TXT, ALL & ~WIRE_GATE_RECORD_MX,
		ALL & ~WIRE_GATE_RECORD_SRV};
	char text[128];

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		ask_with(types[i], without[i], QUESTION_REFUSED);
		CHECK_INT(n_answers(), 0);
		snprintf(text, sizeof(text),
			"not allowed by policy \"test-policy\" of this sandbox; ask for a rule "
			"{\"name\": \"" NAME "\", \"records\": [\"%s\"]}",
			i == 0   ? "TXT"
			: i == 1 ? "MX"
				 : "SRV");
		CHECK(has(text, strlen(text)));
		CHECK_INT(names.lines[names.n_lines - 1].error, 15);
	}
	/* Its addresses are no more allowed by it. */
	ask_with(QUESTION_A, ALL, QUESTION_REFUSED);
	CHECK_INT(names.n_resolver_queries, 0);
	names_scene_end(&names);
}

TEST(records_of_a_name_whose_addresses_are_allowed)
{
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	names_scene_ticket(&names, 1, 3, NAME, 0, 0);
	send_query(fd, 1, NAME, QUESTION_MX);
	receive(fd, 1, QUESTION_NOERROR);
	CHECK_INT(n_answers(), 0);
	send_query(fd, 2, NAME, QUESTION_TXT);
	receive(fd, 2, QUESTION_REFUSED);
	CHECK_INT(names.n_resolver_queries, 0);
	names_scene_ticket_for_records(&names, 1, NAME, WIRE_GATE_RECORD_MX, 0);
	send_query(fd, 3, NAME, QUESTION_MX);
	receive(fd, 3, QUESTION_NOERROR);
	CHECK_INT(n_answers(), 1);
	CHECK_INT(names.n_asked, 0);
	close(fd);
	names_scene_end(&names);
}

TEST(records_that_are_not_there)
{
	begin();
	names.n_records = 0;
	ask_with(QUESTION_TXT, ALL, QUESTION_NOERROR);
	CHECK_INT(n_answers(), 0);
	names.n_hosts = 0;
	ask_with(QUESTION_TXT, ALL, QUESTION_NXDOMAIN);
	names_scene_end(&names);
}

TEST(records_that_are_too_many_are_not_told)
{
	begin();
	names.n_records = 0;
	for (int i = 0; i < REPLY_RECORDS_MAX; i++)
		ADD(QUESTION_TXT, "\5hello");
	ask_with(QUESTION_TXT, ALL, QUESTION_NOERROR);
	CHECK_INT(n_answers(), REPLY_RECORDS_MAX);
	ADD(QUESTION_TXT, "\5hello");
	ask_with(QUESTION_TXT, ALL, QUESTION_SERVFAIL);
	CHECK(HAS("the answer is larger than a sandbox may have"));
	names_scene_end(&names);
}

/* Over UDP as much as a path takes, and all of it over TCP. */
TEST(records_that_are_long_come_over_tcp)
{
	static char text[256];
	uint8_t query[512];
	size_t size;
	int fd;

	begin();
	names.n_records = 0;
	text[0] = (char)255;
	memset(text + 1, 'x', 255);
	for (int i = 0; i < 10; i++)
		add(QUESTION_TXT, text, sizeof(text));
	ask_with(QUESTION_TXT, ALL, QUESTION_NOERROR);
	CHECK_INT(n_answers(), 0);
	CHECK_INT(answer[2] & 2, 2);
	fd = names_scene_resolver(&names, 1, true);
	size = names_query(query + 2, 9, NAME, QUESTION_TXT);
	query[0] = 0;
	query[1] = (uint8_t)size;
	CHECK_INT(send(fd, query, size + 2, 0), size + 2);
	wait_asked(2);
	names_scene_ticket_for_records(&names, 1, NAME, ALL, -EACCES);
	answer_size = names_scene_receive(&names, fd, true, answer, sizeof(answer));
	CHECK_INT(n_answers(), 10);
	CHECK(answer_size > 2560);
	close(fd);
	names_scene_end(&names);
}

TEST(records_have_a_rate)
{
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	names_scene_ticket_for_records(&names, 1, NAME, ALL, 0);
	for (uint16_t i = 0; i < RECORDS_BURST; i++) {
		send_query(fd, i, NAME, QUESTION_TXT);
		receive(fd, i, QUESTION_NOERROR);
	}
	for (uint16_t i = 0; i < RECORDS_BURST; i++)
		send_query(fd, i, NAME, QUESTION_TXT);
	answer_size = 0;
	for (uint16_t i = 0; i < RECORDS_BURST && !HAS("too many queries for records"); i++)
		answer_size = names_scene_receive(&names, fd, false, answer, sizeof(answer));
	CHECK(HAS("too many queries for records"));
	/* Addresses are not held up by it. */
	close(fd);
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 99, NAME, QUESTION_A);
	receive(fd, 99, QUESTION_NOERROR);
	close(fd);
	names_scene_end(&names);
}

TEST(records_asked_for_under_an_earlier_policy_are_not_told)
{
	const struct wire_gate_swap swap = {.sandbox = 1, .policy = 78};
	struct wire_gate_review_flow flows[WIRE_GATE_REVIEW_MAX];
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 5, NAME, QUESTION_TXT);
	wait_asked(1);
	names_scene_ticket_for_records(&names, 1, NAME, ALL, -EACCES);
	CHECK_INT(gate_review(names.relay.gate, &swap, flows), 0);
	receive(fd, 5, QUESTION_SERVFAIL);
	CHECK(HAS("the policy of this sandbox changed meanwhile"));
	close(fd);
	names_scene_end(&names);
}
