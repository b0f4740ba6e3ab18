#!/usr/bin/python3
"""Sandboxes from claim to end: create, list, get, limits, expiry, delete."""

import re

from cloche_harness import (Daemon, check, check_equal, check_in, fixture, main, test)


@fixture
def daemon():
    made = Daemon(pool="python=2,shell=0,node=0")
    yield made.start()
    made.close()


def client():
    return daemon().client


@test
def creates_from_the_pool_and_tells_every_field():
    daemon().wait_warm("python")
    answer = client().post("/v1/sandboxes", {"labels": {"job": "7", "team": "x"}}).expect(201)
    row = answer.json
    try:
        check_equal(answer.headers["Location"], f"/v1/sandboxes/{row['id']}", "Location")
        check(re.fullmatch(r"sb-[0-9a-f]{16}", row["id"]), f"id {row['id']}")
        check_equal(row["state"], "claimed", "state")
        check_equal(row["warm"], True, "warm")
        check_equal(row["template"], "python", "template")
        check_equal(row["tenant"], "admin", "tenant")
        check_equal(row["policy"]["name"], "deny-all", "policy name")
        check(re.fullmatch(r"[0-9a-f]{64}", row["policy"]["hash"]), "policy hash")
        check_equal(row["policy"]["generation"], 1, "generation")
        check_equal(row["labels"], {"job": "7", "team": "x"}, "labels")
        check_equal(set(row["limits"]), {"memory_bytes", "disk_bytes", "cpu", "pids"}, "limits")
        check(all(row["limits"].values()), f"a limit is 0: {row['limits']}")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", row["created_at"]), row["created_at"])
        check_equal(row["expires_at"], None, "expires_at")
        check_equal(row["reason"], None, "reason")
        check_equal(client().get(f"/v1/sandboxes/{row['id']}").expect(200).json, row, "GET")
    finally:
        client().delete(f"/v1/sandboxes/{row['id']}").expect(204)


@test
def an_empty_pool_starts_cold_and_says_so():
    with client().sandbox(template="shell") as cold:
        check_equal(cold.row["warm"], False, "warm")
        check_equal(cold.sh("echo works"), "works\n", "output")


@test
def running_is_a_state_after_the_first_command():
    with client().sandbox() as sandbox:
        sandbox.sh("true")
        check_equal(sandbox.get().expect(200).json["state"], "running", "state")


@test
def labels_filter_a_list():
    with client().sandbox(labels={"a": "1", "b": "2"}) as both, \
            client().sandbox(labels={"a": "1"}) as one, client().sandbox() as none:
        def ids(query):
            return {row["id"] for row in client().get(f"/v1/sandboxes?{query}").expect(200)
                    .json["sandboxes"]}
        check_equal(ids(""), {both.id, one.id, none.id}, "all")
        check_equal(ids("label=a=1"), {both.id, one.id}, "a=1")
        check_equal(ids("label=a=1&label=b=2"), {both.id}, "a=1 and b=2")
        check_equal(ids("label=a=2"), set(), "a=2")


@test
def a_cursor_pages_through_a_list_without_gap_or_repeat():
    made = [client().create(template="shell", labels={"page": "1"}) for _ in range(5)]
    try:
        seen, cursor = [], ""
        while cursor is not None:
            page = client().get(f"/v1/sandboxes?label=page=1&limit=2{cursor}").expect(200).json
            check(len(page["sandboxes"]) <= 2, "more rows than the limit")
            seen += [row["id"] for row in page["sandboxes"]]
            following = page["next_cursor"]
            cursor = f"&cursor={following}" if following else None
        check_equal(sorted(seen), sorted(sandbox.id for sandbox in made), "pages together")
    finally:
        for sandbox in made:
            sandbox.delete()


@test
def delete_ends_it_and_a_second_delete_finds_nothing():
    sandbox = client().create()
    sandbox.delete().expect(204)
    client().delete(sandbox.path).problem(404, "not-found")
    sandbox.try_exec(["true"]).problem(404, "not-found")
    listed = client().get("/v1/sandboxes").expect(200).json["sandboxes"]
    check(sandbox.id not in {row["id"] for row in listed}, "listed after its end")


@test
def delete_kills_what_runs():
    sandbox = client().create(template="shell")
    before = len(daemon().cgroups())
    started = sandbox.try_exec(["sh", "-c", "setsid sleep 1000 & trap '' TERM INT; sleep 1000"],
                               detach=True).expect(202).json
    check(started["pid"] > 1, f"{started}")
    sandbox.delete().expect(204)
    check_equal(len(daemon().cgroups()), before, "cgroups of the daemon")
    client().get(f"{sandbox.path}/usage").expect(200)


@test
def an_unknown_id_is_not_found():
    client().get("/v1/sandboxes/sb-00000000deadbeef").problem(404, "not-found")
    client().get("/v1/sandboxes/nonsense").expect(404)


@test
def environment_set_at_creation_is_seen_by_commands():
    with client().sandbox(template="shell", env={"COLOUR": "blue", "HOME": "/tmp"}) as sandbox:
        check_equal(sandbox.sh("echo $COLOUR $HOME"), "blue /tmp\n", "environment")
        check_equal(sandbox.sh("echo $COLOUR", env={"COLOUR": "red"}), "red\n", "overridden")


@test
def limits_are_taken_and_can_only_narrow():
    limits = {"memory": "128MiB", "disk": 64 * 1024 * 1024, "cpu": 0.5, "pids": 32}
    with client().sandbox(template="shell", limits=limits) as sandbox:
        check_equal(sandbox.row["limits"], {"memory_bytes": 128 << 20, "disk_bytes": 64 << 20,
                                            "cpu": 0.5, "pids": 32}, "limits")
    usual = client().create(template="shell")
    most = usual.row["limits"]["memory_bytes"]
    usual.delete()
    detail = client().post("/v1/sandboxes", {"limits": {"memory": most + 1}}).problem(403, "forbidden")
    check_in("memory", detail, "sentence")
    with client().sandbox(template="shell", limits={"memory": most}) as full:
        check_equal(full.row["limits"]["memory_bytes"], most, "just what the policy allows")


@test
def the_disk_limit_ends_writing_with_no_space():
    with client().sandbox(template="shell", limits={"disk": "16MiB"}) as small:
        done = small.exec(["sh", "-c", "dd if=/dev/zero of=/home/sandbox/f bs=1M count=64"])
        check(done["exit_code"] != 0, "wrote past the limit")
        check_in("No space left on device", done["stderr"], "stderr")
        small.sh("rm /home/sandbox/f; dd if=/dev/zero of=/home/sandbox/f bs=1M count=8 2>&1")


@test
def a_life_span_ends_a_sandbox_and_is_told():
    sandbox = client().create(template="shell", timeout_seconds=1)
    check(sandbox.row["expires_at"] > sandbox.row["created_at"], "expires_at")
    record = client().wait_event(lambda r: r["type"] == "sandbox.end", sandbox=sandbox.id)
    check_equal(record["reason"], "timeout", "the record of its end")
    client().delete(sandbox.path).problem(404, "not-found")


@test
def a_life_span_that_is_not_over_changes_nothing():
    with client().sandbox(template="shell", timeout_seconds=3600) as sandbox:
        check_equal(sandbox.sh("echo alive"), "alive\n", "output")


@test
def an_unknown_template_is_refused():
    detail = client().post("/v1/sandboxes", {"template": "cobol"}).problem(404, "not-found")
    check_in("cobol", detail, "sentence")


@test
def an_unknown_policy_is_refused():
    detail = client().post("/v1/sandboxes", {"policy": "no-such"}).problem(404, "not-found")
    check_in("no-such", detail, "sentence")


@test
def an_unknown_key_is_named_with_its_place():
    detail = client().post("/v1/sandboxes", {"limits": {"memroy": 1}}).problem(400, "invalid")
    check_in("memroy", detail, "sentence")
    check_in("/limits", detail, "sentence")


@test
def values_out_of_range_are_refused():
    for body in [{"limits": {"memory": "-1"}}, {"limits": {"cpu": 0}}, {"limits": {"pids": -3}},
                 {"timeout_seconds": -1}, {"labels": {"": "x"}}, {"labels": "x"}, {"env": {"A=B": "x"}},
                 {"template": 3}, [], {"labels": {str(n): "x" for n in range(200)}}]:
        client().post("/v1/sandboxes", body).problem(400, "invalid")


@test
def templates_are_listed_with_their_runtime():
    rows = {row["name"]: row for row in
            client().get("/v1/templates").expect(200).json["templates"]}
    check({"python", "node", "shell"} <= set(rows), f"{rows}")
    for row in rows.values():
        check_equal(set(row), {"name", "available", "reason", "runtime", "warm", "target", "shadow"}, "keys")
        check(row["available"] != bool(row["reason"]), f"a reason when it is missing: {row}")
    check_equal(rows["python"]["target"], 2, "target of python")


if __name__ == "__main__":
    main()
