"""A test internet of names: an authoritative DNS server and sites, and the host where cloched runs, each
in a network namespace of its own. Nothing of the machine's network is changed.

                     cloched, cloche-gate          DNS, sites, metadata, private services
    sandboxes        "host" 10.215.0.1 ——veth—— 10.215.0.2 "internet"
                            fd00:215::1            fd00:215::2

allowed.example and other.example are two HTTPS sites on one address (as behind a shared front)."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from cloche_harness import (Daemon, Failed, PYTHON, ROOT, Sandbox, check_equal, read_text, wait_exit,
                            wait_readable)
from named_internet_server import RESOLVER

FRONT4, FRONT6 = "198.51.100.10", "2001:db8::10"  # of the shared front
ELSEWHERE4, ELSEWHERE6 = "203.0.113.20", "2001:db8::20"
SITES = ["allowed.example", "other.example", "strict.example", "a.cdn.example"]
CA_INSIDE = "/tmp/test-ca.pem"
ENV = {"SSL_CERT_FILE": CA_INSIDE, "CURL_CA_BUNDLE": CA_INSIDE, "NODE_EXTRA_CA_CERTS": CA_INSIDE,
       "GIT_SSL_CAINFO": CA_INSIDE}


def policy(name, *rules):
    return {"version": 1, "name": name, "description": "Of the test internet of names.",
            "network": {"allow": [{"name": rule} if isinstance(rule, str) else rule for rule in rules]}}


NAMES = policy("names", "allowed.example", "*.cdn.example", "alias.example", "v4only.example",
               "v6only.example", "rebind.example", "nowhere.example", "big.example", "plain.example",
               {"name": "strict.example", "tls": "require"},
               {"name": "raw.example", "ports": [7], "tls": "passthrough"},
               {"name": "inner.example", "private": True}, {"name": "*.inner.example", "private": True})
OTHERS = policy("others", "other.example")
BOTH = policy("both", "allowed.example", "other.example")


class Namespace:
    """A server in a network namespace of its own, spoken to by lines of JSON."""

    def __init__(self, *arguments):
        self.server = subprocess.Popen(
            ["/usr/bin/unshare", "--net", PYTHON, f"{ROOT}/tests/system/named_internet_server.py",
             *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.pid = self.server.pid

    def read(self):
        if not wait_readable([self.server.stdout]):
            raise Failed("a server of the test internet does not answer")
        line = self.server.stdout.readline()
        if not line:
            raise Failed(f"a server of the test internet ended with {wait_exit(self.server, 5)}")
        return json.loads(line)

    def write(self, order):
        self.server.stdin.write(json.dumps(order).encode() + b"\n")
        self.server.stdin.flush()

    def ask(self, **order):
        self.write(order)
        return self.read()

    def close(self):
        with contextlib.suppress(OSError):
            self.server.stdin.close()
        if wait_exit(self.server, 5) is None:
            self.server.kill()
            wait_exit(self.server)
        self.server.stdout.close()


class NamedInternet:
    """`sites`: names of more sites, each with files of its own (put_site_file)."""

    def __init__(self, sites=()):
        self.sites = [*SITES, *sites]
        self.directory = tempfile.mkdtemp(prefix="cloche-names-")
        self.parts = []
        try:
            self._make_certificates()
            self._make_repository()
            self.internet = self._add("internet", self.directory)
            self.host = self._add("host")
            self._connect()
            self._fill_zone()
        except BaseException:
            self.close()
            raise

    def _add(self, *arguments):
        part = Namespace(*arguments)
        self.parts.append(part)
        check_equal(part.read(), "started", "the test internet")
        return part

    def _connect(self):
        subprocess.run(["/usr/bin/nsenter", f"--net=/proc/{self.host.pid}/ns/net", "ip", "link", "add",
                        "uplink", "type", "veth", "peer", "name", "downlink", "netns",
                        str(self.internet.pid)], check=True, timeout=10)
        self.internet.write("downlink")
        self.host.write("uplink")
        for part in self.parts:
            check_equal(part.read(), "listening", "the test internet")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *arguments],
                       check=True, timeout=60, capture_output=True, cwd=self.directory)

    def _make_certificates(self):
        """A certificate authority that lives as long as the test, and a certificate for each site."""
        self._openssl("-subj", "/CN=Cloche test", "-keyout", "ca.key", "-out", "ca.pem")
        for name in self.sites:
            self._openssl("-CA", "ca.pem", "-CAkey", "ca.key", "-subj", f"/CN={name}", "-addext",
                          f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE",
                          "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def _make_repository(self):
        def git(*words, **more):
            subprocess.run(["git", *words], check=True, timeout=60, capture_output=True, **more,
                           env={"PATH": os.environ["PATH"], "HOME": self.directory,
                                "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "t",
                                "GIT_AUTHOR_EMAIL": "t@allowed.example", "GIT_COMMITTER_NAME": "t",
                                "GIT_COMMITTER_EMAIL": "t@allowed.example"})
        work, bare = f"{self.directory}/work", f"{self.directory}/repo.git"
        git("init", "-q", "-b", "main", work)
        with open(f"{work}/README", "w", encoding="utf-8") as file:
            file.write("cloned through the gate\n")
        git("add", "README", cwd=work)
        git("commit", "-q", "-m", "one", cwd=work)
        git("clone", "-q", "--bare", work, bare)
        git("update-server-info", cwd=bare)

    def put_file(self, path, data):
        """A file that every site serves as /files/PATH; a folder is served as its index.html."""
        self._put(f"{self.directory}/files/{path}", data)

    def put_site_file(self, site, path, data):
        """The same, which `site` alone serves, as /PATH. Whoever has one serves nothing else."""
        self._put(f"{self.directory}/sites/{site}/{path}", data)

    def put_site_repository(self, site, path):
        """A repository that is cloned from https://SITE/PATH."""
        shutil.copytree(f"{self.directory}/repo.git", f"{self.directory}/sites/{site}/{path}")

    @staticmethod
    def _put(place, data):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)

    def _fill_zone(self):
        both = {"A": [FRONT4], "AAAA": [FRONT6]}
        for name in self.sites + ["plain.example", "raw.example", "target.example"]:
            self.answer(name, both)
        self.answer("alias.example", {"CNAME": "target.example"})
        self.answer("v4only.example", {"A": [FRONT4]})
        self.answer("v6only.example", {"AAAA": [FRONT6]})
        self.answer("big.example", {"A": [FRONT4]}, truncate=True)
        self.answer("inner.example", {"A": ["10.9.9.9"], "AAAA": ["fd00:9::9"]})

    def answer(self, name, *answers, types=None, **how):
        """What the DNS server says for `name`: one answer after the other, the last one for ever."""
        by_type = {"": list(answers), **(types or {})}
        check_equal(self.internet.ask(op="answer", name=name, answers=by_type, how=how), "done", "answer")

    def forget(self, name):
        self.internet.ask(op="forget", name=name)

    def seen(self, *kinds):
        """What reached the internet since the last call."""
        rows = self.internet.ask(op="seen")
        return [row for row in rows if not kinds or row["kind"] in kinds]

    def host_seen(self):
        """What reached the host that cloched runs on: always nothing."""
        return self.host.ask(op="seen")

    @property
    def certificate(self):
        return read_text(f"{self.directory}/ca.pem").encode()

    def close(self):
        for part in reversed(self.parts):
            part.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class NamedDaemon(Daemon):
    """cloched on the host of the test internet, with its DNS server as the only resolver."""

    def __init__(self, internet, policies, resolver=f"{RESOLVER}:53", **more):
        super().__init__(policies=policies, arguments=["--resolver", resolver],
                         **{"pool": "python=2", **more})
        self.internet = internet

    def command(self):
        return ["/usr/bin/nsenter", f"--net=/proc/{self.internet.host.pid}/ns/net", *super().command()]

    def create(self, env=None, **body):
        """A sandbox that trusts the test's certificate authority."""
        made = self.client.create(env={**ENV, **(env or {})}, **body)
        made.put(CA_INSIDE, self.internet.certificate)
        return made


INSIDE = read_text(f"{ROOT}/tests/system/named_inside.py")


def inside(where: Sandbox, code, **body):
    """Runs `code` with the functions of named_inside.py; returns what it printed."""
    return where.python(INSIDE + "\n" + code, timeout_seconds=60, **body).strip()


def inside_json(where, code, **body):
    return json.loads(inside(where, code, **body))


class Running:
    """A program inside that is followed line by line while it runs."""

    def __init__(self, where, code):
        body = {"argv": ["python3", "-u", "-c", INSIDE + "\n" + code], "timeout_seconds": 60}
        self._stack = contextlib.ExitStack()
        self._response = self._stack.enter_context(where.client.stream(
            "POST", f"{where.path}/exec", body, {"Accept": "application/x-ndjson"}))
        check_equal(self._response.status, 200, "status of exec")
        self._text = ""
        self._ended = None

    def line(self):
        """The next line of output; None at the end."""
        while "\n" not in self._text and self._ended is None:
            row = json.loads(self._response.readline() or '{"type": "exit", "reason": "broken"}')
            if row["type"] == "stdout":
                self._text += row["data"]
            elif row["type"] == "stderr":
                self._text += "".join(f"stderr: {text}\n" for text in row["data"].splitlines())
            elif row["type"] == "exit":
                self._ended = row
        if "\n" not in self._text:
            return None
        line, _, self._text = self._text.partition("\n")
        return line

    def expect(self, line):
        check_equal(self.line(), line, "line")

    def close(self):
        self._stack.close()


@contextlib.contextmanager
def following(where, code):
    made = Running(where, code)
    try:
        yield made
    finally:
        made.close()
