#!/usr/bin/python3
"""A policy in mode "learn": its bound decides, records say what it lacks, and what is learnt is enforced."""

import contextlib
import json
import os
import subprocess

from cloche_harness import BUILD, check, check_equal, check_in, fixture, main, test
from named_internet import CA_INSIDE, ENV, FRONT4, NamedDaemon, NamedInternet, inside_json, policy

ADDRESS = {"cidr": f"{FRONT4}/32", "ports": [7]}
WIDE = {**policy("wide", "allowed.example", "*.cdn.example", ADDRESS), "secrets": ["TOKEN"],
        "resources": {"pids": 100}, "syscalls": {"deny": ["mkdirat", "mkdir"]}}
AGENT = {"version": 1, "name": "agent", "mode": "learn", "resources": {"pids": 60, "memory": "300MiB"},
         "budgets": {"connections": 40}, "secrets": ["KEY"], "syscalls": {"deny": ["symlinkat", "symlink"]},
         "files": {"read_only": ["/var"]}, "devices": ["null", "urandom"]}
STRICT = {**AGENT, "name": "strict"}
del STRICT["mode"]
KEYS = {**ENV, "TOKEN": "t", "KEY": "k"}


@fixture
def internet():
    made = NamedInternet()
    yield made
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [WIDE, AGENT, STRICT, policy("narrow", "allowed.example")])
    yield made.start()
    made.close()


@fixture
def client():
    yield daemon().tenant("team", policy="wide")


@contextlib.contextmanager
def under(name, **body):
    made = client().create(policy=name, env=KEYS, **body)
    try:
        made.put(CA_INSIDE, internet().certificate)
        yield made
    finally:
        made.delete()


def cloche(*words, stdin=""):
    done = subprocess.run([f"{BUILD}/cloche", "--url", f"unix://{daemon().socket_path}", "--key-file",
                           f"{daemon().state_dir}/admin.key", *words], input=stdin.encode(),
                          capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# A run: what it needs, then what nobody should let pass.
RUN = f"""
say([attempt(lambda: tls_get("allowed.example")), attempt(lambda: echo("{FRONT4}", 7)),
     attempt(lambda: tls_get("other.example")), attempt(lambda: echo("203.0.113.99", 7)),
     attempt(lambda: os.mkdir("/tmp/made")), attempt(lambda: os.symlink("a", "/tmp/link")),
     attempt(lambda: open("/dev/zero", "rb").read(1)[0]), attempt(lambda: os.listdir("/var/tmp"))])
"""
INSIDE = """
def tls_get(name):
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    with socket.create_connection((name, 443), 20) as sock:
        with context.wrap_socket(sock, server_hostname=name) as wrapped:
            wrapped.sendall(f"GET / HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n".encode())
            return wrapped.recv(15).decode()

def echo(address, port):
    with socket.create_connection((address, port), 20) as sock:
        sock.sendall(b"x")
        return sock.recv(1).decode()
"""


def run(sandbox, code=RUN):
    return inside_json(sandbox, INSIDE + code)


def records(sandbox, kind="network.connect", **wanted):
    return [row for row in daemon().client.events(type=kind) if row.get("sandbox") == sandbox.id
            and all(row.get(key) == value for key, value in wanted.items())]


def gai(answer):
    return answer.startswith("gai")


@test
def the_bound_decides_while_a_policy_learns():
    with under("agent") as sandbox:
        name, address, other, elsewhere, made, link, device, _ = run(sandbox)
        check_equal((name, address), ("HTTP/1.1 200 OK", "x"), "what the bound allows")
        check(gai(other), f"a name that the bound denies: {other}")
        check_equal((elsewhere, made), ("EPERM", "EPERM"), "an address and a call that the bound denies")
        check_equal((link, device), (None, 0), "a call and a device that only the policy denies")
    with under("strict") as sandbox:
        name, address, other, elsewhere, made, link, device, _ = run(sandbox)
        check(gai(name) and gai(other), f"its twin that enforces: {name}, {other}")
        check_equal([address, elsewhere, made, link, device], ["EPERM", "EPERM", "EPERM", "EPERM", "EACCES"], "the rest")


@test
def records_have_who_decided_and_what_the_policy_says():
    with under("agent") as sandbox:
        row = sandbox.get().expect(200).json
        check_equal((row["policy"]["name"], row["policy"]["mode"], row["policy"]["judged_by"]),
                    ("agent", "learn", "wide"), "the sandbox")
        check_equal((row["shadow"]["name"], row["shadow"]["source"]), ("agent", "learn"), "its candidate")
        run(sandbox)
        created, = records(sandbox, "sandbox.create")
        check_equal((created["mode"], created["policy"]["name"], created["policy"]["learns"],
                     created["shadow_source"]), ("learn", "wide", "agent", "learn"), "its creation")
        for found, rule in [(records(sandbox, address=FRONT4, port=7), 2),
                            (records(sandbox, name="allowed.example", protocol="tcp"), 0)]:
            check(found, "no record")
            record, opinion = found[0], found[0]["shadow"]
            check_equal((record["verdict"], record["rule"], record["policy"]),
                        ("allow", rule, {"name": "wide", "hash": row["policy"]["hash"], "generation": 1,
                                         "learns": "agent"}), "who decided")
            check_equal((opinion["policy"], opinion["verdict"], opinion["reason"], opinion["rule"], opinion["hash"]),
                        ("agent", "deny", "default" if rule else opinion["reason"], None, row["shadow"]["hash"]),
                        "the policy as it is written")
        denied, = records(sandbox, address="203.0.113.99")
        check_equal((denied["verdict"], denied["policy"]["name"], denied["policy"]["learns"]),
                    ("deny", "wide", "agent"), "denied by the bound")
        check("shadow" not in denied, f"both deny it: {denied}")
        asked = records(sandbox, "network.dns", name="allowed.example")
        check(asked and asked[0]["shadow"]["verdict"] == "deny", f"a query: {asked[:1]}")
        answer = client().get("/v1/policies/agent/shadow").expect(200).json
        rows = {(each["outcome"], each["policy"], each["rule"]) for each in answer["rules"]}
        check(answer["would_deny"] >= 2, f"sums: {answer}")
        check_in(("would_deny", "wide", 2), rows, "by the bound's rule")
    with under("strict") as sandbox:
        row = sandbox.get().expect(200).json
        check_equal((row["policy"]["mode"], row["shadow"]), ("enforce", None), "one that enforces")
        check("judged_by" not in row["policy"], row["policy"])
        created, = records(sandbox, "sandbox.create")
        check("mode" not in created and "learns" not in created["policy"], f"its record: {created}")


@test
def amounts_and_secrets_of_the_policy_hold_while_it_learns():
    client().post("/v1/sandboxes", {"policy": "agent", "env": {"TOKEN": "t"}}).problem(400, "invalid")
    client().post("/v1/sandboxes", {"policy": "agent", "env": {"KEY": "k"}}).problem(400, "invalid")
    answer = client().post("/v1/sandboxes", {"policy": "agent", "env": KEYS, "limits": {"pids": 61}})
    check_in('more than policy "agent" allows (60)', answer.problem(403, "forbidden"), "whose bound it is")
    with under("agent") as sandbox:
        check_equal(sandbox.get().json["limits"]["pids"], 60, "processes")
        check_equal(sandbox.get().json["limits"]["memory_bytes"], 300 << 20, "memory")
        got = run(sandbox, f"say([attempt(lambda: echo('{FRONT4}', 7)) for _ in range(42)])")
        check_equal((got.count("x"), got[40:]), (40, ["EPERM", "EPERM"]), "connections within the budget")
        spent = [row for row in records(sandbox, address=FRONT4) if row["verdict"] == "deny"]
        check_equal(spent[0]["reason"], "budget", "why")


@test
def what_is_learnt_is_enforced():
    needs = RUN
    with under("agent", labels={"run": "mode"}) as sandbox:
        learning = run(sandbox, needs)
    log = f"{daemon().directory}/log.jsonl"
    code, out, errors = cloche("events", "--json")
    check_equal((code, errors), (0, ""), "the log")
    with open(log, "w", encoding="utf-8") as file:
        file.write(out)
    path = f"{daemon().directory}/learnt.json"
    code, _, errors = cloche("policy", "learn", "--from", log, "--label", "run=mode", "--name", "learnt",
                             "--output", path)
    check_equal(code, 0, f"learn: {errors}")
    check_equal(cloche("policy", "check", path)[::2], (0, ""), "check")
    code, out, _ = cloche("policy", "replay", path, "--audit", log, "--label", "run=mode")
    check_equal(code, 0, f"its own replay: {out}")
    code, _, errors = cloche("policy", "apply", path)
    check_equal((code, errors), (0, ""), "apply")
    with under("agent") as sandbox:
        check_equal(run(sandbox, "say([attempt(lambda: tls_get('a.cdn.example'))])"), ["HTTP/1.1 200 OK"],
                    "never done before, and within the bound")
    with under("learnt") as sandbox:
        check_equal(sandbox.get().json["policy"]["mode"], "enforce", "mode")
        check_equal(run(sandbox, needs), learning, "the same run")
        got, = run(sandbox, "say([attempt(lambda: tls_get('a.cdn.example'))])")
        check(gai(got), f"what was never done: {got}")
        record = records(sandbox, "network.dns", name="a.cdn.example")[0]
        check_equal((record["verdict"], record["policy"]["name"]), ("deny", "learnt"), "its record")
    os.unlink(f"{daemon().policy_dir}/learnt.json")
    check_equal(cloche("policy", "reload")[0], 0, "reload")


ECHO = f"say(attempt(lambda: echo('{FRONT4}', 7)))"


@test
def a_crash_of_cloched_ends_no_learning():
    sandbox = client().create(policy="agent", env=KEYS)
    before = sandbox.get().json
    daemon().kill()
    daemon().start()
    after = client().get(sandbox.path).expect(200).json
    check_equal({**after["policy"], "generation": 0}, {**before["policy"], "generation": 0}, "the policy")
    check_equal(after["shadow"], before["shadow"], "the candidate")
    check_equal(run(sandbox, ECHO), "x", "what the bound allows")
    record = records(sandbox, address=FRONT4)[-1]
    check_equal((record["policy"]["name"], record["policy"]["learns"], record["shadow"]["verdict"]),
                ("wide", "agent", "deny"), "its record")
    check_equal(run(sandbox, "say(attempt(lambda: echo('203.0.113.99', 7)))"), "EPERM", "what the bound denies")
    sandbox.delete().expect(204)


def patch(sandbox, name):
    return client().request("PATCH", sandbox.path, {"policy": name})


def put(document):
    return daemon().client.post(f"/v1/policies/{document['name']}", document)


@test
def a_living_sandbox_learns_and_stops_learning():
    with under("narrow") as sandbox:
        check_equal(run(sandbox, ECHO), "EPERM", "enforced")
        put({"version": 1, "name": "loose", "mode": "learn"}).expect(201)
        row = patch(sandbox, "loose").expect(200).json
        check_equal((row["policy"]["name"], row["policy"]["mode"], row["shadow"]["source"]), ("loose", "learn", "learn"),
                    "it learns")
        changed = records(sandbox, "sandbox.policy")[-1]
        check_equal((changed["mode"], changed["policy"]["learns"]), ("learn", "loose"), "its record")
        check_equal(run(sandbox, ECHO), "x", "allowed by the bound")
        put({"version": 1, "name": "loose"}).expect(200)
        row = sandbox.get().json
        check_equal((row["policy"]["mode"], row["shadow"]), ("enforce", None), "the same policy, enforced")
        check_equal(run(sandbox, ECHO), "EPERM", "denied from then on")
        changed = records(sandbox, "sandbox.policy")[-1]
        check("mode" not in changed and "learns" not in changed["policy"], f"its record: {changed}")
        put({"version": 1, "name": "loose", "mode": "learn"}).expect(200)
        check_equal(run(sandbox, ECHO), "x", "and learns again")
        check_in("files", patch(sandbox, "strict").problem(409, "conflict"), "settled at its creation")
        patch(sandbox, "agent").expect(200)
        check_equal(run(sandbox, ECHO), "x", "what learns has the files of the bound")
    os.unlink(f"{daemon().policy_dir}/loose.json")


@test
def programs_are_those_of_the_bound_while_a_policy_learns():
    only = {"version": 1, "name": "only", "executables": {"allow": ["/bin/sh"]}}
    change({**only, "mode": "learn"}).expect(200)
    with under("only") as sandbox:
        check_equal(sandbox.sh("/usr/bin/id -u; cp /usr/bin/id /tmp/id; /tmp/id -u"), "1000\n1000\n", "what learns")
    change(only).expect(200)
    made = client().create(policy="only", env=KEYS)
    check_equal(made.exec(command="/usr/bin/id -u")["exit_code"], 126, "its twin that enforces")
    made.delete().expect(204)
    os.unlink(f"{daemon().policy_dir}/only.json")


@test
def a_candidate_of_its_own_goes_before_the_policy_that_learns():
    with under("agent") as sandbox:
        row = client().request("PATCH", sandbox.path, {"shadow": "narrow"}).expect(200).json
        check_equal((row["shadow"]["name"], row["shadow"]["source"]), ("narrow", "own"), "its own")
        run(sandbox)
        check("shadow" not in records(sandbox, name="allowed.example", protocol="tcp")[0], "it agrees")
        row = client().request("PATCH", sandbox.path, {"shadow": None}).expect(200).json
        check_equal((row["shadow"]["name"], row["shadow"]["source"]), ("agent", "learn"), "taken away")
        check_equal(client().request("PATCH", sandbox.path, {"shadow": "agent"}).expect(200).json["shadow"]["hash"],
                    row["shadow"]["hash"], "one that learns is asked as it is written")


@test
def what_binds_cannot_learn():
    answer = daemon().client.post("/v1/sandboxes", {"policy": "agent", "env": KEYS}).problem(409, "conflict")
    check_in("this tenant is not bound by any", answer, "a tenant without a bound")
    answer = daemon().client.post("/v1/tenants", {"name": "loose", "policy": "agent"}).problem(409, "conflict")
    check_in("bind the tenant by nothing", answer, "a bound that learns")
    for name in ["deny-all", "template-python"]:
        answer = put({"version": 1, "name": name, "mode": "learn"}).problem(400, "invalid")
        check_in("what binds cannot learn", answer, name)


def change(document):
    """Behind the back of the daemon, which then reads all its files."""
    daemon().write_policy(document)
    return daemon().client.post("/v1/policies/reload")


@test
def a_bound_cannot_begin_to_learn():
    outer, learner = policy("outer", "allowed.example"), {**policy("outer", "allowed.example"), "mode": "learn"}
    put(outer).expect(201)
    bound = daemon().tenant("other-team", policy="outer")
    sandbox = bound.create()
    sentence = 'Policy "outer" binds tenant "other-team", so it cannot be in mode "learn"'
    check_in(sentence, put(learner).problem(400, "invalid"), "put")
    check_in(sentence, change(learner).problem(400, "invalid"), "reload")
    check_equal(sandbox.get().json["policy"]["mode"], "enforce", "what lives keeps what it has")
    check_equal(run(sandbox, ECHO), "EPERM", "denied as before")
    daemon().kill()
    daemon().start()  # with the file as it is now
    check_in('bound by policy "outer", which is in mode "learn"',
             bound.post("/v1/sandboxes", {}).problem(409, "conflict"), "nothing starts")
    bound.post("/v1/sandboxes", {"policy": "agent", "env": KEYS}).problem(409, "conflict")
    row = sandbox.get().json
    check_equal((row["policy"]["name"], row["policy"]["mode"]), ("deny-all", "enforce"), "what lives reaches nothing")
    check_equal(run(sandbox, ECHO), "EPERM", "denied")
    change(outer).expect(200)
    bound.create().delete().expect(204)
    sandbox.delete().expect(204)
    os.unlink(f"{daemon().policy_dir}/outer.json")


@test
def the_template_s_policy_holds_while_a_policy_learns():
    change(policy("template-python", {**ADDRESS, "description": "its rule 0, the bound's rule 2"})).expect(200)
    with under("agent") as sandbox:
        check_equal(run(sandbox, ECHO), "x", "allowed by both")
        record = records(sandbox, address=FRONT4)[-1]
        check_equal((record["policy"]["name"], record["rule"]), ("wide", 2), "by the bound's number")
        got = run(sandbox, "say(attempt(lambda: tls_get('allowed.example')))")
        check(gai(got), f"a name that the bound alone allows: {got}")
    os.unlink(f"{daemon().policy_dir}/template-python.json")
    daemon().client.post("/v1/policies/reload").expect(200)
    with under("agent") as sandbox:
        check_equal(run(sandbox, "say(attempt(lambda: tls_get('allowed.example')))"), "HTTP/1.1 200 OK", "its twin")


@test
def the_client_tells_who_learns():
    with under("agent") as sandbox:
        line, = [each for each in cloche("ls")[1].splitlines() if sandbox.id in each]
        check_in("agent (learns)", line, "a list")
        check_in("judged by  wide", cloche("get", sandbox.id)[1], "one")
        line, = [each for each in cloche("policy", "list")[1].splitlines() if each.startswith("agent")]
        check_in("agent (learns)", line, "policies")
        out = cloche("events", "--sandbox", sandbox.id, "--type", "sandbox.create")[1]
        check_in("policy wide, learns agent", out, "a record")
        path = f"{daemon().directory}/agent.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(AGENT, file)
        check_in("): it learns, and denies nothing by itself", cloche("policy", "apply", path)[1], "apply")


if __name__ == "__main__":
    main()
