#!/usr/bin/python3
"""The audit log from outside: what is in it, in which order, how it is read and followed."""

import base64
import contextlib
import hashlib
import json
import os
import re
import subprocess

from cloche_harness import (BUILD, Client, Daemon, check, check_equal, check_in, fixture, main, read_text,
                            running, test, until)


@fixture
def daemon():
    made = Daemon(pool="python=1,shell=2")
    yield made.start()
    made.close()


def client():
    return daemon().client


@test
def a_life_leaves_its_records_in_order():
    sandbox = client().create(template="shell", labels={"n": "1"})
    sandbox.exec(["sh", "-c", "exit 3"])
    sandbox.delete().expect(204)
    until(lambda: any(r["type"] == "sandbox.end" for r in client().events(sandbox=sandbox.id)), "its end")
    records = client().events(sandbox=sandbox.id)
    types = [record["type"] for record in records]
    for kind in ["sandbox.create", "exec.start", "process.exec", "process.exit", "exec.end", "sandbox.end",
                 "api.call"]:
        check_in(kind, types, "types")
    order = [types.index(kind) for kind in ["sandbox.create", "exec.start", "exec.end", "sandbox.end"]]
    check_equal(order, sorted(order), f"order in {types}")
    # the start of its PID 1 may have been told before it was anybody's
    for record in records[types.index("sandbox.create"):]:
        check_equal((record["v"], record["sandbox"], record["tenant"]), (1, sandbox.id, "admin"), "who")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", record["time"]), record["time"])


@test
def an_exec_is_told_with_its_program_arguments_and_identity():
    with client().sandbox(template="shell", policy="deny-all") as sandbox:
        done = sandbox.exec(["/usr/bin/printf", "%s", "ä\n"])
        records = client().events(sandbox=sandbox.id, type="process.exec")
        record = [r for r in records if r["argv"][0] == "/usr/bin/printf"][0]
        check_equal(record["argv"], ["/usr/bin/printf", "%s", "ä\n"], "argv")
        check_equal(record["argv_truncated"], False, "argv_truncated")
        process = record["process"]
        check_equal(process["pid"], done["pid"], "pid")
        check_equal(process["exe"], "/usr/bin/printf", "exe")
        check_equal(process["comm_untrusted"], "printf", "comm")
        check(re.fullmatch(r"\d+:\d+", process["exe_device"]), process["exe_device"])
        check_equal({**record["policy"], "mode": "enforce"}, sandbox.row["policy"], "policy")
        ended = [r for r in client().events(sandbox=sandbox.id, type="process.exit")
                 if r["process"]["pid"] == done["pid"]][0]
        check_equal((ended["exit_code"], ended["signal"], ended["oom_killed"]), (0, None, False), "exit")
        check_equal(ended["process"]["start_ns"], process["start_ns"], "the same process")
        check(ended["lifetime_ns"] > 0, "lifetime")


@test
def programs_started_by_programs_are_told_too():
    with client().sandbox(template="shell") as sandbox:
        sandbox.sh("sh -c 'sh -c \"/usr/bin/id -u\"'")
        names = [r["argv"][0] for r in client().events(sandbox=sandbox.id, type="process.exec")]
        check_in("/usr/bin/id", names, "programs")


@test
def long_arguments_are_cut_and_that_is_said():
    with client().sandbox(template="shell") as sandbox:
        sandbox.exec(["/bin/true", "y" * 5000])
        record = client().events(sandbox=sandbox.id, type="process.exec")[-1]
        check_equal(record["argv_truncated"], True, "argv_truncated")
        check(400 < sum(map(len, record["argv"])) < 600, "length")


@test
def a_signal_is_told_at_the_end_of_a_process():
    with client().sandbox(template="shell") as sandbox:
        sandbox.exec(["sh", "-c", "kill -KILL $$"])
        record = client().events(sandbox=sandbox.id, type="process.exit")[-1]
        check_equal((record["exit_code"], record["signal"]), (None, "SIGKILL"), "end")


@test
def api_calls_are_told_with_who_asked_and_what_came_of_it():
    after = client().last_sequence()
    client().get("/v1/sandboxes/sb-00000000000000ff").expect(404)
    record = client().wait_event(lambda r: r["path"].endswith("ff"), type="api.call", after=after)
    check_equal((record["method"], record["status"], record["tenant"]), ("GET", 404, "admin"), "call")
    check(record["key"].startswith("ck_") and record["duration_us"] >= 0, f"{record}")
    check_in("unix", record["remote"], "remote")


@test
def sequence_numbers_are_dense_on_the_disk():
    records = daemon().audit_lines()
    check_equal([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence")
    check_equal(records[0]["type"], "daemon.start", "the first")
    mode = os.stat(daemon().audit_segments()[0]).st_mode & 0o777
    check_equal(mode, 0o600, "mode of the file")


@test
def filters_and_pages_agree_with_the_whole():
    with client().sandbox(template="shell") as sandbox:
        for _ in range(5):
            sandbox.sh("true")
        whole = client().events(sandbox=sandbox.id, type="exec")
        check_equal(len(whole), 10, "exec records")
        check_equal({r["type"] for r in whole}, {"exec.start", "exec.end"}, "types")
        pages = client().events(sandbox=sandbox.id, type="exec", limit=3)
        check_equal([r["seq"] for r in pages], [r["seq"] for r in whole], "pages")
        check_equal(client().events(sandbox=sandbox.id, type="exec.start", after=whole[-1]["seq"]), [],
                    "after the last")
        answer = client().get(f"/v1/events?limit=2&after={whole[0]['seq'] - 1}").expect(200)
        check_in("application/x-ndjson", answer.headers["Content-Type"], "Content-Type")
        check_equal(int(answer.headers["Cloche-Next"]), whole[0]["seq"] + 1, "Cloche-Next")


@test
def following_gives_what_comes_when_it_comes():
    with client().sandbox(template="shell") as sandbox, \
            client().stream("GET", f"/v1/events?sandbox={sandbox.id}&type=exec.start&follow=true") as follow:
        check_equal(follow.status, 200, "status")
        for word in ["one", "two"]:
            sandbox.exec(["echo", word])
            check_equal(json.loads(follow.readline())["argv"], ["echo", word], "argv")


@test
def following_by_server_sent_events_resumes_after_the_last_id():
    with client().sandbox(template="shell") as sandbox:
        sandbox.exec(["echo", "one"])
        sandbox.exec(["echo", "two"])
        first, second = client().events(sandbox=sandbox.id, type="exec.start")
        path = f"/v1/events?sandbox={sandbox.id}&type=exec.start&follow=true"
        with client().stream("GET", path, headers={
                "Accept": "text/event-stream", "Last-Event-ID": str(first["seq"])}) as follow:
            check_in("text/event-stream", follow.headers["Content-Type"], "Content-Type")
            fields = {}
            while "data" not in fields:
                line = follow.readline().decode().rstrip("\n")
                if ": " in line and not line.startswith(":"):
                    fields.update([line.split(": ", 1)])
            check_equal(int(fields["id"]), second["seq"], "id")
            check_equal(json.loads(fields["data"])["argv"], ["echo", "two"], "data")


@test
def what_a_client_sends_cannot_forge_a_line():
    with client().sandbox(template="shell") as sandbox:
        forged = '"}\n{"v":1,"seq":999999,"type":"daemon.stop"}'
        sandbox.exec(["echo", forged, "\x1b[2J"])
        client().get("/v1/sandboxes/%0a%7b%22seq%22:1%7d").expect(404)
        records = daemon().audit_lines()
        check_equal([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence")
        text = daemon().audit_text()
        check("\x1b" not in text, "an escape character in the file")
        record = client().events(sandbox=sandbox.id, type="exec.start")[-1]
        check_equal(record["argv"][1], forged, "argv")


@test
def arguments_that_are_no_utf8_are_told():
    with client().sandbox(template="python") as sandbox:
        sandbox.python("import os; os.spawnv(0, '/bin/true', [b'true', b'a\\xff\\xfeb'])")
        record = client().events(sandbox=sandbox.id, type="process.exec")[-1]
        check_equal(record["argv"], ["true", "a\ufffd\ufffdb"], "argv")


@test
def nothing_is_lost_in_a_burst_or_it_is_said():
    with client().sandbox(template="shell") as sandbox:
        sandbox.sh("i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done", timeout_seconds=60)
        found = [r for r in client().events(sandbox=sandbox.id, type="process.exec")
                 if r["argv"][0] == "/bin/true"]
        lost = sum(r["lost"] for r in client().events(type="audit.lost"))
        check(len(found) == 1500 or lost > 0 and len(found) + lost >= 1500, f"{len(found)} and {lost} lost")


@test
def a_query_that_makes_no_sense_is_refused():
    for query in ["after=x", "after=-1", "limit=0x", "sandbox=nonsense", "follow=maybe", "colour=blue"]:
        client().get(f"/v1/events?{query}").problem(400, "invalid")


@test
def start_and_stop_are_told_and_numbers_go_on():
    with running(pool="python=0") as own:
        own.stop()
        first = own.audit_lines()
        check_equal((first[0]["type"], first[-1]["type"]), ("daemon.start", "daemon.stop"), "types")
        own.start()
        second = own.audit_lines()
        check_equal([r["seq"] for r in second], list(range(1, len(second) + 1)), "sequence")
        check(len(second) > len(first), "the second start is told")


@test
def half_a_line_of_a_crash_is_cut_off_and_told():
    with running(pool="python=0") as own:
        own.kill()
        with open(own.audit_segments()[-1], "ab") as file:
            file.write(b'{"v":1,"seq":77,"ti')
        own.start()
        kinds = [record["type"] for record in own.audit_lines()]
        check_in("audit.recovered", kinds, "types")


def checkpoint_of(own):
    """The lines of the newest checkpoint's text."""
    return read_text(f"{own.state_dir}/audit/checkpoint").split("\n\n")[0].splitlines()


def size_of(own):
    return int(checkpoint_of(own)[1])


@test
def a_checkpoint_covers_every_record_within_a_second_or_two():
    with client().sandbox(template="shell") as sandbox:
        sandbox.exec(["true"])
        last = client().last_sequence()
        until(lambda: size_of(daemon()) >= last, "a checkpoint of it")
    lines = checkpoint_of(daemon())
    check(re.fullmatch(r"cloche/[a-z0-9-]+/[0-9a-f]{16}", lines[0]), lines[0])
    check(re.fullmatch(r"number [1-9][0-9]*", lines[3]), lines[3])
    check(re.fullmatch(r"programs [0-9a-f]{64}", lines[8]), lines[8])
    check(re.fullmatch(r"policies [0-9a-f]{64}", lines[9]), lines[9])
    seen, emitted, dropped = map(int, re.fullmatch(r"events seen (\d+) emitted (\d+) dropped (\d+)",
                                                   lines[7]).groups())
    check(seen > 0 and seen == emitted + dropped, lines[7])


@test
def the_root_is_that_of_the_lines_and_the_signature_that_of_the_key():
    with running(pool="python=0") as own:
        own.client.get("/v1/policies").expect(200)
        own.stop()
        text, note = read_text(f"{own.state_dir}/audit/checkpoint").split("\n\n")
        lines = own.audit_text().encode().splitlines()
        check_equal(int(text.splitlines()[1]), len(lines), "size")
        check_equal(base64.b64decode(text.splitlines()[2]), root_of(lines), "root")
        check_equal(text.splitlines()[5], "reason stop", "reason")
        key = base64.b64decode(read_text(f"{own.state_dir}/audit/keys/000001.pub").split("+", 2)[2])
        # the 12 bytes before a raw Ed25519 key in its DER form (RFC 8410)
        for name, data in [("key", bytes.fromhex("302a300506032b6570032100") + key[1:]),
                           ("text", text.encode() + b"\n"),
                           ("signature", base64.b64decode(note.split(" ")[2])[4:])]:
            with open(f"{own.state_dir}/{name}", "wb") as file:
                file.write(data)
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key",
                               "-rawin", "-in", "text", "-sigfile", "signature"], cwd=own.state_dir,
                              capture_output=True, text=True, check=False)
        check_equal(done.returncode, 0, done.stdout + done.stderr)


def root_of(lines):
    """MTH of RFC 9162 2.1.1."""
    if len(lines) == 1:
        return hashlib.sha256(b"\0" + lines[0]).digest()
    split = 1 << (len(lines) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(lines[:split]) + root_of(lines[split:])).digest()


def streams_of(own):
    """The records of each sandbox's stream."""
    streams = {}
    for record in own.audit_lines():
        if "sandbox_seq" in record:
            streams.setdefault(record["sandbox"], []).append(record)
    return streams


@test
def a_stream_is_dense_and_its_end_counts_it():
    sandbox = client().create(template="shell")
    sandbox.sh("true; true")
    sandbox.delete().expect(204)
    until(lambda: any(r["type"] == "sandbox.end" for r in client().events(sandbox=sandbox.id)), "its end")
    stream = streams_of(daemon())[sandbox.id]
    check_equal([r["sandbox_seq"] for r in stream], list(range(1, len(stream) + 1)), "numbers")
    check_equal((stream[0]["type"], stream[-1]["type"]), ("sandbox.create", "sandbox.end"), "types")
    head = bytes(32)
    lines = {r["seq"]: line for line in daemon().audit_text().encode().splitlines() for r in [json.loads(line)]}
    for record in stream[:-1]:
        head = hashlib.sha256(head + hashlib.sha256(b"\0" + lines[record["seq"]]).digest()).digest()
    check_equal(stream[-1]["audit"], {"records": len(stream) - 1, "head": head.hex()}, "what the end says")


@test
def killed_while_events_flow_the_log_goes_on_whole():
    with running(pool="shell=1") as own:
        sandbox = own.client.create(template="shell")
        sandbox.try_exec(["sh", "-c", "while :; do /bin/true; done"], detach=True).expect(202)
        for _ in range(3):
            after = own.client.last_sequence()
            until(lambda: own.client.last_sequence() > after + 20, "events")
            own.kill()
            own.start()
        sandbox.delete().expect(204)
        own.stop()
        records = own.audit_lines()
        check_equal([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence")
        check_equal(len([r for r in records if r["type"] == "audit.recovered"]), 3, "unclean stops")
        check_equal([r for r in records if r["type"] == "audit.broken"], [], "broken")
        stream = streams_of(own)[sandbox.id]
        check_equal([r["sandbox_seq"] for r in stream], list(range(1, len(stream) + 1)), "numbers")
        check_equal(stream[-1]["audit"]["records"], len(stream) - 1, "what the end says")
        lines = own.audit_text().encode().splitlines()
        check_equal(base64.b64decode(checkpoint_of(own)[2]), root_of(lines), "root")
        verify(own)


def verify(own):
    """By the program that has no code of the supervisor's."""
    audit = f"{own.state_dir}/audit"
    done = subprocess.run([f"{BUILD}/cloche-verify", "--key", f"{audit}/keys/000001.pub", audit],
                          capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, done.stdout + done.stderr)


@test
def a_log_that_was_cut_is_set_aside_and_its_sandboxes_go_on_in_a_new_one():
    with running(pool="shell=1") as own:
        sandbox = own.client.create(template="shell")
        last = own.client.last_sequence()
        until(lambda: size_of(own) >= last, "a checkpoint")
        own.kill()
        whole = own.audit_text()
        with open(own.audit_segments()[-1], "w", encoding="utf-8") as file:
            file.write("".join(whole.splitlines(True)[:-2]))
        own.start()
        first = own.audit_lines()[0]
        check_equal((first["type"], first["seq"]), ("audit.broken", 1), "the first record")
        check(os.path.isdir(f"{own.state_dir}/{first['moved_to']}/log"), "where the old log is")
        stream = streams_of(own)[sandbox.id]
        check_equal((stream[0]["type"], stream[0]["sandbox_seq"]), ("sandbox.adopt", 1), "its stream")
        check_equal(sandbox.exec(["true"])["exit_code"], 0, "it runs")


@test
def a_new_key_is_certified_and_for_administrators():
    with running(pool="shell=0") as own:
        answer = own.client.post("/v1/audit/rotate-key").expect(200).json
        check_equal(answer["epoch"], 2, "epoch")
        check_equal(read_text(f"{own.state_dir}/audit/keys/000002.pub"), answer["key"] + "\n", "key")
        check_in(f"epoch 2\nkey {answer['key']}\n", read_text(f"{own.state_dir}/audit/keys/000002.cert"), "text")
        own.client.post("/v1/tenants", {"name": "acme"}).expect(201)
        key = own.client.post("/v1/keys", {"tenant": "acme"}).expect(201).json["key"]
        Client(own.socket_path, key).post("/v1/audit/rotate-key").problem(403, "forbidden")
        check_equal(os.stat(f"{own.state_dir}/audit-key").st_mode & 0o777, 0o600, "mode")
        check_equal(answer["certificate"], read_text(f"{own.state_dir}/audit/keys/000002.cert"), "certificate")
        own.kill()
        own.start()
        own.stop()
        verify(own)


@contextlib.contextmanager
def small_disk(own):
    """The daemon's state on a disk of 6 MiB."""
    os.mkdir(own.state_dir, 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", own.state_dir], check=True)
    try:
        yield own.start()
        own.stop()
    finally:
        subprocess.run(["umount", "-l", own.state_dir], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


@test
def on_a_full_disk_nothing_new_starts_what_runs_goes_on_and_losses_are_told():
    own = Daemon(pool="shell=1")
    try:
        with small_disk(own):
            sandbox = own.client.create(template="shell")
            fill(f"{own.state_dir}/filler")
            until(lambda: own.client.get("/readyz").status == 503, "that it is told")
            own.client.post("/v1/sandboxes", {"template": "shell"}).problem(503, "unavailable")
            for _ in range(40):  # more than the rest of a page takes
                check_equal(sandbox.exec(["echo", "on"])["stdout"], "on\n", "what runs")
            os.unlink(f"{own.state_dir}/filler")
            until(lambda: own.client.get("/readyz").status == 200, "that it is over")
            other = own.client.create(template="shell")
            lost = [r for r in own.client.events(type="audit.lost") if r["where"] == "disk"]
            check(sum(r["lost"] for r in lost) > 0, "what was lost is told")
            for each in [sandbox, other]:
                each.delete().expect(204)
            until(lambda: len(own.client.events(type="sandbox.end")) == 2, "their ends")
            for stream in streams_of(own).values():
                check_equal([r["sandbox_seq"] for r in stream], list(range(1, len(stream) + 1)), "numbers")
    finally:
        own.close()


if __name__ == "__main__":
    main()
