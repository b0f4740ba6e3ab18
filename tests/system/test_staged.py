#!/usr/bin/python3
"""Staged versions: asked of whom they would change something for, put in force by their hash, and gone."""

import json
import os
import subprocess

from cloche_harness import BUILD, Daemon, check, check_equal, check_in, fixture, main, read_text, running, test, until
from internet import connect, internet, web


@fixture
def daemon():
    made = Daemon(policies=[web([7, 8000]), web([7], "narrow"), web([7, 8000], "bound"), web([8000], "base"),
                            {"version": 1, "name": "heir", "extends": "base"}], pool="python=2")
    yield made.start()
    made.close()


def stage(policy, on=None, **headers):
    return (on or daemon()).client.post(f"/v1/policies/{policy['name']}?stage=shadow", policy,
                                        headers={name.replace("_", "-"): value for name, value in headers.items()})


def promote(name, digest, client=None, **headers):
    return (client or daemon().client).request(
        "POST", f"/v1/policies/{name}?stage=enforce&hash={digest}",
        headers={key.replace("_", "-"): value for key, value in headers.items()})


def drop(name, query="?stage=shadow", client=None):
    return (client or daemon().client).delete(f"/v1/policies/{name}{query}")


def hash_of(name, query=""):
    return daemon().client.get(f"/v1/policies/{name}{query}").expect(200).headers["ETag"].strip('"')


def of(sandbox):
    shadow = sandbox.get().expect(200).json["shadow"]
    return shadow and (shadow["name"], shadow["source"])


def sums(name, client=None):
    return (client or daemon().client).get(f"/v1/policies/{name}/shadow").expect(200).json


@test
def a_staged_version_is_asked_then_enforced_then_rolled_back():
    before, file = hash_of("web"), f"{daemon().policy_dir}/web.json"
    text, after = read_text(file), daemon().client.last_sequence()
    with daemon().client.sandbox(policy="web") as early, daemon().client.sandbox(policy="narrow") as other:
        answer = stage(web([7]), X_Cloche_Commit="0123abc").expect(200).json
        staged = answer["hash"]
        check_equal({key: answer[key] for key in ("stage", "hash_before", "asked", "not_asked")},
                    {"stage": "shadow", "hash_before": before, "asked": 1, "not_asked": 0}, "the answer")
        check_equal((hash_of("web"), read_text(file)), (before, text), "nothing is in force, nor in the directory")
        check_equal((of(early), of(other)), (("web", "staged"), None), "who is asked")
        check_equal(hash_of("web", "?stage=shadow"), staged, "it can be read")
        with daemon().client.sandbox(policy="web") as late:
            check_equal(of(late), ("web", "staged"), "a new one is asked, too")
            check_equal([connect(late, 7), connect(late, 8000)], ["ok", "ok"], "no verdict changes")
        found = sums("web")
        check_equal((found["would_deny"], found["staged"]["agreed"], found["staged"]["would_deny"]), (0, 1, 1), "sums")
        row, = [r for r in found["staged"]["rules"] if r["outcome"] == "would_deny"]
        check_equal((row["policy"], row["rule"], row["count"]), ("web", 1, 1), "by rule")
        check_equal((found["staged"]["hash"], found["staged"]["asked"], found["staged"]["commit"]),
                    (staged, 1, "0123abc"), "what was staged")
        told = daemon().client.get("/v1/policies/web/versions").expect(200).json["staged"]
        check_equal((told["hash"], told["by_key"][:3], told["error"]), (staged, "ck_", None), "beside the versions")
        promote("web", "0" * 64).problem(412, "precondition")
        promote("web", staged, If_Match=f'"{staged}"').problem(412, "precondition")
        check_equal(connect(early, 8000), "ok", "still not in force")
        done = promote("web", staged, If_Match=f'"{before}"').expect(200).json
        check_equal((done["hash"], done["hash_before"], done["stage"]), (staged, before, "enforce"), "promoted")
        check_equal([connect(early, 7), connect(early, 8000)], ["ok", "EPERM"], "in force")
        check_equal((of(early), hash_of("web"), json.loads(read_text(file))), (None, staged, web([7])), "and written")
        check_equal(daemon().client.get("/v1/policies/web/versions").json["staged"], None, "staged no more")
        daemon().client.post("/v1/policies/web/rollback", {"hash": before}).expect(200)
        check_equal(connect(early, 8000), "ok", "rolled back")
        records = daemon().client.events(type="policy.change", after=after)
        check_equal([(r["stage"], r["hash"], r["hash_before"], r["commit"]) for r in records],
                    [("shadow", staged, before, "0123abc"), ("enforce", staged, before, "0123abc"),
                     ("rollback", before, staged, None)], "records")
        check_equal((records[0]["asked"], records[0]["not_asked"], records[0]["by_key"][:3]), (1, 0, "ck_"), "whom")
    promote("web", staged).problem(404, "not-found")


@test
def heirs_and_those_who_are_bound_are_asked_and_nobody_else():
    red = daemon().tenant("red", policy="bound")
    with daemon().client.sandbox(policy="heir") as heir, daemon().client.sandbox(policy="web") as web_one, \
            red.sandbox(policy="web") as bound_one, red.sandbox(policy="narrow") as agreeing:
        stage(web([7], "base")).expect(200)
        check_equal([of(s) for s in (heir, web_one, bound_one)], [("heir", "staged"), None, None], "heirs")
        check_equal(connect(heir, 8000), "ok", "as before")
        row, = sums("base")["staged"]["rules"]
        check_equal((row["outcome"], row["policy"], row["count"]), ("would_deny", "heir", 1), "the heir's rule")
        check_equal(sums("heir")["staged"], None, "what is staged is the base")
        drop("base").expect(204)
        check_in("learn", stage({**web([7], "bound"), "mode": "learn"}).problem(400, "invalid"), "binds nothing")
        answer = stage(web([7], "bound")).expect(200).json
        check_equal((answer["asked"], answer["not_asked"]), (1, 0), "one would be bound otherwise")
        check_equal([of(s) for s in (heir, web_one, bound_one, agreeing)], [None, None, ("web", "staged"), None], "who")
        check_equal(connect(bound_one, 8000), "ok", "as before")
        check_equal(sums("bound", red)["staged"]["would_deny"], 1, "the tenant sees its own")
        check_equal(sums("bound", red)["staged"]["by_key"], None, "but not who did it")
        blue = daemon().tenant("blue", policy="web")
        check_equal((sums("bound", blue)["staged"]["would_deny"], sums("bound", blue)["staged"]["asked"]), (0, 0),
                    "another tenant sees none")
        drop("bound").expect(204)
        check_equal(of(bound_one), None, "not asked any more")
        stage(web([7], "template-python")).expect(200)
        check_equal([of(s) for s in (heir, agreeing)], [("heir", "staged"), None], "as the template's layer")
        drop("template-python").expect(204)
        check_equal(of(heir), None, "not asked any more")


@test
def what_is_not_asked_is_told():
    with daemon().client.sandbox(policy="web") as sandbox:
        sandbox.client.request("PATCH", sandbox.path, {"shadow": "narrow"}).expect(200)
        answer = stage(web([8000])).expect(200).json
        check_equal((answer["asked"], answer["not_asked"], of(sandbox)), (0, 1, ("narrow", "administrator")), "a nearer one goes first")
        check_equal(sums("web")["staged"]["not_asked"], 1, "told")
        sandbox.client.request("PATCH", sandbox.path, {"shadow": None}).expect(200)
        check_equal((of(sandbox), sums("web")["staged"]["not_asked"]), (("web", "staged"), 0), "and then it is asked")
    drop("web").expect(204)


@test
def what_is_no_stage_is_refused():
    client, before = daemon().client, hash_of("web")
    files = set(os.listdir(daemon().policy_dir))
    for query in "?stage=later", "?stage=", "?stage=shadow&stage=enforce", "?stages=shadow", f"?hash={'0' * 64}", \
            f"?stage=shadow&hash={'0' * 64}", f"?stage=enforce&hash={'0' * 64}", "?commit=xyz":
        client.post(f"/v1/policies/web{query}", web([7])).problem(400, "invalid")
    for query in "?stage=enforce", "?stage=enforce&hash=abc", "?stage=shadow", "":
        client.request("POST", f"/v1/policies/web{query}").problem(400, "invalid")
    client.post("/v1/policies/web?commit=0123abcd", web([7]), headers={"X-Cloche-Commit": "0123abc"}).problem(
        400, "invalid")
    check_in("/netwrok", stage({**web([7]), "netwrok": {}}).problem(400, "invalid"), "the place")
    check_in("web", client.post("/v1/policies/other?stage=shadow", web([7])).problem(400, "invalid"), "the name")
    stage({**web([7], "base"), "extends": "heir"}).problem(400, "invalid")
    stage(web([7]), If_Match=f'"{"0" * 64}"').problem(412, "precondition")
    stage(web([7]), If_None_Match="*").problem(412, "precondition")
    drop("web").problem(404, "not-found")
    for query in "", "?stage=enforce", "?stage=shadow&x=1":
        drop("web", query).problem(400, "invalid")
    client.get("/v1/policies/web?stage=shadow").problem(404, "not-found")
    client.get("/v1/policies/web?stage=later").problem(400, "invalid")
    staged = stage(web([7]), If_Match=f'"{before}"').expect(200).json["hash"]
    drop("web", f"?stage=shadow&hash={'0' * 64}").problem(412, "precondition")
    drop("web", f"?stage=shadow&hash={staged}").expect(204)
    fresh = stage(web([7], "fresh"), If_None_Match="*").expect(200).json
    check_equal((fresh["hash_before"], fresh["asked"]), (None, 0), "one that nobody has")
    check_equal(client.get("/v1/policies/fresh/versions").expect(200).json["versions"], [], "none was in force")
    check_equal((hash_of("web"), set(os.listdir(daemon().policy_dir))), (before, files), "nothing is in force")
    promote("fresh", fresh["hash"]).expect(201)
    with client.sandbox(policy="fresh") as sandbox:
        check_equal([connect(sandbox, 7), connect(sandbox, 8000)], ["ok", "EPERM"], "and now it is")
    answer = client.post("/v1/policies/fresh?stage=enforce&commit=0123abcd", web([8000], "fresh")).expect(200).json
    check_equal(answer["stage"], "enforce", "with a body it is put at once")
    rows = client.get("/v1/policies/fresh/versions").expect(200).json["versions"]
    check_equal(rows[0]["commit"], "0123abcd", "with its commit")


@test
def only_administrators_stage():
    red = daemon().tenant("maroon", policy="web")
    red.post("/v1/policies/web?stage=shadow", web([7])).problem(403, "forbidden")
    staged = stage(web([7])).expect(200).json["hash"]
    promote("web", staged, red).problem(403, "forbidden")
    drop("web", client=red).problem(403, "forbidden")
    red.get("/v1/policies/web?stage=shadow").problem(403, "forbidden")
    check_equal(daemon().client.get("/v1/policies/web/versions").json["staged"]["hash"], staged, "still there")
    drop("web").expect(204)


@test
def what_was_reviewed_is_what_comes():
    client = daemon().client
    base = hash_of("base")
    staged = stage({"version": 1, "name": "heir", "extends": "base", "description": "reviewed"}).expect(200).json
    client.post("/v1/policies/base", web([8000, 9], "base")).expect(200)
    told = client.get("/v1/policies/heir/versions").json["staged"]
    check_in("extends", told["error"], "what it extends is another")
    promote("heir", staged["hash"]).problem(409, "conflict")
    client.get("/v1/policies/heir?stage=shadow").problem(409, "conflict")
    client.post("/v1/policies/base/rollback", {"hash": base}).expect(200)
    check_equal(client.get("/v1/policies/heir/versions").json["staged"]["error"], None, "and again as reviewed")
    first = stage(web([7])).expect(200).json["hash"]
    second = stage(web([9])).expect(200).json["hash"]
    promote("web", first).problem(412, "precondition")
    check(hash_of("web") not in (first, second), "not in force")
    drop("web").expect(204)
    promote("heir", staged["hash"]).expect(200)
    for number in range(8):
        stage(web([7], f"many-{number}")).expect(200)
    stage(web([7], "many-8")).problem(429, "limit")
    stage(web([8000], "many-7")).expect(200)
    for number in range(8):
        drop(f"many-{number}").expect(204)


@test
def a_staged_version_outlives_a_crash_at_each_stage():
    with running(policies=[web([7, 8000])], pool="python=1") as mine:
        before = mine.client.get("/v1/policies/web").headers["ETag"].strip('"')
        with mine.client.sandbox(policy="web") as sandbox:
            staged = stage(web([7]), on=mine, X_Cloche_Commit="0123abc").expect(200).json["hash"]
            connect(sandbox, 8000)
            mine.kill()
            mine.start()
            sandbox.client = mine.client
            check_equal(of(sandbox), ("web", "staged"), "still asked")
            told = mine.client.get("/v1/policies/web/versions").json["staged"]
            check_equal((told["hash"], told["commit"], told["asked"]), (staged, "0123abc", 1), "still there")
            check_equal(connect(sandbox, 8000), "ok", "still not in force")
            check_equal(sums("web", mine.client)["staged"]["would_deny"], 1, "counted, since the restart")
            promote("web", staged, mine.client).expect(200)
            mine.kill()
            mine.start()
            sandbox.client = mine.client
            check_equal((connect(sandbox, 8000), of(sandbox)), ("EPERM", None), "in force")
            check_equal(mine.client.get("/v1/policies/web/versions").json["staged"], None, "staged no more")
            mine.client.post("/v1/policies/web/rollback", {"hash": before}).expect(200)
            mine.kill()
            mine.start()
            sandbox.client = mine.client
            check_equal((connect(sandbox, 8000), of(sandbox)), ("ok", None), "rolled back")


IMAGES_MAX = 127  # different effective policies that a kernel holds; one that nobody uses rests for a second


@test
def a_full_kernel_asks_nobody_and_says_so():
    filling = [web([7, 10000 + number], f"fill-{number}") for number in range(IMAGES_MAX - 2)]
    with running(policies=[web([7, 8000]), web([7], "narrow"), *filling], pool="python=2") as mine:
        client = mine.client
        with client.sandbox(policy="web") as sandbox:
            ids = [client.create(policy=policy["name"]).id for policy in filling]
            answer = stage(web([7]), on=mine).expect(200).json
            check_equal((answer["asked"], answer["not_asked"]), (1, 0), "one more fits")
            one_more = client.post("/v1/sandboxes", {"policy": "narrow"}).problem(429, "limit")
            check_in("no room", one_more, "and no other")
            answer = stage(web([8000]), on=mine).expect(200).json
            check_equal((answer["asked"], answer["not_asked"]), (0, 1), "another one does not fit beside it")
            check_equal(sandbox.get().json["shadow"], {"name": "web", "hash": None, "source": "staged"}, "nobody is")
            told = client.events(type="sandbox.shadow")[-1]
            check_in("no room", told["shadow_error"], "the record says why")
            check_equal(client.events(type="policy.change")[-1]["not_asked"], 1, "and how many")
            check_equal(sums("web", client)["staged"]["not_asked"], 1, "so do the sums")
            sandbox.client.request("PATCH", sandbox.path, {"shadow": "narrow"}).problem(429, "limit")
            check_equal(sandbox.get().json["shadow"]["source"], "staged", "it stays as it was")
            row = client.request("PATCH", "/v1/tenants/admin", {"shadow": "narrow"}).expect(200).json
            check_equal((row["shadow"]["asked"], row["shadow"]["not_asked"]), (0, len(ids)), "for a tenant likewise")
            client.request("PATCH", "/v1/tenants/admin", {"shadow": None}).expect(200)
            client.delete(f"/v1/sandboxes/{ids.pop()}").expect(204)

            def is_asked():
                return stage(web([8000]), on=mine).expect(200).json["asked"] == 1
            until(is_asked, "it is asked when there is room again")


def cloche(*words):
    return subprocess.run([f"{BUILD}/cloche", "--url", f"unix://{daemon().socket_path}", "--key-file",
                           f"{daemon().state_dir}/admin.key", *words], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)


@test
def the_client_stages_promotes_and_drops():
    path, before = f"{daemon().directory}/new.json", hash_of("web")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(web([7]), file)
    with daemon().client.sandbox(policy="web") as sandbox:
        done = cloche("policy", "apply", path, "--stage", "shadow", "--if-match", before)
        check_equal((done.returncode, done.stderr), (0, ""), "stage")
        check_in("asked for 1 sandbox (in force", done.stdout, "says whom")
        staged = hash_of("web", "?stage=shadow")
        connect(sandbox, 8000)
        check_in(staged, cloche("policy", "versions", "web").stdout, "listed")
        check_in(f"connect {internet().v4}:8000", cloche("policy", "shadow", "web").stdout, "sums")
        check_in('"ports"', cloche("policy", "show", "web", "--staged").stdout, "its text")
        check_equal(cloche("policy", "promote", "web", "0" * 64).returncode, 1, "another hash")
        check_equal(hash_of("web"), before, "nothing is in force")
        done = cloche("policy", "promote", "web", staged, "--if-match", before)
        check_equal((done.returncode, done.stderr, hash_of("web")), (0, "", staged), "promote")
        check_equal(cloche("policy", "rollback", "web", before).returncode, 0, "rollback")
        check_equal(cloche("policy", "apply", path, "--stage", "shadow").returncode, 0, "stage again")
        check_equal(cloche("policy", "drop", "web").returncode, 0, "drop")
        check_equal(cloche("policy", "drop", "web").returncode, 1, "there is none")
        check_equal(cloche("policy", "apply", path, "--stage", "later").returncode, 2, "no stage")


if __name__ == "__main__":
    main()
