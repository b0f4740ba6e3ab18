#!/usr/bin/python3
"""Policies put by the API: written, in force, locked by their hash, rolled back, in the log."""

import errno
import hashlib
import json
import os
import subprocess

from cloche_harness import (BUILD, Daemon, check, check_equal, check_in, fixture, main, read_text,
                            running, test)
from internet import connect, web


@fixture
def daemon():
    made = Daemon(policies=[web([7])], pool="python=1")
    yield made.start()
    made.close()


def put(policy, on=None, **headers):
    client = (on or daemon()).client
    return client.post(f"/v1/policies/{policy['name']}", policy,
                       headers={name.replace("_", "-"): value for name, value in headers.items()})


def back(name, digest, **headers):
    return daemon().client.post(f"/v1/policies/{name}/rollback", {"hash": digest}, headers=headers)


def hash_of(name):
    return daemon().client.get(f"/v1/policies/{name}").expect(200).headers["ETag"].strip('"')


def file_of(name):
    return f"{daemon().policy_dir}/{name}.json"


@test
def a_put_policy_is_in_its_file_in_force_and_in_the_log():
    before, after = hash_of("web"), daemon().client.last_sequence()
    with daemon().client.sandbox(policy="web") as sandbox:
        check_equal((connect(sandbox, 7), connect(sandbox, 8000)), ("ok", "EPERM"), "before")
        answer = put(web([8000]), X_Cloche_Commit="0123abc").expect(200)
        check_equal((connect(sandbox, 7), connect(sandbox, 8000)), ("EPERM", "ok"), "after")
        check_equal(sandbox.get().expect(200).json["policy"]["hash"], answer.json["hash"], "hash")
    text = read_text(file_of("web"))
    check_equal(json.loads(text), web([8000]), "the file")
    check_equal((answer.headers["ETag"], answer.json["hash_before"]), (f'"{hash_of("web")}"', before), "hashes")
    record, = daemon().client.events(type="policy.change", after=after)
    check_equal({key: record[key] for key in ("name", "hash_before", "hash", "file_hash", "commit", "stage")},
                {"name": "web", "hash_before": before, "hash": answer.json["hash"],
                 "file_hash": hashlib.sha256(text.encode()).hexdigest(), "commit": "0123abc",
                 "stage": "enforce"}, "record")
    check(record["by_key"].startswith("ck_") and record["remote"].startswith("unix uid=0"), record)
    load, = daemon().client.events(type="policy.reload", after=after)
    check_equal(load["changes"], [{"name": "web", "hash_before": before, "hash": record["hash"],
                                   "file_hash": record["file_hash"]}], "what the load changed")
    put(web([7])).expect(200)


@test
def a_lock_that_does_not_hold_changes_nothing():
    before, text = hash_of("web"), read_text(file_of("web"))
    put(web([1]), If_Match=f'"{"0" * 64}"').problem(412, "precondition")
    put(web([1]), If_None_Match="*").problem(412, "precondition")
    put(web([1], name="other"), If_Match=f'"{before}"').problem(412, "precondition")
    for headers in [{"If_Match": before}, {"If_Match": "*"}, {"If_None_Match": f'"{before}"'},
                    {"If_Match": f'"{before}"', "If_None_Match": "*"}, {"X_Cloche_Commit": "abc"},
                    {"X_Cloche_Commit": "xyzxyzxyz"}]:
        put(web([1]), **headers).problem(400, "invalid")
    check_equal((hash_of("web"), read_text(file_of("web"))), (before, text), "what is there")
    check(not os.path.exists(file_of("other")), "no file of another")
    put(web([7]), If_Match=f'"{before}"').expect(200)
    put(web([1], name="other"), If_None_Match="*").expect(201)
    check_equal(hash_of("other"), daemon().client.get("/v1/policies/other").headers["ETag"].strip('"'), "new")


@test
def a_bad_policy_is_refused_with_its_place():
    before, text = hash_of("web"), read_text(file_of("web"))
    bad, files = {**web([7]), "netwrok": {}}, set(os.listdir(daemon().policy_dir))
    check_in("/netwrok", put(bad).problem(400, "invalid"), "the place")
    check_in("web", daemon().client.post("/v1/policies/other2", web([7])).problem(400, "invalid"), "the name")
    daemon().client.post("/v1/policies/..", web([7])).expect(400)
    daemon().client.post("/v1/policies/%2e%2e%2fx", web([7])).expect(404)
    daemon().client.post("/v1/policies/web", raw=b"", headers={"Content-Type": "application/json"}).expect(400)
    big = {**web([7]), "description": "x", "network": {"allow": [
        {"cidr": f"10.{i >> 8}.{i & 255}.1/32", "description": "d" * 60} for i in range(1500)]}}
    put(big).problem(413, "too-large")
    check_equal((hash_of("web"), read_text(file_of("web"))), (before, text), "what is there")
    check_equal(set(os.listdir(daemon().policy_dir)), files, "files")


@test
def a_policy_that_others_extend_is_checked_with_them():
    base = web([7], name="base")
    put(base).expect(201)
    put({"version": 1, "name": "upon", "extends": "base"}).expect(201)
    upon = hash_of("upon")
    broken = {**base, "name": "base", "network": {"allow": []}, "extends": "upon"}
    put(broken).problem(400, "invalid")
    put(web([8000], name="base")).expect(200)
    check(hash_of("upon") != upon, "what extends it changes with it")
    answer = back("upon", upon).problem(409, "conflict")
    check_in("extends", answer, "why not")


@test
def a_version_comes_back_by_its_hash():
    first = hash_of("web")
    second = put(web([8000])).expect(200).json["hash"]
    rows = daemon().client.get("/v1/policies/web/versions").expect(200).json["versions"]
    check_equal([row["hash"] for row in rows[:2]], [second, first], "newest first")
    check(rows[0]["by_key"].startswith("ck_") and rows[-1]["by_key"] is None, rows)
    after = daemon().client.last_sequence()
    back("web", first, **{"If-Match": f'"{first}"'}).problem(412, "precondition")
    answer = back("web", first, **{"X-Cloche-Commit": "feedface"}).expect(200)
    check_equal((answer.json["hash"], hash_of("web")), (first, first), "in force")
    check_equal(json.loads(read_text(file_of("web"))), web([7]), "the file")
    record, = daemon().client.events(type="policy.change", after=after)
    check_equal((record["stage"], record["hash"], record["hash_before"], record["commit"]),
                ("rollback", first, second, "feedface"), "record")
    back("web", "0" * 64).problem(404, "not-found")
    back("web", "abc").problem(400, "invalid")
    daemon().client.get("/v1/policies/none/versions").problem(404, "not-found")


@test
def what_a_reload_brings_is_a_version_too_and_sixteen_are_kept():
    put(web([7])).expect(200)
    first = hash_of("web")
    daemon().write_policy(web([9]))
    daemon().client.post("/v1/policies/reload").expect(200)
    check_equal(back("web", first).expect(200).json["hash"], first, "back before the reload")
    for port in range(100, 116):
        put(web([port])).expect(200)
    rows = daemon().client.get("/v1/policies/web/versions").expect(200).json["versions"]
    check_equal(len(rows), 16, "versions")
    back("web", first).problem(404, "not-found")
    put(web([7])).expect(200)


@test
def only_administrators_may():
    client = daemon().tenant("red", policy="web")
    client.post("/v1/policies/web", web([1])).problem(403, "forbidden")
    client.post("/v1/policies/web/rollback", {"hash": "0" * 64}).problem(403, "forbidden")
    client.get("/v1/policies/web/versions").problem(403, "forbidden")
    client.get("/v1/policies/web").expect(200)


@test
def a_directory_that_is_read_only_is_left_alone():
    text = read_text(file_of("web"))
    subprocess.run(["mount", "--bind", daemon().policy_dir, daemon().policy_dir], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", daemon().policy_dir], check=True)
        answer = put(web([4321])).problem(409, "conflict")
        check_in(os.strerror(errno.EROFS), answer, "why")
        versions = daemon().client.get("/v1/policies/web/versions").expect(200).json["versions"]
        check_equal(versions[0]["hash"], hash_of("web"), "no version is left of it")
    finally:
        subprocess.run(["umount", daemon().policy_dir], check=True)
    check_equal(read_text(file_of("web")), text, "the file")
    put(web([7])).expect(200)


@test
def versions_outlive_a_crash():
    with running(policies=[web([7])], pool="python=0") as mine:
        first = mine.client.get("/v1/policies/web").headers["ETag"].strip('"')
        put(web([8000]), on=mine).expect(200)
        mine.kill()
        mine.start()
        rows = mine.client.get("/v1/policies/web/versions").expect(200).json["versions"]
        check_equal((len(rows), rows[1]["hash"]), (2, first), "versions")
        mine.client.post("/v1/policies/web/rollback", {"hash": first}).expect(200)
        check_equal(mine.client.get("/v1/policies/web").headers["ETag"].strip('"'), first, "back")


def cloche(*words):
    return subprocess.run([f"{BUILD}/cloche", "--url", f"unix://{daemon().socket_path}", "--key-file",
                           f"{daemon().state_dir}/admin.key", *words], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)


@test
def the_client_applies_and_rolls_back():
    put(web([7])).expect(200)
    first, path = hash_of("web"), f"{daemon().directory}/new.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(web([8000]), file)
    done = cloche("policy", "apply", path, "--if-match", "1" * 64)
    check_equal(done.returncode, 1, "a lock that does not hold")
    check_in(first, done.stderr, "says what is in force")
    done = cloche("policy", "apply", path, "--if-match", first, "--commit", "0123abcd")
    check_equal((done.returncode, done.stderr), (0, ""), "apply")
    check(hash_of("web") != first, "in force")
    listed = cloche("policy", "versions", "web")
    check_in("0123abcd", listed.stdout, "the commit is listed")
    done = cloche("policy", "rollback", "web", first)
    check_equal((done.returncode, hash_of("web")), (0, first), "rollback")
    check_equal(cloche("policy", "rollback", "web", "0" * 64).returncode, 1, "an unknown hash")
    for verb in ["rollback", "promote"]:
        cut = cloche("policy", verb, "web", first[:12])
        check_equal(cut.returncode, 2, "a hash that is cut short")
        check_in("A hash is whole, 64 digits, as 'cloche policy versions NAME' prints it.", cut.stderr, "says so")


if __name__ == "__main__":
    main()
