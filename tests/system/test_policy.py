#!/usr/bin/python3
"""Policies while the daemon runs: reading them, reloading good and bad ones, what living sandboxes do."""

import json
import signal

from cloche_harness import (Daemon, check, check_equal, check_in, fixture, main, running, test)
from internet import connect, internet


def web(ports, description="The test internet."):
    return {"version": 1, "name": "web", "description": description,
            "network": {"allow": [{"cidr": f"{internet().v4}/32", "ports": ports}]}}


@fixture
def daemon():
    made = Daemon(policies=[web([7])], pool="python=1")
    yield made.start()
    made.close()


def reload():
    return daemon().client.post("/v1/policies/reload")


@test
def policies_are_listed_and_read_with_their_hash():
    rows = {row["name"]: row for row in
            daemon().client.get("/v1/policies").expect(200).json["policies"]}
    check_equal(set(rows), {"deny-all", "web"}, "names")
    check_equal(set(rows["web"]), {"name", "hash", "description", "mode", "rules", "sandboxes"}, "keys")
    check_equal((rows["web"]["rules"], rows["web"]["description"]), (1, "The test internet."), "web")
    answer = daemon().client.get("/v1/policies/web").expect(200)
    check_equal(answer.headers["ETag"].strip('"'), rows["web"]["hash"], "ETag")
    check_equal(answer.json["network"]["allow"][0]["cidr"], f"{internet().v4}/32", "cidr")
    daemon().client.get("/v1/policies/none").problem(404, "not-found")


@test
def a_reload_changes_what_living_sandboxes_may_reach():
    with daemon().client.sandbox(policy="web") as sandbox:
        check_equal((connect(sandbox, 7), connect(sandbox, 8000)), ("ok", "EPERM"), "before")
        before = sandbox.get().expect(200).json["policy"]
        daemon().write_policy(web([8000]))
        reload().expect(200)
        check_equal((connect(sandbox, 7), connect(sandbox, 8000)), ("EPERM", "ok"), "after")
        after = sandbox.get().expect(200).json["policy"]
        check(after["hash"] != before["hash"] and after["generation"] == before["generation"] + 1,
              f"{before} {after}")
        daemon().write_policy(web([7]))
        reload().expect(200)


@test
def a_reload_stops_a_connection_that_the_new_policy_refuses():
    with daemon().client.sandbox(policy="web") as sandbox:
        started = sandbox.try_exec(["python3", "-c", (
            "import socket, os\n"
            f"s = socket.create_connection(('{internet().v4}', 7))\n"
            "s.sendall(b'x'); s.recv(1); open('/tmp/up', 'w')\n"
            "os.mkfifo('/tmp/go'); open('/tmp/go').read()\n"
            "s.settimeout(20)\n"
            "try: s.sendall(b'y'); r = repr(s.recv(1))\n"
            "except OSError as e: r = 'reset'\n"
            "open('/tmp/result', 'w').write(r)\n")], detach=True).expect(202).json
        sandbox.python("import os, time\nwhile not os.path.exists('/tmp/go'): time.sleep(0.01)")
        daemon().write_policy(web([8000]))
        reload().expect(200)
        sandbox.sh("echo > /tmp/go")
        daemon().client.wait_event(
            lambda r: r["type"] == "exec.end" and r["exec"] == started["exec_id"], sandbox=sandbox.id)
        check_equal(sandbox.sh("cat /tmp/result"), "reset", "what came back")
        records = daemon().client.events(sandbox=sandbox.id, type="network.flow")
        check_equal([(r["end"], r["port"]) for r in records], [("policy_changed", 7)], "records")
        daemon().write_policy(web([7]))
        reload().expect(200)


@test
def a_connection_that_the_new_policy_allows_goes_on():
    with daemon().client.sandbox(policy="web") as sandbox:
        started = sandbox.try_exec(["python3", "-c", (
            "import socket, os\n"
            f"s = socket.create_connection(('{internet().v4}', 7)); s.settimeout(20)\n"
            "os.mkfifo('/tmp/go'); open('/tmp/go').read()\n"
            "s.sendall(b'y'); open('/tmp/result', 'w').write(repr(s.recv(1)))\n")],
            detach=True).expect(202).json
        sandbox.python("import os, time\nwhile not os.path.exists('/tmp/go'): time.sleep(0.01)")
        daemon().write_policy(web([7, 8000]))
        reload().expect(200)
        sandbox.sh("echo > /tmp/go")
        daemon().client.wait_event(
            lambda r: r["type"] == "exec.end" and r["exec"] == started["exec_id"], sandbox=sandbox.id)
        check_equal(sandbox.sh("cat /tmp/result"), "b'y'", "what came back")
        daemon().write_policy(web([7]))
        reload().expect(200)


@test
def a_bad_file_is_named_with_its_place_and_the_old_policy_stays():
    bad = web([7])
    bad["network"]["allow"][0]["prots"] = [1]
    cases = [(json.dumps(bad, indent=2), "/network/allow/0/prots"),
             (json.dumps(web([70000])), "/network/allow/0/ports/0"),
             (json.dumps(web(["9-8"])), "/network/allow/0/ports/0"),
             (json.dumps({**web([7]), "version": 2}), "/version"),
             (json.dumps(web([7])).replace(
                 '"ports"', '"protocol": "sctp", "ports"'), "/network/allow/0/protocol"),
             ('{"version": 1, "name": "web", "name": "web"}', "name"),
             ("{", "web.json"), ("", "web.json")]
    with daemon().client.sandbox(policy="web") as sandbox:
        for text, place in cases:
            daemon().write_policy(web([7]), text)
            answer = reload().expect(400)
            said = answer.body.decode()
            check_in("web.json", said, "the file")
            check_in(place, said, f"the place, for {text[:80]}")
            check_equal((connect(sandbox, 7), connect(sandbox, 8000)), ("ok", "EPERM"), "the old policy")
        daemon().write_policy(web([7]))
        reload().expect(200)


@test
def a_bad_file_tells_the_line():
    daemon().write_policy(web([7]), '{\n  "version": 1,\n  "name": "web",\n  nonsense\n}\n')
    answer = reload().problem(400, "invalid")
    check("line 4" in answer or ":4" in answer, answer)
    daemon().write_policy(web([7]))
    reload().expect(200)


@test
def a_reload_is_in_the_log_good_or_bad():
    daemon().write_policy(web([7]), "{")
    reload().expect(400)
    daemon().write_policy(web([7]))
    reload().expect(200)
    records = daemon().client.events(type="policy.reload")[-2:]
    check_equal([record["ok"] for record in records], [False, True], "ok")
    check_in("web.json", json.dumps(records[0]), "the file in the record")


@test
def a_signal_reloads_too():
    with daemon().client.sandbox(policy="web") as sandbox:
        after = daemon().client.last_sequence()
        daemon().write_policy(web([8000]))
        daemon().process.send_signal(signal.SIGHUP)
        daemon().client.wait_event(lambda r: r["ok"], type="policy.reload", after=after)
        check_equal((connect(sandbox, 7), connect(sandbox, 8000)), ("EPERM", "ok"), "after SIGHUP")
        daemon().write_policy(web([7]))
        reload().expect(200)


@test
def a_new_file_becomes_a_policy():
    daemon().write_policy({**web([8001]), "name": "second"})
    reload().expect(200)
    with daemon().client.sandbox(policy="second") as sandbox:
        check_equal((connect(sandbox, 8001), connect(sandbox, 7)), ("ok", "EPERM"), "reach")


@test
def resources_of_a_policy_are_the_limits():
    daemon().write_policy({"version": 1, "name": "small", "description": "Small.",
                           "network": {"allow": []},
                           "resources": {"memory": "96MiB", "cpu": 0.5, "pids": 20, "disk": "32MiB",
                                         "open_files": 64}})
    reload().expect(200)
    with daemon().client.sandbox(policy="small") as sandbox:
        check_equal(sandbox.row["limits"], {"memory_bytes": 96 << 20, "disk_bytes": 32 << 20, "cpu": 0.5,
                                            "pids": 20}, "limits")
        check_equal(sandbox.sh("ulimit -Hn"), "64\n", "open files")
    with daemon().client.sandbox(policy="small", limits={"memory": "64MiB", "pids": 10}) as narrower:
        check_equal((narrower.row["limits"]["memory_bytes"], narrower.row["limits"]["pids"]),
                    (64 << 20, 10), "narrowed")
    wider = daemon().client.post("/v1/sandboxes", {"policy": "small", "limits": {"pids": 500}}).expect(403)
    check_in("limits.pids 500 is more than policy", wider.json["detail"], "which layer refused")


@test
def system_calls_that_a_policy_denies_fail_beside_those_that_it_does_not():
    daemon().write_policy({"version": 1, "name": "strict", "description": "No links.",
                           "network": {"allow": []}, "syscalls": {"deny": ["symlink", "symlinkat"]}})
    reload().expect(200)
    code = "import os\ntry: os.symlink('a', '/tmp/l'); print('ok')\nexcept OSError as e: print(e.errno)"
    with daemon().client.sandbox(policy="strict") as strict, daemon().client.sandbox() as usual:
        check_equal(strict.python(code), "1\n", "denied")
        check_equal(usual.python(code), "ok\n", "the twin")
        check_equal(strict.python("import os; os.link('/proc/self/comm', '/tmp/x') if 0 else print('ok')"),
                    "ok\n", "another call")


@test
def a_bad_policy_at_start_ends_the_daemon_with_the_place():
    try:
        made = Daemon(policies=[], pool="python=0")
        made.write_policy({"name": "broken"}, '{"version": 1, "name": "broken", "netwrok": {}}')
        made.start()
    except Exception as failure:
        check_in("broken.json", str(failure), "the daemon's last words")
        check_in("netwrok", str(failure), "the daemon's last words")
    else:
        check(False, "it started")
    finally:
        made.close()
    with running(policies=[], pool="python=0"):
        pass


if __name__ == "__main__":
    main()
