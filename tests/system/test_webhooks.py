#!/usr/bin/python3
"""Webhooks and syslog: audit records that are sent out, whatever happens to either end."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from cloche_harness import (BUILD, Daemon, check, check_equal, check_in, child_named, fixture, main, read_text,
                            running, test, until)
from webhook_receiver import NameServer, Receiver, certificate, verify


@fixture
def daemon():
    made = Daemon(pool="python=0,shell=2")
    yield made.start()
    made.close()


@fixture
def acme():
    yield daemon().tenant("acme")


@fixture
def other():
    yield daemon().tenant("other")


def add(client, url, **more):
    return client.post("/v1/webhooks", {"url": url, **more}).expect(201).json


def row(client, hook):
    rows = client.get("/v1/webhooks").expect(200).json["webhooks"]
    return next(each for each in rows if each["id"] == hook["id"])


def remove(client, hook):
    client.delete(f"/v1/webhooks/{hook['id']}").expect(204)


def make_record(client):
    """Returns the sequence of an api.call record."""
    path = f"/v1/sandboxes/sb-{os.urandom(8).hex()}"
    after = client.last_sequence()
    client.get(path).expect(404)
    return client.wait_event(lambda r: r["path"] == path, type="api.call", after=after)["seq"]


@test
def records_are_delivered_in_order_and_signed():
    client = daemon().client
    with Receiver() as receiver:
        hook = add(client, receiver.url, internal=True, after=0)
        check(re.fullmatch(r"wh-[0-9a-f]{16}", hook["id"]), hook["id"])
        last = make_record(client)
        receiver.wait(lambda r: r["seq"] == last, "the record")
        found = receiver.accepted()
        check_equal([r["seq"] for r in found], list(range(1, len(found) + 1)), "sequences")
        exported = client.get(f"/v1/audit?until={len(found)}").expect(200).body
        check_equal(b"".join(r["body"] for r in receiver.requests), exported, "bytes")
        for request in receiver.requests:
            verify(request, hook["secret"])
            check_equal(request["headers"]["content-type"], "application/x-ndjson", "Content-Type")
            check("expect" not in request["headers"], "Expect")
            lines = request["body"].splitlines()
            check_equal(request["headers"]["webhook-id"],
                        f"{hook['id']}_{json.loads(lines[0])['seq']}-{json.loads(lines[-1])['seq']}", "id")
        shown = until(lambda: row(client, hook)["last_success_at"] and row(client, hook), "the state")
        check("secret" not in shown and shown["failures"] == 0 and shown["last_error"] is None, f"{shown}")
        until(lambda: row(client, hook)["cursor"] >= last, "the cursor moves")
        remove(client, hook)
        n = len(receiver.requests)
        make_record(client)
        make_record(client)
        check_equal(len(receiver.requests), n, "requests after it was deleted")


@test
def what_fails_is_tried_again_with_the_same_id_and_told():
    client = daemon().client
    with Receiver() as elsewhere, Receiver([500, (302, {"Location": elsewhere.url}), 429]) as receiver:
        hook = add(client, receiver.url, internal=True, type="api.call")
        seen = []

        def told():
            seen.append(row(client, hook)["last_error"])
            return len(receiver.requests) >= 3 and receiver.accepted()

        seq = make_record(client)
        until(told, "four attempts")
        check_equal(receiver.accepted()[0]["seq"] <= seq, True, "the first record")
        ids = [r["headers"]["webhook-id"] for r in receiver.requests[:4]]
        check_equal(len(set(ids)), 1, "ids of the attempts")
        check_equal([r["status"] for r in receiver.requests[:4]], [500, 302, 429, 200], "answers")
        check(any(e and "500" in e for e in seen), f"{set(seen)}")
        check(any(e and "redirects are not followed" in e for e in seen), f"{set(seen)}")
        check_equal(elsewhere.requests, [], "the redirect's target")
        until(lambda: row(client, hook)["failures"] == 0, "the count is reset")
        remove(client, hook)


@test
def a_receiver_that_is_down_loses_nothing_and_holds_nobody_up():
    client = daemon().client
    with Receiver() as healthy:
        down = Receiver()
        port, url = down.port, down.url
        down.close()
        first = add(client, url, internal=True, type="api.call")
        second = add(client, healthy.url, internal=True, type="api.call")
        start = client.last_sequence()
        last = [make_record(client) for _ in range(5)][-1]
        healthy.wait(lambda r: r["seq"] == last, "the healthy one has it")
        shown = until(lambda: row(client, first)["failures"] >= 2 and row(client, first), "failures")
        check(shown["cursor"] < shown["last"] and shown["last_failure_at"], f"lag is not shown: {shown}")
        check_in("onnect", shown["last_error"], "error")
        with Receiver(port=port) as up:
            up.wait(lambda r: r["seq"] == last, "what was missed")
            expected = [r["seq"] for r in client.events(type="api.call", after=start) if r["seq"] <= last]
            got = [r["seq"] for r in up.accepted()]
            check_equal([s for s in got if start < s <= last], expected, "sequences")
            remove(client, first)
        remove(client, second)


@test
def nothing_is_lost_when_either_process_is_killed():
    with running(pool="python=0,shell=0") as own, Receiver() as receiver:
        hook = add(own.client, receiver.url, internal=True, after=0)
        for turn in range(4):
            last = make_record(own.client)
            receiver.wait(lambda r: r["seq"] >= last, "it goes on")
            if turn == 0:
                os.kill(child_named(own.process.pid, "cloche-export"), signal.SIGKILL)
            elif turn == 1:
                own.kill()
                own.start()
            elif turn == 2:
                own.stop()
                own.start()
        found = sorted({r["seq"] for r in receiver.accepted()})
        check_equal(found, list(range(1, len(found) + 1)), "sequences")
        for request in receiver.requests:
            verify(request, hook["secret"])
        check_equal(row(own.client, hook)["url"], receiver.url, "the row")


@test
def a_tenant_gets_its_own_records_only_and_reaches_nothing_internal():
    client, _ = daemon().client, acme()
    with Receiver() as receiver:
        hook = add(client, receiver.url, internal=True, tenant="acme", after=0)
        theirs = make_record(other())
        mine = make_record(acme())
        receiver.wait(lambda r: r["seq"] == mine, "acme's record")
        check_equal({r["tenant"] for r in receiver.accepted()}, {"acme"}, "tenants")
        check(theirs not in [r["seq"] for r in receiver.accepted()], "another's record")
        for body, word in [({"url": receiver.url, "internal": True}, "internal"),
                           ({"url": "https://hooks.example/", "tenant": "other"}, "another tenant")]:
            check_in(word, acme().post("/v1/webhooks", body).problem(403, "forbidden"), f"{body}")
        own = add(acme(), "https://hooks.example/x", tenant="acme")
        check_equal(own["tenant"], "acme", "whose")
        check_equal([r["id"] for r in acme().get("/v1/webhooks").json["webhooks"]], [hook["id"], own["id"]],
                    "acme's list")
        check_equal(other().get("/v1/webhooks").json["webhooks"], [], "another's list")
        other().delete(f"/v1/webhooks/{own['id']}").problem(404, "not-found")
        remove(acme(), own)
        remove(client, hook)
        client.delete(f"/v1/webhooks/{hook['id']}").problem(404, "not-found")
        client.delete("/v1/webhooks/nonsense").problem(404, "not-found")


@test
def there_are_limits():
    hooks = [add(other(), f"https://hooks.example/{n}") for n in range(4)]
    check_in("4 webhooks", other().post("/v1/webhooks", {"url": "https://hooks.example/"}).problem(
        429, "limit"), "sentence")
    remove(other(), hooks[0])
    hooks[0] = add(other(), "https://hooks.example/")
    for hook in hooks:
        remove(other(), hook)


@test
def webhooks_that_make_no_sense_are_refused_by_name():
    for body, word in [({}, "url"), ({"url": "ftp://x.example/"}, "https://"),
                       ({"url": "http://x.example/"}, "internal"), ({"url": "https://127.0.0.1/"}, "internal"),
                       ({"url": "https://user@x.example/"}, "user"), ({"url": "https://2130706433/"}, "host"),
                       ({"url": "https://0x7f.1/", "internal": True}, "host"),
                       ({"url": "https://x.example/#a"}, "fragment"), ({"url": "https://x.example:0/"}, "port"),
                       ({"url": "https://x.example/", "type": "a,,b"}, "type"),
                       ({"url": "https://x.example/", "verdict": "maybe"}, "verdict"),
                       ({"url": "https://x.example/", "format": "xml"}, "format"),
                       ({"url": "https://x.example/", "after": -1}, "after"),
                       ({"url": "https://x.example/", "colour": 1}, "colour")]:
        check_in(word, daemon().client.post("/v1/webhooks", body).problem(400, "invalid"), f"{body}")
    daemon().client.post("/v1/webhooks", {"url": "https://x.example/", "tenant": "nobody"}).problem(
        404, "not-found")


@test
def a_name_that_points_inside_is_not_called_and_a_stranger_is_not_trusted():
    with tempfile.TemporaryDirectory() as folder, NameServer("127.0.0.1") as names:
        authority, chain = certificate(folder, "hooks.example")
        arguments = ["--resolver", f"127.0.0.1:{names.port}", "--webhook-ca", authority]
        with running(pool="python=0,shell=0", arguments=arguments) as own, Receiver(tls=chain) as receiver:
            client, url = own.client, f"https://hooks.example:{receiver.port}/"
            outside = add(client, url)
            stranger = add(client, f"https://other.example:{receiver.port}/", internal=True)
            make_record(client)
            error = until(lambda: row(client, outside)["last_error"], "it is refused")
            check_in("not public (loopback)", error, "error")
            error = until(lambda: row(client, stranger)["last_error"], "it is not trusted")
            check_in("other.example", error, "error")
            check_equal(receiver.requests, [], "requests")
            inside = add(client, url, internal=True)  # the twin: with one rule changed
            last = make_record(client)
            receiver.wait(lambda r: r["seq"] == last, "the record")
            verify(receiver.requests[0], inside["secret"])
            check_equal(receiver.requests[0]["headers"]["host"], f"hooks.example:{receiver.port}", "Host")
            check(row(client, outside)["failures"] > 0, "the other still fails")


@test
def ocsf_and_filters_apply():
    client = daemon().client
    with Receiver() as receiver:
        hook = add(client, receiver.url, internal=True, format="ocsf", type="api.call", after=0)
        last = make_record(client)
        receiver.wait(lambda e: e["metadata"]["sequence"] == last, "the event")
        check_equal({e["class_uid"] for e in receiver.accepted()}, {6003}, "classes")
        verify(receiver.requests[-1], hook["secret"])
        remove(client, hook)


@test
def a_deleted_tenant_takes_its_webhooks_along():
    gone = daemon().tenant("gone")
    add(gone, "https://hooks.example/")
    daemon().client.delete("/v1/tenants/gone").expect(204)
    rows = daemon().client.get("/v1/webhooks").expect(200).json["webhooks"]
    check_equal([r for r in rows if "hooks.example" in r["url"]], [], "webhooks")


@test
def making_and_deleting_are_recorded_without_the_secret():
    client = daemon().client
    after = client.last_sequence()
    hook = add(client, "https://hooks.example/")
    remove(client, hook)
    records = client.events(type="webhook", after=after)
    check_equal([r["type"] for r in records], ["webhook.create", "webhook.delete"], "types")
    check_equal({r["webhook"] for r in records}, {hook["id"]}, "whose")
    check(hook["secret"] not in daemon().audit_text(), "the secret is in the log")


@test
def cloche_export_holds_nothing():
    with running(pool="python=0,shell=0") as own, Receiver() as receiver:
        pid = own.process.pid
        check(not [n for n in children(pid) if n == "cloche-export"], "it runs without receivers")
        hook = add(own.client, receiver.url, internal=True)
        until(lambda: "cloche-export" in children(own.process.pid), "it is started")
        pid = child_named(pid, "cloche-export")

        def confined():
            found = dict(line.split(":", 1) for line in read_text(f"/proc/{pid}/status").splitlines())
            return found if found["Seccomp"].strip() == "2" else None

        status = until(confined, "it is confined")
        check("0" not in status["Uid"].split(), f"root: {status['Uid']}")
        for line in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
            check_equal(int(status[line], 16), 0, line)
        check_equal(status["NoNewPrivs"].strip(), "1", "NoNewPrivs")
        fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        check(not [f for f in fds if f.startswith("/") and not f.startswith("/dev/")
                   and not f.endswith("cloched.log")], f"it holds files: {fds}")
        remove(own.client, hook)
        until(lambda: "cloche-export" not in children(own.process.pid), "it ends with the last receiver")


def children(pid):
    return [read_text(f"/proc/{child}/comm").strip()
            for child in read_text(f"/proc/{pid}/task/{pid}/children").split()]


@test
def the_command_adds_lists_and_deletes():
    def cloche(*words):
        env = {**os.environ, "CLOCHE_URL": f"unix://{daemon().socket_path}",
               "CLOCHE_STATE_DIR": daemon().state_dir, "CLOCHE_KEY": ""}
        return subprocess.run([f"{BUILD}/cloche", *words], capture_output=True, env=env, timeout=60,
                              check=False, text=True)

    with Receiver() as receiver:
        done = cloche("webhook", "add", receiver.url, "--internal", "--type", "api.call", "--after", "0")
        check(done.returncode == 0 and done.stdout.startswith("whsec_"), f"{done}")
        name = re.search(r"wh-[0-9a-f]{16}", done.stderr)[0]
        receiver.wait(lambda r: r["type"] == "api.call", "a record")
        verify(receiver.requests[0], done.stdout.strip())
        check_in(f"{name}", cloche("webhook", "ls").stdout, "list")
        check_equal(cloche("webhook", "rm", name).returncode, 0, "exit code")
        check(name not in cloche("webhook", "ls").stdout, "it is listed still")
        check_equal(cloche("webhook", "rm", name).returncode, 1, "exit code of another time")
        done = cloche("webhook", "add", "http://x.example/")
        check(done.returncode == 1 and "internal" in done.stderr, f"{done}")


# ---- syslog

MESSAGE = re.compile(r"<(\d+)>1 (\S+) (\S+) cloche - (\S+) \[audit@32473( [^\]]*)\] (\{.*\})", re.S)


def parse(text):
    found = MESSAGE.fullmatch(text)
    check(found, f"no message of RFC 5424: {text[:300]!r}")
    record = json.loads(found[6])
    data = dict(re.findall(r' (\w+)="([^"]*)"', found[5]))
    check_equal(int(data["seq"]), record["seq"], "seq")
    check_equal(data["type"], record["type"], "type")
    check_equal(found[4], record["type"], "MSGID")
    check_equal(data.get("tenant"), record.get("tenant"), "tenant")
    check_equal(data.get("sandbox"), record.get("sandbox"), "sandbox")
    check_equal(found[2], record["time"][:26] + "Z", "timestamp")
    check_equal(int(found[1]) // 8, 13, "facility")
    return record


class Syslog:
    def __init__(self, path, kind):
        self.path, self.kind, self.records, self.peer, self.rest = path, kind, [], None, b""
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.settimeout(0.05)
        if kind == socket.SOCK_STREAM:
            self.socket.listen()

    def read(self):
        """Takes what is there."""
        try:
            if self.kind == socket.SOCK_DGRAM:
                self.records.append(parse(self.socket.recv(65536).decode()))
                return
            if not self.peer:
                self.peer = self.socket.accept()[0]
                self.peer.settimeout(0.05)
            data = self.peer.recv(65536)
            if not data:
                self.peer.close()
                self.peer, self.rest = None, b""
            self.rest += data
            while b" " in self.rest:
                length, rest = self.rest.split(b" ", 1)
                if len(rest) < int(length):
                    return
                self.records.append(parse(rest[:int(length)].decode()))
                self.rest = rest[int(length):]
        except TimeoutError:
            pass

    def wait(self, seq):
        def there():
            self.read()
            return seq in [r["seq"] for r in self.records]
        until(there, f"record {seq}")

    def drain(self, daemon):
        """Until all that is in the log is here: a logger that dies takes along what it has not read."""
        quiet = 0
        while quiet < 5:
            n = len(self.records)
            self.read()
            last = daemon.audit_lines()[-1]["seq"]
            quiet = quiet + 1 if n == len(self.records) and self.records[-1]["seq"] == last else 0

    def close(self):
        if self.peer:
            self.peer.close()
        self.socket.close()
        os.unlink(self.path)


def check_syslog(kind):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/log"
        log = Syslog(path, kind)
        with running(pool="python=0,shell=0", arguments=["--syslog", path]) as own:
            log.wait(make_record(own.client))
            log.drain(own)
            first = [r["seq"] for r in log.records]
            log.close()
            missed = [make_record(own.client) for _ in range(3)]
            log = Syslog(path, kind)
            log.wait(missed[-1])
            own.kill()
            own.start()
            log.wait(make_record(own.client))
            seen = first + [r["seq"] for r in log.records]
            check_equal(sorted(set(seen)), list(range(min(seen), max(seen) + 1)), "sequences")
        log.close()


@test
def syslog_datagrams_are_whole_and_none_is_lost():
    check_syslog(socket.SOCK_DGRAM)


@test
def syslog_streams_are_framed_and_none_is_lost():
    check_syslog(socket.SOCK_STREAM)


@test
def a_syslog_that_does_not_read_holds_nobody_up():
    with tempfile.TemporaryDirectory() as folder:
        log = Syslog(f"{folder}/log", socket.SOCK_DGRAM)
        with running(pool="python=0,shell=0", arguments=["--syslog", log.path]) as own, \
                Receiver() as receiver:
            add(own.client, receiver.url, internal=True)
            for _ in range(500):
                own.client.get("/v1/sandboxes/sb-00000000000000ff").expect(404)
            last = make_record(own.client)
            receiver.wait(lambda r: r["seq"] == last, "the webhook's")
            log.wait(last)
            seen = [r["seq"] for r in log.records]
            check_equal(seen, list(range(seen[0], seen[-1] + 1)), "sequences")
        log.close()


@test
def a_receiver_of_checkpoints_is_a_witness_against_a_log_set_back_as_a_whole():
    daemon_ = Daemon(pool="shell=1", arguments=["--audit-heartbeat", "1"])
    with Receiver() as receiver, tempfile.TemporaryDirectory() as scratch:
        try:
            client = daemon_.start().client
            daemon_.tenant("acme").post("/v1/webhooks", {"url": "https://a.example", "type": "audit.checkpoint",
                                                         "format": "ocsf"}).problem(400, "invalid")
            hook = add(client, receiver.url, internal=True, type="audit.checkpoint")
            records = add(client, receiver.url, internal=True, type="api.call")
            receiver.wait(lambda r: r["type"] == "audit.checkpoint", "the first checkpoint")
            shutil.copytree(f"{daemon_.state_dir}/audit", f"{scratch}/early")
            first = len(notes_of(receiver))
            make_record(client)
            until(lambda: len(notes_of(receiver)) > first + 1, "later checkpoints, by heartbeat", 40)
            for request in receiver.requests:
                is_checkpoint = b'"audit.checkpoint"' in request["body"]
                verify(request, (hook if is_checkpoint else records)["secret"])
            check(any(r["type"] == "api.call" for r in receiver.accepted()), "records go to their own")
            key = read_text(f"{daemon_.state_dir}/audit/keys/000001.pub").strip()
            daemon_.stop()
            notes = notes_of(receiver)
            numbers = [int(note.splitlines()[3].split()[1]) for note in notes]
            check_equal(numbers, sorted(set(numbers)), "numbers of the notes")
            with open(f"{scratch}/witness", "w", encoding="utf-8") as file:
                file.write("".join(note + "\n" for note in notes))
            for path, status in ((f"{daemon_.state_dir}/audit", 0), (f"{scratch}/early", 1)):
                plain, witnessed = ([f"{BUILD}/cloche-verify", path, "--key", key, "--json", *more]
                                    for more in ([], ["--witness", f"{scratch}/witness"]))
                check_equal(subprocess.run(plain, stdout=subprocess.PIPE, check=False).returncode, 0, "alone")
                done = subprocess.run(witnessed, stdout=subprocess.PIPE, check=False)
                check_equal(done.returncode, status, f"with the witness: {done.stdout}")
            check_equal(json.loads(done.stdout)["fault"]["kind"], "rolled-back", "what is wrong")
        finally:
            daemon_.close()


def notes_of(receiver):
    return [r["note"] for r in receiver.accepted() if r["type"] == "audit.checkpoint"]


if __name__ == "__main__":
    main()
