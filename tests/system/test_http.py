#!/usr/bin/python3
"""HTTP itself: errors as problems, limits, clients that are slow, half-open, hostile or gone."""

import contextlib
import http.client
import json
import re
import socket
import time

from cloche_harness import (Client, Daemon, check, check_equal, check_in, fixture, main, running, test,
                            wait_readable)


@fixture
def daemon():
    made = Daemon(pool="python=0,shell=2", listen="127.0.0.1:0")
    yield made.start()
    made.close()


def client():
    return daemon().client


def raw(data, until_close=True):
    """Sends bytes as they are; returns what comes until the server closes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(daemon().socket_path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        got = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while part := sock.recv(65536):
                got += part
                if not until_close:
                    break
        return got


@test
def health_needs_no_key():
    nobody = Client(daemon().socket_path, None)
    check_equal(nobody.get("/healthz").expect(200).json, {"status": "ok"}, "healthz")
    check_equal(nobody.get("/readyz").expect(200).json["status"], "ready", "readyz")
    nobody.get("/metrics").problem(401, "unauthenticated")


@test
def without_a_key_nothing_else_is_told():
    nobody = Client(daemon().socket_path, None)
    for method, path in [("GET", "/v1/sandboxes"), ("POST", "/v1/sandboxes"), ("GET", "/v1/events"),
                         ("GET", "/v1/usage"), ("GET", "/v1/policies"), ("GET", "/v1/tenants"),
                         ("DELETE", "/v1/keys/ck_00000000")]:
        answer = nobody.request(method, path)
        answer.problem(401, "unauthenticated")
        check_in("Bearer", answer.headers.get("WWW-Authenticate", ""), "WWW-Authenticate")
    for scheme in ["Basic YTpi", "Bearer", "bearer", client().key]:
        nobody.get("/v1/sandboxes", headers={"Authorization": scheme}).problem(401, "unauthenticated")


@test
def unknown_paths_and_methods_are_told_apart():
    client().get("/v2/sandboxes").problem(404, "not-found")
    client().get("/v1/sandboxes/").expect(404)
    answer = client().request("PUT", "/v1/sandboxes")
    answer.problem(405, "method-not-allowed")
    check_equal({m.strip() for m in answer.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"},
                {"GET", "POST"}, "Allow")


@test
def a_body_must_be_json_and_say_so():
    client().request("POST", "/v1/sandboxes", raw=b"template=shell",
                     headers={"Content-Type": "application/x-www-form-urlencoded"}) \
        .problem(415, "unsupported-media-type")
    for text in [b"{", b"{} x", b'{"template":"shell","template":"shell"}', b"\xff", b"[]", b"nul",
                 b'{"template":"\\ud800"}', b"[" * 5000]:
        client().request("POST", "/v1/sandboxes", raw=text,
                         headers={"Content-Type": "application/json"}).problem(400, "invalid")
    answer = client().request("POST", "/v1/sandboxes", raw=b'{"template":"shell"}',
                              headers={"Content-Type": "application/json; charset=utf-8"}).expect(201)
    client().delete(answer.headers["Location"]).expect(204)


@test
def a_body_past_the_limit_is_too_large():
    body = json.dumps({"template": "x" * (5 << 20)}).encode()
    client().request("POST", "/v1/sandboxes", raw=body,
                     headers={"Content-Type": "application/json"}).problem(413, "too-large")
    check_equal(client().get("/healthz").status, 200, "afterwards")


@test
def a_chunked_body_past_the_limit_is_too_large_and_a_small_one_is_read():
    def chunks(size):
        for _ in range(size >> 16):
            yield b" " * 65536
        yield b'{"template":"shell"}'
    answer = client().request("POST", "/v1/sandboxes", raw=chunks(1 << 18),
                              headers={"Content-Type": "application/json"}).expect(201)
    client().delete(answer.headers["Location"]).expect(204)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client().request("POST", "/v1/sandboxes", raw=chunks(6 << 20),
                         headers={"Content-Type": "application/json"}).problem(413, "too-large")


@test
def headers_past_the_limit_are_refused():
    got = raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 300000 + b"\r\n\r\n")
    check(got == b"" or got.split()[1] in (b"431", b"400", b"413"), f"{got[:200]!r}")
    got = raw(b"GET /" + b"a" * 300000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    check(got == b"" or got.split()[1] in (b"414", b"400", b"431", b"404"), f"{got[:200]!r}")
    check_equal(client().get("/healthz").status, 200, "afterwards")


@test
def what_is_no_http_is_dropped():
    for data in [b"\x16\x03\x01\x02\x00\x01", b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 100,
                 b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(daemon().socket_path)
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            check(wait_readable([sock], 90), f"no answer and no end for {data[:40]!r}")
    check_equal(client().get("/healthz").status, 200, "afterwards")


@test
def a_request_cannot_be_smuggled_behind_another():
    got = raw(b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
              b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n")
    check(b'"ok"' not in got, f"{got[:300]!r}")


@test
def connections_are_kept_alive_for_many_requests():
    connection = client().connect()
    for _ in range(50):
        connection.request("GET", "/v1/templates", headers=client().headers())
        response = connection.getresponse()
        response.read()
        check_equal(response.status, 200, "status")
    sock = connection.sock
    check(sock is not None, "the connection was closed")
    connection.close()


@test
def requests_in_one_write_are_answered_in_order():
    key = f"Authorization: Bearer {client().key}\r\n".encode()
    got = raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
              b"GET /v1/sandboxes/none HTTP/1.1\r\nHost: x\r\n" + key + b"\r\n"
              b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", got)
    check_equal(statuses, [b"200", b"404", b"200"], "statuses")


@test
def slow_and_half_open_clients_hold_nobody_up():
    held = []
    try:
        for n in range(60):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(daemon().socket_path)
            sock.sendall([b"GET /v1/sand", b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Le",
                          b"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          b"Content-Length: 1000\r\n\r\n{", b""][n % 4])
            held.append(sock)
        for _ in range(10):
            began = time.monotonic()
            client().get("/healthz").expect(200)
            check(time.monotonic() - began < 2, f"took {time.monotonic() - began:.1f} s")
        with client().sandbox(template="shell") as sandbox:
            check_equal(sandbox.sh("echo works"), "works\n", "a command")
    finally:
        for sock in held:
            sock.close()


@test
def a_client_that_does_not_read_its_stream_holds_nobody_up():
    with client().sandbox(template="shell") as sandbox:
        with client().stream("POST", f"{sandbox.path}/exec",
                             {"command": "head -c 50000000 /dev/zero", "output_limit_bytes": 16 << 20},
                             {"Accept": "application/x-ndjson"}) as slow:
            slow.readline()
            for _ in range(5):
                began = time.monotonic()
                check_equal(sandbox.sh("echo here"), "here\n", "another command")
                check(time.monotonic() - began < 5, "waited for the slow one")


@test
def many_clients_at_once_are_all_answered():
    connections = [client().connect() for _ in range(100)]
    try:
        for connection in connections:
            connection.request("GET", "/v1/templates", headers=client().headers())
        for connection in connections:
            response = connection.getresponse()
            check_equal(response.status, 200, "status")
            response.read()
    finally:
        for connection in connections:
            connection.close()


@test
def more_connections_than_the_limit_do_not_end_the_service():
    held = []
    try:
        with contextlib.suppress(OSError):
            for _ in range(3000):
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(2)
                held.append(sock)
                sock.connect(daemon().socket_path)
    finally:
        for sock in held:
            sock.close()
    client().get("/healthz").expect(200)
    check_equal(daemon().process.poll(), None, "cloched's end")


@test
def a_hundred_creates_at_once_are_each_a_sandbox():
    connections = [client().connect() for _ in range(30)]
    ids = []
    try:
        body = json.dumps({"template": "shell", "labels": {"burst": "1"}}).encode()
        for connection in connections:
            connection.request("POST", "/v1/sandboxes", body, client().headers(
                {"Content-Type": "application/json"}))
        for connection in connections:
            response = connection.getresponse()
            row = json.loads(response.read())
            check_equal(response.status, 201, f"status of {row}")
            ids.append(row["id"])
        check_equal(len(set(ids)), 30, "different sandboxes")
    finally:
        for connection in connections:
            connection.close()
        for sandbox_id in ids:
            client().delete(f"/v1/sandboxes/{sandbox_id}")


@test
def tcp_on_the_loopback_serves_the_same():
    connection = http.client.HTTPConnection("127.0.0.1", daemon().tcp_port(), timeout=20)
    connection.request("GET", "/v1/templates", headers=client().headers())
    response = connection.getresponse()
    check_equal((response.status, "templates" in json.loads(response.read())), (200, True), "answer")
    connection.request("GET", "/v1/templates")
    response = connection.getresponse()
    response.read()
    check_equal(response.status, 401, "without a key")
    connection.close()
    record = client().events(type="api.call")[-1]
    check_in("127.0.0.1", record["remote"], "remote")


@test
def without_tcp_only_the_unix_socket_is_there():
    with running(pool="python=0") as own:
        try:
            own.tcp_port()
        except Exception:
            return
        check(False, "a TCP port")


@test
def answers_are_not_to_be_guessed_at_by_a_browser():
    answer = client().get("/v1/templates").expect(200)
    check_equal(answer.headers["Content-Type"].split(";")[0], "application/json", "Content-Type")
    check("Access-Control-Allow-Origin" not in answer.headers, "any site may read it")


if __name__ == "__main__":
    main()
