#!/usr/bin/python3
"""cloche policy check, fmt, explain, diff, test and compile: files alone, without a daemon or root."""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import tempfile

from cloche_harness import BUILD, ROOT, check, check_equal, check_in, fixture, main, test
from policy_command import policy

GOOD = {"version": 1, "name": "good", "network": {"allow": [
    {"name": "pypi.org", "ports": [443], "tls": "require"},
    {"cidr": "203.0.113.0/24", "ports": [80]}]}}


@fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="cloche-policies-") as made:
        os.chmod(made, 0o755)
        yield made


def write(name, value):
    path = f"{folder()}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))
    os.chmod(path, 0o644)
    return path


@test
def help_for_files_has_no_daemon_and_no_key():
    code, out, _ = policy("check", "--help")
    check_equal(code, 0, "exit code")
    check_in("It needs neither the daemon nor a key.", out, "files alone")
    check("--key-file" not in out, "no key")
    check_in("--key-file", policy("apply", "--help")[1], "its twin")


@test
def good_files_are_good_and_bad_ones_are_named():
    path = write("good.json", GOOD)
    check_equal(policy("check", path), (0, "1 policy is good.\n", ""), "a good file")
    bad = write("bad.json", '{"version": 1, "name": "bad",\n "netwrok": {}}')
    code, out, errors = policy("check", path, bad)
    check_equal((code, out), (1, ""), "a bad file beside a good one")
    check_in(f"{bad}:2:2: /netwrok: ", errors, "the place")
    check_in('did you mean "network"?', errors, "the sentence")
    other = write("other.json", GOOD)
    column = json.dumps(GOOD).index('"name"') + 1
    check_in(f"{other}:1:{column}: /name: The policy's name is \"good\", so its file must be \"good.json\".",
             policy("check", other)[2], "another name, and where")
    os.unlink(other)
    os.unlink(bad)


@test
def every_bad_file_of_a_directory_is_named_for_programs_too():
    for name in ["b1", "b2"]:
        write(f"{name}.json", {"version": 1, "name": name, "network": {"allow": [{"cidr": "x"}]}})
    write("notes.test.json", "no policy")
    code, out, _ = policy("check", folder(), "--json")
    found = json.loads(out)
    check_equal(code, 1, "exit code")
    names = [os.path.basename(f["file"]) for f in found["findings"]]
    check_equal(names, ["b1.json", "b2.json"], "files")
    check_equal(found["findings"][0]["pointer"], "/network/allow/0/cidr", "pointer")
    check(found["findings"][0]["line"] == 1 and found["findings"][0]["column"] > 1, "position")
    log = json.loads(policy("check", folder(), "--sarif")[1])
    check_equal(log["version"], "2.1.0", "SARIF")
    result = log["runs"][0]["results"][0]
    region = result["locations"][0]["physicalLocation"]["region"]
    check_equal((result["level"], region["startLine"]), ("error", 1), "a result")
    result = json.loads(policy("check", f"{folder()}/none.json", "--sarif")[1])["runs"][0]["results"][0]
    check("logicalLocations" not in result["locations"][0], "what has no pointer has no logical place")
    for name in ["b1.json", "b2.json", "notes.test.json"]:
        os.unlink(f"{folder()}/{name}")


@test
def a_finding_in_a_file_of_any_name_is_named_whole():
    deep = f"{folder()}/{'d' * 120}/with space"
    os.makedirs(deep)
    for part in [os.path.dirname(deep), deep]:
        os.chmod(part, 0o755)
    path = write(f"{'d' * 120}/with space/ü.json", '{"version": 1, "name": "bad", "netwrok": {}}')
    check_equal(json.loads(policy("check", path, "--json")[1])["findings"][0]["file"], path, "JSON")
    place = json.loads(policy("check", path, "--sarif")[1])["runs"][0]["results"][0]["locations"][0]
    uri = place["physicalLocation"]["artifactLocation"]["uri"]
    check_equal(uri, path.replace(" ", "%20").replace("ü", "%C3%BC"), "a reference, as SARIF has them")
    shutil.rmtree(os.path.dirname(deep))


@test
def what_a_directory_or_a_base_leads_out_to_is_not_read():
    with tempfile.TemporaryDirectory(prefix="cloche-policies-") as made:
        os.chmod(made, 0o777)
        heir = {"version": 1, "name": "heir", "extends": "base"}
        text = json.dumps({"b": 1, "version": 1, "name": "base"})
        for name, content in [("heir.json", json.dumps(heir)), (".kept", text)]:
            with open(f"{made}/{name}", "w", encoding="utf-8") as file:
                file.write(content)
        base = f"{made}/base.json"
        for make, sentence in [(lambda: os.symlink("/etc/passwd", base), "leads out of the directory"),
                               (lambda: os.symlink("../../../../etc/passwd", base), "leads out of the directory"),
                               (lambda: os.mkfifo(base, 0o666), "This is not a plain file.")]:
            make()
            for words in [("check", f"{made}/heir.json"), ("check", made), ("fmt", made)]:
                code, _, errors = policy(*words)
                check_equal(code, 1, words)
                check_in(f"{base}: ", errors, "the place")
                check_in(sentence, errors, "why")
            os.unlink(base)
        for make in [lambda: os.symlink("/etc/passwd", f"{made}/heir.test.json"),
                     lambda: os.mkfifo(f"{made}/heir.test.json", 0o666)]:
            make()
            code, _, errors = policy("test", f"{made}/heir.json")
            check_equal(code, 2, "cases")
            check_in(f"{made}/heir.test.json: This is ", errors, "why")
            check("passwd" not in errors and "JSON" not in errors, errors)
            os.unlink(f"{made}/heir.test.json")
        os.symlink(".kept", base)
        check_in('base.json:1:2: /b: There is no key "b"', policy("check", f"{made}/heir.json")[2],
                 "a link that stays inside")


@test
def a_directory_without_policies_is_no_good_one():
    os.mkdir(f"{folder()}/empty", 0o755)
    code, out, errors = policy("check", f"{folder()}/empty")
    check_equal((code, out), (1, ""), "an empty one")
    check_in(f"{folder()}/empty: There is no policy in this directory.", errors, "why")
    os.rmdir(f"{folder()}/empty")


@test
def fmt_writes_the_one_form_once():
    path = write("good.json", '{"network":{"allow":[{"ports":[443,80],"name":"a.org",'
                              '"description":"ä"}]},"name":"good","version":1}')
    os.chmod(folder(), 0o777)
    os.chown(path, 65534, 65534)
    check_equal(policy("fmt", "--check", path)[:2], (1, f"{path}\n"), "before")
    check_equal(policy("fmt", path)[:2], (0, f"{path}\n"), "first")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check_equal(text, '{\n\t"version": 1,\n\t"name": "good",\n\t"network": {\n\t\t"allow": [\n'
                      '\t\t\t{\n\t\t\t\t"name": "a.org",\n\t\t\t\t"ports": [443, 80],\n'
                      '\t\t\t\t"description": "ä"\n\t\t\t}\n\t\t]\n\t}\n}\n', "the form")
    check_equal(policy("fmt", path), (0, "", ""), "again")
    odd = write("\x1b[31mred.json", "{}")
    check_equal(policy("fmt", "--check", odd)[1], odd.replace("\x1b", "\\x1b") + "\n", "a name for a terminal")
    os.unlink(odd)
    check_equal(policy("fmt", "-", stdin='{"b": [], "a": {}}')[1], '{\n\t"b": [],\n\t"a": {}\n}\n',
                "standard input")
    code, _, errors = policy("fmt", "-", stdin='{"a": 1, "a": 2}')
    check_equal(code, 1, "duplicate keys")
    check_in("-:1:", errors, "the place")


@test
def explain_judges_acts():
    path = write("good.json", GOOD)
    code, out, _ = policy("explain", path)
    check_equal(code, 0, "exit code")
    check_in("0. pypi.org, port 443: TLS that asks for the name", out, "a name")
    check_in("1. 203.0.113.0/24 tcp, port 80", out, "a network")
    check_equal(policy("explain", path, "--would", "connect pypi.org:443")[0], 0, "allowed")
    code, out, _ = policy("explain", path, "--json", "--would", "connect pypi.org:443",
                          "--would", "connect 198.51.100.1:80", "--would", "resolve evil.org")
    rows = json.loads(out)
    check_equal(code, 1, "one is denied")
    check_equal([(r["verdict"], r["layer"], r.get("rule")) for r in rows],
                [("allow", "kernel", 0), ("deny", "kernel", None), ("deny", "resolver", None)], "rows")
    rules = [{"name": "pypi.org", "description": "packages"}, {"cidr": "203.0.113.0/24"}]
    out = policy("explain", write("told.json", {"version": 1, "name": "told", "network": {"allow": rules},
                                                "budgets": {"bytes_out": "256MiB", "connections": 9}}))[1]
    for part in ["at public addresses. (packages)\n", "  1. 203.0.113.0/24 tcp, all ports.\n",
                 "  256MiB bytes out\n  9 connections\n", "at most 512MiB of memory, 256MiB of disk, 1 CPU"]:
        check_in(part, out, "as the file has it")
    code, _, errors = policy("explain", path, "--would", "fly to mars")
    check_equal(code, 2, "no act")
    check_in("An act begins with connect", errors, "the sentence")


@test
def diff_says_what_a_change_allows_and_denies():
    before = write("good.json", GOOD)
    changed = json.loads(json.dumps(GOOD))
    changed["network"]["allow"][1]["ports"] = [80, 8080]
    del changed["network"]["allow"][0]
    after = write("after.json", changed)
    check_equal(policy("diff", before, before), (0, "Both allow the same.\n", ""), "no change")
    code, out, _ = policy("diff", before, after)
    check_equal((code, out.splitlines()),
                (1, ["+ network   203.0.113.0/24 tcp 8080", "- network   pypi.org for TLS on 443"]),
                "a change")
    rows = json.loads(policy("diff", "--json", before, after)[1])
    check_equal(rows[0], {"change": "allows", "section": "network", "what": "203.0.113.0/24 tcp 8080"},
                "for programs")
    check_equal(policy("diff", before, f"{folder()}/none.json")[0], 2, "no such file")
    os.unlink(after)


CASES = {"version": 1, "policy": "good", "cases": [
    {"act": "connect pypi.org:443", "verdict": "allow", "rule": 0, "tls": "require", "private": False},
    {"act": "connect pypi.org:80", "verdict": "deny"},
    {"act": "resolve a.pypi.org", "verdict": "deny"},
    {"act": "connect 203.0.113.9:80", "verdict": "allow", "rule": 1},
    {"act": "connect 203.0.113.9:443", "verdict": "deny"},
    {"act": "connect [2001:db8::1]:80", "verdict": "deny"},
    {"act": "inbound 8000", "verdict": "deny"},
    {"act": "connect 198.51.100.1:80", "verdict": "deny"}]}


@test
def cases_are_held_against_a_policy():
    path = write("good.json", GOOD)
    cases = write("good.test.json", CASES)
    check_equal(policy("test", path), (0, "good: 8 of 8 cases as written\n", ""), "as written")
    wrong = dict(CASES, cases=[dict(CASES["cases"][0], verdict="deny"), *CASES["cases"][1:]])
    write("wrong.json", wrong)
    code, out, _ = policy("test", path, f"{folder()}/wrong.json")
    check_equal(code, 1, "a wrong verdict")
    check_in("not as written: connect pypi.org:443", out, "which")
    check_in("good: 7 of 8 cases as written", out, "the count")
    write("wrong.json", dict(CASES, cases=[dict(CASES["cases"][0], rule=1)]))
    check_equal(policy("test", path, f"{folder()}/wrong.json")[0], 1, "another rule")
    write("wrong.json", dict(CASES, cases=[{"act": "conect a.org:1", "verdict": "deny"}]))
    code, _, errors = policy("test", path, f"{folder()}/wrong.json")
    check_equal(code, 2, "a case that makes no sense")
    check_in("wrong.json: /cases/0: An act begins with", errors, "the place")
    write("wrong.json", dict(CASES, policy="other"))
    check_in('The cases are for "other"', policy("test", path, f"{folder()}/wrong.json")[2], "others")
    os.unlink(f"{folder()}/wrong.json")
    os.unlink(cases)


@test
def cases_that_notice_nothing_are_found_by_breaking_the_policy():
    path = write("good.json", GOOD)
    cases = write("good.test.json", CASES)
    code, out, errors = policy("test", path, "--mutate")
    check_equal((code, errors), (0, ""), f"every broken policy is noticed ({out})")
    check_in("broken policies noticed", out, "their number")
    write("good.test.json", dict(CASES, cases=CASES["cases"][:1]))
    code, _, errors = policy("test", path, "--mutate")
    check_equal(code, 1, "cases that miss things")
    check_in("no case notices the policy without /network/allow/1", errors, "a rule that no case is about")
    check_in("no case notices the policy with a rule for 0.0.0.0/0", errors, "everything allowed")
    os.unlink(cases)


def noticed(document, *cases):
    """What no case notices, of all that was broken."""
    path = write("bounds.json", dict({"version": 1, "name": "bounds"}, **document))
    write("bounds.test.json", {"version": 1, "policy": "bounds", "cases": [
        {"act": act, "verdict": verdict} for verdict, act in
        (("deny", "connect 198.51.100.1:80"), ("deny", "connect [2001:db8::1]:80"), *cases)]})
    code, out, errors = policy("test", path, "--mutate")
    check_in(f"{2 + len(cases)} of {2 + len(cases)} cases as written", out, errors)
    check_equal(code, 1 if errors else 0, "exit code")
    return [line.removeprefix("no case notices the policy ") for line in errors.splitlines()]


@test
def each_condition_of_a_rule_for_arguments_is_broken():
    document = {"syscalls": {"deny": [
        {"name": "ioctl", "args": [{"index": 1, "is": "FIONREAD"}]},
        {"name": "kill", "args": [{"index": 0, "at_most": -2}, {"index": 1, "is_not": "SIGKILL"}]},
        {"name": "mprotect", "args": [{"index": 2, "mask": 6, "is": 6}]}]}}
    ports = (("deny", "inbound 8000"),)
    ioctl = (("deny", "syscall ioctl 1=FIONREAD"), ("allow", "syscall ioctl 1=FIONBIO"))
    kill = (("deny", "syscall kill -2 1"), ("allow", "syscall kill -1 1"), ("allow", "syscall kill -2 9"),
            ("deny", "syscall kill -2 8"))
    bits = (("deny", "syscall mprotect 2=7"), ("allow", "syscall mprotect 2=5"), ("allow", "syscall mprotect 2=3"))
    check_equal(noticed(document, *ports, *ioctl, *kill, *bits), [], "all of it has cases")
    check_equal(noticed(document, *ports, ioctl[0], *kill, *bits),
                ["with any arguments in /syscalls/deny/0"], "no ioctl that is allowed")
    check_equal(noticed(document, *ports, ioctl[1], *kill, *bits),
                ["without /syscalls/deny/0", "another /syscalls/deny/0/args/0/is"], "none that is denied")
    check_equal(noticed(document, *ports, *ioctl, kill[0], kill[2], *bits),
                ["without /syscalls/deny/1/args/0", "another /syscalls/deny/1/args/0/at_most"], "no edge")
    check_equal(noticed(document, *ports, *ioctl, *kill[:2], kill[3], *bits),
                ["without /syscalls/deny/1/args/1"], "none that the second condition lets through")
    check_equal(noticed(document, *ports, *ioctl, *kill, *bits[:2]),
                [], "one bit of the mask says nothing that the others do not")


@test
def every_section_is_broken():
    ports = ("deny", "inbound 8000")
    for section, key, value, most, more in [
            ("resources", "memory", "400MiB", "400MiB", "401MiB"), ("resources", "cpu", 0.5, "0.5", "0.501"),
            ("budgets", "connections", 10, "10", "11"), ("lifecycle", "auto_stop", "90s", "90s", "91s")]:
        document = {section: {key: value}}
        all_three = [f"{how} /{section}/{key}" for how in ["twice", "half", "without"]]
        check_equal(noticed(document, ports), all_three, "no case")
        allow, deny = ("allow", f"use {key} {most}"), ("deny", f"use {key} {more}")
        check_equal(noticed(document, ports, deny), all_three[1:2], "only what is denied")
        check_equal(noticed(document, ports, allow, deny), [], "both")
    check_equal(noticed({"secrets": ["KEY"]}, ports), ["without /secrets/0"], "secrets")
    check_equal(noticed({"secrets": ["KEY"]}, ports, ("deny", "omit KEY")), [], "secrets")
    check_equal(noticed({}), ["with all of /network/inbound"], "previews")
    check_equal(len(noticed({"resources": {"class": "large"}}, ports)), 10, "a class: twice and half of five")


@test
def paths_are_broken_one_by_one():
    ports, files = ("deny", "inbound 8000"), {"read_only": ["/"], "writable": ["/w"], "hidden": ["/k", "/m"]}
    missed = noticed({"files": files}, ports)
    check_equal(missed, ["without /files/hidden/0", "without /files/hidden/1", "without /files/writable/0",
                         "without /files", "read_only for /files/hidden/0", "read_only for /files/hidden/1"],
                "no case")
    missed = noticed({"files": files}, ports, ("deny", "read /k/a"), ("deny", "write /usr/a"))
    check_equal(missed, ["without /files/hidden/1", "without /files/writable/0", "read_only for /files/hidden/1"],
                "cases about some")
    check_equal(noticed({"files": files}, ports, ("deny", "read /k"), ("deny", "read /m"), ("allow", "write /w/x")),
                [], "each")
    readable = {"files": {"read_only": ["/usr"]}}
    check_equal(noticed(readable, ports, ("deny", "write /usr/a")), ["hidden for /files/read_only/0"], "to hide more")
    check_equal(noticed(readable, ports, ("deny", "write /usr/a"), ("allow", "read /usr/a")), [], "twins")


@test
def devices_are_broken_one_by_one():
    ports, listed = ("deny", "inbound 8000"), {"devices": ["null", "ptmx"]}
    others = ["zero", "full", "random", "urandom", "tty"]
    added = [f"with {name} in /devices" for name in others]
    check_equal(noticed(listed, ports), ["without /devices/0", "without /devices/1", *added], "no case")
    check_equal(noticed(listed, ports, ("allow", "open /dev/null"), ("deny", "open /dev/tty")),
                ["without /devices/1", *added[:4]], "cases about some")
    each = [("allow", "open /dev/null"), ("allow", "open /dev/ptmx"), *(("deny", f"open /dev/{o}") for o in others)]
    check_equal(noticed(listed, ports, *each), [], "each")
    check_equal(noticed({"devices": []}, ports), ["with null in /devices", *added[:4], "with tty in /devices",
                                                  "with ptmx in /devices"], "a list of none")
    check_equal(noticed({}, ports), [], "what a policy does not list is not its subject")


@test
def explain_judges_devices():
    few = write("few.json", {"version": 1, "name": "few", "devices": ["null"]})
    rows = [("open /dev/null", "allow", "mounts", '"devices" has it.'),
            ("open /dev/ptmx", "deny", "mounts", '"devices" does not list it; it cannot be opened (EACCES).')]
    code, out, _ = policy("explain", few, "--json", *(w for r in rows for w in ("--would", r[0])))
    check_equal(code, 1, "one is denied")
    for row, expected in zip(json.loads(out), rows, strict=True):
        check_equal((row["act"], row["verdict"], row["layer"], row["why"]), expected, "a row")
    every = write("every.json", {"version": 1, "name": "every"})
    code, out, _ = policy("explain", every, "--would", "open /dev/ptmx")
    check_equal(code, 0, "the twin")
    check_in('There is no "devices": all are there.', out, "why")
    code, _, errors = policy("explain", every, "--would", "open /dev/kvm")
    check_equal(code, 2, "no device of a sandbox")
    check_in("A sandbox has the devices null, zero, full, random, urandom, tty and ptmx", errors, "why")


@test
def programs_are_broken_one_by_one():
    ports, some = ("deny", "inbound 8000"), {"executables": {"allow": ["/usr/bin/git", "/bin/sh"]}}
    git, sh, other = ("allow", "execute /usr/bin/git"), ("allow", "execute /bin/sh"), ("deny", "execute /bin/ls")
    check_equal(noticed(some, ports), ["without /executables/allow/0", "without /executables/allow/1",
                                       "without /executables"], "no case")
    check_equal(noticed(some, ports, git, other), ["without /executables/allow/1"], "one of two")
    check_equal(noticed(some, ports, git, sh), ["without /executables"], "what is allowed alone")
    check_equal(noticed(some, ports, git, sh, other), [], "all")


@test
def explain_judges_executables():
    digest = "0123456789abcdef" * 4
    path = write("good.json", {"version": 1, "name": "good", "files": {"hidden": ["/opt/tools/key"]}, "executables": {
        "allow": ["/opt/tools", {"path": "/usr/bin/git", "sha256": digest}], "best_effort": True}})
    free = write("free.json", {"version": 1, "name": "free"})
    rows = [("execute /opt/tools/a", "allow", '"executables.allow" has /opt/tools, as it is in the template.'),
            ("execute /usr/bin/git", "allow", f"has /usr/bin/git, if its SHA-256 is {digest}: a sandbox with another"),
            ("execute /bin/sh", "deny", '"executables.allow" does not have it (EACCES), and denied is the default.'),
            ("execute /opt/tools/key", "deny", '"files.hidden" has /opt/tools/key'),
            ("write /usr/lib/x", "deny", '"executables" has /usr/lib: what code comes from does not change (EROFS).'),
            ("write /usr/bin/git", "deny", '"executables" has /usr/bin/git'),
            ("write /usr/bin/x", "allow", 'No path of "files" is around it'),
            ("syscall memfd_create", "deny", 'It makes programs of memory, and "executables" limits those')]
    told = json.loads(policy("explain", path, "--json", *(w for r in rows for w in ("--would", r[0])))[1])
    for row, (act, verdict, why) in zip(told, rows, strict=True):
        check_equal((row["act"], row["verdict"]), (act, verdict), "a row")
        check_in(why, row["why"], act)
    check_in('no "executables": owner and mode decide', policy("explain", free, "--would", "execute /x")[1], "free")
    text = policy("explain", path)[1]
    for part in ("\nExecutables: nothing that the sandbox itself writes; of the template's files these:\n  /opt/tools.\n",
                 f"  /usr/bin/git, if its SHA-256 is {digest}.\n",
                 "from libraries in /usr/lib, /usr/lib32, /usr/lib64, /usr/local/lib.\n",
                 "Without Landlock programs in those directories can be executed, too.\n"):
        check_in(part, text, "explain")
    check("Executables" not in policy("explain", free)[1], "it says nothing of them")


@test
def records_are_broken_one_by_one():
    ports, of = ("deny", "inbound 8000"), {"name": "example.org", "records": ["MX", "TXT"]}
    rules = {"network": {"allow": [of]}}
    mx, txt, srv = (("allow", "resolve example.org MX"), ("allow", "resolve example.org TXT"),
                    ("deny", "resolve example.org SRV"))
    check_equal(noticed(rules, ports, mx), ["without /network/allow/0/records/1", "another /network/allow/0/records"],
                "one of two")
    check_equal(noticed(rules, ports, mx, txt), ["another /network/allow/0/records"], "both")
    check_equal(noticed(rules, ports, mx, txt, srv), [], "all three")


@test
def explain_judges_files_and_records_and_says_what_it_does_not_know():
    path = write("good.json", {"version": 1, "name": "good", "files": {
        "read_only": ["/usr"], "writable": ["/usr/local"], "hidden": ["/usr/local/key"]},
        "network": {"allow": [{"name": "example.org", "records": ["MX"]}]}})
    rows = [("read /usr/bin/ls", "allow", "mounts", '"files.read_only" has /usr: owner and mode decide'),
            ("write /usr/bin/ls", "deny", "mounts", '"files.read_only" has /usr: nothing there changes (EROFS).'),
            ("write /usr/local/a", "allow", "mounts", '"files.writable" has /usr/local: owner and mode decide'),
            ("read /usr/local/key", "deny", "mounts", '"files.hidden" has /usr/local/key'),
            ("write /etc/passwd", "allow", "mounts", 'No path of "files" is around it: owner and mode decide'),
            ("resolve example.org MX", "allow", "resolver", "by rule 0"),
            ("resolve example.org TXT", "deny", "resolver", 'no rule for the name has TXT in its "records"'),
            ("resolve example.org HTTPS", "deny", "resolver", "never tells HTTPS"),
            ("resolve example.org A", "deny", "resolver", "REFUSED")]
    told = json.loads(policy("explain", path, "--json", *(w for r in rows for w in ("--would", r[0])))[1])
    for row, (act, verdict, layer, why) in zip(told, rows, strict=True):
        check_equal((row["act"], row["verdict"], row["layer"]), (act, verdict, layer), "a row")
        check_in(why, row["why"], act)
    code, _, errors = policy("explain", path, "--would", "read /usr/../etc")
    check_equal(code, 2, "a path with ..")
    check_in("A path is absolute", errors, "the sentence")


LEARNER = dict(GOOD, mode="learn")
AS_WRITTEN = ('Policy "good" is in mode "learn". This is about the policy as it is written; while it learns, its '
              "bound alone decides.\n")


@test
def a_policy_that_learns_is_good_and_warned_of():
    path = write("good.json", LEARNER)
    code, out, errors = policy("check", path)
    check_equal((code, out), (0, "1 policy is good.\n"), "it is no error")
    column = json.dumps(LEARNER).index('"mode"') + 1
    check_equal(errors, f'{path}:1:{column}: /mode: warning: The policy is in mode "learn": it denies '
                        'nothing by itself. Take "mode" away to enforce it.\n', "the warning")
    code, out, _ = policy("check", path, "--json")
    found = json.loads(out)["findings"]
    check_equal((code, [(f["pointer"], f["severity"]) for f in found]), (0, [("/mode", "warning")]), "for programs")
    result = json.loads(policy("check", path, "--sarif")[1])["runs"][0]["results"][0]
    check_equal((result["level"], result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]),
                ("warning", "/mode"), "for code review")
    write("good.json", GOOD)
    check_equal(policy("check", path), (0, "1 policy is good.\n", ""), "its twin")


@test
def whoever_asks_a_policy_that_learns_is_told_so():
    path = write("good.json", LEARNER)
    out = policy("explain", path)[1]
    check_in("Mode: learn. It denies NOTHING by itself", out.splitlines()[2], "the first sentence")
    code, out, errors = policy("explain", path, "--would", "connect 198.51.100.1:80")
    check_equal((code, out.split()[0], errors), (1, "deny", AS_WRITTEN), "as written")
    rows = json.loads(policy("explain", path, "--json", "--would", "connect 198.51.100.1:80")[1])
    check_equal((rows[0]["verdict"], rows[0]["mode"]), ("deny", "learn"), "for programs")
    code, out, errors = policy("compile", path, "--json")
    check_equal((code, json.loads(out)["mode"], errors), (0, "learn", AS_WRITTEN), "its image")
    write("good.json", GOOD)
    check("Mode:" not in policy("explain", path)[1], "one that enforces says nothing")
    rows = json.loads(policy("explain", path, "--json", "--would", "connect 198.51.100.1:80")[1])
    check("mode" not in rows[0], f"one that enforces: {rows}")
    check("mode" not in json.loads(policy("compile", path, "--json")[1]), "the image of one that enforces")
    os.unlink(path)


@test
def diff_shouts_when_a_policy_begins_to_learn():
    before, after = write("good.json", GOOD), write("after.json", LEARNER)
    code, out, _ = policy("diff", before, after)
    check_equal(code, 1, "exit code")
    check(out.startswith("+ mode      learn instead of enforce: ALL that"), f"to learn: {out}")
    check_equal(len(out.splitlines()), 1, "and nothing else")
    check_equal(policy("diff", after, before)[:2],
                (1, "- mode      enforce instead of learn: all that the policy does not allow\n"), "to enforce")
    rows = json.loads(policy("diff", "--json", before, after)[1])
    check_equal([(r["change"], r["section"]) for r in rows], [("allows", "mode")], "for programs")
    check_equal(policy("diff", after, after), (0, "Both allow the same.\n", ""), "no change")
    other = write("other.json", dict(LEARNER, network={}))
    check_equal(policy("diff", after, other)[2], AS_WRITTEN, "a change of what is written")
    for path in [before, after, other]:
        os.unlink(path)


@test
def cases_are_for_a_mode():
    path, cases = write("good.json", LEARNER), write("good.test.json", CASES)
    code, out, errors = policy("test", path)
    check_equal((code, out), (1, "good: 8 of 8 cases as written\n"), "cases that say nothing of it")
    check_in('good is in mode "learn", and its cases are for "enforce": write "mode": "learn"', errors, "the reason")
    write("good.test.json", dict(CASES, mode="learn"))
    check_equal(policy("test", path, "--mutate")[0], 0, "the twin: cases for the mode")
    write("good.json", GOOD)
    check_equal(policy("test", path)[0], 1, "the other way round")
    write("good.test.json", dict(CASES, mode="complain"))
    code, _, errors = policy("test", path)
    check_equal(code, 2, "no mode")
    check_in('/mode: "mode" is the policy\'s', errors, "the sentence")
    for each in [path, cases]:
        os.unlink(each)


@test
def what_a_base_says_is_broken_too():
    write("good.json", GOOD)
    missed = noticed({"extends": "good"}, ("deny", "inbound 1"))
    check_in("without /network/allow/0", missed, "a rule of the base")
    check_in("without /network/allow/1", missed, "a rule of the base")


@test
def a_base_is_read_beside_the_file_that_extends_it():
    write("good.json", GOOD)
    path = write("more.json", {"version": 1, "name": "more", "extends": "good",
                               "network": {"allow": [{"name": "example.org", "ports": [443]}]}})
    code, out, _ = policy("explain", path, "--would", "connect pypi.org:443",
                          "--would", "connect example.org:443")
    check_equal(code, 0, f"both are allowed: {out}")
    check_equal(policy("explain", path, "--would", "connect a.example.org:443")[0], 1, "no other")
    path = write("more.json", {"version": 1, "name": "more", "extends": "none"})
    code, _, errors = policy("check", path)
    check_equal(code, 1, "a base that is not there")
    check_in(f"{path}:1:", errors, "the place")
    check_in("/extends", errors, "the key")
    os.unlink(path)


@test
def compiling_twice_gives_the_same_bytes():
    path = write("good.json", GOOD)
    os.chmod(folder(), 0o777)
    for name in ["one", "two"]:
        code, out, _ = policy("compile", path, "--output", f"{folder()}/{name}")
        check_equal(code, 0, name)
        with open(f"{folder()}/{name}", "rb") as file:
            check_in(f"image  {hashlib.sha256(file.read()).hexdigest()}  ", out, "the hash is the file's")
    texts = []
    for name in ["one", "two"]:
        with open(f"{folder()}/{name}", encoding="utf-8") as file:
            texts.append(file.read())
        os.unlink(f"{folder()}/{name}")
    check_equal(texts[0], texts[1], "the image")
    image = json.loads(texts[0])
    check(image["prefixes"] and image["policy"] == "good", f"an empty image: {image}")
    changed = json.loads(json.dumps(GOOD))
    changed["network"]["allow"][1]["ports"] = [81]
    other = policy("compile", write("good.json", changed))[1]
    check(other != policy("compile", write("good.json", GOOD))[1], "another policy, the same hash")


class Repository:
    """A repository of policies with the hook of tools/deploy."""

    def __init__(self):
        self.path = f"{folder()}/repository"
        os.makedirs(f"{self.path}/policies")
        os.makedirs(f"{self.path}/bin")
        os.symlink(f"{BUILD}/cloche", f"{self.path}/bin/cloche")
        self.git("init", "-q")
        shutil.copy(f"{ROOT}/tools/deploy/pre-commit-policies", f"{self.path}/.git/hooks/pre-commit")

    def git(self, *words):
        done = subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words], cwd=self.path,
                              capture_output=True, text=True, timeout=120, check=False,
                              env={"PATH": f"{self.path}/bin:{os.environ['PATH']}", "HOME": self.path})
        return done.returncode, done.stdout + done.stderr

    def put(self, name, value):
        path = write(f"repository/policies/{name}", value)
        if not name.endswith(".test.json") and isinstance(value, dict):
            policy("fmt", path)
            subprocess.run([f"{BUILD}/cloche", "policy", "fmt", path], check=True, capture_output=True)
        self.git("add", "policies")

    def commit(self):
        return self.git("commit", "-q", "-m", "x")


def base(*names):
    return {"version": 1, "name": "base", "network": {"allow": [{"name": name} for name in names]}}


@test
def the_hook_looks_at_what_would_be_committed():
    made = Repository()
    heir = {"version": 1, "name": "heir", "extends": "base"}
    made.put("base.json", base("a.org"))
    made.put("heir.json", heir)
    made.put("heir.test.json", {"version": 1, "policy": "heir", "cases": [
        {"act": "connect a.org:443", "verdict": "allow"}, {"act": "connect a.org:80", "verdict": "allow"},
        {"act": "resolve b.a.org", "verdict": "deny"}, {"act": "connect a.org:22", "verdict": "deny"},
        {"act": "connect a.org:443", "verdict": "allow", "tls": "either", "private": False},
        {"act": "inbound 80", "verdict": "deny"}, {"act": "connect 198.51.100.1:80", "verdict": "deny"},
        {"act": "connect [2001:db8::1]:80", "verdict": "deny"}]})
    code, text = made.commit()
    check_equal(code, 0, f"the first commit: {text}")
    made.put("heir.json", dict(heir, description="more"))
    check_equal(made.commit()[0], 0, "a policy that extends another")
    made.put("heir.json", dict(heir, resources={"memory": "1GiB"}))
    with open(f"{made.path}/policies/heir.json", "w", encoding="utf-8") as file:
        file.write("{")
    code, text = made.commit()
    check_equal(code, 1, "cases that notice nothing of the memory")
    check_in("no case notices the policy twice /resources/memory", text, "which")
    check_in("policies/heir.json:\n- resources memory", text.replace("+ ", "- ", 1), "what changes")
    made.git("checkout", "-q", "HEAD", "--", "policies")
    made.put("base.json", base("b.org"))
    code, text = made.commit()
    check_equal(code, 1, "a base whose heir's cases fail")
    check_in("not as written: connect a.org:443", text, "which")
    made.git("checkout", "-q", "HEAD", "--", "policies")
    made.git("rm", "-q", "policies/base.json")
    code, text = made.commit()
    check_equal(code, 1, "a base that is taken away")
    check_in("policies/heir.json:", text, "who extends it")
    made.git("rm", "-q", "policies/heir.json", "policies/heir.test.json")
    check_equal(made.commit()[0], 0, "all of them")
    shutil.rmtree(made.path)


def record(seq, kind, sandbox=1, **body):
    return json.dumps({"v": 1, "seq": seq, "time": f"2026-11-27T10:00:{seq:02}.000000000Z", "type": kind,
                       "sandbox": f"sb-{sandbox:016x}", **body})


def connect(seq, host, port, verdict="allow", sandbox=1):
    where = {"address": host} if host[0].isdigit() else {"name": host, "address": "198.18.1.0"}
    return record(seq, "network.connect", sandbox, verdict=verdict, port=port, protocol="tcp",
                  reason="rule" if verdict == "allow" else "default", **where)


LOG = [record(1, "sandbox.create", template="python", labels={"job": "17"}),
       record(2, "sandbox.create", 2, template="node"),
       connect(3, "pypi.org", 443), connect(4, "pypi.org", 443), connect(5, "203.0.113.9", 8080),
       record(6, "network.dns", verdict="allow", name="pypi.org", qtype=1),
       record(7, "network.dns", verdict="deny", name="evil.org", qtype=28),
       connect(8, "198.51.100.1", 22, "deny"), connect(9, "example.org", 80, sandbox=2),
       record(10, "process.exec", argv=["x"]), "half a line"]


@test
def replay_says_what_would_have_changed():
    path = write("good.json", GOOD)
    log = write("log", "\n".join(LOG))
    code, out, errors = policy("replay", path, "--audit", log)
    check_equal((code, errors), (1, ""), "something changes")
    check_in("- connect 203.0.113.9:8080", out, "what was allowed and would be denied")
    check_in("7 acts in 11 records", out, "the count")
    check_in("1 lines are no records", out, "half a line")
    check_in("by rule 1 (203.0.113.0/24 tcp, port 80): nothing needed it", out, "a rule without use")
    found = json.loads(policy("replay", path, "--audit", log, "--json", "--sandbox", "sb-0000000000000001")[1])
    check_equal((found["acts"], found["same"], found["would_deny"], found["would_allow"]), (6, 5, 1, 0),
                "of one sandbox")
    check_equal(found["changes"][0]["seq"], 5, "the record")
    wider = json.loads(json.dumps(GOOD))
    wider["network"]["allow"] += [{"cidr": "0.0.0.0/0"}, {"name": "evil.org"}]
    code, out, _ = policy("replay", write("good.json", wider), "--audit", "-", "--label", "job=17",
                          stdin="\n".join(LOG))
    check_equal(code, 1, "more is allowed")
    check_in("+ connect 198.51.100.1:22", out, "what was denied and would be allowed")
    check_in("+ resolve evil.org", out, "a name")
    check("example.org" not in out, f"another sandbox's acts: {out}")
    check_equal(policy("replay", path, "--audit", f"{folder()}/none")[0], 2, "no such log")


@test
def a_log_sends_nothing_to_the_terminal():
    """What a sandbox names its files, and what whoever wrote the log put in."""
    path = write("good.json", GOOD)
    evil = json.loads(connect(1, "a.org", 443))
    evil.update(name="\x1b[2Jb\x9b31m\u202e.org", time="\x1b[31m")
    opened = [record(number, "file.open", syscall="openat", abi="native", result=3, path=name, writable=True)
              for number, name in enumerate(["/opt/\x9b31m", "/opt/\u202egnp", "/opt/\u2029", "/opt/plain"], 2)]
    log = "\n".join([json.dumps(evil), *opened, '{"type": "network.connect" \x1b[31m\x9b'])
    code, out, errors = policy("replay", path, "--audit", "-", stdin=log)
    check_equal((code, errors), (1, ""), "the name would be denied")
    check_in("- connect \\x1b[2Jb\\xc2\\x9b31m\\xe2\\x80\\xae.org:443\n", out, "the name")
    check_in("3 acts passed over: path that is not whole", out, "paths that no policy may have")
    learnt, errors = policy("learn", "--from", "-", stdin="\n".join(opened))[1:]
    check_equal([row["path"] for row in json.loads(learnt)["files"]["writable"]], ["/opt/plain"], errors)
    for text in [out, learnt, errors]:
        check(not any(c != "\n" and c != "\t" and (ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2029\u202e")
                      for c in text), repr(text))


@test
def learn_writes_what_was_needed_and_nothing_else():
    log = write("log", "\n".join(LOG))
    code, out, errors = policy("learn", "--from", log, "--name", "learnt")
    check_equal(code, 0, errors)
    rules = json.loads(out)["network"]["allow"]
    check_equal([(r.get("name") or r["cidr"], r["ports"]) for r in rules],
                [("203.0.113.9", [8080]), ("example.org", [80]), ("pypi.org", [443])], "rules")
    check_in("3x, first 2026-11-27T10:00:03", rules[2]["description"], "support")
    path = write("learnt.json", out)
    check_equal(policy("check", path)[0], 0, "a good policy")
    check_equal(policy("fmt", "--check", path)[0], 0, "in the one form")
    check_equal(policy("replay", path, "--audit", log)[0], 0, "its own replay")
    rules = json.loads(policy("learn", "--from", log, "--template", "node")[1])["network"]["allow"]
    check_equal([r["name"] for r in rules], ["example.org"], "of one template")
    os.unlink(path)


@test
def learnt_ranges_of_ports_have_none_that_was_denied_there():
    """One below each other's neighbour; what was denied elsewhere is no reason."""
    def towards(host, ports, **body):
        return [connect(0, host, port, **body) for port in ports]
    odd, denied = range(101, 150, 2), [104, 120]
    names = [f"a{i}.example.net" for i in range(10)]
    log = [*towards("203.0.113.7", odd), *towards("203.0.113.7", denied, verdict="deny"),
           *towards("203.0.113.8", odd), *towards("203.0.113.6", [130], verdict="deny"),
           *towards("example.org", odd), *towards("example.org", denied, verdict="deny"),
           *towards("b.example.org", odd),
           *[line for name in names for line in towards(name, odd)],
           *towards("b.example.net", denied, verdict="deny"), *towards("example.net", [130], verdict="deny")]
    for port in odd:
        log.append(record(0, "network.inbound", verdict="allow", port=port))
        log.append(towards("203.0.113.7", [port])[0].replace("connect", "send").replace("tcp", "udp"))
    log.append(record(0, "network.inbound", verdict="deny", reason="rule", port=104))
    learnt = json.loads(policy("learn", "--from", "-", stdin="\n".join(log))[1])["network"]
    apart, whole = ["101-103", "105-119", "121-149"], ["101-149"]
    found = {(r.get("name") or r["cidr"], r.get("protocol", "tcp")): r["ports"] for r in learnt["allow"]}
    check_equal(found, {("203.0.113.7", "tcp"): apart, ("203.0.113.8", "tcp"): whole,
                        ("203.0.113.7", "udp"): whole, ("*.example.net", "tcp"): apart,
                        ("example.org", "tcp"): apart, ("b.example.org", "tcp"): whole}, "ranges")
    check_equal(learnt["inbound"]["ports"], ["101-103", "105-149"], "previews")


@test
def learn_generalises_only_past_the_threshold_and_never_over_a_suffix():
    names = [f"a{i}.cdn.example.org" for i in range(10)] + [f"a{i}.co.uk" for i in range(10)]
    log = write("log", "\n".join(connect(i + 1, name, 443) for i, name in enumerate(names)))
    def learnt(*words):
        return [r["name"] for r in json.loads(policy("learn", "--from", log, *words)[1])["network"]["allow"]]
    check_in("*.cdn.example.org", learnt(), "ten below one name")
    check_equal(len(learnt()), 11, "a public suffix is no name")
    check_equal(len(learnt("--wildcard-after", "11")), 20, "below the threshold")
    check_equal(len(learnt("--wildcard-after", "0")), 20, "never")
    os.unlink(log)


@test
def shipped_policies_are_good_formatted_and_hold_their_cases():
    files = sorted(p for p in glob.glob(f"{ROOT}/policies/*.json")
                   if not p.endswith((".test.json", ".schema.json")))
    check(len(files) >= 7, f"only {files}")
    check_equal(policy("check", f"{ROOT}/policies")[0], 0, "check")
    check_equal(policy("fmt", "--check", f"{ROOT}/policies"), (0, "", ""), "fmt")
    for path in files:
        code, out, errors = policy("test", path, "--mutate")
        check_equal((code, errors), (0, ""), f"{path}: {out}")


if __name__ == "__main__":
    main()
