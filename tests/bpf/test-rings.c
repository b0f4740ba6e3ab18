/* The two rings: whoever floods one is cut down to its share, what has no record is counted to the
 * last one, and neither a verdict nor another sandbox's record suffers. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

#define FLOOD                                                                                      \
	90000 /* a ring holds 15,000 records of 272 bytes and their 8 of header, or 60,000         \
	       */
#define REFUSED_ADDRESS "203.0.113.8"
#define ALLOWED_ADDRESS "203.0.113.7"
#define CPUS_MAX 256

struct losses {
	uint64_t sandbox, n[ABI_CLASSES][ABI_LOSSES + 1], n_others;
};

static void add_loss(
	uint64_t sandbox, enum abi_class class, enum abi_loss loss, uint64_t n, void *userdata)
{
	struct losses *losses = userdata;

	CHECK(class < ABI_CLASSES && loss <= ABI_LOSS_UNACCOUNTED && n > 0);
	if (sandbox == losses->sandbox)
		losses->n[class][loss] += n;
	else
		losses->n_others += n;
}

static struct losses losses_of(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	struct losses losses = {.sandbox = sandbox ? sandbox->id : 0};

	enforce_events_losses(scene->enforce, add_loss, &losses);
	return losses;
}

/* By class and CPU: the number expected next, and how many were left out. */
struct reading {
	bool seen[ABI_CLASSES][CPUS_MAX];
	uint64_t next[ABI_CLASSES][CPUS_MAX];
	uint64_t n_missing, n[ABI_CLASSES];
	uint64_t of; /* sandbox whose records are counted in `n_of` */
	uint64_t n_of;
};

static void follow(const struct abi_event_header *event, void *userdata)
{
	struct reading *reading = userdata;
	uint32_t cpu = event->cpu % CPUS_MAX, class = event->class;

	CHECK(class < ABI_CLASSES);
	if (reading->seen[class][cpu])
		reading->n_missing += event->sequence - reading->next[class][cpu];
	reading->seen[class][cpu] = true;
	reading->next[class][cpu] = event->sequence + 1;
	reading->n[class]++;
	reading->n_of += event->sandbox == reading->of;
}

static void read_all(struct kernel_scene *scene, struct reading *reading)
{
	int n;

	do {
		n = enforce_events_consume(scene->enforce, follow, reading);
		CHECK(n >= 0);
	} while (n == ENFORCE_EVENTS_BATCH);
}

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct policy_image image;

	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "rings", &image, true);
	kernel_scene_events(scene);
	losses_of(scene, ret_sandbox);
}

static int connect_to(const char *text)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, 443, &address);
	int fd = socket(address.ss_family, SOCK_STREAM, 0);
	int r = connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;

	close(fd);
	return r;
}

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return connect_to(argument);
}

/* Denied each time, however full the ring is; returns 0. */
static int act_flood(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)scene;
	for (int i = 0; i < FLOOD; i++)
		if (connect(fd, (struct sockaddr *)&address, size) == 0 || errno != EPERM)
			return 1;
	return 0;
}

/* As many allowed connections as `argument` says, none of them waited for; returns 0. */
static int act_allowed_flood(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(ALLOWED_ADDRESS, 443, &address);
	int n = *(const int *)argument;

	(void)scene;
	for (int i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (fd < 0 || (connect(fd, (struct sockaddr *)&address, size) < 0 &&
				      errno != EINPROGRESS))
			return 1;
		close(fd);
	}
	return 0;
}

/* One denied connect on each CPU; returns how many. */
static int act_visit_cpus(struct kernel_scene *scene, const void *argument)
{
	int n_cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	(void)scene;
	for (int i = 0; i < n_cpus; i++) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(i, &one);
		if (sched_setaffinity(0, sizeof(one), &one) < 0 || connect_to(argument) != EPERM)
			return 0;
	}
	return n_cpus;
}

static uint64_t all_dropped(const struct enforce_events_class *class)
{
	return class->dropped[ABI_LOSS_RING_FULL] + class->dropped[ABI_LOSS_RATE_LIMITED];
}

/* At rest, in each ring. */
static void check_totals(struct kernel_scene *scene)
{
	struct enforce_events_totals totals;

	CHECK_INT(enforce_events_totals(scene->enforce, &totals), 0);
	for (int class = 0; class < ABI_CLASSES; class ++) {
		const struct enforce_events_class *total = &totals.classes[class];

		CHECK_INT(total->seen, total->emitted + all_dropped(total));
		CHECK_INT(total->emitted, total->consumed);
		CHECK_INT(total->unaccounted, 0);
	}
}

TEST(denials_go_into_one_ring_and_what_is_allowed_into_the_other)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct reading reading = {0};

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, REFUSED_ADDRESS), EPERM);
	read_all(scene, &reading);
	CHECK_INT(reading.n[ABI_CLASS_SECURITY], 2); /* and the exit */
	CHECK_INT(reading.n[ABI_CLASS_BULK], 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, ALLOWED_ADDRESS), 0);
	read_all(scene, &reading);
	CHECK_INT(reading.n[ABI_CLASS_SECURITY], 3);
	CHECK_INT(reading.n[ABI_CLASS_BULK], 1);
	kernel_scene_drain(scene);
	check_totals(scene);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_flood_loses_records_by_count_and_no_verdict)
{
	struct kernel_scene *scene = kernel_scene();
	static struct reading reading;
	struct kernel_sandbox sandbox;
	struct abi_counters counters;
	struct losses losses;
	uint64_t before, lost;
	int n_cpus;

	make(scene, &sandbox);
	n_cpus = kernel_sandbox_run(scene, &sandbox, act_visit_cpus, REFUSED_ADDRESS);
	CHECK(n_cpus > 0);
	read_all(scene, &reading);
	before = reading.n[ABI_CLASS_SECURITY];
	CHECK_INT(before, n_cpus + 1);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_flood, REFUSED_ADDRESS), 0);
	/* At once, while the share is used up: denied is denied, allowed is allowed. */
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, REFUSED_ADDRESS), EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, ALLOWED_ADDRESS), 0);
	kernel_scene_drain(scene);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.connections_denied, n_cpus + FLOOD + 1);
	CHECK_INT(counters.connections_allowed, 1);
	losses = losses_of(scene, &sandbox);
	lost = losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RATE_LIMITED];
	CHECK(lost > 0);
	CHECK_INT(losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RING_FULL], 0);
	CHECK_INT(losses.n[ABI_CLASS_BULK][ABI_LOSS_RATE_LIMITED], 0);
	CHECK_INT(losses.n_others, 0);
	read_all(scene, &reading);
	/* FLOOD + 1 denied connects and 3 exits: each was read or is counted as lost. */
	CHECK_INT(reading.n[ABI_CLASS_SECURITY] - before + lost, FLOOD + 1 + 3);
	CHECK_INT(reading.n[ABI_CLASS_BULK], 1);
	check_totals(scene);
	/* A loss is told once. */
	losses = losses_of(scene, &sandbox);
	CHECK_INT(losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RATE_LIMITED], 0);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(numbers_of_records_show_what_is_missing)
{
	struct kernel_scene *scene = kernel_scene();
	static struct reading reading;
	struct kernel_sandbox sandbox, other;
	struct losses losses;
	uint64_t lost = 0;

	make(scene, &sandbox);
	make(scene, &other);
	CHECK(kernel_sandbox_run(scene, &sandbox, act_visit_cpus, REFUSED_ADDRESS) > 0);
	read_all(scene, &reading);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_flood, REFUSED_ADDRESS), 0);
	losses = losses_of(scene, &sandbox);
	lost = losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RATE_LIMITED];
	CHECK(lost > 0);
	CHECK(kernel_sandbox_run(scene, &other, act_visit_cpus, REFUSED_ADDRESS) > 0);
	read_all(scene, &reading);
	CHECK_INT(reading.n_missing, lost);
	kernel_sandbox_end(scene, &sandbox);
	kernel_sandbox_end(scene, &other);
}

TEST(a_flood_of_two_hides_nothing_of_a_third)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox flooding[2], quiet;
	static struct reading reading;
	uint64_t n_lost, n_full = 0;
	struct losses losses;
	int pids[2];

	for (int i = 0; i < 2; i++)
		make(scene, &flooding[i]);
	make(scene, &quiet);
	reading.of = quiet.id;
	for (int i = 0; i < 2; i++)
		pids[i] = kernel_sandbox_spawn(scene, &flooding[i], act_flood, REFUSED_ADDRESS);
	/* Nobody reads meanwhile. */
	CHECK_INT(kernel_sandbox_wait(pids[0]), 0);
	CHECK_INT(kernel_sandbox_run(scene, &quiet, act_connect, REFUSED_ADDRESS), EPERM);
	CHECK_INT(kernel_sandbox_wait(pids[1]), 0);
	losses = losses_of(scene, &quiet);
	n_lost = losses.n_others;
	/* On a slow machine the flood gets a share for longer, and the ring is full at last. */
	if (check_patience_ms(1) > 1)
		n_full = losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RING_FULL];
	losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RING_FULL] -= n_full;
	for (int class = 0; class < ABI_CLASSES; class ++)
		for (int loss = 0; loss <= ABI_LOSS_UNACCOUNTED; loss++)
			CHECK_INT(losses.n[class][loss], 0);
	read_all(scene, &reading);
	CHECK_INT(reading.n_of + n_full, 2); /* the denied connect and the exit */
	CHECK_INT(reading.n[ABI_CLASS_SECURITY] + n_lost + n_full, 2 * (FLOOD + 1) + 2);
	check_totals(scene);
	for (int i = 0; i < 2; i++)
		kernel_sandbox_end(scene, &flooding[i]);
	kernel_sandbox_end(scene, &quiet);
}

TEST(a_rate_of_its_own_holds_for_one_slot_and_the_bulk_class)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox slow, usual;
	static struct reading reading;
	const int n = 400;
	struct losses losses;

	make(scene, &slow);
	make(scene, &usual);
	CHECK_INT(enforce_slot_set_rate(scene->enforce, slow.slot, 0), -EINVAL);
	CHECK_INT(enforce_slot_set_rate(scene->enforce, slow.slot, 1000001), -EINVAL);
	CHECK_INT(enforce_slot_set_rate(scene->enforce, ABI_SLOTS_MAX, 1), -EINVAL);
	CHECK_INT(enforce_slot_set_rate(scene->enforce, slow.slot, 1), 0);
	reading.of = slow.id;
	CHECK_INT(kernel_sandbox_run(scene, &slow, act_allowed_flood, &n), 0);
	kernel_scene_drain(scene);
	losses = losses_of(scene, &slow);
	read_all(scene, &reading);
	CHECK_INT(losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RATE_LIMITED], 0);
	/* A burst of 100, and one more for each second that it took. */
	CHECK(reading.n[ABI_CLASS_BULK] >= 100 && reading.n[ABI_CLASS_BULK] < 130);
	CHECK_INT(reading.n[ABI_CLASS_BULK] + losses.n[ABI_CLASS_BULK][ABI_LOSS_RATE_LIMITED], n);
	/* The twin. */
	CHECK_INT(kernel_sandbox_run(scene, &usual, act_allowed_flood, &n), 0);
	kernel_scene_drain(scene);
	losses = losses_of(scene, &usual);
	CHECK_INT(losses.n[ABI_CLASS_BULK][ABI_LOSS_RATE_LIMITED], 0);
	kernel_scene_events(scene);
	kernel_sandbox_end(scene, &slow);
	kernel_sandbox_end(scene, &usual);
}

TEST(a_full_ring_is_counted_and_leaves_the_other_alone)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	static struct reading reading;
	const int n = 62000; /* 16 MiB hold 59,918 of 280 bytes */
	struct losses losses;
	uint64_t n_lost;

	make(scene, &sandbox);
	CHECK_INT(enforce_slot_set_rate(scene->enforce, sandbox.slot, 1000000), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_allowed_flood, &n), 0);
	kernel_scene_drain(scene);
	losses = losses_of(scene, &sandbox);
	n_lost = losses.n[ABI_CLASS_BULK][ABI_LOSS_RING_FULL];
	CHECK(n_lost > 0);
	CHECK_INT(losses.n[ABI_CLASS_BULK][ABI_LOSS_RATE_LIMITED], 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, REFUSED_ADDRESS), EPERM);
	read_all(scene, &reading);
	CHECK_INT(reading.n[ABI_CLASS_BULK] + n_lost, n);
	CHECK_INT(reading.n[ABI_CLASS_SECURITY], 3);
	check_totals(scene);
	kernel_sandbox_end(scene, &sandbox);
}

/* Where a flood takes long, as in a guest that is emulated, so much is let through that the ring is
 * full as well. */
static uint64_t lost_denials(const struct losses *losses)
{
	return losses->n[ABI_CLASS_SECURITY][ABI_LOSS_RATE_LIMITED] +
	       losses->n[ABI_CLASS_SECURITY][ABI_LOSS_RING_FULL];
}

TEST(a_restart_tells_no_loss_twice_and_forgets_none)
{
	struct kernel_scene *scene = kernel_scene();
	static struct reading reading;
	struct kernel_sandbox sandbox;
	struct losses losses;
	uint64_t lost;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_flood, REFUSED_ADDRESS), 0);
	losses = losses_of(scene, &sandbox);
	lost = lost_denials(&losses);
	CHECK(lost > 0);
	CHECK(kernel_scene_reopen(scene));
	losses = losses_of(scene, &sandbox);
	CHECK_INT(lost_denials(&losses), 0);
	CHECK_INT(losses.n_others, 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_flood, REFUSED_ADDRESS), 0);
	CHECK(kernel_scene_reopen(scene));
	losses = losses_of(scene, &sandbox);
	read_all(scene, &reading);
	CHECK_INT(reading.n[ABI_CLASS_SECURITY] + lost + lost_denials(&losses), 2 * (FLOOD + 1));
	check_totals(scene);
	kernel_sandbox_end(scene, &sandbox);
}

/* What the slot's last sandbox lost is nobody's, and never its next one's. */
TEST(a_slot_that_is_taken_again_begins_at_zero)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct losses losses;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_flood, REFUSED_ADDRESS), 0);
	CHECK_INT(enforce_slot_set_rate(scene->enforce, sandbox.slot, 1), 0);
	kernel_sandbox_end(scene, &sandbox);
	for (uint32_t i = 0; i < ABI_SLOTS_MAX; i++) {
		uint32_t slot;

		CHECK_INT(enforce_slot_take(scene->enforce, 0xffff000000000000ULL + i,
				  0xffff000000000000ULL + i, &slot),
			0);
		enforce_slot_release(scene->enforce, slot, 0xffff000000000000ULL + i);
		if (slot == sandbox.slot)
			break;
	}
	losses = losses_of(scene, NULL);
	CHECK(losses.n[ABI_CLASS_SECURITY][ABI_LOSS_RATE_LIMITED] > 0);
	CHECK_INT(losses.n_others, 0);
	kernel_scene_events(scene);
	check_totals(scene);
}

static void *nothing(void *argument)
{
	return argument;
}

/* Two children, one of them with vfork(2), and three threads. */
static int act_fork(struct kernel_scene *scene, const void *argument)
{
	pthread_t thread;

	(void)scene, (void)argument;
	for (int i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			return 1;
	if (kernel_sandbox_wait(fork() ?: (_exit(0), 0)) != 0)
		return 2;
	return kernel_sandbox_wait(vfork() ?: (_exit(0), 0));
}

TEST(what_is_forked_is_counted_and_threads_are_not)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_fork, NULL), 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.n_forks, 2);
	kernel_scene_events(scene);
	kernel_sandbox_end(scene, &sandbox);
}
