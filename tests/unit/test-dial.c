/* Which address of a name is connected to (RFC 8305), with sockets that do as the test says. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/dial/dial.h"
#include "tests/harness/check.h"

/* An address ends in what happens to whoever connects to it. */
enum { STANDS = 1, REFUSES = 2, IS_SILENT = 3 };

static struct loop *loop;
static struct dial *dial;
static struct dial_memory *memory; /* NULL: none */
static struct abi_address tried[16], chosen;
static size_t n_tried, n_fds, n_done;
static int result, other_ends[16];

static struct abi_address address_of(const char *text)
{
	struct abi_address address;

	CHECK_INT(inet_pton(AF_INET6, text, address.bytes), 1);
	return address;
}

static void fill(int fd)
{
	static const char bytes[4096];

	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static int connect_to(void *userdata _unused_, const struct abi_address *address)
{
	int pair[2];

	tried[n_tried] = *address;
	other_ends[n_tried++] = -1;
	if (address->bytes[15] == REFUSES)
		return -ECONNREFUSED;
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	other_ends[n_tried - 1] = pair[1];
	if (address->bytes[15] == IS_SILENT)
		fill(pair[0]);
	return pair[0];
}

static void on_done(void *userdata _unused_, int fd, const struct abi_address *address)
{
	dial = NULL;
	n_done++;
	result = fd;
	chosen = *address;
}

static void begin(const char *const *texts, size_t n_texts)
{
	const struct dial_config config = {
		.connect = connect_to, .done = on_done, .n_fds = &n_fds, .memory = memory};
	struct abi_address addresses[16];

	for (size_t i = 0; i < n_texts; i++)
		addresses[i] = address_of(texts[i]);
	n_tried = n_fds = n_done = 0;
	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(dial_start(loop, &config, addresses, n_texts, &dial), 0);
}

static void end(void)
{
	dial_free(dial);
	dial = NULL;
	CHECK_INT(n_fds, 0);
	for (size_t i = 0; i < n_tried; i++)
		if (other_ends[i] >= 0)
			close(other_ends[i]);
	loop_free(loop);
}

/* Returns after how many milliseconds. */
static uint64_t run(void)
{
	uint64_t begin_ns = clock_monotonic_ns();

	while (n_done == 0) {
		CHECK(clock_monotonic_ns() < begin_ns + 5 * NS_PER_SECOND);
		CHECK_INT(loop_run_once(loop, 5), 0);
	}
	CHECK_INT(n_done, 1);
	return (clock_monotonic_ns() - begin_ns) / NS_PER_MS;
}

static void check_tried(size_t i, const char *text)
{
	struct abi_address address = address_of(text);

	CHECK(i < n_tried);
	if (memcmp(&tried[i], &address, sizeof(address)) != 0)
		CHECK_FAIL("attempt %zu was not to %s", i, text);
}

TEST(first_that_stands_is_taken_at_once)
{
	static const char *const texts[] = {"::ffff:1.1.1.1", "2001:db8::1"};

	begin(texts, 2);
	CHECK(run() < 200);
	CHECK_INT(n_tried, 1);
	check_tried(0, "2001:db8::1");
	CHECK(result >= 0);
	close(result);
	end();
}

TEST(families_alternate_and_a_refusal_goes_on_at_once)
{
	static const char *const texts[] = {"2001:db8::2", "2001:db8:1::2", "2001:db8:2::2",
		"::ffff:1.1.1.2", "::ffff:2.2.2.1"};

	begin(texts, 5);
	CHECK(run() < 200);
	CHECK_INT(n_tried, 4);
	check_tried(0, "2001:db8::2");
	check_tried(1, "::ffff:1.1.1.2");
	check_tried(2, "2001:db8:1::2");
	check_tried(3, "::ffff:2.2.2.1");
	CHECK(memcmp(&chosen, &tried[3], sizeof(chosen)) == 0);
	close(result);
	end();
}

TEST(silent_address_is_waited_for_a_quarter_of_a_second)
{
	static const char *const texts[] = {"2001:db8::3", "::ffff:1.1.1.1"};
	uint64_t taken_ms;

	begin(texts, 2);
	taken_ms = run();
	CHECK(taken_ms >= 240 && taken_ms < 1000);
	check_tried(1, "::ffff:1.1.1.1");
	CHECK_INT(n_fds, 0);
	close(result);
	end();
}

TEST(error_of_the_last_is_told_when_all_failed)
{
	static const char *const texts[] = {"2001:db8::2", "::ffff:1.1.1.2"};

	begin(texts, 2);
	run();
	CHECK_INT(result, -ECONNREFUSED);
	CHECK(memcmp(&chosen, &tried[0], sizeof(chosen)) == 0);
	end();
}

TEST(no_more_than_six_are_tried)
{
	static const char *const texts[] = {"2001:db8::2", "2001:db8:1::2", "2001:db8:2::2",
		"2001:db8:3::2", "2001:db8:4::2", "2001:db8:5::2", "2001:db8:6::1"};

	begin(texts, 7);
	run();
	CHECK_INT(n_tried, DIAL_ADDRESSES_MAX);
	CHECK_INT(result, -ECONNREFUSED);
	end();
}

TEST(freed_dial_closes_what_it_began)
{
	static const char *const texts[] = {"2001:db8::3"};
	char byte;

	begin(texts, 1);
	while (n_tried == 0)
		CHECK_INT(loop_run_once(loop, 5), 0);
	CHECK_INT(n_fds, 1);
	dial = dial_free(dial);
	while (recv(other_ends[0], &byte, 1, MSG_DONTWAIT) > 0)
		;
	CHECK_INT(recv(other_ends[0], &byte, 1, MSG_DONTWAIT), 0);
	CHECK_INT(n_done, 0);
	end();
}

TEST(address_that_did_not_answer_is_tried_last_the_next_time)
{
	static const char *const texts[] = {
		"2001:db8::3", "2001:db8:1::1", "::ffff:1.1.1.3", "::ffff:2.2.2.1"};
	static const char *const others[] = {"2001:db8::3"};

	CHECK_INT(dial_memory_new(&memory), 0);
	begin(texts, 2);
	CHECK(run() >= 240);
	close(result);
	end();
	begin(texts, 2);
	CHECK(run() < 200);
	CHECK_INT(n_tried, 1);
	check_tried(0, "2001:db8:1::1");
	close(result);
	end();
	/* Of the others the order stays: families alternate. */
	begin(texts, 3);
	CHECK(run() < 200);
	check_tried(0, "2001:db8:1::1");
	close(result);
	end();
	/* It is tried all the same when there is nothing better. */
	begin(others, 1);
	while (n_tried == 0)
		CHECK_INT(loop_run_once(loop, 5), 0);
	check_tried(0, "2001:db8::3");
	end();
	memory = dial_memory_free(memory);
}

TEST(memory_of_addresses_passes)
{
	const struct abi_address one = address_of("2001:db8::1"), two = address_of("2001:db8::2");

	CHECK_INT(dial_memory_new(&memory), 0);
	dial_memory_add(memory, &one, 1000);
	CHECK(dial_memory_has(memory, &one, 1000 + DIAL_MEMORY_MS * NS_PER_MS - 1));
	CHECK(!dial_memory_has(memory, &one, 1000 + DIAL_MEMORY_MS * NS_PER_MS));
	CHECK(!dial_memory_has(memory, &two, 1000));
	dial_memory_drop(memory, &two);
	CHECK(dial_memory_has(memory, &one, 1000));
	dial_memory_drop(memory, &one);
	CHECK(!dial_memory_has(memory, &one, 1000));
	CHECK(!dial_memory_has(NULL, &one, 1000));
	memory = dial_memory_free(memory);
}
