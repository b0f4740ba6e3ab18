#!/usr/bin/python3
"""Commands: what goes in, what comes out, how they end, streaming, detaching, code."""

import base64
import json
import signal

from cloche_harness import (Daemon, check, check_equal, check_in, fixture, main, skip, test, until)


@fixture
def daemon():
    made = Daemon(pool="python=1,node=1,shell=2")
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().client.create(labels={"for": "exec"})
    yield made
    made.delete().expect(204)


@test
def argv_is_passed_as_it_is():
    done = sandbox().exec(["printf", "%s|", "a b", "", "$HOME", "ü"])
    check_equal(done["stdout"], "a b||$HOME|ü|", "stdout")
    check_equal(done["exit_code"], 0, "exit code")
    check_equal(done["signal"], None, "signal")
    check_equal(done["reason"], "exited", "reason")
    check_equal(done["stdout_encoding"], "utf-8", "encoding")
    check(done["exec_id"].startswith("ex-") and done["pid"] > 1, f"{done}")
    check_equal({done["stdout_truncated"], done["stderr_truncated"], done["pids_limit_hit"]}, {False},
                "flags")


@test
def shell_text_is_run_by_a_shell():
    check_equal(sandbox().sh("echo one | sed s/one/two/; echo $((3 * 4))"), "two\n12\n", "stdout")


@test
def output_and_errors_are_separate():
    done = sandbox().exec(command="echo out; echo err >&2; exit 3")
    check_equal((done["stdout"], done["stderr"], done["exit_code"]), ("out\n", "err\n", 3), "done")


@test
def a_relative_name_is_looked_up_and_a_missing_one_is_a_command_error():
    check_equal(sandbox().exec(["true"])["exit_code"], 0, "exit code")
    detail = sandbox().try_exec(["/no/such/program"]).problem(422, "command")
    check_in("not found", detail, "sentence")
    sandbox().try_exec(["/etc/passwd"]).problem(422, "command")


@test
def cwd_and_env_and_the_usual_environment():
    check_equal(sandbox().sh("pwd"), "/home/sandbox\n", "default cwd")
    check_equal(sandbox().sh("pwd", cwd="/tmp"), "/tmp\n", "cwd")
    lines = dict(line.split("=", 1) for line in
                 sandbox().exec(["env"], env={"A": "1", "EMPTY": ""})["stdout"].splitlines())
    check_equal((lines["A"], lines["EMPTY"]), ("1", ""), "given")
    check_equal({key: lines.get(key) for key in ["HOME", "USER", "TMPDIR", "LANG"]},
                {"HOME": "/home/sandbox", "USER": "sandbox", "TMPDIR": "/tmp", "LANG": "C.UTF-8"},
                "usual")
    check(lines["PATH"].startswith("/usr/local/sbin:/usr/local/bin"), lines["PATH"])
    check(not [key for key in lines if "CLOCHE" in key or "NOTIFY" in key], f"the daemon's: {lines}")


@test
def a_cwd_that_is_not_there_is_a_command_error():
    check_in("directory", sandbox().try_exec(["true"], cwd="/nowhere").problem(422, "command"), "why")


@test
def stdin_is_text_or_base64_or_empty():
    check_equal(sandbox().exec(["cat"], stdin="hé\n")["stdout"], "hé\n", "text")
    data = bytes(range(256))
    done = sandbox().exec(["sha256sum"], stdin_base64=base64.b64encode(data).decode())
    check_in("40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880", done["stdout"], "hash")
    check_equal(sandbox().exec(["cat"])["stdout"], "", "none")
    large = "x" * 700000
    check_equal(sandbox().exec(["wc", "-c"], stdin=large)["stdout"].strip(), "700000", "large")


@test
def stdin_that_nobody_reads_holds_nothing_up():
    done = sandbox().exec(["true"], stdin="x" * 700000)
    check_equal(done["exit_code"], 0, "exit code")


@test
def uid_and_gid_by_request_always_without_capabilities():
    check_equal(sandbox().sh("id -u; id -g"), "1000\n1000\n", "default")
    for uid, gid in [(0, 0), (1000, 50), (65534, 65534)]:
        text = sandbox().sh("id -u; id -g; grep ^Cap /proc/self/status", uid=uid, gid=gid)
        lines = text.split("\n")
        check_equal(lines[:2], [str(uid), str(gid)], "ids")
        check_equal({line.split()[1] for line in lines[2:7]}, {"0" * 16}, "capabilities")
    sandbox().try_exec(["true"], uid=65535).problem(400, "invalid")


@test
def a_signal_is_named():
    done = sandbox().exec(command="kill -TERM $$")
    check_equal((done["exit_code"], done["signal"], done["reason"]), (None, "SIGTERM", "signaled"),
                "end")


@test
def a_timeout_kills_the_command_and_its_children():
    done = sandbox().exec(command="echo begun; sleep 1234 & sleep 1234", timeout_seconds=0.3)
    check_equal((done["reason"], done["signal"], done["stdout"]), ("timeout", "SIGKILL", "begun\n"),
                "end")
    check(done["usage"]["wall_us"] >= 300000, f"{done['usage']}")
    check_equal(sandbox().exec(["pgrep", "-f", "sleep 1234"])["stdout"], "", "still running")


@test
def a_timeout_that_is_not_reached_changes_nothing():
    done = sandbox().exec(["true"], timeout_seconds=60)
    check_equal((done["reason"], done["exit_code"]), ("exited", 0), "end")


@test
def output_past_the_limit_is_cut_and_said_and_the_command_goes_on():
    done = sandbox().exec(command="head -c 300000 /dev/zero | tr '\\0' x; echo done >&2; exit 5",
                          output_limit_bytes=1000)
    check_equal((len(done["stdout"]), done["stdout_truncated"]), (1000, True), "stdout")
    check_equal((done["stderr"], done["stderr_truncated"]), ("done\n", False), "stderr")
    check_equal(done["exit_code"], 5, "exit code")
    exact = sandbox().exec(command="head -c 1000 /dev/zero | tr '\\0' x", output_limit_bytes=1000)
    check_equal((len(exact["stdout"]), exact["stdout_truncated"]), (1000, False), "just at the limit")
    sandbox().try_exec(["true"], output_limit_bytes=17 << 20).problem(400, "invalid")


@test
def bytes_that_are_no_utf8_come_as_base64():
    done = sandbox().exec(command="printf 'a\\377\\000z'; printf ok >&2")
    check_equal((done["stdout_encoding"], done["stderr_encoding"]), ("base64", "utf-8"), "encodings")
    check_equal(base64.b64decode(done["stdout"]), b"a\xff\0z", "stdout")


@test
def four_megabytes_come_whole():
    done = sandbox().python("print('0123456789abcdef' * 262144)", output_limit_bytes=16 << 20)
    check_equal(len(done), 16 * 262144 + 1, "bytes")
    check_equal(done[-17:], "0123456789abcdef\n", "end")


@test
def a_background_child_does_not_hold_the_answer():
    done = sandbox().exec(command="sleep 600 & echo $!")
    check_equal(done["exit_code"], 0, "exit code")
    check(done["usage"]["wall_us"] < 30e6, "waited for the child")
    sandbox().sh(f"kill {done['stdout'].strip()}")


@test
def usage_of_a_command_is_told():
    usage = sandbox().exec(["python3", "-c", "x = bytearray(40 << 20)\nfor i in range(2000000): pass"])
    usage = usage["usage"]
    check_equal(set(usage), {"user_us", "system_us", "wall_us", "max_rss_bytes"}, "keys")
    check(usage["user_us"] > 10000, f"{usage}")
    check(usage["wall_us"] >= usage["user_us"] // 2, f"{usage}")
    check(40 << 20 <= usage["max_rss_bytes"] < 400 << 20, f"{usage}")


def read_ndjson(body):
    with daemon().client.stream("POST", f"{sandbox().path}/exec", body,
                                {"Accept": "application/x-ndjson"}) as response:
        check_equal(response.status, 200, "status")
        check_in("application/x-ndjson", response.headers["Content-Type"], "Content-Type")
        for line in response:
            if line.strip():
                yield json.loads(line)


@test
def lines_are_streamed_while_the_command_runs():
    """The command waits for a file that is only made when its first line has been seen."""
    sandbox().sh("rm -f /tmp/go; mkfifo /tmp/go")
    types, text = [], ""
    for row in read_ndjson({"command": "echo one; read x < /tmp/go; echo $x >&2; exit 4"}):
        types.append(row["type"])
        if row["type"] == "stdout":
            text += row["data"]
            if text == "one\n":
                sandbox().sh("echo two > /tmp/go")
        if row["type"] == "stderr":
            check_equal((row["data"], row["encoding"]), ("two\n", "utf-8"), "stderr")
        if row["type"] == "exit":
            check_equal((row["exit_code"], row["reason"]), (4, "exited"), "exit")
            check("stdout" not in row and "usage" in row, f"{row}")
    check_equal(types, ["start", "stdout", "stderr", "exit"], "types")


@test
def a_stream_tells_what_was_cut():
    rows = list(read_ndjson({"command": "head -c 5000 /dev/zero | tr '\\0' x",
                             "output_limit_bytes": 100}))
    check_equal(sum(len(row["data"]) for row in rows if row["type"] == "stdout"), 100, "bytes")
    check_equal([row["stream"] for row in rows if row["type"] == "truncated"], ["stdout"], "cut")


@test
def server_sent_events_carry_the_same_objects():
    with daemon().client.stream("POST", f"{sandbox().path}/exec", {"argv": ["echo", "hi"]},
                                {"Accept": "text/event-stream"}) as response:
        check_in("text/event-stream", response.headers["Content-Type"], "Content-Type")
        blocks = [b for b in response.read().decode().split("\n\n") if b.strip()]
    events = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        events.append((fields["event"], json.loads(fields["data"])))
    check_equal([name for name, _ in events], ["start", "stdout", "exit"], "events")
    check_equal([row["type"] for _, row in events], ["start", "stdout", "exit"], "types")
    check_equal(events[1][1]["data"], "hi\n", "data")


def is_running(text):
    return sandbox().exec(["pgrep", "-f", text])["exit_code"] == 0


@test
def a_client_that_goes_away_kills_what_it_started():
    with daemon().client.stream("POST", f"{sandbox().path}/exec", {"argv": ["sleep", "4321"]},
                                {"Accept": "application/x-ndjson"}) as response:
        started = json.loads(response.readline())
        check_equal(started["type"], "start", "first line")
        check(is_running("sleep 4321"), "not running while the client is there")
    record = daemon().client.wait_event(lambda r: r["exec"] == started["exec_id"],
                                        sandbox=sandbox().id, type="exec.end")
    check_equal(record["reason"], "killed", "reason in the record")
    check(not is_running("sleep 4321"), "still running")


@test
def a_detached_command_goes_on_and_can_be_killed():
    answer = sandbox().try_exec(["sleep", "5432"], detach=True).expect(202).json
    check_equal(set(answer), {"exec_id", "pid"}, "keys")
    check(is_running("sleep 5432"), "not running")
    path = f"{sandbox().path}/execs/{answer['exec_id']}"
    daemon().client.delete(f"{path}?signal=SIGTERM").expect(204)
    record = daemon().client.wait_event(
        lambda r: r["type"] == "exec.end" and r.get("exec") == answer["exec_id"],
        sandbox=sandbox().id)
    check_equal(record["signal"], 15, "signal in the record")
    daemon().client.delete(path).problem(404, "not-found")


@test
def output_of_a_detached_command_is_discarded_and_does_not_stop_it():
    sandbox().sh("rm -f /tmp/done")
    sandbox().try_exec(["sh", "-c", "head -c 1000000 /dev/zero; echo x > /tmp/done"],
                       detach=True).expect(202)
    until(lambda: sandbox().exec(["test", "-e", "/tmp/done"])["exit_code"] == 0, "it ended")


@test
def running_out_of_memory_is_told_and_the_sandbox_lives():
    with daemon().client.sandbox(template="python", limits={"memory": "64MiB"}) as small:
        done = small.exec(["python3", "-c", "x = bytearray(200 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1"])
        check_equal((done["reason"], done["signal"]), ("oom", "SIGKILL"), "end")
        check_equal(small.python("x = bytearray(8 << 20); print('fits')"), "fits\n", "the twin")
        check(small.usage()["oom_kills"] >= 1, "oom_kills")


@test
def the_pids_limit_is_told():
    with daemon().client.sandbox(template="shell", limits={"pids": 16}) as small:
        done = small.exec(command="for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
                                  "sleep 30 & done; wait", timeout_seconds=2)
        check_equal(done["pids_limit_hit"], True, "pids_limit_hit")
        check_in("fork", (done["stderr"] + " fork").lower(), "stderr")
    with daemon().client.sandbox(template="shell", limits={"pids": 16}) as small:
        check_equal(small.exec(command="sleep 0 & sleep 0 & wait")["pids_limit_hit"], False, "the twin")


@test
def many_commands_run_at_once():
    with daemon().client.sandbox(template="shell") as many:
        ids = [many.try_exec(["sleep", "7000"], detach=True).expect(202).json["exec_id"]
               for _ in range(20)]
        check_equal(len(set(ids)), 20, "different ids")
        check_equal(many.sh("pgrep -c -x sleep"), "20\n", "running")


@test
def code_runs_python():
    answer = daemon().client.post(f"{sandbox().path}/code", {
        "language": "python", "code": "import sys\nprint(6 * 7)\nsys.exit(2)"}).expect(200).json
    check_equal((answer["stdout"], answer["exit_code"]), ("42\n", 2), "answer")


@test
def code_runs_node():
    rows = {row["name"]: row for row in
            daemon().client.get("/v1/templates").expect(200).json["templates"]}
    if not rows["node"]["available"]:
        skip(f"no node here: {rows['node']['reason']}")
    with daemon().client.sandbox(template="node") as node:
        answer = daemon().client.post(f"{node.path}/code", {
            "language": "node", "code": "console.log([1, 2, 3].map(x => x * x).join())",
        }).expect(200).json
        check_equal((answer["stdout"], answer["exit_code"]), ("1,4,9\n", 0), f"{answer}")


@test
def code_runs_shell_with_the_options_of_exec():
    answer = daemon().client.post(f"{sandbox().path}/code", {
        "language": "shell", "code": "cat; pwd; echo $V", "stdin": "in ", "cwd": "/tmp",
        "env": {"V": "v"}}).expect(200).json
    check_equal(answer["stdout"], "in /tmp\nv\n", "stdout")


@test
def code_too_large_or_of_an_unknown_language_is_refused():
    path = f"{sandbox().path}/code"
    daemon().client.post(path, {"language": "python", "code": "#" * (97 << 10)}) \
        .problem(413, "too-large")
    check_in("/language", daemon().client.post(path, {"language": "cobol", "code": "x"})
             .problem(400, "invalid"), "sentence")


@test
def requests_that_make_no_sense_are_refused():
    for body in [{}, {"argv": []}, {"argv": [""]}, {"argv": "ls"}, {"argv": ["ls"], "command": "ls"},
                 {"argv": ["a\0b"]}, {"argv": ["ls"], "env": {"A": 1}}, {"argv": ["ls"], "cwd": "rel"},
                 {"argv": ["ls"], "stdin": "a", "stdin_base64": "YQ=="}, {"argv": ["ls"], "uid": -1},
                 {"argv": ["ls"], "stdin_base64": "*"}, {"argv": ["ls"], "timeout_seconds": -1},
                 {"argv": ["ls"], "unknown": 1}]:
        sandbox().try_exec(**body).problem(400, "invalid")


@test
def arguments_past_the_limit_are_too_large():
    sandbox().try_exec(["echo", "x" * (100 << 10)]).problem(413, "too-large")
    check_equal(len(sandbox().exec(["echo", "x" * (60 << 10)])["stdout"]), (60 << 10) + 1, "the twin")


@test
def no_descriptor_but_the_standard_three_is_inherited():
    text = sandbox().python("import os\nfor f in sorted(map(int, os.listdir('/proc/self/fd'))):\n"
                            "  try: print(f, os.readlink(f'/proc/self/fd/{f}').split(':')[0])\n"
                            "  except OSError: pass")
    check_equal([line.split()[0] for line in text.splitlines()], ["0", "1", "2"], text)


@test
def signals_and_masks_are_the_defaults():
    text = sandbox().sh("grep -E '^Sig(Blk|Ign)' /proc/self/status")
    check_equal({int(line.split()[1], 16) & ~(1 << (signal.SIGPIPE - 1)) for line in
                 text.splitlines()}, {0}, text)
    check_equal(sandbox().exec(["sh", "-c", "yes | head -1"])["stdout"], "y\n", "SIGPIPE works")


if __name__ == "__main__":
    main()
