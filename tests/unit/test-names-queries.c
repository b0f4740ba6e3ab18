/* The resolver that sandboxes talk to: what it answers, refuses, asks for, and how much. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/resolve/answer.h"
#include "tests/harness/check.h"
#include "tests/harness/names-scene.h"

#define NAME "pypi.org"

static struct names_scene names;
static uint8_t answer[2048];
static size_t answer_size;

static void begin(void)
{
	names_scene_prepare(&names, AF_INET);
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_open(&names, 2);
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
	CHECK_INT(answer[2] & 0x80, 0x80);
	CHECK_INT(answer[3] & 0xf, rcode);
}

static unsigned int n_answers(void)
{
	return (unsigned int)(answer[6] << 8 | answer[7]);
}

static void check_line(uint16_t type, uint16_t rcode, uint16_t error, const char *name)
{
	const struct wire_gate_dns *line = &names.lines[names.n_lines - 1];

	CHECK(names.n_lines > 0);
	CHECK_INT(line->sandbox, 1);
	CHECK_INT(line->type, type);
	CHECK_INT(line->rcode, rcode);
	CHECK_INT(line->error, error);
	CHECK_TEXT(line->name, name);
}

/* The extended error's number and text (RFC 8914). */
static void check_reason(uint16_t number, const char *text)
{
	char bytes[600];

	bytes[0] = (char)(number >> 8);
	bytes[1] = (char)number;
	memcpy(bytes + 2, text, strlen(text));
	if (!names_answer_has(answer, answer_size, bytes, 2 + strlen(text)))
		CHECK_FAIL("no reason \"%s\"", text);
}

/* ---- allowed and refused */

TEST(allowed_name_is_asked_about_once_and_answered_with_its_address)
{
	const uint8_t address4[4] = {198, 18, 1, 9}, address6[16] = {0xfd, 0x43, 0x6c, 0x6f, 0x63,
							     0x68, 0x65, 0, 0, 0, 0, 0, 0, 1, 0, 9};
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 1, "PyPI.org", QUESTION_A);
	wait_asked(1);
	CHECK_INT(names.asked[0].sandbox, 1);
	CHECK_TEXT(names.asked[0].name, NAME);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	receive(fd, 1, QUESTION_NOERROR);
	CHECK_INT(n_answers(), 1);
	CHECK(names_answer_has(answer, answer_size, address4, sizeof(address4)));
	CHECK(names_answer_has(answer, answer_size, "\4PyPI\3org", 10));
	check_line(QUESTION_A, QUESTION_NOERROR, 0xffff, NAME);
	send_query(fd, 2, NAME, QUESTION_AAAA);
	receive(fd, 2, QUESTION_NOERROR);
	CHECK(names_answer_has(answer, answer_size, address6, sizeof(address6)));
	CHECK_INT(names.n_asked, 1);
	/* Nothing left the machine's own table. */
	CHECK_INT(names.n_resolver_queries, 0);
	close(fd);
	names_scene_end(&names);
}

TEST(refused_name_is_told_which_policy_and_what_to_ask_for)
{
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 7, "evil.test", QUESTION_A);
	wait_asked(1);
	names_scene_ticket(&names, 1, 0, "evil.test", 0, -EACCES);
	receive(fd, 7, QUESTION_REFUSED);
	CHECK_INT(n_answers(), 0);
	check_reason(15, "not allowed by policy \"test-policy\" of this sandbox; ask for a rule "
			 "{\"name\": \"evil.test\"}");
	check_line(QUESTION_A, QUESTION_REFUSED, 15, "evil.test");
	/* It is asked about again: the policy may have changed. */
	send_query(fd, 8, "evil.test", QUESTION_A);
	wait_asked(2);
	names_scene_ticket(&names, 1, 4, "evil.test", 0, 0);
	receive(fd, 8, QUESTION_NOERROR);
	close(fd);
	names_scene_end(&names);
}

TEST(too_many_names_are_refused_in_words)
{
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 7, "one-more.test", QUESTION_A);
	wait_asked(1);
	names_scene_ticket(&names, 1, 0, "one-more.test", 0, -ENOSPC);
	receive(fd, 7, QUESTION_REFUSED);
	check_reason(18, "this sandbox used 1024 names");
	close(fd);
	names_scene_end(&names);
}

TEST(types_that_carry_anything_are_refused_and_others_are_empty)
{
	static const uint16_t refused[] = {
		QUESTION_NULL, QUESTION_ANY, QUESTION_AXFR, QUESTION_IXFR, 253, 254};
	static const uint16_t empty[] = {
		QUESTION_HTTPS, QUESTION_SVCB, QUESTION_MX, QUESTION_SRV, 5};
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	for (uint16_t i = 0; i < ARRAY_SIZE(refused); i++) {
		send_query(fd, i, NAME, refused[i]);
		receive(fd, i, QUESTION_REFUSED);
		check_line(refused[i], QUESTION_REFUSED, 18, NAME);
	}
	for (uint16_t i = 0; i < ARRAY_SIZE(empty); i++) {
		send_query(fd, i, NAME, empty[i]);
		receive(fd, i, QUESTION_NOERROR);
		CHECK_INT(n_answers(), 0);
		check_line(empty[i], QUESTION_NOERROR, 0xffff, NAME);
	}
	CHECK_INT(names.n_asked, 0);
	close(fd);
	names_scene_end(&names);
}

TEST(withdrawn_ticket_is_forgotten_by_name_and_address)
{
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	send_query(fd, 1, NAME, QUESTION_A);
	receive(fd, 1, QUESTION_NOERROR);
	names_scene_ticket(&names, 1, 9, NAME, 0, -EACCES);
	send_query(fd, 2, NAME, QUESTION_A);
	wait_asked(1);
	close(fd);
	names_scene_end(&names);
}

TEST(tickets_are_forgotten_with_their_sandbox)
{
	int fd;

	begin();
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	gate_close(names.relay.gate, 1);
	/* For a sandbox that is gone: taken and dropped. */
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	names_scene_open(&names, 1);
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 1, NAME, QUESTION_A);
	wait_asked(1);
	close(fd);
	names_scene_end(&names);
}

TEST(name_is_asked_about_once_for_all_who_wait)
{
	int fds[2];

	begin();
	for (uint16_t i = 0; i < 2; i++) {
		fds[i] = names_scene_resolver(&names, 1, false);
		send_query(fds[i], i, NAME, i ? QUESTION_AAAA : QUESTION_A);
	}
	for (int i = 0; i < 20; i++)
		scene_step(&names.relay);
	wait_asked(1);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	for (uint16_t i = 0; i < 2; i++) {
		receive(fds[i], i, QUESTION_NOERROR);
		CHECK_INT(n_answers(), 1);
		close(fds[i]);
	}
	names_scene_end(&names);
}

TEST(question_that_nobody_answers_fails_in_time)
{
	int fd;

	names_scene_prepare(&names, AF_INET);
	names.relay.config.names.ask_timeout_ms = 20;
	names_scene_start(&names);
	names_scene_open(&names, 1);
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 1, NAME, QUESTION_A);
	receive(fd, 1, QUESTION_SERVFAIL);
	check_line(QUESTION_A, QUESTION_SERVFAIL, 0, NAME);
	/* Late, but true. */
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	send_query(fd, 2, NAME, QUESTION_A);
	receive(fd, 2, QUESTION_NOERROR);
	close(fd);
	names_scene_end(&names);
}

TEST(question_that_cannot_be_asked_fails_at_once)
{
	int fd;

	begin();
	names.ask_result = -ENOBUFS;
	fd = names_scene_resolver(&names, 1, false);
	send_query(fd, 1, NAME, QUESTION_A);
	receive(fd, 1, QUESTION_SERVFAIL);
	close(fd);
	names_scene_end(&names);
}

TEST(nothing_is_answered_that_is_not_recorded)
{
	int fd;

	begin();
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	fd = names_scene_resolver(&names, 1, false);
	names.report_result = -ENOBUFS;
	send_query(fd, 1, NAME, QUESTION_A);
	for (int i = 0; i < 10; i++)
		scene_step(&names.relay);
	CHECK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) < 0);
	names.report_result = 0;
	send_query(fd, 2, NAME, QUESTION_A);
	receive(fd, 2, QUESTION_NOERROR);
	close(fd);
	names_scene_end(&names);
}

/* 127.0.0.5 asks 127.0.0.6, and takes an answer from nowhere else. */
TEST(answer_comes_from_the_address_that_was_asked)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	begin();
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 4);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 5);
	address.sin_port = htons(names.dns_ports[1]);
	CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	send_query(fd, 1, NAME, QUESTION_A);
	receive(fd, 1, QUESTION_NOERROR);
	close(fd);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_INT(connect(fd,
			  (struct sockaddr *)&(struct sockaddr_in6){.sin6_family = AF_INET6,
				  .sin6_port = htons(names.dns_ports[1]),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT},
			  sizeof(struct sockaddr_in6)),
		0);
	send_query(fd, 2, NAME, QUESTION_A);
	receive(fd, 2, QUESTION_NOERROR);
	close(fd);
	names_scene_end(&names);
}

/* ---- limits */

TEST(questions_that_wait_are_bounded)
{
	char name[32];
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	for (uint16_t i = 0; i < 65; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		send_query(fd, i, name, QUESTION_A);
	}
	receive(fd, 64, QUESTION_SERVFAIL);
	CHECK_INT(names.n_asked, 64);
	close(fd);
	names_scene_end(&names);
}

TEST(flood_of_one_sandbox_is_limited_and_another_is_served)
{
	size_t n_served = 0, n_refused = 0, n_lines;
	int fd, other;

	names_scene_prepare(&names, AF_INET);
	names.relay.config.names.queries_per_second = 1;
	names.relay.config.names.queries_burst = 20;
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_open(&names, 2);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	names_scene_ticket(&names, 2, 8, NAME, 0, 0);
	fd = names_scene_resolver(&names, 1, false);
	other = names_scene_resolver(&names, 2, false);
	for (uint16_t i = 0; i < 100; i++)
		send_query(fd, i, NAME, QUESTION_A);
	send_query(other, 500, NAME, QUESTION_A);
	receive(other, 500, QUESTION_NOERROR);
	for (int i = 0; i < 20; i++)
		scene_step(&names.relay);
	n_lines = names.n_lines;
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0) {
		n_served += (answer[3] & 0xf) == QUESTION_NOERROR;
		n_refused += (answer[3] & 0xf) == QUESTION_REFUSED;
	}
	CHECK(n_served >= 20 && n_served <= 22);
	CHECK(n_refused >= 1 && n_refused <= 3);
	/* Those served, the other's, and one for all that were refused. */
	CHECK(n_lines <= n_served + 1 + 2);
	close(fd);
	close(other);
	names_scene_end(&names);
}

TEST(what_is_no_query_is_not_answered)
{
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, false);
	CHECK_INT(send(fd, "x", 1, 0), 1);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	send_query(fd, 3, NAME, QUESTION_A);
	receive(fd, 3, QUESTION_NOERROR);
	CHECK_INT(names.n_lines, 1);
	close(fd);
	names_scene_end(&names);
}

/* ---- over TCP */

static size_t framed(uint8_t *ret_bytes, uint16_t id, const char *name)
{
	size_t size = names_query(ret_bytes + 2, id, name, QUESTION_A);

	ret_bytes[0] = (uint8_t)(size >> 8);
	ret_bytes[1] = (uint8_t)size;
	return size + 2;
}

static void receive_framed(int fd, uint16_t id, uint16_t rcode)
{
	answer_size = names_scene_receive(&names, fd, true, answer, sizeof(answer));
	CHECK_INT(answer[0] << 8 | answer[1], id);
	CHECK_INT(answer[3] & 0xf, rcode);
}

TEST(several_queries_on_one_connection_in_any_pieces)
{
	uint8_t bytes[1024];
	size_t size = 0;
	int fd;

	begin();
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	fd = names_scene_resolver(&names, 1, true);
	size += framed(bytes, 1, "slow.test");
	size += framed(bytes + size, 2, NAME);
	size += framed(bytes + size, 3, NAME);
	for (size_t i = 0; i < size; i += 5)
		scene_write(&names.relay, fd, bytes + i, size - i < 5 ? size - i : 5);
	receive_framed(fd, 2, QUESTION_NOERROR);
	receive_framed(fd, 3, QUESTION_NOERROR);
	CHECK_INT(names.lines[0].over_tcp, 1);
	names_scene_ticket(&names, 1, 0, "slow.test", 0, -EACCES);
	receive_framed(fd, 1, QUESTION_REFUSED);
	check_reason(15, "not allowed by policy");
	/* The client is done, its last question is answered all the same. */
	size = framed(bytes, 4, "slow.test");
	scene_write(&names.relay, fd, bytes, size);
	CHECK_INT(shutdown(fd, SHUT_WR), 0);
	wait_asked(2);
	names_scene_ticket(&names, 1, 5, "slow.test", 0, 0);
	receive_framed(fd, 4, QUESTION_NOERROR);
	CHECK_INT(scene_read_end(&names.relay, fd), 0);
	close(fd);
	names_scene_end(&names);
}

TEST(silent_and_malformed_connections_are_closed)
{
	int silent, malformed;

	names_scene_prepare(&names, AF_INET);
	names.relay.config.names.stream_idle_ms = 50;
	names_scene_start(&names);
	names_scene_open(&names, 1);
	silent = names_scene_resolver(&names, 1, true);
	malformed = names_scene_resolver(&names, 1, true);
	scene_write(&names.relay, malformed, "\xff\xff junk", 7);
	CHECK(scene_read_end(&names.relay, malformed) <= 0);
	CHECK_INT(scene_read_end(&names.relay, silent), 0);
	close(silent);
	close(malformed);
	names_scene_end(&names);
}

TEST(connections_of_one_sandbox_are_bounded)
{
	int fds[9], other;
	uint8_t bytes[512];

	begin();
	for (int i = 0; i < 9; i++)
		fds[i] = names_scene_resolver(&names, 1, true);
	CHECK_INT(scene_read_end(&names.relay, fds[8]), 0);
	names_scene_ticket(&names, 2, 9, NAME, 0, 0);
	other = names_scene_resolver(&names, 2, true);
	scene_write(&names.relay, other, bytes, framed(bytes, 6, NAME));
	receive_framed(other, 6, QUESTION_NOERROR);
	close(other);
	for (int i = 0; i < 9; i++)
		close(fds[i]);
	names_scene_end(&names);
}

TEST(connection_that_goes_while_its_question_waits_is_forgotten)
{
	uint8_t bytes[512];
	const struct linger at_once = {1, 0};
	int fd;

	begin();
	fd = names_scene_resolver(&names, 1, true);
	scene_write(&names.relay, fd, bytes, framed(bytes, 6, NAME));
	wait_asked(1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	for (int i = 0; i < 10; i++)
		scene_step(&names.relay);
	names_scene_ticket(&names, 1, 9, NAME, 0, 0);
	CHECK_INT(names.n_lines, 0);
	names_scene_end(&names);
}
