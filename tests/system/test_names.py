#!/usr/bin/python3
"""Names: unmodified programs reach exactly the names that their policy allows, and are told why not.

Each program is tried with a name that is allowed and with one that is not; what it says, what the DNS
server and the sites were asked, and what the audit log says are checked."""

import json

from cloche_harness import check, check_equal, check_in, fixture, main, test, until
from named_internet import (BOTH, FRONT4, FRONT6, NAMES, OTHERS, NamedDaemon, NamedInternet, inside,
                            inside_json)
from named_internet_server import STUB

SYNTHETIC4, SYNTHETIC6 = "198.18.1.", "fd43:6c6f:6368:6500:"


@fixture
def internet():
    made = NamedInternet()
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [NAMES, OTHERS, BOTH])
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().create(policy="names")
    yield made
    made.delete().expect(204)


def events(kind, after, where=None):
    return daemon().client.events(sandbox=(where or sandbox()).id, type=kind, after=after)


def last_sequence():
    return daemon().client.last_sequence()


def flow_since(after, name):
    """The next end of a connection to `name`."""
    return daemon().client.wait_event(lambda row: row.get("name") == name, sandbox=sandbox().id,
                                      type="network.flow", after=after)


def site(text):
    """The site's own account of a request, out of a client's output."""
    return json.loads(text.strip().splitlines()[-1])


# ---- unmodified programs

@test
def curl_reaches_an_allowed_site_and_is_refused_another():
    done = sandbox().exec(command="curl -sS -m 20 https://allowed.example/a", timeout_seconds=30)
    check_equal(done["exit_code"], 0, f"curl {done}")
    check_equal(site(done["stdout"])["tls"], "allowed.example", "site")
    internet().seen()
    done = sandbox().exec(command="curl -sS -m 20 https://other.example/a", timeout_seconds=30)
    check_equal(done["exit_code"], 6, f"curl: could not resolve host, {done}")
    check_equal(internet().seen(), [], "what reached the internet")


@test
def curl_speaks_http2_inside_tls_and_plain_http():
    text = sandbox().sh("curl -sS -m 20 --http2 https://allowed.example/", timeout_seconds=30)
    check_equal(site(text)["tls"], "allowed.example", "site")
    text = sandbox().sh("curl -sS -m 20 http://plain.example/x http://plain.example/y", timeout_seconds=30)
    check_equal([json.loads(line)["line"] for line in text.splitlines()],
                ["GET /x HTTP/1.1", "GET /y HTTP/1.1"], "two requests on one connection")
    text = sandbox().sh("head -c 300000 /dev/zero | curl -sS -m 20 --data-binary @- http://plain.example/",
                        timeout_seconds=30)
    check_equal(site(text)["body_size"], 300000, "size of what was posted")


@test
def usage_tells_what_went_to_which_name():
    client = daemon().client
    with client.sandbox(policy="names") as own:
        own.sh("curl -sS -m 20 https://allowed.example/; curl -sS -m 20 http://plain.example/x http://plain.example/y",
               timeout_seconds=30)
        own.exec(command="curl -sS -m 20 https://other.example/", timeout_seconds=30)

        def told():
            rows = client.get(f"{own.path}/usage?group_by=destination").expect(200).json["destinations"]
            return {row["name"]: row for row in rows}
        until(lambda: set(told()) == {"allowed.example", "plain.example"}, "both names, and no other")
        rows = until(lambda: told()["plain.example"]["bytes_received"] > 100 and told(), "what came back")
        check_equal((rows["allowed.example"]["connections"], rows["plain.example"]["connections"]), (1, 1), "connections")
        check(rows["allowed.example"]["bytes_sent"] > 200, f"{rows}")


@test
def python_urllib_reaches_an_allowed_site_only():
    code = ("import urllib.request, urllib.error\n"
            "def get(url): return urllib.request.urlopen(url, timeout=20).read().decode()\n"
            "print(get('https://allowed.example/'), get('http://plain.example/'))\n"
            "try: get('https://other.example/')\n"
            "except urllib.error.URLError as failure: print(failure.reason.errno)")
    lines = [line for line in inside(sandbox(), code).splitlines() if line.strip()]
    check_equal([site(line)["host"] for line in lines[:2]], ["allowed.example", "plain.example"], "hosts")
    check_in(lines[2], ("-2", "-3", "-5"), "getaddrinfo's error")


@test
def node_fetch_reaches_an_allowed_site_only():
    code = ("const get = async u => (await fetch(u)).text();"
            "get('https://allowed.example/').then(t => { console.log(t);"
            " return get('https://other.example/') })"
            ".catch(e => console.log(e.cause.code, e.cause.syscall))")
    done = sandbox().exec(["node", "-e", code], timeout_seconds=60)
    lines = [line for line in done["stdout"].splitlines() if line.strip()]
    check_equal(len(lines), 2, f"lines of {done}")
    check_equal(site(lines[0])["tls"], "allowed.example", "site")
    check_in("getaddrinfo", lines[1], "the refusal")


@test
def git_clones_over_https():
    text = sandbox().sh("cd /tmp && rm -rf r && git clone -q https://allowed.example/repo.git r"
                        " && cat r/README", timeout_seconds=60)
    check_equal(text, "cloned through the gate\n", "what was cloned")
    done = sandbox().exec(command="git clone -q https://other.example/repo.git /tmp/r2", timeout_seconds=60)
    check_equal(done["exit_code"], 128, f"git {done}")
    check_in("Could not resolve host: other.example", done["stderr"], "git")


@test
def openssl_s_client_sees_the_sites_own_certificate():
    ask = "openssl s_client -brief -verify_return_error -CAfile $SSL_CERT_FILE -connect allowed.example:443"
    done = sandbox().exec(command=f"{ask} -servername allowed.example </dev/null", timeout_seconds=30)
    check_equal(done["exit_code"], 0, f"s_client {done}")
    check_in("CN = allowed.example", done["stderr"] + done["stdout"], "certificate")
    done = sandbox().exec(command=f"{ask} -servername other.example </dev/null", timeout_seconds=30)
    check_equal(done["exit_code"], 1, f"s_client {done}")
    check_in("unrecognized name", done["stderr"], "alert")


@test
def wget_and_nc_work_too():
    check_equal(site(sandbox().sh("wget -qO- http://plain.example/w", timeout_seconds=30))["line"],
                "GET /w HTTP/1.1", "wget")
    text = sandbox().sh("printf 'GET / HTTP/1.0\\r\\nHost: plain.example\\r\\n\\r\\n'"
                        " | nc -w 20 plain.example 80", timeout_seconds=30)
    check_equal(site(text)["host"], "plain.example", "nc")


@test
def getent_shows_the_synthetic_addresses():
    text = sandbox().sh("getent ahostsv4 allowed.example; getent ahostsv6 allowed.example")
    addresses = sorted({line.split()[0] for line in text.splitlines()})
    check_equal(len(addresses), 2, f"addresses {addresses}")
    check(addresses[0].startswith(SYNTHETIC4) and addresses[1].startswith(SYNTHETIC6), f"{addresses}")
    check_equal(sandbox().exec(["getent", "hosts", "other.example"])["exit_code"], 2, "getent")


ORDER = """
def get(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.settimeout(20)
        made.connect(address)
        made.sendall(b"GET / HTTP/1.0\\r\\nHost: %(name)s\\r\\n\\r\\n")
        return json.loads(read_all(made).splitlines()[-1])["host"]
def both(): return socket.getaddrinfo("%(name)s", 80, type=socket.SOCK_STREAM)
rows = both()
say([[row[0].name, row[4][0]] for row in rows])
say(all(both() == rows for _ in range(20)))
say([get(row[0], row[4]) for row in rows])
say([get(family, (ask("%(name)s", kind)["answers"][0], 80))
     for family, kind in ((socket.AF_INET, "A"), (socket.AF_INET6, "AAAA"))])
"""


@test
def answers_for_both_families_come_in_one_order_and_each_connects():
    """glibc sorts them by what it learns from connecting a datagram socket to each; other libraries, which do not,
    take what the resolver answers."""
    for name in ("plain.example", "v4only.example", "v6only.example"):  # the family outside tells nothing inside
        first, second = ([json.loads(line) for line in inside(sandbox(), ORDER % {"name": name}).splitlines()]
                         for _ in range(2))
        check_equal(second, first, f"{name}: the same in another process")
        rows, stable, sorted_hosts, asked_hosts = first
        check_equal([family for family, _ in rows], ["AF_INET6", "AF_INET"], f"{name}: families")
        check(rows[0][1].startswith(SYNTHETIC6) and rows[1][1].startswith(SYNTHETIC4), f"{rows}")
        check(stable, f"{name}: the same order each time")
        check_equal((sorted_hosts, asked_hosts), ([name] * 2, [name] * 2), "the site behind each")


# ---- the resolver

@test
def the_resolver_answers_over_udp_and_tcp_at_any_address():
    code = ("rows = [ask('allowed.example', kind, server=server, tcp=tcp) for kind in ('A', 'AAAA')\n"
            "        for server in ('192.0.2.1', '127.0.0.53', '127.0.0.1', '::1', '2001:db8::5')\n"
            "        for tcp in (False, True)]\nsay(rows)\n"
            "say([ask('allowed.example', connected=True)])")
    rows, connected = [json.loads(line) for line in inside(sandbox(), code).splitlines()]
    check_equal(len(rows), 20, "answers")
    check_equal({row["rcode"] for row in rows + connected}, {"NOERROR"}, "rcodes")
    v4, v6 = {row["answers"][0] for row in rows[:10]}, {row["answers"][0] for row in rows[10:]}
    check(len(v4) == 1 and v4.pop().startswith(SYNTHETIC4), "one address")
    check(len(v6) == 1 and v6.pop().startswith(SYNTHETIC6), "one address over IPv6")
    check(all(0 < ttl <= 60 for row in rows for ttl in row["ttls"]), "short TTLs")
    check_equal({tuple(row["peer"]) for row in rows if "peer" in row},
                {(server, 53) for server in ("192.0.2.1", "127.0.0.53", "127.0.0.1", "::1", "2001:db8::5")},
                "addresses that the answers come from")


@test
def a_refused_name_says_which_policy_refused_and_how_to_ask():
    for tcp in (False, True):
        after = last_sequence()
        row = inside_json(sandbox(), f"say(ask('other.example', tcp={tcp}))")
        check_equal((row["rcode"], row["answers"]), ("REFUSED", []), "answer")
        check(row["ede"], f"no extended error: {row}")
        check_in(row["ede"][0], (15, 18), "code of the extended error")
        check_in('policy "names"', row["ede"][1], "text")
        check_in('{"name": "other.example"}', row["ede"][1], "text")
        found = events("network.dns", after)
        check_equal(len(found), 1, f"records {found}")
        record = found[0]
        expected = {"name": "other.example", "qtype": 1, "rcode": 5, "verdict": "deny", "tcp": tcp,
                    "extended_error": row["ede"][0], "tenant": "admin"}
        for key, value in expected.items():
            check_equal(record.get(key), value, f"{key} of {record}")
        check_equal(record["policy"]["name"], "names", "policy of the record")


@test
def an_allowed_query_is_recorded():
    after = last_sequence()
    inside_json(sandbox(), "say(ask('alias.example', 'AAAA'))")
    record = daemon().client.wait_event(lambda row: True, sandbox=sandbox().id, type="network.dns",
                                        after=after)
    check_equal((record["name"], record["qtype"], record["rcode"], record["verdict"]),
                ("alias.example", 28, 0, "allow"), f"record {record}")


@test
def names_are_compared_without_case_and_trailing_dot():
    row = inside_json(sandbox(), "say([ask(n)['rcode'] for n in ('ALLOWED.Example', 'allowed.example.')])")
    check_equal(row, ["NOERROR", "NOERROR"], "rcodes")
    text = sandbox().sh("curl -sS -m 20 https://ALLOWED.example/ https://allowed.example./",
                        timeout_seconds=30)
    check_equal([json.loads(line)["tls"] for line in text.splitlines()], ["allowed.example"] * 2, "sites")


@test
def a_wildcard_covers_one_or_more_labels_and_not_the_name_itself():
    names = ["a.cdn.example", "b.a.cdn.example", "cdn.example", "xcdn.example", "acdn.example.other"]
    row = inside_json(sandbox(), f"say([ask(n)['rcode'] for n in {names}])")
    check_equal(row, ["NOERROR", "NOERROR", "REFUSED", "REFUSED", "REFUSED"], "rcodes")
    text = sandbox().sh("curl -sS -m 20 https://a.cdn.example/", timeout_seconds=30)
    check_equal(site(text)["tls"], "a.cdn.example", "site")


@test
def other_types_have_no_data_or_are_refused():
    code = "say({t: [r := ask('allowed.example', t)] and [r['rcode'], r['answers']] for t in %s})"
    row = inside_json(sandbox(), code % ["HTTPS", "SVCB", "MX", "SRV", "NS", "SOA", "PTR", "CNAME"])
    for kind, (rcode, answers) in row.items():
        check_in(rcode, ("NOERROR", "REFUSED"), kind)
        check_equal(answers, [], f"answers for {kind}")
    check_equal(row["HTTPS"][0], "NOERROR", "HTTPS has no data, so that clients go on")
    row = inside_json(sandbox(), code % ["TXT", "NULL", "ANY", "AXFR"])
    check_equal(set(answer[0] for answer in row.values()), {"REFUSED"}, f"rcodes {row}")


@test
def a_query_asks_nobody_before_the_connect():
    internet().answer("nowhere.example", {"rcode": 3})
    internet().seen()
    inside(sandbox(), "say([ask(n) for n in ('allowed.example', 'nowhere.example', 'other.example')])")
    check_equal(internet().seen(), [], "what reached the internet")


# ---- what a connection to a name does

@test
def a_flow_tells_the_name_and_what_was_dialled():
    for option in ["-4", "-6"]:
        after = last_sequence()
        internet().seen()
        sandbox().sh(f"curl -sS {option} -m 20 https://allowed.example/", timeout_seconds=30)
        flow = flow_since(after, "allowed.example")
        check_equal((flow["port"], flow["end"], flow["error"]), (443, "closed", 0), f"flow {flow}")
        check_in(flow["dialled"], (FRONT4, FRONT6), "dialled")
        check(flow["bytes_sent"] > 100 and flow["bytes_received"] > 500, f"bytes of {flow}")
        check_equal({row["name"] for row in internet().seen("dns")} - {"allowed.example"}, set(),
                    "other names that were asked for")
        connects = [row for row in events("network.connect", after)
                    if row["verdict"] == "allow" and row["port"] == 443]
        check_equal(len(connects), 1, f"connects {connects}")
        check(connects[0]["address"].startswith((SYNTHETIC4, SYNTHETIC6)), f"{connects[0]}")


@test
def aliases_and_single_families_are_followed():
    text = sandbox().sh("curl -sS -m 20 http://alias.example/", timeout_seconds=30)
    check_equal(site(text)["host"], "alias.example", "site")
    for name, address in [("v4only.example", FRONT4), ("v6only.example", FRONT6)]:
        for option in ["-4", "-6"]:  # the family inside is not the family outside
            text = sandbox().sh(f"curl -sS {option} -m 20 http://{name}/", timeout_seconds=30)
            check_equal(site(text)["address"], address, f"{name} with {option}")


@test
def a_truncated_answer_is_asked_for_again_over_tcp():
    internet().seen()
    sandbox().sh("curl -sS -m 20 http://big.example/", timeout_seconds=30)
    asked = [row["protocol"] for row in internet().seen("dns") if row["type"] == "A"]
    check_in("tcp", asked, "protocols")


@test
def a_name_that_is_not_there_ends_with_a_page_and_a_record():
    internet().answer("nowhere.example", {"rcode": 3})
    after = last_sequence()
    text = inside(sandbox(), "print(exchange('nowhere.example', 80, get_text('nowhere.example')))")
    check_in("502", text.splitlines()[0], "status")
    flow = flow_since(after, "nowhere.example")
    check_equal((flow["end"], flow.get("dialled")), ("not_resolved", None), f"flow {flow}")


@test
def passthrough_carries_any_protocol():
    check_equal(inside(sandbox(), "print(exchange('raw.example', 7, b'\\x00\\xffany'))"), "\x00\xffany",
                "echo")


@test
def a_private_service_needs_its_flag():
    check_equal(site(sandbox().sh("curl -sS -m 20 http://inner.example/", timeout_seconds=30))["host"],
                "inner.example", "the flagged name")
    internet().answer("rebind.example", {"A": ["10.9.9.9"], "AAAA": ["fd00:9::9"]})
    after = last_sequence()
    internet().seen()
    check_in(" 403 ", inside(sandbox(), "print(exchange('rebind.example', 80, get_text('rebind.example')))"),
             "answer")
    check_equal(flow_since(after, "rebind.example")["end"], "special_address", "end")
    check_equal(internet().seen("tcp", "http"), [], "what was dialled")


@test
def ports_without_a_rule_are_refused_by_the_kernel():
    answers = inside_json(sandbox(), "say([attempt(lambda: dial(address_of('allowed.example', k), p) and 0)"
                          " for k in ('A', 'AAAA') for p in (22, 8080, 7)])")
    check_equal(answers, ["EPERM"] * 6, "errnos")


@test
def tls_only_names_refuse_http():
    text = inside(sandbox(), "print(exchange('strict.example', 80, get_text('strict.example')))")
    check_in(" 403 ", text.splitlines()[0], "status")
    check_equal(site(sandbox().sh("curl -sS -m 20 https://strict.example/", timeout_seconds=30))["tls"],
                "strict.example", "the twin")


@test
def the_refusal_page_says_which_policy_and_how_to_ask():
    page = inside(sandbox(), "print(exchange('allowed.example', 80, get_text('other.example')))")
    check_in("HTTP/1.1 403 ", page, "status line")
    for part in ["names", "other.example", "allowed.example"]:
        check_in(part, page.partition("\r\n\r\n")[2] or page.partition("\n\n")[2], "page")


@test
def a_stub_resolver_on_the_hosts_loopback_is_asked_and_nothing_else_there():
    host = internet().host
    for name, how in [("plain.example", {}), ("big.example", {"truncate": True})]:
        host.ask(op="answer", name=name, answers={"": [{"A": [FRONT4]}]}, how=how)
    host.ask(op="answer", name="rebind.example", answers={"": [{"A": [STUB]}]}, how={})
    own = NamedDaemon(internet(), [NAMES], resolver=STUB)
    try:
        own.start()
        stubbed = own.create(policy="names")
        for name in ["plain.example", "big.example"]:
            text = stubbed.sh(f"curl -sS -m 20 http://{name}/", timeout_seconds=30)
            check_equal(site(text)["host"], name, "site")
        check_in(" 403 ", inside(stubbed, "print(exchange('rebind.example', 80, get_text('rebind.example')))"),
                 "a name that points to the stub itself")
        rows = internet().host_seen()
        check_in("tcp", [row["protocol"] for row in rows if row["kind"] == "dns"], "protocols")
        check_equal([row for row in rows if row["kind"] == "http" or row.get("port", 53) != 53], [],
                    "what else reached the loopback")
        stubbed.delete().expect(204)
    finally:
        own.close()


@test
def too_many_names_are_refused_clearly():
    with daemon().client.sandbox(policy="names") as greedy:
        code = ("def patient(name):  # queries in one second are limited too\n"
                "  while True:\n"
                "    row = attempt(lambda: ask(name, timeout_s=0.2))\n"
                "    if isinstance(row, dict) and 'too many queries' not in str(row['ede']): return row\n"
                "for i in range(1100):\n"
                "  last = patient(f'n{i}.cdn.example')\n  if last['rcode'] != 'NOERROR': break\n"
                "say([i, last, patient('n0.cdn.example')['rcode']])")
        count, last, known = inside_json(greedy, code)
        check_equal((last["rcode"], count), ("REFUSED", 1024), f"answer {last}")
        check(last["ede"] and len(last["ede"][1]) > 10, f"no text: {last}")
        check_equal(known, "NOERROR", "a name that has a ticket")


@test
def a_policy_without_names_has_no_resolver():
    with daemon().client.sandbox() as closed:
        check_equal(inside_json(closed, "tell(lambda: ask('allowed.example'))"), "EPERM", "query")


# ---- datagrams

PROBE = """
import errno, socket
found = socket.getaddrinfo(%r, 443, 0, socket.SOCK_STREAM)
print(len(found))
for family, _, _, _, address in found:
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.connect(address)
    print(s.getpeername()[:2] == address[:2])
    if %r:
        try: s.send(b"initial"); print("sent")
        except OSError as e: print(errno.errorcode[e.errno])
"""


@test
def looking_a_name_up_denies_nothing_and_a_datagram_to_it_is_denied_by_name():
    name, after = "allowed.example", last_sequence()
    check_equal(inside(sandbox(), PROBE % (name, False)).split(), ["2", "True", "True"], "connected")
    check_equal(inside(sandbox(), PROBE % (name, True)).split(), ["2", "True", "EPERM", "True", "EPERM"], "sent")
    until(lambda: len(events("network.send", after)) == 2, "both datagrams in the log")
    rows = [row for row in events("network", after) if row["type"] not in ("network.dns", "network.socket")]
    check_equal([(row["type"], row["verdict"], row["reason"], row["protocol"], row["port"], row.get("name"))
                 for row in rows], [("network.send", "deny", "default", "udp", 443, name)] * 2, "records")
    check_equal({row["family"] for row in rows}, {"ipv4", "ipv6"}, "both")


if __name__ == "__main__":
    main()
