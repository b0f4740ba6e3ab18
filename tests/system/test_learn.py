#!/usr/bin/python3
"""A policy learnt from what real programs did, replayed against the log that it came from."""

import json
import subprocess

from cloche_harness import BUILD, check, check_equal, check_in, fixture, main, test
from named_internet import NAMES, OTHERS, NamedDaemon, NamedInternet


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


if __name__ == "__main__":
    main()
