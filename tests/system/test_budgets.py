#!/usr/bin/python3
"""Budgets: what a policy lets a sandbox use of the network, kept by the kernel, shown by the API."""

from cloche_harness import check, check_equal, check_in, fixture, main, test
from named_internet import NamedDaemon, NamedInternet, inside_json, policy

SITES = ("allowed.example", "plain.example", {"name": "raw.example", "ports": [7], "tls": "passthrough"})


def budgeted(name, **budgets):
    return {**policy(name, *SITES), "budgets": budgets}


@fixture
def internet():
    made = NamedInternet()
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [
        policy("free", *SITES), budgeted("three", connections=3), budgeted("five", connections=5),
        budgeted("many", connections=1000, dns_queries=1000, bytes_out="1GiB", bytes_in="1GiB"),
        budgeted("little-out", bytes_out="64KiB"), budgeted("little-in", bytes_in="64KiB"),
        budgeted("few-names", dns_queries=4), budgeted("each-second", connections=2, per="1s"),
        budgeted("each-hour", connections=2, per="1h")])
    yield made.start()
    made.close()


def budgets(where):
    return where.client.get(f"{where.path}/usage").expect(200).json["budgets"]


def dials(where, n):
    """What each of `n` connections to one address gives."""
    return inside_json(where, f"""
address = address_of("raw.example")
say([attempt(lambda: socket.create_connection((address, 7), 10).close() or "open") for i in range({n})])
""")


# The echo server gives back what it gets; how much of `size` comes back within 3 s.
ECHO = """
sock = dial("raw.example", 7)
sock.settimeout(3)
sent = got = 0
try:
    while got < {size}:
        if sent < {size}: sent += sock.send(b"x" * 4096)
        got += len(sock.recv(65536))
except OSError: pass
say(got)
"""


def echoes(where, size):
    return inside_json(where, ECHO.format(size=size))


def refused(where, after, operation=None):
    rows = where.client.events(sandbox=where.id, type="network", after=after)
    return [row for row in rows if row.get("reason") == "budget" and row.get("operation") == (operation or
                                                                                   row.get("operation"))]


@test
def connections_end_at_the_budget_and_the_record_says_so():
    sandbox = daemon().create(policy="three")
    after = daemon().client.last_sequence()
    check_equal(dials(sandbox, 5), ["open"] * 3 + ["EPERM"] * 2, "connections")
    check_equal(budgets(sandbox), {"connections": {"limit": 3, "used": 3}}, "budgets")
    daemon().client.wait_event(lambda row: row.get("reason") == "budget", after=after, sandbox=sandbox.id)
    row = refused(sandbox, after)[0]
    check_equal((row["type"], row["verdict"], row["budgets"], row["policy"]["name"]),
                ("network.connect", "deny", ["connections"], "three"), "record")
    sandbox.delete().expect(204)
    ended = daemon().client.get(f"{sandbox.path}/usage").expect(200).json
    check_equal((ended["ended"], ended["budgets"]), (True, {"connections": {"limit": 3, "used": 3}}), "bill")


@test
def a_larger_budget_is_not_used_up():
    sandbox = daemon().create(policy="many")
    check_equal(dials(sandbox, 5), ["open"] * 5, "connections")
    check_equal(echoes(sandbox, 200000) >= 200000, True, "bytes")
    shown = budgets(sandbox)
    check_equal(shown["connections"], {"limit": 1000, "used": 6}, "connections")
    check(1 <= shown["dns_queries"]["used"] <= 6, f"queries {shown}")
    check(200000 < shown["bytes_out"]["used"] < 400000, f"bytes {shown}")
    sandbox.delete().expect(204)


@test
def without_budgets_there_are_none():
    sandbox = daemon().create(policy="free")
    check_equal(dials(sandbox, 5), ["open"] * 5, "connections")
    check_equal(budgets(sandbox), None, "budgets")
    sandbox.delete().expect(204)


@test
def an_open_connection_stops_at_the_budget():
    for name, key in (("little-out", "bytes_out"), ("little-in", "bytes_in")):
        sandbox = daemon().create(policy=name)
        after = daemon().client.last_sequence()
        got = echoes(sandbox, 1 << 20)
        check(0 < got < 65536, f"{name}: {got} bytes came back")
        check_equal(budgets(sandbox), {key: {"limit": 65536, "used": 65536}}, "budgets")
        check_equal(dials(sandbox, 1), ["EPERM"], "a new connection")
        daemon().client.wait_event(lambda row: row.get("operation") == "connect" and
                                   row.get("reason") == "budget", after=after, sandbox=sandbox.id)
        rows = refused(sandbox, after, "packet")
        check_equal([row["budgets"] for row in rows], [[key]], "records of packets")
        sandbox.delete().expect(204)


@test
def names_end_at_the_budget():
    sandbox = daemon().create(policy="few-names")
    tries = inside_json(sandbox, """
say([attempt(lambda: ask("allowed.example", timeout_s=2)["rcode"]) for i in range(6)])
""")
    check_equal(tries, ["NOERROR"] * 4 + ["EPERM"] * 2, "queries")
    check_equal(budgets(sandbox), {"dns_queries": {"limit": 4, "used": 4}}, "budgets")
    sandbox.delete().expect(204)


@test
def a_window_begins_anew():
    sandbox = daemon().create(policy="each-second")
    check_equal(inside_json(sandbox, """
address = address_of("raw.example")
def some(): return [attempt(lambda: socket.create_connection((address, 7), 10).close() or "open")
                    for i in range(3)]
first = some()
time.sleep(1.2)
say([first, some()])
"""), [["open", "open", "EPERM"]] * 2, "connections")
    check_equal(budgets(sandbox)["per_seconds"], 1, "window")
    sandbox.delete().expect(204)


@test
def a_swap_and_a_restart_give_nothing_back():
    sandbox = daemon().create(policy="three")
    check_equal(dials(sandbox, 4), ["open"] * 3 + ["EPERM"], "connections")
    daemon().client.request("PATCH", sandbox.path, {"policy": "five"}).expect(200)
    check_equal(dials(sandbox, 3), ["open"] * 2 + ["EPERM"], "after the swap")
    daemon().kill()
    daemon().start()
    check_equal(budgets(sandbox), {"connections": {"limit": 5, "used": 5}}, "after the restart")
    check_equal(dials(sandbox, 1), ["EPERM"], "after the restart")
    sandbox.delete().expect(204)


@test
def a_tenants_bound_holds_and_windows_must_agree():
    client = daemon().tenant("acme", "three")
    with client.sandbox(policy="five") as sandbox:
        check_equal(dials(sandbox, 4), ["open"] * 3 + ["EPERM"], "connections")
    with client.sandbox(policy="free") as sandbox:
        check_equal(dials(sandbox, 4), ["open"] * 3 + ["EPERM"], "connections")
    answer = client.post("/v1/sandboxes", {"policy": "each-hour"})
    answer.problem(400, "invalid")
    check_in("same \"per\"", answer.json["detail"], "detail")


# ---- of a whole tenant

def tenants_row(name):
    rows = daemon().client.get("/v1/tenants").expect(200).json["tenants"]
    return next(row for row in rows if row["name"] == name)


def of_tenant(name):
    shown = daemon().client.get(f"/v1/usage?tenant={name}").expect(200).json["budgets"]
    check_equal(tenants_row(name)["budgets"], shown, "in the list of tenants")
    return shown


def set_budgets(name, budgets):
    return daemon().client.request("PATCH", f"/v1/tenants/{name}", {"budgets": budgets})


@test
def sandboxes_of_a_tenant_share_its_budget_and_others_are_not_touched():
    acme = daemon().tenant("shares", "*", budgets={"connections": 4})
    other = daemon().tenant("stranger", "*", budgets={"connections": 4})
    with acme.sandbox(policy="free") as one, acme.sandbox(policy="many") as two, \
            other.sandbox(policy="free") as third:
        after = daemon().client.last_sequence()
        check_equal(dials(one, 3), ["open"] * 3, "the first")
        check_equal(dials(two, 3), ["open"] + ["EPERM"] * 2, "the second")
        check_equal(of_tenant("shares"), {"connections": {"limit": 4, "used": 4}}, "budgets")
        check_equal(budgets(two)["connections"], {"limit": 1000, "used": 1}, "of the sandbox")
        row = daemon().client.wait_event(lambda row: row.get("reason") == "budget", after=after, sandbox=two.id)
        check_equal((row["type"], row["verdict"], row["tenant"], row["budgets"], row["tenant_budgets"]),
                    ("network.connect", "deny", "shares", [], ["connections"]), "record")
        check_equal(dials(third, 3), ["open"] * 3, "another tenant's")
        check_equal(of_tenant("stranger"), {"connections": {"limit": 4, "used": 3}}, "budgets")
    with acme.sandbox(policy="free") as later:
        check_equal(dials(later, 1), ["EPERM"], "a sandbox that was made later")
        set_budgets("shares", {"connections": 6, "per": "1h"}).expect(200)
        check_equal(dials(later, 3), ["open"] * 2 + ["EPERM"], "with a larger budget")
        check_equal(of_tenant("shares"), {"connections": {"limit": 6, "used": 6}, "per_seconds": 3600}, "budgets")
        check_equal(set_budgets("shares", None).expect(200).json["budgets"], None, "taken away")
        check_equal(dials(later, 3), ["open"] * 3, "without budgets")


@test
def a_sandboxes_own_budget_is_told_from_its_tenants():
    acme = daemon().tenant("owner", "*", budgets={"connections": 100})
    with acme.sandbox(policy="three") as sandbox:
        after = daemon().client.last_sequence()
        check_equal(dials(sandbox, 4), ["open"] * 3 + ["EPERM"], "connections")
        row = daemon().client.wait_event(lambda row: row.get("reason") == "budget", after=after,
                                         sandbox=sandbox.id)
        check_equal((row["budgets"], row["tenant_budgets"]), (["connections"], []), "record")
        check_equal(of_tenant("owner"), {"connections": {"limit": 100, "used": 3}}, "budgets")


@test
def names_and_bytes_of_a_tenant_end_at_its_budget():
    acme = daemon().tenant("names", "*", budgets={"dns_queries": 5, "bytes_out": "64KiB"})
    with acme.sandbox(policy="free") as one, acme.sandbox(policy="free") as two:
        code = 'say([attempt(lambda: ask("allowed.example", timeout_s=2)["rcode"]) for i in range(3)])'
        check_equal(inside_json(one, code), ["NOERROR"] * 3, "the first")
        got = echoes(two, 1 << 20)
        check(0 < got < 65536, f"{got} bytes came back")
        after = daemon().client.last_sequence()
        check_equal(inside_json(one, code), ["EPERM"] * 3, "queries")
        row = daemon().client.wait_event(lambda row: row.get("reason") == "budget", after=after, sandbox=one.id)
        check_equal((row["type"], row["port"], row["tenant_budgets"]),
                    ("network.send", 53, ["bytes_out", "dns_queries"]), "record")
        check_equal(of_tenant("names"), {"dns_queries": {"limit": 5, "used": 5},
                                         "bytes_out": {"limit": 65536, "used": 65536}}, "budgets")


@test
def a_tenants_budget_outlives_every_kind_of_restart():
    acme = daemon().tenant("lasting", "*", budgets={"connections": 3})
    sandbox = acme.create(policy="free")
    check_equal(dials(sandbox, 2), ["open"] * 2, "connections")
    daemon().kill()
    daemon().start()
    check_equal(of_tenant("lasting"), {"connections": {"limit": 3, "used": 2}}, "after kill -9")
    check_equal(dials(sandbox, 2), ["open", "EPERM"], "after kill -9")
    daemon().stop()  # takes the kernel's maps away
    daemon().start()
    check_equal(of_tenant("lasting"), {"connections": {"limit": 3, "used": 3}}, "after an orderly end")
    with acme.sandbox(policy="free") as later:
        check_equal(dials(later, 1), ["EPERM"], "after an orderly end")


@test
def only_administrators_set_budgets_and_only_right_ones():
    client = daemon().tenant("asks", "*", budgets={"connections": 1})
    client.request("PATCH", "/v1/tenants/asks", {"budgets": None}).problem(403, "forbidden")
    check_equal(client.get("/v1/usage").expect(200).json["budgets"], {"connections": {"limit": 1, "used": 0}},
                "its own may be read")
    for wrong, place in [({"connections": 0}, "/budgets/connections"), ({"connections": "many"}, "connections"),
                         ({"bytes_out": 1023}, "/budgets/bytes_out"), ({"bytes_out": "2PiB"}, "bytes_out"),
                         ({"per": "1h"}, "/budgets/per"), ({"connections": 1, "per": "1"}, "/budgets/per"),
                         ({"connections": 1, "per": "367d"}, "/budgets/per"), ({"bytes": 5}, "/budgets/bytes"),
                         ([], "/budgets")]:
        for answer in (set_budgets("asks", wrong),
                       daemon().client.post("/v1/tenants", {"name": "wrong", "budgets": wrong})):
            answer.problem(400, "invalid")
            check_in(place, answer.json["detail"], "detail")
    daemon().client.request("PATCH", "/v1/tenants/asks", {}).problem(400, "invalid")
    set_budgets("nobody", None).problem(404, "not-found")
    check_equal([row["name"] for row in daemon().client.get("/v1/tenants").expect(200).json["tenants"]
                 if row["name"] == "wrong"], [], "tenants")


@test
def a_tenant_that_was_deleted_leaves_nothing_to_its_namesake():
    acme = daemon().tenant("again", "*", budgets={"connections": 1})
    with acme.sandbox(policy="free") as sandbox:
        check_equal(dials(sandbox, 2), ["open", "EPERM"], "connections")
    daemon().client.delete("/v1/tenants/again").expect(204)
    acme = daemon().tenant("again", "*", budgets={"connections": 1})
    check_equal(of_tenant("again"), {"connections": {"limit": 1, "used": 0}}, "budgets")
    with acme.sandbox(policy="free") as sandbox:
        check_equal(dials(sandbox, 2), ["open", "EPERM"], "connections")


if __name__ == "__main__":
    main()
