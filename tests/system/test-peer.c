/* This program is also the peer that it starts: with --supervisor-fd it answers messages. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/peers/peer.h"
#include "tests/harness/check.h"

#define PATIENCE_NS (10 * NS_PER_SECOND)

enum ask { ASK_DESCRIBE = 1, ASK_EXIT, ASK_GARBAGE, ASK_LAST_WORDS };

struct description {
	uid_t uid, euid;
	gid_t gid, egid;
	int n_groups, no_new_privs, parent_death_signal, n_fds, extra_works, is_session_leader;
	int n_environment;
	_Alignas(8) char status[4096], directory[64], comm[16];
};

/* ---- the peer */

extern char **environ;

static int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int n = 0;

	while (directory && readdir(directory))
		n++;
	return n - 3; /* ".", "..", and the directory itself */
}

static void describe_myself(struct description *ret, int extra_fd)
{
	int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct stat info;

	*ret = (struct description){.uid = getuid(),
		.euid = geteuid(),
		.gid = getgid(),
		.egid = getegid(),
		.n_groups = getgroups(0, NULL),
		.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
		.is_session_leader = getsid(0) == getpid()};
	if (read(status, ret->status, sizeof(ret->status) - 1) < 0)
		_exit(1);
	close(status);
	prctl(PR_GET_PDEATHSIG, &ret->parent_death_signal);
	prctl(PR_GET_NAME, ret->comm);
	ret->n_fds = count_fds();
	ret->extra_works = fstat(extra_fd, &info) == 0 && S_ISFIFO(info.st_mode);
	while (environ[ret->n_environment])
		ret->n_environment++;
	if (!getcwd(ret->directory, sizeof(ret->directory)))
		_exit(1);
}

static void answer(int fd, struct wire_header *question, int extra_fd)
{
	struct {
		struct wire_header header;
		struct description description;
	} message = {.header = *question};

	message.header.size = sizeof(message);
	switch ((enum ask)question->type) {
	case ASK_DESCRIBE:
		describe_myself(&message.description, extra_fd);
		send(fd, &message, sizeof(message), 0);
		return;
	case ASK_EXIT:
		_exit(3);
	case ASK_GARBAGE:
		send(fd, "garbage", 7, 0);
		return;
	case ASK_LAST_WORDS:
		send(fd, &message, sizeof(message), 0);
		_exit(0);
	}
}

__attribute__((constructor)) static void be_the_peer(int argc, char **argv)
{
	int fd = argc > 2 && strcmp(argv[1], "--supervisor-fd") == 0 ? atoi(argv[2]) : -1;
	int extra_fd = argc > 4 && strcmp(argv[3], "--extra-fd") == 0 ? atoi(argv[4]) : -1;
	struct wire_header question;

	if (fd < 0)
		return;
	while (recv(fd, &question, sizeof(question), 0) == sizeof(question))
		answer(fd, &question, extra_fd);
	_exit(0);
}

/* ---- the tests */

struct seen {
	int n_up, n_down, n_messages;
	struct description description;
	pid_t pid;
	uint64_t up_ns, down_ns;
};

static struct loop *loop;
static struct seen seen;
static int pipe_fds[2];

static int on_message(struct peer *peer _unused_, struct channel_message *message, void *userdata)
{
	struct seen *record = userdata;

	if (message->body_size != sizeof(record->description))
		return -EPROTO;
	memcpy(&record->description, message->body, sizeof(record->description));
	record->n_messages++;
	return 0;
}

static void on_up(struct peer *peer, void *userdata)
{
	struct seen *record = userdata;

	CHECK(peer_channel(peer));
	record->pid = peer_pid(peer);
	record->up_ns = clock_monotonic_ns();
	record->n_up++;
}

static void on_down(struct peer *peer, void *userdata)
{
	struct seen *record = userdata;

	CHECK(!peer_channel(peer));
	record->down_ns = clock_monotonic_ns();
	record->n_down++;
}

static struct peer *start_peer(const char *user)
{
	static char program[256];
	struct peer_config config = {.name = "test-peer",
		.program = program,
		.user = user,
		.fallback_id = 61180,
		.fds = {{"--extra-fd", pipe_fds[0]}},
		.n_fds = 1,
		.message = on_message,
		.up = on_up,
		.down = on_down,
		.userdata = &seen};
	struct peer *peer = NULL;
	struct failure why = {0};

	if (geteuid() != 0)
		check_skip("needs root");
	log_open("test-peer", LOG_LEVEL_ERROR - 1);
	CHECK(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	seen = (struct seen){0};
	CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
	config.fds[0].fd = pipe_fds[0];
	CHECK_INT(loop_new(&loop), 0);
	if (peer_start(loop, &config, &peer, &why) < 0)
		CHECK_FAIL("%s: %s", why.stage, why.sentence);
	CHECK_INT(seen.n_up, 1);
	return peer;
}

static void stop_peer(struct peer *peer)
{
	pid_t pid = peer_pid(peer);

	peer_stop(peer);
	CHECK(pid == 0 || kill(pid, 0) < 0);
	loop_free(loop);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void ask(struct peer *peer, enum ask what)
{
	CHECK_INT(
		channel_send(peer_channel(peer), (uint16_t)what, 7, NULL, 0, NULL, 0, NULL, 0), 0);
}

static void run_until(const int *counter, int value)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;

	while (*counter < value) {
		CHECK(clock_monotonic_ns() < end_ns);
		CHECK_INT(loop_run_once(loop, 100), 0);
	}
}

TEST(peer_has_nothing_but_what_it_was_given)
{
	struct description *it = &seen.description;
	struct peer *peer = start_peer("no-such-user-here");

	ask(peer, ASK_DESCRIBE);
	run_until(&seen.n_messages, 1);
	CHECK_INT(it->uid, 61180);
	CHECK_INT(it->euid, 61180);
	CHECK_INT(it->gid, 61180);
	CHECK_INT(it->egid, 61180);
	CHECK_INT(it->n_groups, 0);
	CHECK_INT(it->no_new_privs, 1);
	CHECK_INT(it->parent_death_signal, SIGKILL);
	CHECK_INT(it->n_fds, 5); /* three standard ones, the socket, the extra one */
	CHECK(it->extra_works);
	CHECK(it->is_session_leader);
	CHECK_INT(it->n_environment, 2);
	CHECK_TEXT(it->directory, "/");
	CHECK_TEXT(it->comm, "test-peer");
	CHECK(strstr(it->status, "CapInh:\t0000000000000000"));
	CHECK(strstr(it->status, "CapPrm:\t0000000000000000"));
	CHECK(strstr(it->status, "CapEff:\t0000000000000000"));
	CHECK(strstr(it->status, "CapBnd:\t0000000000000000"));
	CHECK(strstr(it->status, "CapAmb:\t0000000000000000"));
	CHECK(strstr(it->status, "SigBlk:\t0000000000000000"));
	CHECK(strstr(it->status, "SigIgn:\t0000000000000000"));
	stop_peer(peer);
}

TEST(existing_user_and_number_are_resolved)
{
	struct peer *peer = start_peer("nobody");

	ask(peer, ASK_DESCRIBE);
	run_until(&seen.n_messages, 1);
	CHECK_INT(seen.description.uid, 65534);
	CHECK_INT(seen.description.gid, 65534);
	stop_peer(peer);
	peer = start_peer("61234");
	ask(peer, ASK_DESCRIBE);
	run_until(&seen.n_messages, 1);
	CHECK_INT(seen.description.uid, 61234);
	stop_peer(peer);
}

TEST(root_and_missing_programs_are_refused)
{
	struct peer_config config = {.name = "x",
		.program = "/nowhere/at/all",
		.user = "root",
		.fallback_id = 61180,
		.message = on_message,
		.up = on_up,
		.down = on_down,
		.userdata = &seen};
	struct peer *peer = NULL;
	struct failure why = {0};

	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(peer_start(loop, &config, &peer, &why), -EINVAL);
	CHECK_TEXT(why.stage, "resolve user");
	config.user = "no-such-user-here";
	CHECK_INT(peer_start(loop, &config, &peer, &why), -ENOENT);
	CHECK_TEXT(why.stage, "open program");
	CHECK(!peer);
	loop_free(loop);
}

TEST(peer_that_ends_is_started_again_after_a_growing_delay)
{
	struct peer *peer = start_peer("no-such-user-here");
	uint64_t first_ns, second_ns;
	pid_t first = seen.pid;

	ask(peer, ASK_EXIT);
	run_until(&seen.n_up, 2);
	CHECK_INT(seen.n_down, 1);
	CHECK(seen.pid != first);
	first_ns = seen.up_ns - seen.down_ns;
	ask(peer, ASK_EXIT);
	run_until(&seen.n_up, 3);
	CHECK_INT(seen.n_down, 2);
	second_ns = seen.up_ns - seen.down_ns;
	CHECK(first_ns >= 90 * NS_PER_MS);
	CHECK(second_ns >= 190 * NS_PER_MS);
	ask(peer, ASK_DESCRIBE);
	run_until(&seen.n_messages, 1);
	stop_peer(peer);
}

TEST(peer_that_breaks_framing_is_killed_and_started_again)
{
	struct peer *peer = start_peer("no-such-user-here");
	pid_t first = seen.pid;

	ask(peer, ASK_GARBAGE);
	run_until(&seen.n_down, 1);
	run_until(&seen.n_up, 2);
	CHECK(kill(first, 0) < 0);
	CHECK_INT(seen.n_messages, 0);
	stop_peer(peer);
}

TEST(killed_peer_is_started_again)
{
	struct peer *peer = start_peer("no-such-user-here");

	CHECK_INT(kill(seen.pid, SIGKILL), 0);
	run_until(&seen.n_up, 2);
	CHECK_INT(seen.n_down, 1);
	stop_peer(peer);
}

TEST(last_words_arrive_before_down)
{
	struct peer *peer = start_peer("no-such-user-here");

	ask(peer, ASK_LAST_WORDS);
	run_until(&seen.n_down, 1);
	CHECK_INT(seen.n_messages, 1);
	stop_peer(peer);
}
