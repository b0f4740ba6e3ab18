"""A small WebSocket (RFC 6455), both ends of it: what the tests speak, and, run as a program inside a
sandbox, an echo server: websocket.py ADDRESS PORT."""

import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def read_head(sock):
    """Returns the first line, the headers in lower case, and what came behind them."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = sock.recv(65536)
        if not got:
            raise ConnectionError(f"closed after {data!r}")
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}, rest


class Peer:
    """After the handshake: frames, whole messages of one frame each."""

    def __init__(self, sock, masks, rest=b""):
        self.sock, self.masks, self.rest = sock, masks, rest

    def _read(self, size):
        data = bytearray(self.rest[:size])
        self.rest = self.rest[size:]
        while len(data) < size:
            got = self.sock.recv(min(size - len(data), 1 << 16))
            if not got:
                raise ConnectionError("closed")
            data += got
        return bytes(data)

    def read(self):
        first, second = self._read(2)
        size = second & 127
        if size >= 126:
            size = struct.unpack("!H" if size == 126 else "!Q", self._read(2 if size == 126 else 8))[0]
        mask = self._read(4) if second & 128 else None
        data = self._read(size)
        return first & 15, mask_with(mask, data) if mask else data

    def write(self, kind, data):
        size = len(data)
        head = bytes([128 | kind])
        bit = 128 if self.masks else 0
        if size < 126:
            head += bytes([bit | size])
        else:
            head += bytes([bit | 126]) + struct.pack("!H", size) if size < 65536 else \
                bytes([bit | 127]) + struct.pack("!Q", size)
        mask = os.urandom(4) if self.masks else b""
        self.sock.sendall(head + mask + (mask_with(mask, data) if mask else data))

    def close(self):
        self.sock.close()


def mask_with(mask, data):
    size = len(data)
    long = int.from_bytes(mask * (size // 4 + 1), "big") >> 8 * (4 - size % 4)
    return (int.from_bytes(data, "big") ^ long).to_bytes(size, "big")


class Refused(Exception):
    def __init__(self, status, headers, body):
        super().__init__(f"{status}: {body!r}")
        self.status, self.headers, self.body = status, headers, body


def connect(sock, target, headers):
    """Shakes hands over a connected socket. Raises Refused when the answer is not 101."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sock.sendall("\r\n".join(lines + ["", ""]).encode())
    first, answer, rest = read_head(sock)
    status = int(first.split()[1])
    if status != 101:
        while len(rest) < int(answer.get("content-length", 0)):
            rest += sock.recv(65536)
        raise Refused(status, answer, rest)
    if answer.get("sec-websocket-accept") != accept_of(key):
        raise ConnectionError(f"not accepted: {answer}")
    peer = Peer(sock, True, rest)
    peer.headers = answer
    return peer


# ---- the server

def serve_one(sock):
    first, headers, rest = read_head(sock)
    path = first.split()[1]
    if path == "/old":
        sock.sendall(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 3\r\n\r\nold")
        return
    answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
              "Set-Cookie: a=b", f"Sec-WebSocket-Accept: {accept_of(headers['sec-websocket-key'])}"]
    if "sec-websocket-protocol" in headers:
        answer.append("Sec-WebSocket-Protocol: " + headers["sec-websocket-protocol"].split(",")[0])
    sock.sendall("\r\n".join(answer + ["", ""]).encode())
    peer = Peer(sock, False, rest)
    peer.write(TEXT, json.dumps({"path": path, "headers": headers}).encode())
    if path == "/bye":
        peer.write(CLOSE, struct.pack("!H", 1001))
        return
    while True:
        kind, data = peer.read()
        peer.write(PONG if kind == PING else kind, data)
        if kind == CLOSE:
            return


def serve(address, port):
    server = socket.create_server((address, port), backlog=64)

    def run(sock):
        try:
            with sock:
                serve_one(sock)
        except (ConnectionError, OSError):
            pass

    while True:
        sock, _ = server.accept()
        threading.Thread(target=run, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
