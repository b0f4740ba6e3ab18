#!/usr/bin/python3
"""A policy learnt from what real programs did, replayed against the log that it came from."""

import json
import subprocess

from cloche_harness import BUILD, check, check_equal, check_in, fixture, main, test
from named_internet import NAMES, OTHERS, NamedDaemon, NamedInternet


CODE_FILES = """
import ctypes, os
os.makedirs("/tmp/learn/out")
os.chdir("/tmp/learn")
for i in range(3): open(f"out/{i}", "w").close()
os.rename("/tmp/learn/out/0", "/tmp/learn/out/3")
os.unlink("out/1")
try: open("/usr/share/nowhere")
except OSError: pass
ctypes.CDLL(None).ptrace(0, 0, 0, 0)
"""


@fixture
def internet():
    made = NamedInternet()
    yield made
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [NAMES, OTHERS])
    yield made.start()
    made.close()


def policy(*words, stdin=""):
    done = subprocess.run([f"{BUILD}/cloche", "policy", *words], input=stdin.encode(),
                          capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@fixture
def records():
    """What a run did that was allowed some things and denied others, as lines of the log."""
    sandbox = daemon().create(policy="names", labels={"run": "learn"})
    sandbox.sh("curl -sS -m 20 https://allowed.example/ && curl -sS -m 20 http://plain.example/",
               timeout_seconds=30)
    sandbox.sh("curl -sS -m 20 -k https://inner.example/; curl -sS -m 20 https://other.example/; true",
               timeout_seconds=60)
    sandbox.python("import socket\ns = socket.socket()\n"
                   "try: s.connect(('203.0.113.99', 443))\nexcept OSError as e: print(e.errno)\n")
    sandbox.python(CODE_FILES)
    sandbox.delete().expect(204)
    rows = daemon().client.events()
    yield "\n".join(json.dumps(row) for row in rows)


@test
def a_connection_to_a_name_is_recorded_with_the_name():
    rows = [json.loads(line) for line in records().splitlines()]
    found = [row for row in rows if row["type"] == "network.connect" and row["protocol"] == "tcp"
             and row.get("name") == "allowed.example"]
    check(found, "no connect has the name")
    check_equal((found[0]["verdict"], found[0]["port"]), ("allow", 443), "the record")
    check(found[0]["address"].startswith(("198.18.1.", "fd43:6c6f:6368:6500:")), f"address {found[0]}")
    denied = [row for row in rows if row["type"] == "network.connect" and row["verdict"] == "deny"
              and row["address"] == "203.0.113.99"]
    check(denied and "name" not in denied[0], f"an address has a name: {denied}")


@test
def what_is_learnt_allows_the_run_and_no_more():
    code, out, errors = policy("learn", "--from", "-", "--label", "run=learn", "--name", "learnt",
                               stdin=records())
    check_equal(code, 0, errors)
    names = {rule["name"]: rule for rule in json.loads(out)["network"]["allow"]}
    check_in("allowed.example", names, "a name that was used")
    check_in("plain.example", names, "a name that was used without TLS")
    check("other.example" not in names, "a name that was refused")
    check(names["inner.example"].get("private") is True, f"private: {names['inner.example']}")
    check(all("cidr" not in rule for rule in names.values()), "an address that was refused")
    with open(f"{daemon().directory}/learnt.json", "w", encoding="utf-8") as file:
        file.write(out)
    code, out, errors = policy("replay", f"{daemon().directory}/learnt.json", "--audit", "-", stdin=records())
    check_equal((code, errors), (0, ""), f"its own replay: {out}")


@test
def nothing_is_learnt_from_runs_that_are_not_in_the_log():
    code, out, errors = policy("learn", "--from", "-", "--label", "run=lern", stdin=records())
    check_equal((code, out), (1, ""), "no policy that allows nothing comes from a label that is misspelt")
    check_in("are --label, --template and --sandbox right?", errors, "the sentence")


@test
def what_was_written_can_be_written_under_what_is_learnt_and_no_more():
    code, out, errors = policy("learn", "--from", "-", "--label", "run=learn", "--name", "relearnt", stdin=records())
    check_equal(code, 0, errors)
    learnt = json.loads(out)
    check_equal([place["path"] for place in learnt["files"]["writable"]], ["/tmp"], "what was written")
    daemon().client.post("/v1/policies/relearnt", learnt).expect(201)
    with daemon().client.sandbox(policy="relearnt") as sandbox:
        code = "import os\nassert os.path.exists('/tmp/learn/out/3') and not os.path.exists('/tmp/learn/out/1')\n"
        sandbox.python(CODE_FILES + code)
        refused = sandbox.sh("(echo x >/workspace/x) 2>&1; (curl --version >/dev/null && sed --version) 2>&1; true")
        check_equal([word in refused.lower() for word in ("read-only file system", "permission denied")],
                    [True, True], f"a write and a program that were not in the run: {refused}")
    check("executables" in learnt, errors)
    programs = [place["path"] for place in learnt["executables"]["allow"]]
    check("/usr/bin/curl" in programs and "/usr/bin/sed" not in programs, f"programs {programs}")


@test
def a_tighter_policy_shows_what_it_would_have_denied():
    path = f"{daemon().directory}/others.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(OTHERS, file)
    code, out, _ = policy("replay", path, "--audit", "-", "--json", stdin=records())
    check_equal(code, 1, "changes")
    changes = {(row["act"], row["change"]) for row in json.loads(out)["changes"]}
    check_in(("connect allowed.example:443", "would_deny"), changes, "used and not allowed")
    check_in(("resolve other.example", "would_allow"), changes, "refused and allowed")
    check(all(act != "connect 203.0.113.99:443" for act, _ in changes), "denied by both")


def replay(name, document):
    """Of a candidate, against the run: the exit code, what changes, and all of the answer."""
    path = f"{daemon().directory}/{name}.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "name": name, **document}, file)
    code, out, errors = policy("replay", path, "--audit", "-", "--label", "run=learn", "--json",
                               stdin=records())
    check_equal(errors, "", "nothing is wrong")
    found = json.loads(out)
    return code, {(row["act"], row["change"]) for row in found["changes"]}, found


@test
def what_was_written_and_called_is_replayed():
    network = {"network": NAMES["network"]}
    code, changes, found = replay("as-it-was", network)
    check_equal((code, changes), (0, set()), f"the policy of the run: {found}")
    check_equal(found["passed_over"]["relative"], 0, "os.unlink() of a relative path is judged")
    check(found["passed_over"]["failed"] >= 1, "an open that failed")
    _, changes, _ = replay("tight", {**network, "files": {"read_only": ["/"], "writable": ["/workspace"]},
                                     "syscalls": {"deny": ["rename"], "allow": ["ptrace"]}})
    for act in ["write /tmp/learn", "write /tmp/learn/out/1", "write /tmp/learn/out/2", "write /tmp/learn/out/3", "syscall rename"]:
        check_in((act, "would_deny"), changes, "what was done")
    check_in(("syscall ptrace", "would_allow"), changes, "what was refused")
    check(all("/proc" not in act and "/usr/share/nowhere" not in act for act, _ in changes), "no policy's")
    _, changes, found = replay("twin", {**network, "files": {"read_only": ["/"], "writable": ["/tmp"]},
                                        "syscalls": {"deny": ["kexec_load"]}})
    check_equal(changes, set(), "with what was done allowed")
    check_equal([row["path"] for row in found["writable"] if row["count"] > 0], ["/tmp"], "by path")


if __name__ == "__main__":
    main()
