#!/usr/bin/python3
"""What a sandbox cannot do. The letters are those of the checklist that the design goes by: U identity
and namespaces, P files, S system calls, L life cycle, R resources. Each refusal has a twin beside it
that is allowed, so that a test cannot pass because nothing works."""

import errno
import json
import os
import platform
import subprocess
import time

from cloche_harness import (BUILD, Daemon, check, check_equal, check_in, child_named, fixture, main,
                            probe, read_text, skip, test, until)
from sandbox_view import (cgroup_of, host_pid, host_pids, init_pid, pids_with_uids, status_of, uid_range)

NAMESPACES = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"]
SECURITY_LINES = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"]

# system calls of x86-64 by number: what a sandbox must not even reach
DENIED_CALLS = {"ptrace": 101, "syslog": 103, "mount": 165, "pivot_root": 155, "chroot": 161,
                "swapon": 167, "reboot": 169, "init_module": 175, "add_key": 248,
                "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
                "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "bpf": 321,
                "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426,
                "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430,
                "mount_setattr": 442}
ALLOWED_CALLS = {"getpid": 39, "getuid": 102, "sched_yield": 24}


@fixture
def daemon():
    made = Daemon(pool="python=2,shell=1")
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().client.create()
    yield made
    made.delete().expect(204)


@fixture
def neighbour():
    made = daemon().client.create()
    yield made
    made.delete().expect(204)


def call_c(code, **body):
    """Python in the sandbox with `libc` and `call(name, …)`, which gives 0 or an errno's name."""
    return sandbox().python(
        "import ctypes, errno, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(name, *a):\n"
        "  r = getattr(libc, name)(*a)\n"
        "  return errno.errorcode[ctypes.get_errno()] if r == -1 else 'ok'\n" + code, **body).strip()


# ---- identity, namespaces, capabilities

@test
def u1_uid_ranges_are_disjoint_and_never_hold_host_uid_0():
    ranges = sorted([uid_range(daemon(), sandbox()), uid_range(daemon(), neighbour())])
    (first, n_first), (second, n_second) = ranges
    check(n_first >= 65536 and n_second >= 65536, f"{ranges}")
    check(first > 0 and first + n_first <= second, f"{ranges}")


@test
def u1_what_one_uses_up_the_other_still_has():
    code = ("import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\nn = 0\n"
            "while n < 4096 and libc.inotify_init1(0) >= 0: n += 1\nprint(n, ctypes.get_errno())\n")
    first = sandbox().python(code + "import time; print('hold', flush=True)").split()
    check(int(first[0]) >= 100 and int(first[1]) in (errno.EMFILE, errno.ENFILE), f"{first}")
    held = sandbox().try_exec(["python3", "-c", code + "import time; open('/tmp/held', 'w'); time.sleep(600)"],
                              detach=True).expect(202).json
    until(lambda: sandbox().exec(["test", "-e", "/tmp/held"])["exit_code"] == 0, "the first holds all")
    check_equal(neighbour().python(code).split()[0], first[0], "inotify instances of the second")
    daemon().client.delete(f"{sandbox().path}/execs/{held['exec_id']}?signal=SIGKILL").expect(204)


@test
def u2_files_are_root_owned_inside_and_in_the_range_outside():
    check_equal(sandbox().sh("stat -c %u / /usr /usr/bin/python3 | sort -u"), "0\n", "owner inside")
    sandbox().sh("touch /home/sandbox/mine")
    sandbox().sh("touch /tmp/roots", uid=0, gid=0)
    first, _ = uid_range(daemon(), sandbox())
    root = f"/proc/{init_pid(daemon(), sandbox())}/root"
    check_equal(os.stat(f"{root}/home/sandbox/mine").st_uid, first + 1000, "owner on the host")
    check_equal(os.stat(f"{root}/tmp/roots").st_uid, first, "root's owner on the host")


@test
def u3_no_nested_user_namespace():
    check_equal(call_c("print(call('unshare', 0x10000000))"), "EPERM", "unshare(CLONE_NEWUSER)")
    check_equal(call_c("print(call('syscall', 56, 0x10000000 | 17, 0, 0, 0, 0))"), "EPERM",
                "clone(CLONE_NEWUSER)")
    check_equal(call_c("print(call('syscall', 56, 0x110000000 | 17, 0, 0, 0, 0))"), "EPERM",
                "clone(CLONE_NEWUSER) with a high bit set")
    check_equal(call_c("print(call('syscall', 435, 0, 0))"), "ENOSYS", "clone3")
    twin = call_c("pid = libc.syscall(56, 17, 0, 0, 0, 0)\n"
                  "if pid == 0: os._exit(7)\nprint(os.waitpid(pid, 0)[1] >> 8)")
    check_equal(twin, "7", "clone without namespaces")


@test
def u4_u5_no_capabilities_and_no_new_privileges():
    for uid in [1000, 0]:
        lines = dict(line.split(":\t") for line in sandbox().sh(
            "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status", uid=uid, gid=uid).splitlines())
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
            check_equal(int(lines[name], 16), 0, f"{name} of uid {uid}")
        check_equal((lines["NoNewPrivs"], lines["Seccomp"]), ("1", "2"), "status")
    status = status_of(init_pid(daemon(), sandbox()))
    kill_setgid_setuid = 0xe0  # what PID 1 needs to start commands as somebody, and to end them
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
        check_equal(int(status[name], 16) & ~kill_setgid_setuid, 0, f"{name} of PID 1")
    check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "status of PID 1")


@test
def u5_a_setuid_program_gains_nothing():
    sandbox().sh("cp /usr/bin/id /tmp/id && chmod 4755 /tmp/id && stat -c %a /tmp/id", uid=0, gid=0)
    check_equal(sandbox().sh("/tmp/id -u"), "1000\n", "uid")
    check_equal(sandbox().exec(["/tmp/id", "-u"], uid=0, gid=0)["stdout"], "0\n", "root's own")


@test
def u6_every_namespace_is_its_own():
    def inodes(pid):
        return {name: os.stat(f"/proc/{pid}/ns/{name}").st_ino for name in NAMESPACES
                if os.path.exists(f"/proc/{pid}/ns/{name}")}
    host, one = inodes("self"), inodes(init_pid(daemon(), sandbox()))
    two = inodes(init_pid(daemon(), neighbour()))
    for name in host:
        check_equal(len({host[name], one[name], two[name]}), 3, f"different {name} namespaces")
    links = sandbox().sh("ls -l /proc/self/ns | grep -o '[a-z]*:\\[[0-9]*\\]'")
    check_in(f"net:[{one['net']}]", links, "a command is in the namespaces of PID 1")
    check_in(f"user:[{one['user']}]", links, "a command is in the namespaces of PID 1")


@test
def u6_only_the_loopback_interface_is_there():
    check_equal(sandbox().python("import socket; print([n for _, n in socket.if_nameindex()])"),
                "['lo']\n", "interfaces")
    check_equal(sandbox().sh("hostname"), "sandbox\n", "host name")


@test
def u7_a_command_has_the_confinement_of_pid_1():
    started = sandbox().try_exec(["sleep", "600"], detach=True).expect(202).json
    command = status_of(host_pid(daemon(), sandbox(), started["pid"]))
    init = status_of(init_pid(daemon(), sandbox()))
    for name in ["NoNewPrivs", "Seccomp"]:
        check_equal(command[name], init[name], name)
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:  # PID 1 itself keeps three
        check_equal(int(command[name], 16), 0, name)
    check(int(command["Seccomp_filters"]) >= int(init["Seccomp_filters"]) > 0, "filters")
    first, n = uid_range(daemon(), sandbox())
    for uid in command["Uid"].split():
        check(first <= int(uid) < first + n, f"uid {uid}")
    check(started["pid"] in [int(status_of(pid)["NSpid"].split()[-1])
                             for pid in host_pids(daemon(), sandbox())], "not in the cgroup")
    daemon().client.delete(f"{sandbox().path}/execs/{started['exec_id']}?signal=SIGKILL").expect(204)


@test
def u8_no_group_of_the_host_is_kept():
    check_equal(sandbox().sh("id -G"), "1000\n", "groups")
    check_equal(call_c("print(call('setgroups', 0, None))"), "EPERM", "setgroups")


# ---- files

@test
def p1_the_mount_table_holds_nothing_of_the_host():
    rows = [line.split() for line in sandbox().sh("cat /proc/self/mountinfo").splitlines()]
    host_points = {line.split()[4] for line in read_text("/proc/self/mountinfo").splitlines()}
    for row in rows:
        options = row[row.index("-") - 1] if row.index("-") > 6 else ""
        check("shared:" not in " ".join(row[6:row.index("-")]), f"a peer group: {row} {options}")
        check("master:" not in " ".join(row[6:row.index("-")]), f"a master: {row}")
        check("cgroup" not in row[row.index("-") + 1], f"a cgroup file system: {row}")
        check(row[4] == "/" or "nosuid" in row[5] or row[5].startswith("ro"), f"setuid works: {row}")
    points = {row[4] for row in rows}
    check({"/", "/proc"} <= points, f"{points}")
    check(not [p for p in points & host_points if p not in
               ("/", "/proc", "/dev", "/sys", "/tmp", "/usr", "/dev/shm", "/dev/pts", "/dev/mqueue",
                "/run")], f"{points & host_points}")


@test
def p1_the_root_cannot_be_left():
    check_equal(sandbox().sh("stat -c %i / /.. /../.. | sort -u | wc -l"), "1\n", "inodes of /")
    for uid in [1000, 0]:
        text = call_c("os.makedirs('/tmp/jail', exist_ok=True)\n"
                      "print(call('chroot', b'/tmp/jail'), call('pivot_root' if 0 else 'chroot', b'.'))",
                      uid=uid, gid=uid)
        check_equal(text, "EPERM EPERM", f"chroot by uid {uid}")
    check_equal(call_c("print(call('chdir', b'/tmp'))"), "ok", "chdir")


@test
def p1_files_of_the_host_are_not_there():
    secret = f"/root/cloche-secret-{os.getpid()}"
    with open(secret, "w", encoding="utf-8") as file:
        file.write("secret")
    try:
        for path in [secret, "/etc/shadow", "/boot", "/var/lib/dpkg", f"{daemon().state_dir}/admin.key",
                     f"/proc/1/root{secret}", f"/proc/self/root/..{secret}"]:
            done = sandbox().exec(["cat", path], uid=0, gid=0)
            check(done["exit_code"] != 0, f"{path} was read")
        check_equal(sandbox().exec(["cat", "/etc/hostname"], uid=0)["stdout"].strip(), "sandbox", "twin")
        check(sandbox().exec(["ls", "/usr/bin"])["exit_code"] == 0, "ls /usr/bin")
    finally:
        os.unlink(secret)


WALK = r'''
import os, sys, stat
opened = []
for top in ("/proc", "/sys"):
    for folder, names, files in os.walk(top):
        if folder.count("/") > 12: continue
        names[:] = [n for n in names if not os.path.islink(f"{folder}/{n}")]
        if folder == "/proc":
            names[:] = [n for n in names if not n.isdigit() or n == "1"]
        for name in files:
            path = f"{folder}/{name}"
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode): continue
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                opened.append(path)
            except OSError: pass
print("\n".join(opened))
'''

# A process may set these of itself and of its threads, and nothing of anybody else (proc(5)).
OWN_FILES = {"attr", "autogroup", "clear_refs", "comm", "coredump_filter", "gid_map", "loginuid", "mem",
             "oom_adj", "oom_score_adj", "projid_map", "sched", "setgroups", "timens_offsets",
             "timerslack_ns", "uid_map", "latency", "fail-nth", "make-it-fail", "timers"}


@test
def p2_nothing_of_the_kernel_can_be_opened_for_writing():
    for uid in [1000, 0]:
        opened = sandbox().python(WALK, uid=uid, gid=uid, timeout_seconds=60).split()
        foreign = [path for path in opened
                   if not (path.startswith("/proc/") and path.split("/")[2] in ("self", "thread-self", "1")
                           and (path.split("/")[-1] in OWN_FILES or "attr" in path.split("/")))]
        check_equal(foreign, [], f"open for writing by uid {uid}")
    check_equal(sandbox().exec(["sh", "-c", "echo x > /proc/self/comm"])["exit_code"], 0, "the twin")
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/panic_on_oom",
                 "/proc/irq/default_smp_affinity"]:
        check(sandbox().exec(["sh", "-c", f"echo x > {path}"], uid=0, gid=0)["exit_code"] != 0, path)


@test
def p2_what_tells_of_the_host_is_masked():
    for path in ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/kallsyms", "/proc/config.gz",
                 "/proc/sched_debug", "/proc/latency_stats", "/proc/interrupts"]:
        done = sandbox().exec(["head", "-c", "100", path], uid=0, gid=0)
        check(done["exit_code"] != 0 or done["stdout"].strip(" 0\n") == "" or
              path == "/proc/kallsyms" and done["stdout"].startswith("0000000000000000"),
              f"{path} tells {done['stdout'][:60]!r}")
    check(sandbox().sh("cat /proc/self/status | wc -l").strip() != "0", "the twin")


@test
def p6_no_descriptor_of_the_host_and_no_way_to_one_by_cwd():
    for number in [0, 3, 5, 7, 9, 100]:
        done = sandbox().try_exec(["pwd", "-P"], cwd=f"/proc/self/fd/{number}")
        check(done.status in (422, 400), f"cwd by fd {number}: {done.body!r}")
    check_equal(sandbox().exec(["pwd", "-P"], cwd="/proc/self/..")["exit_code"], 0, "the twin")


@test
def p12_no_device_but_the_harmless_ones():
    names = set(sandbox().sh("ls /dev").split())
    check(names <= {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue",
                    "fd", "stdin", "stdout", "stderr", "console", "core"}, f"{names}")
    for uid in [1000, 0]:
        check_equal(call_c("print(call('mknod', b'/tmp/node', 0o60600, 0x700))", uid=uid, gid=uid),
                    "EPERM", "mknod of a block device")
    check_equal(call_c("print(call('mknod', b'/tmp/fifo', 0o10600, 0))"), "ok", "mknod of a FIFO")
    check_equal(sandbox().sh("head -c 3 /dev/zero | wc -c; echo x > /dev/null"), "3\n", "zero and null")


# ---- system calls

def x86_only():
    if platform.machine() != "x86_64":
        skip("system call numbers of x86-64")


def probe_calls(run, calls):
    """{name: result} by tests/probe/syscalls, which `run` runs with arguments."""
    words = []
    for number in calls.values():
        words += [str(number)] * 2
    rows = dict(line.split(" ", 1) for line in run(words).splitlines())
    return {name: rows[str(number)] for name, number in calls.items()}


def run_inside(words, uid=1000):
    done = sandbox().exec(["/tmp/syscalls", *words], uid=uid, gid=uid, timeout_seconds=60)
    check_equal(done["exit_code"], 0, f"the prober: {done['stderr']}")
    return done["stdout"]


@test
def s1_foreign_abis_are_killed():
    x86_only()
    sandbox().put("/tmp/foreign-abi", probe("foreign-abi"))
    for what in ["i386-getpid", "i386-vsock", "x32-getpid"]:
        done = sandbox().exec(["/tmp/foreign-abi", what])
        check_equal((done["signal"], done["stdout"]), ("SIGSYS", ""), what)
    check_equal(sandbox().sh("/tmp/foreign-abi native-getpid"), "native-getpid ok\n", "the twin")
    outside = subprocess.run([f"{BUILD}/tests/probe/foreign-abi", "i386-getpid"], capture_output=True,
                             check=False).stdout.decode()
    if "ok" not in outside:
        skip("this kernel has no i386 calls: the filter could not be told from it")


@test
def s1_every_x32_number_is_killed():
    x86_only()
    sandbox().put("/tmp/syscalls", probe("syscalls"))
    text = run_inside(["0x40000000", "0x40000223"])
    wrong = [line for line in text.splitlines() if not line.endswith("killed SIGSYS")]
    check_equal(wrong, [], "not killed")
    check_equal(len(text.splitlines()), 0x224, "numbers")


@test
def s2_calls_newer_than_the_filter_are_not_known():
    x86_only()
    sandbox().put("/tmp/syscalls", probe("syscalls"))
    lines = run_inside(["600", "700", "1000", "1010"]).splitlines()
    check_equal({line.split(" ", 1)[1] for line in lines}, {"ENOSYS"}, "results")


@test
def s3_input_cannot_be_pushed_into_a_terminal():
    code = ("m, s = os.openpty()\n"
            "for r in (0x5412, 0x100005412, 0x541c, 0x10000541c): print(call('syscall', 16, s, "
            "ctypes.c_ulong(r), b'xxxxxxxx'), end=' ')\n"
            "print(call('syscall', 16, s, ctypes.c_ulong(0x5413), ctypes.create_string_buffer(8)))")
    check_equal(call_c(code), "EPERM EPERM EPERM EPERM ok", "TIOCSTI, TIOCLINUX; TIOCGWINSZ the twin")


@test
def s4_dangerous_calls_are_refused_which_the_host_has():
    x86_only()
    sandbox().put("/tmp/syscalls", probe("syscalls"))
    for uid in [1000, 0]:
        inside = probe_calls(lambda words, u=uid: run_inside(words, u), {**DENIED_CALLS, **ALLOWED_CALLS})
        for name in DENIED_CALLS:
            check(inside[name] in ("EPERM", "ENOSYS"), f"{name} as uid {uid}: {inside[name]}")
        for name in ALLOWED_CALLS:
            check(inside[name].startswith("ok"), f"{name} as uid {uid}: {inside[name]}")
    # with null arguments these do nothing, and the host's answer is never "not permitted"
    harmless = {name: DENIED_CALLS[name] for name in
                ["bpf", "perf_event_open", "io_uring_setup", "unshare", "mount", "request_key"]}
    outside = probe_calls(lambda words: subprocess.run(
        [f"{BUILD}/tests/probe/syscalls", *words], capture_output=True, check=True).stdout.decode(),
        harmless)
    for name, result in outside.items():
        check(result not in ("EPERM", "ENOSYS"), f"{name} is refused on the host, too: {result}")


@test
def s6_no_cgroup_file_system_and_no_way_to_mount_one():
    for uid in [1000, 0]:
        check_equal(call_c("os.makedirs('/tmp/cg', exist_ok=True)\n"
                           "print(call('mount', b'none', b'/tmp/cg', b'cgroup2', 0, None))",
                           uid=uid, gid=uid), "EPERM", "mount")
    check_equal(sandbox().sh("grep -c cgroup /proc/self/mountinfo; true"), "0\n", "cgroup mounts")
    for line in sandbox().sh("cat /proc/self/cgroup").splitlines():
        # On a hybrid host the memory cgroup is joined after the namespace was made, and shows.
        path = line.split(":")[2].replace("/../../", "/")
        check(path == "/" or path.endswith(f"/{sandbox().id}") and ":memory:" in line, line)
    for pid in sandbox().sh("ls /proc | grep '^[0-9]'").split():
        path = sandbox().exec(["cat", f"/proc/{pid}/cgroup"])["stdout"]
        check(neighbour().id not in path, f"a neighbour shows: {path}")
    check_equal(sandbox().sh("find / -name release_agent 2>/dev/null | wc -l"), "0\n", "release_agent")


@test
def s5_s8_resource_limits_are_set():
    limits = sandbox().python("import resource as r\nprint(r.getrlimit(r.RLIMIT_CORE), "
                              "r.getrlimit(r.RLIMIT_NOFILE)[1] <= 65536)")
    check_equal(limits, "(0, 0) True\n", "RLIMIT_CORE and RLIMIT_NOFILE")


@test
def sockets_of_other_families_are_refused():
    code = ("import socket, errno\n"
            "for f, t, p in %r:\n"
            "  try: socket.socket(f, t, p).close(); print('ok', end=' ')\n"
            "  except OSError as e: print(errno.errorcode[e.errno], end=' ')")
    refused = [(17, 3, 0), (40, 1, 0), (38, 5, 0), (16, 3, 9), (44, 3, 0), (2, 3, 1), (10, 3, 58),
               (31, 1, 0)]
    check_equal(set(sandbox().python(code % refused).split()), {"EPERM"}, "packet, vsock, alg, audit, "
                "xdp, raw, raw6, bluetooth")
    allowed = [(1, 1, 0), (1, 2, 0), (2, 1, 0), (10, 1, 0), (2, 2, 0), (16, 3, 0)]
    check_equal(set(sandbox().python(code % allowed).split()), {"ok"}, "unix, inet, inet6, route")


# ---- life cycle and resources

BOMB = r'''
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
n = 0
while True:
    try:
        if os.fork() == 0:
            os.setsid()
            if n % 3 == 0: os.kill(os.getpid(), signal.SIGSTOP)
        n += 1
    except OSError:
        time.sleep(0.01)
'''


@test
def l2_r1_a_fork_bomb_ends_with_its_sandbox_and_hurts_no_neighbour():
    bomb = daemon().client.create(limits={"pids": 100})
    first, n = uid_range(daemon(), bomb)
    bomb.try_exec(["python3", "-c", BOMB], detach=True).expect(202)
    until(lambda: len(pids_with_uids(first, n)) >= 90, "the bomb is at its limit")
    for _ in range(5):
        began = time.monotonic()
        check_equal(neighbour().sh("echo here"), "here\n", "the neighbour")
        check(time.monotonic() - began < 5, "the neighbour waits")
        check(len(pids_with_uids(first, n)) <= 101, "more processes than the limit")
    began = time.monotonic()
    bomb.delete().expect(204)
    check(time.monotonic() - began < 10, f"delete took {time.monotonic() - began:.1f} s")
    left = [pid for pid in pids_with_uids(first, n) if bomb.id in cgroup_of(pid)]
    check_equal(left, [], "processes left")


@test
def l3_a_sandbox_cannot_kill_its_pid_1_and_ends_only_its_own():
    with daemon().client.sandbox() as doomed:
        doomed.exec(["python3", "-c", "import os\ntry: os.kill(1, 9)\nexcept OSError as e: print(e)"])
        doomed.exec(["python3", "-c", "import os\nos.kill(-1, 9)"])
        check_equal(doomed.sh("echo alive"), "alive\n", "after kill -9 -1")
        doomed.exec(["python3", "-c", "import os\nos.kill(-1, 9)"], uid=0, gid=0)
        check_equal(neighbour().sh("echo alive"), "alive\n", "the neighbour")


@test
def l4_running_out_of_memory_stays_inside():
    api = child_named(daemon().process.pid, "cloche-api")
    with daemon().client.sandbox(limits={"memory": "96MiB"}) as hog:
        held = neighbour().try_exec(["sleep", "600"], detach=True).expect(202).json
        host = host_pid(daemon(), neighbour(), held["pid"])
        for _ in range(5):
            done = hog.exec(["python3", "-c",
                             "x = []\nwhile True: x.append(bytearray(b'x') * (8 << 20))"])
            check_equal(done["reason"], "oom", f"{done}")
        check(os.path.exists(f"/proc/{host}"), "the neighbour's command was killed")
        check_equal(child_named(daemon().process.pid, "cloche-api"), api, "pid of cloche-api")
        check_equal(daemon().process.poll(), None, "cloched's end")
        adjust = hog.exec(["sh", "-c", "echo -1000 > /proc/self/oom_score_adj"], uid=0, gid=0)
        check(adjust["exit_code"] != 0, "oom_score_adj can be lowered")
        check_equal(hog.exec(["sh", "-c", "echo 500 > /proc/self/oom_score_adj"])["exit_code"], 0,
                    "raising it, the twin")
        daemon().client.delete(
            f"{neighbour().path}/execs/{held['exec_id']}?signal=SIGKILL").expect(204)


@test
def r1_threads_count_as_processes():
    with daemon().client.sandbox(limits={"pids": 24}) as small:
        code = ("import threading, time\nn = 0\ntry:\n  while n < 200:\n"
                "    threading.Thread(target=time.sleep, args=(2,), daemon=True).start(); n += 1\n"
                "except RuntimeError: pass\nprint(n)")
        check(0 < int(small.python(code).split()[0]) < 24, "threads past the limit")
    with daemon().client.sandbox(limits={"pids": 128}) as larger:
        check(int(larger.python(code).split()[0]) > 60, "the twin")


@test
def nothing_of_one_tenants_sandbox_is_in_the_next():
    with daemon().client.sandbox() as one:
        one.sh("echo canary-7 | tee /tmp/c /home/sandbox/c /workspace/c /dev/shm/c; "
               "nohup sleep 888 >/dev/null 2>&1 &")
    with daemon().client.sandbox() as two:
        text = two.sh("cat /tmp/* /home/sandbox/* /workspace/* /dev/shm/* 2>/dev/null; "
                      "pgrep -x sleep; true")
        check_equal(text, "", "what is left of another")


# ---- our own processes

@test
def cloche_api_and_cloche_gate_hold_nothing():
    for name in ["cloche-api", "cloche-gate"]:
        pid = child_named(daemon().process.pid, name)
        status = status_of(pid)
        check("0" not in status["Uid"].split(), f"{name} is root: {status['Uid']}")
        for line in SECURITY_LINES[:5]:
            check_equal(int(status[line], 16), 0, f"{line} of {name}")
        check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), f"status of {name}")
        fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        check(not [f for f in fds if f.startswith("/") and not f.startswith("/dev/")
                   and not f.endswith("cloched.log")], f"{name} holds files: {json.dumps(fds)}")


if __name__ == "__main__":
    main()
