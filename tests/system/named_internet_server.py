#!/usr/bin/python3
"""The servers of the test internet of names, in a network namespace of their own (see NamedInternet).

named_internet_server.py internet DIRECTORY | host

Both: TCP 80, 443 (TLS for the names of DIRECTORY/*.pem), 7 (echo) and 853, and UDP 53, 443 and 853, on
every address, and DNS over UDP and TCP that answers as it was told. "internet" has the addresses of sites
and answers DNS on RESOLVER; "host" is where cloched runs, and answers DNS on STUB: whatever else comes to
its loopback must not have come.
Each accept, TLS hello, HTTP request, datagram and DNS question is noted. One JSON line on standard input
is one order, answered by one line."""

import glob
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading

RESOLVER = "192.0.2.53"
STUB = "127.0.0.53"  # on the host, as systemd-resolved's
SITE_ADDRESSES = [f"{RESOLVER}/32", "192.0.2.99/32", "198.51.100.10/32", "203.0.113.20/32", "10.9.9.9/32",
                  "169.254.169.254/32", "100.100.100.200/32", "2001:db8::10/128", "2001:db8::20/128",
                  "fd00:9::9/128", "fd00:ec2::254/128", "64:ff9b::a9fe:a9fe/128"]
TYPES = {1: "A", 2: "NS", 5: "CNAME", 10: "NULL", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 65: "HTTPS",
         255: "ANY"}
NUMBERS = {word: number for number, word in TYPES.items()}

noted = []
zone = {}  # name: [how often asked, [answer, …]]; the last answer stays


def note(kind, **more):
    noted.append({"kind": kind, **more})


# ---- DNS

def name_read(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), at + 1


def name_write(name):
    return b"".join(bytes([len(part)]) + part.encode("latin-1") for part in name.split(".") if part) + b"\0"


def data_write(kind, text):
    if kind == "A":
        return socket.inet_aton(text)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind == "TXT":
        return b"".join(bytes([len(part)]) + part.encode("latin-1")
                        for part in (text if isinstance(text, list) else [text]))
    *numbers, name = text.split() if kind in ("MX", "SRV") else [text]
    return b"".join(struct.pack("!H", int(number)) for number in numbers) + name_write(name)


def rows_for(name, kind):
    """(rcode, rows) of the answer: {"rcode": 0, "ttl": 60, "A": […], "AAAA": […], "CNAME": "other",
    "TXT": ["text", ["two", "texts"]], "MX": ["10 mail.example"], "SRV": ["1 2 389 ldap.example"]}."""
    rows = []
    for _ in range(8):
        state = zone.get(name.lower())
        if state is None:
            return (0 if rows else 3), rows
        answers = state[1][kind] if kind in state[1] else state[1][""]
        index = min(state[0].get(kind, 0), len(answers) - 1)
        state[0][kind] = state[0].get(kind, 0) + 1
        answer = answers[index]
        ttl = answer.get("ttl", 60)
        if "CNAME" in answer:
            rows.append((name, "CNAME", ttl, answer["CNAME"]))
            name = answer["CNAME"]
            continue
        return answer.get("rcode", 0), rows + [(name, kind, ttl, text) for text in answer.get(kind, [])]
    return 2, []


def reply_to(query, protocol):
    name, end = name_read(query, 12)
    number = struct.unpack("!H", query[end:end + 2])[0]
    kind = TYPES.get(number, str(number))
    note("dns", name=name.lower(), type=kind, protocol=protocol)
    state = zone.get(name.lower())
    if state and state[2].get("silent"):
        return None
    rcode, rows = rows_for(name, kind)
    flags = 0x8400 | (struct.unpack("!H", query[2:4])[0] & 0x0100) | 0x0080 | rcode
    if protocol == "udp" and state and state[2].get("truncate"):
        flags, rows = flags | 0x0200, []
    body = b"".join(name_write(owner) + struct.pack("!HHIH", NUMBERS[kind_of], 1, ttl, len(data)) + data
                    for owner, kind_of, ttl, data in
                    ((o, k, t, data_write(k, text)) for o, k, t, text in rows))
    return query[:2] + struct.pack("!HHHHH", flags, 1, len(rows), 0, 0) + query[12:end + 4] + body


def serve_dns_udp(sock):
    while True:
        query, peer = sock.recvfrom(4096)
        reply = reply_to(query, "udp")
        if reply:
            sock.sendto(reply, peer)


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise ConnectionError("ended")
        data += part
    return data


def serve_dns_tcp(sock):
    while True:
        query = read_exactly(sock, struct.unpack("!H", read_exactly(sock, 2))[0])
        reply = reply_to(query, "tcp")
        if reply:
            sock.sendall(struct.pack("!H", len(reply)) + reply)


# ---- sites

def read_request(file):
    """(request line, fields, body) or None at the end."""
    line = file.readline().decode("latin-1").rstrip("\r\n")
    if not line:
        return None
    fields = {}
    while text := file.readline().decode("latin-1").rstrip("\r\n"):
        key, _, value = text.partition(":")
        fields[key.lower()] = value.strip()
    return line, fields, file.read(int(fields.get("content-length", 0)))


def body_for(target, directory, fact):
    path = target.partition("?")[0]
    if directory and ".." not in target and os.path.isdir(f"{directory}/sites/{fact['host']}"):
        path = f"{directory}/sites/{fact['host']}{path}"
        path += "/index.html" if os.path.isdir(path) else ""
        if not os.path.isfile(path):
            return "404 Not Found", b"not here\n"
        with open(path, "rb") as file:
            return "200 OK", file.read()
    if target.startswith(("/repo.git/", "/files/")) and directory and ".." not in target:
        path = directory + path
        path += "index.html" if path.endswith("/") else ""
        if not os.path.isfile(path):
            return "404 Not Found", b"not here\n"
        with open(path, "rb") as file:
            return "200 OK", file.read()
    return "200 OK", (json.dumps(fact) + "\n").encode()


def serve_web(sock, directory, tls_name):
    file = sock.makefile("rb")
    while request := read_request(file):
        line, fields, body = request
        target = (line.split(" ") + ["", ""])[1]
        fact = {"line": line, "host": fields.get("host"), "tls": tls_name, "body_size": len(body),
                "address": sock.getsockname()[0].removeprefix("::ffff:")}
        note("http", **fact)
        status, answer = body_for(target, directory, fact)
        kind = "text/html" if target.endswith("/") else "text/plain"
        sock.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
                     f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        if line.endswith("/1.0"):
            return


class Sites:
    def __init__(self, directory):
        self.directory = directory
        self.contexts = {}
        for path in glob.glob(f"{directory}/*.*.pem") if directory else []:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path, path.removesuffix(".pem") + ".key")
            self.contexts[os.path.basename(path).removesuffix(".pem")] = context

    def serve_tls(self, sock):
        asked = []

        def choose(ssl_socket, name, _context):
            asked.append(name)
            note("hello", name=name)
            if name in self.contexts:
                ssl_socket.context = self.contexts[name]

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = "allowed.example"
        context.load_cert_chain(f"{self.directory}/{name}.pem", f"{self.directory}/{name}.key")
        context.sni_callback = choose
        with context.wrap_socket(sock, server_side=True) as wrapped:
            serve_web(wrapped, self.directory, asked[0])

    def serve(self, sock, port):
        if port == 443 and self.contexts:
            self.serve_tls(sock)
        elif port in (80, 443):
            serve_web(sock, self.directory, None)
        elif port == 7:
            while data := sock.recv(65536):
                sock.sendall(data)
        elif port == 53:
            serve_dns_tcp(sock)

    def accept(self, listener):
        while True:
            sock, peer = listener.accept()
            local = sock.getsockname()
            note("tcp", port=local[1], address=local[0].removeprefix("::ffff:"), peer=peer[0])
            threading.Thread(target=self.run, args=(sock, local[1]), daemon=True).start()

    def run(self, sock, port):
        try:
            self.serve(sock, port)
        except (OSError, ValueError, IndexError) as failure:
            note("broken", port=port, why=type(failure).__name__)
        finally:
            sock.close()


def note_datagrams(sock, port):
    while True:
        data, peer = sock.recvfrom(65536)
        note("udp", port=port, size=len(data), peer=peer[0])


def start(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def listen(sites, is_internet):
    for port in [80, 443, 7, 853]:
        start(sites.accept, socket.create_server(("::", port), family=socket.AF_INET6, backlog=256,
                                                 dualstack_ipv6=True))
    for port in [53, 443, 853]:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", port))
        start(note_datagrams, sock, port)
    resolver = RESOLVER if is_internet else STUB
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((resolver, 53))  # more exact than "::": its datagrams come here
    start(serve_dns_udp, sock)
    start(sites.accept, socket.create_server((resolver, 53), backlog=64))


def ip(line):
    subprocess.run(["ip", *line.split()], check=True, timeout=10)


def set_up(is_internet, link):
    ip("link set lo up")
    own, other = (2, 1) if is_internet else (1, 2)
    ip(f"address add 10.215.0.{own}/30 dev {link}")
    ip(f"address add fd00:215::{own}/64 dev {link} nodad")
    ip(f"link set {link} up")
    for address in SITE_ADDRESSES if is_internet else []:
        ip(f"address add {address} dev lo" + (" nodad" if ":" in address else ""))
    if not is_internet:
        ip(f"route add default via 10.215.0.{other}")
        ip(f"-6 route add default via fd00:215::{other}")


def obey(order):
    if order["op"] == "seen":
        answer = list(noted)
        del noted[:len(answer)]
        return answer
    if order["op"] == "answer":
        zone[order["name"]] = [{}, order["answers"], order.get("how", {})]
    if order["op"] == "forget":
        zone.pop(order["name"], None)
    return "done"


def main():
    is_internet = sys.argv[1] == "internet"
    print(json.dumps("started"), flush=True)
    set_up(is_internet, json.loads(sys.stdin.readline()))
    listen(Sites(sys.argv[2] if is_internet else None), is_internet)
    print(json.dumps("listening"), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
