#!/usr/bin/python3
"""The bill: counted for a sandbox, kept over its end, summed for its tenant."""

from cloche_harness import (Daemon, check, check_equal, check_in, fixture, main, test)

KEYS = {"cpu_ns", "cpu_user_ns", "cpu_system_ns", "memory_bytes", "memory_peak_bytes", "bytes_sent",
        "bytes_received", "packets_sent", "packets_received", "connections_allowed",
        "connections_denied", "execs", "oom_kills", "wall_ns", "sandboxes", "memory_gib_seconds",
        "block_read_bytes", "block_written_bytes", "dns_queries", "forks", "syscalls", "syscalls_refused"}
# What only ever grows, also of a tenant.
GROWING = KEYS - {"memory_bytes"}
BUSY = ("import time\nend = time.process_time() + 0.4\n"
        "while time.process_time() < end:\n  for i in range(20000): pass")


@fixture
def daemon():
    made = Daemon(pool="python=1,shell=2")
    yield made.start()
    made.close()


def client():
    return daemon().client


@test
def usage_of_a_sandbox_has_every_number():
    with client().sandbox() as sandbox:
        answer = client().get(f"{sandbox.path}/usage").expect(200).json
        check_equal((answer["sandbox"], answer["ended"]), (sandbox.id, False), "who")
        check_equal(set(answer["usage"]), KEYS, "keys")
        check_equal(answer["usage"]["sandboxes"], 1, "sandboxes")


@test
def a_fresh_sandbox_has_used_nothing_of_what_it_was_made_with():
    with client().sandbox(template="shell") as sandbox:
        usage = sandbox.usage()
        check_equal((usage["execs"], usage["connections_denied"], usage["bytes_sent"]), (0, 0, 0), "counts")
        check(usage["cpu_ns"] < 100e6, f"CPU time of its making: {usage['cpu_ns']}")


@test
def cpu_time_is_that_of_the_work():
    with client().sandbox() as sandbox:
        before = sandbox.usage()
        sandbox.python(BUSY)
        after = sandbox.usage()
        used = after["cpu_ns"] - before["cpu_ns"]
        check(0.35e9 < used < 1.5e9, f"{used} ns for 0.4 s of work")
        check(after["cpu_user_ns"] - before["cpu_user_ns"] > 0.2e9, f"{after}")
        both = after["cpu_user_ns"] + after["cpu_system_ns"]
        check(abs(both - after["cpu_ns"]) < 0.05e9, f"user and system are {both}, all {after['cpu_ns']}")


@test
def memory_now_and_at_most_are_told():
    with client().sandbox(limits={"memory": "256MiB"}) as sandbox:
        sandbox.python("x = bytearray(64 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1")
        usage = sandbox.usage()
        check(usage["memory_peak_bytes"] > 60 << 20, f"peak {usage['memory_peak_bytes']}")
        check(usage["memory_bytes"] < 60 << 20, f"now {usage['memory_bytes']}")
        check(usage["memory_peak_bytes"] <= 257 << 20, "peak past the limit")


@test
def programs_and_denials_are_counted():
    with client().sandbox() as sandbox:
        sandbox.sh("/bin/true; /bin/true; /bin/true")
        check_equal(sandbox.usage()["execs"], 4, "a shell and three programs")
        # The last command of a shell needs no process of its own.
        check(2 <= sandbox.usage()["forks"] <= 4, f"{sandbox.usage()['forks']} processes")
        sandbox.python("import socket\nfor i in range(7): socket.socket().connect_ex(('198.51.100.1', 80))")
        usage = sandbox.usage()
        check_equal((usage["connections_denied"], usage["connections_allowed"]), (7, 0), "connections")
        check_equal(usage["execs"], 5, "execs")


@test
def system_calls_and_those_refused_are_counted():
    with client().sandbox() as sandbox:
        sandbox.python("import os\nfor i in range(1000): os.getppid()")
        usage = sandbox.usage()
        check(usage["syscalls"] > 1000, f"{usage['syscalls']} system calls")
        refused = usage["syscalls_refused"]
        sandbox.python("import ctypes\nfor i in range(9): ctypes.CDLL(None).unshare(0x10000000)")
        check(sandbox.usage()["syscalls_refused"] >= refused + 9, f"{sandbox.usage()}")


@test
def usage_is_kept_when_the_sandbox_is_gone():
    sandbox = client().create()
    sandbox.python(BUSY)
    last = sandbox.usage()
    sandbox.delete().expect(204)
    answer = client().get(f"{sandbox.path}/usage").expect(200).json
    check_equal(answer["ended"], True, "ended")
    for key in ["cpu_ns", "execs", "memory_peak_bytes", "wall_ns", "connections_denied"]:
        check(answer["usage"][key] >= last[key], f"{key} was {last[key]}, is {answer['usage'][key]}")
    check_equal(answer["usage"]["memory_bytes"], 0, "memory now")
    again = client().get(f"{sandbox.path}/usage").expect(200).json
    check_equal(again, answer, "the last numbers do not move")


@test
def a_tenant_is_the_sum_of_its_sandboxes_living_and_ended():
    acme = daemon().tenant("acme")
    ids = []
    ended = acme.create(template="shell")
    ended.sh("/bin/true")
    ended.delete().expect(204)
    ids.append(ended.path)
    with acme.sandbox(template="shell") as one, acme.sandbox(template="shell") as two:
        one.sh("/bin/true; /bin/true")
        two.sh("/bin/true")
        ids += [one.path, two.path]
        each = [acme.get(f"{path}/usage").expect(200).json["usage"] for path in ids]
        total = acme.get("/v1/usage").expect(200).json
        check_equal(total["tenant"], "acme", "tenant")
        check_equal(set(total["usage"]), KEYS, "keys")
        check_equal(total["usage"]["sandboxes"], 3, "sandboxes")
        for key in ["execs", "connections_denied", "oom_kills"]:
            check_equal(total["usage"][key], sum(row[key] for row in each), key)
        check(total["usage"]["cpu_ns"] >= sum(row["cpu_ns"] for row in each), "cpu_ns")
        check_equal(total["usage"]["execs"], 2 + 3 + 2, "execs")
        rows = {row["tenant"]: row["usage"] for row in
                client().get("/v1/usage?group_by=tenant").expect(200).json["tenants"]}
        check_equal(rows["acme"]["execs"], 7, "the administrator's row")
        by_name = client().get("/v1/usage?tenant=acme").expect(200).json["usage"]
        check_equal(by_name["execs"], 7, "by name")
    later = acme.get("/v1/usage").expect(200).json["usage"]
    check_equal(later["execs"], 7, "execs when all have ended")
    check(later["cpu_ns"] >= total["usage"]["cpu_ns"], "cpu_ns went back")


@test
def totals_go_on_over_a_restart():
    keeper = daemon().tenant("keeper")
    with keeper.sandbox(template="shell") as sandbox:
        sandbox.sh("/bin/true")
    before = keeper.get("/v1/usage").expect(200).json["usage"]
    daemon().stop()
    daemon().start()
    after = keeper.get("/v1/usage").expect(200).json["usage"]
    check_equal(after, before, "usage")


@test
def metrics_are_prometheus_text():
    answer = client().get("/metrics").expect(200)
    check_in("text/plain; version=0.0.4", answer.headers["Content-Type"], "Content-Type")
    seen = set()
    for line in answer.body.decode().splitlines():
        if line.startswith("#"):
            check(line.split()[1] in ("HELP", "TYPE"), line)
            continue
        name, value = line.rsplit(" ", 1)
        float(value)
        check(name.startswith("cloche_"), line)
        check(name not in seen, f"twice: {name}")
        seen.add(name)
    check(any('tenant="admin"' in name for name in seen), f"no rows of a tenant: {seen}")
    client().request("GET", "/metrics", headers={"Authorization": "Bearer x"}).expect(401)


@test
def usage_of_nothing_is_not_found():
    client().get("/v1/sandboxes/sb-00000000000000aa/usage").problem(404, "not-found")
    client().get("/v1/usage?tenant=nobody").problem(404, "not-found")
    client().get("/v1/usage?group_by=colour").problem(400, "invalid")


if __name__ == "__main__":
    main()
