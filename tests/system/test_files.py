#!/usr/bin/python3
"""Files and devices by policy: what is hidden, read-only and writable, seen from inside."""

import os
import statistics
import sys
import time

from cloche_harness import DENY_ALL, PATIENCE, Daemon, check, check_equal, check_in, fixture, main, test

# Each act prints "ok" or the error's name.
TRY = """
import os, errno
def act(what, *args):
    try: what(*args); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
def read(path): open(path, "rb").close()
def write(path): open(path, "ab").close()
def make(path): open(path, "xb").close()
"""

POLICIES = {
    "plain": {},
    "sealed": {"files": {"read_only": ["/"], "writable": ["/workspace", "/tmp"]}},
    "hiding": {"files": {"hidden": ["/etc/passwd", "/usr/share", "/bin/ls"], "read_only": ["/etc/hosts"]}},
    "nested": {"files": {"read_only": ["/usr"], "writable": ["/usr/local"], "hidden": ["/usr/local/lib"]}},
    "missing": {"files": {"hidden": ["/etc/nowhere"]}},
    "lenient": {"files": {"hidden": ["/etc/nowhere", "/etc/passwd/x", "/etc/group"], "best_effort": True}},
    "few-devices": {"devices": ["null", "urandom"]},
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


def outcomes(box, acts, uid=0):
    text = box.python(TRY + "".join(f"print({act})\n" for act in acts), uid=uid, gid=uid)
    return text.split()


@test
def what_is_read_only_cannot_be_changed_in_any_way():
    acts = ["act(make, '/usr/x')", "act(write, '/etc/hostname')", "act(make, '/x')", "act(make, '/dev/shm/x')",
            "act(os.chmod, '/etc/hostname', 0o600)", "act(os.utime, '/etc/hostname')",
            "act(os.chown, '/root', 0, 0)", "act(os.rename, '/opt', '/opt2')", "act(os.mkdir, '/home/d')",
            "act(os.unlink, '/usr/cloche/etc/hostname')", "act(write, '/usr/cloche/etc/hostname')"]
    with sandbox("sealed") as sealed, sandbox("plain") as plain:
        check_equal(outcomes(sealed, acts), ["EROFS"] * len(acts), "sealed")
        check_equal(outcomes(plain, acts), ["ok"] * len(acts), "the twin")


@test
def what_is_writable_inside_what_is_read_only_stays_so():
    acts = ["act(make, '/tmp/f')", "act(os.mkdir, '/tmp/d')", "act(read, '/etc/hostname')",
            "act(write, '/dev/null')"]
    with sandbox("sealed") as sealed:
        for uid in (1000, 0):
            check_equal(outcomes(sealed, [act.replace("/f'", f"/f{uid}'").replace("/d'", f"/d{uid}'")
                                          for act in acts], uid), ["ok"] * len(acts), f"uid {uid}")
        check_equal(outcomes(sealed, ["act(make, '/workspace/f1000')"], 1000), ["ok"], "its own directory")
        check_equal(sealed.sh("cat /tmp/f0 /workspace/f1000; echo hi >/tmp/h; cat /tmp/h"), "hi\n", "files")


@test
def what_is_hidden_cannot_be_read_by_any_path():
    acts = ["act(read, '/etc/passwd')", "act(read, '/usr/cloche/etc/passwd')", "act(read, '/usr/bin/ls')",
            "act(os.stat, '/usr/share/zoneinfo')", "act(os.link, '/etc/passwd', '/etc/p')",
            "act(read, '/proc/1/root/etc/passwd')", "act(os.rename, '/etc/passwd', '/etc/p')",
            "act(os.unlink, '/usr/cloche/etc/passwd')"]
    with sandbox("hiding") as hiding, sandbox("plain") as plain:
        found = outcomes(hiding, acts)
        check("ok" not in found, f"something is open: {found}")
        check_equal(found[:4], ["EACCES", "EACCES", "EACCES", "ENOENT"], "how")
        check_equal(hiding.python("import os; print(os.listdir('/usr/share'))"), "[]\n",
                    "a hidden directory")
        twin = outcomes(plain, acts[:4])
        check_equal(twin, ["ok"] * 4 if os.path.exists("/usr/share/zoneinfo") else ["ok"] * 3 + ["ENOENT"],
                    "the twin")
        # The rest of the directory is as it was.
        check_equal(outcomes(hiding, ["act(read, '/etc/group')", "act(write, '/etc/hosts')",
                                      "act(write, '/usr/cloche/etc/hosts')", "act(write, '/etc/group')"]),
                    ["ok", "EROFS", "EROFS", "ok"], "beside it")


@test
def the_longest_path_decides():
    acts = ["act(make, '/usr/f')", "act(make, '/usr/local/f')", "act(make, '/usr/local/lib/f')",
            "act(os.mkdir, '/usr/local/bin/d')"]
    with sandbox("nested") as nested, sandbox("plain") as plain:
        check_equal(outcomes(nested, acts), ["EROFS", "ok", "EROFS", "ok"], "nested")
        check_equal(nested.python("import os; print(os.listdir('/usr/local/lib'))"), "[]\n", "hidden in writable")
        check_equal(outcomes(plain, acts), ["ok"] * 4, "the twin")


@test
def mounts_cannot_be_taken_away():
    code = TRY + ("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                  "for f in (lambda: libc.umount2(b'/etc/passwd', 2), lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0),"
                  " lambda: libc.mount(None, b'/', None, 32, None)):\n"
                  "    ctypes.set_errno(0); print(f(), errno.errorcode[ctypes.get_errno()])\n"
                  "print(act(os.rename, '/usr/share', '/usr/s'), act(os.rmdir, '/usr/share'))\n")
    with sandbox("hiding") as hiding:
        check_equal(hiding.python(code, uid=0, gid=0),
                    "-1 EPERM\n-1 EPERM\n-1 EPERM\nEBUSY EBUSY\n", "umount, mount, remount, rename, rmdir")


@test
def a_path_that_is_not_there_refuses_the_sandbox():
    answer = daemon().client.post("/v1/sandboxes", {"policy": "missing"}).expect(503)
    check_in("cannot find /etc/nowhere: No such file or directory", answer.json["detail"], "why")
    with sandbox("lenient") as lenient:
        check_equal(outcomes(lenient, ["act(read, '/etc/group')", "act(read, '/etc/passwd')"]),
                    ["EACCES", "ok"], "what is there is hidden")


@test
def devices_that_a_policy_leaves_out_cannot_be_opened():
    names = ["null", "urandom", "zero", "full", "random", "tty", "ptmx"]
    acts = [f"act(read, '/dev/{name}')" for name in names]
    with sandbox("few-devices") as few, sandbox("plain") as plain:
        for uid in (0, 1000):
            check_equal(outcomes(few, acts, uid), ["ok", "ok"] + ["EACCES"] * 5, f"few, uid {uid}")
            # There is no terminal to open.
            check_equal(outcomes(plain, acts, uid), ["ok"] * 5 + ["ENXIO", "ok"], f"the twin, uid {uid}")
        check_equal(few.python("import pty\ntry: pty.openpty(); print('ok')\nexcept OSError: print('none')"),
                    "none\n", "a new terminal")


@test
def every_bound_counts():
    tenant = daemon().tenant("sealed-tenant", policy="sealed")
    with tenant.sandbox(policy="nested") as both:
        check_equal(outcomes(both, ["act(make, '/usr/local/f')", "act(make, '/opt/f')", "act(make, '/tmp/f')"]),
                    ["EROFS", "EROFS", "ok"], "the narrower of both")
        check_equal(both.python("import os; print(os.listdir('/usr/local/lib'))"), "[]\n", "hidden")


@test
def another_policy_with_other_files_is_refused():
    with sandbox("plain") as plain:
        answer = daemon().client.request("PATCH", f"/v1/sandboxes/{plain.id}", {"policy": "hiding"})
        check_equal(answer.status, 409, "other files")
        check_in("those are settled when a sandbox is created", answer.json["detail"], "why")
        answer = daemon().client.request("PATCH", f"/v1/sandboxes/{plain.id}", {"policy": "deny-all"})
        check_equal(answer.status, 200, "the twin")


@test
def they_outlive_a_restart():
    box = daemon().client.create(policy="hiding")
    daemon().kill()
    daemon().start()
    check_equal(outcomes(box, ["act(read, '/etc/passwd')", "act(write, '/etc/hosts')"]), ["EACCES", "EROFS"], "after")
    box.delete()


@test
def a_claim_with_paths_stays_quick():
    def claim(policy):
        daemon().wait_warm("python", 1)
        began = time.perf_counter()
        box = daemon().client.create(policy=policy)
        took = (time.perf_counter() - began) * 1000
        box.delete()
        return took

    plain, sealed = [], []
    for _ in range(15):
        plain.append(claim("plain"))
        sealed.append(claim("hiding"))
    sys.stderr.write(f"# claim over HTTP, median: {statistics.median(plain):.2f} ms without, "
                     f"{statistics.median(sealed):.2f} ms with 6 mounts\n")
    check(statistics.median(sealed) < statistics.median(plain) + 20 * PATIENCE, "mounts make a claim slow")


if __name__ == "__main__":
    main()
