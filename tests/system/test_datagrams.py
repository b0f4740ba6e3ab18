#!/usr/bin/python3
"""UDP by rules for addresses: connected and unconnected, in both families and the mapped form; what a
rule does not name, what is over a budget, and what a later policy takes away, each with its twin."""

import os
import signal

from cloche_harness import (Daemon, check, check_equal, check_in, child_named, fixture, main,
                            running, test, until)
from internet import internet

CLOSED = 9999  # named by no rule
MUTE = 9090    # nobody listens there


def rules(ports, protocol="udp"):
    return [{"cidr": f"{internet().v4}/32", "ports": ports, "protocol": protocol},
            {"cidr": f"{internet().v6}/128", "ports": ports, "protocol": protocol}]


def policy(name, ports, **more):
    return {"version": 1, "name": name, "network": {"allow": rules(ports)}, **more}


def policies():
    return [
        policy("udp", [7, 53, "8000-8010", MUTE]),
        policy("udp-7", [7]),
        {"version": 1, "name": "tcp", "network": {"allow": rules([7, "8000-8010"], "tcp")}},
        {"version": 1, "name": "wide", "network": {"allow": [
            {"cidr": "0.0.0.0/0", "protocol": "udp"}, {"cidr": "::/0", "protocol": "udp"}]}},
        policy("udp-bytes", [7, 8001], budgets={"bytes_out": "4KiB"}),
        policy("udp-bytes-in", [7], budgets={"bytes_in": "4KiB"}),
        policy("udp-connections", ["8000-8010"], budgets={"connections": 3}),
    ]


@fixture
def daemon():
    made = Daemon(policies=policies(), pool="python=2")
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().client.create(policy="udp")
    yield made
    made.delete().expect(204)


# Functions for the inside. `tell(f)` prints what f() gives or the errno's name.
UDP = r'''
import errno, os, socket, sys
def tell(f):
    try: print("ok", f())
    except OSError as e: print(errno.errorcode.get(e.errno, type(e).__name__))
def tcp(family, address):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(address)
    return s
def udp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(20)
    return s
def ask(s, address, data=b"ping"):
    s.sendto(data, address)
    got, source = s.recvfrom(65536)
    return got == data, source[:2] == address[:2]
def hears_nothing(s):
    s.settimeout(0.3)
    try: return s.recv(100)
    except TimeoutError: return None
'''


def inside(where, code):
    return where.python(UDP + code, timeout_seconds=60).strip()


def forms():
    """What a program may call the echo server: family, address, as it is recorded, rule."""
    return [("AF_INET", internet().v4, internet().v4, 0), ("AF_INET6", internet().v6, internet().v6, 1),
            ("AF_INET6", f"::ffff:{internet().v4}", internet().v4, 0)]


def records(where, after, kind):
    return daemon().client.events(sandbox=where.id, type=kind, after=after)


@test
def unconnected_datagrams_are_answered_from_where_they_were_sent():
    for family, address, told, rule in forms():
        with daemon().client.sandbox(policy="udp") as fresh:
            internet().seen()
            after = daemon().client.last_sequence()
            code = f"s = udp(socket.{family})\nfor i in range(3): print(ask(s, ('{address}', 7)))"
            check_equal(inside(fresh, code).splitlines(), ["(True, True)"] * 3, address)
            check_equal([(row["protocol"], row["port"]) for row in internet().seen()], [("udp", 7)] * 3,
                        "seen")
            rows = records(fresh, after, "network.send")
            check_equal(len(rows), 1, f"the first is recorded: {rows}")
            wanted = {"operation": "sendmsg", "verdict": "allow", "via": "gate", "reason": "rule",
                      "rule": rule, "address": told, "port": 7, "protocol": "udp",
                      "socket_type": "dgram"}
            check_equal({key: rows[0].get(key) for key in wanted}, wanted, "record")
            usage = fresh.usage()
            header = 48 if family == "AF_INET6" and told == address else 28
            check_equal((usage["bytes_sent"], usage["bytes_received"], usage["packets_sent"],
                         usage["packets_received"], usage["connections_allowed"],
                         usage["connections_denied"]),
                        (3 * (header + 4), 3 * (header + 4), 3, 3, 1, 0), "usage")
            kept = fresh.id
        flow = daemon().client.wait_event(lambda r: True, sandbox=kept, type="network.flow", after=after)
        wanted = {"address": told, "port": 7, "protocol": "udp", "rule": rule, "end": "sandbox_ended",
                  "bytes_sent": 12, "bytes_received": 12}
        check_equal({key: flow.get(key) for key in wanted}, wanted, "flow")


@test
def connected_datagrams_are_answered_and_show_their_peer():
    for family, address, told, rule in forms():
        with daemon().client.sandbox(policy="udp") as fresh:
            after = daemon().client.last_sequence()
            code = (f"s = udp(socket.{family}); s.connect(('{address}', 7))\n"
                    f"print(s.getpeername()[:2] == ('{address}', 7))\n"
                    "for i in range(3): s.send(b'x%d' % i); print(s.recvfrom(100)[1][:2])")
            lines = inside(fresh, code).splitlines()
            check_equal(lines[:4], ["True"] + [f"('{address}', 7)"] * 3, address)
            rows = records(fresh, after, "network.connect")
            check_equal([(row["verdict"], row["rule"], row["address"], row["port"], row["protocol"])
                         for row in rows], [("allow", rule, told, 7, "udp")], "records")


@test
def one_socket_talks_with_many_destinations_at_once():
    v4, v6 = internet().v4, internet().v6
    code = (f"s = udp(socket.AF_INET6); asked = {{}}\n"
            f"for port in range(8000, 8011):\n"
            f"  for address in ('{v6}', '::ffff:{v4}'):\n"
            "    data = b'%d %s' % (port, address.encode()); asked[data] = (address, port)\n"
            "    s.sendto(data, (address, port))\n"
            "n = len(asked)\n"
            "while asked:\n"
            "  data, source = s.recvfrom(100)\n"
            "  assert asked.pop(data) == source[:2], (data, source)\n"
            "print(n)")
    check_equal(inside(sandbox(), code), "22", "answers")


@test
def what_no_rule_names_is_refused_and_recorded():
    for family, address, told, _ in forms():
        for act, kind in [(f"udp(socket.{family}).sendto(b'x', ('{address}', {CLOSED}))", "network.send"),
                          (f"udp(socket.{family}).connect(('{address}', {CLOSED}))", "network.connect")]:
            internet().seen()
            after = daemon().client.last_sequence()
            check_equal(inside(sandbox(), f"tell(lambda: {act})"), "EPERM", act)
            rows = records(sandbox(), after, kind)
            check_equal([(row["verdict"], row["reason"], row["address"], row["port"], row["protocol"])
                         for row in rows], [("deny", "default", told, CLOSED, "udp")], "records")
            check_equal(internet().seen(), [], "seen")


@test
def neither_protocol_opens_the_other():
    v4 = internet().v4
    check_equal(inside(sandbox(), f"tell(lambda: tcp(socket.AF_INET, ('{v4}', 7)))"), "EPERM", "TCP")
    with daemon().client.sandbox(policy="tcp") as other:
        check_equal(inside(other, f"tell(lambda: udp().sendto(b'x', ('{v4}', 7)))"), "EPERM", "UDP")
        check_equal(inside(other, f"print(tcp(socket.AF_INET, ('{v4}', 7)).getpeername()[1])"), "7",
                    "the twin")


@test
def the_widest_rule_opens_no_special_range():
    with daemon().client.sandbox(policy="wide") as wide:
        for family, address in [("AF_INET", "169.254.169.254"), ("AF_INET", internet().v4),
                                ("AF_INET", "192.168.1.1"), ("AF_INET", "224.0.0.251"),
                                ("AF_INET", "255.255.255.255"), ("AF_INET6", internet().v6),
                                ("AF_INET6", "::ffff:169.254.169.254"), ("AF_INET6", "ff02::1"),
                                ("AF_INET6", "fd00:ec2::254"), ("AF_INET", "198.18.1.0"),
                                ("AF_INET6", "fd43:6c6f:6368:6500::1:0"),
                                ("AF_INET6", "fd43:6c6f:6368:6500:7564:7000::")]:
            answer = inside(wide, f"s = udp(socket.{family}); s.setsockopt(1, 6, 1)\n"
                            f"tell(lambda: s.sendto(b'x', ('{address}', 123)))")
            check_equal(answer, "EPERM", address)
        internet().seen()
        code = f"s = udp(); s.sendto(b'x', ('{internet().public}', 7)); print('sent')"
        check_equal(inside(wide, code), "sent", "a public address")
        until(internet().seen, "the datagram to arrive")


@test
def a_rule_for_port_53_leaves_it_to_the_resolver():
    internet().seen()
    query = "b'\\x12\\x34\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4none\\7example\\0\\0\\1\\0\\1'"
    code = (f"s = udp(); s.sendto({query}, ('{internet().v4}', 53))\n"
            "got, source = s.recvfrom(600); print(got[:2].hex(), got[3] & 15, source)")
    check_equal(inside(sandbox(), code), f"1234 5 ('{internet().v4}', 53)", "REFUSED by the resolver")
    check_equal(internet().seen(), [], "seen")


@test
def datagrams_of_every_size_arrive_whole():
    for family, address, _, _ in forms():
        code = (f"s = udp(socket.{family})\n"
                "for n in (1, 1472, 1500, 9000, 65000):\n"
                f"  print(ask(s, ('{address}', 7), os.urandom(n)))")
        check_equal(inside(sandbox(), code).splitlines(), ["(True, True)"] * 5, address)


@test
def nobody_inside_can_address_or_stand_in_for_the_relay():
    code = (f"s = udp(); s.connect(('{internet().v4}', 7)); s.send(b'x'); s.recv(10)\n"
            "rows = [l.split() for l in open('/proc/net/udp6').readlines()[1:]]\n"
            "ports = {int(r[1].split(':')[1], 16) for r in rows}\n"
            "for port in ports:\n"
            "  for f, a in ((2, '127.64.0.0'), (2, '127.0.0.1'), (10, '::1'), (10, '::ffff:127.64.0.0'),\n"
            "               (10, 'fd43:6c6f:6368:6500:7564:7000::')):\n"
            "    tell(lambda: udp(f).sendto(b'x', (a, port)))\n"
            "    tell(lambda: udp(f).connect((a, port)))\n"
            "    tell(lambda: udp(f).bind((a, port)))\n")
    lines = inside(sandbox(), code).splitlines()
    check(len(lines) >= 15, f"{lines}")
    check_equal(set(lines), {"EPERM"}, "answers")


@test
def one_sandbox_cannot_hear_anothers_answers():
    code = (f"s = udp(); s.bind(('127.0.0.1', 4567)); print(ask(s, ('{internet().v4}', 7)))")
    check_equal(inside(sandbox(), code), "(True, True)", "one")
    with daemon().client.sandbox(policy="udp") as other:
        check_equal(inside(other, "s = udp(); s.bind(('127.0.0.1', 4567)); print(hears_nothing(s))"),
                    "None", "other")


# ---- budgets

@test
def bytes_out_are_a_bound():
    with daemon().client.sandbox(policy="udp-bytes") as poor:
        internet().seen()
        code = (f"s = udp(); n = 0\n"
                "for i in range(100):\n"
                f"  try: s.sendto(b'x' * 100, ('{internet().v4}', 7)); n += 1\n"
                "  except OSError as e: last = errno.errorcode[e.errno]\n"
                "print(n, last)")
        check_equal(inside(poor, code), "32 EPERM", "datagrams of 128 bytes in 4096")
        until(lambda: len(internet().seen()) or True, "seen")
        usage = poor.usage()
        check_equal(usage["bytes_sent"], 32 * 128, "bytes_sent")
        row = daemon().client.wait_event(lambda row: row["verdict"] == "deny", sandbox=poor.id,
                                         type="network.send")
        check_equal((row["reason"], row["budgets"], row["rule"]), ("budget", ["bytes_out"], 0), f"{row}")


@test
def bytes_in_are_a_bound():
    with daemon().client.sandbox(policy="udp-bytes-in") as poor:
        code = (f"s = udp(); s.connect(('{internet().v4}', 7)); n = 0\n"
                "for i in range(5):\n"
                "  s.send(b'x' * 1000); s.settimeout(1)\n"
                "  try: s.recv(2000); n += 1\n"
                "  except OSError: pass\n"
                "print(n)")
        check_equal(inside(poor, code), "3", "datagrams of 1028 bytes in 4096")
        rows = records(poor, 0, "network.packet")
        check_equal([(row["reason"], row["budgets"], row["protocol"], row["port"]) for row in rows],
                    [("budget", ["bytes_in"], "udp", 7)], "records")


@test
def connections_are_destinations_and_connects():
    with daemon().client.sandbox(policy="udp-connections") as poor:
        v4 = internet().v4
        code = (f"s = udp()\n"
                f"for port in (8000, 8001, 8000, 8001, 8000): print(ask(s, ('{v4}', port)))\n"
                f"tell(lambda: udp().connect(('{v4}', 8000)))\n"
                f"tell(lambda: udp().connect(('{v4}', 8000)))\n"
                f"tell(lambda: s.sendto(b'x', ('{v4}', 8002)))\n"
                f"print(ask(s, ('{v4}', 8000)))")
        check_equal(inside(poor, code).splitlines(),
                    ["(True, True)"] * 5 + ["ok None", "EPERM", "EPERM", "(True, True)"], "answers")


# ---- another policy

def held(where, code):
    """Runs `code` in the sandbox: it prints and waits at next(), and goes on when told."""
    return where.try_exec(["python3", "-c", UDP + (
        "import time\n"
        "def meet(n):\n"
        "  open('/tmp/at%d' % n, 'w')\n"
        "  while not os.path.exists('/tmp/go%d' % n): time.sleep(0.01)\n") + code], detach=True) \
        .expect(202).json


def meet(where, number):
    until(lambda: where.exec(["test", "-e", f"/tmp/at{number}"])["exit_code"] == 0, f"point {number}")


def go(where, number):
    where.sh(f"touch /tmp/go{number}")


@test
def a_swap_cuts_what_the_new_policy_refuses_and_nothing_else():
    v4 = internet().v4
    with daemon().client.sandbox(policy="udp") as swapped:
        held(swapped, f"a = udp(); a.connect(('{v4}', 8001)); b = udp(); b.connect(('{v4}', 7)); c = udp()\n"
             "a.send(b'x'); a.recv(9); b.send(b'x'); b.recv(9)\n"
             f"ask(c, ('{v4}', 8002)); ask(c, ('{v4}', 7)); meet(1)\n"
             "sys.stdout = open('/tmp/told', 'w')\n"
             "for i in range(3): tell(lambda: a.send(b'x'))\n"
             f"for i in range(2): tell(lambda: c.sendto(b'x', ('{v4}', 8002)))\n"
             f"b.send(b'y'); print(b.recv(9)); print(ask(c, ('{v4}', 7)))\n"
             "sys.stdout.close(); meet(2)\n"
             "sys.stdout = open('/tmp/told2', 'w')\n"
             "a.send(b'z'); print(a.recv(9)); sys.stdout.close(); meet(3)\n")
        meet(swapped, 1)
        internet().seen()
        after = daemon().client.last_sequence()
        path = f"/v1/sandboxes/{swapped.id}"
        daemon().client.request("PATCH", path, {"policy": "udp-7"}).expect(200)
        ended = daemon().client.events(sandbox=swapped.id, type="network.flow", after=after)
        check_equal(sorted((row["port"], row["end"]) for row in ended),
                    [(8001, "policy_changed"), (8002, "policy_changed")], "flows that ended")
        go(swapped, 1)
        meet(swapped, 2)
        check_equal(swapped.sh("cat /tmp/told").splitlines(),
                    ["EPERM"] * 5 + ["b'y'", "(True, True)"], "after the swap")
        check_equal({row["port"] for row in internet().seen()}, {7}, "seen")
        rows = records(swapped, after, "network.packet")
        check_equal([(row["verdict"], row["reason"], row["port"], row["protocol"]) for row in rows],
                    [("deny", "default", 8001, "udp")], "the connected one is recorded once")
        daemon().client.request("PATCH", path, {"policy": "udp"}).expect(200)
        go(swapped, 2)
        meet(swapped, 3)
        check_equal(swapped.sh("cat /tmp/told2"), "b'z'\n", "when it is allowed again")
        go(swapped, 3)


@test
def a_swap_brings_datagrams_to_a_sandbox_that_had_none():
    with daemon().client.sandbox(policy="tcp") as late:
        code = f"tell(lambda: ask(udp(), ('{internet().v4}', 7)))"
        check_equal(inside(late, code), "EPERM", "before")
        daemon().client.request("PATCH", f"/v1/sandboxes/{late.id}", {"policy": "udp"}).expect(200)
        check_equal(inside(late, code), "ok (True, True)", "after")


# ---- limits and failures

@test
def flows_of_one_sandbox_are_bounded():
    with daemon().client.sandbox(policy="udp") as many:
        after = daemon().client.last_sequence()
        code = (f"rows = [udp() for i in range(300)]; n = 0\n"
                "import select\n"
                f"for s in rows: s.sendto(b'x', ('{internet().v4}', 7)); select.select([s], [], [], 0.02)\n"
                "for s in rows:\n"
                "  s.settimeout(0)\n"
                "  try: s.recv(9); n += 1\n"
                "  except OSError: pass\n"
                "print(n)")
        check_equal(inside(many, code), "256", "answered")
        flow = daemon().client.wait_event(lambda r: r["end"] == "limit", sandbox=many.id,
                                          type="network.flow", after=after)
        check_equal((flow["port"], flow["protocol"]), (7, "udp"), "flow")
    check_in("(True, True)", inside(sandbox(), f"print(ask(udp(), ('{internet().v4}', 7)))"), "others")


@test
def a_destination_that_refuses_holds_nobody_up():
    code = (f"s = udp()\nfor i in range(5): s.sendto(b'x', ('{internet().v4}', {MUTE}))\n"
            f"print(ask(s, ('{internet().v4}', 7)))")
    check_equal(inside(sandbox(), code), "(True, True)", "another destination")


@test
def the_gates_successor_goes_on_with_the_same_socket():
    v4 = internet().v4
    with daemon().client.sandbox(policy="udp") as kept:
        held(kept, f"s = udp(); s.connect(('{v4}', 7)); s.send(b'x'); s.recv(9); meet(1)\n"
             "sys.stdout = open('/tmp/told', 'w')\n"
             "s.settimeout(0.5)\n"
             "for i in range(60):\n"
             "  s.send(b'y')\n"
             "  try: print(s.recv(9)); break\n"
             "  except TimeoutError: pass\n"
             "sys.stdout.close(); meet(2)\n")
        meet(kept, 1)
        os.kill(child_named(daemon().process.pid, "cloche-gate"), signal.SIGKILL)
        go(kept, 1)
        meet(kept, 2)
        check_equal(kept.sh("cat /tmp/told"), "b'y'\n", "after the gate's death")
        go(kept, 2)


@test
def a_restart_of_the_daemon_keeps_the_rules():
    with running(policies=policies(), pool="python=1") as second:
        kept = second.client.create(policy="udp")
        code = f"tell(lambda: ask(udp(), ('{internet().v4}', 7)))"
        check_equal(inside(kept, code), "ok (True, True)", "before")
        second.kill()
        second.start()
        check_equal(inside(kept, code), "ok (True, True)", "after")
        check_equal(inside(kept, code.replace(", 7)", f", {CLOSED})")), "EPERM", "the twin")


if __name__ == "__main__":
    main()
