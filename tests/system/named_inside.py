"""Functions for programs inside a sandbox; sent before the code of each test."""
import errno
import json
import os
import socket
import ssl
import struct
import sys
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def say(value):
    print(json.dumps(value), flush=True)


def tell(function):
    """Prints what it gives, or the errno's name."""
    say(attempt(function))


def attempt(function):
    try:
        return function()
    except ssl.SSLError as failure:
        return "tls " + (failure.reason or type(failure).__name__)
    except socket.gaierror as failure:
        return f"gai {failure.args[0]}"
    except OSError as failure:
        return errno.errorcode.get(failure.errno, type(failure).__name__)


# ---- DNS by hand

def query_bytes(name, kind, number=0x4321, klass=1):
    labels = name.encode("latin-1").split(b".") if isinstance(name, str) else name
    encoded = b"".join(bytes([len(label)]) + label for label in labels if label) + b"\0"
    return (struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1) + encoded
            + struct.pack("!HH", TYPES.get(kind, kind), klass)
            + b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0))


def skip_name(data, at):
    while data[at]:
        if data[at] >= 0xC0:
            return at + 2
        at += 1 + data[at]
    return at + 1


def rdata(kind, data):
    if kind == 1:
        return socket.inet_ntoa(data)
    if kind == 28:
        return socket.inet_ntop(socket.AF_INET6, data)
    return data.hex()


def reply_read(data):
    number, flags, *counts = struct.unpack("!HHHHHH", data[:12])
    at = 12
    for _ in range(counts[0]):
        at = skip_name(data, at) + 4
    answers, ede, ttls = [], None, []
    for index in range(sum(counts[1:])):
        at = skip_name(data, at)
        kind, _, ttl, size = struct.unpack("!HHIH", data[at:at + 10])
        body, at = data[at + 10:at + 10 + size], at + 10 + size
        if index < counts[1]:
            answers.append(rdata(kind, body))
            ttls.append(ttl)
        while kind == 41 and len(body) >= 4:
            option, length = struct.unpack("!HH", body[:4])
            if option == 15:
                ede = [struct.unpack("!H", body[4:6])[0], body[6:4 + length].decode()]
            body = body[4 + length:]
    return {"id": number, "rcode": RCODES.get(flags & 15, flags & 15), "answers": answers, "ttls": ttls,
            "ede": ede, "truncated": bool(flags & 0x200)}


def ask_bytes(query, server="192.0.2.1", tcp=False, connected=False, timeout_s=20):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        if tcp:
            sock.connect((server, 53))
            sock.sendall(struct.pack("!H", len(query)) + query)
            file = sock.makefile("rb")
            size = file.read(2)
            return reply_read(file.read(struct.unpack("!H", size)[0])) if len(size) == 2 else "closed"
        if connected:
            sock.connect((server, 53))
            sock.send(query)
            return reply_read(sock.recv(4096))
        sock.sendto(query, (server, 53))
        data, peer = sock.recvfrom(4096)
        return {**reply_read(data), "peer": [peer[0], peer[1]]}


def ask(name, kind="A", **more):
    return ask_bytes(query_bytes(name, kind), **more)


def address_of(name, kind="A"):
    return ask(name, kind)["answers"][0]


# ---- TCP, TLS and HTTP by hand

def dial(host, port):
    """By name through getaddrinfo, or by address."""
    return socket.create_connection((host, port), timeout=20)


def read_all(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


def exchange(host, port, data, half_close=True):
    """Sends bytes to a host, or on a socket; returns all that comes, as text, up to a reset."""
    data = data if isinstance(data, bytes) else data.encode("latin-1")
    got = b""
    with host if isinstance(host, socket.socket) else dial(host, port) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                got += part
        except OSError as failure:
            return got.decode("latin-1") + f"<{errno.errorcode.get(failure.errno, 'timeout')}>"
    return got.decode("latin-1")


def get_text(host, path="/", more=""):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"


def context(verify=True):
    made = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def in_records(flight, size):
    """The handshake bytes of a flight, cut into records of `size` bytes."""
    payload = b""
    while flight:
        length = struct.unpack("!H", flight[3:5])[0]
        payload, flight = payload + flight[5:5 + length], flight[5 + length:]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(payload[i:i + size])) + payload[i:i + size]
                    for i in range(0, len(payload), size))


def with_extension(flight, number, body):
    """A ClientHello in one record with an extension put in front of the others."""
    hello = flight[9:]
    at = 34 + 1 + hello[34]
    at += 2 + struct.unpack("!H", hello[at:at + 2])[0]
    at += 1 + hello[at]
    size = struct.unpack("!H", hello[at:at + 2])[0]
    more = struct.pack("!HH", number, len(body)) + body
    hello = hello[:at] + struct.pack("!H", size + len(more)) + more + hello[at + 2:]
    return (b"\x16\x03\x01" + struct.pack("!H", len(hello) + 4) + b"\x01"
            + struct.pack("!I", len(hello))[1:] + hello)


class Tls:
    """A TLS client whose first flight can be changed before it is sent."""

    def __init__(self, host, name, port=443, change=None, step=0):
        self.sock = dial(host, port)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(verify=False).wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        first = True
        while True:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            data = self.outgoing.read()
            if first and change:
                data = change(data)
            self.send(data, step if first else 0)
            first = False
            if done:
                return
            self.receive()

    def send(self, data, step=0):
        for i in range(0, len(data), step or max(1, len(data))):
            self.sock.sendall(data[i:i + (step or len(data))])

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise ssl.SSLError(0, "closed")
        self.incoming.write(data)

    def get(self, host, path="/"):
        self.tls.write(get_text(host, path).encode())
        self.send(self.outgoing.read())
        while True:
            try:
                return self.tls.read(65536).decode()
            except ssl.SSLWantReadError:
                self.receive()


def tls_get(host, name, http_host=None, **more):
    """The status line and body of https://name/ through a connection to `host`, or how it failed."""
    return attempt(lambda: Tls(host, name, **more).get(http_host or name).splitlines()[-1])
