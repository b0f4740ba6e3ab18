#!/usr/bin/python3
"""Executables by policy: what can be executed and mapped as code, and ways around it that are none."""

import glob
import hashlib
import os
import stat
import statistics
import sys
import time

from cloche_harness import DENY_ALL, Daemon, check, check_equal, check_in, fixture, main, skip, test
from old_kernel import LANDLOCK, OldKernelDaemon

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"

# run() starts a program and prints "ran" or the error's name; act() is for all else.
TRY = """
import ctypes, errno, mmap, os, shutil, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def act(what, *args):
    try: what(*args); return "ok"
    except OSError as e: return errno.errorcode.get(e.errno, "error")
def run(*argv, pass_fds=(), executable=None):
    try: done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20,
                               pass_fds=pass_fds, executable=executable)
    except OSError as e: return errno.errorcode[e.errno]
    return "ran" if done.returncode == 0 else f"exit {done.returncode}"
def forked(call):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        try: call()
        except OSError as e: os.write(w, errno.errorcode[e.errno].encode())
        os._exit(1)
    os.close(w)
    with os.fdopen(r) as pipe: said = pipe.read()
    return said or ("ran" if os.waitpid(pid, 0)[1] == 0 else "failed")
def execveat(fd):
    argv = (ctypes.c_char_p * 2)(b"id", None)
    if libc.syscall(322, fd, b"", argv, None, 0x1000) < 0: raise OSError(ctypes.get_errno(), "")
def copy(source, target):
    shutil.copyfile(source, target); os.chmod(target, 0o755); return target
def map_code(path, first=5):
    fd = os.open(path, os.O_RDONLY)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, ctypes.c_size_t(4096), first, 2, fd, 0)
    if at == 2 ** 64 - 1: raise OSError(ctypes.get_errno(), "")
    if first != 5 and libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 5) < 0:
        raise OSError(ctypes.get_errno(), "")
def tmpfile():
    fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o755)
    os.write(fd, open("/usr/bin/id", "rb").read())
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    os.close(fd)
    return again
def memory():
    fd = os.memfd_create("x", 0)
    os.write(fd, open("/usr/bin/id", "rb").read())
    os.execve(fd, ["id"], {})
"""

PYTHON = {"executables": {"allow": ["/usr/bin/python3", "/bin/sh"]}}

POLICIES = {
    "plain": {},
    "python": PYTHON,
    "nothing": {"executables": {"allow": []}},
}


@fixture
def daemon():
    made = Daemon(policies=[], pool="python=2")
    made.write_policy(DENY_ALL)
    for name, rest in POLICIES.items():
        made.write_policy({"version": 1, "name": name, **rest})
    made.start()
    yield made
    made.close()


def sandbox(policy):
    return daemon().client.sandbox(policy=policy)


def write(name, executables=None, **rest):
    if executables is not None:
        rest["executables"] = executables
    daemon().write_policy({"version": 1, "name": name, **rest})
    return daemon().client.post("/v1/policies/reload").expect(200)


def refused(policy):
    return daemon().client.post("/v1/sandboxes", {"policy": policy}).expect(503).json["detail"]


def outcomes(box, acts, uid=1000):
    text = box.python(TRY + "".join(f"print({act})\n" for act in acts), uid=uid, gid=uid)
    return text.splitlines()


def compare(acts, uid=1000, policy="python"):
    """Acts are rows of (code, what it gives where executables are limited, what it gives elsewhere)."""
    with sandbox(policy) as limited, sandbox("plain") as plain:
        codes = [act[0] for act in acts]
        for box, column in ((limited, 1), (plain, 2)):
            found = outcomes(box, codes, uid)
            for code, expected, outcome in zip(codes, [act[column] for act in acts], found):
                check_equal(outcome, expected, f"uid {uid}, {'limited' if column == 1 else 'plain'}: {code}")
            check_equal(len(found), len(codes), "outcomes")


@test
def only_what_is_listed_can_be_executed():
    rows = [("run('/usr/bin/id')", "EACCES", "ran"),
            ("run('id')", "EACCES", "ran"),
            ("run('/bin/id')", "EACCES", "ran"),
            ("run('/usr/bin/python3', '-c', '')", "ran", "ran"),
            ("run('/bin/python3', '-c', '')", "ran", "ran"),
            ("run('sh', '-c', 'exit 0')", "ran", "ran")]
    for uid in (1000, 0):
        compare(rows, uid)


@test
def a_copy_is_no_program():
    for uid in (1000, 0):
        compare([("run(copy('/usr/bin/id', '/tmp/id'))", "EACCES", "ran"),
                 ("run(copy('/usr/bin/python3', '/tmp/python'), '-c', '')", "EACCES", "ran"),
                 ("run(copy('/usr/bin/id', os.path.expanduser('~/id')))", "EACCES", "ran"),
                 ("run(copy('/usr/bin/id', '/dev/shm/id'))", "EACCES", "EACCES")], uid)


@test
def the_loader_called_by_hand_loads_libraries_only():
    compare([(f"run('{LOADER}', '/usr/bin/id')", "exit 127", "ran"),
             (f"run('{LOADER}', copy('/usr/bin/id', '/tmp/id'))", "exit 127", "ran"),
             (f"run('{LOADER}', '/usr/bin/python3', '-c', '')", "ran", "ran"),
             (f"run('{LOADER}', '{LIBC}')", "ran", "ran")])


@test
def what_lies_among_libraries_cannot_be_executed():
    compare([(f"run('{LIBC}')", "EACCES", "ran")])
    compare([(f"run('{LIBC}')", "EACCES", "ran"),
             (f"act(copy, '/usr/bin/id', '/usr/lib/id')", "EROFS", "ok")], uid=0)


@test
def files_without_a_name_are_no_programs():
    compare([("forked(memory)", "EPERM", "ran"),
             ("forked(lambda: execveat(os.open('/usr/bin/id', os.O_RDONLY)))", "EACCES", "ran"),
             ("forked(lambda: execveat(os.open('/usr/bin/id', os.O_PATH)))", "EACCES", "ran"),
             ("forked(lambda: os.execve(os.open('/usr/bin/id', os.O_RDONLY), ['id'], {}))", "EACCES", "ran"),
             ("(lambda fd: run('id', executable=f'/proc/self/fd/{fd}', pass_fds=[fd]))"
              "(os.open('/usr/bin/id', os.O_RDONLY))", "EACCES", "ran"),
             ("forked(lambda: execveat(tmpfile()))", "EACCES", "ran"),
             ("forked(lambda: execveat(os.open('/usr/bin/sh', os.O_RDONLY)))", "ran", "ran")])


@test
def code_is_mapped_from_libraries_and_programs_only():
    compare([("act(map_code, '/usr/bin/id')", "EPERM", "ok"),
             ("act(map_code, '/usr/bin/id', 1)", "EACCES", "ok"),
             ("act(map_code, copy('/usr/bin/id', '/tmp/id'))", "EPERM", "ok"),
             ("act(map_code, '/usr/bin/python3')", "ok", "ok"),
             (f"act(map_code, '{LIBC}')", "ok", "ok"),
             (f"act(ctypes.CDLL, copy('{LIBC}'.replace('libc.', 'libm.'), '/tmp/m.so'))", "error", "ok"),
             (f"act(ctypes.CDLL, '{LIBC}'.replace('libc.', 'libm.'))", "ok", "ok")])


@test
def what_is_preloaded_must_be_a_library():
    code = ("cp() { python3 -c \"import shutil; shutil.copyfile('$1', '$2')\"; }\n"
            f"cp {LIBC.replace('libc.', 'libm.')} /tmp/m.so\n"
            "LD_PRELOAD=/tmp/m.so python3 -c \"print(any('x' in l.split()[1] for l in open('/proc/self/maps') if '/tmp/m.so' in l))\" 2>/dev/null")
    for policy, expected in (("python", "False\n"), ("plain", "True\n")):
        with sandbox(policy) as box:
            check_equal(box.sh(code), expected, policy)


@test
def a_listed_program_cannot_become_another():
    python = os.path.realpath("/usr/bin/python3")
    compare([("act(open, '/usr/bin/dash', 'r+b')", "EROFS", "ok"),
             (f"act(os.link, '{python}', '/usr/bin/x')", "EXDEV", "ok"),
             ("act(os.link, '/usr/bin/id', '/usr/bin/y')", "ok", "ok"),
             ("run('/usr/bin/y')", "EACCES", "ran"),
             ("act(os.rename, '/usr/bin/id', '/usr/bin/dash')", "EBUSY", "ok"),
             ("act(os.unlink, '/usr/bin/dash')", "EBUSY", "ok"),
             (f"act(os.chmod, '{python}', 0o755)", "EROFS", "ok"),
             ("act(os.truncate, '/usr/bin/env', 0)", "ok", "ok"),
             ("act(copy, '/usr/bin/y', '/usr/bin/env')", "ok", "ok"),
             ("run('/usr/bin/env')", "EACCES", "ran")], uid=0)


def find_hard_link():
    """Two names of one file in /usr/bin, as Debian has perl and perl5.36.0."""
    seen = {}
    for path in sorted(glob.glob("/usr/bin/*")):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and status.st_mode & 0o111:
            if status.st_ino in seen:
                return seen[status.st_ino], path
            seen[status.st_ino] = path
    return None


@test
def another_name_of_a_listed_program_does_not_change_it():
    pair = find_hard_link()
    if not pair:
        skip("no file of /usr/bin has two names")
    write("one-name", {"allow": ["/usr/bin/python3", "/bin/sh", pair[0]]})
    acts = [f"act(open, '{pair[1]}', 'r+b')", f"act(copy, '/usr/bin/id', '{pair[1]}')",
            f"open('{pair[0]}', 'rb').read() == open('/usr/bin/id', 'rb').read()",
            f"open('{pair[1]}', 'rb').read() == open('/usr/bin/id', 'rb').read()", f"run('{pair[1]}')"]
    with sandbox("one-name") as box:
        check_equal(outcomes(box, acts, 0), ["ok", "ok", "False", "True", "EACCES"], "another name")


@test
def a_script_needs_itself_and_its_interpreter():
    write("scripts", {"allow": ["/usr/bin/python3", "/bin/sh", "/usr/bin/ldd"]})
    write("scripts-and-bash", {"allow": ["/usr/bin/python3", "/bin/sh", "/usr/bin/ldd", "/bin/bash"]})
    row = ["run('/usr/bin/ldd', '--version')"]
    for policy, expected in (("python", "EACCES"), ("scripts", "EACCES"), ("scripts-and-bash", "ran")):
        with sandbox(policy) as box:
            check_equal(outcomes(box, row), [expected], policy)
            # A new script is none, and one that an interpreter reads is not executed.
            code = ("open('/tmp/s', 'w').write('#!/bin/sh\\nexit 0\\n'); os.chmod('/tmp/s', 0o755)\n"
                    "print(run('/tmp/s'), run('/bin/sh', '/tmp/s'))\n")
            check_equal(box.python(TRY + code), "EACCES ran\n", policy)


@test
def the_api_says_that_the_policy_refuses_a_command():
    with sandbox("python") as box, sandbox("nothing") as nothing, sandbox("plain") as plain:
        for argv in (["/usr/bin/id"], ["id"], ["/usr/bin/ldd"]):
            answer = box.try_exec(argv)
            check_equal(answer.status, 422, f"{argv}")
            check_in('Policy "python" does not allow to execute the command', answer.json["detail"], "why")
            check_equal(plain.try_exec(argv + ["--version"]).status, 200, f"the twin of {argv}")
        check_in("not found", box.try_exec(["no-such-program"]).json["detail"], "what is not there")
        for argv in (["/usr/bin/python3", "-c", ""], ["/bin/sh", "-c", ":"]):
            check_in('Policy "nothing" does not allow', nothing.try_exec(argv).json["detail"], "nothing at all")


@test
def what_was_refused_is_in_the_log():
    start = daemon().client.last_sequence()
    with sandbox("python") as box:
        outcomes(box, ["run('/usr/bin/id')", "run('/nowhere')", "run('/usr/bin/python3', '-c', '')",
                       "forked(lambda: execveat(os.open('/usr/bin/env', os.O_RDONLY)))",
                       f"run('{LOADER}', copy('/usr/bin/id', '/tmp/id'))", "act(map_code, '/usr/bin/python3')"])
        denied = daemon().client.wait_event(
            lambda r: r.get("path") == "/usr/bin/id" and r["sandbox"] == box.id, after=start)
        check_equal((denied["type"], denied["verdict"], denied["refused_by"], denied["error"], denied["policy"]["name"]),
                    ("syscall.execve", "deny", "executables or mode", "EACCES", "python"), "the record")
        # What has no path that the process gave has the kernel's.
        for kind, error, path in (("execveat", "EACCES", "/usr/bin/env"), ("mmap", "EPERM", "/tmp/id")):
            denied = daemon().client.wait_event(
                lambda r, kind=kind: r["type"] == f"syscall.{kind}" and r.get("verdict") == "deny", after=start)
            check_equal((denied["error"], denied["path"], denied["path_src"], denied["refused_by"]),
                        (error, path, "kernel", "executables or mode"), kind)
        check(not [r for r in daemon().client.events(after=start) if r.get("type") == "syscall.mmap"
                   and r.get("verdict") != "deny"], "what was mapped is not recorded")
        absent = daemon().client.wait_event(lambda r: r.get("path") == "/nowhere", after=start)
        check_equal((absent["error"], absent.get("verdict")), ("ENOENT", None), "what is not there")
    with sandbox("plain") as box:
        outcomes(box, ["run('/etc/passwd')"])
        other = daemon().client.wait_event(
            lambda r: r["type"] == "syscall.execve" and r.get("path") == "/etc/passwd", after=start)
        check_equal((other["error"], other.get("verdict")), ("EACCES", None), "no policy forbids it")


@test
def a_start_says_what_limits_its_executables():
    for policy, expected in (("python", "mounts and Landlock"), ("plain", None)):
        start = daemon().client.last_sequence()
        with sandbox(policy) as box:
            record = daemon().client.wait_event(
                lambda r: r["type"] == "sandbox.create" and r["sandbox"] == box.id, after=start)
            check_equal(record.get("executables_by"), expected, policy)


@test
def a_hash_holds_a_program_to_one_content():
    path = os.path.realpath("/usr/bin/python3")
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    write("hashed", {"allow": [{"path": "/usr/bin/python3", "sha256": digest}]})
    write("other-hash", {"allow": ["/bin/sh", {"path": "/usr/bin/python3", "sha256": other}]})
    write("hashed-directory", {"allow": [{"path": "/usr/bin", "sha256": digest}]})
    for _ in range(2):  # the second time from memory
        with sandbox("hashed") as box:
            check_equal(outcomes(box, ["run('/usr/bin/python3', '-c', '')", "run('/usr/bin/id')"]),
                        ["ran", "EACCES"], "hashed")
        check_in(f"/usr/bin/python3 is another file than the policy has: its SHA-256 is {digest}",
                 refused("other-hash"), "another content")
    check_in("/usr/bin is a directory, which has no SHA-256", refused("hashed-directory"), "a directory")


@test
def a_directory_is_all_that_lies_in_it():
    write("bin", {"allow": ["/usr/bin"]})
    write("link", {"allow": ["/bin"]})
    with sandbox("bin") as box:
        check_equal(outcomes(box, ["run('id')", "run('/bin/id')", f"run('{LIBC}')",
                                   "run(copy('/usr/bin/id', '/tmp/id'))"]),
                    ["ran", "ran", "EACCES", "EACCES"], "a directory")
        check_equal(outcomes(box, ["act(copy, '/usr/bin/id', '/usr/bin/x')", "act(os.unlink, '/usr/bin/id')"], 0),
                    ["EROFS", "EROFS"], "does not change")
    check_in("/bin is or has a symbolic link; name the directory that it leads to", refused("link"), "a link")


@test
def real_tools_run_under_lists_of_their_own():
    """One policy for each: what it names is all that its tool needs."""
    rows = [("node", ["/usr/bin/node", "/bin/sh"], "node -e 'new Function(\"return 6 * 7\")() == 42 || process.exit(1)'"),
            ("git", ["/usr/bin/git", "/usr/lib/git-core", "/bin/sh"],
             "cd /tmp && git init -q a && cd a && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x &&"
             " git clone -q /tmp/a /tmp/b && git -C /tmp/b log --oneline"),
            ("venv", ["/usr/bin/python3", "/bin/sh"],
             "python3 -m venv --without-pip /tmp/v && /tmp/v/bin/python -c 'import sys; sys.exit(sys.prefix != \"/tmp/v\")'"
             ), ("perl", ["/usr/bin/perl", "/bin/sh"], "perl -e 'exit(6 * 7 != 42)'")]
    for name, allow, text in rows:
        if not os.path.exists(allow[0]):
            sys.stderr.write(f"# there is no {allow[0]}\n")
            continue
        write(f"tool-{name}", {"allow": allow})
        with sandbox(f"tool-{name}") as box:
            box.sh(text)
            check_equal(box.try_exec(["/usr/bin/id"]).status, 422, f"{name} and no other")


@test
def libraries_come_from_the_directories_that_are_named():
    write("narrow", {"allow": ["/usr/bin/python3"], "libraries": ["/usr/lib/x86_64-linux-gnu"]})
    write("no-libraries", {"allow": ["/usr/bin/python3", "/usr/bin/dash"], "libraries": []})
    write("no-directory", {"allow": [], "libraries": ["/usr/lib/nowhere"]})
    write("a-file", {"allow": [], "libraries": ["/usr/bin/id"]})
    module = glob.glob("/usr/lib/python3*/lib-dynload/*.so")
    with sandbox("narrow") as box:
        acts = [f"act(ctypes.CDLL, '{LIBC}'.replace('libc.', 'libm.'))"]
        expected = ["ok"]
        if module:
            acts.append(f"act(map_code, '{module[0]}')")
            expected.append("EPERM")
        # ctypes is itself such a module on some releases: then nothing of this runs.
        done = box.try_exec(["/usr/bin/python3", "-c", TRY + "".join(f"print({act})\n" for act in acts)])
        if done.json.get("exit_code") == 0:
            check_equal(done.json["stdout"].split(), expected, "narrow")
    with sandbox("no-libraries") as box:
        done = box.try_exec(["/usr/bin/python3", "-c", ""]).json
        check_equal(done["exit_code"], 127, "without its libraries")
        check_in("failed to map segment from shared object", done["stderr"], "why")
    check_in("cannot find /usr/lib/nowhere", refused("no-directory"), "not there")
    check_in("/usr/bin/id is no directory", refused("a-file"), "a file")


@test
def what_is_not_there_refuses_the_sandbox_unless_that_will_do():
    allow = ["/usr/bin/python3", "/bin/sh", "/opt/nowhere"]
    write("missing", {"allow": allow})
    write("lenient", {"allow": allow, "libraries": ["/usr/lib", "/opt/lib"], "best_effort": True})
    check_in("cannot find /opt/nowhere: No such file or directory", refused("missing"), "why")
    with sandbox("lenient") as box:
        check_equal(outcomes(box, ["run('/bin/sh', '-c', '')", "run('/usr/bin/id')",
                                   "act(os.mkdir, '/opt/lib')", "run(copy('/usr/bin/id', '/opt/nowhere'))"], 0),
                    ["ran", "EACCES", "ok", "EACCES"], "lenient")


@test
def files_and_executables_go_together():
    write("both", {"allow": ["/usr/bin", "/usr/lib/x86_64-linux-gnu/libz.so.1"]}, files={
        "read_only": ["/", "/usr/lib"], "writable": ["/usr", "/tmp", "/usr/lib/python3"], "hidden": ["/usr/bin/perl"]})
    with sandbox("both") as box:
        check_equal(outcomes(box, ["act(copy, '/usr/bin/id', '/usr/x')", "run('/usr/x')", "run('/usr/bin/id')",
                                   "run('/usr/bin/perl', '-e', '')", "act(copy, '/usr/bin/id', '/usr/bin/x')",
                                   "act(copy, '/usr/bin/id', '/usr/lib/x')", "act(copy, '/usr/bin/id', '/x')",
                                   "act(copy, '/usr/bin/id', '/usr/lib/python3/x')",
                                   "run('/usr/lib/python3/x')", "act(map_code, '/usr/lib/python3/x')"], 0),
                    ["ok", "EACCES", "ran", "EACCES", "EROFS", "EROFS", "EROFS", "ok", "EACCES", "EPERM"], "both")


@test
def the_narrower_of_all_layers_counts():
    write("wide", {"allow": ["/usr/bin"], "libraries": ["/usr"]})
    write("one", {"allow": ["/usr/bin/python3", "/usr/sbin/ldconfig"]})
    tenant = daemon().tenant("programs-tenant", policy="wide")
    rows = ["run('/usr/bin/python3', '-c', '')", "run('/usr/bin/id')", "run('/usr/sbin/ldconfig', '-p')"]
    for policy, expected in (("one", ["ran", "EACCES", "EACCES"]), ("plain", ["ran", "ran", "EACCES"])):
        with tenant.sandbox(policy=policy) as box:
            check_equal(outcomes(box, rows), expected, policy)
    with sandbox("one") as box:
        check_equal(outcomes(box, rows), ["ran", "EACCES", "ran"], "the twin, without a bound")


@test
def a_kernel_without_landlock_will_do_if_the_policy_says_so():
    policies = [{"version": 1, "name": name, "executables": {**PYTHON["executables"], **more}}
                for name, more in (("strict", {}), ("lenient", {"best_effort": True}))]
    made = OldKernelDaemon(LANDLOCK, policies=policies, pool="python=1")
    try:
        made.start()
        answer = made.client.post("/v1/sandboxes", {"policy": "strict"}).expect(503)
        check_in('this kernel has no Landlock, so programs in library directories could be executed; "best_effort" '
                 'takes that', answer.json["detail"], "why")
        start = made.client.last_sequence()
        with made.client.sandbox(policy="lenient") as box:
            # What mounts do not close is open: no more than that.
            check_equal(outcomes(box, [f"run('{LIBC}')", "run('/usr/bin/id')", "forked(memory)",
                                       "run(copy('/usr/bin/id', '/tmp/id'))", f"run('{LOADER}', '/usr/bin/id')"]),
                        ["ran", "EACCES", "EPERM", "EACCES", "exit 127"], "by mounts alone")
            record = made.client.wait_event(lambda r: r["type"] == "sandbox.create" and r["sandbox"] == box.id,
                                            after=start)
            check_equal(record["executables_by"], "mounts", "the record")
    finally:
        made.close()


@test
def another_list_is_for_another_sandbox():
    client = daemon().client
    with sandbox("python") as box:
        for name in ("plain", "nothing"):
            answer = client.request("PATCH", box.path, {"policy": name}).expect(409)
            check_in('"executables"', answer.json["detail"], name)
        write("python-too", {"allow": ["/bin/sh", "/usr/bin/python3"]})
        client.request("PATCH", box.path, {"policy": "python-too"}).expect(200)
        check_equal(outcomes(box, ["run('/usr/bin/id')", "forked(memory)"]), ["EACCES", "EPERM"], "as before")


@test
def a_restart_keeps_it():
    acts = ["run('/usr/bin/id')", "run('/usr/bin/python3', '-c', '')", f"run('{LIBC}')", "forked(memory)",
            "run(copy('/usr/bin/id', '/tmp/id'))"]
    expected = ["EACCES", "ran", "EACCES", "EPERM", "EACCES"]
    with sandbox("python") as box:
        check_equal(outcomes(box, acts), expected, "before")
        daemon().kill()
        daemon().start()
        check_equal(outcomes(box, acts), expected, "after")


@test
def a_policy_that_is_gone_takes_nothing_away():
    acts = ["run('/usr/bin/id')", "run('/usr/bin/python3', '-c', '')", "forked(memory)"]
    write("short-lived", PYTHON["executables"])
    write("short-lived-twin")
    with sandbox("short-lived") as box, sandbox("short-lived-twin") as twin:
        daemon().kill()
        for name in ("short-lived", "short-lived-twin"):
            os.remove(f"{daemon().policy_dir}/{name}.json")
        daemon().start()
        check_equal(box.get().json["policy"]["name"], "deny-all", "what holds of it now")
        check_equal(outcomes(box, acts), ["EACCES", "ran", "EPERM"], "limited")
        check_equal(outcomes(twin, acts), ["ran", "ran", "ran"], "the twin")


@test
def a_claim_and_a_command_stay_quick():
    digest = hashlib.sha256(open(os.path.realpath("/usr/bin/python3"), "rb").read()).hexdigest()
    many = [path for path in sorted(glob.glob("/usr/bin/[a-z]*"))
            if os.path.isfile(path) and not os.path.islink(path)][:100]
    write("hashed-python", {"allow": ["/bin/sh", {"path": "/usr/bin/python3", "sha256": digest}]})
    write("many", {"allow": sorted(set(many) | {"/usr/bin/dash"})})
    taken = {name: ([], []) for name in ("plain", "python", "hashed-python", "many")}
    for _ in range(15):
        for name, (claims, commands) in taken.items():
            daemon().wait_warm("python", 1)
            began = time.perf_counter()
            box = daemon().client.create(policy=name)
            claims.append((time.perf_counter() - began) * 1000)
            for _ in range(3):
                began = time.perf_counter()
                box.exec(["/bin/sh", "-c", ":"])
                commands.append((time.perf_counter() - began) * 1000)
            box.delete()
    medians = {name: [statistics.median(times) for times in both] for name, both in taken.items()}
    for name, (claim, command) in medians.items():
        sys.stderr.write(f"# over HTTP, median: {name}: claim {claim:.2f} ms, sh {command:.2f} ms\n")
    for name in ("python", "hashed-python", "many"):
        # An emulated processor is 20 times slower, mounts or not.
        for i, what in enumerate(("claim", "command")):
            check(medians[name][i] < 4 * medians["plain"][i] + 20, f"{name} makes a {what} slow")


if __name__ == "__main__":
    main()
