#!/usr/bin/python3
"""The audit log taken out over HTTP: whole, filtered, packed, as OCSF, followed over a crash."""

import contextlib
import datetime
import gzip
import json
import os
import subprocess
import tempfile
import threading
import zlib

from cloche_harness import (BUILD, Daemon, Failed, check, check_equal, check_in, fixture, main, read_text,
                            running, test, until, wait_exit)

DENIED = "import socket\ntry: socket.create_connection(('203.0.113.1', 80), 1)\nexcept OSError as e: print(e)"


@fixture
def daemon():
    made = Daemon(pool="python=1,shell=2")
    yield made.start()
    made.close()


@fixture
def acme():
    yield daemon().tenant("acme")


@fixture
def other():
    yield daemon().tenant("other")


def client():
    return daemon().client


def export(who=None, headers=None, **query):
    text = "&".join(f"{key}={value}" for key, value in query.items())
    return (who or client()).get(f"/v1/audit?{text}", headers=headers).expect(200)


def rows(answer):
    return [json.loads(line) for line in answer.body.splitlines()]


def some_records():
    """A sandbox of acme's with a denied connection; returns its id."""
    with acme().sandbox(template="python") as sandbox:
        check_in("not permitted", sandbox.python(DENIED), "the attempt")
        until(lambda: acme().events(sandbox=sandbox.id, type="network.connect"), "its record")
        return sandbox.id


@test
def the_export_is_the_log_byte_for_byte():
    some_records()
    answer = export()
    check_equal(answer.headers["Content-Type"], "application/x-ndjson", "Content-Type")
    check_equal(answer.headers["Transfer-Encoding"], "chunked", "a stream")
    check("Content-Disposition" not in answer.headers, "Content-Disposition")
    last = int(answer.headers["Cloche-Last"])
    on_disk = "".join(line + "\n" for line in daemon().audit_text().splitlines()
                      if json.loads(line)["seq"] <= last)
    check_equal(answer.body.decode(), on_disk, "export")
    check_equal(int(answer.headers["Cloche-First"]), 1, "Cloche-First")
    check(last > 20, "there are records")
    later = export(after=last)
    check(all(row["seq"] > last for row in rows(later)), "later records")
    check_equal(rows(later)[0]["seq"], last + 1, "the next one")


@test
def a_large_log_is_exported_whole_and_in_order():
    with acme().sandbox(template="shell") as sandbox:
        sandbox.sh("i=0; while [ $i -lt 800 ]; do /bin/true; i=$((i+1)); done", timeout_seconds=60)
        answer = export(sandbox=sandbox.id)
        found = [row["seq"] for row in rows(answer)]
        check(len(found) > 1500, f"{len(found)} records in one answer")
        check_equal(found, sorted(set(found)), "order")
        check_equal(found, [row["seq"] for row in client().events(sandbox=sandbox.id)][:len(found)], "pages")


@test
def ranges_by_sequence_and_time_agree_with_the_whole():
    some_records()
    whole = rows(export())
    part = whole[5:15]
    found = rows(export(after=part[0]["seq"] - 1, until=part[-1]["seq"]))
    check_equal(found, part, "by sequence")
    found = rows(export(after=part[0]["seq"] - 1, until=part[-1]["seq"], limit=3))
    check_equal(found, part[:3], "a page of it")
    # The kernel's two rings are read one after the other: records are not in the order of their times.
    times = sorted({row["time"] for row in part})
    since, end = times[1], times[-1]
    expected = [row["seq"] for row in whole if since <= row["time"] < end]
    check_equal([row["seq"] for row in rows(export(since=since, until_time=end))], expected, "by time")
    moved = datetime.datetime.fromisoformat(since[:19] + "+00:00") + datetime.timedelta(hours=2)
    zoned = moved.strftime("%Y-%m-%dT%H:%M:%S") + since[19:-1] + "%2B02:00"
    check_equal([row["seq"] for row in rows(export(since=zoned, until_time=end))], expected, "another zone")
    check_equal(rows(export(since="2100-01-01T00:00:00Z")), [], "the future")


@test
def filters_take_types_and_verdicts():
    sandbox = some_records()
    found = rows(export(sandbox=sandbox, type="network,process.exec"))
    types = {row["type"] for row in found}
    check("process.exec" in types and "network.connect" in types, f"{types}")
    check(all(t.startswith("network.") or t == "process.exec" for t in types), f"{types}")
    denied = rows(export(sandbox=sandbox, verdict="deny"))
    check(denied and all(row["verdict"] == "deny" for row in denied), "denied")
    check_in("203.0.113.1", [row.get("address") for row in denied], "whom it wanted")
    whole = rows(export(sandbox=sandbox))
    check_equal(denied, [row for row in whole if row.get("verdict") == "deny"], "all that were denied")
    allowed = rows(export(sandbox=sandbox, verdict="allow"))
    check_equal(allowed, [row for row in whole if row.get("verdict") == "allow"], "the twin")


@test
def a_tenant_exports_its_own_records_only():
    mine = some_records()
    with other().sandbox(template="shell") as sandbox:
        sandbox.sh("true")
        theirs = sandbox.id
    own = rows(export(acme()))
    check(own and {row["tenant"] for row in own} == {"acme"}, "acme's")
    check_in(mine, [row.get("sandbox") for row in own], "its sandbox")
    check_equal(rows(export(acme(), sandbox=theirs)), [], "another's sandbox")
    check(rows(export(other(), sandbox=theirs)), "the twin")
    check_in("acme", acme().get("/v1/audit?tenant=other").problem(403, "forbidden"), "sentence")
    last = own[-1]["seq"]
    check_equal(rows(export(acme(), tenant="acme", until=last)), own, "its own name")
    check_equal(rows(export(tenant="acme", until=last)), own, "asked for by an administrator")
    client().get("/v1/audit?tenant=nobody").problem(404, "not-found")
    Client = type(client())
    Client(client().socket_path, "clo_no_such").get("/v1/audit").problem(401, "unauthenticated")


@test
def gzip_gives_the_same_bytes():
    some_records()
    plain = export(until=20)
    for query in [{"until": 20}, {"until": 20, "limit": 10000}]:
        packed = export(headers={"Accept-Encoding": "gzip"}, **query)
        check_equal(packed.headers["Content-Encoding"], "gzip", "Content-Encoding")
        check_equal(packed.headers["Vary"], "Accept-Encoding", "Vary")
        check_equal(gzip.decompress(packed.body), plain.body, "unpacked")
        check(len(packed.body) < len(plain.body) / 2, "it is smaller")
    for header in ["identity", "gzip;q=0"]:
        answer = export(headers={"Accept-Encoding": header}, until=20)
        check("Content-Encoding" not in answer.headers, header)
        check_equal(answer.body, plain.body, header)
    refused = client().get("/v1/audit?until=0", headers={"Accept-Encoding": "gzip"})
    check_in("until", refused.problem(400, "invalid"), "a problem is not packed")


@test
def a_packed_stream_can_be_read_as_it_comes():
    with acme().sandbox(template="shell") as sandbox, \
            client().stream("GET", f"/v1/audit?sandbox={sandbox.id}&type=exec.start&follow=true",
                            headers={"Accept-Encoding": "gzip"}) as follow:
        unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
        check_equal(follow.headers["Content-Encoding"], "gzip", "Content-Encoding")
        for word in ["one", "two"]:
            sandbox.exec(["echo", word])
            text = b""
            while not text.endswith(b"\n"):
                text += unpack.decompress(follow.read1(65536))
            check_equal(json.loads(text)["argv"], ["echo", word], "argv")


def leaves(value):
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield str(value)


@test
def ocsf_has_an_event_for_each_record_and_loses_nothing():
    some_records()
    last = client().last_sequence()
    records, events = rows(export(until=last)), rows(export(until=last, format="ocsf"))
    check_equal([e["metadata"]["sequence"] for e in events], [r["seq"] for r in records], "sequences")
    classes = {}
    for record, event in zip(records, events):
        classes.setdefault(record["type"], set()).add(event["class_uid"])
        for name in ["activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid"]:
            check(isinstance(event.get(name), int), f"{name} of {event}")
        check_equal(event["type_uid"], event["class_uid"] * 100 + event["activity_id"], "type_uid")
        check_equal(event["metadata"]["version"], "1.7.0", "version")
        check_equal(event["metadata"]["event_code"], record["type"], "event_code")
        check_equal(event["metadata"]["original_time"], record["time"], "original_time")
        record.pop("remote", None)  # an address and a port apart
        missing = set(leaves(record)) - set(leaves(event))
        check(not missing, f"{missing} of {record} is lost in {event}")
    for kind, number in [("process.exec", 1007), ("process.exit", 1007), ("network.connect", 4001),
                         ("api.call", 6003), ("sandbox.create", 0), ("daemon.start", 0)]:
        check_equal(classes[kind], {number}, f"class of {kind}")
    denied = [e for e in events if e.get("disposition") == "Blocked"]
    check(denied and all(e["activity_name"] == "Refuse" and e["action_id"] == 2 for e in denied), "denied")
    ids = export(headers={"Accept": "text/event-stream"}, until=3, format="ocsf").body.decode()
    check_equal([line for line in ids.splitlines() if line.startswith("id:")], ["id: 1", "id: 2", "id: 3"],
                "server-sent")


@test
def queries_that_make_no_sense_are_refused_by_name():
    for query, word in [("since=yesterday", "since"), ("until_time=2026-02-30T00:00:00Z", "until_time"),
                        ("verdict=maybe", "verdict"), ("type=", "type"), ("type=a,,b", "type"),
                        ("type=%22", "type"), ("format=xml", "format"), ("until=5&after=5", "until"),
                        ("since=2026-01-02T00:00:00Z&until_time=2026-01-01T00:00:00Z", "until_time"),
                        ("follow=true&until=9", "follow"), ("limit=0", "limit"), ("limit=10001", "limit"),
                        ("since=2026-01-01T00:00:00+02:00", "%2B"), ("since=1970-01-01T00:00:00Z", "since")]:
        check_in(word, client().get(f"/v1/audit?{query}").problem(400, "invalid"), query)


@test
def following_goes_on_without_gap_or_double_over_a_crash():
    with running(pool="python=0,shell=1") as own:
        own.client.create(template="shell")
        seen = []

        def follow():
            after = seen[-1] if seen else 0
            with own.client.stream("GET", "/v1/audit?follow=true",
                                   headers={"Last-Event-ID": str(after)}) as stream:
                check_equal(stream.status, 200, "status")
                with contextlib.suppress(Exception):  # cut off by the crash
                    for line in stream:
                        if line.endswith(b"\n") and line.strip():
                            seen.append(json.loads(line)["seq"])

        for _ in range(3):
            before = len(seen)
            reader = threading.Thread(target=follow)
            reader.start()
            for _ in range(5):
                own.client.get("/v1/sandboxes/sb-00000000000000ff").expect(404)
            until(lambda b=before: len(seen) > b, "records come")
            own.kill()
            reader.join(30)
            check(not reader.is_alive(), "the reader ended with the daemon")
            own.start()
        reader = threading.Thread(target=follow, daemon=True)
        reader.start()
        last = own.client.last_sequence()
        until(lambda: seen and seen[-1] >= last, "all is seen")
        own.stop()
        reader.join(30)
        check_equal(seen, list(range(1, len(seen) + 1)), "sequences")


@test
def a_range_that_breaks_is_not_taken_for_whole():
    with running(pool="python=0,shell=1") as own:
        sandbox = own.client.create(template="shell")
        sandbox.sh("i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done", timeout_seconds=60)
        with own.client.stream("GET", "/v1/audit") as stream:
            stream.read1(1000)
            own.kill()
            try:
                while stream.read1(65536):
                    pass
                broken = False
            except Exception:
                broken = True
        own.start()
        check(broken, "the client saw an orderly end")


def cloche(*words, code=0):
    env = {**os.environ, "CLOCHE_URL": f"unix://{daemon().socket_path}",
           "CLOCHE_STATE_DIR": daemon().state_dir, "CLOCHE_KEY": ""}
    done = subprocess.run([f"{BUILD}/cloche", *words], capture_output=True, env=env, timeout=60, check=False)
    check_equal(done.returncode, code, f"exit code of {words} ({done.stderr.decode()!r})")
    return done.stdout, done.stderr.decode()


@test
def the_command_writes_a_file_when_it_is_whole():
    sandbox = some_records()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/log.jsonl"
        cloche("audit", "export", "--sandbox", sandbox, "--verdict", "deny", "--output", path)
        check_equal([json.loads(line) for line in read_text(path).splitlines()],
                    rows(export(sandbox=sandbox, verdict="deny")), "file")
        check_equal(os.stat(path).st_mode & 0o777, 0o600, "mode")
        cloche("audit", "export", "--since", "never", "--output", f"{folder}/no", code=1)
        check_equal(os.listdir(folder), ["log.jsonl"], "files")
    out, _ = cloche("audit", "export", "--format", "ocsf", "--type", "process", "--sandbox", sandbox)
    check({json.loads(line)["class_uid"] for line in out.splitlines()} == {1007}, "classes")
    check_in("tenant", cloche("audit", "export", "--tenant", "nobody", code=1)[1], "sentence")


@test
def the_command_tails_over_a_restart():
    with running(pool="python=0,shell=1") as own:
        env = {**os.environ, "CLOCHE_URL": f"unix://{own.socket_path}", "CLOCHE_STATE_DIR": own.state_dir}
        with open(f"{own.directory}/tail", "wb") as out:
            tail = subprocess.Popen([f"{BUILD}/cloche", "audit", "tail", "--json", "--type", "api,daemon",
                                     "--since", "2020-01-01T00:00:00Z"], stdout=out, env=env)
        try:
            def seen():
                return [json.loads(line)["seq"] for line in read_text(f"{own.directory}/tail").splitlines()]

            own.client.get("/v1/sandboxes/sb-00000000000000ff").expect(404)
            until(lambda: len(seen()) > 1, "records come")
            own.kill()
            own.start()
            own.client.get("/v1/sandboxes/sb-00000000000000ff").expect(404)
            last = own.client.events(type="api")[-1]["seq"]
            until(lambda: last in seen(), "they come after the restart")
            shown = seen()  # first: asking for the records is one more
            expected = [row["seq"] for row in own.client.events(type="api,daemon")]
            check_equal(shown, expected[:len(shown)], "without gap or double")
        finally:
            tail.kill()
            if wait_exit(tail) is None:
                raise Failed("cloche audit tail does not end")


if __name__ == "__main__":
    main()
