#!/usr/bin/python3
"""A candidate beside the policy in force: it changes nothing, and records and sums say what it would."""

import json
import os
import subprocess
import time

from cloche_harness import BUILD, Daemon, Sandbox, check, check_equal, check_in, fixture, main, running, test
from internet import connect, internet, web


@fixture
def daemon():
    made = Daemon(policies=[web([7, 8000]), web([7], "narrow"), web([7, 8001], "other"), bound()], pool="python=2")
    yield made.start()
    made.close()


def bound():
    return {"version": 1, "name": "bound", "network": {"allow": [{"cidr": f"{internet().v4}/32", "ports": [7]}]}}


def patch(sandbox, **body):
    return sandbox.client.request("PATCH", sandbox.path, body)


def sums(name, client=None):
    answer = (client or daemon().client).get(f"/v1/policies/{name}/shadow").expect(200).json
    return answer, {(row["outcome"], row["policy"], row["rule"]): row for row in answer["rules"]}


def records(sandbox, port):
    return [r for r in daemon().client.events(type="network.connect") if r.get("sandbox") == sandbox.id
            and r["port"] == port]


@test
def a_candidate_changes_no_verdict_and_is_in_the_record():
    with daemon().client.sandbox(policy="web") as sandbox:
        check_equal(sandbox.get().json["shadow"], None, "none at first")
        row = patch(sandbox, shadow="narrow").expect(200).json
        check_equal((row["shadow"]["name"], row["shadow"]["source"]), ("narrow", "administrator"), "shown")
        told, = [r for r in daemon().client.events(type="sandbox.shadow") if r.get("sandbox") == sandbox.id]
        check_equal((told["shadow"], told["shadow_hash"], told["shadow_source"]),
                    ("narrow", row["shadow"]["hash"], "administrator"), "recorded")
        check_equal((row["policy"]["name"], row["policy"]["generation"]), ("web", 1), "in force")
        check_equal([connect(sandbox, port) for port in (7, 8000, 8001)], ["ok", "ok", "EPERM"], "verdicts")
        agreed, = records(sandbox, 7)
        check("shadow" not in agreed, f"it agrees: {agreed}")
        differs, = records(sandbox, 8000)
        check_equal((differs["verdict"], differs["rule"], differs["policy"]["name"]), ("allow", 1, "web"), "enforced")
        opinion = differs["shadow"]
        check_equal({key: opinion[key] for key in ("policy", "hash", "verdict", "reason", "rule")},
                    {"policy": "narrow", "hash": row["shadow"]["hash"], "verdict": "deny", "reason": "default",
                     "rule": None}, "the candidate's")
        answer, rules = sums("narrow")
        check_equal((answer["agreed"], answer["would_deny"], answer["would_allow"]), (2, 1, 0), "sums")
        row = rules["would_deny", "web", 1]
        check_equal((row["count"], row["example"]["act"], row["example"]["sandbox"]),
                    (1, f"connect {internet().v4}:8000", sandbox.id), "by rule")
    answer, _ = sums("narrow")
    check_equal((answer["agreed"], answer["would_deny"]), (2, 1), "sums outlive the sandbox")


@test
def what_it_would_allow_stays_denied():
    with daemon().client.sandbox(policy="web") as sandbox:
        patch(sandbox, shadow="other").expect(200)
        check_equal(connect(sandbox, 8001), "EPERM", "denied")
        record, = records(sandbox, 8001)
        check_equal((record["verdict"], record["shadow"]["verdict"], record["shadow"]["rule"]),
                    ("deny", "allow", 1), "record")
        _, rules = sums("other")
        check_equal(rules["would_allow", "other", 1]["count"], 1, "counted by the candidate's rule")
        check_equal(patch(sandbox, policy="other").expect(200).json["shadow"]["name"], "other", "it stays")
        check_equal((connect(sandbox, 8001), connect(sandbox, 8000)), ("ok", "EPERM"), "enforced")
        check_equal(patch(sandbox, shadow=None).expect(200).json["shadow"], None, "taken away")
        patch(sandbox, shadow="-").problem(400, "invalid")
        patch(sandbox, policy="web").expect(200)
        before = sums("other")[0]
        connect(sandbox, 8001)
        check("shadow" not in records(sandbox, 8001)[-1], "nothing is asked any more")
        check_equal(sums("other")[0], before, "nor counted")


@test
def a_candidate_cannot_be_wider_than_the_bound():
    client = daemon().tenant("red", policy="bound")
    with client.sandbox() as sandbox:
        patch(sandbox, shadow="web").expect(200)
        check_equal(connect(sandbox, 8000), "EPERM", "denied")
        check_equal(sums("web", client)[0]["would_allow"], 0, "the tenant's bound holds for it too")
        check_equal(sums("web", client)[0]["agreed"], 1, "counted for the tenant")
        check_equal(sums("web", daemon().tenant("blue", policy="bound"))[0]["agreed"], 0, "and for nobody else")


@test
def what_makes_no_sense_is_refused():
    with daemon().client.sandbox(policy="web") as sandbox:
        patch(sandbox, shadow="none-such").problem(404, "not-found")
        patch(sandbox, shadow="").problem(400, "invalid")
        patch(sandbox, shadow=7).problem(400, "invalid")
        patch(sandbox, shadow="narrow", policy="web").problem(400, "invalid")
        patch(sandbox).problem(400, "invalid")
        check_equal(sandbox.get().json["shadow"], None, "nothing was changed")
        daemon().client.get("/v1/policies/none-such/shadow").problem(404, "not-found")


@test
def a_reload_asks_the_new_candidate():
    with daemon().client.sandbox(policy="web") as sandbox:
        first = patch(sandbox, shadow="narrow").expect(200).json["shadow"]["hash"]
        daemon().client.post("/v1/policies/narrow", web([7, 8000], "narrow")).expect(200)
        row = sandbox.get().expect(200).json
        check(row["shadow"]["hash"] != first and row["policy"]["generation"] == 1, row)
        check_equal(connect(sandbox, 8000), "ok", "allowed")
        answer, _ = sums("narrow")
        check_equal((answer["agreed"], answer["would_deny"]), (1, 0), "counts of the new one alone")
        daemon().client.post("/v1/policies/narrow", web([7], "narrow")).expect(200)


@test
def a_candidate_that_is_gone_is_asked_again_when_it_is_back():
    daemon().client.post("/v1/policies/passing", web([7], "passing")).expect(201)
    with daemon().client.sandbox(policy="web") as sandbox:
        patch(sandbox, shadow="passing").expect(200)
        os.unlink(f"{daemon().policy_dir}/passing.json")
        daemon().client.post("/v1/policies/reload").expect(200)
        check_equal(sandbox.get().json["shadow"], {"name": "passing", "hash": None, "source": "administrator"},
                    "is missed")
        told = [r for r in daemon().client.events(type="sandbox.shadow") if r.get("sandbox") == sandbox.id][-1]
        check_equal(told["shadow_hash"], None, "recorded")
        check_in("passing", told["shadow_error"], "with the reason")
        check_equal(connect(sandbox, 8000), "ok", "the policy in force goes on")
        check("shadow" not in records(sandbox, 8000)[-1], "nothing is asked")
        daemon().client.post("/v1/policies/passing", web([7], "passing")).expect(201)
        check(sandbox.get().json["shadow"]["hash"], "asked again")
        connect(sandbox, 8000)
        check_equal(records(sandbox, 8000)[-1]["shadow"]["verdict"], "deny", "and counted")


def change(path, client=None, **body):
    return (client or daemon().client).request("PATCH", f"/v1/{path}", body)


@test
def a_tenants_candidate_is_asked_for_all_its_sandboxes_and_nobody_elses():
    red, blue = daemon().tenant("crimson", policy="web"), daemon().tenant("navy", policy="web")
    after = daemon().client.last_sequence()
    with red.sandbox(policy="web") as early, blue.sandbox(policy="web") as other:
        row = change("tenants/crimson", shadow="narrow").expect(200).json
        check_equal(row["shadow"], {"name": "narrow", "asked": 1, "not_asked": 0}, "told")
        with red.sandbox(policy="web") as late:
            for sandbox in early, late:
                check_equal(sandbox.get().json["shadow"]["source"], "tenant", "whose")
                check_equal(connect(sandbox, 8000), "ok", "no verdict changes")
                check_equal(records(sandbox, 8000)[-1]["shadow"]["verdict"], "deny", "asked")
            made, = [r for r in daemon().client.events(type="sandbox.create", after=after)
                     if r["sandbox"] == late.id]
            check_equal((made["shadow"], made["shadow_source"]), ("narrow", "tenant"), "in the claim's record")
        check_equal(other.get().json["shadow"], None, "not the other's")
        connect(other, 8000)
        check("shadow" not in records(other, 8000)[-1], "nor counted")
        check_equal(sums("narrow", red)[0]["would_deny"], 2, "counted, also of the one that ended")
        check_equal(sums("narrow", blue)[0]["would_deny"], 0, "for that tenant alone")
        told, = daemon().client.events(type="tenant.shadow", after=after)
        check_equal((told["name"], told["shadow"], told["asked"], told["by_key"][:3]),
                    ("crimson", "narrow", 1, "ck_"), "recorded with who did it")
        row, = [t for t in daemon().client.get("/v1/tenants").json["tenants"] if t["name"] == "crimson"]
        check_equal(row["shadow"]["asked"], 1, "listed")
        change("tenants/crimson", shadow=None).expect(200)
        check_equal(early.get().json["shadow"], None, "taken away")
        connect(early, 8000)
        check("shadow" not in records(early, 8000)[-1], "not asked any more")


@test
def a_tenants_key_names_no_candidate_for_many():
    red = daemon().tenant("ruby", policy="web")
    with red.sandbox(policy="web") as sandbox:
        change("tenants/ruby", red, shadow="narrow").problem(403, "forbidden")
        change("templates/python", red, shadow="narrow").problem(403, "forbidden")
        check_equal(sandbox.get().json["shadow"], None, "nothing was changed")
        for path in "tenants/ruby", "templates/python":
            change(path, shadow="none-such").problem(404, "not-found")
            change(path, shadow="").problem(400, "invalid")
            change(path, shadow=False).problem(400, "invalid")
            change(path, shadow="-").problem(400, "invalid")
            change(path).problem(400, "invalid")
            change(path, other=1).problem(400, "invalid")
        change("tenants/ruby", shadow="narrow", budgets=None).problem(400, "invalid")
        change("tenants/none-such", shadow="narrow").problem(404, "not-found")
        change("templates/none-such", shadow="narrow").problem(404, "not-found")
        check_equal(patch(sandbox, shadow="narrow").expect(200).json["shadow"]["source"], "own", "its own it may")


@test
def of_administrators_the_nearest_decides():
    red = daemon().tenant("scarlet", policy="web")
    try:
        change("tenants/scarlet", shadow="narrow").expect(200)
        with red.sandbox(policy="web") as made:
            sandbox = Sandbox(daemon().client, made.get().json)

            def of():
                shadow = sandbox.get().json["shadow"]
                return shadow and (shadow["name"], shadow["source"])
            check_equal(of(), ("narrow", "tenant"), "the tenant's")
            row = change("templates/python", shadow="other").expect(200).json
            check_equal((row["shadow"]["name"], of()), ("other", ("other", "template")), "the template's")
            seen, = [t for t in red.get("/v1/templates").json["templates"] if t["name"] == "python"]
            check_equal(seen["shadow"]["asked"], 1, "its own are counted for a tenant")
            patch(sandbox, shadow="narrow").expect(200)
            check_equal(of(), ("narrow", "administrator"), "the sandbox's")
            check_equal(patch(sandbox, shadow=False).expect(200).json["shadow"], False, "none, though")
            connect(sandbox, 8000)
            check("shadow" not in records(sandbox, 8000)[-1], "is not asked")
            patch(sandbox, shadow=None).expect(200)
            check_equal(of(), ("other", "template"), "what is left")
            change("templates/python", shadow=None).expect(200)
            check_equal(of(), ("narrow", "tenant"), "and then")
    finally:
        change("templates/python", shadow=None).expect(200)


@test
def counts_add_up_over_changes_in_a_loop():
    with daemon().client.sandbox(policy="web") as sandbox:
        before = {name: sums(name)[0] for name in ("narrow", "other")}
        for _ in range(12):
            patch(sandbox, shadow="narrow").expect(200)
            connect(sandbox, 8000)
            patch(sandbox, shadow="other").expect(200)
            connect(sandbox, 7)
        after = {name: sums(name)[0] for name in before}
        check_equal(after["narrow"]["would_deny"] - before["narrow"]["would_deny"], 12, "of one")
        check_equal(after["other"]["agreed"] - before["other"]["agreed"], 12, "of the other")
        check_equal([sums(name)[0] for name in before], list(after.values()), "read again, it is the same")


@test
def sums_are_read_so_often_and_who_comes_sooner_waits_for_counts_of_now():
    red, others = daemon().tenant("maroon", policy="web"), daemon().tenant("teal", policy="web")
    with red.sandbox(policy="web") as sandbox:
        patch(sandbox, shadow="narrow").expect(200)
        connect(sandbox, 8000)
        began, n = time.monotonic(), 6
        told = [sums("narrow", client)[0]["would_deny"] for client in [red, others] * (n // 2)]
        check(time.monotonic() - began >= 0.2 * (n - 1), "each takes a walk of its own, a fifth of a second apart")
        check_equal(told, [1, 0] * (n // 2), "to each its own")
        connect(sandbox, 8000)
        check_equal(sums("narrow", red)[0]["would_deny"], 2, "nothing is missed by waiting")


@test
def names_have_tickets_of_their_own():
    names = {"version": 1, "name": "names", "network": {"allow": [{"name": "a.test"}, {"name": "b.test"}]}}
    fewer = {"version": 1, "name": "fewer", "network": {"allow": [{"name": "a.test"}, {"name": "c.test"}]}}
    for policy in (names, fewer):
        daemon().client.post(f"/v1/policies/{policy['name']}", policy).expect(201)
    with daemon().client.sandbox(policy="names") as sandbox:
        patch(sandbox, shadow="fewer").expect(200)
        said = sandbox.python(
            "import socket\n"
            "for name in ('a.test', 'b.test', 'c.test'):\n"
            "    try: a = socket.getaddrinfo(name, 443, socket.AF_INET, socket.SOCK_STREAM)[0][4]\n"
            "    except OSError: print(name, 'unknown'); continue\n"
            "    s = socket.socket(); s.settimeout(5)\n"
            "    print(name, s.connect_ex(a)); s.close()\n")
        check_equal(said.split("\n")[:3], ["a.test 0", "b.test 0", "c.test unknown"], "verdicts")
        _, rules = sums("fewer")
        check_equal(rules["would_deny", "names", 1]["example"]["act"], "connect b.test:443", "no ticket of it")
        check(rules["would_allow", "fewer", 1]["example"]["act"] == "resolve c.test", rules)
        check(("would_deny", "names", 0) not in rules, "a.test has both tickets")
        asked = [r for r in daemon().client.events(type="network.dns") if r.get("sandbox") == sandbox.id]
        opinion = {r["name"]: r.get("shadow", {}).get("verdict") for r in asked}
        check_equal(opinion, {"a.test": None, "b.test": "deny", "c.test": "allow"}, "in the records of queries")


@test
def a_candidate_outlives_a_crash():
    with running(policies=[web([7, 8000]), web([7], "narrow")], pool="python=1") as mine:
        with mine.client.sandbox(policy="web") as sandbox:
            patch(sandbox, shadow="narrow").expect(200)
            mine.kill()
            mine.start()
            sandbox.client = mine.client
            check_equal(sandbox.get().expect(200).json["shadow"]["name"], "narrow", "still asked")
            check_equal(connect(sandbox, 8000), "ok", "still no verdict")
            answer = mine.client.get("/v1/policies/narrow/shadow").expect(200).json
            check_equal((answer["agreed"], answer["would_deny"]), (0, 1), "counted")


@test
def candidates_of_many_and_none_outlive_a_crash():
    with running(policies=[web([7, 8000]), web([7], "narrow"), web([7, 8001], "other")], pool="python=2") as mine:
        mine.client.request("PATCH", "/v1/tenants/admin", {"shadow": "narrow"}).expect(200)
        with mine.client.sandbox(policy="web") as one, mine.client.sandbox(policy="web") as never:
            patch(never, shadow=False).expect(200)
            connect(one, 8000)
            mine.kill()
            mine.start()
            one.client = never.client = mine.client
            check_equal(one.get().expect(200).json["shadow"]["source"], "tenant", "still asked")
            check_equal(never.get().expect(200).json["shadow"], False, "still not")
            connect(one, 8000)
            answer = mine.client.get("/v1/policies/narrow/shadow").expect(200).json
            check_equal(answer["would_deny"], 1, "what was counted before is nobody's")
            mine.client.request("PATCH", "/v1/templates/python", {"shadow": "other"}).expect(200)
            mine.kill()
            mine.start()
            one.client = never.client = mine.client
            shadow = one.get().expect(200).json["shadow"]
            check_equal((shadow["name"], shadow["source"]), ("other", "template"), "the template's too")


def cloche(*words):
    return subprocess.run([f"{BUILD}/cloche", "--url", f"unix://{daemon().socket_path}", "--key-file",
                           f"{daemon().state_dir}/admin.key", *words], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)


@test
def the_client_sets_and_shows():
    with daemon().client.sandbox(policy="web") as sandbox:
        check_equal(cloche("set", sandbox.id, "--shadow", "narrow").returncode, 0, "set")
        check_equal(sandbox.get().json["shadow"]["name"], "narrow", "is asked")
        connect(sandbox, 8000)
        shown = cloche("policy", "shadow", "narrow")
        check_equal((shown.returncode, shown.stderr), (0, ""), "shadow")
        check_in("would_deny", shown.stdout, "the outcome")
        check_in("Nothing was decided beside it yet", cloche("policy", "shadow", "deny-all").stdout, "its twin")
        check_in(f"connect {internet().v4}:8000", shown.stdout, "the example")
        raw = json.loads(cloche("policy", "shadow", "narrow", "--json").stdout)
        check_equal(raw["name"], "narrow", "as the API has it")
        check_in(f"shadow     narrow (administrator), {sandbox.get().json['shadow']['hash'][:16]}…",
                 cloche("get", sandbox.id).stdout, "whose candidate, and which")
        check_equal(cloche("set", sandbox.id, "--shadow", "-").returncode, 0, "unset")
        check_equal(sandbox.get().json["shadow"], None, "none")
        check_equal(cloche("set", sandbox.id).returncode, 2, "nothing to set")
        check_equal(cloche("set", sandbox.id, "--no-shadow").returncode, 0, "none at all")
        check_equal(sandbox.get().json["shadow"], False, "is told")
        check_in("shadow     none at all", cloche("get", sandbox.id).stdout, "to people")
        check_equal(cloche("set", sandbox.id, "--no-shadow", "--shadow", "narrow").returncode, 2, "one of them")
        check_equal(cloche("set", sandbox.id, "--shadow", "-").returncode, 0, "unset again")
        done = cloche("template", "set", "python", "--shadow", "narrow")
        check_equal((done.returncode, done.stderr), (0, ""), "for a template")
        check_in("narrow is asked for 1 sandbox\n", done.stdout, "says for how many")
        check_in("narrow", cloche("templates").stdout, "listed")
        check_equal(cloche("template", "set", "python", "--shadow", "-").stdout, "python\n", "no more")
        check_equal(cloche("tenant", "set", "admin", "--shadow", "narrow").returncode, 0, "for a tenant")
        check_equal(sandbox.get().json["shadow"]["source"], "tenant", "is asked")
        check_in("narrow", cloche("tenant", "ls").stdout, "listed")
        check_equal(cloche("tenant", "set", "admin", "--shadow", "-").returncode, 0, "no more")
        check_equal(cloche("tenant", "set", "admin").returncode, 2, "nothing to set")


if __name__ == "__main__":
    main()
