#!/usr/bin/python3
"""WebSocket previews: an echo server inside a sandbox, spoken to from outside, and who may not."""

import contextlib
import json
import socket
import struct

import websocket
from cloche_harness import (Client, DEADLINE_S, Daemon, check, check_equal, check_in, fixture, main, pattern, test,
                            until)
from websocket import BINARY, CLOSE, PING, PONG, TEXT

OPEN, CLOSED = 8000, 8001
WEB = {"version": 1, "name": "web", "description": "A server.", "network": {"inbound": {"ports": [OPEN]}},
       "resources": {"pids": 600}}
SHUT = {"version": 1, "name": "shut", "description": "None.", "network": {"inbound": {"ports": [CLOSED]}}}
BIG = pattern(3 * 1024 * 1024 + 11)


@fixture
def daemon():
    made = Daemon(policies=[WEB, SHUT], pool="python=2", listen="127.0.0.1:0")
    yield made.start()
    made.close()


def client():
    return daemon().client


def serve(where):
    with open(websocket.__file__, "rb") as file:
        where.put("/tmp/websocket.py", file.read())
    where.try_exec(["python3", "/tmp/websocket.py", "127.0.0.1", str(OPEN)], detach=True).expect(202)
    until(lambda: client().get(f"{where.path}/ports/{OPEN}").json.get("open"), "the server listens")


@fixture
def sandbox():
    made = client().create(policy="web")
    serve(made)
    yield made
    made.delete().expect(204)


def dial(over="unix"):
    if over == "tcp":
        return socket.create_connection(("127.0.0.1", daemon().tcp_port()), timeout=DEADLINE_S)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    sock.connect(client().socket_path)
    return sock


@contextlib.contextmanager
def opened(path="", where=None, port=OPEN, over="unix", key=True, **headers):
    """A WebSocket, and what the server was told."""
    target = f"{(where or sandbox()).path}/ports/{port}/{path}"
    if key:
        headers["Authorization"] = f"Bearer {client().key}"
    with contextlib.closing(dial(over)) as sock:
        peer = websocket.connect(sock, target, {n.replace("_", "-"): v for n, v in headers.items()})
        kind, told = peer.read()
        check_equal(kind, TEXT)
        yield peer, json.loads(told)


def refused(status, **more):
    try:
        with opened(**more):
            pass
    except websocket.Refused as refusal:
        check_equal(refusal.status, status)
        return json.loads(refusal.body)
    raise AssertionError("a WebSocket was opened")


def is_over(peer):
    try:
        while True:
            peer.read()
    except ConnectionError:
        return True


@test
def echoes_over_both_kinds_of_socket():
    for over in ["unix", "tcp"]:
        with opened("a%20b?c=%64", over=over) as (peer, told):
            check_equal(told["path"], "/a%20b?c=%64")
            for kind, data in [(TEXT, b"hello"), (BINARY, bytes(range(256))), (TEXT, b""),
                               (BINARY, BIG), (BINARY, BIG[:65536])]:
                peer.write(kind, data)
                check_equal(peer.read() == (kind, data), True, f"echo of {len(data)} bytes")
            peer.write(PING, b"are you there")
            check_equal(peer.read(), (PONG, b"are you there"))


@test
def a_client_that_does_not_read_is_not_read_from_for_ever():
    """What stays unread fills the sockets on the way, and the writer waits; nothing is lost."""
    piece = BIG[:1 << 20]
    with opened(over="tcp") as (peer, _):
        peer.sock.setblocking(False)
        frame = b"\x82\xff" + struct.pack("!Q", len(piece)) + b"\0\0\0\0" + piece
        pending, n = b"", 0
        try:
            while n < 64:
                pending = pending or frame
                pending = pending[peer.sock.send(pending):]
                n += not pending
        except BlockingIOError:
            pass
        check(n < 64, "64 MiB were taken from a client that reads nothing")


@test
def the_server_is_told_what_it_may_know():
    with opened(Sec_WebSocket_Protocol="chat, other", Origin="http://evil.example", Cookie="a=b") as (peer, told):
        seen = told["headers"]
        check_equal((seen["host"], seen["upgrade"]), (f"localhost:{OPEN}", "websocket"))
        check_equal((seen["origin"], seen["sec-websocket-protocol"]), ("http://evil.example", "chat, other"))
        check("cookie" not in seen and "authorization" not in seen, f"passed on: {seen}")
        check(client().key not in json.dumps(told), "the key was passed on")
        check_equal(peer.headers["sec-websocket-protocol"], "chat")
        check("set-cookie" not in peer.headers, "a cookie came out")


@test
def each_side_may_close():
    with opened() as (peer, _):
        peer.write(CLOSE, struct.pack("!H", 1000))
        check_equal(peer.read(), (CLOSE, struct.pack("!H", 1000)))
        check_equal(is_over(peer), True)
    with opened("bye") as (peer, _):
        check_equal(peer.read(), (CLOSE, struct.pack("!H", 1001)))
        check_equal(is_over(peer), True)


@test
def an_answer_that_is_no_switch_is_passed_on():
    try:
        with opened("old"):
            pass
    except websocket.Refused as refusal:
        check_equal((refusal.status, refusal.body), (426, b"old"))
        return
    raise AssertionError("a WebSocket was opened")


@test
def a_port_that_is_not_open_is_refused_and_recorded():
    check_in('policy "web"', refused(403, port=CLOSED)["detail"])
    rows = client().events(sandbox=sandbox().id, type="network.inbound")
    check_equal({row["verdict"] for row in rows if row["port"] == CLOSED}, {"deny"})
    check_in("allow", {row["verdict"] for row in rows if row["port"] == OPEN})


@test
def no_key_no_websocket():
    refused(401, key=False)
    refused(401, key=False, Cookie="session=1", Origin="http://evil.example")
    stranger = daemon().tenant("stranger", policy="web")
    refused(404, key=False, Authorization=f"Bearer {stranger.key}")


# ---- tickets

def ticket(where=None, **body):
    return client().post(f"{(where or sandbox()).path}/ports/{OPEN}", body).expect(201).json


@test
def a_ticket_stands_for_the_key():
    made = ticket(ttl_seconds=30)
    check(made["url"].endswith(f"/ports/{OPEN}/?cloche_ticket={made['ticket']}"), made["url"])
    with opened(f"chat?a=1&cloche_ticket={made['ticket']}", key=False) as (peer, told):
        check_equal(told["path"], "/chat?a=1")
        check(made["ticket"] not in json.dumps(told), "the ticket was passed on")
        peer.write(TEXT, b"hello")
        check_equal(peer.read(), (TEXT, b"hello"))
    lines = json.dumps(client().events(sandbox=sandbox().id))
    check(made["ticket"] not in lines, "the ticket is in the audit log")


@test
def a_ticket_is_for_its_sandbox_and_port_and_websockets_only():
    text = ticket()["ticket"]
    refused(401, path=f"?cloche_ticket={text}", port=CLOSED, key=False)
    refused(401, path=f"?cloche_ticket={text[:-1]}", key=False)
    with client().sandbox(policy="web") as other:
        serve(other)
        refused(401, path=f"?cloche_ticket={text}", where=other, key=False)
    nobody = Client(client().socket_path, None)
    nobody.get(f"{sandbox().path}/ports/{OPEN}/?cloche_ticket={text}").problem(401, "unauthenticated")
    nobody.post(f"{sandbox().path}/ports/{OPEN}", {}).problem(401, "unauthenticated")
    client().post(f"{sandbox().path}/ports/{CLOSED}", {}).problem(403, "forbidden")


@test
def a_ticket_expires():
    text = ticket(ttl_seconds=1)["ticket"]

    def expired():
        try:
            with opened(f"?cloche_ticket={text}", key=False):
                return False
        except websocket.Refused as refusal:
            return refusal.status == 401
    until(expired, "the ticket expires")


@test
def a_revoked_key_takes_its_tickets_along():
    tenant = daemon().tenant("short", policy="web")
    with tenant.sandbox(policy="web") as where:
        serve(where)
        text = tenant.post(f"{where.path}/ports/{OPEN}", {}).expect(201).json["ticket"]
        with opened(f"?cloche_ticket={text}", where=where, key=False):
            pass
        keys = client().get("/v1/keys?tenant=short").expect(200).json["keys"]
        client().delete(f"/v1/keys/{keys[0]['id']}").expect(204)
        refused(401, path=f"?cloche_ticket={text}", where=where, key=False)
        client().delete(where.path).expect(204)


# ---- the end

@test
def another_policy_closes_it():
    with client().sandbox(policy="web") as where:
        serve(where)
        with opened(where=where) as (peer, _):
            client().request("PATCH", where.path, {"policy": "web"}).expect(200)
            peer.write(TEXT, b"still there")
            check_equal(peer.read(), (TEXT, b"still there"))
            client().request("PATCH", where.path, {"policy": "shut"}).expect(200)
            check_equal(is_over(peer), True)


@test
def a_reload_of_policies_closes_it():
    with client().sandbox(policy="web") as where:
        serve(where)
        with opened(where=where) as (peer, _):
            daemon().write_policy(dict(WEB, network={"inbound": {"ports": [CLOSED]}}))
            client().post("/v1/policies/reload", {}).expect(200)
            check_equal(is_over(peer), True)
            daemon().write_policy(WEB)
            client().post("/v1/policies/reload", {}).expect(200)


@test
def the_end_of_the_sandbox_closes_it():
    where = client().create(policy="web")
    serve(where)
    with opened(where=where) as (peer, _):
        where.delete().expect(204)
        check_equal(is_over(peer), True)


@test
def a_sandbox_has_a_bounded_number_of_them():
    with client().sandbox(policy="web") as where, contextlib.ExitStack() as stack:
        serve(where)
        detail = ""
        for _ in range(300):
            try:
                stack.enter_context(opened(where=where))
            except websocket.Refused as refusal:
                check_equal(refusal.status, 429)
                detail = json.loads(refusal.body)["detail"]
                break
        check_in("256 previews", detail)


@test
def a_restart_closes_it_and_the_next_one_opens():
    where = sandbox()
    with opened(where=where) as (peer, _):
        daemon().kill()
        check_equal(is_over(peer), True)
        daemon().start()
    with opened(where=where) as (peer, _):
        peer.write(TEXT, b"again")
        check_equal(peer.read(), (TEXT, b"again"))


if __name__ == "__main__":
    main()
