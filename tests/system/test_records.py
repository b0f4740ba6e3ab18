#!/usr/bin/python3
"""MX, SRV and TXT records: told where a rule names them and nowhere else, asked of the host's resolvers
only then, rebuilt and bounded, in the audit log."""

from cloche_harness import check, check_equal, check_in, fixture, main, test
from named_internet import FRONT4, NamedDaemon, NamedInternet, inside_json, policy

SRV = "_ldap._tcp.told.example"
TOLD = policy("told", {"name": "told.example", "records": ["MX", "TXT"]}, {"name": SRV, "records": ["SRV"]},
              {"name": "many.example", "records": ["TXT"]}, {"name": "alias.example", "records": ["TXT"]},
              {"name": "absent.example", "records": ["TXT"]}, {"name": "gone.example", "records": ["TXT"]},
              "plain.example")
LESS = policy("less", {"name": "told.example", "records": ["MX"]}, "plain.example")
NONE = policy("none", "told.example", "plain.example")


@fixture
def internet():
    made = NamedInternet()
    made.answer("told.example", {"A": [FRONT4], "TXT": [["v=spf1 -all", "more"], "two"], "ttl": 60,
                                 "MX": ["10 mail.told.example", "0 ."]})
    made.answer("mail.told.example", {"A": [FRONT4]})
    made.answer(SRV, {"SRV": ["1 2 389 ldap.told.example"], "ttl": 0})
    made.answer("many.example", {"TXT": ["x" * 250] * 20}, truncate=True)
    made.answer("alias.example", {"CNAME": "told.example"})
    made.answer("absent.example", {"A": [FRONT4]})
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [TOLD, LESS, NONE])
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().create(policy="told")
    yield made
    made.delete().expect(204)


def ask(name, kind, where=None, **more):
    """The answer, and what the DNS server was asked meanwhile."""
    internet().seen()
    row = inside_json(where or sandbox(), f"say(ask({name!r}, {kind!r}, **{more!r}))")
    return row, [(seen["name"], seen["type"]) for seen in internet().seen("dns")]


def wire(name):
    return "".join(f"{len(part):02x}{part.encode().hex()}" for part in name.split(".")) + "00"


def texts(*parts):
    return "".join(f"{len(part):02x}{part.encode().hex()}" for part in parts)


@test
def records_of_a_rule_are_told():
    row, asked = ask("Told.Example", "TXT")
    check_equal((row["rcode"], sorted(row["answers"])),
                ("NOERROR", sorted([texts("v=spf1 -all", "more"), texts("two")])), "TXT")
    check_equal((row["ttls"], asked), ([60, 60], [("told.example", "TXT")]), "TTLs, and what was asked")
    row, _ = ask("told.example", "MX")
    check_equal(sorted(row["answers"]), ["000000", "000a" + wire("mail.told.example")], "MX")
    for tcp in (False, True):
        row, _ = ask(SRV, "SRV", tcp=tcp)
        check_equal((row["answers"], row["ttls"]), (["000100020185" + wire("ldap.told.example")], [5]), "SRV")
    row, _ = ask("alias.example", "TXT")
    check_equal((row["rcode"], len(row["answers"])), ("NOERROR", 2), "behind an alias")


@test
def records_without_a_rule_are_refused_and_asked_of_nobody():
    with daemon().client.sandbox(policy="less") as less, daemon().client.sandbox(policy="none") as none:
        for where, name, kind in [(less, "told.example", "TXT"), (less, "told.example", "SRV"),
                                  (none, "told.example", "TXT"), (less, "other.example", "MX"),
                                  (less, "x.told.example", "MX")]:
            row, asked = ask(name, kind, where)
            check_equal((row["rcode"], row["answers"], asked), ("REFUSED", [], []), f"{kind} of {name}")
            check_in(f'{{"name": "{name}", "records": ["{kind}"]}}', row["ede"][1], "text")
        row, _ = ask("told.example", "MX", less)
        check_equal((row["rcode"], len(row["answers"])), ("NOERROR", 2), "the twin")
        row, asked = ask("told.example", "MX", none)
        check_equal((row["rcode"], row["answers"], asked), ("NOERROR", [], []), "of a name with addresses")


@test
def types_that_no_rule_can_name_stay_as_they_were():
    row, asked = ask("told.example", "NULL")
    check_equal((row["rcode"], asked), ("REFUSED", []), "NULL")
    row, asked = ask("plain.example", "HTTPS")
    check_equal((row["rcode"], row["answers"], asked), ("NOERROR", [], []), "HTTPS")


@test
def a_record_opens_no_connection():
    for name in ["told.example", "mail.told.example"]:
        row, asked = ask(name, "A")
        check_equal((row["rcode"], asked), ("REFUSED", []), f"A of {name}")
    answer = inside_json(sandbox(), f"tell(lambda: dial({FRONT4!r}, 25) and 0)")
    check_equal(answer, "EPERM", "the address itself")


@test
def what_is_not_there_is_said_to_be():
    row, _ = ask("absent.example", "TXT")
    check_equal((row["rcode"], row["answers"]), ("NOERROR", []), "no such record")
    row, _ = ask("gone.example", "TXT")
    check_equal(row["rcode"], "NXDOMAIN", "no such name")


@test
def an_answer_that_is_too_large_is_refused():
    row, _ = ask("many.example", "TXT", tcp=True)
    check_equal((row["rcode"], row["answers"]), ("SERVFAIL", []), "answer")
    check_in("larger than a sandbox may have", row["ede"][1], "text")
    internet().answer("many.example", {"TXT": ["x" * 250] * 10}, truncate=True)
    row, _ = ask("many.example", "TXT")
    check_equal((row["truncated"], row["answers"]), (True, []), "over UDP")
    row, _ = ask("many.example", "TXT", tcp=True)
    check_equal((row["rcode"], len(row["answers"])), ("NOERROR", 10), "over TCP")


@test
def what_was_told_is_recorded():
    after = daemon().client.last_sequence()
    ask("told.example", "TXT")
    record = daemon().client.wait_event(lambda row: True, sandbox=sandbox().id, type="network.dns",
                                        after=after)
    check_equal({key: record[key] for key in ("name", "qtype", "rcode", "verdict", "records")},
                {"name": "told.example", "qtype": 16, "rcode": 0, "verdict": "allow", "records": 2}, "record")
    check(20 < record["bytes"] < 40, f"bytes of {record}")


@test
def a_tunnel_is_held_back():
    """What goes out is one of a few words, what comes back has a rate."""
    code = ("rows = [attempt(lambda: ask('told.example', 'TXT', timeout_s=5)) for _ in range(60)]\n"
            "say([row['rcode'] for row in rows if isinstance(row, dict)])")
    with daemon().client.sandbox(policy="told") as greedy:
        internet().seen()
        rcodes = inside_json(greedy, code)
        asked = len(internet().seen("dns"))
        check(20 <= asked < 45, f"{asked} of 60 were asked upstream")
        check_equal(set(rcodes), {"NOERROR", "REFUSED"}, "rcodes")


@test
def another_policy_takes_them_away():
    with daemon().client.sandbox(policy="told") as where:
        row, _ = ask("told.example", "TXT", where)
        check_equal(row["rcode"], "NOERROR", "before")
        where.client.request("PATCH", where.path, {"policy": "less"}).expect(200)
        row, asked = ask("told.example", "TXT", where)
        check_equal((row["rcode"], asked), ("REFUSED", []), "after")
        row, _ = ask("told.example", "MX", where)
        check_equal(len(row["answers"]), 2, "what is left")


@test
def a_tenants_policy_bounds_them():
    tenant = daemon().tenant("bounded", policy="less")
    with tenant.sandbox(policy="told") as where:
        row, asked = ask("told.example", "TXT", where)
        check_equal((row["rcode"], asked), ("REFUSED", []), "TXT")
        row, _ = ask("told.example", "MX", where)
        check_equal(len(row["answers"]), 2, "MX")


if __name__ == "__main__":
    main()
