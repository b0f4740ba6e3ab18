/* What a sandbox cannot do, through launch.h: research/isolation.md 1.4, by the ids there. Every
 * denial has its twin: the same kind of act, allowed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "tests/harness/check.h"
#include "tests/harness/sandbox.h"

#define ROOT_INSIDE 0
#define USER_INSIDE 1000

struct row {
	const char *attempt, *expected;
};

/* Runs all attempts of a table in one process as `uid` and compares line by line. */
static void check_attempts(struct box *box, uint32_t uid, const struct row *rows, size_t n)
{
	char names[2048] = "", expected[4096] = "";

	for (size_t i = 0; i < n; i++) {
		strcat(strcat(names, rows[i].attempt), " ");
		sprintf(expected + strlen(expected), "%s%s %s", i ? "\n" : "", rows[i].attempt,
			rows[i].expected);
	}
	CHECK_TEXT(box_probe(box, "attempts", names, uid), expected);
}

TEST(filter_denies_what_isolation_lists) /* S3, S4, S6, U3 */
{
	static const struct row rows[] = {
		{"fork", "ok"},
		{"clone_user", "EPERM"},
		{"clone_net", "EPERM"},
		{"clone3_plain", "ENOSYS"},
		{"clone3_user", "ENOSYS"},
		{"unshare_user", "EPERM"},
		{"unshare_time", "EPERM"},
		{"setns", "EPERM"},
		{"mount_tmpfs", "EPERM"},
		{"mount_cgroup", "EPERM"},
		{"mount_cgroup2", "EPERM"},
		{"umount_proc", "EPERM"},
		{"fsopen", "EPERM"},
		{"open_tree", "EPERM"},
		{"pivot_root", "EPERM"},
		{"chroot", "EPERM"},
		{"sethostname", "EPERM"},
		{"tiocsti", "EPERM"},
		{"tiocsti_high", "EPERM"},
		{"tioclinux", "EPERM"},
		{"tioclinux_high", "EPERM"},
		{"tiocsetd", "EPERM"},
		{"tiocgwinsz", "ok"},
		{"tiocgwinsz_high", "ok"},
		{"io_uring", "EPERM"},
		{"bpf", "EPERM"},
		{"userfaultfd", "EPERM"},
		{"keyctl", "EPERM"},
		{"add_key", "EPERM"},
		{"request_key", "EPERM"},
		{"perf", "EPERM"},
		{"ptrace", "EPERM"},
		{"process_vm_readv", "EPERM"},
		{"pidfd_getfd", "EPERM"},
		{"kcmp", "EPERM"},
		{"open_by_handle", "EPERM"},
		{"name_to_handle", "EPERM"},
		{"init_module", "EPERM"},
		{"kexec", "EPERM"},
		{"syslog", "EPERM"},
		{"vmsplice", "ENOSYS"},
		{"splice", "ENOSYS"},
		{"sendfile", "EBADF"},
		{"io_setup", "ENOSYS"},
		{"memfd_secret", "EPERM"},
		{"memfd_create", "ok"},
		{"sync", "ok"},
		{"unknown_call", "ENOSYS"},
		{"personality_ask", "ok"},
		{"personality_norandom", "EPERM"},
	};
	struct box *box = box_new();

	check_attempts(box, USER_INSIDE, rows, ARRAY_SIZE(rows));
	check_attempts(box, ROOT_INSIDE, rows, ARRAY_SIZE(rows));
	box_free(box);
}

TEST(sockets_are_unix_and_internet_only)
{
	static const struct row rows[] = {
		{"socket_unix", "ok"},
		{"socket_inet", "ok"},
		{"socket_inet6", "ok"},
		{"socket_route", "ok"},
		{"socket_raw", "EPERM"},
		{"socket_packet", "EPERM"},
		{"socket_sctp", "EPROTONOSUPPORT"},
		{"socket_audit", "EPERM"},
		{"socket_alg", "EPERM"},
		{"socket_vsock", "EPERM"},
		{"socket_vsock_high", "EPERM"},
	};
	struct box *box = box_new();

	check_attempts(box, USER_INSIDE, rows, ARRAY_SIZE(rows));
	check_attempts(box, ROOT_INSIDE, rows, ARRAY_SIZE(rows));
	box_free(box);
}

TEST(foreign_system_call_tables_kill) /* S1 */
{
	static const char *const killed[] = {"i386-getpid", "i386-vsock", "x32-getpid"};
	struct box *box = box_new();

	CHECK_TEXT(box_probe(box, "foreign-abi", "native-getpid", 1000), "native-getpid ok");
	for (size_t i = 0; i < ARRAY_SIZE(killed); i++) {
		CHECK_TEXT(box_probe(box, "foreign-abi", killed[i], 1000), "");
		CHECK(WIFSIGNALED(box_last()->exited.status));
		CHECK_INT(WTERMSIG(box_last()->exited.status), SIGSYS);
	}
	box_free(box);
}

TEST(identity_cannot_be_changed) /* U4, U5, U8, L3, L4 */
{
	static const struct row user[] = {
		{"setuid_0", "EPERM"},
		{"setgid_0", "EPERM"},
		{"kill_init", "EPERM"},
		{"mknod_device", "EPERM"},
		{"mknod_block", "EPERM"},
		{"mknod_fifo", "ok"},
		{"oom_lower", "EACCES"},
		{"oom_raise", "ok"},
		{"user_namespaces_sysctl", "EACCES"},
		{"core_pattern", "EACCES"},
		{"write_usr", "EACCES"},
		{"write_tmp", "ok"},
		{"dev_kmsg", "ENOENT"},
		{"init_mem", "ENOENT"},
		{"init_root", "ENOENT"},
	};
	static const struct row root[] = {
		{"setuid_0", "ok"},
		{"mknod_device", "EPERM"},
		{"kill_init", "ok"},
		{"oom_lower", "EACCES"},
		{"user_namespaces_sysctl", "EACCES"},
		{"core_pattern", "EACCES"},
		{"dev_kmsg", "ENOENT"},
		{"init_mem", "EACCES"},
		{"init_root", "EACCES"},
		{"init_exe", "EACCES"},
	};
	struct box *box = box_new();

	check_attempts(box, USER_INSIDE, user, ARRAY_SIZE(user));
	check_attempts(box, ROOT_INSIDE, root, ARRAY_SIZE(root));
	CHECK_TEXT(box_shell(box, "id -u; id -G"), "1000\n1000"); /* and PID 1 lives */
	box_free(box);
}

/* A line of /proc/<pid>/status, seen from the host. */
static void read_status(uint32_t pid, const char *key, char *ret_value, size_t size)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	CHECK_INT(fd_read_file_at(AT_FDCWD, path, 65536, &text, NULL), 0);
	line = strstr(text, key);
	CHECK(line);
	line += strlen(key) + 2;
	snprintf(ret_value, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static void check_status(uint32_t pid, const char *key, const char *expected)
{
	char value[64];

	read_status(pid, key, value, sizeof(value));
	CHECK_TEXT(value, expected);
}

TEST(init_holds_three_capabilities_and_commands_none) /* U4, U5, U7, S5 */
{
	static const char init_set[] = "00000000000000e0"; /* kill, setgid, setuid */
	static const char none[] = "0000000000000000";
	static const char *const keys[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	struct box *box = box_new();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		check_status(box->pid, keys[i], init_set);
	check_status(box->pid, "CapBnd", none);
	check_status(box->pid, "NoNewPrivs", "1");
	check_status(box->pid, "Seccomp", "2");
	check_status(box->pid, "Seccomp_filters", "1");
	CHECK_TEXT(box_shell(box,
			   "grep -E '^(Cap|NoNew|Seccomp)' /proc/self/status | tr '\\t\\n' ' ;'"),
		"CapInh: 0000000000000000;CapPrm: 0000000000000000;CapEff: 0000000000000000;"
		"CapBnd: 0000000000000000;CapAmb: 0000000000000000;NoNewPrivs: 1;Seccomp: 2;"
		"Seccomp_filters: 2;");
	box_free(box);
}

static void read_link(uint32_t pid, const char *name, char *ret_text, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	length = readlink(path, ret_text, size - 1);
	CHECK(length > 0);
	ret_text[length] = '\0';
}

TEST(every_namespace_is_its_own) /* U6 */
{
	static const char *const names[] = {"ns/user", "ns/mnt", "ns/pid", "ns/net", "ns/ipc",
		"ns/uts", "ns/cgroup", "ns/time"};
	struct box *box = box_new(), *other = box_new();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char inside[64], beside[64], outside[64];

		read_link(box->pid, names[i], inside, sizeof(inside));
		read_link(other->pid, names[i], beside, sizeof(beside));
		read_link((uint32_t)getpid(), names[i], outside, sizeof(outside));
		if (strcmp(inside, outside) == 0 || strcmp(inside, beside) == 0)
			CHECK_FAIL("%s is shared", names[i]);
	}
	box_free(box);
	box_free(other);
}

TEST(ids_are_a_range_of_its_own) /* U1, U2 */
{
	struct box *box = box_new(), *other = box_new();
	char path[96], expected[96];
	struct stat status;

	snprintf(path, sizeof(path), "cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '");
	snprintf(expected, sizeof(expected), " 0 %u 65536\n 0 %u 65536", box->uid_first,
		box->uid_first);
	CHECK_TEXT(box_shell(box, path), expected);
	CHECK(box->uid_first >= 0x10000000u && other->uid_first >= box->uid_first + 65536);
	CHECK_TEXT(box_shell(box, "stat -c %u:%g /etc /etc/passwd; touch /tmp/mine"), "0:0\n0:0");
	snprintf(path, sizeof(path), "/proc/%u/root/tmp/mine", box->pid);
	CHECK_INT(stat(path, &status), 0);
	CHECK_INT(status.st_uid, box->uid_first + 1000);
	box_free(box);
	box_free(other);
}

TEST(what_one_uses_up_the_other_still_has) /* U1, F3 */
{
	static const char script[] =
		"exec python3 -c 'import ctypes; c = ctypes.CDLL(None); n = 0\n"
		"while c.inotify_init() >= 0: n += 1\nprint(n, flush=True); input()'";
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000};
	struct box *box = box_new(), *other = box_new();
	struct box_output *output = calloc(1, sizeof(*output));
	char held[16] = "";
	struct pollfd polled;
	int fds[2];

	box_start(box, &command, fds);
	polled = (struct pollfd){.fd = fds[1], .events = POLLIN};
	CHECK_INT(poll(&polled, 1, check_patience_ms(10000)), 1);
	CHECK(read(fds[1], held, sizeof(held) - 1) > 0);
	CHECK(atoi(held) > 0);
	box_run(other, &command, output);
	CHECK_TEXT(strtok(output->text, "\n"), strtok(held, "\n"));
	free(output);
	close(fds[0]);
	close(fds[1]);
	box_free(box);
	box_free(other);
}

TEST(mounts_show_nothing_of_the_host) /* P1, P2, P11, P12 */
{
	struct box *box = box_new();

	/* roots of the mounts: parts of our own small trees, no path of the host */
	CHECK_TEXT(box_shell(box, "awk '{print $4}' /proc/self/mountinfo | sort -u | tr '\\n' ' '"),
		"/ /cloche/etc /dev /fs /mask/empty /mask/nothing /root /shm /sys ");
	CHECK_TEXT(box_shell(box, "grep -cE 'shared:|master:' /proc/self/mountinfo"), "0");
	CHECK_TEXT(box_shell(box, "cut -d' ' -f2,3 /proc/mounts | grep -v ' /proc\\|^/proc' | sort "
				  "| tr '\\n' ';'"),
		"/ tmpfs;/dev tmpfs;/dev/pts devpts;/dev/shm tmpfs;/etc overlay;/sys tmpfs;"
		"/usr overlay;");
	CHECK_TEXT(box_shell(box, "awk '$4 !~ /nosuid/' /proc/mounts"), "");
	CHECK_TEXT(box_shell(box, "cd /..; pwd; ls -d /../../work /home/* 2>&1"),
		"/\nls: cannot access '/../../work': No such file or directory\n/home/sandbox");
	CHECK_TEXT(box_shell(box, "find /dev -type c -o -type b | sort | tr '\\n' ' '"),
		"/dev/full /dev/null /dev/pts/ptmx /dev/random /dev/tty /dev/urandom /dev/zero ");
	CHECK_TEXT(box_shell(box, "find / -xdev \\( -type b -o -type c \\) 2>/dev/null"), "");
	CHECK_TEXT(box_shell(box, "ls /sys | wc -l"), "0");
	box_free(box);
}

static const char *root_shell(struct box *box, const char *script)
{
	static struct box_output output;
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct box_command command = {.argv = argv};

	box_run(box, &command, &output);
	return output.text;
}

/* Where /usr lies on a file system that cannot map ids, its files are nobody's. */
static void skip_unmapped(void)
{
	struct box *box = box_new();
	bool mapped = strcmp(box_shell(box, "stat -c %u:%g /usr/bin/true"), "0:0") == 0;

	box_free(box);
	if (!mapped)
		check_skip("the file system of /usr cannot map ids");
}

TEST(usr_and_etc_are_writable_for_root_and_private) /* U2, L7 */
{
	struct box *box, *other;

	skip_unmapped();
	box = box_new();
	other = box_new();
	CHECK_TEXT(root_shell(box,
			   "echo changed >/usr/bin/true; echo changed >/etc/passwd; rm /etc/group; "
			   "mkdir /usr/new /etc/new; mv /usr/bin/true /usr/new/true; "
			   "cat /usr/new/true /etc/passwd; ls /etc/group 2>&1; ls /usr/new"),
		"changed\nchanged\nls: cannot access '/etc/group': No such file or "
		"directory\ntrue\n");
	CHECK_TEXT(
		box_shell(other, "true && head -1 /etc/passwd && test -f /etc/group && echo whole"),
		"root:x:0:0:root:/root:/bin/sh\nwhole");
	CHECK_INT(access("/usr/bin/true", X_OK), 0);
	CHECK(access("/usr/new", F_OK) < 0);
	box_free(box);
	box_free(other);
}

/* Without them overlay cannot make a directory anew that it has in a lower layer. */
static bool tmpfs_has_attributes(void)
{
	int fd = memfd_create("attributes", MFD_CLOEXEC);
	bool has = fd >= 0 && fsetxattr(fd, "user.cloche", "x", 1, 0) == 0;

	close(fd);
	return has;
}

TEST(directories_of_usr_and_etc_can_be_replaced)
{
	struct box *box, *other;

	skip_unmapped();
	if (!tmpfs_has_attributes())
		check_skip("tmpfs has no user attributes before Linux 6.6");
	box = box_new();
	other = box_new();
	CHECK_TEXT(root_shell(box, "rm -r /usr/games /etc/ssl; mkdir /usr/games; ls /etc/ssl 2>&1; "
				   "echo x >/usr/games/x; ls /usr/games"),
		"ls: cannot access '/etc/ssl': No such file or directory\nx\n");
	CHECK_TEXT(box_shell(other, "test -d /etc/ssl/certs && echo whole"), "whole");
	CHECK(access("/usr/games/x", F_OK) < 0);
	box_free(box);
	box_free(other);
}

TEST(files_move_between_directories) /* the twin of landlock's refusals */
{
	struct box *box = box_new();

	CHECK_TEXT(
		box_shell(box, "cd; mkdir a b; echo x >a/f; mv a/f b/g && ln b/g a/h && cat a/h; "
			       "mkfifo p && test -p p && echo fifo"),
		"x\nfifo");
	box_free(box);
}

TEST(secrets_of_the_host_are_not_copied) /* P11, S9 */
{
	struct box *box = box_new();

	CHECK_TEXT(
		box_shell(box, "ls /etc/shadow /etc/ssl/private /etc/machine-id /etc/sudoers "
			       "/etc/ssh /etc/cron.d /boot /srv /container_info.json 2>/dev/null"),
		"");
	CHECK_TEXT(box_shell(box, "cat /etc/hostname; cut -d: -f1 /etc/passwd | tr '\\n' ' '; "
				  "test -s /etc/ssl/certs/ca-certificates.crt && test -e "
				  "/etc/alternatives/awk && echo; "
				  "env | cut -d= -f1 | sort | tr '\\n' ' '"),
		"sandbox\nroot sandbox nobody \nHOME LANG PATH PWD ");
	box_free(box);
}

TEST(kernel_state_is_masked) /* P2, S10 */
{
	struct box *box = box_new();

	CHECK_TEXT(
		box_shell(box, "cat /proc/kallsyms /proc/config.gz /proc/keys /proc/modules "
			       "/proc/interrupts /proc/schedstat /proc/locks 2>/dev/null | wc -c"),
		"0");
	CHECK_TEXT(
		box_shell(box, "cat /proc/kcore /proc/kmsg /proc/timer_list 2>/dev/null | wc -c"),
		"0");
	CHECK_TEXT(box_shell(box, "dmesg 2>&1 >/dev/null | wc -l"), "1");
	/* What may be written below /proc is a process's own, and nothing else. */
	CHECK_TEXT(
		box_shell(box, "find /proc -maxdepth 1 -type f -writable 2>/dev/null; "
			       "find /proc/sys /proc/fs -type f -writable 2>/dev/null | head -3"),
		"");
	CHECK_TEXT(box_shell(box, "grep -q MemTotal /proc/meminfo && grep -q processor "
				  "/proc/cpuinfo && echo there"),
		"there");
	box_free(box);
}

TEST(descriptors_are_the_three_standard_ones) /* P6, F5 */
{
	struct box *box = box_new();

	CHECK_TEXT(box_shell(box, "exec python3 -c 'import os; print(*[f for f in range(70000) "
				  "if os.path.exists(\"/proc/self/fd/%d\" % f)])'"),
		"0 1 2");
	/* PID 1: the standard ones, the listener, signals, the connection */
	CHECK_TEXT(box_shell(box, "ls /proc/1/fd 2>&1"),
		"ls: cannot access '/proc/1/fd': No such file or directory");
	box_free(box);
}

TEST(limits_reach_every_command) /* R8 */
{
	static struct box_output output;
	const char *const argv[] = {
		"sh", "-c", "ulimit -Hn; ulimit -n; ulimit -n 300 2>&1 | wc -l", NULL};
	struct box_command command = {.argv = argv, .uid = 1000, .gid = 1000, .open_files = 256};
	struct box *box = box_new();
	char hard[32], expected[80];

	snprintf(hard, sizeof(hard), "%s", box_shell(box, "ulimit -Hn"));
	CHECK_TEXT(box_shell(box, "ulimit -c; ulimit -n; ulimit -l; awk '/priority/ "
				  "{print $(NF-1)}' /proc/self/limits | tr '\\n' ' '"),
		"0\n1024\n1024\n0 0 ");
	box_run(box, &command, &output);
	CHECK_TEXT(output.text, "256\n256\n1\n");
	command.open_files = 4000000; /* more than the host gives */
	box_run(box, &command, &output);
	snprintf(expected, sizeof(expected), "%s\n%s\n0\n", hard, hard);
	CHECK_TEXT(output.text, expected);
	box_free(box);
}

TEST(leaves_nothing_behind)
{
	const char *left = "";

	if (!box_all_gone(&left))
		CHECK_FAIL("%s is left", left);
}
