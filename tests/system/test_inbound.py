#!/usr/bin/python3
"""Previews: from outside, through the API, to a server on a sandbox's loopback, where the policy says so."""

import hashlib
import http.client
import json
import re

from cloche_harness import (Client, Daemon, Failed, check, check_equal, check_in, fixture, main, pattern, test, until)

OPEN, ALSO, ONLY6, NOBODY, CLOSED = 8000, 3005, 3006, 3007, 8001
WEB = {"version": 1, "name": "web", "description": "Two servers.", "network": {
    "inbound": {"ports": [OPEN, "3000-3010"]}}}
NARROW = {"version": 1, "name": "narrow", "description": "One of them.", "network": {
    "inbound": {"ports": [ALSO, CLOSED]}}}
WIDE = {"version": 1, "name": "wide", "description": "Every port, and the gate is there.", "network": {
    "allow": [{"cidr": "203.0.113.1/32"}], "inbound": {"ports": ["1-65535"]}}}
BIG = pattern(9 * 1024 * 1024 + 17)

# Tells what it was sent; answers in each of the ways in which bodies end.
SERVER = r'''
import hashlib, http.server, json, socket, sys, threading, time
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    daemon_threads = True
gone = threading.Event()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def do_GET(self):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        path = self.path.partition("?")[0]
        if path == "/big":
            data = bytes(i * 31 + (i >> 8) & 255 for i in range(65536))
            self.send_response(200); self.send_header("Content-Length", str(65536 * 160)); self.end_headers()
            for _ in range(160): self.wfile.write(data)
        elif path == "/chunks":
            self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
            for text in [b"one ", b"two ", b"three"]:
                self.wfile.write(b"%x;x=y\r\n%s\r\n" % (len(text), text)); self.wfile.flush(); time.sleep(0.05)
            self.wfile.write(b"0\r\nTrailer: t\r\n\r\n")
        elif path == "/close":
            self.send_response(200); self.end_headers(); self.wfile.write(b"until the end"); self.close_connection = True
        elif path == "/cut":
            self.send_response(200); self.send_header("Content-Length", "1000"); self.end_headers()
            self.wfile.write(b"short"); self.close_connection = True
        elif path == "/slow":
            time.sleep(2); self.answer(200, b"late")
        elif path == "/endless":
            self.send_response(200); self.end_headers()
            try:
                while True: self.wfile.write(b"x" * 4096); time.sleep(0.01)
            except OSError: gone.set()
        elif path == "/gone": self.answer(200, json.dumps(gone.wait(10)).encode())
        elif path == "/nobody": self.send_response(204); self.end_headers()
        elif path == "/raw": self.wfile.write(b"this is no HTTP\r\n\r\n"); self.close_connection = True
        elif path == "/smuggle":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            self.close_connection = True
        elif path == "/moved": self.answer(302, b"", Location="/there?x=1")
        elif path == "/hostile":
            self.answer(200, b"<script>", Set_Cookie="a=b", Clear_Site_Data='"*"', Service_Worker_Allowed="/",
                        Access_Control_Allow_Origin="*", Content_Type="text/html", X_Own="kept",
                        Strict_Transport_Security="max-age=1", Connection="X-Hop", X_Hop="dropped")
        else:
            self.answer(201, json.dumps({"method": self.command, "path": self.path,
                "headers": [[n.lower(), v] for n, v in self.headers.items()], "size": len(body),
                "peer": self.client_address[0], "hash": hashlib.sha256(body).hexdigest()}).encode(), X_Seen="yes")
    do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_GET
server = Server((sys.argv[1], int(sys.argv[2])), Handler)
server.serve_forever()
'''


@fixture
def daemon():
    made = Daemon(policies=[WEB, NARROW, WIDE], pool="python=2", listen="127.0.0.1:0")
    yield made.start()
    made.close()


def client():
    return daemon().client


def serve(where, port, address="127.0.0.1"):
    where.put("/tmp/server.py", SERVER.encode())
    where.try_exec(["python3", "/tmp/server.py", address, str(port)], detach=True).expect(202)
    until(lambda: where.client.get(f"{where.path}/ports/{port}").json.get("open"), f"port {port} open")


@fixture
def sandbox():
    made = client().create(policy="web")
    for port, address in [(OPEN, "127.0.0.1"), (ALSO, "127.0.0.1"), (ONLY6, "::1")]:
        serve(made, port, address)
    yield made
    made.delete().expect(204)


def preview(path, method="GET", port=OPEN, where=None, **more):
    where = where or sandbox()
    return where.client.request(method, f"{where.path}/ports/{port}/{path}", **more)


def records(where, **wanted):
    rows = client().events(sandbox=where.id, type="network.inbound")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


# ---- the port

@test
def an_open_port_is_described():
    answer = client().get(f"{sandbox().path}/ports/{OPEN}").expect(200)
    check_equal(answer.json, {"url": f"{sandbox().path}/ports/{OPEN}/", "port": OPEN, "open": True})
    answer = client().get(f"{sandbox().path}/ports/{NOBODY}").expect(200)
    check_equal(answer.json["open"], False, "open where nobody listens")


@test
def a_port_that_the_policy_does_not_name_is_refused_and_recorded():
    for path in [f"/ports/{CLOSED}", f"/ports/{CLOSED}/", f"/ports/{CLOSED}/deep?x"]:
        client().get(sandbox().path + path).problem(403, "forbidden")
    text = client().get(f"{sandbox().path}/ports/{CLOSED}").json["detail"]
    check_in('policy "web"', text)
    rows = records(sandbox(), port=CLOSED)
    check_equal({row["verdict"] for row in rows}, {"deny"})
    check(len(rows) >= 4, f"records {rows}")
    check_in("unix", rows[0]["remote"])
    check_equal(rows[0]["policy"]["name"], "web")
    check(records(sandbox(), port=OPEN, verdict="allow"), "no record of an allowed one")


@test
def a_policy_without_inbound_opens_nothing():
    with client().sandbox() as closed:
        client().get(f"{closed.path}/ports/{OPEN}").problem(403, "forbidden")


@test
def the_tenants_policy_bounds_it():
    tenant = daemon().tenant("bounded", policy="narrow")
    with tenant.sandbox(policy="web") as inside:
        serve(inside, ALSO)
        preview("", port=ALSO, where=inside).expect(201)
        for port in [OPEN, CLOSED]:
            tenant.get(f"{inside.path}/ports/{port}").problem(403, "forbidden")


@test
def another_tenant_does_not_find_it():
    tenant = daemon().tenant("stranger", policy="web")
    for path in [f"/ports/{OPEN}", f"/ports/{OPEN}/"]:
        tenant.get(sandbox().path + path).problem(404, "not-found")


@test
def no_key_no_preview():
    Client(client().socket_path, None).get(f"{sandbox().path}/ports/{OPEN}/").problem(401, "unauthenticated")


@test
def no_such_port():
    for port in ["0", "65536", "08000", "http", "-1", "99999999999999999999"]:
        client().get(f"{sandbox().path}/ports/{port}").problem(400, "invalid")


@test
def the_gates_own_ports_are_refused():
    with client().sandbox(policy="wide") as where:
        listening = where.sh("cat /proc/net/tcp /proc/net/tcp6")
        ports = {int(m, 16) for m in re.findall(r":([0-9A-F]{4}) [0-9A-F]+:0000 0A", listening)}
        check_equal(len(ports), 2, f"what listens: {listening}")
        for port in ports:
            answer = client().get(f"{where.path}/ports/{port}")
            answer.problem(403, "forbidden")
            check_in("gate", answer.json["detail"])


@test
def another_policy_closes_it():
    with client().sandbox(policy="web") as where:
        serve(where, OPEN)
        client().request("PATCH", where.path, {"policy": "narrow"}).expect(200)
        client().get(f"{where.path}/ports/{OPEN}").problem(403, "forbidden")


@test
def nobody_listens():
    preview("", port=NOBODY).problem(502, "bad-gateway")


# ---- the request

@test
def a_request_arrives_as_it_was_sent():
    told = preview("a%2Fb/../c%20d?q=%41&r=/&&", method="POST", raw=b"\0body" * 1000,
                   headers={"X-Own": "kept", "Cookie": "secret=1", "X-Forwarded-For": "6.6.6.6",
                            "Connection": "X-Hop", "X-Hop": "1", "Proxy-Authorization": "Basic x",
                            "Content-Type": "text/odd"}).expect(201).json
    check_equal((told["method"], told["path"]), ("POST", "/a%2Fb/../c%20d?q=%41&r=/&&"))
    check_equal((told["size"], told["peer"]), (5000, "127.0.0.1"))
    seen = dict(told["headers"])
    check_equal(seen["host"], f"localhost:{OPEN}")
    check_equal((seen["x-own"], seen["content-type"], seen["connection"]), ("kept", "text/odd", "close"))
    check_equal(seen["x-forwarded-prefix"], f"{sandbox().path}/ports/{OPEN}")
    for name in ["authorization", "cookie", "x-hop", "proxy-authorization", "x-forwarded-for"]:
        check(name not in seen, f"{name} was passed on: {seen}")
    check(client().key not in json.dumps(told), "the key was passed on")


@test
def methods_and_families():
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"]:
        check_equal(preview("", method=method, port=ONLY6).expect(201).json["method"], method)
    head = preview("", method="HEAD").expect(201)
    check_equal((head.body, head.headers["X-Seen"]), (b"", "yes"))
    check(int(head.headers["Content-Length"]) > 100, "length of HEAD")


@test
def bodies_up_to_the_limit():
    told = preview("", method="PUT", raw=BIG[:4 << 20]).expect(201).json
    check_equal((told["size"], told["hash"]), (4 << 20, hashlib.sha256(BIG[:4 << 20]).hexdigest()))
    preview("", method="PUT", raw=BIG[:(4 << 20) + 1]).problem(413, "too-large")


@test
def a_long_path_arrives():
    path = "x" * 6000
    check_equal(preview(path).expect(201).json["path"], "/" + path)


@test
def over_tcp_the_client_is_named():
    connection = http.client.HTTPConnection("127.0.0.1", daemon().tcp_port(), timeout=30)
    connection.request("GET", f"{sandbox().path}/ports/{OPEN}/", headers=client().headers())
    told = json.loads(connection.getresponse().read())
    check_equal(dict(told["headers"])["x-forwarded-for"], "127.0.0.1")
    # The same connection serves again.
    connection.request("GET", f"{sandbox().path}/ports/{OPEN}/again", headers=client().headers())
    check_equal(json.loads(connection.getresponse().read())["path"], "/again")
    connection.close()


@test
def upgrades_to_anything_else_are_refused():
    answer = preview("", headers={"Connection": "Upgrade", "Upgrade": "h2c"})
    answer.problem(501, "not-implemented")
    check_in('only "websocket"', answer.json["detail"])
    preview("", method="TRACE").problem(501, "not-implemented")


# ---- the answer

@test
def every_end_of_a_body():
    check_equal(preview("chunks").expect(200).body, b"one two three")
    check_equal(preview("close").expect(200).body, b"until the end")
    check_equal(preview("nobody").expect(204).body, b"")
    piece = bytes(i * 31 + (i >> 8) & 255 for i in range(65536))
    check_equal(preview("big").expect(200).body == piece * 160, True, "big body whole")
    check_equal(preview("slow").expect(200).body, b"late")


@test
def a_body_that_is_cut_is_seen_to_be():
    try:
        answer = preview("cut")
    except http.client.IncompleteRead as failure:
        check_equal(failure.partial, b"short")
        return
    raise Failed(f"the answer looks whole: {answer.body}")


@test
def what_is_no_http_is_refused():
    for path in ["raw", "smuggle"]:
        preview(path).problem(502, "bad-gateway")


@test
def a_page_has_no_power_over_the_apis_origin():
    answer = preview("hostile").expect(200)
    check_in("sandbox", answer.headers["Content-Security-Policy"])
    check("allow-same-origin" not in answer.headers["Content-Security-Policy"], "same origin")
    check_equal((answer.headers["Content-Type"], answer.headers["X-Own"]), ("text/html", "kept"))
    for name in ["Set-Cookie", "Clear-Site-Data", "Service-Worker-Allowed", "X-Hop",
                 "Access-Control-Allow-Origin", "Strict-Transport-Security"]:
        check(name not in answer.headers, f"{name} was passed on")
    moved = preview("moved").expect(302)
    check_equal(moved.headers["Location"], f"{sandbox().path}/ports/{OPEN}/there?x=1")


@test
def a_client_that_leaves_ends_it():
    with client().stream("GET", f"{sandbox().path}/ports/{OPEN}/endless") as response:
        check_equal(response.status, 200)
        response.read(10000)
    check_equal(preview("gone").expect(200).json, True)


@test
def the_end_of_the_sandbox_ends_it():
    where = client().create(policy="web")
    serve(where, OPEN)
    with client().stream("GET", f"{where.path}/ports/{OPEN}/endless") as response:
        response.read(10000)
        where.delete().expect(204)
        try:
            while response.read(65536):
                pass
        except (http.client.IncompleteRead, ConnectionError):
            pass


@test
def ports_stay_as_they_are_over_a_restart():
    where = sandbox()
    daemon().kill()
    daemon().start()
    check_equal(preview("again", where=where).expect(201).json["path"], "/again")
    client().get(f"{where.path}/ports/{CLOSED}").problem(403, "forbidden")


if __name__ == "__main__":
    main()
