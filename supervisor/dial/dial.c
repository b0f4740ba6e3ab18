#include "supervisor/dial/dial.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct attempt {
	struct dial *dial;
	struct abi_address address;
	int fd;       /* -1: not begun, or failed */
	bool is_late; /* it did not answer within the stagger */
	struct loop_source *source;
};

struct dial {
	struct loop *loop;
	struct dial_config config;
	struct loop_source *timer; /* begins the next attempt */
	bool is_staggered;         /* the timer waits for the attempt that began last */
	size_t n_attempts, n_begun, n_failed;
	int error;
	struct attempt attempts[DIAL_ADDRESSES_MAX];
};

static bool is_ipv4(const struct abi_address *address)
{
	return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

struct choice {
	const struct abi_address *addresses;
	const bool *is_slow; /* of each address */
	size_t n_addresses;
	size_t positions[2]; /* of either family */
	bool slow;           /* it is the turn of those */
};

/* The next address of the family, or, when it has no more, of the other one. NULL: none left. */
static const struct abi_address *take(struct choice *choice, bool ipv4)
{
	const struct abi_address *addresses = choice->addresses;
	size_t *positions = choice->positions;

	for (int i = 0; i < 2; i++, ipv4 = !ipv4)
		for (; positions[ipv4] < choice->n_addresses; positions[ipv4]++)
			if (is_ipv4(&addresses[positions[ipv4]]) == ipv4 &&
				choice->is_slow[positions[ipv4]] == choice->slow)
				return &addresses[positions[ipv4]++];
	return NULL;
}

static void interleave(struct dial *dial, struct choice *choice)
{
	const struct abi_address *address;
	bool ipv4 = false;

	while (dial->n_attempts < DIAL_ADDRESSES_MAX && (address = take(choice, ipv4))) {
		ipv4 = !is_ipv4(address);
		dial->attempts[dial->n_attempts++] =
			(struct attempt){.dial = dial, .address = *address, .fd = -1};
	}
}

static int choose(struct dial *dial, const struct abi_address *addresses, size_t n_addresses)
{
	_cleanup_free_ bool *is_slow = calloc(n_addresses, sizeof(*is_slow));
	uint64_t now_ns = clock_monotonic_ns();

	if (!is_slow)
		return -ENOMEM;
	for (size_t i = 0; i < n_addresses; i++)
		is_slow[i] = dial_memory_has(dial->config.memory, &addresses[i], now_ns);
	for (int slow = 0; slow < 2; slow++)
		interleave(dial, &(struct choice){.addresses = addresses,
					 .is_slow = is_slow,
					 .n_addresses = n_addresses,
					 .slow = slow});
	return 0;
}

static int steal_attempt(struct attempt *attempt)
{
	attempt->source = loop_source_free(attempt->source);
	if (attempt->fd >= 0)
		--*attempt->dial->config.n_fds;
	return steal_fd(&attempt->fd);
}

static void drop(struct attempt *attempt)
{
	int fd = steal_attempt(attempt);

	if (fd >= 0)
		close(fd);
}

struct dial *dial_free(struct dial *dial)
{
	if (!dial)
		return NULL;
	for (size_t i = 0; i < dial->n_attempts; i++)
		drop(&dial->attempts[i]);
	loop_source_free(dial->timer);
	free(dial);
	return NULL;
}

static void finish(struct dial *dial, int fd, const struct abi_address *address)
{
	const struct dial_config config = dial->config;
	const struct abi_address copy = *address;

	dial_free(dial);
	config.done(config.userdata, fd, &copy);
}

/* The next address is due at once, or nothing is left to hope for. */
static void fail(struct attempt *attempt, int error)
{
	struct dial *dial = attempt->dial;

	drop(attempt);
	dial->error = error;
	dial->n_failed++;
	dial->is_staggered = false;
	loop_timer_arm(dial->timer, 0, 0);
}

/* What another address was quicker than. */
static void remember(const struct dial *dial, const struct attempt *winner)
{
	struct dial_memory *memory = dial->config.memory;

	for (size_t i = 0; i < dial->n_begun; i++)
		if (dial->attempts[i].is_late && &dial->attempts[i] != winner)
			dial_memory_add(memory, &dial->attempts[i].address, clock_monotonic_ns());
	dial_memory_drop(memory, &winner->address);
}

static void on_connected(
	struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct attempt *attempt = userdata;
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0 && (events & (EPOLLHUP | EPOLLERR)))
		error = ECONNABORTED;
	if (error) {
		fail(attempt, -error);
		return;
	}
	remember(attempt->dial, attempt);
	finish(attempt->dial, steal_attempt(attempt), &attempt->address);
}

static void begin(struct attempt *attempt)
{
	struct dial *dial = attempt->dial;
	int r = dial->config.connect(dial->config.connect_userdata, &attempt->address);

	if (r >= 0) {
		attempt->fd = r;
		++*dial->config.n_fds;
		r = loop_add_fd(
			dial->loop, attempt->fd, EPOLLOUT, on_connected, attempt, &attempt->source);
	}
	if (r < 0)
		fail(attempt, r);
	else
		loop_timer_arm(dial->timer, DIAL_STAGGER_MS, 0);
	dial->is_staggered = r >= 0;
}

static void on_due(struct loop_source *source _unused_, void *userdata)
{
	struct dial *dial = userdata;

	if (dial->is_staggered)
		dial->attempts[dial->n_begun - 1].is_late = true;
	if (dial->n_begun < dial->n_attempts)
		begin(&dial->attempts[dial->n_begun++]);
	else if (dial->n_failed == dial->n_attempts)
		finish(dial, dial->error, &dial->attempts[0].address);
}

int dial_start(struct loop *loop, const struct dial_config *config,
	const struct abi_address *addresses, size_t n_addresses, struct dial **ret_dial)
{
	struct dial *dial;
	int r;

	if (n_addresses == 0)
		return -EINVAL;
	dial = calloc(1, sizeof(*dial));
	if (!dial)
		return -ENOMEM;
	dial->loop = loop;
	dial->config = *config;
	r = choose(dial, addresses, n_addresses);
	if (r == 0)
		r = loop_add_timer(loop, on_due, dial, &dial->timer);
	if (r < 0) {
		free(dial);
		return r;
	}
	loop_timer_arm(dial->timer, 0, 0);
	*ret_dial = dial;
	return 0;
}
