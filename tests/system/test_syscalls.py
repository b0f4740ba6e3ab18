#!/usr/bin/python3
"""System calls: counted, recorded as the policy says, and what a loss of records leads to."""

import re
import shutil
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


CODE_LONG = """
import os
for depth, name in ((2, "n" * 60), (6, "n" * 60), (2, "n" * 200), (40, "d")):
    os.chdir("/tmp")
    for _ in range(depth):
        os.makedirs(name, exist_ok=True)
        os.chdir(name)
    open(f"deep{depth}.{len(name)}", "w").close()
"""


@test
def what_is_left_of_a_long_path_does_not_begin_with_a_slash():
    with client().sandbox(template="python") as sandbox:
        sandbox.python(CODE_LONG)
        paths = {r["path"].rsplit("/", 1)[1]: r["path"] for r in records(sandbox, "file.open")
                 if "/deep" in r.get("path", "")}
        name = "n" * 60
        check_equal(paths["deep2.60"], f"/tmp/{name}/{name}/deep2.60", "a whole one")
        # What is longer than the room is cut; where a name does not fit any more, or there are too
        # many, it ends behind a slash.
        check(not paths["deep6.60"].startswith("/"), f"six names: {paths['deep6.60']}")
        check_equal(paths["deep2.200"], f"{'n' * 200}/deep2.200", "names that do not fit")
        check(paths["deep40.1"].startswith("d/d/d/"), f"forty names: {paths['deep40.1']}")
        made = {r["path"] for r in records(sandbox, "syscall.mkdir")}
        check("d" in made, "directories that were made, by the program's word")


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


def strace_counts(argv):
    """Calls by name as strace(1) counts them, children included."""
    if not shutil.which("strace"):
        skip("strace is not installed")
    with tempfile.NamedTemporaryFile("r", prefix="cloche-strace-") as table:
        subprocess.run(["strace", "-f", "-c", "-U", "calls,name", "-o", table.name] + argv, check=True)
        rows = [line.split() for line in table.read().splitlines()]
    return {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit() and row[1] != "total"}


@test
def counts_agree_with_strace():
    with tempfile.TemporaryDirectory(prefix="cloche-calls-") as directory:
        expected = strace_counts([f"{BUILD}/tests/probe/calls", "fixed", directory])
    with client().sandbox(template="shell") as sandbox:
        sandbox.put("/tmp/calls", probe("calls"))
        sandbox.sh("chmod 755 /tmp/calls; mkdir /tmp/work")
        before = client().get(f"{sandbox.path}/syscalls").expect(200).json
        sandbox.exec(["/tmp/calls", "fixed", "/tmp/work"])
        after = client().get(f"{sandbox.path}/syscalls").expect(200).json
    counted = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    check(expected["getppid"] == 128 and expected["openat"] >= 55, f"strace saw {expected}")
    for name in ("getppid", "openat", "chmod", "rename", "unlink"):
        check_equal(counted.get(name, 0), expected[name], name)
    # PID 1 forks, sets up and waits for the command: these are counted too, and are few.
    for name, calls in expected.items():
        if name not in ("exit_group", "exit", "arch_prctl"):
            check(calls <= counted.get(name, 0) <= calls + 12, f"{name}: {counted.get(name, 0)} for {calls}")


@test
def arguments_and_results_agree_with_strace():
    if not shutil.which("strace"):
        skip("strace is not installed")
    with tempfile.TemporaryDirectory(prefix="cloche-calls-") as directory:
        text = subprocess.run(
            ["strace", "-f", "-e", "trace=rename,unlink,chmod", f"{BUILD}/tests/probe/calls", "fixed", directory],
            check=True, stderr=subprocess.PIPE, text=True).stderr
    expected = re.findall(r'(rename|unlink|chmod)\("(\w+)".*\) += (-?\d+)', text)
    with client().sandbox(template="shell") as sandbox:
        sandbox.put("/tmp/calls", probe("calls"))
        sandbox.sh("chmod 755 /tmp/calls; mkdir /tmp/work")
        sandbox.exec(["/tmp/calls", "fixed", "/tmp/work"])
        found = [(r["syscall"], r["path"], str(r["result"])) for r in records(sandbox, "syscall")
                 if r["process"]["exe"] == "/tmp/calls" and r["syscall"] in ("rename", "unlink", "chmod")]
    check_equal(len(found), 21, "records")
    check_equal(found, expected, "calls, in their order")


@test
def counts_are_for_their_tenant_and_for_who_is_audited():
    with client().sandbox(template="python", policy="none") as sandbox:
        client().get(f"{sandbox.path}/syscalls").problem(409, "conflict")
    client().get("/v1/sandboxes/sb-0000000000000001/syscalls").problem(404, "not-found")
    with client().sandbox(template="python") as sandbox:
        sandbox.python("import ctypes\nfor i in range(3): ctypes.CDLL(None).unshare(0x10000000)")
        check_equal(client().get(f"{sandbox.path}/syscalls").expect(200).json["unshare"],
                    {"calls": 3, "refused": 3}, "unshare")
        other = daemon().tenant("counted-not")
        other.get(f"{sandbox.path}/syscalls").problem(404, "not-found")


@test
def a_restart_goes_on_and_nobody_pays_for_nobody():
    with running(policies=[audited("none", syscalls="none")], pool="shell=1") as own:
        def attached():
            return [pin for pin in own.pins() if pin.endswith("link-cloche_sys_exit")]

        check_equal(attached(), [], "attached with nobody audited")
        with own.client.sandbox(template="shell") as sandbox:
            sandbox.sh("umask 077; umask 077")
            check_equal(len(attached()), 1, "attached")
            before = own.client.get(f"{sandbox.path}/syscalls").expect(200).json["umask"]["calls"]
            own.kill()
            own.start()
            check_equal(len(attached()), 1, "attached after kill -9")
            sandbox = type(sandbox)(own.client, sandbox.get().json)
            sandbox.sh("umask 077")
            after = own.client.get(f"{sandbox.path}/syscalls").expect(200).json["umask"]["calls"]
            check(after > before >= 2, f"{before}, then {after}")
        until(lambda: not attached(), "detached")
        with own.client.sandbox(template="shell", policy="none") as sandbox:
            sandbox.sh("umask 077")
            check_equal(attached(), [], "attached for a policy that records none")


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
