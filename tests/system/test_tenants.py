#!/usr/bin/python3
"""Tenants: what is one's own, what another's is like, keys, bounds."""

import json
import re

from cloche_harness import (Client, Daemon, check, check_equal, check_in, fixture, main, test)

WEB = {"version": 1, "name": "web", "description": "Two services.", "network": {"allow": [
    {"cidr": "198.51.100.0/24", "ports": [443]}, {"cidr": "203.0.113.7/32", "ports": [80]}]},
    "resources": {"memory": "128MiB", "pids": 32}}
WIDE = {"version": 1, "name": "wide", "description": "Anything public.", "network": {"allow": [
    {"cidr": "0.0.0.0/0"}]}}


@fixture
def daemon():
    made = Daemon(policies=[WEB, WIDE], pool="python=1,shell=2")
    yield made.start()
    made.close()


@fixture
def acme():
    yield daemon().tenant("acme", policy="web")


@fixture
def other():
    yield daemon().tenant("other")


def admin():
    return daemon().client


@test
def a_tenant_sees_and_touches_only_its_own():
    with acme().sandbox(template="shell") as mine, other().sandbox(template="shell") as theirs:
        rows = acme().get("/v1/sandboxes").expect(200).json["sandboxes"]
        check_equal([row["id"] for row in rows], [mine.id], "list")
        check_equal(rows[0]["tenant"], "acme", "tenant")
        acme().get(theirs.path).problem(404, "not-found")
        acme().post(f"{theirs.path}/exec", {"argv": ["true"]}).problem(404, "not-found")
        acme().post(f"{theirs.path}/code", {"language": "shell", "code": "true"}).expect(404)
        acme().get(f"{theirs.path}/usage").problem(404, "not-found")
        acme().delete(theirs.path).problem(404, "not-found")
        check_equal(theirs.sh("echo here"), "here\n", "the other's")
        check_equal(acme().post(f"{mine.path}/exec", {"argv": ["true"]}).expect(200).json["exit_code"],
                    0, "the twin")


@test
def a_command_of_another_cannot_be_killed():
    with other().sandbox(template="shell") as theirs, acme().sandbox(template="shell") as mine:
        started = theirs.try_exec(["sleep", "999"], detach=True).expect(202).json
        acme().delete(f"{theirs.path}/execs/{started['exec_id']}").problem(404, "not-found")
        acme().delete(f"{mine.path}/execs/{started['exec_id']}").problem(404, "not-found")
        check_equal(theirs.sh("pgrep -c -x sleep"), "1\n", "still running")


@test
def records_of_another_are_not_read():
    with acme().sandbox(template="shell") as mine, other().sandbox(template="shell") as theirs:
        mine.sh("true")
        theirs.sh("true")
        records = acme().events()
        check(records and {record.get("tenant") for record in records} == {"acme"}, "only its own")
        check_equal(acme().events(sandbox=theirs.id), [], "by the other's id")
        check_in(theirs.id, json.dumps(other().events(sandbox=theirs.id)), "the twin")


@test
def usage_and_metrics_of_another_are_not_read():
    check_equal(acme().get("/v1/usage").expect(200).json["tenant"], "acme", "own usage")
    check_in(acme().get("/v1/usage?tenant=other").status, (403, 404), "status")
    acme().get("/v1/usage?group_by=tenant").problem(403, "forbidden")
    check_equal(admin().get("/v1/usage?tenant=other").expect(200).json["tenant"], "other", "the twin")
    text = acme().get("/metrics").expect(200).body.decode()
    check('"other"' not in text, "another tenant's rows")


@test
def a_tenant_cannot_manage_tenants_keys_or_policies():
    acme().get("/v1/tenants").problem(403, "forbidden")
    acme().post("/v1/tenants", {"name": "mine"}).problem(403, "forbidden")
    acme().delete("/v1/tenants/other").problem(403, "forbidden")
    acme().post("/v1/keys", {"tenant": "acme"}).problem(403, "forbidden")
    acme().get("/v1/keys").problem(403, "forbidden")
    acme().post("/v1/policies/reload").problem(403, "forbidden")


@test
def an_administrator_sees_all_and_may_act():
    with acme().sandbox(template="shell") as theirs:
        ids = {row["id"] for row in admin().get("/v1/sandboxes").expect(200).json["sandboxes"]}
        check_in(theirs.id, ids, "the administrator's list")
        check_equal(admin().get(theirs.path).expect(200).json["tenant"], "acme", "tenant")


@test
def keys_are_made_listed_without_the_secret_and_revoked():
    answer = admin().post("/v1/keys", {"tenant": "acme", "description": "ci"}).expect(201).json
    check(re.fullmatch(r"clo_[0-9a-f]{8}_[0-9a-f]{48}", answer["key"]), answer["key"])
    check_equal(answer["id"], "ck_" + answer["key"][4:12], "id")
    listed = admin().get("/v1/keys").expect(200)
    rows = {row["id"]: row for row in listed.json["keys"]}
    check_equal((rows[answer["id"]]["tenant"], rows[answer["id"]]["description"]), ("acme", "ci"), "row")
    check(answer["key"] not in listed.body.decode() and "key" not in rows[answer["id"]], "the secret shows")
    client = Client(daemon().socket_path, answer["key"])
    client.get("/v1/sandboxes").expect(200)
    admin().delete(f"/v1/keys/{answer['id']}").expect(204)
    client.get("/v1/sandboxes").problem(401, "unauthenticated")
    acme().get("/v1/sandboxes").expect(200)
    admin().delete(f"/v1/keys/{answer['id']}").problem(404, "not-found")


@test
def secrets_are_not_on_the_disk_or_in_the_log():
    answer = admin().post("/v1/keys", {"tenant": "acme"}).expect(201).json
    secret = answer["key"].split("_")[2].encode()
    for name in ["state.db", "state.db-wal", "audit/log/00000000000000000001.jsonl"]:
        try:
            with open(f"{daemon().state_dir}/{name}", "rb") as file:
                check(secret not in file.read(), f"the secret is in {name}")
        except FileNotFoundError:
            check(name == "state.db-wal", f"no {name}")
    with open(daemon().log_path, "rb") as file:
        check(secret not in file.read(), "the secret is in the daemon's log")


@test
def a_wrong_key_is_refused_whatever_is_wrong_with_it():
    good = acme().key
    for key in [good[:-1] + ("0" if good[-1] != "0" else "1"), good[:-1], good + "0", "clo_", "x" * 300,
                good.upper(), "clo_00000000_" + "0" * 48]:
        Client(daemon().socket_path, key).get("/v1/sandboxes").problem(401, "unauthenticated")
    Client(daemon().socket_path, None).get("/v1/sandboxes").problem(401, "unauthenticated")
    Client(daemon().socket_path, good).get("/v1/sandboxes").expect(200)


@test
def the_bound_narrows_what_is_asked_for():
    asked = admin().create(policy="wide")
    bounded = acme().create(policy="wide")
    try:
        check(bounded.row["policy"]["hash"] != asked.row["policy"]["hash"], "not the meet")
        check_equal(bounded.row["limits"]["memory_bytes"], 128 << 20, "memory of the bound")
        check_equal(bounded.row["limits"]["pids"], 32, "pids of the bound")
        code = ("import socket, errno\ns = socket.socket(); s.setblocking(False)\n"
                "print(errno.errorcode.get(s.connect_ex((%r, %d)), 'ok'))")
        check_equal(bounded.python(code % ("8.8.4.4", 443)), "EPERM\n", "outside of the bound")
        check_equal(bounded.python(code % ("198.51.100.9", 80)), "EPERM\n", "another port")
        check_in(bounded.python(code % ("198.51.100.9", 443)).strip(), ("ok", "EINPROGRESS"), "inside")
        check_in(asked.python(code % ("198.51.100.9", 80)).strip(), ("ok", "EINPROGRESS"), "unbound")
    finally:
        asked.delete()
        bounded.delete()


@test
def a_tenant_without_a_bound_reaches_nothing():
    with other().sandbox(policy="wide") as sealed:
        code = ("import socket, errno\ns = socket.socket()\n"
                "print(errno.errorcode.get(s.connect_ex(('198.51.100.9', 443)), 'ok'))")
        check_equal(sealed.python(code), "EPERM\n", "reach")


@test
def a_number_of_sandboxes_is_kept_to():
    few = daemon().tenant("few", sandboxes_max=2)
    one, two = few.create(template="shell"), few.create(template="shell")
    few.post("/v1/sandboxes", {"template": "shell"}).problem(429, "limit")
    one.delete().expect(204)
    three = few.create(template="shell")
    two.delete()
    three.delete()


@test
def tenants_are_made_once_by_good_names_and_policies_that_are_there():
    acme()
    admin().post("/v1/tenants", {"name": "acme"}).problem(409, "conflict")
    for name in ["", "A b", "../x", "x" * 100, "ü"]:
        admin().post("/v1/tenants", {"name": name}).problem(400, "invalid")
    check_in(admin().post("/v1/tenants", {"name": "n1", "policy": "nope"}).status, (400, 404), "status")
    admin().post("/v1/keys", {"tenant": "nobody"}).expect(404)


@test
def deleting_a_tenant_ends_its_sandboxes_and_keys():
    gone = daemon().tenant("gone")
    sandbox = gone.create(template="shell")
    admin().delete("/v1/tenants/gone").expect(204)
    gone.get("/v1/sandboxes").problem(401, "unauthenticated")
    admin().get(sandbox.path).problem(404, "not-found")
    names = {row["name"] for row in admin().get("/v1/tenants").expect(200).json["tenants"]}
    check("gone" not in names and "admin" in names, f"{names}")


@test
def a_new_tenant_of_an_old_name_does_not_read_the_old_ones_records():
    first = daemon().tenant("reborn")
    with first.sandbox(template="shell") as sandbox:
        sandbox.sh("true")
    check(first.events(), "no records of the first")
    admin().delete("/v1/tenants/reborn").expect(204)
    second = daemon().tenant("reborn")
    check(sandbox.id not in json.dumps(second.events()), "records of the first are read")


if __name__ == "__main__":
    main()
