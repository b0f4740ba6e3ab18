/* Receives orders, clones stages, maps their ids, hands them their mounts, and reports.
 *
 * An order takes about a millisecond, most of it in the stage, so several are under way at once. A
 * stage reports through a socket of its own: a message means that it failed, the end of the socket
 * without one that it executed cloche-init. Whoever holds the pidfd sees its end; the spawner
 * reaps, and only from its loop, so that a pid means the same stage for as long as an order is
 * worked on. */
#include "supervisor/launch/spawner/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/loop.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/launch/files/idmap.h"
#include "supervisor/launch/launch.h"
#include "supervisor/launch/spawner/root.h"
#include "supervisor/launch/spawner/stage.h"
#include "supervisor/wire/channel.h"
#include "supervisor/wire/strings.h"

/* Sandboxes go before anything of the host when memory is short. Inherited by all of them. */
#define OOM_SCORE "500"
#define UID_SAME ((uid_t)-1)

struct spawner {
	struct loop *loop;
	struct channel *channel;
	struct loop_source *child_signal;
	struct sock_filter *filter;
	size_t n_filter;
	uint64_t masks;
	bool usr_mapped, extra_mapped; /* shown with their real owners */
};

struct job {
	struct spawner *spawner;
	struct loop_source *source;
	uint64_t cookie;
	int report_fd, pidfd;
	pid_t pid;
	char socket_name[108];
};

bool spawner_is_wanted(int argc, char **argv)
{
	return argc > 0 && strcmp(argv[0], SPAWNER_NAME) == 0;
}

static void send_failed(struct channel *channel, uint64_t cookie, const struct failure *why)
{
	struct wire_spawn_failed failed = {.error = why->error};

	snprintf(failed.stage, sizeof(failed.stage), "%s", why->stage);
	snprintf(failed.sentence, sizeof(failed.sentence), "%s", why->sentence);
	channel_send(channel, WIRE_SPAWN_FAILED, cookie, &failed, sizeof(failed), NULL, 0, NULL, 0);
}

static int fail(struct failure *why, const char *stage, const char *what)
{
	return failure_set(why, -errno, stage, "cannot %s: %s", what, strerror(errno));
}

static struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	loop_source_free(job->source);
	if (job->report_fd >= 0)
		close(job->report_fd);
	if (job->pidfd >= 0)
		close(job->pidfd);
	free(job);
	return NULL;
}

static void free_job(struct job **job)
{
	job_free(*job);
}

static void remove_socket(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", SPAWNER_SOCKETS, name);
	unlink(path);
}

/* Ends the stage and takes back what it may have left outside of itself. */
static void undo_stage(const struct job *job)
{
	if (job->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, job->pidfd, SIGKILL, NULL, 0);
	remove_socket(job->socket_name);
}

static bool has_ended(int pidfd)
{
	struct pollfd polled = {.fd = pidfd, .events = POLLIN};

	return poll(&polled, 1, 0) != 0;
}

static void on_report(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct job *job = userdata;
	struct wire_spawn_failed failed = {0};
	ssize_t got = recv(job->report_fd, &failed, sizeof(failed), MSG_DONTWAIT);
	struct wire_spawn_made made = {.pid = (uint32_t)job->pid};

	/* A stage that fails before it has read its mounts resets the socket; the kernel tells of
	 * that once, before it hands out the report that is there all the same. */
	if (got < 0 && errno == ECONNRESET)
		got = recv(job->report_fd, &failed, sizeof(failed), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == 0 && !has_ended(job->pidfd)) {
		channel_send(job->spawner->channel, WIRE_SPAWN_MADE, job->cookie, &made,
			sizeof(made), NULL, 0, &job->pidfd, 1);
	} else {
		if (got != sizeof(failed)) {
			failed = (struct wire_spawn_failed){.error = -ECHILD,
				.stage = "stage",
				.sentence = "the first process of the sandbox was killed"};
		}
		failed.stage[sizeof(failed.stage) - 1] = '\0';
		failed.sentence[sizeof(failed.sentence) - 1] = '\0';
		undo_stage(job);
		channel_send(job->spawner->channel, WIRE_SPAWN_FAILED, job->cookie, &failed,
			sizeof(failed), NULL, 0, NULL, 0);
	}
	job_free(job);
}

static void on_child(
	struct loop_source *source _unused_, int signal _unused_, void *userdata _unused_)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int write_map(pid_t pid, const char *file, uint32_t first, struct failure *why)
{
	char path[64], text[64];
	int r;

	snprintf(path, sizeof(path), SPAWNER_PROC "/%d/%s", pid, file);
	snprintf(text, sizeof(text), "0 %u %u\n", first, LAUNCH_UIDS_PER_SANDBOX);
	r = fd_write_file_at(AT_FDCWD, path, text);
	return r < 0 ? failure_set(why, r, "id maps", "cannot write %s: %s", file, strerror(-r))
		     : 0;
}

static int send_mounts(int report_fd, int usr_fd, int extra_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	int fds[2] = {usr_fd, extra_fd};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(header), fds, sizeof(fds));
	return sendmsg(report_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int give_mounts(struct spawner *spawner, const struct job *job, struct failure *why)
{
	_cleanup_close_ int userns_fd = -1, usr_fd = -1, extra_fd = -1;
	char path[64];
	int r;

	snprintf(path, sizeof(path), SPAWNER_PROC "/%d/ns/user", job->pid);
	userns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (userns_fd < 0)
		return fail(why, "mounts", "open the sandbox's user namespace");
	usr_fd = idmap_clone(SPAWNER_USR, spawner->usr_mapped ? userns_fd : -1);
	extra_fd = usr_fd < 0 ? usr_fd
			      : idmap_clone(SPAWNER_EXTRA, spawner->extra_mapped ? userns_fd : -1);
	if (extra_fd < 0)
		return failure_set(why, extra_fd, "mounts", "cannot clone /usr for the sandbox: %s",
			strerror(-extra_fd));
	r = send_mounts(job->report_fd, usr_fd, extra_fd);
	return r < 0 ? failure_set(why, r, "mounts", "the stage ended early: %s", strerror(-r)) : 0;
}

/* Returns 0 in the child, the pid in the parent, or -errno.
 *
 * What a user namespace may use of the per-user limits (inotify instances, pending signals, message
 * queues, locked memory) is also counted for whoever made it. So each is made by its own root's id:
 * made by the host's root, all sandboxes would share one account, and one could use up the others'
 * (user_namespaces(7), kernel/ucount.c). Files are still reached as root: the stage binds its
 * socket in a directory of root's. */
static long clone_stage(int cgroup_fd, uint32_t owner, int *ret_pidfd)
{
	struct clone_args arguments = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			 CLONE_NEWUTS | CLONE_NEWTIME | CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd,
	};
	long pid;

	if (setresuid(UID_SAME, owner, UID_SAME) < 0)
		return -errno;
	setfsuid(0);
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid == 0)
		return 0;
	pid = pid < 0 ? -errno : pid;
	if (setresuid(UID_SAME, 0, UID_SAME) < 0)
		abort(); /* cannot be: the saved id is 0 */
	return pid;
}

static int start_stage(struct spawner *spawner, struct job *job, const struct wire_spawn_make *make,
	const int *fds, struct failure *why)
{
	struct stage stage = {.socket_name = job->socket_name,
		.init_fd = SPAWNER_INIT_FD,
		.n_tasks = make->n_tasks,
		.disk_bytes = make->disk_bytes,
		.masks = spawner->masks,
		.etc_mapped = spawner->extra_mapped,
		.filter = spawner->filter,
		.n_filter = spawner->n_filter};
	int pair[2], r;
	long pid;

	memcpy(stage.tasks_fds, fds + 1, make->n_tasks * sizeof(int));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(why, "stage", "make its socket");
	stage.report_fd = pair[1];
	pid = clone_stage(fds[0], make->uid_first, &job->pidfd);
	if (pid == 0) {
		close(pair[0]);
		stage_run(&stage);
	}
	close(pair[1]);
	job->report_fd = pair[0];
	if (pid < 0)
		return failure_set(why, (int)pid, "clone",
			"cannot make the sandbox's namespaces in its cgroup: %s",
			strerror((int)-pid));
	job->pid = (pid_t)pid;
	r = write_map(job->pid, "uid_map", make->uid_first, why);
	if (r == 0)
		r = write_map(job->pid, "gid_map", make->uid_first, why);
	return r < 0 ? r : give_mounts(spawner, job, why);
}

/* A stage that fails early makes us fail too; what it said tells more. */
static void prefer_report(const struct job *job, struct failure *why)
{
	struct wire_spawn_failed failed;

	if (job->report_fd < 0 ||
		recv(job->report_fd, &failed, sizeof(failed), MSG_DONTWAIT) != sizeof(failed))
		return;
	failure_set(why, failed.error, "", "%.255s", failed.sentence);
	snprintf(why->stage, sizeof(why->stage), "%.31s", failed.stage);
}

static int make_sandbox(struct spawner *spawner, uint64_t cookie,
	const struct wire_spawn_make *make, const int *fds, struct failure *why)
{
	_cleanup_(free_job) struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return failure_set(why, -ENOMEM, "spawner", "out of memory");
	job->spawner = spawner;
	job->cookie = cookie;
	job->report_fd = job->pidfd = -1;
	snprintf(job->socket_name, sizeof(job->socket_name), "%s", make->socket_path);
	remove_socket(job->socket_name);
	r = start_stage(spawner, job, make, fds, why);
	if (r == 0) {
		r = loop_add_fd(
			spawner->loop, job->report_fd, EPOLLIN, on_report, job, &job->source);
		if (r < 0)
			failure_set(why, r, "spawner", "cannot watch the stage: %s", strerror(-r));
	}
	if (r < 0) {
		prefer_report(job, why);
		undo_stage(job);
		return r;
	}
	steal_ptr(&job);
	return 0;
}

static int on_message(struct channel *channel, struct channel_message *message, void *userdata)
{
	const struct wire_spawn_make *make = message->body;
	struct failure why = {0};

	if (message->header->type != WIRE_SPAWN_MAKE || message->body_size != sizeof(*make) ||
		make->n_tasks > WIRE_SPAWN_TASKS_MAX || message->n_fds != 1 + make->n_tasks ||
		!WIRE_TEXT_VALID(make->socket_path) || !make->socket_path[0] ||
		strchr(make->socket_path, '/') || make->uid_first < LAUNCH_UIDS_PER_SANDBOX)
		return -EPROTO;
	if (make_sandbox(userdata, message->header->cookie, make, message->fds, &why) < 0)
		send_failed(channel, message->header->cookie, &why);
	return 0;
}

static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct spawner *spawner = userdata;

	loop_stop(spawner->loop, reason < 0 ? 1 : 0);
}

static int prepare(struct spawner *spawner, char **argv, struct failure *why)
{
	int r;

	if (close_range(SPAWNER_INIT_FD + 1, ~0U, 0) < 0)
		return fail(why, "spawner", "close inherited descriptors");
	fd_set_cloexec(SPAWNER_CHANNEL_FD, true);
	fd_set_cloexec(SPAWNER_INIT_FD, true);
	signal(SIGPIPE, SIG_IGN);
	setsid(); /* a terminal's Ctrl-C is for cloched, which then ends us */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return fail(why, "spawner", "keep its capabilities while it changes ids");
	r = fd_write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", OOM_SCORE);
	if (r < 0)
		return failure_set(
			why, r, "spawner", "cannot raise oom_score_adj: %s", strerror(-r));
	r = confine_sandbox_filter(&spawner->filter, &spawner->n_filter, why);
	if (r == 0)
		r = spawner_root_enter(argv[1], argv[2], why);
	if (r == 0)
		spawner->masks = mounts_find_masks();
	if (r == 0) {
		spawner->usr_mapped = idmap_probe(SPAWNER_USR, SPAWNER_NEW);
		spawner->extra_mapped = idmap_probe(SPAWNER_EXTRA, SPAWNER_NEW);
	}
	return r;
}

int spawner_main(int argc, char **argv)
{
	struct spawner spawner = {0};
	struct wire_spawn_ready ready = {0};
	struct failure why = {0};
	int r, code = 1;

	if (argc != 3)
		return 2;
	prctl(PR_SET_NAME, SPAWNER_NAME, 0, 0, 0);
	r = prepare(&spawner, argv, &why);
	if (loop_new(&spawner.loop) < 0 || channel_new(spawner.loop, SPAWNER_CHANNEL_FD, on_message,
						   on_closed, &spawner, &spawner.channel) < 0)
		return 1;
	if (loop_add_signal(spawner.loop, SIGCHLD, on_child, NULL, &spawner.child_signal) < 0)
		return 1;
	if (r < 0) {
		send_failed(spawner.channel, 0, &why);
	} else {
		ready.idmapped = spawner.usr_mapped;
		channel_send(spawner.channel, WIRE_SPAWN_READY, 0, &ready, sizeof(ready), NULL, 0,
			NULL, 0);
		code = loop_run(spawner.loop);
	}
	channel_free(spawner.channel);
	free(spawner.filter);
	return code;
}
