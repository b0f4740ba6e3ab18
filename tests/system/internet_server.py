#!/usr/bin/python3
"""The servers of the test internet, in a network namespace of their own (see Internet).

Ports, TCP on both families: 7 and 8000-8010 echo; 9 reads to the end, then tells how many bytes and
their SHA-256; 19 sends as many bytes of pattern() as the line it reads says; 80 HTTP; 13 sends a line
and closes at once; 22 closes with a reset. UDP 7, 53, 123 and 8000-8010 echo. Every accept and datagram is noted."""

import asyncio
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cloche_harness import pattern  # noqa: E402

noted = []


def note(protocol, port, peer):
    noted.append({"protocol": protocol, "port": port, "peer": peer})


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def digest(reader, writer):
    n, hashed = 0, hashlib.sha256()
    while data := await reader.read(1 << 20):
        n += len(data)
        hashed.update(data)
    writer.write(f"{n} {hashed.hexdigest()}\n".encode())


async def source(reader, writer):
    writer.write(pattern(int(await reader.readline())))
    await writer.drain()


async def web(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    body = b"hello from the allowed service\n"
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                 + body)


async def daytime(_reader, writer):
    writer.write(b"now\n")


async def reset(_reader, writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def handler(serve, port):
    async def handle(reader, writer):
        note("tcp", port, writer.get_extra_info("peername")[0])
        try:
            await serve(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()
    return handle


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, port):
        self.port = port

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        note("udp", self.port, addr[0])
        self.transport.sendto(data, addr)


def set_up(peer, number):
    for line in ["link set lo up", f"address add 203.0.113.{number}/32 dev lo", f"address add 10.214.{number}.2/30 dev {peer}",
                 f"address add fd00:214:{number}::2/64 dev {peer} nodad", f"link set {peer} up",
                 f"route add default via 10.214.{number}.1"]:
        subprocess.run(["ip", *line.split()], check=True, timeout=10)


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("started", flush=True)
    set_up(*(await lines.readline()).decode().split())
    ports = {7: echo, 9: digest, 13: daytime, 19: source, 22: reset, 80: web}
    ports.update({port: echo for port in range(8000, 8011)})
    for port, serve in ports.items():
        sock = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True,
                                    backlog=256)
        await asyncio.start_server(handler(serve, port), sock=sock)
    for port in [7, 53, 123, *range(8000, 8011)]:
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("::", port))
        await loop.create_datagram_endpoint(lambda port=port: Datagrams(port), sock=udp)
    print("listening", flush=True)
    while await lines.readline():
        print(json.dumps(noted), flush=True)
        noted.clear()


if __name__ == "__main__":
    asyncio.run(main())
