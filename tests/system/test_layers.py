#!/usr/bin/python3
"""Kernels that lack a layer: what cannot be enforced is not begun, and --check says so."""

import os
import subprocess
import tempfile

from cloche_harness import BUILD, check_equal, check_in, main, test
from old_kernel import LANDLOCK, MOUNT_SETATTR, SECCOMP, OldKernelDaemon, without


def run(number, *words):
    command = [f"{BUILD}/cloched", *words]
    done = subprocess.run(without(number, command) if number else command, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def states(text):
    """{feature: yes, no or MISSING}"""
    rows = [line.split(None, 1) for line in text.splitlines() if line.startswith("  ")]
    return {row[1][:34].strip(): row[0] for row in rows}


@test
def check_says_which_layer_is_missing():
    whole = states(run(None, "--check")[1])
    for number, feature in ((SECCOMP, "system call filters"), (MOUNT_SETATTR, "mount attributes")):
        code, out, _ = run(number, "--check")
        check_equal(code, 1, f"exit code without {feature}")
        check_in("This host cannot run Cloche: 1 required feature is missing.", out, "the last line")
        found = states(out)
        check_equal(found, {**whole, feature: "MISSING"}, f"without {feature}")
    code, out, _ = run(LANDLOCK, "--check")
    check_equal((code, states(out)), (0, {**whole, "landlock": "no"}), "without Landlock")


@test
def without_filters_of_system_calls_nothing_is_begun():
    with tempfile.TemporaryDirectory(prefix="cloche-layers-") as made:
        code, _, errors = run(SECCOMP, "--instance", f"layers-{os.getpid()}", "--run-dir", f"{made}/run",
                              "--state-dir", f"{made}/state", "--policy-dir", made, "--listen", "none")
        check_equal((code, os.listdir(made)), (1, []), "exit code, and what was made")
        check_in('cannot start: system call filter: this kernel has no filters of system calls '
                 '(CONFIG_SECCOMP_FILTER): nothing of "syscalls" could be enforced', errors, "why")


@test
def without_landlock_all_parts_but_executables_are_enforced():
    policy = {"version": 1, "name": "rest", "files": {"read_only": ["/"], "writable": ["/tmp"]}, "devices": ["null"],
              "syscalls": {"deny": ["mkdir", {"name": "ioctl", "args": [{"index": 1, "is": "FIONREAD"}]}]}}
    made = OldKernelDaemon(LANDLOCK, policies=[policy], pool="python=1")
    try:
        made.start()
        with made.client.sandbox(template="python", policy="rest") as box:
            said = box.python("""
import errno, fcntl, os
def said(act):
    try: act()
    except OSError as error: return errno.errorcode[error.errno]
    return "ok"
for act in (lambda: open("/workspace/x", "w"), lambda: open("/tmp/x", "w"), lambda: open("/dev/zero"),
            lambda: open("/dev/null"), lambda: os.mkdir("/tmp/d"), lambda: os.symlink("a", "/tmp/l"),
            lambda: fcntl.ioctl(os.pipe()[0], 0x541b, b"1234"), lambda: fcntl.ioctl(os.pipe()[0], 0x5451)):
    print(said(act))
""").split()
            check_equal(said, ["EROFS", "ok", "EACCES", "ok", "EPERM", "ok", "EPERM", "ok"], "each beside its twin")
    finally:
        made.close()


if __name__ == "__main__":
    main()
