#!/usr/bin/python3
"""policy learn and replay on made logs, as nobody: what is learnt is a policy, passes its own replay, and
has no rule that nothing needed. Runs are random: some policy allowed and denied what was done."""

import json
import os
import random
import tempfile

from cloche_harness import check, check_equal, check_in, fixture, main, test
from policy_command import policy

SEEDS = 30
DROPS = 6  # rules of each policy that are taken away, one by one
HOSTS = [f"h{i}.{zone}" for zone in ("a.example", "b.example.org") for i in range(14)]
DIRECTORIES = ["/tmp", "/workspace", "/opt/app/data", "/srv/www/one", "/srv/www/two", "/usr/share/games", "/var/lib/x"]
CALLS = ["flock", "socketpair", "ptrace", "process_vm_readv", "mount", "chown", "setpriority", "kexec_load", "sync"]
NEVER = {"mount", "kexec_load"}


@fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="cloche-learnt-") as made:
        os.chmod(made, 0o755)
        yield made


def write(name, text):
    path = f"{folder()}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


class Log:
    """Lines as cloched writes them, of one sandbox whose calls are recorded as usual."""

    def __init__(self, syscalls="default"):
        self.lines = []
        self.add("sandbox.create", template="host", **({"syscalls": syscalls} if syscalls else {}))

    def add(self, kind, **body):
        n = len(self.lines) + 1
        self.lines.append(json.dumps({"v": 1, "seq": n, "time": f"2026-11-27T10:{n // 60:02}:{n % 60:02}Z",
                                      "type": kind, "sandbox": "sb-00000000000000ff", **body}))

    def connect(self, name, port, allowed):
        self.add("network.connect", verdict="allow" if allowed else "deny", reason="rule" if allowed else "ticket",
                 name=name, address="198.18.1.0", port=port, protocol="tcp")

    def resolve(self, name, qtype, allowed):
        self.add("network.dns", verdict="allow" if allowed else "deny", name=name, qtype=qtype,
                 rcode=0 if allowed else 5, **({"records": 1} if allowed else {"extended_error": 15}))

    def reach(self, address, port, protocol, allowed):
        self.add("network.connect" if protocol == "tcp" else "network.send", protocol=protocol, address=address,
                 port=port, verdict="allow" if allowed else "deny", reason="rule" if allowed else "default")

    def call(self, name, allowed=True, **body):
        refused = {} if allowed else {"verdict": "deny", "refused_by": "seccomp", "error": "EPERM"}
        self.add(f"syscall.{name}", syscall=name, abi="native", result=0 if allowed else -1, **refused, **body)

    def execute(self, path, allowed=True, **script):
        if allowed:
            self.add("process.exec", argv=["x"], process={"pid": 7, "exe": path}, **script)
        else:
            self.add("syscall.execve", syscall="execve", abi="native", result=-13, error="EACCES", verdict="deny",
                     refused_by="executables or mode", path=path)

    def open(self, path, created=False):
        self.add("file.open", syscall="openat", abi="native", result=3, path=path, path_src="kernel",
                 writable=True, created=created)

    def change(self, name, path, error=None):
        self.call(name, path=path, **({"error": error} if error else {}))

    def text(self):
        return "\n".join(self.lines) + "\n"


def random_run(pick):
    """What some policy allowed, and what not: the same act is always told the same."""
    log = Log()
    names = {(host, port) for host in pick.sample(HOSTS, pick.randint(0, 24))
             for port in pick.sample([80, 443, 8443], pick.randint(1, 2))}
    ports = range(1000, 1000 + pick.randint(1, 20))
    writable = pick.sample(DIRECTORIES, pick.randint(0, 4))
    allowed_calls = set(pick.sample(CALLS, 5)) - NEVER
    records = {(host, qtype) for host in HOSTS[:4] for qtype in (15, 16, 33) if pick.random() < 0.4}
    for _ in range(pick.randint(1, 150)):
        host, port = pick.choice(HOSTS), pick.choice([80, 443, 8443, 22])
        n = pick.randint(0, 30)
        match pick.randint(0, 8):
            case 0:
                log.resolve(host, pick.choice([1, 28]), any(name == host for name, _ in names))
            case 1:
                log.connect(host, port, (host, port) in names)
            case 2:
                log.reach("203.0.113.9", 990 + n, "tcp", 990 + n in ports)
            case 3:
                log.reach(f"2001:db8::{n % 4}", 123, "udp", n % 4 == 1)
            case 4:
                log.add("network.inbound", verdict="allow" if n < 20 else "deny", port=8000 + n)
            case 5:
                name, qtype = pick.choice(HOSTS[:4]), pick.choice([15, 16, 33])
                log.resolve(name, qtype, (name, qtype) in records)
            case 6:
                name = pick.choice(CALLS)
                log.call(name, name in allowed_calls)
            case 8:
                log.execute(f"/usr/{'ab'[n % 2]}/{n}", allowed=n % 5 > 0)
            case 7:
                random_write(pick, log, pick.choice(DIRECTORIES), n, writable)
    return log


def told(pick, path, second=""):
    """A path as it is, or as a relative one with its directory."""
    names = path.split("/")
    n = pick.randint(1, len(names) - 1)
    if pick.random() < 0.5:
        return {f"{second}path": path}
    return {f"{second}path": "/".join(names[n:]), f"{second}directory": "/".join(names[:n]) or "/"}


def random_write(pick, log, directory, n, writable):
    path = f"{directory}/{'abc'[n % 3]}/{n}" if n % 4 else f"{directory}/{n}"
    name = pick.choice(["unlink", "mkdir", "chmod", "rename"])
    other = told(pick, f"{directory}/moved/{n}", "second_") if name == "rename" else {}
    if directory not in writable:
        log.call(name, error="EROFS", **told(pick, path), **other)
    elif pick.random() < 0.6:
        log.open(path, created=pick.random() < 0.5)
    else:
        log.call(name, **told(pick, path), **other)


def rules_of(document):
    """Where each of its rules is."""
    lists = [("network", "allow"), ("network", "inbound", "ports"), ("syscalls", "allow"), ("syscalls", "deny"),
             ("files", "writable"), ("executables", "allow")]
    for keys in lists:
        node = document
        for key in keys:
            node = node.get(key, {})
        for i in range(len(node)):
            yield (*keys, i)


def without(document, place):
    changed = json.loads(json.dumps(document))
    node = changed
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    if changed["network"].get("inbound") == {"ports": []}:
        del changed["network"]["inbound"]
    return changed


@test
def what_is_learnt_passes_its_own_replay_and_has_no_rule_to_spare():
    sections = set()
    for seed in range(SEEDS):
        pick = random.Random(seed)
        log = write("log.jsonl", random_run(pick).text())
        after = str(pick.choice([0, 2, 3, 10]))
        code, out, errors = policy("learn", "--from", log, "--wildcard-after", after, "--directory-after", after)
        check_equal(code, 0, f"seed {seed}: {errors}")
        check("allowed by it" not in errors, f"seed {seed}: {errors}")
        document = json.loads(out)
        learnt = write("learnt.json", out)
        check_equal(policy("check", learnt)[0], 0, f"seed {seed}: a good policy")
        code, shown, errors = policy("replay", learnt, "--audit", log)
        check_equal((code, errors), (0, ""), f"seed {seed}: its own replay: {shown}")
        rules = list(rules_of(document))
        sections |= {place[:-1] for place in rules}
        for place in pick.sample(rules, min(DROPS, len(rules))):
            less = write("less.json", json.dumps({**without(document, place), "name": "less"}))
            code, shown, errors = policy("replay", less, "--audit", log)
            check_equal((code, errors), (1, ""), f"seed {seed}: without {place}: {shown}")
    check_equal(len(sections), 6, f"kinds of rules: {sections}")


def learn(log, *words):
    code, out, errors = policy("learn", "--from", "-", *words, stdin=log.text())
    check_equal(code, 0, errors)
    return json.loads(out), errors


def writable(log, *words):
    document, _ = learn(log, *words)
    return [place["path"] for place in document["files"].get("writable", [])]


@test
def paths_are_there_when_a_sandbox_is_made():
    log = Log()
    log.open("/opt/app/data/old.db")
    log.open("/opt/app/log/new", created=True)
    log.change("mkdir", "/srv/build")
    log.open("/srv/build/deep/x", created=True)
    log.open("/workspace/repo/src/x", created=True)
    log.change("unlink", "/proc/self/x")
    check_equal(writable(log), ["/opt/app/data/old.db", "/opt/app/log", "/srv", "/workspace"], "paths")
    document, _ = learn(log)
    check_equal(document["files"]["read_only"], ["/"], "all else")
    check_equal(document["files"]["writable"][0]["description"],
                "learnt: 1x, first 2026-11-27T10:00:02Z, last 2026-11-27T10:00:02Z", "what it was needed for")


@test
def many_paths_become_their_directory_but_not_over_a_denial():
    log = Log()
    for i in range(10):
        log.open(f"/opt/app/data/{i}")
        log.open(f"/data/{i}")
    check_equal(writable(log)[-1], "/opt/app/data", "ten of them")
    check_equal(len(writable(log)), 11, "none right below /")
    check_equal(len(writable(log, "--directory-after", "11")), 20, "below the threshold")
    check_equal(len(writable(log, "--directory-after", "0")), 20, "never")
    log.change("unlink", "/opt/app/data/x", error="EROFS")
    check_equal(len(writable(log)), 20, "one was denied there")
    many = Log()
    for i in range(100):
        many.open(f"/opt/app/{i % 25}/{i}")
    check_equal(writable(many), ["/opt/app"], "more than a policy may name, fewer than ten beside each other")


@test
def files_are_left_out_when_writes_may_be_missing():
    for syscalls, said in [("default", True), ("none", False), ("listed", False), (None, False)]:
        log = Log(syscalls)
        log.connect("a.example.org", 443, True)
        document, errors = learn(log)
        check_equal("files" in document, said, f"files of a log with {syscalls}")
        check_equal("may not have been recorded" in errors, not said, "the sentence")
    older = Log(None)
    older.add("syscall.openat", syscall="openat", abi="native", result=-2, error="ENOENT", path="/x")
    check_in("files", learn(older)[0], "an older log shows that opens were recorded")
    older.add("sandbox.policy", hash_before="a", syscalls="none")
    check("files" not in learn(older)[0], "as long as no other policy took its place")
    root = Log()
    root.change("mkdir", "/data")
    document, errors = learn(root)
    check("files" not in document, "something was made in /")
    check_in("cannot be read-only", errors, "the sentence")


@test
def calls_are_added_to_the_default_profile():
    log = Log()
    check("syscalls" not in learn(log)[0], "no calls: a run that did nothing needs nothing")
    log.call("unlink", path="/tmp/a")
    check("syscalls" not in learn(log)[0], "one of the profile")
    log.call("ptrace")
    log.call("chown", allowed=False)
    log.call("mount", allowed=False)
    log.call("rename", allowed=False)
    log.call("rename", path="/tmp/a", second_path="/tmp/b")
    document, errors = learn(log)
    syscalls = document["syscalls"]
    check_equal((syscalls["profile"], syscalls["allow"], syscalls["deny"]), ("default", ["ptrace"], ["chown"]), "calls")
    check_in("ptrace 1x", syscalls["description"], "what it was needed for")
    check_in("1 different acts that were denied are allowed by it", errors, "refused once, let through once")


def programs(log, *words):
    document, errors = learn(log, *words)
    return [place["path"] for place in document["executables"]["allow"]] if "executables" in document else errors


@test
def what_was_executed_is_what_may_be_unless_the_run_wrote_it():
    log = Log()
    check("executables" not in learn(log)[0], "nothing was executed")
    for i in range(9):
        log.execute(f"/usr/libexec/git-core/{i}")
    log.execute("/usr/bin/dash", script="/opt/tool/run")
    log.open("/opt/tool/log")
    check_equal(len(programs(log)), 11, "programs and the script")
    check_equal(programs(log, "--directory-after", "9")[-1], "/usr/libexec/git-core", "a directory")
    log.execute("/usr/libexec/git-core/x", allowed=False)
    check_equal(len(programs(log, "--directory-after", "9")), 11, "none in which one was denied")
    base = list(log.lines)

    def left_out(sentence):
        check_in(sentence, programs(log), "why nothing is said")
        log.lines = list(base)
    log.open("/opt/tool/run")
    left_out("the run may have written itself")
    log.execute("/workspace/a.out")
    left_out("the run may have written itself")
    log.open("/opt/tool/new", created=True)
    left_out("the run may have written itself")
    log.call("memfd_create")
    left_out("the run may have written itself")
    log.execute("/usr/bin/dash", script="./configure")
    left_out("whose path cannot be judged")
    log.execute("in/dash")
    left_out("whose path cannot be judged")
    log.execute("/usr/bin/dash", script="./configure", script_directory="/usr/share/tool")
    check_in("/usr/share/tool/configure", programs(log), "a script by a relative path")
    log.execute("/usr/bin/dash", script="./configure", script_directory="/workspace")
    left_out("the run may have written itself")


@test
def calls_are_replayed_with_the_arguments_that_rules_are_about():
    log = Log()
    for family in (1, 1, 2, 16, 16, 16):
        log.call("socket", arguments=[hex(family), "0x1", "0x7f0012345678", "0x0", "0x0", "0x0"])
    log.call("socket", arguments=["0xffffffff00000010", "0x2", "0x0", "0x0", "0x0", "0x0"])
    log.call("kill", arguments=["0x7", "0x9", "0x0", "0x0", "0x0", "0x0"])
    lines = write("calls", log.text())

    def replayed(*rules):
        path = write("good.json", json.dumps({"version": 1, "name": "good", "syscalls": {"deny": list(rules)}}))
        code, out, errors = policy("replay", path, "--audit", lines, "--json")
        check_equal(errors, "", "good")
        found = json.loads(out)
        return code, found["would_deny"], [change["act"] for change in found["changes"]]
    check_equal(replayed({"name": "socket", "args": [{"index": 0, "is": "AF_NETLINK"}]}),
                (1, 4, ["syscall socket 0=AF_NETLINK"]), "as many bits as the kernel reads")
    check_equal(replayed({"name": "socket", "args": [{"index": 0, "is": "AF_NETLINK"}, {"index": 1, "mask": 15, "is": 2}]})[:2],
                (1, 1), "where both conditions hold")
    check_equal(replayed({"name": "socket", "args": [{"index": 0, "is": "AF_BLUETOOTH"}]})[:2], (0, 0), "nobody did")
    check_equal(replayed({"name": "kill", "args": [{"index": 1, "is": "SIGTERM"}]})[:2], (0, 0), "another signal")
    check_equal(replayed({"name": "kill", "args": [{"index": 1, "is": "SIGKILL"}]})[:2], (1, 1), "this one")
    check_equal(replayed("socket"), (1, 7, ["syscall socket"]), "with any arguments")


@test
def a_line_that_is_no_record_is_named():
    log = Log()
    good = {"version": 1, "name": "good"}
    path = write("good.json", json.dumps(good))
    text = log.text() + '{"type":"network.connect","x":}\n' + "{}\n[1]\n"
    code, out, _ = policy("replay", path, "--audit", "-", stdin=text)
    check_equal(code, 0, "nothing changes")
    check_in("2 lines are no records; the first is -:2: column 31: ", out, "the place of the first")


if __name__ == "__main__":
    main()
