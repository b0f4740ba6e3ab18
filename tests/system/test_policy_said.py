#!/usr/bin/python3
"""What a policy can say, `policy explain` says and `policy diff` tells: each key of policies/policy.schema.json is
changed, and neither may be silent. A key that is added to the schema fails here until it is in the table."""

import json
import os
import subprocess
import tempfile

from cloche_harness import BUILD, ROOT, check, check_equal, fixture, main, test

# What has no meaning to a sandbox: who a policy is, and why.
UNSAID = {("version",), ("name",), ("extends",), ("description",)}
FILES = {"read_only": ["/"]}
# By place in the schema: the section or member before (None: left out) and after, and what else is there.
CHANGES = {
    ("mode",): (None, "learn", {}),
    ("network", "allow"): ([], [{"name": "example.org"}], {}),
    ("network", "inbound"): (None, {"ports": [8000]}, {}),
    ("resources", "class"): ("small", "large", {}),
    ("resources", "memory"): ("64MiB", "128MiB", {}),
    ("resources", "disk"): ("64MiB", "128MiB", {}),
    ("resources", "cpu"): ("1", "1.5", {}),
    ("resources", "pids"): (64, 65, {}),
    ("resources", "open_files"): (64, 65, {}),
    ("budgets", "bytes_out"): (None, "1GiB", {"connections": 7}),
    ("budgets", "bytes_in"): (None, "1GiB", {"connections": 7}),
    ("budgets", "connections"): (None, 9, {"dns_queries": 7}),
    ("budgets", "dns_queries"): (None, 9, {"connections": 7}),
    ("budgets", "per"): ("1h", "2h", {"connections": 7}),
    ("files", "hidden"): (None, ["/srv"], {}),
    ("files", "read_only"): (None, ["/srv"], {}),
    ("files", "writable"): (None, ["/srv"], FILES),
    ("files", "best_effort"): (None, True, FILES),
    ("executables", "allow"): ([], ["/bin/sh"], {}),
    ("executables", "libraries"): (["/usr/lib"], ["/opt/lib"], {"allow": []}),
    ("executables", "best_effort"): (None, True, {"allow": []}),
    ("devices",): (None, ["null"], {}),
    ("lifecycle", "time_to_live"): (None, "1h", {}),
    ("lifecycle", "auto_stop"): (None, "1h", {}),
    ("secrets",): (None, ["KEY"], {}),
    ("syscalls", "profile"): (None, "debug", {}),
    ("syscalls", "deny"): (None, ["chown"], {}),
    ("syscalls", "allow"): (None, ["ptrace"], {}),
    ("syscalls", "best_effort"): (None, True, {"deny": ["chown"]}),
    ("audit", "syscalls"): (None, "none", {}),
    ("audit", "on_loss"): (None, "kill", {}),
    ("audit", "rate"): (None, 500, {}),
}


@fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="cloche-said-") as made:
        yield made


def policy(*words):
    done = subprocess.run([f"{BUILD}/cloche", "policy", *words], capture_output=True, text=True, timeout=60,
                          check=False, env={"PATH": os.environ["PATH"], "CLOCHE_URL": "unix:///nowhere"})
    return done.returncode, done.stdout, done.stderr


def places():
    """Of the schema's keys that mean something, as deep as sections go."""
    with open(f"{ROOT}/policies/policy.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    for section, node in schema["properties"].items():
        keys = node.get("properties")
        for place in [(section, key) for key in keys] if keys else [(section,)]:
            if place not in UNSAID and place[-1] != "description":
                yield place


def write(name, place, value, beside):
    document = {"version": 1, "name": "said"}
    inside = dict(beside)
    if len(place) == 1 and value is not None:
        document[place[0]] = value
    elif len(place) == 2:
        if value is not None:
            inside[place[1]] = value
        if inside:
            document[place[0]] = inside
    os.makedirs(f"{folder()}/{name}", exist_ok=True)
    path = f"{folder()}/{name}/said.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return path


def explained(path):
    """Without the hash, which is another one anyway."""
    code, out, errors = policy("explain", path)
    check_equal((code, errors), (0, ""), f"explain: {errors}")
    return [line for line in out.splitlines() if not line.startswith("Hash:")]


@test
def explain_and_diff_are_silent_on_no_key_of_the_schema():
    silent, known = [], set(CHANGES)
    for place in places():
        if place not in known:
            silent.append(f"{place}: not in this table")
            continue
        before, after, beside = CHANGES[place]
        paths = [write("before", place, before, beside), write("after", place, after, beside)]
        if explained(paths[0]) == explained(paths[1]):
            silent.append(f"{place}: explain says the same")
        code, out, errors = policy("diff", *paths)
        check_equal(errors, "", f"{place}: diff")
        if code != 1 or not out.strip():
            silent.append(f"{place}: diff tells nothing: {out}")
    check(not silent, "\n".join(silent))


@test
def explain_and_diff_say_nothing_of_what_is_the_same():
    path = write("before", ("files", "read_only"), ["/"], {})
    check_equal(explained(path), explained(write("after", ("files", "read_only"), ["/"], {})), "explain")
    check_equal(policy("diff", path, path)[0], 0, "diff")


if __name__ == "__main__":
    main()
