#!/usr/bin/python3
"""Usage between two points in time: whole and in steps, over a restart, and only one's own."""

import datetime

from cloche_harness import Daemon, check, check_equal, check_in, fixture, main, test

KEYS = {"cpu_ns", "memory_bytes", "memory_gib_seconds", "bytes_sent", "bytes_received", "connections_allowed",
        "connections_denied", "execs", "dns_queries", "block_read_bytes", "block_written_bytes", "sandboxes"}


@fixture
def daemon():
    made = Daemon(pool="python=1,shell=2")
    yield made.start()
    made.close()


def client():
    return daemon().client


def ago(seconds):
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rows(key, query, path="/v1/usage"):
    return key.get(f"{path}?{query}").expect(200).json["rows"]


@test
def a_range_that_begins_before_the_tenant_is_all_of_it():
    acme = daemon().tenant("acme")
    with acme.sandbox(template="shell") as sandbox:
        sandbox.sh("/bin/true; /bin/true")
        row, = rows(acme, f"since={ago(600)}")
        check_equal(set(row["usage"]), KEYS, "keys")
        check_equal((row["tenant"], row["usage"]["execs"], row["usage"]["sandboxes"]), ("acme", 3, 1), "row")
        check(row["since"] < row["until"], f"{row}")
        total = acme.get("/v1/usage").expect(200).json["usage"]
        check(0 < row["usage"]["cpu_ns"] <= total["cpu_ns"], "CPU")
        steps = rows(acme, f"since={ago(600)}&step=10")
        check_equal(len(steps), 60 + 1, "steps")  # time went on in between
        check_equal(sum(step["usage"]["execs"] for step in steps), 3, "execs of all steps")
        for one, two in zip(steps, steps[1:]):
            check_equal(one["until"], two["since"], "steps meet")
        own, = rows(acme, f"since={ago(600)}", f"{sandbox.path}/usage")
        check_equal((own["sandbox"], own["usage"]["execs"]), (sandbox.id, 3), "of the sandbox")
        listed = rows(acme, f"since={ago(600)}&group_by=sandbox")
        check_equal([row["sandbox"] for row in listed], [sandbox.id], "by sandbox")


@test
def what_was_before_is_not_billed_again():
    kept = daemon().tenant("kept")
    sandbox = kept.create(template="shell")
    sandbox.sh("/bin/true")
    # A restart begins with a point; what comes later is after it.
    daemon().kill()
    daemon().start()
    since = ago(0)
    sandbox.sh("/bin/true; /bin/true; /bin/true")
    row, = rows(kept, f"since={since}")
    check_equal(row["usage"]["execs"], 4, "since then")
    check_equal(row["usage"]["sandboxes"], 0, "none was made since then")
    row, = rows(kept, f"since={ago(600)}")
    check_equal(row["usage"]["execs"], 2 + 4, "in all")
    sandbox.delete().expect(204)
    row, = rows(kept, f"since={since}")
    check_equal(row["usage"]["execs"], 4, "after its end")
    sandbox.client.get(f"{sandbox.path}/usage?since={since}").problem(404, "not-found")


@test
def only_an_administrator_sees_others_and_the_host():
    first, second = daemon().tenant("first"), daemon().tenant("second")
    with first.sandbox(template="shell") as sandbox:
        sandbox.sh("/bin/true")
        query = f"since={ago(60)}"
        second.get(f"/v1/usage?{query}&tenant=first").problem(404, "not-found")
        second.get(f"/v1/usage?{query}&group_by=tenant").problem(403, "forbidden")
        second.get(f"/v1/usage?{query}&group_by=host").problem(403, "forbidden")
        second.get(f"/v1/usage?{query}&group_by=sandbox&tenant=first").problem(404, "not-found")
        second.get(f"{sandbox.path}/usage?{query}").problem(404, "not-found")
        check_equal(rows(second, f"{query}&group_by=sandbox"), [], "others' sandboxes")
        check_equal(rows(first, f"{query}&tenant=first")[0]["usage"]["execs"], 2, "its own")
        by_tenant = {row["tenant"]: row["usage"] for row in rows(client(), f"{query}&group_by=tenant")}
        check_equal((by_tenant["first"]["execs"], by_tenant["second"]["execs"]), (2, 0), "by tenant")
        host, = rows(client(), f"since={ago(3600)}&group_by=host")
        check_equal(host["tenant"], None, "the host has no tenant")
        check(host["usage"]["execs"] >= 2, f"{host}")


@test
def ranges_that_make_no_sense_are_refused():
    with client().sandbox(template="shell") as sandbox:
        for query, part in ((f"since={ago(-600)}", "in the future"),
                            (f"since={ago(60)}&until={ago(120)}", "must be later"),
                            (f"since={ago(8 * 86400)}", "seven days"),
                            ("since=yesterday", "must be a time as"),
                            (f"since={ago(60)}&until=5", "must be a time as"),
                            (f"until={ago(60)}", "go together with"),
                            ("step=60", "go together with"),
                            (f"since={ago(60)}&step=1", "step"),
                            (f"since={ago(7200)}&step=60", "300 s at least"),
                            (f"since={ago(6.99 * 86400)}&step=299", "300 s at least"),
                            (f"since={ago(60)}&step=10&group_by=tenant", "is for one tenant"),
                            (f"since={ago(60)}&group_by=label:job", "group_by"),
                            ("group_by=host", "group_by"),
                            (f"since={ago(60)}&group_by=colour", "group_by")):
            check_in(part, client().get(f"/v1/usage?{query}").problem(400, "invalid"), query)
        for query, part in ((f"since={ago(7200)}", "an hour"), (f"since={ago(60)}&step=10", "60 s at least")):
            check_in(part, client().get(f"{sandbox.path}/usage?{query}").problem(400, "invalid"), query)
    check(len(rows(client(), f"since={ago(6.99 * 86400)}&step=300")) > 2000, "a week of steps")


if __name__ == "__main__":
    main()
