/* cloched's side of the spawner: starts it, queues orders, starts it again when it dies.
 *
 * At most IN_FLIGHT_MAX orders are with the spawner at a time; the rest wait here in order, so that
 * a dying spawner fails few of them. */
#include "supervisor/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/launch/connect.h"
#include "supervisor/launch/files/template.h"
#include "supervisor/launch/spawner/spawner.h"
#include "supervisor/wire/channel.h"
#include "supervisor/wire/spawn.h"

#define IN_FLIGHT_MAX 4
#define QUEUE_MAX 4096
#define READY_TIMEOUT_MS 10000
#define ORDER_TIMEOUT_NS (10 * NS_PER_SECOND)
#define WATCH_PERIOD_MS 2000
#define RESTART_DELAY_MIN_MS 50
#define RESTART_DELAY_MAX_MS 5000
#define STABLE_NS (10 * NS_PER_SECOND) /* lived that long: the next restart is quick again */

struct order {
	struct order *next;
	uint64_t cookie;
	bool sent;
	uint64_t sent_ns;
	const struct cgroup *cgroup;
	struct wire_spawn_make make;
	launch_callback callback;
	void *userdata;
};

struct launch {
	struct loop *loop;
	char *socket_dir, *work_dir;
	int init_fd; /* sealed memfd */
	struct launch_template templates[TEMPLATES_N];

	pid_t spawner_pid; /* 0: none */
	struct channel *channel;
	bool ready;
	struct failure failure; /* what the spawner said about itself, if it failed to start */
	struct loop_source *restart_timer, *watch_timer;
	uint64_t started_ns, restart_delay_ms;

	struct order *first, **last;
	size_t n_orders, n_sent;
	uint64_t next_cookie;
};

static void order_finish(struct order *order, int error, const struct failure *why)
{
	struct launch_result result = {.error = error, .pidfd = -1, .init_socket = -1};

	if (why)
		result.why = *why;
	order->callback(&result, order->userdata);
	free(order);
}

static struct order *order_take(struct launch *launch, uint64_t cookie)
{
	for (struct order **at = &launch->first; *at; at = &(*at)->next) {
		struct order *order = *at;

		if (order->cookie != cookie)
			continue;
		*at = order->next;
		if (launch->last == &order->next)
			launch->last = at;
		launch->n_orders--;
		launch->n_sent -= order->sent;
		return order;
	}
	return NULL;
}

static int order_send(struct launch *launch, struct order *order)
{
	int fds[1 + WIRE_SPAWN_TASKS_MAX] = {order->cgroup->dir_fd, -1, -1}, n_tasks = 0;
	int r = cgroup_open_tasks(order->cgroup, fds + 1, &n_tasks);

	if (r < 0)
		return r;
	order->make.n_tasks = (uint32_t)n_tasks;
	r = channel_send(launch->channel, WIRE_SPAWN_MAKE, order->cookie, &order->make,
		sizeof(order->make), NULL, 0, fds, 1 + (size_t)n_tasks);
	for (int i = 1; i <= n_tasks; i++)
		close(fds[i]);
	return r;
}

/* Sends what waits, as far as the limit lets it. A callback may give new orders, so each round
 * starts from the beginning. */
static void pump(struct launch *launch)
{
	while (launch->channel && launch->ready && launch->n_sent < IN_FLIGHT_MAX) {
		struct order *order = launch->first;
		struct failure why;
		int r;

		while (order && order->sent)
			order = order->next;
		if (!order)
			return;
		r = order_send(launch, order);
		if (r == 0) {
			order->sent = true;
			order->sent_ns = clock_monotonic_ns();
			launch->n_sent++;
			continue;
		}
		failure_set(&why, r, "spawner", "cannot give it the order: %s", strerror(-r));
		order_take(launch, order->cookie);
		order_finish(order, r, &why);
	}
}

static int on_made(struct launch *launch, struct channel_message *message)
{
	const struct wire_spawn_made *made = message->body;
	struct launch_result result = {.init_socket = -1};
	struct order *order;

	if (message->body_size != sizeof(*made) || message->n_fds != 1)
		return -EPROTO;
	order = order_take(launch, message->header->cookie);
	if (!order)
		return -EPROTO;
	result.pid = made->pid;
	result.pidfd = steal_fd(&message->fds[0]);
	result.error = connect_to_init(launch->socket_dir, order->make.sandbox, order->cgroup,
		made->pid, &result.init_socket, &result.why);
	if (result.error < 0) {
		close(result.pidfd);
		result.pidfd = -1;
	}
	order->callback(&result, order->userdata);
	free(order);
	return 0;
}

static int on_failed(struct launch *launch, const struct channel_message *message)
{
	const struct wire_spawn_failed *failed = message->body;
	struct failure why;
	struct order *order;

	if (message->body_size != sizeof(*failed) || message->n_fds != 0 || failed->error >= 0)
		return -EPROTO;
	failure_set(&why, failed->error, "", "%.255s", failed->sentence);
	snprintf(why.stage, sizeof(why.stage), "%.31s", failed->stage);
	if (message->header->cookie == 0) {
		launch->failure = why;
		return 0;
	}
	order = order_take(launch, message->header->cookie);
	if (!order)
		return -EPROTO;
	order_finish(order, failed->error, &why);
	return 0;
}

static void become_ready(struct launch *launch, const struct wire_spawn_ready *ready)
{
	launch->ready = true;
	for (size_t i = 0; i < TEMPLATES_N; i++)
		launch->templates[i].idmapped = ready->idmapped;
}

static int on_ready(struct launch *launch, const struct channel_message *message)
{
	if (message->body_size != sizeof(struct wire_spawn_ready) || message->n_fds != 0)
		return -EPROTO;
	become_ready(launch, message->body);
	return 0;
}

static int on_message(
	struct channel *channel _unused_, struct channel_message *message, void *userdata)
{
	struct launch *launch = userdata;
	int r = -EPROTO;

	switch (message->header->type) {
	case WIRE_SPAWN_READY:
		r = on_ready(launch, message);
		break;
	case WIRE_SPAWN_MADE:
		r = on_made(launch, message);
		break;
	case WIRE_SPAWN_FAILED:
		r = on_failed(launch, message);
		break;
	}
	if (r == 0)
		pump(launch);
	return r;
}

static void end_spawner(struct launch *launch)
{
	launch->channel = channel_free(launch->channel);
	launch->ready = false;
	if (launch->spawner_pid > 0) {
		kill(launch->spawner_pid, SIGKILL);
		while (waitpid(launch->spawner_pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	launch->spawner_pid = 0;
}

/* What the spawner had in hand has failed: whoever asked clears the cgroup, and with it whatever a
 * half-made stage left. */
static void fail_sent(struct launch *launch)
{
	struct failure why;
	struct order *order = launch->first;

	failure_set(&why, -EPIPE, "spawner", "it died while it made the sandbox; try again");
	while (order) {
		uint64_t cookie = order->cookie;

		if (!order->sent) {
			order = order->next;
			continue;
		}
		order_finish(order_take(launch, cookie), -EPIPE, &why);
		order = launch->first; /* the callback may have changed the list */
	}
}

static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct launch *launch = userdata;

	end_spawner(launch);
	if (clock_monotonic_ns() - launch->started_ns > STABLE_NS)
		launch->restart_delay_ms = RESTART_DELAY_MIN_MS;
	if (launch->failure.error < 0)
		log_failure("the spawner cannot work", &launch->failure);
	log_warning("the spawner ended (%d); it is started again in %llu ms", reason,
		(unsigned long long)launch->restart_delay_ms);
	loop_timer_arm(launch->restart_timer, launch->restart_delay_ms, 0);
	launch->restart_delay_ms *= 2;
	if (launch->restart_delay_ms > RESTART_DELAY_MAX_MS)
		launch->restart_delay_ms = RESTART_DELAY_MAX_MS;
	fail_sent(launch);
}

/* A stage that hangs, whatever holds it, would keep its place among the orders under way for ever:
 * the spawner is ended, and whoever asked kills the stage with its cgroup. */
static void on_watch(struct loop_source *source _unused_, void *userdata)
{
	struct launch *launch = userdata;
	uint64_t now_ns = clock_monotonic_ns();

	for (const struct order *order = launch->first; order; order = order->next)
		if (order->sent && now_ns - order->sent_ns > ORDER_TIMEOUT_NS) {
			log_error("the spawner does not finish a sandbox; it is ended");
			kill(launch->spawner_pid, SIGKILL);
			return;
		}
}

static int start_spawner(struct launch *launch, struct failure *why)
{
	const struct spawner_start start = {launch->socket_dir, launch->work_dir, launch->init_fd};
	int pair[2], r;

	launch->failure = (struct failure){0};
	launch->started_ns = clock_monotonic_ns();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return failure_set(
			why, -errno, "spawner", "cannot make its socket: %s", strerror(errno));
	r = spawner_execute(&start, pair[1], &launch->spawner_pid);
	close(pair[1]);
	if (r < 0) {
		launch->spawner_pid = 0;
		close(pair[0]);
		return failure_set(why, r, "spawner", "cannot start it: %s", strerror(-r));
	}
	r = channel_new(launch->loop, pair[0], on_message, on_closed, launch, &launch->channel);
	if (r < 0) {
		end_spawner(launch);
		return failure_set(why, r, "spawner", "cannot watch it: %s", strerror(-r));
	}
	return 0;
}

static void on_restart(struct loop_source *source _unused_, void *userdata)
{
	struct launch *launch = userdata;
	struct failure why;

	if (start_spawner(launch, &why) == 0)
		return;
	log_failure("the spawner cannot be started again", &why);
	loop_timer_arm(launch->restart_timer, RESTART_DELAY_MAX_MS, 0);
}

/* Reads the spawner's first message outside of the loop: at start there is nothing else to do, and
 * a spawner that cannot work is a reason not to start at all. */
static int wait_until_ready(struct launch *launch, struct failure *why)
{
	struct pollfd polled = {.fd = channel_fd(launch->channel), .events = POLLIN};
	struct {
		struct wire_header header;
		union {
			struct wire_spawn_ready ready;
			struct wire_spawn_failed failed;
		};
	} message = {0};
	ssize_t got = -1;

	if (poll(&polled, 1, READY_TIMEOUT_MS) > 0)
		got = recv(polled.fd, &message, sizeof(message), MSG_DONTWAIT);
	if (got == (ssize_t)(sizeof(message.header) + sizeof(message.ready)) &&
		message.header.type == WIRE_SPAWN_READY) {
		become_ready(launch, &message.ready);
		return 0;
	}
	if (got == (ssize_t)sizeof(message) && message.header.type == WIRE_SPAWN_FAILED)
		return failure_set(why, message.failed.error, message.failed.stage, "%.255s",
			message.failed.sentence);
	return failure_set(why, -ETIMEDOUT, "spawner", "it does not come up");
}

int launch_start(struct loop *loop, const struct launch_config *config, struct launch **ret_launch,
	struct failure *why)
{
	struct launch *launch = calloc(1, sizeof(*launch));
	int r;

	if (!launch)
		return failure_set(why, -ENOMEM, "spawner", "out of memory");
	launch->loop = loop;
	launch->init_fd = -1;
	launch->last = &launch->first;
	launch->next_cookie = 1;
	launch->restart_delay_ms = RESTART_DELAY_MIN_MS;
	launch->socket_dir = strdup(config->socket_dir);
	launch->work_dir = strdup(config->work_dir);
	template_find(launch->templates);
	r = launch->socket_dir && launch->work_dir ? 0 : -ENOMEM;
	if (r == 0)
		r = fd_make_dir_at(AT_FDCWD, config->socket_dir, 0700);
	if (r == 0)
		r = loop_add_timer(loop, on_restart, launch, &launch->restart_timer);
	if (r == 0)
		r = loop_add_timer(loop, on_watch, launch, &launch->watch_timer);
	if (r == 0)
		r = loop_timer_arm(launch->watch_timer, WATCH_PERIOD_MS, WATCH_PERIOD_MS);
	if (r < 0)
		failure_set(why, r, "spawner", "cannot prepare %s: %s", config->socket_dir,
			strerror(-r));
	if (r == 0)
		r = spawner_load_init(config->init_path, &launch->init_fd, why);
	if (r == 0)
		r = start_spawner(launch, why);
	if (r == 0)
		r = wait_until_ready(launch, why);
	if (r < 0) {
		launch_free(launch);
		return r;
	}
	*ret_launch = launch;
	return 0;
}

struct launch *launch_free(struct launch *launch)
{
	if (!launch)
		return NULL;
	end_spawner(launch);
	loop_source_free(launch->restart_timer);
	loop_source_free(launch->watch_timer);
	while (launch->first)
		free(order_take(launch, launch->first->cookie));
	if (launch->init_fd >= 0)
		close(launch->init_fd);
	free(launch->socket_dir);
	free(launch->work_dir);
	free(launch);
	return NULL;
}

bool launch_is_up(const struct launch *launch)
{
	return launch->channel && launch->ready;
}

const struct launch_template *launch_templates(const struct launch *launch, size_t *ret_n)
{
	*ret_n = TEMPLATES_N;
	return launch->templates;
}

static const struct launch_template *find_template(const struct launch *launch, const char *name)
{
	for (size_t i = 0; i < TEMPLATES_N; i++)
		if (strcmp(launch->templates[i].name, name) == 0)
			return &launch->templates[i];
	return NULL;
}

int launch_spawn(struct launch *launch, uint64_t sandbox, const char *template,
	const struct cgroup *cgroup, uint32_t uid_first, uint64_t disk_bytes,
	launch_callback callback, void *userdata)
{
	const struct launch_template *found = find_template(launch, template);
	struct order *order;

	if (!found || !found->available)
		return -ENOENT;
	/* Overflowing ids would end below, among the host's own. */
	if (uid_first < LAUNCH_UID_FIRST_MIN || uid_first > UINT32_MAX - LAUNCH_UIDS_PER_SANDBOX ||
		disk_bytes == 0)
		return -EINVAL;
	if (launch->n_orders >= QUEUE_MAX)
		return -EAGAIN;
	order = calloc(1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	order->cookie = launch->next_cookie++;
	order->cgroup = cgroup;
	order->callback = callback;
	order->userdata = userdata;
	order->make.sandbox = sandbox;
	order->make.uid_first = uid_first;
	order->make.disk_bytes = disk_bytes;
	connect_socket_name(sandbox, order->make.socket_path, sizeof(order->make.socket_path));
	snprintf(order->make.template, sizeof(order->make.template), "%s", template);
	*launch->last = order;
	launch->last = &order->next;
	launch->n_orders++;
	pump(launch);
	return 0;
}

void launch_forget(struct launch *launch, uint64_t sandbox)
{
	connect_remove(launch->socket_dir, sandbox);
}

int launch_adopt(struct launch *launch, uint64_t sandbox, const struct cgroup *cgroup,
	struct launch_result *ret_result)
{
	return connect_adopt(launch->socket_dir, sandbox, cgroup, ret_result);
}
