"""A receiver of webhooks, a name server that knows one address, and certificates, for the tests."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

from cloche_harness import check, check_equal, until


class Receiver:
    """Takes POST requests on a port of its own on loopback. `answers`: statuses (or pairs of a status
    and headers) to give first; then 200."""

    def __init__(self, answers=(), port=0, tls=None):
        self.answers, self.requests, self.lock = list(answers), [], threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver.take(self.path, dict(self.headers), body), {}
                if isinstance(status, tuple):
                    status, headers = status
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that does not trust us breaks off

        self.server = Server(("127.0.0.1", port), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def take(self, path, headers, body):
        with self.lock:
            answer = self.answers.pop(0) if self.answers else 200
            status = answer[0] if isinstance(answer, tuple) else answer
            self.requests.append({"path": path, "headers": {k.lower(): v for k, v in headers.items()},
                                  "body": body, "status": status})
            return answer

    def accepted(self):
        """The records of all requests that were answered with 2xx, in the order in which they came."""
        with self.lock:
            bodies = [r["body"] for r in self.requests if 200 <= r["status"] < 300]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def wait(self, matches, what, deadline_s=60):
        return until(lambda: next((r for r in self.accepted() if matches(r)), None), what, deadline_s)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def verify(request, secret):
    """Checks a request as Standard Webhooks says, with code that is not ours."""
    check(secret.startswith("whsec_"), f"secret {secret}")
    key = base64.b64decode(secret[len("whsec_"):])
    check_equal(len(key), 32, "bytes of the secret")
    headers = request["headers"]
    check(abs(int(headers["webhook-timestamp"]) - time.time()) < 300, "timestamp")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["body"]
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    check_equal(headers["webhook-signature"], f"v1,{expected}", "signature")


class NameServer:
    """Answers every question for an A record with `address`, others with nothing."""

    def __init__(self, address):
        self.address = socket.inet_aton(address)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if query == b"end":
                return
            end = query.index(b"\0", 12) + 5
            kind = struct.unpack("!H", query[end - 4:end - 2])[0]
            answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + self.address if kind == 1 else b""
            head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if answer else 0, 0, 0)
            self.socket.sendto(head + query[12:end] + answer, peer)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def certificate(folder, name):
    """Makes an authority and a certificate of its for `name`; returns (authority, (chain, key))."""
    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30, cwd=folder)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
        "-keyout", "leaf.key", "-out", "leaf.csr")
    with open(os.path.join(folder, "leaf.ext"), "w", encoding="utf-8") as file:
        file.write(f"subjectAltName=DNS:{name}\n")
    run("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
        "2", "-extfile", "leaf.ext", "-out", "leaf.pem")
    return f"{folder}/ca.pem", (f"{folder}/leaf.pem", f"{folder}/leaf.key")
