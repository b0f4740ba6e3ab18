#!/usr/bin/python3
"""Unmodified tools that people use every day: dig, requests, pip, apt. What each does when its site is
allowed, and what a person reads when it is not. (curl, wget, urllib, fetch, git and others: test_names.py.)"""

import os
import shutil

from cloche_harness import check, check_equal, check_in, fixture, main, skip, test
from named_internet import FRONT4, FRONT6, NamedDaemon, NamedInternet, inside, policy
from packages import apt_archive, wheel

RULES = policy("tools", "allowed.example", "plain.example", {"name": "told.example", "records": ["TXT", "MX"]},
               {"cidr": FRONT4, "ports": [80]}, {"name": "raw.example", "ports": [7], "tls": "passthrough"})


def need(program):
    if not shutil.which(program, path="/usr/bin:/bin"):
        skip(f"there is no {program}")


def fill_index(made):
    made.put_file("simple/hello-cloche/index.html", b'<a href="/files/hello_cloche-1.0-py3-none-any.whl">'
                                                    b"hello_cloche-1.0-py3-none-any.whl</a>\n")
    made.put_file("hello_cloche-1.0-py3-none-any.whl", wheel())


def fill_archive(made):
    for path, data in apt_archive().items():
        made.put_file(f"apt/{path}", data)


@fixture
def internet():
    made = NamedInternet()
    made.answer("told.example", {"A": [FRONT4], "TXT": ["v=spf1 -all"], "MX": ["10 mail.told.example"]})
    fill_index(made)
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [RULES])
    yield made.start()
    made.close()


@fixture
def sandbox():
    made = daemon().create(policy="tools")
    yield made
    made.delete().expect(204)


def run(command, **more):
    return sandbox().exec(command=command, timeout_seconds=60, **more)


# ---- dig

def dig(words):
    need("dig")
    done = run(f"dig +time=10 +tries=1 {words}")
    check_equal(done["exit_code"], 0, f"dig {done}")
    return done["stdout"]


@test
def dig_shows_synthetic_addresses_of_both_families():
    for how in ["", "+tcp", "+noedns", "@192.0.2.77", "@2001:db8::99"]:
        check(dig(f"{how} +short A allowed.example").startswith("198.18.1."), f"A {how}")
        check(dig(f"{how} +short AAAA allowed.example").startswith("fd43:6c6f:6368:6500:"), f"AAAA {how}")
    text = dig("+norecurse A allowed.example")
    for part in ["status: NOERROR", "ANSWER: 1", "EDNS: version: 0", "udp: 1232"]:
        check_in(part, text, "dig")


@test
def dig_shows_why_a_name_is_refused():
    for how in ["", "+tcp"]:
        text = dig(f"{how} A other.example")
        check_in("status: REFUSED", text, "dig")
        check_in('; EDE: 15 (Blocked): (not allowed by policy "tools" of this sandbox; ask for a rule '
                 '{"name": "other.example"})', text, "dig")
    text = dig("+noedns A other.example")
    check_in("status: REFUSED", text, "dig without EDNS")
    check("EDE" not in text, "an option without EDNS")


@test
def dig_shows_records_that_a_rule_names_and_why_not_others():
    check_equal(dig("+short TXT told.example"), '"v=spf1 -all"\n', "TXT")
    check_equal(dig("+short +tcp MX told.example"), "10 mail.told.example.\n", "MX")
    internet().seen()
    text = dig("TXT allowed.example")
    check_in("status: REFUSED", text, "dig")
    check_in('ask for a rule {"name": "allowed.example", "records": ["TXT"]}', text, "dig")
    text = dig("SRV told.example")
    check_in('ask for a rule {"name": "told.example", "records": ["SRV"]}', text, "dig")
    check_in("status: REFUSED", dig("TXT secret.other.example"), "dig")
    check_equal(internet().seen("dns"), [], "what was asked upstream")


# ---- openssl and nc

@test
def openssl_s_client_without_a_name_is_refused():
    done = run("openssl s_client -noservername -brief -connect allowed.example:443 </dev/null")
    check_equal(done["exit_code"], 1, f"s_client {done}")
    check_in("alert", done["stderr"], "s_client")


@test
def nc_reaches_what_is_allowed_and_says_what_is_not():
    check_equal(run("printf echo | nc -w 10 raw.example 7")["stdout"], "echo", "echo")
    done = run(f"nc -w 10 {FRONT4} 81 </dev/null")
    check(done["exit_code"] != 0, f"nc {done}")
    check_in("not permitted", done["stderr"], "nc to an address")
    done = run(f"nc -w 10 {FRONT6} 80 </dev/null")
    check_in("not permitted", done["stderr"], "nc to an address of IPv6")
    done = run("nc -w 10 other.example 80 </dev/null")
    check(done["exit_code"] != 0 and done["stderr"], f"nc to a name {done}")


# ---- requests

@test
def requests_reaches_an_allowed_site_only():
    text = inside(sandbox(), "try: import requests\nexcept ImportError: print('no requests')\n"
                  "else:\n"
                  "  session = requests.Session()\n"
                  "  session.verify = os.environ['SSL_CERT_FILE']\n"
                  "  for path in 'ab': print(session.get(f'https://allowed.example/{path}').json()['line'])\n"
                  "  print(session.get('http://plain.example/').json()['host'])\n"
                  "  try: session.get('https://other.example/')\n"
                  "  except requests.ConnectionError as failure: print('refused', failure)\n"
                  "  page = requests.get('http://plain.example/', headers={'Host': 'other.example'})\n"
                  "  print(page.status_code, page.text)")
    if text == "no requests":
        skip("there is no python3-requests")
    lines = text.splitlines()
    check_equal(lines[:3], ["GET /a HTTP/1.1", "GET /b HTTP/1.1", "plain.example"], "answers")
    check_in("refused", lines[3], "another name")
    check_in("other.example", lines[3], "another name")
    check(lines[4].startswith("403 "), f"another Host: {lines[4]}")
    check_in('"tools"', "\n".join(lines[4:]), "the page")


# ---- pip

def pip(words):
    done = run("cd /tmp && python3 -m pip --no-cache-dir --disable-pip-version-check --retries 0 --cert "
               f"$SSL_CERT_FILE {words}")
    if "No module named pip" in done["stderr"]:
        skip("there is no python3-pip")
    return done


@test
def pip_installs_from_an_allowed_index():
    done = pip("install --target /tmp/installed --index-url https://allowed.example/files/simple/ hello-cloche")
    check_equal(done["exit_code"], 0, f"pip {done}")
    check_equal(run("PYTHONPATH=/tmp/installed python3 -m hello_cloche")["stdout"],
                "installed through the gate\n", "what was installed")


@test
def pip_says_that_an_index_cannot_be_reached():
    internet().seen()
    done = pip("install --target /tmp/refused --index-url https://other.example/files/simple/ hello-cloche")
    check_equal(done["exit_code"], 1, f"pip {done}")
    check_in("No matching distribution found for hello-cloche", done["stderr"], "pip")
    check_in("other.example", done["stderr"] + done["stdout"], "pip")
    check_equal(internet().seen("tcp", "hello", "dns"), [], "what reached the internet")


# ---- apt

def apt(site, words):
    need("apt-get")
    need("dpkg-deb")
    fill_archive(internet())
    options = ("-o Dir::State=/tmp/apt/state -o Dir::State::status=/tmp/apt/status -o Dir::Cache=/tmp/apt/cache "
               "-o Dir::Etc::sourcelist=/tmp/apt/list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User= "
               "-o Acquire::Retries=0 -o Acquire::https::CaInfo=$SSL_CERT_FILE -o Debug::NoLocking=1")
    return run("rm -rf /tmp/apt; mkdir -p /tmp/apt/state/lists/partial /tmp/apt/cache/archives/partial; "
               ": >/tmp/apt/status; cd /tmp/apt; "
               f"echo 'deb [trusted=yes] {site}/files/apt ./' >list; apt-get {options} -q update && "
               f"apt-get {options} -q {words}")


@test
def apt_fetches_from_an_allowed_archive():
    for site in ["http://plain.example", "https://allowed.example"]:
        done = apt(site, "download hello-cloche")
        check_equal(done["exit_code"], 0, f"apt {done}")
        text = run("dpkg-deb -f /tmp/apt/hello-cloche_1.0_all.deb Description")["stdout"]
        check_equal(text, "fetched through the gate\n", "what was fetched")


@test
def apt_says_that_an_archive_cannot_be_reached():
    internet().seen()
    for site in ["http://other.example", "https://other.example"]:
        done = apt(site, "download hello-cloche")
        check(done["exit_code"] != 0, f"apt {done}")
        text = done["stdout"] + done["stderr"]
        check_in("other.example", text, "apt")
        check("Could not resolve" in text or "Temporary failure" in text or "Something wicked" in text, text)
    check_equal(internet().seen("tcp", "hello", "dns"), [], "what reached the internet")


if __name__ == "__main__":
    main()
