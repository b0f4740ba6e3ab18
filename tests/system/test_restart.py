#!/usr/bin/python3
"""kill -9 of each of our processes: no sandbox is lost, no hole opens, no record is missing."""

import json
import os
import signal

from cloche_harness import (Daemon, Failed, check, check_equal, check_in, child_named, fixture, main,
                            running, test, until)
from internet import connect, internet, web
from sandbox_view import init_pid, is_alive


@fixture
def daemon():
    made = Daemon(policies=[web([7])], pool="python=2,shell=1")
    yield made.start()
    made.close()


# Counts in a file what connects give, as long as it runs.
WATCHER = r'''
import errno, os, socket, sys, time
while True:
    s = socket.socket(); s.settimeout(5)
    r = s.connect_ex((sys.argv[1], int(sys.argv[2])))
    s.close()
    with open("/tmp/seen", "a") as f: f.write(errno.errorcode.get(r, "ok") + "\n")
    time.sleep(0.002)
'''


def echo(sandbox):
    return sandbox.python(
        f"import socket\ns = socket.create_connection(('{internet().v4}', 7), 20)\n"
        "s.sendall(b'x'); print(s.recv(1))").strip()


@test
def a_killed_cloched_takes_its_sandboxes_back():
    own = daemon()
    client = own.client
    sandbox = client.create(policy="web", labels={"kept": "yes"}, env={"E": "1"}, timeout_seconds=3600)
    sandbox.sh("echo kept > /home/sandbox/file")
    started = sandbox.try_exec(["python3", "-c", WATCHER, internet().v4, "9999"],
                               detach=True).expect(202).json
    before, row = sandbox.usage(), sandbox.get().expect(200).json
    host = init_pid(own, sandbox)
    internet().seen()
    own.kill()
    check(is_alive(host), "PID 1 died with cloched")
    own.start()
    client = own.client
    after = client.get(sandbox.path).expect(200).json
    check(after["policy"].pop("generation") >= row["policy"].pop("generation"), "generation went back")
    check_equal({**after, "state": row["state"]}, row, "the sandbox's row")
    listed = client.get("/v1/sandboxes?label=kept=yes").expect(200).json["sandboxes"]
    check_equal([each["id"] for each in listed], [sandbox.id], "list by label")
    check_equal(sandbox.sh("cat /home/sandbox/file; echo $E"), "kept\n1\n", "its files and environment")
    check_equal(sandbox.sh(f"kill -0 {started['pid']} && echo runs"), "runs\n", "its detached command")
    seen = sandbox.sh("sort -u /tmp/seen")
    check_equal(seen, "EPERM\n", "what the denied port answered meanwhile")
    check_equal(connect(sandbox, 9999), "EPERM", "denied")
    check_equal(echo(sandbox), "b'x'", "allowed, by the new gate")
    usage = sandbox.usage()
    for key in ["cpu_ns", "execs", "connections_denied", "wall_ns"]:
        check(usage[key] >= before[key], f"{key} went back: {before[key]} to {usage[key]}")
    check_equal([r for r in internet().seen() if r["port"] == 9999], [], "what reached the closed port")
    sandbox.delete().expect(204)
    check(not is_alive(host), "PID 1 lives after delete")
    client.get(f"{sandbox.path}/usage").expect(200)


@test
def no_record_that_a_client_knows_of_is_missing():
    own = daemon()
    sandbox = own.client.create(template="shell")
    done = sandbox.exec(["echo", "acknowledged"])
    own.kill()
    lines = own.audit_lines()
    check_equal([r["seq"] for r in lines], list(range(1, len(lines) + 1)), "sequence")
    ended = [r for r in lines if r["type"] == "exec.end" and r["exec"] == done["exec_id"]
             and r["sandbox"] == sandbox.id]
    check_equal(len(ended), 1, "exec.end on the disk")
    own.start()
    lines = own.audit_lines()
    check_equal([r["seq"] for r in lines], list(range(1, len(lines) + 1)), "sequence after")
    sandbox.delete().expect(204)


@test
def events_while_cloched_is_away_are_told_or_counted_lost():
    own = daemon()
    sandbox = own.client.create(policy="web")
    sandbox.try_exec(["python3", "-c", "import os, socket, time\n"
                      "while not os.path.exists('/tmp/go'): time.sleep(0.005)\n"
                      "os.unlink('/tmp/go'); time.sleep(0.3)\n"
                      "for i in range(50): socket.socket().connect_ex(('198.51.100.77', 80))\n"
                      "open('/tmp/done', 'w')"], detach=True).expect(202)
    sandbox.sh("touch /tmp/go")
    host = init_pid(own, sandbox)
    own.kill()
    until(lambda: os.path.exists(f"/proc/{host}/root/tmp/done"), "the command is done")
    own.start()
    check(sandbox.usage()["connections_denied"] >= 50, "counters of the time between")
    records = [r for r in own.client.events(sandbox=sandbox.id, type="network.connect")
               if r["address"] == "198.51.100.77"]
    lost = sum(r["lost"] for r in own.client.events(type="audit.lost"))
    check(len(records) + lost >= 50, f"{len(records)} records, {lost} lost")
    sandbox.delete().expect(204)


@test
def keys_tenants_and_usage_are_as_before():
    own = daemon()
    acme = own.tenant("acme")
    with acme.sandbox(template="shell") as sandbox:
        sandbox.sh("/bin/true")
    usage = acme.get("/v1/usage").expect(200).json
    own.kill()
    own.start()
    check_equal(acme.get("/v1/usage").expect(200).json, usage, "usage")
    with acme.sandbox(template="shell") as again:
        check_equal(again.sh("echo works"), "works\n", "a new sandbox")


@test
def a_killed_cloche_api_comes_back_and_nobody_inside_notices():
    own = daemon()
    sandbox = own.client.create(policy="web")
    started = sandbox.try_exec(["sleep", "600"], detach=True).expect(202).json
    api = child_named(own.process.pid, "cloche-api")
    os.kill(api, signal.SIGKILL)
    answer = until(lambda: try_get(own, sandbox), "the API answers again")
    check_equal(answer.json["state"], "running", "state")
    check(child_named(own.process.pid, "cloche-api") != api, "the same process")
    check_equal(sandbox.sh(f"kill -0 {started['pid']} && echo runs"), "runs\n", "its command")
    check_equal(connect(sandbox, 9999), "EPERM", "denied")
    sandbox.delete().expect(204)


def try_get(own, sandbox):
    try:
        answer = own.client.get(sandbox.path)
        return answer if answer.status == 200 else None
    except (ConnectionError, OSError, json.JSONDecodeError):
        return None
    except Exception as failure:  # http.client's many ways to say that the peer has gone
        if type(failure).__module__ == "http.client":
            return None
        raise


@test
def a_command_that_a_client_waits_for_ends_when_the_api_is_killed():
    own = daemon()
    sandbox = own.client.create(template="shell")
    with own.client.stream("POST", f"{sandbox.path}/exec", {"argv": ["sleep", "4747"]},
                           {"Accept": "application/x-ndjson"}) as response:
        check_equal(json.loads(response.readline())["type"], "start", "first line")
        os.kill(child_named(own.process.pid, "cloche-api"), signal.SIGKILL)
    until(lambda: try_get(own, sandbox), "the API answers again")
    until(lambda: sandbox.exec(["pgrep", "-f", "sleep 4747"])["exit_code"] == 1, "the command ends", 10)
    sandbox.delete().expect(204)


@test
def a_killed_cloche_gate_comes_back_with_the_same_sockets():
    own = daemon()
    sandbox = own.client.create(policy="web")
    check_equal(echo(sandbox), "b'x'", "before")
    gate = child_named(own.process.pid, "cloche-gate")
    internet().seen()
    os.kill(gate, signal.SIGKILL)
    check_equal(connect(sandbox, 9999), "EPERM", "denied while the gate is away")
    until(lambda: echo_or_none(sandbox) == "b'x'", "allowed again")
    check(child_named(own.process.pid, "cloche-gate") != gate, "the same process")
    check_equal(connect(sandbox, 9999), "EPERM", "denied")
    check_equal([r for r in internet().seen() if r["port"] == 9999], [], "what reached the closed port")
    sandbox.delete().expect(204)


def echo_or_none(sandbox):
    done = sandbox.exec(["python3", "-c",
                         f"import socket\ns = socket.create_connection(('{internet().v4}', 7), 5)\n"
                         "s.sendall(b'x'); print(s.recv(1))"])
    return done["stdout"].strip() if done["exit_code"] == 0 else None


@test
def a_connection_outlives_a_cloched_that_is_killed_or_is_closed_not_hung():
    own = daemon()
    sandbox = own.client.create(policy="web")
    sandbox.try_exec(["python3", "-c", (
        "import os, socket\n"
        f"s = socket.create_connection(('{internet().v4}', 7)); s.settimeout(20)\n"
        "s.sendall(b'a'); s.recv(1)\nos.mkfifo('/tmp/go'); open('/tmp/go').read()\n"
        "try: s.sendall(b'b'); r = repr(s.recv(1))\nexcept OSError as e: r = type(e).__name__\n"
        "open('/tmp/result', 'w').write(r)")], detach=True).expect(202)
    sandbox.python("import os, time\nwhile not os.path.exists('/tmp/go'): time.sleep(0.01)")
    own.kill()
    own.start()
    sandbox.sh("echo > /tmp/go")
    result = until(lambda: sandbox.exec(["cat", "/tmp/result"])["stdout"], "a result")
    check_in(result, ("b'b'", "b''", "ConnectionResetError", "BrokenPipeError"), "result")
    sandbox.delete().expect(204)


@test
def a_sandbox_that_died_meanwhile_is_not_guessed_back():
    own = daemon()
    sandbox = own.client.create(template="shell")
    other = own.client.create(template="shell")
    host = init_pid(own, sandbox)
    own.kill()
    os.kill(host, signal.SIGKILL)
    until(lambda: not is_alive(host), "PID 1 is gone")
    own.start()
    answer = own.client.get(sandbox.path)
    check(answer.status == 404 or answer.json["state"] in ("failed", "gone"), f"{answer.body!r}")
    check_equal(other.sh("echo here"), "here\n", "the other one")
    own.client.delete(sandbox.path)
    other.delete().expect(204)


@test
def an_expiry_is_kept():
    own = daemon()
    sandbox = own.client.create(template="shell", timeout_seconds=2)
    own.kill()
    own.start()
    own.client.wait_event(lambda r: r["type"] == "sandbox.end", sandbox=sandbox.id)


@test
def killed_again_and_again_it_leaves_nothing():
    with running(pool="python=1,shell=1") as own:
        sandbox = own.client.create()
        for _ in range(4):
            own.kill()
            own.start()
            check_equal(sandbox.sh("echo on"), "on\n", "output")
        sandbox.delete().expect(204)
        own.stop()
        check_equal(own.leftovers(), [], "left behind")


@test
def a_second_daemon_of_the_same_instance_is_refused():
    own = daemon()
    first = own.process
    try:
        own.start()
        check(False, "it started")
    except Failed as failure:
        check("another" in str(failure), f"{failure}")
    finally:
        if own.process.poll() is None and own.process is not first and first.poll() is None:
            own.kill()
            own.process = first
        elif first.poll() is None:
            own.process = first
    check_equal(own.client.get("/readyz").status, 200, "the first one")


if __name__ == "__main__":
    main()
