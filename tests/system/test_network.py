#!/usr/bin/python3
"""The network: every way out that can exist without a network card, judged, told and counted.

Each path is tried towards the test internet twice: to a port that no rule names, where the exact errno,
the record and the silence at the other end are checked, and to one that a rule allows, where the bytes
arrive. Paths that no rule can open (datagrams, raw sockets) have their twin on the loopback."""

import hashlib
import json

from cloche_harness import (Daemon, check, check_equal, check_in, fixture, main, pattern, test)
from internet import internet

CLOSED = 9999  # named by no rule


def policies():
    ports = [7, 9, 13, 19, 22, 80, "8000-8003", 9090]
    return [
        {"version": 1, "name": "web", "description": "The test internet by address.", "network": {
            "allow": [{"cidr": f"{internet().v4}/32", "ports": ports},
                      {"cidr": f"{internet().v6}/128", "ports": ports}]}},
        {"version": 1, "name": "everything", "description": "As wide as a rule can be.", "network": {
            "allow": [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]}},
        {"version": 1, "name": "net", "description": "A whole prefix, one port range.", "network": {
            "allow": [{"cidr": f"10.214.{internet().number}.0/30", "ports": ["8001-8002"]}]}},
    ]


@fixture
def daemon():
    made = Daemon(policies=policies(), pool="python=2")
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().client.create(policy="web")
    yield made
    made.delete().expect(204)


@fixture
def closed_sandbox():
    made = daemon().client.create()
    yield made
    made.delete().expect(204)


# Functions for the inside. `tell(f)` prints what f() gives or the errno's name.
INSIDE = r'''
import errno, hashlib, os, socket, struct, sys
def tell(f):
    try: print("ok", f())
    except OSError as e: print(errno.errorcode.get(e.errno, type(e).__name__))
def tcp(family, address, protocol=0):
    s = socket.socket(family, socket.SOCK_STREAM, protocol)
    s.settimeout(20)
    s.connect(address)
    return s
def echo(s, data=b"ping"):
    s.sendall(data); s.shutdown(socket.SHUT_WR)
    got = b""
    while part := s.recv(65536): got += part
    s.close()
    return got == data
def udp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(20)
    return s
'''


def inside(where, code):
    return where.python(INSIDE + code, timeout_seconds=60).strip()


def records_since(where, after, kind):
    return daemon().client.events(sandbox=where.id, type=kind, after=after)


def last_sequence():
    return daemon().client.last_sequence()


def check_refused(where, code, kind, expected, errno_name="EPERM"):
    """Runs `code`; checks the errno, one record of type `kind`, and that nothing arrived."""
    internet().seen()
    after = last_sequence()
    before = where.usage()
    check_equal(inside(where, code), errno_name, "errno")
    found = records_since(where, after, kind)
    check_equal(len(found), 1, f"records of {kind}: {json.dumps(found)}")
    record = found[0]
    for key, value in {"verdict": "deny", "rule": None, **expected}.items():
        check_equal(record.get(key, "absent"), value, f"{key} of the record")
    check_identity(where, record)
    check_equal(internet().seen(), [], "what reached the test internet")
    if kind in ("network.connect", "network.send"):
        check_equal(where.usage()["connections_denied"], before["connections_denied"] + 1,
                    "connections_denied")


def check_identity(where, record):
    check_equal(record["v"], 1, "v")
    check_equal(record["sandbox"], where.id, "sandbox")
    check_equal(record["tenant"], "admin", "tenant")
    row = where.get().expect(200).json
    check_equal({**record["policy"], "mode": "enforce"}, row["policy"], "policy")
    process = record["process"]
    check_equal(set(process), {"pid", "pid_host", "ppid_host", "uid_host", "start_ns", "exe", "exe_inode",
                               "exe_device", "comm_untrusted"}, "keys of process")
    check(process["pid"] > 1 and process["pid_host"] > 1 and process["start_ns"] > 0, f"{process}")
    check(process["uid_host"] >= 65536 and process["exe_inode"] > 0, f"{process}")
    check_in("python3", process["exe"], "exe")
    check_equal(process["comm_untrusted"], "python3", "comm")


# ---- refused, path by path

@test
def tcp_over_ipv4_is_refused():
    check_refused(sandbox(), f"tell(lambda: tcp(socket.AF_INET, ('{internet().v4}', {CLOSED})))",
                  "network.connect", {"operation": "connect", "reason": "default", "family": "ipv4",
                                      "address": internet().v4, "port": CLOSED, "protocol": "tcp",
                                      "socket_type": "stream"})


@test
def tcp_over_ipv6_is_refused():
    check_refused(sandbox(), f"tell(lambda: tcp(socket.AF_INET6, ('{internet().v6}', {CLOSED})))",
                  "network.connect", {"operation": "connect", "reason": "default", "family": "ipv6",
                                      "address": internet().v6, "port": CLOSED, "protocol": "tcp"})


@test
def tcp_to_a_mapped_address_is_judged_as_ipv4():
    check_refused(sandbox(),
                  f"tell(lambda: tcp(socket.AF_INET6, ('::ffff:{internet().v4}', {CLOSED})))",
                  "network.connect", {"reason": "default", "family": "ipv6", "address": internet().v4,
                                      "port": CLOSED})


@test
def a_nonblocking_connect_is_refused_at_once():
    check_refused(sandbox(), "s = socket.socket(); s.setblocking(False)\n"
                  f"tell(lambda: s.connect(('{internet().v4}', {CLOSED})))",
                  "network.connect", {"address": internet().v4, "port": CLOSED})


@test
def tcp_fast_open_is_refused():
    check_refused(sandbox(), "s = socket.socket()\n"
                  f"tell(lambda: s.sendto(b'x', 0x20000000, ('{internet().v4}', {CLOSED})))",
                  "network.connect", {"address": internet().v4, "port": CLOSED, "protocol": "tcp"})


@test
def udp_is_refused_in_both_families_and_in_the_mapped_form():
    v4, v6 = internet().v4, internet().v6
    for family, address, told in [("AF_INET", v4, v4), ("AF_INET6", v6, v6),
                                  ("AF_INET6", f"::ffff:{v4}", v4)]:
        check_refused(sandbox(),
                      f"tell(lambda: udp(socket.{family}).sendto(b'x', ('{address}', 7)))",
                      "network.send", {"operation": "sendmsg", "reason": "default", "address": told,
                                       "port": 7, "protocol": "udp", "socket_type": "dgram"})


@test
def a_datagram_of_four_thousand_bytes_is_refused_once():
    check_refused(sandbox(), f"tell(lambda: udp().sendto(b'x' * 4000, ('{internet().v4}', 7)))",
                  "network.send", {"address": internet().v4, "port": 7})


@test
def connecting_a_datagram_socket_is_refused():
    v4 = internet().v4
    for family, address in [("AF_INET", v4), ("AF_INET6", f"::ffff:{v4}")]:
        check_refused(sandbox(), f"tell(lambda: udp(socket.{family}).connect(('{address}', 7)))",
                      "network.connect", {"address": v4, "port": 7, "protocol": "udp"})


@test
def a_datagram_socket_connected_inside_cannot_send_elsewhere():
    check_refused(sandbox(), "s = udp(); s.connect(('127.0.0.1', 4444))\n"
                  f"tell(lambda: s.sendto(b'x', ('{internet().v4}', 7)))",
                  "network.send", {"address": internet().v4, "port": 7})


@test
def many_datagrams_in_one_call_are_refused():
    code = ("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            "class V(ctypes.Structure): _fields_ = [('b', ctypes.c_char_p), ('n', ctypes.c_size_t)]\n"
            "class M(ctypes.Structure): _fields_ = [('name', ctypes.c_char_p), ('len', ctypes.c_uint32),"
            " ('iov', ctypes.POINTER(V)), ('niov', ctypes.c_size_t), ('c', ctypes.c_void_p),"
            " ('nc', ctypes.c_size_t), ('f', ctypes.c_int)]\n"
            "class R(ctypes.Structure): _fields_ = [('m', M), ('got', ctypes.c_uint32)]\n"
            f"to = struct.pack('=HH', 2, socket.htons(7)) + socket.inet_aton('{internet().v4}') + bytes(8)\n"
            "v = V(b'x', 1)\nrows = (R * 2)(*[R(M(to, 16, ctypes.pointer(v), 1)) for _ in range(2)])\n"
            "s = udp()\nr = libc.sendmmsg(s.fileno(), rows, 2, 0)\n"
            "print(r if r >= 0 else errno.errorcode[ctypes.get_errno()])")
    check_refused(sandbox(), code, "network.send", {"address": internet().v4, "port": 7})


@test
def mptcp_is_refused_as_a_socket():
    internet().seen()
    answer = inside(sandbox(), f"tell(lambda: tcp(socket.AF_INET, ('{internet().v4}', 80), 262))")
    check_in(answer, ("EPERM", "EPROTONOSUPPORT"), "errno")
    check_equal(internet().seen(), [], "what arrived")


@test
def raw_and_packet_and_icmp_sockets_are_refused():
    for family, kind, protocol in [("AF_INET", "SOCK_RAW", 1), ("AF_INET", "SOCK_RAW", 255),
                                   ("AF_INET6", "SOCK_RAW", 58), ("AF_PACKET", "SOCK_RAW", 0),
                                   ("AF_PACKET", "SOCK_DGRAM", 0), ("AF_VSOCK", "SOCK_STREAM", 0)]:
        answer = inside(sandbox(), f"tell(lambda: socket.socket(socket.{family}, socket.{kind}, {protocol}))")
        check_equal(answer, "EPERM", f"{family} {kind} {protocol}")
    answer = inside(sandbox(), "tell(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1))")
    check_in(answer, ("EPERM", "EACCES"), "ICMP datagram socket")


@test
def a_packet_tap_cannot_be_opened():
    check_equal(sandbox().exec(["test", "-e", "/dev/net/tun"])["exit_code"], 1, "/dev/net/tun")
    check_equal(inside(sandbox(), "tell(lambda: os.mknod('/tmp/tun', 0o20666, os.makedev(10, 200)))"),
                "EPERM", "mknod")


@test
def io_uring_is_not_there_to_connect_with():
    code = ("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            "r = libc.syscall(425, 8, ctypes.create_string_buffer(120))\n"
            "print(r if r >= 0 else errno.errorcode[ctypes.get_errno()])")
    check_in(inside(sandbox(), code), ("EPERM", "ENOSYS"), "io_uring_setup")


@test
def without_a_rule_nothing_is_reached_in_any_family():
    v4, v6 = internet().v4, internet().v6
    for family, address in [("AF_INET", v4), ("AF_INET6", v6), ("AF_INET6", f"::ffff:{v4}")]:
        told = address.removeprefix("::ffff:")
        check_refused(closed_sandbox(), f"tell(lambda: tcp(socket.{family}, ('{address}', 80)))",
                      "network.connect", {"reason": "default", "address": told, "port": 80})


@test
def binding_outside_the_sandbox_is_refused():
    free = "s = socket.socket(); s.setsockopt(0, 15, 1)\n"  # IP_FREEBIND
    internet().seen()
    after = last_sequence()
    check_equal(inside(sandbox(), free + f"tell(lambda: s.bind(('{internet().v4}', 5000)))"), "EPERM",
                "errno")
    record = records_since(sandbox(), after, "network.bind")[0]
    check_equal((record["reason"], record["address"], record["port"], record["verdict"]),
                ("bind", internet().v4, 5000, "deny"), "record")
    check_equal(inside(sandbox(), "s = socket.socket(); tell(lambda: s.bind(('0.0.0.0', 5000)))"),
                "ok None", "the twin")


@test
def the_gates_own_port_cannot_be_addressed():
    ports = inside(sandbox(), "rows = []\nfor f in ('tcp', 'tcp6'):\n"
                   "  for line in open('/proc/net/' + f).readlines()[1:]:\n"
                   "    w = line.split()\n"
                   "    if w[3] == '0A': rows.append(int(w[1].split(':')[1], 16))\n"
                   "print(*sorted(set(rows)))").split()
    check(ports, "no listening socket of the gate in the sandbox")
    for port in ports:
        check_equal(inside(sandbox(), f"tell(lambda: tcp(socket.AF_INET, ('127.0.0.1', {port})))"),
                    "EPERM", "connect")
        check_equal(inside(sandbox(), f"tell(lambda: tcp(socket.AF_INET6, ('::1', {port})))"), "EPERM",
                    "connect over IPv6")


# ---- inside

@test
def the_loopback_inside_is_open_in_every_form():
    code = r'''
import threading
l = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
port = l.getsockname()[1]
def serve():
    while True:
        c, _ = l.accept(); d = c.recv(100); c.sendall(d); c.close()
threading.Thread(target=serve, daemon=True).start()
for family, address in [(2, "127.0.0.1"), (2, "127.0.0.2"), (2, "0.0.0.0"), (10, "::1"), (10, "::"),
                        (10, "::ffff:127.0.0.1")]:
    s = tcp(family, (address, port)); s.sendall(b"x"); print(s.recv(10) == b"x", end=" "); s.close()
a, b = udp(), udp()
a.bind(("127.0.0.1", 0)); b.sendto(b"x", a.getsockname()); print(a.recv(10) == b"x", end=" ")
b.connect(a.getsockname()); b.send(b"y"); print(a.recv(10) == b"y")
'''
    before = closed_sandbox().usage()
    check_equal(set(inside(closed_sandbox(), code).split()), {"True"}, "answers")
    after = closed_sandbox().usage()
    check_equal(after["connections_denied"], before["connections_denied"], "connections_denied")


@test
def sandboxes_do_not_hear_each_other():
    one, two = sandbox(), closed_sandbox()
    held = one.try_exec(["python3", "-c", "import socket\nl = socket.create_server(('0.0.0.0', 7777))\n"
                         "open('/tmp/up', 'w')\nl.accept()"], detach=True).expect(202).json
    inside(one, "import time\nwhile not os.path.exists('/tmp/up'): time.sleep(0.01)\n")
    check_equal(inside(two, "tell(lambda: tcp(socket.AF_INET, ('127.0.0.1', 7777)))"), "ECONNREFUSED",
                "from another sandbox")
    check_in("ok", inside(one, "tell(lambda: tcp(socket.AF_INET, ('127.0.0.1', 7777)))"), "the twin")
    daemon().client.delete(f"{one.path}/execs/{held['exec_id']}?signal=SIGKILL")


# ---- allowed, through the gate

@test
def allowed_tcp_reaches_the_server_in_every_form():
    v4, v6 = internet().v4, internet().v6
    for family, address, rule, told in [("AF_INET", v4, 0, "ipv4"), ("AF_INET6", v6, 1, "ipv6"),
                                        ("AF_INET6", f"::ffff:{v4}", 0, "ipv6")]:
        internet().seen()
        after = last_sequence()
        before = sandbox().usage()
        check_equal(inside(sandbox(), f"tell(lambda: echo(tcp(socket.{family}, ('{address}', 7))))"),
                    "ok True", f"echo by {address}")
        check_equal([(row["protocol"], row["port"]) for row in internet().seen()], [("tcp", 7)], "seen")
        record = records_since(sandbox(), after, "network.connect")[0]
        expected = {"operation": "connect", "verdict": "allow", "via": "gate", "reason": "rule",
                    "rule": rule, "family": told, "address": address.removeprefix("::ffff:"), "port": 7,
                    "protocol": "tcp", "socket_type": "stream"}
        for key, value in expected.items():
            check_equal(record.get(key), value, key)
        check_identity(sandbox(), record)
        flow = daemon().client.wait_event(lambda r: True, sandbox=sandbox().id, type="network.flow",
                                          after=after)
        check_equal((flow["port"], flow["rule"], flow["error"], flow["bytes_sent"],
                     flow["bytes_received"]), (7, rule, 0, 4, 4), f"flow {flow}")
        usage = sandbox().usage()
        check_equal(usage["connections_allowed"], before["connections_allowed"] + 1, "allowed")
        check_equal(usage["connections_denied"], before["connections_denied"], "denied")


@test
def fast_open_and_nonblocking_connects_go_through_too():
    v4 = internet().v4
    code = (f"s = socket.socket(); s.sendto(b'abc', 0x20000000, ('{v4}', 9))\n"
            "s.shutdown(1); print(s.recv(100).split()[0])\n"
            "import select\n"
            "s = socket.socket(); s.setblocking(False)\n"
            f"print(errno.errorcode.get(s.connect_ex(('{v4}', 13)), 0))\n"
            "select.select([], [s], [], 20); select.select([s], [], [], 20); print(s.recv(10))")
    lines = inside(sandbox(), code).splitlines()
    check_equal((lines[0], lines[2]), ("b'3'", "b'now\\n'"), "answers")
    check_in(lines[1], ("EINPROGRESS", "0"), "connect")


@test
def a_program_sees_the_address_that_it_asked_for():
    v4, v6 = internet().v4, internet().v6
    check_equal(inside(sandbox(), f"print(tcp(socket.AF_INET, ('{v4}', 80)).getpeername())"),
                f"('{v4}', 80)", "getpeername")
    check_equal(inside(sandbox(), f"print(tcp(socket.AF_INET6, ('{v6}', 80)).getpeername()[:2])"),
                f"('{v6}', 80)", "getpeername")


@test
def http_by_an_unmodified_client_works():
    code = ("import urllib.request\n"
            f"print(urllib.request.urlopen('http://{internet().v4}/', timeout=20).read().decode())")
    check_equal(inside(sandbox(), code), "hello from the allowed service", "body")
    code = code.replace(internet().v4, f"[{internet().v6}]")
    check_equal(inside(sandbox(), code), "hello from the allowed service", "body over IPv6")


@test
def a_half_closed_connection_still_answers():
    code = (f"s = tcp(socket.AF_INET, ('{internet().v4}', 9))\n"
            "for i in range(10): s.sendall(b'0123456789')\n"
            "s.shutdown(socket.SHUT_WR)\nprint(s.makefile().read().strip())")
    check_equal(inside(sandbox(), code), f"100 {hashlib.sha256(b'0123456789' * 10).hexdigest()}", "digest")


@test
def a_server_that_speaks_first_and_closes_is_heard():
    code = f"s = tcp(socket.AF_INET, ('{internet().v4}', 13))\nprint(s.recv(100), s.recv(100))"
    check_equal(inside(sandbox(), code), "b'now\\n' b''", "line and end")


@test
def a_reset_is_passed_on():
    # it may come while the program is still in connect(2)
    code = (f"try:\n  s = tcp(socket.AF_INET, ('{internet().v4}', 22)); print(s.recv(10))\n"
            "except OSError as e: print(errno.errorcode[e.errno])")
    check_equal(inside(sandbox(), code), "ECONNRESET", "end")


@test
def a_port_where_nobody_listens_fails_and_is_told():
    after = last_sequence()
    code = (f"try:\n  s = tcp(socket.AF_INET, ('{internet().v4}', 9090)); print(s.recv(10))\n"
            "except OSError as e: print(errno.errorcode[e.errno])")
    check_in(inside(sandbox(), code), ("ECONNRESET", "ECONNREFUSED"), "errno")
    flow = daemon().client.wait_event(lambda r: True, sandbox=sandbox().id, type="network.flow",
                                      after=after)
    check_equal((flow["port"], flow["error"]), (9090, -111), f"flow {flow}")


@test
def a_large_transfer_arrives_whole_and_is_counted():
    size = 24 << 20
    before = sandbox().usage()
    code = (f"n = {size}\nblock = hashlib.sha256(b'cloche').digest() * 2048\n"
            f"s = tcp(socket.AF_INET, ('{internet().v4}', 9)); sent = 0\n"
            "while sent < n: s.sendall(block); sent += len(block)\n"
            "s.shutdown(1); print(s.makefile().read().strip())\n"
            f"s = tcp(socket.AF_INET6, ('{internet().v6}', 19)); s.sendall(b'%d\\n' % n)\n"
            "h, got = hashlib.sha256(), 0\n"
            "while part := s.recv(1 << 20): h.update(part); got += len(part)\n"
            "print(got, h.hexdigest())")
    wanted = f"{size} {hashlib.sha256(pattern(size)).hexdigest()}"
    check_equal(inside(sandbox(), code).splitlines(), [wanted, wanted], "digests")
    after = sandbox().usage()
    for key in ["bytes_sent", "bytes_received"]:
        counted = after[key] - before[key]
        check(size <= counted <= size * 1.1, f"{key}: {counted} for {size}")
    for key in ["packets_sent", "packets_received"]:
        check(after[key] > before[key] + 300, f"{key}: {after[key] - before[key]}")


@test
def many_connections_at_once_are_each_answered():
    code = (f"rows = [tcp(socket.AF_INET, ('{internet().v4}', 7)) for _ in range(60)]\n"
            "for i, s in enumerate(rows): s.sendall(b'%03d' % i)\n"
            "print(all(s.recv(3) == b'%03d' % i for i, s in enumerate(rows)))")
    check_equal(inside(sandbox(), code), "True", "answers")


@test
def a_client_that_does_not_read_holds_nobody_up():
    v4 = internet().v4
    code = (f"slow = tcp(socket.AF_INET, ('{v4}', 19)); slow.sendall(b'50000000\\n')\n"
            f"tell(lambda: echo(tcp(socket.AF_INET, ('{v4}', 7))))")
    check_equal(inside(sandbox(), code), "ok True", "another connection")


# ---- rules

@test
def a_port_range_opens_its_ports_and_no_other():
    with daemon().client.sandbox(policy="net") as ranged:
        v4 = internet().v4
        for port in [8001, 8002]:
            check_equal(inside(ranged, f"tell(lambda: echo(tcp(socket.AF_INET, ('{v4}', {port}))))"),
                        "ok True", f"port {port}")
        for port in [8000, 8003]:
            check_refused(ranged, f"tell(lambda: tcp(socket.AF_INET, ('{v4}', {port})))",
                          "network.connect", {"reason": "default", "port": port})
        check_refused(ranged, f"tell(lambda: tcp(socket.AF_INET6, ('{internet().v6}', 8001)))",
                      "network.connect", {"reason": "default", "port": 8001})


@test
def the_widest_rule_opens_public_addresses_only():
    with daemon().client.sandbox(policy="everything") as wide:
        check_equal(inside(wide, f"tell(lambda: echo(tcp(socket.AF_INET, ('{internet().public}', 7))))"),
                    "ok True", "a public address")
        special = [("AF_INET", "169.254.169.254"), ("AF_INET", "169.254.0.1"), ("AF_INET", internet().v4),
                   ("AF_INET", "192.168.1.1"), ("AF_INET", "172.16.0.1"), ("AF_INET", "100.64.0.1"),
                   ("AF_INET", "224.0.0.1"), ("AF_INET", "255.255.255.255"), ("AF_INET", "0.1.2.3"),
                   ("AF_INET6", internet().v6), ("AF_INET6", "fe80::1"),
                   ("AF_INET6", "::ffff:169.254.169.254"), ("AF_INET6", "64:ff9b::a9fe:a9fe"),
                   ("AF_INET6", "fd00:ec2::254"), ("AF_INET6", "::169.254.169.254")]
        for family, address in special:
            answer = inside(wide, f"tell(lambda: tcp(socket.{family}, ('{address}', 80)))")
            check(answer in ("EPERM", "EACCES"), f"{address}: {answer}")
        check_equal([row for row in internet().seen() if row["port"] == 80], [], "seen")


@test
def a_request_without_network_rules_has_no_gate_inside():
    text = closed_sandbox().sh("cat /proc/net/tcp /proc/net/tcp6 | grep -c ' 0A '; true")
    check_equal(text, "0\n", "listening sockets")


@test
def flooding_the_log_changes_no_verdict():
    code = (f"n = 0\nfor i in range(20000):\n  s = socket.socket()\n"
            f"  if s.connect_ex(('{internet().v4}', {CLOSED})) == errno.EPERM: n += 1\n  s.close()\nprint(n)")
    internet().seen()
    before = sandbox().usage()
    check_equal(inside(sandbox(), code), "20000", "refused")
    check_equal(sandbox().usage()["connections_denied"] - before["connections_denied"], 20000, "counted")
    check_equal(internet().seen(), [], "seen")


if __name__ == "__main__":
    main()
