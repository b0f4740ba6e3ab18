#!/usr/bin/python3
"""Candidates are asked about calls, files and programs, too: in records and in sums, and nothing is denied."""

import os
import subprocess

from cloche_harness import BUILD, Daemon, check, check_equal, check_in, fixture, main, test

TIGHT = {"files": {"read_only": ["/var/tmp"], "hidden": ["/etc/profile"]},
         "syscalls": {"deny": ["mkdir"]},
         "executables": {"allow": [os.path.realpath("/usr/bin/python3"), os.path.realpath("/bin/sh")]}}
# What was asked for, and the same with a file, a directory and a program that both policies let.
ACTS = """
import errno, os, subprocess
def act(what, *args):
    try: what(*args); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
def run(*words): return act(lambda: subprocess.run(words, stdout=subprocess.DEVNULL))
print(act(open, "/var/tmp/out", "w"), act(open, "/tmp/out", "w"), act(open, "/etc/profile"),
      act(open, "/etc/passwd"), act(os.mkdir, "/tmp/made"), act(os.rmdir, "/tmp/none"),
      run("/usr/bin/id"), run("/bin/sh", "-c", ":"))
"""


def policy(name, **parts):
    return {"version": 1, "name": name, "audit": {"syscalls": ["openat", "mkdir", "rmdir"]}, **parts}


@fixture
def daemon():
    made = Daemon(policies=[policy("plain"), policy("tight", **TIGHT), {**policy("quiet"), "audit": {"syscalls": "none"}}],
                  pool="python=2")
    yield made.start()
    made.close()


def told(sandbox, client=None):
    """What records say of each act that a candidate would have decided otherwise, and those of the others."""
    differs, same = {}, []
    for record in (client or daemon().client).events(type="syscall,file,process.exec"):
        if record.get("sandbox") != sandbox.id:
            continue
        what = (record["type"], record.get("path") or record["process"]["exe"])
        if "__pycache__" in record.get("path", ""):  # Python tries, also in what is read-only
            continue
        if "shadow" in record:
            differs[what] = record["shadow"]
        else:
            same.append(what)
    return differs, same


def sums(name, staged=False, client=None):
    answer = (client or daemon().client).get(f"/v1/policies/{name}/shadow").expect(200).json
    rows = (answer["staged"] if staged else answer)["rules"]
    return {(row["outcome"], row["part"]): row for row in rows if row["part"]}


DENIED = {("file.open", "/var/tmp/out"): "files.read_only /var/tmp", ("file.open", "/etc/profile"): "files.hidden /etc/profile",
          ("syscall.mkdir", "/tmp/made"): "syscalls.deny mkdir", ("process.exec", "/usr/bin/id"): "executables.allow"}
AGREED = [("file.open", "/tmp/out"), ("file.open", "/etc/passwd"), ("syscall.rmdir", "/tmp/none")]


def check_denied(differs, same, name, source=""):
    check_equal({what: (said["policy"], said["verdict"], said["rule"], said["part"]) for what, said in differs.items()},
                {what: (name, "deny", None, part) for what, part in DENIED.items()}, f"told {source}")
    for what in AGREED:
        check_in(what, same, "recorded, and it agrees")


@test
def what_it_would_deny_is_told_and_counted_by_part_and_nothing_is_denied():
    with daemon().client.sandbox(policy="plain") as sandbox:
        before = sums("tight")
        row = sandbox.client.request("PATCH", sandbox.path, {"shadow": "tight"}).expect(200).json
        check_equal(sandbox.python(ACTS).split(), ["ok"] * 5 + ["ENOENT", "ok", "ok"], "no verdict")
        differs, same = told(sandbox)
        check_denied(differs, same, "tight")
        check_equal({said["hash"] for said in differs.values()}, {row["shadow"]["hash"]}, "of it as it is")
        rows = sums("tight")
        check_equal(before, {}, "nothing before")
        check_equal({key: row["count"] for key, row in rows.items()},
                    {("would_deny", part): 1 for part in DENIED.values()}, "counted")
        check_equal({part: (row["policy"], row["rule"], row["example"]["act"], row["example"]["sandbox"])
                     for (_, part), row in rows.items()},
                    {part: ("tight", None, act, sandbox.id) for part, act in
                     zip(DENIED.values(), ["write /var/tmp/out", "read /etc/profile", "syscall mkdir",
                                           "execute /usr/bin/id"])}, "with examples")
    check_equal(len(sums("tight")), 4, "sums outlive the sandbox")
    shown = subprocess.run([f"{BUILD}/cloche", "--url", f"unix://{daemon().socket_path}", "--key-file",
                            f"{daemon().state_dir}/admin.key", "policy", "shadow", "tight"],
                           capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=True).stdout
    check_in("files.read_only /var/tmp", shown, "shown")


@test
def what_it_would_allow_stays_denied_and_is_told():
    with daemon().client.sandbox(policy="tight") as sandbox:
        sandbox.client.request("PATCH", sandbox.path, {"shadow": "plain"}).expect(200)
        check_equal(sandbox.python(ACTS).split(), ["EROFS", "ok", "EACCES", "ok", "EPERM", "ENOENT", "EACCES", "ok"],
                    "denied")
        differs, same = told(sandbox)
        check_equal({what: (said["verdict"], said["part"]) for what, said in differs.items()},
                    {("syscall.openat", "/var/tmp/out"): ("allow", "files"),
                     ("syscall.mkdir", "/tmp/made"): ("allow", "syscalls.profile default"),
                     ("syscall.execve", "/usr/bin/id"): ("allow", "executables")}, "told")
        check_in(("syscall.openat", "/etc/profile"), same, "what failed otherwise may fail under each policy")
        parts = [r["shadow"]["part"] for r in daemon().client.events(type="syscall,file,process.exec")
                 if r.get("sandbox") == sandbox.id and "shadow" in r]
        check_equal({key: (row["count"], row["policy"]) for key, row in sums("plain").items()},
                    {("would_allow", part): (parts.count(part), "plain")
                     for part in ("files", "syscalls.profile default", "executables")}, "counted")


@test
def only_what_is_recorded_is_judged():
    with daemon().client.sandbox(policy="quiet") as sandbox:
        sandbox.client.request("PATCH", sandbox.path, {"shadow": "tight"}).expect(200)
        sandbox.python(ACTS)
        differs, _ = told(sandbox)
        check_equal(list(differs), [("process.exec", "/usr/bin/id")], "programs are recorded always")


@test
def a_staged_version_is_asked_too():
    daemon().client.post("/v1/policies/rolled", policy("rolled")).expect(201)
    with daemon().client.sandbox(policy="rolled") as sandbox:
        daemon().client.post("/v1/policies/rolled?stage=shadow", policy("rolled", **TIGHT)).expect(200)
        sandbox.python(ACTS)
        check_denied(*told(sandbox), "rolled", "of a staged version")
        check_equal({key: row["count"] for key, row in sums("rolled", staged=True).items()},
                    {("would_deny", part): 1 for part in DENIED.values()}, "counted for it")
        check_equal(sums("rolled"), {}, "and not for what is in force")
        daemon().client.delete("/v1/policies/rolled?stage=shadow").expect(204)
        sandbox.python(ACTS.replace("/tmp/made", "/tmp/again"))
        check_in(("syscall.mkdir", "/tmp/again"), told(sandbox)[1], "nobody is asked any more")


@test
def what_learns_says_what_it_lacks():
    daemon().client.post("/v1/policies/learner", policy("learner", mode="learn", **TIGHT)).expect(201)
    client = daemon().tenant("learns", policy="plain")
    with client.sandbox(policy="learner") as sandbox:
        check_equal(sandbox.python(ACTS).split(), ["ok"] * 5 + ["ENOENT", "ok", "ok"], "its bound decides")
        check_denied(*told(sandbox), "learner", "as it is written")
        check_equal({key: row["count"] for key, row in sums("learner", client=client).items()},
                    {("would_deny", part): 1 for part in DENIED.values()}, "counted")


@test
def records_that_are_asked_for_count_in_both_directions():
    def named(name, *types):
        return policy(name, network={"allow": [{"name": "a.test"}, *[{"name": "a.test", "records": [t]} for t in types]]})
    for made in named("mail", "MX"), named("text", "TXT"):
        daemon().client.post(f"/v1/policies/{made['name']}", made).expect(201)
    with daemon().client.sandbox(policy="mail") as sandbox:
        sandbox.client.request("PATCH", sandbox.path, {"shadow": "text"}).expect(200)
        sandbox.python("import socket, struct\n"
                       "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)\n"
                       "s.sendto(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + b'\\1a\\4test\\0' + struct.pack('>2H', 16, 1),"
                       " ('10.9.8.7', 53)); s.recv(512)\n")
        asked, = [r for r in daemon().client.events(type="network.dns") if r.get("sandbox") == sandbox.id]
        check_equal((asked["verdict"], asked["shadow"]["verdict"], asked["shadow"]["rule"]), ("deny", "allow", 1), "told")
        row, = daemon().client.get("/v1/policies/text/shadow").json["rules"]
        check_equal((row["outcome"], row["rule"], row["count"], row["example"]["act"]),
                    ("would_allow", 1, 1, "resolve a.test TXT"), "counted")


if __name__ == "__main__":
    main()
