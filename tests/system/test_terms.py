#!/usr/bin/python3
"""What a request asks for against the three layers of policy: tenant's, template's, its own."""

import time

from cloche_harness import (DENY_ALL, Daemon, check, check_equal, check_in, fixture, main, test, until)

WEB = {"network": {"allow": [{"cidr": "203.0.113.0/24", "ports": [80, 443]}]}}


@fixture
def daemon():
    made = Daemon(policies=[], pool="python=1,shell=1")
    made.write_policy(DENY_ALL)
    made.write_policy({"version": 1, "name": "wide", "network": {"allow": [{"cidr": "0.0.0.0/0"}]},
                       "resources": {"class": "medium"}})
    made.write_policy({"version": 1, "name": "bound", **WEB, "resources": {"memory": "1GiB"}})
    made.write_policy({"version": 1, "name": "template-shell", "network": {
        "allow": [{"cidr": "203.0.113.0/24", "ports": [443]}]}, "resources": {"class": "medium", "pids": 50}})
    made.write_policy({"version": 1, "name": "short", "lifecycle": {"time_to_live": "1h"}})
    made.write_policy({"version": 1, "name": "brief", "lifecycle": {"time_to_live": "1s"}})
    made.write_policy({"version": 1, "name": "idle", "lifecycle": {"auto_stop": "2s"}})
    made.write_policy({"version": 1, "name": "keyed", "secrets": ["API_KEY", "TOKEN"]})
    made.start()
    made.tenant_client = made.tenant("t", policy="bound")
    yield made
    made.close()


def refused(client, status, sentence, **body):
    answer = client.post("/v1/sandboxes", body).expect(status)
    check_in(sentence, answer.json["detail"], "why")


def connects(sandbox, port):
    # Nothing listens there, so what is allowed fails later, and otherwise.
    code = ("import socket, errno\ns = socket.socket(); s.setblocking(False)\n"
            f"print(errno.errorcode.get(s.connect_ex(('203.0.113.7', {port})), 'ok'))")
    return sandbox.exec(["/usr/bin/python3", "-c", code])["stdout"].strip() != "EPERM"


@test
def a_templates_policy_narrows_what_others_allow():
    with daemon().client.sandbox(policy="wide", template="shell") as shell, \
            daemon().client.sandbox(policy="wide", template="python") as python:
        check_equal((connects(shell, 80), connects(shell, 443)), (False, True), "under template-shell")
        check_equal((connects(python, 80), connects(python, 443)), (True, True), "the twin")
        check_equal((shell.row["limits"]["pids"], python.row["limits"]["pids"]), (50, 512), "limits.pids")


@test
def the_refusal_names_the_layer():
    refused(daemon().client, 403, 'limits.pids 60 is more than the template\'s policy "template-shell" allows',
            policy="wide", template="shell", limits={"pids": 60})
    refused(daemon().tenant_client, 403, 'limits.memory 1610612736 is more than the tenant\'s policy "bound"',
            policy="wide", limits={"memory": "1536MiB"})
    refused(daemon().client, 403, 'limits.memory 4294967296 is more than policy "wide" allows',
            policy="wide", limits={"memory": "4GiB"})
    with daemon().tenant_client.sandbox(policy="wide", template="shell", limits={"pids": 50}) as sandbox:
        check_equal((connects(sandbox, 80), connects(sandbox, 443)), (False, True), "three layers")
        check_equal(sandbox.row["limits"]["memory_bytes"], 1 << 30, "memory of the tenant's bound")


@test
def a_reload_changes_the_templates_layer_of_living_sandboxes():
    with daemon().client.sandbox(policy="wide", template="shell") as shell:
        check(not connects(shell, 80), "before")
        daemon().write_policy({"version": 1, "name": "template-shell", **WEB,
                               "resources": {"class": "medium", "pids": 50}})
        daemon().client.post("/v1/policies/reload").expect(200)
        check(connects(shell, 80), "after")


@test
def a_sandbox_lives_as_long_as_its_policy_lets_it():
    refused(daemon().client, 403, 'timeout_seconds (in ms) 7200000 is more than policy "short" allows (3600000)',
            policy="short", timeout_seconds=7200)
    with daemon().client.sandbox(policy="short", timeout_seconds=600) as sandbox:
        check_equal(sandbox.sh("echo up"), "up\n", "a shorter one")
    sandbox = daemon().client.create(policy="brief")
    until(lambda: daemon().client.get(f"/v1/sandboxes/{sandbox.id}").status == 404, "its end")
    event = daemon().client.wait_event(lambda e: e.get("type") == "sandbox.end" and
                                       e.get("sandbox") == sandbox.id)
    check_equal(event["reason"], "timeout", "why it ended")


@test
def an_idle_sandbox_ends_and_a_busy_one_does_not():
    idle = daemon().client.create(policy="idle")
    busy = daemon().client.create(policy="idle")
    busy.exec(["/usr/bin/python3", "-c", "import time; time.sleep(3.5)"])
    until(lambda: daemon().client.get(f"/v1/sandboxes/{idle.id}").status == 404, "the idle one's end")
    event = daemon().client.wait_event(lambda e: e.get("type") == "sandbox.end" and
                                       e.get("sandbox") == idle.id)
    check_equal(event["reason"], "idle", "why it ended")
    check_equal(busy.sh("echo here"), "here\n", "the busy one")
    until(lambda: daemon().client.get(f"/v1/sandboxes/{busy.id}").status == 404, "its end, a while later")


@test
def a_command_from_before_a_restart_keeps_its_sandbox_from_being_idle():
    sandbox = daemon().client.create(policy="idle")
    sandbox.try_exec(["/usr/bin/sleep", "6"], detach=True).expect(202)
    daemon().kill()
    daemon().start()
    # Longer than auto_stop, with nothing but that command: one of ours would reset the clock.
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 2.5, "2.5 s")
    check_equal(daemon().client.get(f"/v1/sandboxes/{sandbox.id}").status, 200, "while it runs")
    until(lambda: daemon().client.get(f"/v1/sandboxes/{sandbox.id}").status == 404, "the end after it")


@test
def a_sandbox_without_its_secrets_is_refused():
    for env in [{}, {"API_KEY": "k"}, {"API_KEY": "k", "TOKEN": ""}, {"API_KEY": "k", "TOKE": "t", "TOKENS": "t"}]:
        refused(daemon().client, 400, 'The sandbox\'s policy "keyed" wants the secret', policy="keyed", env=env)
    with daemon().client.sandbox(policy="keyed", env={"API_KEY": "k", "TOKEN": "s3cret", "MORE": "m"}) as sandbox:
        check_equal(sandbox.sh("echo $API_KEY $TOKEN $MORE"), "k s3cret m\n", "what it sees")
        check("s3cret" not in daemon().audit_text(), "a secret is in the log")
        check("s3cret" not in str(daemon().client.get(f"/v1/sandboxes/{sandbox.id}").json), "a secret is shown")


if __name__ == "__main__":
    main()
