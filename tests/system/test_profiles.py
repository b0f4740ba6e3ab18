#!/usr/bin/python3
"""Profiles of system calls: what each answers to every number, and what can be done under it.

What is answered is written down for each kernel in profiles/. With CLOCHE_TEST_REWRITE=1 the files of the
kernel that this runs on are written anew; of a guest's (tests/vm/run) copy what they hold from its output.
Where there is none the test is skipped, or fails with CLOCHE_TEST_GOLDEN=required."""

import json
import os
import platform

from cloche_harness import (DENY_ALL, ROOT, Daemon, check, check_equal, check_in, fixture, main, probe, skip,
                            test)

PROFILES = ["strict", "default", "debug"]
NUMBERS_MAX = 470
TRIES_MAX = 3  # a call that a busy machine makes late looks as if it blocked

HEAD = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    r = getattr(libc, name)(*args)
    return "ok" if r != -1 else __import__("errno").errorcode[ctypes.get_errno()]
"""

# Traces a child from its start, reads its memory, and lets it go on.
TRACE = HEAD + """
secret = ctypes.create_string_buffer(b"seen")
pid = os.fork()
if pid == 0:
    os._exit(7 if call("ptrace", 0, 0, None, None) == "ok" and not os.kill(os.getpid(), signal.SIGSTOP)
             else 8)
_, status = os.waitpid(pid, os.WUNTRACED)
room = ctypes.create_string_buffer(4)
class Part(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
here, there = Part(ctypes.addressof(room), 4), Part(ctypes.addressof(secret), 4)
read = call("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
if os.WIFSTOPPED(status):
    call("ptrace", 7, pid, None, None)
    _, status = os.waitpid(pid, 0)
print(os.WEXITSTATUS(status), read, room.raw.strip(b"\\0").decode())
print(*(call("ptrace", 16, one, None, None) for one in (1,)))
"""


@fixture
def daemon():
    made = Daemon(policies=[], pool="python=2")
    made.write_policy({**DENY_ALL, "syscalls": {"profile": "debug", "allow": ["tee", "splice"]}})
    for profile in PROFILES:
        made.write_policy({"version": 1, "name": profile, "syscalls": {"profile": profile}})
    made.write_policy({"version": 1, "name": "opened", "syscalls": {"profile": "strict",
                                                                    "allow": ["memfd_create", "tee"],
                                                                    "deny": ["mkdir", "mkdirat"]}})
    made.start()
    yield made
    made.close()


def answers(sandbox, numbers):
    """{number: answer} of the calls with null arguments; results that differ by nature are just "ok"."""
    words = [word for number in numbers for word in (str(number), str(number))]
    done = sandbox.exec(["/tmp/syscalls", *words], timeout_seconds=120)
    check_equal(done["exit_code"], 0, f"the prober: {done['stderr']}")
    rows = dict(line.split(" ", 1) for line in done["stdout"].splitlines())
    return {int(number): "ok" if row.startswith("ok") else row for number, row in rows.items()}


def kernel():
    return ".".join(platform.release().split(".")[:2])


def check_golden(profile):
    path = os.path.join(ROOT, "tests/system/profiles", f"{profile}-{platform.machine()}-{kernel()}.json")
    rewrite = os.environ.get("CLOCHE_TEST_REWRITE")
    if not rewrite and not os.path.exists(path):
        text = f"nobody has written down what Linux {kernel()} on {platform.machine()} answers"
        check(os.environ.get("CLOCHE_TEST_GOLDEN") != "required", text)
        skip(text)
    with daemon().client.sandbox(policy=profile) as sandbox:
        sandbox.put("/tmp/syscalls", probe("syscalls"))
        found = answers(sandbox, range(NUMBERS_MAX))
        if rewrite:
            with open(path, "w", encoding="utf-8") as file:
                file.write("{\n" + ",\n".join(f'"{number}": {json.dumps(row)}' for number, row in
                                              found.items()) + "\n}\n")
        with open(path, encoding="utf-8") as file:
            golden = {int(number): row for number, row in json.load(file).items()}
        check_equal(set(found), set(golden), "numbers")
        for _ in range(TRIES_MAX):
            wrong = [number for number, row in found.items() if golden[number] != row]
            if not wrong:
                return
            found.update(answers(sandbox, wrong))
        raise AssertionError({number: (found[number], golden[number]) for number in wrong})


@test
def strict_answers_every_call_as_written_down():
    check_golden("strict")


@test
def default_answers_every_call_as_written_down():
    check_golden("default")


@test
def debug_answers_every_call_as_written_down():
    check_golden("debug")


@test
def debug_traces_a_child_which_default_does_not():
    with daemon().client.sandbox(policy="debug") as debug, daemon().client.sandbox(policy="default") as usual:
        for uid in [1000, 0]:
            check_equal(debug.python(TRACE, uid=uid, gid=uid), "7 ok seen\nEPERM\n", f"debug, uid {uid}")
            check_equal(usual.python(TRACE, uid=uid, gid=uid), "8 EPERM \nEPERM\n", f"default, uid {uid}")


@test
def debug_does_not_reach_the_memory_of_the_first_process():
    code = HEAD + ("print(call('ptrace', 16, 1, None, None), call('ptrace', 0x4206, 1, None, None))\n"
                   "for name in ('mem', 'environ', 'maps'):\n"
                   "    try: print(len(open(f'/proc/1/{name}', 'rb').read(1)))\n"
                   "    except OSError as e: print(e.strerror)\n")
    with daemon().client.sandbox(policy="debug") as debug:
        for uid in [1000, 0]:
            text = debug.python(code, uid=uid, gid=uid)
            check_equal(text.splitlines()[0], "EPERM EPERM", f"attach and seize, uid {uid}")
            check("1" not in text.splitlines()[1:], f"uid {uid} reads of PID 1: {text}")


@test
def strict_runs_usual_programs():
    script = """set -e
cd /tmp; python3 -c 'import json, subprocess, tempfile, threading
t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout.strip())
tempfile.NamedTemporaryFile().write(b"x")'
mkdir d; cp /etc/passwd d/p; mv d/p d/q; ls d; rm -r d; seq 3 | sort -r | head -n 1
python3 - <<'END'
import multiprocessing
with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))
END
"""
    with daemon().client.sandbox(policy="strict") as strict:
        check_equal(strict.sh(script), "thread\nchild\nq\n3\n[1, 2]\n", "what they print")


@test
def strict_closes_what_default_opens():
    code = HEAD + ("print(call('memfd_create', b'x', 0), call('inotify_init'), call('shmget', 0, 4096, 0o1600),"
                   " call('chown', b'/tmp/f', 1000, 1000), call('getpid'))")
    with daemon().client.sandbox(policy="strict") as strict, daemon().client.sandbox(policy="default") as usual:
        for sandbox in (strict, usual):
            sandbox.sh("touch /tmp/f")
        check_equal(strict.python(code), "EPERM EPERM EPERM EPERM ok\n", "strict")
        check_equal(usual.python(code), "ok ok ok ok ok\n", "default")


@test
def a_policy_opens_and_closes_single_calls():
    code = HEAD + ("print(call('memfd_create', b'x', 0), call('tee', -1, -1, 1, 0), "
                   "call('splice', -1, None, -1, None, 1, 0), call('mkdir', b'/tmp/d', 0o700))")
    with daemon().client.sandbox(policy="opened") as opened, daemon().client.sandbox(policy="default") as usual:
        check_equal(opened.python(code), "ok EBADF ENOSYS EPERM\n", "opened")
        check_equal(usual.python(code), "ok ENOSYS ENOSYS ok\n", "default")


@test
def a_tenants_bound_closes_what_a_request_opens():
    daemon().write_policy({"version": 1, "name": "bound"})
    daemon().client.post("/v1/policies/reload").expect(200)
    bound = daemon().tenant("bound-tenant", policy="bound")
    with bound.sandbox(policy="debug") as sandbox:
        check_equal(sandbox.python(TRACE), "8 EPERM \nEPERM\n", "debug under default")
    wide = daemon().tenant("wide-tenant", policy="deny-all")
    with wide.sandbox(policy="debug") as sandbox:
        check_equal(sandbox.python(TRACE), "7 ok seen\nEPERM\n", "the twin")


@test
def another_policy_counts_for_the_next_command():
    code = HEAD + "print(call('memfd_create', b'x', 0))"
    with daemon().client.sandbox(policy="default") as sandbox:
        check_equal(sandbox.python(code), "ok\n", "before")
        daemon().client.request("PATCH", f"/v1/sandboxes/{sandbox.id}", {"policy": "strict"}).expect(200)
        check_equal(sandbox.python(code), "EPERM\n", "under strict")
        daemon().client.request("PATCH", f"/v1/sandboxes/{sandbox.id}", {"policy": "debug"}).expect(200)
        check_equal(sandbox.python(TRACE), "7 ok seen\nEPERM\n", "under debug")


@test
def calls_that_nothing_opens_are_refused_when_the_policy_is_read():
    daemon().write_policy({"name": "never"}, '{"version": 1, "name": "never",\n'
                                             ' "syscalls": {"allow": ["bpf"]}}')
    answer = daemon().client.post("/v1/policies/reload")
    check(answer.status >= 400, f"taken: {answer.status}")
    check_in("never.json:2:25: /syscalls/allow/0", answer.json["detail"], "the place")
    check_in("is never allowed in a sandbox", answer.json["detail"], "the reason")
    daemon().write_policy({"name": "never"}, '{"version": 1, "name": "never",\n'
                                             ' "syscalls": {"allow": ["tee"]}}')
    daemon().client.post("/v1/policies/reload").expect(200)


if __name__ == "__main__":
    main()
