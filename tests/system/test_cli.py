#!/usr/bin/python3
"""The command-line client against the real daemon: output as it comes, exit codes, --json, help."""

import json
import os
import re
import signal
import subprocess
import tempfile

from cloche_harness import (BUILD, Daemon, check, check_equal, check_in, fixture, main, test, until,
                            wait_exit, wait_readable)


NAMES = {"version": 1, "name": "names", "description": "One name.",
         "network": {"allow": [{"name": "allowed.example"}]}}


@fixture
def daemon():
    made = Daemon(policies=[NAMES], pool="python=1,shell=2")
    yield made.start()
    made.close()


def environment():
    return {**os.environ, "CLOCHE_URL": f"unix://{daemon().socket_path}",
            "CLOCHE_STATE_DIR": daemon().state_dir, "CLOCHE_KEY": ""}


def cloche(*words, stdin="", env=None, code=0):
    done = subprocess.run([f"{BUILD}/cloche", *words], input=stdin.encode(), capture_output=True,
                          env=env or environment(), timeout=60, check=False)
    if code is not None:
        check_equal(done.returncode, code, f"exit code of {words} ({done.stderr.decode()!r})")
    return done.stdout.decode(), done.stderr.decode()


@test
def run_gives_the_commands_output_and_exit_code():
    check_equal(cloche("run", "--template", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 7",
                       code=7), ("out\n", "err\n"), "output")
    check_equal(cloche("run", "--", "python3", "-c", "print(6 * 7)")[0], "42\n", "output")
    rows = daemon().client.get("/v1/sandboxes").expect(200).json["sandboxes"]
    check_equal(rows, [], "sandboxes left by run")


@test
def run_tells_signals_timeouts_and_missing_commands_by_the_usual_codes():
    cloche("run", "--template", "shell", "--", "sh", "-c", "kill -TERM $$", code=128 + 15)
    cloche("run", "--template", "shell", "--timeout", "0.3", "--", "sleep", "60", code=124)
    _, said = cloche("run", "--template", "shell", "--", "/no/such", code=127)
    check_in("not found", said, "sentence")
    cloche("run", "--template", "cobol", "--", "true", code=125)


@test
def set_puts_a_sandbox_under_another_policy_and_shows_it():
    sandbox = cloche("create", "--template", "shell")[0].strip()
    row = json.loads(cloche("set", sandbox, "--policy", "names", "--json")[0])
    check_equal((row["id"], row["policy"]["name"]), (sandbox, "names"), "row")
    out, _ = cloche("set", sandbox, "--policy", "deny-all")
    check_in(f"deny-all, generation {row['policy']['generation'] + 1}, ", out, "what is shown")
    check_in("nowhere", cloche("set", sandbox, "--policy", "nowhere", code=1)[1], "sentence")
    cloche("set", sandbox, code=2)
    cloche("set", sandbox, "--policy", "names")
    cloche("exec", sandbox, "--", "getent", "hosts", "other.example", code=2)
    out, _ = cloche("logs", sandbox)
    check_in("network.dns      DENIED other.example, type ", out, "records as sentences")
    cloche("rm", sandbox)


@test
def port_prints_the_url_of_a_port_that_the_policy_opens():
    sandbox = cloche("create", "--template", "shell")[0].strip()
    check_in("not open to previews", cloche("port", sandbox, "8000", code=1)[1], "sentence")
    check_in("network.inbound  DENIED port 8000 to key ", cloche("logs", sandbox)[0], "record")
    cloche("rm", sandbox)


@test
def run_shows_output_while_the_command_runs_and_ends_it_when_interrupted():
    process = subprocess.Popen([f"{BUILD}/cloche", "run", "--template", "shell", "--", "sh", "-c",
                                "echo begun; sleep 600"], stdout=subprocess.PIPE, env=environment())
    try:
        check(wait_readable([process.stdout]), "no output while it runs")
        check_equal(process.stdout.readline(), b"begun\n", "first line")
        process.send_signal(signal.SIGINT)
        check_equal(wait_exit(process), 128 + signal.SIGINT, "exit code")
        until(lambda: not daemon().client.get("/v1/sandboxes").json["sandboxes"], "its sandbox goes", 10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@test
def standard_input_is_passed_on():
    check_equal(cloche("run", "--template", "shell", "--", "tr", "a-z", "A-Z", stdin="hello\n")[0],
                "HELLO\n", "output")


@test
def create_ls_exec_rm():
    identity = cloche("create", "--template", "shell", "--label", "job=7")[0].strip()
    check(re.fullmatch(r"sb-[0-9a-f]{16}", identity), identity)
    check_in(identity, cloche("ls")[0], "ls")
    check_in(identity, cloche("ls", "--label", "job=7")[0], "ls by label")
    check(identity not in cloche("ls", "--label", "job=8")[0], "another label")
    check_equal(cloche("exec", identity, "--", "sh", "-c", "echo $((6 * 7)); exit 5", code=5)[0], "42\n",
                "exec")
    check_in("exec.start", cloche("logs", identity)[0], "logs")
    cloche("usage", identity)
    cloche("rm", identity)
    check(identity not in cloche("ls")[0], "listed after rm")
    _, said = cloche("rm", identity, code=1)
    check_in(identity, said, "sentence")


@test
def json_is_what_the_api_says():
    identity = cloche("create", "--template", "shell")[0].strip()
    rows = json.loads(cloche("ls", "--json")[0])
    check_in(identity, [row["id"] for row in rows["sandboxes"]], "ids")
    usage = json.loads(cloche("usage", identity, "--json")[0])
    check_equal(usage["sandbox"], identity, "usage")
    for line in cloche("events", "--sandbox", identity, "--json")[0].splitlines():
        check_equal(json.loads(line)["sandbox"], identity, "a record")
    cloche("rm", identity)


@test
def code_runs_a_file_or_standard_input():
    with tempfile.NamedTemporaryFile("w", suffix=".py", prefix="cloche-test-") as file:
        file.write("print('from a file')")
        file.flush()
        check_equal(cloche("code", "--language", "python", file.name)[0], "from a file\n", "file")
    check_equal(cloche("code", "--language", "shell", "-", stdin="echo from stdin")[0], "from stdin\n", "-")


@test
def policies_tenants_and_keys_are_managed():
    check_in("deny-all", cloche("policy", "list")[0], "list")
    check_equal(json.loads(cloche("policy", "show", "deny-all")[0])["name"], "deny-all", "show")
    cloche("policy", "reload")
    cloche("tenant", "create", "cli-acme", "--policy", "deny-all")
    check_in("cli-acme", cloche("tenant", "ls")[0], "tenant ls")
    key = re.search(r"clo_[0-9a-f]{8}_[0-9a-f]{48}", cloche("key", "create", "--tenant", "cli-acme")[0])
    check(key, "no key printed")
    tenant = {**environment(), "CLOCHE_KEY": key.group()}
    check_equal(cloche("run", "--template", "shell", "--", "echo", "mine", env=tenant)[0], "mine\n", "run")
    cloche("tenant", "ls", env=tenant, code=1)
    identity = "ck_" + key.group()[4:12]
    check_in(identity, cloche("key", "ls")[0], "key ls")
    cloche("key", "rm", identity)
    cloche("ls", env=tenant, code=1)
    cloche("tenant", "rm", "cli-acme")


@test
def without_a_daemon_it_says_what_to_do():
    env = {**environment(), "CLOCHE_URL": "unix:///run/cloche-test-nobody/api.sock"}
    _, said = cloche("ls", env=env, code=1)
    check_in("/run/cloche-test-nobody/api.sock", said, "where it looked")
    check_in("cloched", said, "what to start")
    cloche("run", "--", "true", env=env, code=125)


@test
def a_wrong_use_is_told_with_code_2():
    for words in [["nonsense"], ["create", "--nonsense"], ["rm"], ["code", "--language"]]:
        _, said = cloche(*words, code=None)
        check(said, f"no word about {words}")
    check_equal(subprocess.run([f"{BUILD}/cloche", "nonsense"], capture_output=True, env=environment(),
                               check=False).returncode, 2, "exit code")
    check_in("run", cloche("--help")[0], "help")


@test
def events_follow_until_interrupted():
    process = subprocess.Popen([f"{BUILD}/cloche", "events", "--follow", "--type", "sandbox", "--json"],
                               stdout=subprocess.PIPE, env=environment(), bufsize=0)
    try:
        with daemon().client.sandbox(template="shell") as sandbox:
            record = {}
            while record.get("sandbox") != sandbox.id:
                check(wait_readable([process.stdout]), "no record")
                record = json.loads(process.stdout.readline())
            check_equal(record["type"], "sandbox.create", "type")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main()
