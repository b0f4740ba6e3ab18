"""A test internet of addresses, what a policy says of it, and connections to it from inside."""

import json
import os
import subprocess

from cloche_harness import PYTHON, ROOT, Failed, check_equal, fixture, until, wait_exit, wait_readable


class Internet:
    """A network namespace with a server in it, behind a veth pair: 10.214.N.2 and fd00:214:N::2, which
    are private, and 203.0.113.N (RFC 5737), which stands for a public address."""

    def __init__(self):
        self.number = os.getpid() % 250 + 1
        self.link = f"clt{os.getpid()}"
        self.v4, self.v6 = f"10.214.{self.number}.2", f"fd00:214:{self.number}::2"
        self.public = f"203.0.113.{self.number}"
        self.server = subprocess.Popen(
            ["/usr/bin/unshare", "--net", PYTHON, f"{ROOT}/tests/system/internet_server.py"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        try:
            self._expect("started")
            self._connect()
            self._expect("listening")
        except BaseException:
            self.close()
            raise

    def _connect(self):
        n, link = self.number, self.link
        peer = f"{link}p"
        for line in [f"link add {link} type veth peer name {peer} netns {self.server.pid}",
                     f"address add 10.214.{n}.1/30 dev {link}",
                     f"address add fd00:214:{n}::1/64 dev {link} nodad",
                     f"link set {link} up",
                     f"route add 203.0.113.{n}/32 dev {link}"]:
            subprocess.run(["ip", *line.split()], check=True, timeout=10)
        self.server.stdin.write(f"{peer} {n}\n".encode())
        self.server.stdin.flush()

    def _expect(self, word):
        if not wait_readable([self.server.stdout]):
            raise Failed(f"the test internet did not say {word!r}")
        line = self.server.stdout.readline().decode().strip()
        check_equal(line, word, "the test internet")

    def seen(self):
        """What reached the server since the last call: a list of {"protocol", "port", "peer"}."""
        self.server.stdin.write(b"seen\n")
        self.server.stdin.flush()
        if not wait_readable([self.server.stdout]):
            raise Failed("the test internet does not answer")
        return json.loads(self.server.stdout.readline())

    def close(self):
        self.server.stdin.close()
        if wait_exit(self.server, 5) is None:
            self.server.kill()
            wait_exit(self.server)
        self.server.stdout.close()
        until(lambda: not os.path.exists(f"/sys/class/net/{self.link}"), "the veth goes", 10)


@fixture
def internet():
    made = Internet()
    yield made
    made.close()


def web(ports, name="web"):
    """A policy with one rule for each of the server's ports."""
    return {"version": 1, "name": name,
            "network": {"allow": [{"cidr": f"{internet().v4}/32", "ports": [port]} for port in ports]}}


def connect(sandbox, port):
    """Connects to the server from inside: "ok" or the errno's name."""
    return sandbox.python("import socket, errno\ns = socket.socket(); s.settimeout(20)\n"
                          f"r = s.connect_ex(('{internet().v4}', {port}))\n"
                          "print(errno.errorcode.get(r, 'ok'))").strip()
