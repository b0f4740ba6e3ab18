#!/usr/bin/python3
"""Whose candidate a sandbox is asked: an administrator's before what its tenant's key named for it."""

import contextlib

from cloche_harness import Daemon, Sandbox, check_equal, check_in, fixture, main, running, test, until
from internet import connect, web


def policies():
    return [web([7, 8000]), web([7], "narrow"), web([7, 8001], "other"), web([8000], "third")]


@fixture
def daemon():
    made = Daemon(policies=policies(), pool="python=2")
    yield made.start()
    made.close()


def patch(sandbox, **body):
    return sandbox.client.request("PATCH", sandbox.path, body)


def of(sandbox):
    shadow = sandbox.get().expect(200).json["shadow"]
    return shadow and (shadow["name"], shadow["source"])


def as_administrator(sandbox, on=None):
    return Sandbox((on or daemon()).client, sandbox.row)


def would_deny(name):
    return daemon().client.get(f"/v1/policies/{name}/shadow").expect(200).json["would_deny"]


@contextlib.contextmanager
def named_by_administrator(path, tenant, sandbox):
    """A candidate of an administrator's; yields its words in a refusal."""
    client = daemon().client

    def name_one(where, word):
        client.request("PATCH", where, {"shadow": word}).expect(200)

    if path == "staged":
        client.post("/v1/policies/web?stage=shadow", web([7])).expect(200)
        yield ("web", "staged"), '"web" of a staged version goes before a sandbox\'s own until that is put in force'
        client.delete("/v1/policies/web?stage=shadow").expect(204)
        return
    where, source, whose = {"tenant": (f"/v1/tenants/{tenant}", "tenant", "of this tenant"),
                            "template": ("/v1/templates/python", "template", "of this template"),
                            "sandbox": (sandbox.path, "administrator", "of this sandbox")}[path]
    name_one(where, "other")
    yield ("other", source), f'"other" {whose} goes before a sandbox\'s own until an administrator takes it away'
    name_one(where, None)


@test
def an_administrators_candidate_displaces_the_tenants_and_cannot_be_displaced():
    for path in "tenant", "template", "sandbox", "staged":
        red = daemon().tenant(f"red-{path}", policy="web")
        with red.sandbox(policy="web") as sandbox:
            check_equal(patch(sandbox, shadow="narrow").expect(200).json["shadow"]["source"], "own", "it may, so far")
            with named_by_administrator(path, f"red-{path}", sandbox) as (holds, words):
                check_equal(of(sandbox), holds, f"{path}: the administrator's goes before it")
                for word in "narrow", "third", False:
                    check_in(f"The administrator's candidate {words}",
                             patch(sandbox, shadow=word).problem(409, "conflict"), f"{path}: {word}")
                patch(sandbox, shadow="none-such").problem(409, "conflict")
                check_equal(of(sandbox), holds, "nothing was changed")
            check_equal(of(sandbox), ("narrow", "own"), f"{path}: it is back")
            check_equal(patch(sandbox, shadow=False).expect(200).json["shadow"], False, "and may be changed again")
            with named_by_administrator(path, f"red-{path}", sandbox) as (holds, words):
                check_equal(of(sandbox), holds, f"{path}: a tenant's \"none\" switches none off")
                patch(sandbox, shadow=None).expect(200)
                check_equal(of(sandbox), holds, "what it takes back is its own")
            check_equal(of(sandbox), None, "and so it does not come back")


@test
def sums_have_the_sandboxes_of_tenants_that_wanted_another():
    red = daemon().tenant("crimson", policy="web")
    with red.sandbox(policy="web") as sandbox:
        patch(sandbox, shadow=False).expect(200)
        daemon().client.request("PATCH", "/v1/tenants/crimson", {"shadow": "narrow"}).expect(200)
        before = would_deny("narrow")
        patch(sandbox, shadow="other").problem(409, "conflict")
        check_equal(connect(sandbox, 8000), "ok", "no verdict changes")
        check_equal(would_deny("narrow") - before, 1, "counted")


@test
def an_administrators_none_is_none_for_the_tenant_too():
    red = daemon().tenant("scarlet", policy="web")
    daemon().client.request("PATCH", "/v1/tenants/scarlet", {"shadow": "other"}).expect(200)
    with red.sandbox(policy="web") as sandbox:
        patch(as_administrator(sandbox), shadow=False).expect(200)
        check_equal(of(sandbox), False, "the nearest word of an administrator")
        check_in("An administrator has said that no candidate is asked for this sandbox",
                 patch(sandbox, shadow="narrow").problem(409, "conflict"), "whose word that is")
        patch(sandbox, shadow=None).expect(200)
        check_equal(of(sandbox), False, "which only an administrator takes back")
        patch(as_administrator(sandbox), shadow=None).expect(200)
        check_equal(of(sandbox), ("other", "tenant"), "and does")


@test
def the_policy_that_learns_comes_last():
    daemon().write_policy({**web([7], "learner"), "mode": "learn"})
    daemon().client.post("/v1/policies/reload").expect(200)
    red = daemon().tenant("vermilion", policy="web")
    with red.sandbox(policy="learner") as sandbox:
        check_equal(of(sandbox), ("learner", "learn"), "nobody named another")
        patch(sandbox, shadow="narrow").expect(200)
        check_equal(of(sandbox), ("narrow", "own"), "its tenant's")
        daemon().client.request("PATCH", "/v1/tenants/vermilion", {"shadow": "other"}).expect(200)
        check_equal(of(sandbox), ("other", "tenant"), "an administrator's")


@test
def who_named_it_outlives_a_crash():
    with running(policies=policies(), pool="python=2") as mine:
        red = mine.tenant("red", policy="web")
        with red.sandbox(policy="web") as both, red.sandbox(policy="web") as own:
            patch(both, shadow="narrow").expect(200)
            patch(own, shadow="narrow").expect(200)
            patch(as_administrator(both, mine), shadow="other").expect(200)
            mine.kill()
            mine.start()
            check_equal((of(both), of(own)), (("other", "administrator"), ("narrow", "own")), "whose they are")
            patch(both, shadow=False).problem(409, "conflict")
            patch(own, shadow=False).expect(200)
            mine.kill()
            mine.start()
            check_equal((of(both), of(own)), (("other", "administrator"), False), "as they were left")
            patch(as_administrator(both, mine), shadow=None).expect(200)
            check_equal(of(both), ("narrow", "own"), "the tenant's is back")


IMAGES = 127  # different effective policies in the kernel
LEFT = 64  # which are not for candidates that tenants name


@test
def candidates_of_tenants_leave_room_for_claims():
    n = IMAGES - LEFT - 2
    many = [web([1000 + i], f"p{i}") for i in range(n)]
    names = ["first", "second", "third"]
    with running(policies=[*many, web([7, 8000]), *(web([7], name) for name in names)], pool="python=4") as mine, \
            contextlib.ExitStack() as stack:
        for i in range(0, n, 2):
            sandbox = stack.enter_context(mine.client.sandbox(policy=f"p{i}"))
            if i + 1 < n:
                patch(sandbox, shadow=f"p{i + 1}").expect(200)
        red = mine.tenant("red", policy="web")
        one, two = (stack.enter_context(red.sandbox(policy="web")) for _ in range(2))
        patch(one, shadow="first").expect(200)
        said = patch(one, shadow="second").problem(429, "limit")
        check_in(f"Of the {IMAGES} different policies that the kernel has room for, the last {LEFT} are not for "
                 "candidates that tenants name", said, "why")
        check_equal(of(one), ("first", "own"), "it keeps what it has")
        patch(two, shadow="second").problem(429, "limit")
        check_equal(of(two), None, "nor does another")
        patch(two, shadow="first").expect(200)
        check_equal(of(two), ("first", "own"), "what is in the kernel takes no more room")
        patch(as_administrator(two, mine), shadow="second").expect(200)
        check_equal(of(two), ("second", "administrator"), "an administrator's is asked")
        with red.sandbox(policy="third"):
            pass  # what nobody's sandbox was under yet starts
        patch(as_administrator(two, mine), shadow=None).expect(200)
        patch(one, shadow=None).expect(200)
        patch(two, shadow=None).expect(200)
        until(lambda: patch(one, shadow="second").status == 200, "room again, once what was given back has rested")
        check_equal(of(one), ("second", "own"), "asked")


if __name__ == "__main__":
    main()
