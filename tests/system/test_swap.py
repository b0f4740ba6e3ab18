#!/usr/bin/python3
"""Another policy for a living sandbox: judged at once, told only when true, open connections included."""

import os
import signal
import threading
import time

from cloche_harness import Failed, check, check_equal, check_in, child_named, fixture, main, test, until
from named_internet import (BOTH, NAMES, OTHERS, NamedDaemon, NamedInternet, following, inside, inside_json,
                            policy)

RESET_BOUND_S = 1.0  # the promise is 0.1; the machine of the tests may be busy
RAW = policy("raw", {"name": "raw.example", "ports": [7], "tls": "passthrough"}, "other.example")
ADDRESS = {"version": 1, "name": "address", "description": "One address.", "network": {
    "allow": [{"cidr": "198.51.100.10/32", "ports": [7]}]}}

# Has a socket `sock` by the code before it, says "open", then when it was reset, by the clock that all
# share.
HOLD = """
print("open", flush=True)
try:
    data = sock.recv(65536)
    print("data" if data else "end", time.monotonic(), flush=True)
except OSError as failure:
    print(errno.errorcode[failure.errno], time.monotonic(), flush=True)
"""


@fixture
def internet():
    made = NamedInternet()
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [NAMES, OTHERS, BOTH, RAW, ADDRESS])
    yield made.start()
    made.close()


def patch(where, name, client=None):
    return (client or daemon().client).request("PATCH", where.path, {"policy": name})


def tls_hold(name):
    return f"tls = Tls({name!r}, {name!r})\ntls.get({name!r})\nsock = tls.sock\n" + HOLD


def http_hold(name):
    return (f"sock = dial({name!r}, 80)\nsock.sendall(get_text({name!r}).encode())\n"
            "got = b''\nwhile b'}' not in got: got += sock.recv(65536)\n" + HOLD)


def raw_hold(name):
    return f"sock = dial({name!r}, 7)\nsock.sendall(b'x')\nsock.recv(1)\n" + HOLD


def policy_hash(name):
    rows = daemon().client.get("/v1/policies").expect(200).json["policies"]
    return next(row["hash"] for row in rows if row["name"] == name)


def connects(where, name, port=443):
    return inside_json(where, f"tell(lambda: dial({name!r}, {port}) and 'open')")


# ---- the answer is true

@test
def the_answer_shows_the_generation_and_the_hash_in_force():
    sandbox = daemon().create(policy="names")
    before = sandbox.get().expect(200).json["policy"]
    row = patch(sandbox, "others").expect(200).json
    check_equal((row["id"], row["policy"]["name"]), (sandbox.id, "others"), f"row {row}")
    check_equal(row["policy"]["hash"], policy_hash("others"), "hash")
    check(row["policy"]["generation"] != before["generation"], f"generations {before} {row['policy']}")
    check_equal(sandbox.get().expect(200).json, row, "the row afterwards")
    after = daemon().client.last_sequence()
    check_equal(inside_json(sandbox, "tell(lambda: ask('allowed.example')['rcode'])"), "REFUSED", "query")
    record = daemon().client.events(sandbox=sandbox.id, type="network.dns", after=after)[0]
    check_equal({**record["policy"], "mode": "enforce"}, row["policy"], "policy of the next record")
    sandbox.delete().expect(204)


@test
def what_cannot_be_put_in_force_changes_nothing():
    with daemon().client.sandbox(policy="names") as sandbox:
        before = sandbox.get().expect(200).json
        patch(sandbox, "nowhere").problem(404, "not-found")
        daemon().client.request("PATCH", sandbox.path, {}).problem(400, "invalid")
        daemon().client.request("PATCH", sandbox.path, {"policy": "both", "x": 1}).problem(400, "invalid")
        check_equal(sandbox.get().expect(200).json, before, "row")
        check_equal(connects(sandbox, "allowed.example"), "open", "connect")
    patch(sandbox, "both").problem(404, "not-found")


@test
def a_tenant_changes_its_own_sandboxes_within_its_bound():
    client = daemon().tenant("acme", "both")
    other = daemon().tenant("umbrella", "names")
    with client.sandbox(policy="both") as sandbox:
        patch(sandbox, "both", other).problem(404, "not-found")
        row = patch(sandbox, "names", client).expect(200).json
        check(row["policy"]["hash"] != policy_hash("names"), "the meet is not the policy alone")
        answers = inside_json(sandbox, "say([ask(n)['rcode'] for n in ('allowed.example', 'plain.example',"
                              " 'other.example')])")
        check_equal(answers, ["NOERROR", "REFUSED", "REFUSED"], "both policies must allow it")


# ---- new connections and names

@test
def new_connects_and_names_are_judged_at_once():
    sandbox = daemon().create(policy="names")
    address = inside_json(sandbox, "say(address_of('allowed.example'))")
    check_equal(connects(sandbox, address), "open", "before")
    for _ in range(5):
        patch(sandbox, "others").expect(200)
        check_equal(connects(sandbox, address), "EPERM", "a ticket of the policy before")
        check_equal(connects(sandbox, "other.example"), "open", "a name of the new policy")
        patch(sandbox, "names").expect(200)
        check_equal(connects(sandbox, "allowed.example"), "open", "back again")
    sandbox.delete().expect(204)


@test
def a_name_that_both_policies_allow_keeps_its_address():
    sandbox = daemon().create(policy="names")
    address = inside_json(sandbox, "say(address_of('allowed.example'))")
    patch(sandbox, "both").expect(200)
    check_equal(connects(sandbox, address), "open", "the address after the change")
    check_equal(inside_json(sandbox, "say(address_of('allowed.example'))"), address, "its address")
    sandbox.delete().expect(204)


@test
def from_no_network_to_names_and_back():
    sandbox = daemon().create()
    check_equal(inside_json(sandbox, "tell(lambda: ask('allowed.example'))"), "EPERM", "before")
    patch(sandbox, "names").expect(200)
    check_equal(connects(sandbox, "allowed.example"), "open", "a name")
    patch(sandbox, "deny-all").expect(200)
    check_in(inside_json(sandbox, "tell(lambda: ask('allowed.example')['rcode'])"), ("EPERM", "REFUSED"),
             "query afterwards")
    check_equal(connects(sandbox, "198.18.1.0"), "EPERM", "connect afterwards")
    sandbox.delete().expect(204)


# ---- open connections

def check_reset(sandbox, code, change, end="policy_changed"):
    """Holds a connection open, makes the change, and checks when and how the connection ended."""
    after = daemon().client.last_sequence()
    with following(sandbox, code) as program:
        program.expect("open")
        begun = time.monotonic()
        change()
        answered = time.monotonic()
        word, _, at = program.line().partition(" ")
    check_equal(word, "ECONNRESET", "how the connection ended")
    took = float(at) - begun
    check(took < RESET_BOUND_S, f"reset after {took:.3f} s, answered after {answered - begun:.3f} s")
    check(float(at) < answered + RESET_BOUND_S / 2, "reset after the answer")
    daemon().client.wait_event(lambda row: row["end"] == end, sandbox=sandbox.id, type="network.flow",
                               after=after)
    return took


@test
def open_connections_that_are_not_allowed_are_reset():
    sandbox = daemon().create(policy="names")
    for code in [tls_hold("allowed.example"), http_hold("plain.example"), raw_hold("raw.example")]:
        check_reset(sandbox, code, lambda: patch(sandbox, "others").expect(200))
        patch(sandbox, "names").expect(200)
    patch(sandbox, "address").expect(200)
    check_reset(sandbox, raw_hold("198.51.100.10"), lambda: patch(sandbox, "others").expect(200))
    sandbox.delete().expect(204)


@test
def open_connections_that_stay_allowed_go_on():
    sandbox = daemon().create(policy="names")
    code = ("a = dial('raw.example', 7)\na.sendall(b'1')\na.recv(1)\nprint('open', flush=True)\n"
            "while True:\n"
            "  try: a.sendall(b'2'); a.recv(1)\n"
            "  except OSError as failure: print(errno.errorcode[failure.errno], flush=True); break\n"
            "  if os.path.exists('/tmp/stop'): print('alive', flush=True); break\n")
    with following(sandbox, code) as program:
        program.expect("open")
        for name in ["raw", "names", "raw"]:
            patch(sandbox, name).expect(200)
        sandbox.sh("touch /tmp/stop")
        program.expect("alive")
    sandbox.delete().expect(204)


@test
def one_of_two_connections_is_reset():
    sandbox = daemon().create(policy="both")
    code = ("a, b = [Tls(n, n) for n in ('allowed.example', 'other.example')]\nprint('open', flush=True)\n"
            "try:\n  while a.sock.recv(999): pass\nexcept OSError as failure: print(errno.errorcode[failure.errno])\n"
            "print('other.example' in b.get('other.example'), flush=True)\n")
    with following(sandbox, code) as program:
        program.expect("open")
        patch(sandbox, "others").expect(200)
        program.expect("ECONNRESET")
        program.expect("True")
    sandbox.delete().expect(204)


@test
def a_reload_is_a_change_for_every_sandbox_under_it():
    changing = policy("changing", "allowed.example", "other.example")
    daemon().write_policy(changing)
    daemon().client.post("/v1/policies/reload").expect(200)
    one, two = [daemon().create(policy="changing") for _ in range(2)]
    generation = one.get().json["policy"]["generation"]
    with following(two, tls_hold("allowed.example")) as program:
        program.expect("open")
        daemon().write_policy(policy("changing", "other.example"))
        check_reset(one, tls_hold("allowed.example"),
                    lambda: daemon().client.post("/v1/policies/reload").expect(200))
        check_equal(program.line().split()[0], "ECONNRESET", "the other sandbox")
    row = one.get().expect(200).json["policy"]
    check_equal(row["hash"], policy_hash("changing"), "hash")
    check(row["generation"] != generation, "generation")
    for sandbox in (one, two):
        check_equal(inside_json(sandbox, "say(ask('allowed.example')['rcode'])"), "REFUSED", "query")
        check_equal(connects(sandbox, "other.example"), "open", "connect")
        sandbox.delete().expect(204)


# ---- order

@test
def changes_that_come_at_once_are_made_one_after_the_other():
    sandbox = daemon().create(policy="names")
    answers = []

    def change(name):
        answers.append(patch(sandbox, name))

    threads = [threading.Thread(target=change, args=(name,)) for name in ["both", "others", "names"] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [answer.expect(200).json["policy"] for answer in answers]
    generations = [row["generation"] for row in rows]
    check_equal(len(set(generations)), len(rows), f"each has a generation of its own: {generations}")
    last = max(rows, key=lambda row: row["generation"])
    check_equal(sandbox.get().expect(200).json["policy"], last, "what is in force is the last")
    for row in rows:
        check_equal(row["hash"], policy_hash(row["name"]), "hash")
    wanted = {"names": "NOERROR", "both": "NOERROR", "others": "REFUSED"}[last["name"]]
    check_equal(inside_json(sandbox, "say(ask('allowed.example')['rcode'])"), wanted, "query")
    sandbox.delete().expect(204)


@test
def a_change_while_the_sandbox_ends_is_answered():
    for _ in range(5):
        sandbox = daemon().create(policy="names")
        answers = []
        thread = threading.Thread(target=lambda s=sandbox: answers.append(patch(s, "both").status))
        thread.start()
        sandbox.delete().expect(204)
        thread.join()
        check_in(answers[0], (200, 404, 409), "status")


# ---- processes end

@test
def a_changed_policy_outlives_cloched():
    own = NamedDaemon(internet(), [NAMES, OTHERS])
    try:
        own.start()
        sandbox = own.create(policy="names")
        address = inside_json(sandbox, "say(address_of('allowed.example'))")
        row = patch(sandbox, "others", own.client).expect(200).json["policy"]
        own.kill()
        own.start()
        sandbox.client = own.client
        now = sandbox.get().expect(200).json["policy"]
        check_equal((now["name"], now["hash"]), (row["name"], row["hash"]), "policy")
        code = "say([ask(n)['rcode'] for n in ('allowed.example', 'other.example')])"
        check_equal(inside_json(sandbox, code), ["REFUSED", "NOERROR"], "queries")
        check_in('"tls": "other.example"', inside(sandbox, "print(tls_get('other.example', 'other.example'))"),
                 "connection")
        patch(sandbox, "names", own.client).expect(200)
        check_equal(inside_json(sandbox, code), ["NOERROR", "REFUSED"], "queries after another change")
        check_equal(inside_json(sandbox, "say(address_of('allowed.example'))"), address, "its address")
        sandbox.delete().expect(204)
    finally:
        own.close()


def kill_gate():
    pid = child_named(daemon().process.pid, "cloche-gate")
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    return pid, pidfd


def wait_new_gate(old):
    def is_new():
        try:
            return child_named(daemon().process.pid, "cloche-gate") != old
        except Failed:
            return False
    until(is_new, "another gate")
    until(lambda: daemon().client.get("/readyz").status == 200, "ready again")


@test
def tickets_survive_the_gates_end():
    sandbox = daemon().create(policy="names")
    address = inside_json(sandbox, "say(address_of('allowed.example'))")
    with following(sandbox, tls_hold("allowed.example")) as program:
        program.expect("open")
        pid, pidfd = kill_gate()
        os.close(pidfd)
        check_in(program.line().split()[0], ("ECONNRESET", "end"), "an open connection")
    wait_new_gate(pid)
    check_in('"tls": "allowed.example"', inside(sandbox, f"print(tls_get({address!r}, 'allowed.example'))"),
             "the same address")
    check_equal(inside_json(sandbox, "say(address_of('allowed.example'))"), address, "its address")
    check_equal(inside_json(sandbox, "say(ask('other.example')['rcode'])"), "REFUSED", "another name")
    sandbox.delete().expect(204)


@test
def an_address_keeps_its_name_when_cloched_is_killed():
    own = daemon()
    sandbox = own.create(policy="names")
    address = inside_json(sandbox, "say(address_of('allowed.example'))")
    own.kill()
    own.start()
    check_in('"tls": "allowed.example"', inside(sandbox, f"print(tls_get({address!r}, 'allowed.example'))"),
             "the same address")
    second = inside_json(sandbox, "say(address_of('plain.example'))")
    check(second != address, "the address was given to another name")
    check_equal(inside_json(sandbox, "say(address_of('allowed.example'))"), address, "its address")
    sandbox.delete().expect(204)


@test
def a_change_while_the_gate_is_away_is_answered_and_in_force():
    sandbox = daemon().create(policy="names")
    address = inside_json(sandbox, "say(address_of('allowed.example'))")
    pid, pidfd = kill_gate()
    os.close(pidfd)
    patch(sandbox, "others").expect(200)
    check_equal(connects(sandbox, address), "EPERM", "the old ticket")
    wait_new_gate(pid)
    check_equal(inside_json(sandbox, "say([ask(n)['rcode'] for n in ('allowed.example', 'other.example')])"),
                ["REFUSED", "NOERROR"], "queries to the new gate")
    check_equal(connects(sandbox, "other.example"), "open", "connect")
    sandbox.delete().expect(204)


if __name__ == "__main__":
    main()
