/* The life of a sandbox through launch.h: made, run in, limited, adopted, ended. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/confine/sandbox-filter.h"
#include "tests/harness/check.h"
#include "tests/harness/sandbox.h"

#define MIB (1024u * 1024)

static struct box_output output;

static void run(struct box *box, const char *const *argv)
{
	const struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};

	box_run(box, &command, &output);
}

static void check_refused(uint32_t stage, int error)
{
	CHECK(output.refused);
	CHECK_INT(output.refusal.stage, stage);
	CHECK_INT(output.refusal.error, error);
}

TEST(runs_a_command_as_the_sandbox_user)
{
	struct box *box = box_new();

	CHECK_INT(box->hello.n_running, 0);
	CHECK_TEXT(box_shell(box, "id; pwd; hostname; echo err >&2; exit 7"),
		"uid=1000(sandbox) gid=1000(sandbox) groups=1000(sandbox)\n/\nsandbox\nerr");
	CHECK(WIFEXITED(box_last()->exited.status));
	CHECK_INT(WEXITSTATUS(box_last()->exited.status), 7);
	CHECK(box_last()->exited.wall_us > 0 && box_last()->exited.max_rss_bytes > 65536);
	CHECK_TEXT(box_shell(box, "kill -9 $$"), "");
	CHECK(WIFSIGNALED(box_last()->exited.status));
	CHECK_INT(WTERMSIG(box_last()->exited.status), SIGKILL);
	box_free(box);
}

TEST(passes_arguments_environment_directory_and_ids)
{
	static const char *const argv[] = {
		"sh", "-c", "pwd; id -u; id -g; id -G; echo $0 $A; env", "zero", NULL};
	static const char *const env[] = {"A=b c", "PATH=/usr/bin", NULL};
	const struct box_command command = {
		.argv = argv, .env = env, .cwd = "/tmp", .uid = 4321, .gid = 1234};
	struct box *box = box_new();

	box_run(box, &command, &output);
	CHECK_TEXT(
		output.text, "/tmp\n4321\n1234\n1234\nzero b c\nA=b c\nPATH=/usr/bin\nPWD=/tmp\n");
	box_free(box);
}

TEST(runs_the_runtimes_of_the_templates)
{
	struct box *box = box_new();
	const struct launch_template *templates;
	size_t n;

	templates = launch_templates(box_launch(), &n);
	CHECK_INT(n, 3);
	CHECK_TEXT(templates[0].name, "python");
	if (templates[0].available)
		CHECK_TEXT(box_shell(box,
				   "/usr/bin/python3 -c 'import ssl, json, sqlite3; print(6 * 7)'"),
			"42");
	if (templates[1].available)
		CHECK_TEXT(box_shell(box, "/usr/bin/node -e 'console.log(6 * 7)'"), "42");
	CHECK_TEXT(box_shell(box, "/usr/bin/bash -c 'echo $((6 * 7))'"), "42");
	box_free(box);
}

TEST(says_why_a_command_does_not_start)
{
	static const char *const missing[] = {"no-such-program", NULL};
	static const char *const missing_path[] = {"/no/such", NULL};
	static const char *const not_executable[] = {"/etc/passwd", NULL};
	static const char *const good[] = {"true", NULL};
	const struct box_command bad_cwd = {.argv = good, .cwd = "/nowhere", .uid = 1000};
	const struct box_command closed_cwd = {.argv = good, .cwd = "/root", .uid = 1000};
	const struct box_command bad_uid = {.argv = good, .uid = 70000};
	struct box *box = box_new();

	run(box, missing);
	check_refused(WIRE_INIT_STAGE_EXEC, -ENOENT);
	run(box, missing_path);
	check_refused(WIRE_INIT_STAGE_EXEC, -ENOENT);
	run(box, not_executable);
	check_refused(WIRE_INIT_STAGE_EXEC, -EACCES);
	box_run(box, &bad_cwd, &output);
	check_refused(WIRE_INIT_STAGE_CWD, -ENOENT);
	box_run(box, &closed_cwd, &output);
	check_refused(WIRE_INIT_STAGE_CWD, -EACCES);
	box_run(box, &bad_uid, &output);
	check_refused(WIRE_INIT_STAGE_IDENTITY, -EINVAL);
	run(box, good);
	CHECK(!output.refused);
	CHECK_INT(output.exited.status, 0);
	box_free(box);
}

TEST(runs_a_script_without_a_first_line)
{
	static const char *const argv[] = {"/tmp/script", "given", NULL};
	struct box *box = box_new();

	box_shell(box, "echo 'echo script $1' >/tmp/script; chmod +x /tmp/script");
	run(box, argv);
	CHECK_TEXT(output.text, "script given\n");
	box_free(box);
}

static void run_filtered(struct box *box, const char (*names)[32], size_t n, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct confine_calls calls = {
		.profile = CONFINE_DEFAULT, .denied = names, .n_denied = n};
	struct sock_filter *filter = NULL;
	size_t n_filter = 0;
	struct failure why;
	struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};

	CHECK_INT(confine_policy_filter(&calls, &filter, &n_filter, &why), 0);
	command.filter = filter;
	command.n_filter = (uint32_t)n_filter;
	box_run(box, &command, &output);
	free(filter);
}

TEST(a_policys_filter_denies_more)
{
	static const char names[][32] = {"mkdir", "mkdirat"};
	static const char execve[][32] = {"execve"};
	static const char both[][32] = {"execve", "execveat"};
	struct box *box = box_new();

	run_filtered(box, names, 0, "mkdir /tmp/a && echo made");
	CHECK_TEXT(output.text, "made\n");
	run_filtered(box, names, 2, "mkdir /tmp/b");
	CHECK_TEXT(
		output.text, "mkdir: cannot create directory ‘/tmp/b’: Operation not permitted\n");
	/* The command itself starts; it cannot start others. */
	run_filtered(box, execve, 1, "echo in; true && /usr/bin/true");
	CHECK_TEXT(output.text, "in\nsh: 1: /usr/bin/true: Operation not permitted\n");
	run_filtered(box, both, 2, "echo in");
	check_refused(WIRE_INIT_STAGE_EXEC, -EPERM);
	box_free(box);
}

TEST(a_filter_of_an_unknown_call_is_an_error)
{
	static const char names[][32] = {"mkdir", "no_such_call"};
	const struct confine_calls calls = {
		.profile = CONFINE_DEFAULT, .denied = names, .n_denied = 2};
	struct sock_filter *filter = NULL;
	struct failure why;
	size_t n;

	CHECK_INT(confine_policy_filter(&calls, &filter, &n, &why), -EINVAL);
	CHECK_TEXT(why.sentence, "there is no system call \"no_such_call\" on this machine");
}

TEST(reaps_orphans)
{
	struct box *box = box_new();

	box_shell(box, "for i in 1 2 3 4 5; do (sh -c 'sleep 0.01 & exit' &); done; sleep 0.2");
	CHECK_TEXT(box_shell(box, "grep -l 'State:.Z' /proc/[0-9]*/status | wc -l"), "0");
	box_free(box);
}

TEST(commands_overlap_up_to_the_limit)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	const struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};
	struct box *box = box_new();
	struct wire_init_refused refused;
	uint64_t cookie;
	int fds[2];

	box_claim(box, 512 * MIB, 1000, 400);
	for (int i = 0; i <= WIRE_INIT_EXECS_MAX; i++) {
		int type;

		box_start(box, &command, fds);
		close(fds[0]);
		close(fds[1]);
		type = box_receive(box, 5000, &cookie, &refused, sizeof(refused));
		CHECK_INT(type, i < WIRE_INIT_EXECS_MAX ? WIRE_INIT_STARTED : WIRE_INIT_REFUSED);
	}
	CHECK_INT(refused.stage, WIRE_INIT_STAGE_MESSAGE);
	CHECK_INT(refused.error, -EAGAIN);
	box_free(box);
}

TEST(kill_takes_the_whole_session)
{
	static const char *const argv[] = {"sh", "-c",
		"trap '' TERM HUP; python3 -c 'import os; os.setpgid(0, 0); import time; "
		"time.sleep(1000)' & "
		"sleep 1000 & wait; wait; sleep 1000",
		NULL};
	const struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};
	const struct wire_init_kill kill = {.signal = SIGKILL};
	struct box *box = box_new();
	struct wire_init_exited exited;
	uint64_t cookie, got;
	int fds[2];

	cookie = box_start(box, &command, fds);
	CHECK_INT(box_receive(box, 5000, &got, &exited, sizeof(exited)), WIRE_INIT_STARTED);
	for (int i = 0; i < 100; i++) /* until the group of its own is there */
		if (strcmp(box_shell(box,
				   "cut -d' ' -f5,6 /proc/[3-9]/stat | awk '$1 != $2' | wc -l"),
			    "0") != 0)
			break;
	box_send(box, WIRE_INIT_KILL, cookie, &kill, sizeof(kill));
	CHECK_INT(box_receive(box, 5000, &got, &exited, sizeof(exited)), WIRE_INIT_EXITED);
	CHECK_INT(got, cookie);
	CHECK_INT(WTERMSIG(exited.status), SIGKILL);
	CHECK_TEXT(
		box_shell(box, "sleep 0.1; cat /proc/[0-9]*/comm | grep -cE 'sleep|python'"), "0");
	close(fds[0]);
	close(fds[1]);
	box_free(box);
}

TEST(root_inside_cannot_end_init)
{
	static const char *const argv[] = {"sh", "-c", "kill -9 1; kill -19 1; kill -9 -1", NULL};
	const struct box_command command = {.argv = argv, .uid = 0};
	struct box *box = box_new();

	box_run(box, &command, &output);
	CHECK_TEXT(box_shell(box, "echo alive"), "alive");
	box_free(box);
}

TEST(ending_takes_what_escapes_sessions) /* L2 */
{
	static const char *const argv[] = {"python3", "-c",
		"import os, signal, time\n"
		"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
		"for i in range(20):\n"
		"  if os.fork() == 0:\n"
		"    os.setsid()\n"
		"    if os.fork() == 0:\n"
		"      if i % 2: os.kill(os.getpid(), signal.SIGSTOP)\n"
		"      time.sleep(1000)\n"
		"    os._exit(0)\n"
		"print('up', flush=True)\n"
		"time.sleep(1000)\n",
		NULL};
	const struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};
	struct box *box = box_new();
	struct pollfd polled;
	int fds[2];

	box_start(box, &command, fds);
	polled = (struct pollfd){.fd = fds[1], .events = POLLIN};
	CHECK_INT(poll(&polled, 1, 10000), 1);
	close(fds[0]);
	close(fds[1]);
	CHECK(box_free(box)); /* the cgroup has emptied */
}

TEST(a_broken_message_drops_the_connection_only)
{
	static const char garbage[40] = "not a message of ours";
	struct launch_result result;
	struct box *box = box_new();
	struct wire_init_exec exec = {.argc = 3};
	uint64_t cookie;
	char byte;

	CHECK_INT(send(box->socket, garbage, sizeof(garbage), 0), sizeof(garbage));
	CHECK_INT(box_receive(box, 5000, &cookie, &byte, 1), -EPIPE);
	for (int i = 0; i < 2; i++) {
		close(box->socket);
		CHECK_INT(launch_adopt(box_launch(), box->id, &box->cgroup, &result), 0);
		close(result.pidfd);
		box->socket = result.init_socket;
		CHECK_INT(box_receive(box, 5000, &cookie, &box->hello, sizeof(box->hello)),
			WIRE_INIT_HELLO);
		if (i == 0) { /* right header, no strings, no descriptors */
			box_send(box, WIRE_INIT_EXEC, 5, &exec, sizeof(exec));
			CHECK_INT(box_receive(box, 5000, &cookie, &byte, 1), -EPIPE);
		}
	}
	CHECK_TEXT(box_shell(box, "echo on"), "on");
	box_free(box);
}

TEST(a_restarted_supervisor_finds_what_runs)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	const struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};
	struct box *box = box_new(), *other = box_new();
	struct launch_result result;
	struct wire_init_started started;
	uint64_t cookie, got;
	int fds[2];

	cookie = box_start(box, &command, fds);
	CHECK_INT(box_receive(box, 5000, &got, &started, sizeof(started)), WIRE_INIT_STARTED);
	close(box->socket);
	box->socket = -1;
	/* another sandbox's cgroup: refused */
	CHECK_INT(launch_adopt(box_launch(), box->id, &other->cgroup, &result), -EPERM);
	CHECK_INT(result.init_socket, -1);
	CHECK_INT(launch_adopt(box_launch(), box->id, &box->cgroup, &result), 0);
	CHECK_INT(result.pid, box->pid);
	close(result.pidfd);
	box->socket = result.init_socket;
	CHECK_INT(box_receive(box, 5000, &got, &box->hello, sizeof(box->hello)), WIRE_INIT_HELLO);
	CHECK_INT(box->hello.n_running, 1);
	CHECK_INT(box->hello.cookies[0], cookie);
	box->next_cookie = cookie + 1;
	CHECK_TEXT(box_shell(box, "pgrep sleep >/dev/null && echo runs"), "runs");
	close(fds[0]);
	close(fds[1]);
	box_free(box);
	box_free(other);
}

static pid_t find_spawner(void)
{
	char path[64], text[32];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	CHECK(got > 0);
	text[got] = '\0';
	return (pid_t)atoi(text);
}

TEST(a_dead_spawner_is_replaced_and_sandboxes_go_on)
{
	struct launch_result result = {0};
	struct box *box = box_new(), *lost, *next;
	bool done;

	CHECK(launch_is_up(box_launch()));
	CHECK_INT(kill(find_spawner(), SIGSTOP), 0);
	lost = box_begin(64 * MIB, &done, &result);
	CHECK_INT(kill(find_spawner(), SIGKILL), 0);
	while (!done)
		CHECK_INT(loop_run_once(box_loop(), 1000), 0);
	CHECK_INT(result.error, -EPIPE);
	CHECK(!launch_is_up(box_launch()));
	box_free(lost);
	CHECK_TEXT(box_shell(box, "echo on"), "on");
	next = box_new(); /* waits for the new spawner */
	CHECK_TEXT(box_shell(next, "echo new"), "new");
	box_free(next);
	box_free(box);
}

TEST(a_failed_stage_says_why_and_leaves_nothing)
{
	struct launch_result result = {0};
	struct cgroup_usage usage;
	struct box *box;
	char path[160];
	bool done;

	box = box_new();
	snprintf(path, sizeof(path), "%s/%016" PRIx64 ".sock", box_socket_dir(), box->id + 1);
	CHECK_INT(mkdir(path, 0700), 0); /* where the next one's socket has to go */
	box_free(box);
	box = box_begin(64 * MIB, &done, &result);
	while (!done)
		CHECK_INT(loop_run_once(box_loop(), 1000), 0);
	CHECK_INT(rmdir(path), 0);
	CHECK_INT(result.error, -EADDRINUSE);
	CHECK_TEXT(result.why.stage, "control socket");
	CHECK_TEXT(
		result.why.sentence, "cannot listen on the control socket: Address already in use");
	CHECK_INT(result.pidfd, -1);
	for (int i = 0; i < 1000; i++) { /* its last process goes by itself */
		CHECK_INT(cgroup_read_usage(&box->cgroup, &usage), 0);
		if (usage.n_pids == 0)
			break;
		poll(NULL, 0, 1);
	}
	CHECK_INT(usage.n_pids, 0);
	box_free(box);
}

TEST(the_disk_has_a_size)
{
	struct box *box = box_new();

	/* Before Linux 6.3 copies of /etc's files take a little of it. */
	CHECK_TEXT(
		box_shell(box, "head -c 70000000 /dev/zero >/tmp/a; n=$(stat -c %s /tmp/a); rm "
			       "/tmp/a; [ $n -le 67108864 ] && [ $n -gt 66000000 ] && echo full"),
		"head: error writing 'standard output': No space left on device\nfull");
	CHECK_INT(launch_set_disk_bytes(box->pid, 128 * MIB), 0);
	CHECK_TEXT(box_shell(box, "head -c 70000000 /dev/zero >/tmp/a; stat -c %s /tmp/a"),
		"70000000");
	CHECK_INT(launch_set_disk_bytes(box->pid, 1 * MIB), -EINVAL);
	box_free(box);
}

static int accept_one(int listen_fd)
{
	struct pollfd polled = {.fd = listen_fd, .events = POLLIN};

	CHECK_INT(poll(&polled, 1, 10000), 1);
	return accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
}

TEST(opens_a_socket_inside_and_comes_back)
{
	struct box *box = box_new();
	struct stat before, after;
	struct launch_sockets sockets;
	uint64_t own = 0;
	socklen_t size = sizeof(own);
	char script[512], datagram[8];
	int fd;

	CHECK_INT(stat("/proc/self/ns/net", &before), 0);
	CHECK_INT(launch_open_inside(box->pidfd, &sockets), 0);
	CHECK_INT(stat("/proc/self/ns/net", &after), 0);
	CHECK_INT(after.st_ino, before.st_ino);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &own, &size), 0);
	close(fd);
	CHECK(sockets.relay_port != 0 && sockets.dns_port != 0);
	CHECK(sockets.relay_port != sockets.dns_port);
	CHECK(sockets.netns_cookie != 0 && sockets.netns_cookie != own);
	snprintf(script, sizeof(script),
		"import socket\nfor a in ('127.0.0.1', '::1'):\n"
		"  for p in (%u, %u): socket.create_connection((a, p)).send(b'x')\n"
		"  f = socket.AF_INET6 if ':' in a else socket.AF_INET\n"
		"  socket.socket(f, socket.SOCK_DGRAM).sendto(b'x', (a, %u))\nprint('sent')",
		sockets.relay_port, sockets.dns_port, sockets.dns_port);
	CHECK_TEXT(box_shell(box,
			   "ls /sys/class/net 2>/dev/null; cut -d: -f1 /proc/net/dev | tail -n +3"),
		"    lo");
	{
		const char *const argv[] = {"python3", "-c", script, NULL};

		run(box, argv);
		CHECK_TEXT(output.text, "sent\n");
	}
	for (int i = 0; i < 2; i++) {
		fd = accept_one(sockets.relay_fd);
		CHECK(fd >= 0);
		close(fd);
		fd = accept_one(sockets.dns_tcp_fd);
		CHECK(fd >= 0);
		close(fd);
		CHECK_INT(recv(sockets.dns_udp_fd, datagram, sizeof(datagram), 0), 1);
	}
	close(sockets.relay_fd);
	close(sockets.dns_tcp_fd);
	close(sockets.dns_udp_fd);
	box_free(box);
}

TEST(memory_is_limited_and_the_neighbour_lives) /* L4, R2 */
{
	struct box *box = box_new(), *other = box_new();
	struct cgroup_usage usage;
	uint64_t oom_kills = 0, pids_hits = 0;

	box_claim(box, 64 * MIB, 1000, 64);
	box_claim(other, 64 * MIB, 1000, 64);
	CHECK_TEXT(box_shell(box, "python3 -c 'print(len(bytes(20 << 20)))'"), "20971520");
	CHECK_TEXT(box_shell(box, "exec python3 -c 'b = bytearray(200 << 20)'"), "");
	CHECK_INT(WTERMSIG(box_last()->exited.status), SIGKILL);
	CHECK_INT(cgroup_read_limit_hits(&box->cgroup, &oom_kills, &pids_hits), 0);
	CHECK_INT(oom_kills, 1);
	CHECK_INT(cgroup_read_usage(&box->cgroup, &usage), 0);
	CHECK(usage.memory_peak_bytes > 60 * MIB && usage.memory_peak_bytes <= 64 * MIB);
	CHECK_INT(cgroup_read_limit_hits(&other->cgroup, &oom_kills, &pids_hits), 0);
	CHECK_INT(oom_kills, 0);
	CHECK_TEXT(box_shell(box, "echo on"), "on"); /* PID 1 was not the victim */
	CHECK_TEXT(box_shell(other, "echo on"), "on");
	box_free(box);
	box_free(other);
}

TEST(processes_are_limited) /* R1 */
{
	struct box *box = box_new();
	uint64_t oom_kills = 0, hits = 0;

	box_claim(box, 256 * MIB, 1000, 16);
	CHECK_TEXT(
		box_shell(box, "for i in 1 2 3 4 5; do sleep 0.01 & done; wait; echo few"), "few");
	CHECK_INT(cgroup_read_limit_hits(&box->cgroup, &oom_kills, &hits), 0);
	CHECK_INT(hits, 0);
	box_shell(box, "exec python3 -c 'import os, time\nfor i in range(30):\n  if os.fork() == "
		       "0: time.sleep(0.3); os._exit(0)'");
	CHECK_INT(cgroup_read_limit_hits(&box->cgroup, &oom_kills, &hits), 0);
	CHECK(hits > 0);
	box_free(box);
}

TEST(init_is_small)
{
	struct box *box = box_new();
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *pss;

	box_shell(box, "true");
	snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", box->pid);
	CHECK_INT(fd_read_file_at(AT_FDCWD, path, 65536, &text, NULL), 0);
	pss = strstr(text, "\nPss:");
	CHECK(pss && atoi(pss + 5) > 0 && atoi(pss + 5) < 64);
	box_free(box);
}

TEST(leaves_nothing_behind)
{
	const char *left = "";

	if (!box_all_gone(&left))
		CHECK_FAIL("%s is left", left);
}
