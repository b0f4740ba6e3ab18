#!/usr/bin/python3
"""System calls: counted, recorded as the policy says, and what a loss of records leads to."""

import glob
import os
import re
import subprocess
import tempfile

from cloche_harness import (BUILD, DENY_ALL, Daemon, check, check_equal, check_in, fixture, main, probe,
                            running, skip, test, until)

CODE_MANY = """
import os
for i in range(%d): os.getppid()
for i in range(50): os.stat("/etc/passwd")
open("/tmp/made", "w").close()
os.rename("/tmp/made", "/tmp/moved")
os.unlink("/tmp/moved")
try: open("/nowhere/file")
except OSError: pass
"""


def audited(name, **audit):
    return {**DENY_ALL, "name": name, "audit": audit}


@fixture
def daemon():
    made = Daemon([audited("none", syscalls="none"), audited("some", syscalls=["getppid"]),
                   audited("freezes", on_loss="freeze"), audited("kills", on_loss="kill"),
                   audited("logs", on_loss="log")])
    yield made.start()
    made.close()


def client():
    return daemon().client


def records(sandbox, kind):
    return client().events(sandbox=sandbox.id, type=kind)


@test
def files_are_recorded_as_they_were_opened_and_changed():
    with client().sandbox(template="python") as sandbox:
        sandbox.python(CODE_MANY % 10)
        made = [r for r in records(sandbox, "file.open") if r.get("path") == "/tmp/made"]
        check_equal(len(made), 1, "records of the file")
        check_equal((made[0]["path_src"], made[0]["writable"], made[0]["created"]), ("kernel", True, True),
                    "what the kernel says of it")
        check_equal(made[0]["process"]["exe"].startswith("/usr/bin/python3"), True, "executable")
        moved = records(sandbox, "syscall.rename")[-1]
        check_equal((moved["path"], moved["second_path"], moved["path_src"], moved["result"]),
                    ("/tmp/made", "/tmp/moved", "user", 0), "rename")
        failed = [r for r in records(sandbox, "syscall.openat") if r.get("path") == "/nowhere/file"]
        check_equal([r["error"] for r in failed], ["ENOENT"], "the open that failed")
        check_equal([r.get("path") for r in records(sandbox, "file.open") if not r["writable"]
                     and not r["created"]], [], "opens that only read")


@test
def what_the_filter_refuses_is_recorded_with_its_errno():
    with client().sandbox(template="python") as sandbox:
        sandbox.python("import ctypes; ctypes.CDLL(None).unshare(0x10000000)")
        record = records(sandbox, "syscall.unshare")[-1]
        check_equal((record["verdict"], record["refused_by"], record["error"], record["arguments"][0]),
                    ("deny", "seccomp", "EPERM", "0x10000000"), "record")


@test
def who_the_filter_kills_leaves_a_record():
    with client().sandbox(template="shell") as sandbox:
        sandbox.put("/tmp/foreign", probe("foreign-abi"))
        for kind in ("i386", "x32"):
            sandbox.try_exec(["sh", "-c", f"chmod 755 /tmp/foreign; /tmp/foreign {kind}-getpid"])
        found = records(sandbox, "syscall.unnamed")
        check_equal([r["abi"] for r in found], ["i386", "x32"], "ABIs")
        check_equal({r["refused_by"] for r in found}, {"seccomp, by a signal"}, "who refused")


@test
def a_policy_chooses_what_is_recorded():
    for name, expected in (("some", 10), ("none", 0), ("deny-all", 0)):
        with client().sandbox(template="python", policy=name) as sandbox:
            sandbox.python("import os\nfor i in range(10): os.getppid()")
            check_equal(len([r for r in records(sandbox, "syscall.getppid")
                             if r["process"]["exe"].startswith("/usr/bin/python")]), expected, name)
            if name == "none":
                check_equal(records(sandbox, "file"), [], "files")


FLOOD = """
import ctypes
libc = ctypes.CDLL(None)
for i in range(%d): libc.unshare(0x10000000)
print("done")
"""


@test
def a_flood_is_counted_and_hides_nothing_of_others():
    with client().sandbox(template="python", policy="logs") as flooding, \
            client().sandbox(template="python", policy="logs") as quiet:
        n = 60000
        flooding.python(FLOOD % n)
        quiet.python("import ctypes; ctypes.CDLL(None).setns(-1, 0)")
        check_equal(len(records(quiet, "syscall.setns")), 1, "the quiet one's record")
        check_equal(records(quiet, "audit.lost"), [], "its losses")
        lost = records(flooding, "audit.lost")
        check(lost, "no loss was told")
        check_equal({(r["class"], r["reason"]) for r in lost}, {("security", "rate_limited")}, "losses")
        count = sum(r["type"] == "syscall.unshare" for r in daemon().audit_lines())
        total = count + sum(r["lost"] for r in lost)
        # What is lost beside the calls: the exec and the exit of the program, at most.
        check(n <= total <= n + 4, f"{total} of {n} are accounted for")


@test
def a_loss_can_kill_or_freeze():
    with client().sandbox(template="python", policy="kills") as sandbox:
        sandbox.try_exec(["python3", "-c", FLOOD % 100000])
        row = until(lambda: [row for row in [sandbox.get().json] if row["state"] == "failed"],
                    "killed")[0]
        check_in("a record of it was lost", row["reason"], "reason")
    with client().sandbox(template="python", policy="freezes") as sandbox:
        sandbox.try_exec(["python3", "-c", FLOOD % 100000], timeout_seconds=2)
        until(lambda: records(sandbox, "sandbox.freeze"), "frozen")
        sandbox.try_exec(["true"]).problem(409, "conflict")


if __name__ == "__main__":
    main()
