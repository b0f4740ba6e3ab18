#include "tests/harness/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/launch/spawner/spawner.h"
#include "supervisor/wire/strings.h"
#include "tests/harness/check.h"

#define WAIT_MS check_patience_ms(15000)
#define DISK_BYTES (64u * 1024 * 1024)

static struct {
	bool started;
	struct loop *loop;
	struct cgroup_tree *tree;
	struct launch *launch;
	char base[64], run_dir[64], socket_dir[96], work_dir[96];
	uint64_t n_made;
	struct box *boxes; /* those alive: a failing test does not free its own */
	struct box_output output;
} shared;

/* A test program is also its own spawner. */
__attribute__((constructor)) static void be_spawner(int argc, char **argv)
{
	if (spawner_is_wanted(argc, argv)) {
		log_open(SPAWNER_NAME, LOG_LEVEL_WARNING);
		_exit(spawner_main(argc, argv));
	}
}

/* Also when only some of a program's tests were asked for, and the one that asserts this was not.
 */
__attribute__((destructor)) static void take_down(void)
{
	const char *left;

	box_all_gone(&left);
}

static void find_beside(const char *name, char ret_path[PATH_MAX])
{
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	CHECK(length > 0);
	own[length] = '\0';
	for (int i = 0; i < 3; i++) /* <build>/tests/system/test-… */
		*strrchr(own, '/') = '\0';
	snprintf(ret_path, PATH_MAX, "%.3800s/%s", own, name);
}

static void start(void)
{
	char init_path[PATH_MAX];
	struct launch_config config = {.init_path = init_path,
		.socket_dir = shared.socket_dir,
		.work_dir = shared.work_dir};
	struct failure why = {0};

	if (shared.started)
		return;
	if (geteuid() != 0)
		check_skip("needs root");
	shared.started = true;
	find_beside("cloche-init", init_path);
	snprintf(shared.base, sizeof(shared.base), "/cloche-launch-%d", getpid());
	snprintf(shared.run_dir, sizeof(shared.run_dir), "/run/cloche-launch-%d", getpid());
	snprintf(shared.socket_dir, sizeof(shared.socket_dir), "%s/sandboxes", shared.run_dir);
	snprintf(shared.work_dir, sizeof(shared.work_dir), "%s/spawner", shared.run_dir);
	CHECK_INT(fd_make_dir_at(AT_FDCWD, shared.run_dir, 0700), 0);
	CHECK_INT(loop_new(&shared.loop), 0);
	if (cgroup_tree_open(shared.base, &shared.tree, &why) < 0 ||
		launch_start(shared.loop, &config, &shared.launch, &why) < 0)
		CHECK_FAIL("%s: %s", why.stage, why.sentence);
}

struct launch *box_launch(void)
{
	start();
	return shared.launch;
}

struct cgroup_tree *box_tree(void)
{
	start();
	return shared.tree;
}

struct loop *box_loop(void)
{
	start();
	return shared.loop;
}

const char *box_socket_dir(void)
{
	return shared.socket_dir;
}

struct pending {
	bool *done;
	struct launch_result *result;
};

static void on_made(const struct launch_result *result, void *userdata)
{
	struct pending *pending = userdata;

	*pending->result = *result;
	*pending->done = true;
	free(pending);
}

struct box *box_begin(uint64_t disk_bytes, bool *ret_done, struct launch_result *ret_result)
{
	struct pending *pending = malloc(sizeof(*pending));
	struct box *box = calloc(1, sizeof(*box));
	struct failure why = {0};

	start();
	CHECK(pending && box);
	*pending = (struct pending){ret_done, ret_result};
	*ret_done = false;
	box->id = ((uint64_t)getpid() << 32) | ++shared.n_made;
	box->pidfd = box->socket = -1;
	box->next_cookie = 1;
	box->uid_first =
		LAUNCH_UID_FIRST_MIN + (uint32_t)(shared.n_made % 1024) * LAUNCH_UIDS_PER_SANDBOX;
	if (cgroup_create(shared.tree, box->id, &box->cgroup, &why) < 0)
		CHECK_FAIL("%s: %s", why.stage, why.sentence);
	box->has_cgroup = true;
	box->next = shared.boxes;
	shared.boxes = box;
	CHECK_INT(launch_spawn(shared.launch, box->id, "shell", &box->cgroup, box->uid_first,
			  disk_bytes, on_made, pending),
		0);
	return box;
}

struct box *box_new(void)
{
	struct launch_result result;
	bool done;
	struct box *box = box_begin(DISK_BYTES, &done, &result);
	uint64_t cookie, deadline_ns = clock_monotonic_ns() + WAIT_MS * NS_PER_MS;

	while (!done && clock_monotonic_ns() < deadline_ns)
		CHECK_INT(loop_run_once(shared.loop, 100), 0);
	CHECK(done);
	if (result.error < 0)
		CHECK_FAIL("%s: %s", result.why.stage, result.why.sentence);
	box->pid = result.pid;
	box->pidfd = result.pidfd;
	box->socket = result.init_socket;
	CHECK_INT(box_receive(box, WAIT_MS, &cookie, &box->hello, sizeof(box->hello)),
		WIRE_INIT_HELLO);
	return box;
}

bool box_free(struct box *box)
{
	bool removed = true;

	if (!box)
		return true;
	for (struct box **at = &shared.boxes; *at; at = &(*at)->next)
		if (*at == box) {
			*at = box->next;
			break;
		}
	if (box->has_cgroup) {
		struct pollfd polled = {.fd = box->pidfd, .events = POLLIN};
		int r = -EBUSY;

		cgroup_kill(&box->cgroup);
		if (box->pidfd >= 0)
			poll(&polled, 1, WAIT_MS);
		for (int i = 0; i < 3000 && r == -EBUSY; i++) {
			r = cgroup_remove(&box->cgroup);
			if (r == -EBUSY)
				poll(NULL, 0, 1);
		}
		removed = r == 0;
	}
	launch_forget(shared.launch, box->id);
	if (box->pidfd >= 0)
		close(box->pidfd);
	if (box->socket >= 0)
		close(box->socket);
	free(box);
	return removed;
}

void box_claim(struct box *box, uint64_t memory_bytes, uint32_t cpu_millis, uint32_t pids)
{
	const struct cgroup_limits limits = {memory_bytes, cpu_millis, pids};
	struct wire_header header = {WIRE_VERSION, WIRE_INIT_JOIN, sizeof(header), 1};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {&header, sizeof(header)};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	struct wire_init_joined joined;
	struct failure why = {0};
	uint64_t cookie;
	int join_fd = -1;

	if (cgroup_claim(&box->cgroup, &limits, &join_fd, &why) < 0)
		CHECK_FAIL("%s: %s", why.stage, why.sentence);
	if (join_fd < 0)
		return;
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &join_fd, sizeof(int));
	CHECK_INT(sendmsg(box->socket, &message, MSG_NOSIGNAL), sizeof(header));
	close(join_fd);
	CHECK_INT(box_receive(box, WAIT_MS, &cookie, &joined, sizeof(joined)), WIRE_INIT_JOINED);
	CHECK_INT(joined.error, 0);
}

int box_receive(struct box *box, int timeout_ms, uint64_t *ret_cookie, void *ret_body, size_t size)
{
	struct wire_header header;
	struct pollfd polled = {.fd = box->socket, .events = POLLIN};
	char body[4096];
	struct iovec parts[2] = {{&header, sizeof(header)}, {body, sizeof(body)}};
	ssize_t got;

	if (poll(&polled, 1, timeout_ms) != 1)
		CHECK_FAIL("cloche-init says nothing for %d ms", timeout_ms);
	got = readv(box->socket, parts, 2);
	if (got == 0)
		return -EPIPE;
	if (got < 0)
		return -errno;
	CHECK((size_t)got >= sizeof(header) && header.size == (size_t)got &&
		header.version == WIRE_VERSION);
	memcpy(ret_body, body, size < sizeof(body) ? size : sizeof(body));
	*ret_cookie = header.cookie;
	return header.type;
}

void box_send(struct box *box, uint16_t type, uint64_t cookie, const void *body, size_t size)
{
	struct wire_header header = {WIRE_VERSION, type, (uint32_t)(sizeof(header) + size), cookie};
	struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)body, size}};

	CHECK_INT(writev(box->socket, parts, 2), sizeof(header) + size);
}

/* A command without a filter of its own gets that of the profile "default", as those of cloched do.
 */
static const struct sock_filter *choose_filter(const struct box_command *command, uint32_t *ret_n)
{
	static struct sock_filter *usual;
	static size_t n;
	const struct confine_calls calls = {.profile = CONFINE_DEFAULT};

	if (!usual)
		CHECK_INT(confine_policy_filter(&calls, &usual, &n, NULL), 0);
	*ret_n = command->filter ? command->n_filter : (uint32_t)n;
	return command->filter ? command->filter : usual;
}

static void pack(
	const struct box_command *command, struct wire_init_exec *exec, struct wire_strings *tail)
{
	static const char *const usual[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/sandbox", "LANG=C.UTF-8", NULL};

	*exec = (struct wire_init_exec){
		.uid = command->uid, .gid = command->gid, .open_files = command->open_files};
	for (const char *const *next = command->argv; *next; next++, exec->argc++)
		CHECK_INT(wire_strings_add(tail, *next), 0);
	for (const char *const *next = command->env ? command->env : usual; *next; next++) {
		CHECK_INT(wire_strings_add(tail, *next), 0);
		exec->n_env++;
	}
	CHECK_INT(wire_strings_add(tail, command->cwd ? command->cwd : "/"), 0);
}

uint64_t box_start(struct box *box, const struct box_command *command, int ret_fds[2])
{
	struct wire_strings tail = {0};
	struct wire_init_exec exec;
	struct wire_header header = {WIRE_VERSION, WIRE_INIT_EXEC, 0, box->next_cookie++};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	struct iovec parts[4];
	struct msghdr message = {.msg_iov = parts,
		.msg_iovlen = 4,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	const struct sock_filter *filter;
	int in[2], out[2], fds[3];

	pack(command, &exec, &tail);
	filter = choose_filter(command, &exec.n_filter);
	CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	fds[0] = in[0];
	fds[1] = fds[2] = out[1];
	parts[0] = (struct iovec){&header, sizeof(header)};
	parts[1] = (struct iovec){&exec, sizeof(exec)};
	parts[2] = (struct iovec){tail.bytes, tail.size};
	parts[3] = (struct iovec){(void *)filter, exec.n_filter * sizeof(struct sock_filter)};
	for (int i = 0; i < 4; i++)
		header.size += (uint32_t)parts[i].iov_len;
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(rights), fds, sizeof(fds));
	CHECK_INT(sendmsg(box->socket, &message, MSG_NOSIGNAL), header.size);
	close(in[0]);
	close(out[1]);
	wire_strings_fini(&tail);
	ret_fds[0] = in[1];
	ret_fds[1] = out[0];
	fd_set_nonblocking(in[1], true);
	fd_set_nonblocking(out[0], true);
	return header.cookie;
}

static void take_output(struct box_output *output, int fd)
{
	ssize_t got;

	while (output->size < BOX_OUTPUT_MAX - 1 &&
		(got = read(fd, output->text + output->size, BOX_OUTPUT_MAX - 1 - output->size)) >
			0)
		output->size += (size_t)got;
}

static void give_input(const struct box_command *command, size_t *given, int *fd)
{
	ssize_t sent;

	while (*fd >= 0 && *given < command->input_size) {
		sent = write(
			*fd, (const char *)command->input + *given, command->input_size - *given);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			break;
		*given += (size_t)sent;
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool take_message(
	struct box *box, uint64_t wanted, struct box_output *output, uint64_t begin_ns)
{
	union {
		struct wire_init_started started;
		struct wire_init_exited exited;
		struct wire_init_refused refused;
	} body;
	uint64_t cookie, now_us;
	int type = box_receive(box, WAIT_MS, &cookie, &body, sizeof(body));

	now_us = (clock_monotonic_ns() - begin_ns) / 1000;
	if (type < 0)
		CHECK_FAIL("cloche-init closed the connection");
	if (cookie != wanted)
		return false;
	if (type == WIRE_INIT_STARTED) {
		output->pid = body.started.pid;
		output->started_us = now_us;
		return false;
	}
	output->refused = type == WIRE_INIT_REFUSED;
	if (output->refused)
		output->refusal = body.refused;
	else
		output->exited = body.exited;
	output->exited_us = now_us;
	return true;
}

void box_run(struct box *box, const struct box_command *command, struct box_output *ret_output)
{
	uint64_t begin_ns = clock_monotonic_ns(), cookie;
	size_t given = 0;
	int fds[2];
	bool ended = false;

	memset(ret_output, 0, offsetof(struct box_output, text));
	ret_output->size = 0;
	cookie = box_start(box, command, fds);
	while (!ended) {
		struct pollfd polled[3] = {
			{box->socket, POLLIN, 0}, {fds[1], POLLIN, 0}, {fds[0], POLLOUT, 0}};

		give_input(command, &given, &fds[0]);
		polled[2].fd = fds[0];
		if (poll(polled, 3, WAIT_MS) <= 0)
			CHECK_FAIL("the command says nothing for %d ms", WAIT_MS);
		if (polled[1].revents & POLLIN)
			take_output(ret_output, fds[1]);
		else if (polled[1].revents) /* closed: no more turns for it */
			fds[1] = fds[1] < 0 ? fds[1] : (close(fds[1]), -1);
		if (polled[0].revents)
			ended = take_message(box, cookie, ret_output, begin_ns);
	}
	if (fds[1] >= 0)
		take_output(ret_output, fds[1]);
	ret_output->text[ret_output->size] = '\0';
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static const char *cut_newline(struct box_output *output)
{
	while (output->size > 0 && output->text[output->size - 1] == '\n')
		output->text[--output->size] = '\0';
	return output->text;
}

const struct box_output *box_last(void)
{
	return &shared.output;
}

const char *box_shell(struct box *box, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};

	box_run(box, &command, &shared.output);
	if (shared.output.refused)
		CHECK_FAIL("refused: stage %u, %s", shared.output.refusal.stage,
			strerror(-shared.output.refusal.error));
	return cut_newline(&shared.output);
}

const char *box_probe(struct box *box, const char *probe, const char *arguments, uint32_t uid)
{
	_cleanup_free_ char *bytes = NULL;
	char name[128], path[PATH_MAX], script[4096];
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct box_command command = {.argv = argv, .uid = uid, .gid = uid};

	snprintf(name, sizeof(name), "tests/probe/%s", probe);
	find_beside(name, path);
	if (fd_read_file_at(AT_FDCWD, path, 16 * 1024 * 1024, &bytes, &command.input_size) < 0)
		CHECK_FAIL("%s is not built", path);
	command.input = bytes;
	snprintf(script, sizeof(script),
		"cat >/tmp/p-%u && chmod +x /tmp/p-%u && exec /tmp/p-%u %s", uid, uid, uid,
		arguments);
	box_run(box, &command, &shared.output);
	return cut_newline(&shared.output);
}

static bool mentioned(const char *file, const char *word)
{
	_cleanup_free_ char *text = NULL;

	return fd_read_file_at(AT_FDCWD, file, 8 * 1024 * 1024, &text, NULL) == 0 &&
	       strstr(text, word);
}

bool box_all_gone(const char **ret_left)
{
	static char left[128];

	if (!shared.started)
		return true;
	left[0] = '\0';
	while (shared.boxes)
		box_free(shared.boxes);
	shared.launch = launch_free(shared.launch);
	if (cgroup_tree_remove(shared.tree) < 0)
		snprintf(left, sizeof(left), "a cgroup of %s", shared.base);
	shared.tree = cgroup_tree_free(shared.tree);
	shared.loop = loop_free(shared.loop);
	if (mentioned("/proc/self/mountinfo", shared.run_dir))
		snprintf(left, sizeof(left), "a mount in %s", shared.run_dir);
	if (rmdir(shared.work_dir) < 0 || rmdir(shared.socket_dir) < 0 || rmdir(shared.run_dir) < 0)
		snprintf(left, sizeof(left), "something in %s", shared.run_dir);
	shared.started = false;
	*ret_left = left;
	return !left[0];
}
