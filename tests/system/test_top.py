#!/usr/bin/python3
"""cloche top on a terminal, and cloche usage as CSV."""

import csv
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from cloche_harness import BUILD, DEADLINE_S, Daemon, Failed, check, check_equal, check_in, fixture, main, test

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


@fixture
def daemon():
    made = Daemon(pool="python=1,shell=2")
    yield made.start()
    made.close()


def client():
    return daemon().client


def environment(key):
    return {"PATH": "/usr/bin:/bin", "CLOCHE_URL": f"unix://{daemon().socket_path}", "CLOCHE_KEY": key.key}


def cloche(*words, key=None, code=0):
    done = subprocess.run([f"{BUILD}/cloche", *words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env=environment(key or client()))
    check_equal(done.returncode, code, f"exit code of {words}: {done.stderr}")
    return done.stdout if code == 0 else done.stderr


class Terminal:
    """A program on a terminal of its own, and what it wrote."""

    def __init__(self, *words, lines=24, columns=120):
        self.master, slave = pty.openpty()
        self.resize(lines, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = ""
        self.process = subprocess.Popen([f"{BUILD}/cloche", *words], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment(client()), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, pattern):
        """What came since the last call, up to the pattern."""
        end = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.text):
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise Failed(f"no {pattern!r} in {self.text[-2000:]!r}")
            self.text += os.read(self.master, 65536).decode()
        match = re.search(pattern, self.text)
        seen, self.text = self.text[:match.end()], self.text[match.end():]
        return seen

    def press(self, key):
        os.write(self.master, key.encode())

    def end(self):
        code = self.process.wait(DEADLINE_S)
        after = termios.tcgetattr(self.slave)
        self.read_until(re.escape(LEAVE))
        check_equal(after, self.before, "the terminal afterwards")
        os.close(self.slave)
        os.close(self.master)
        return code


@test
def top_draws_sorts_follows_the_size_and_gives_the_terminal_back():
    with client().sandbox(labels={"x": "1"}) as busy, client().sandbox(template="shell") as idle:
        busy.python("x = bytearray(8 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1")
        screen = Terminal("top", "--interval", "0.2")
        first = screen.read_until(r"quit\S*\s")
        check_in(ENTER, first, "own screen")
        check_in("2 sandboxes", first, "sum")
        check_in("by CPU", first, "order")
        attributes = termios.tcgetattr(screen.slave)
        check(not attributes[3] & (termios.ECHO | termios.ICANON), "keys are taken one by one")
        screen.read_until(busy.id)
        screen.press("a")
        screen.read_until("by age")
        rows = screen.read_until(rf"{busy.id}[\s\S]*{idle.id}")
        check("\x1b[2J" not in rows, "the page is drawn over, not cleared: no flicker")
        screen.press("r")
        screen.read_until("by age, reversed")
        screen.read_until(rf"{idle.id}[\s\S]*{busy.id}")
        screen.resize(5, 40)
        # Pages of the old size may be on their way; this is the first whose second line is cut.
        narrow = screen.read_until(r"\x1b\[H[^\n]*\nby age[^\n]{1,40}\n[\s\S]*?\x1b\[J")
        lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", narrow.split("\x1b[H")[-1]).replace("\r", "").split("\n")
        check(len(lines) <= 5 and max(len(line) for line in lines) <= 40, f"5 lines of 40: {lines}")
        screen.press("q")
        check_equal(screen.end(), 0, "exit code of q")


@test
def top_gives_the_terminal_back_on_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        screen = Terminal("top")
        screen.read_until("quit")
        screen.process.send_signal(number)
        check_equal(screen.end(), 128 + number, f"exit code of {number}")
    screen = Terminal("top")
    screen.read_until("quit")
    screen.press("\x03")
    check_equal(screen.end(), 128 + signal.SIGINT, "exit code of Ctrl-C")


@test
def top_once_is_one_plain_page():
    with client().sandbox() as sandbox:
        text = cloche("top", "--once", "--interval", "0.2", "--sort", "m")
        check("\x1b" not in text, "no control sequences")
        lines = text.splitlines()
        check_in("1 sandbox ", lines[0], "sum")
        check_equal(lines[1].split()[0], "SANDBOX", "heading")
        check_equal([line.split()[:2] for line in lines[2:]], [[sandbox.id, "admin"]], "rows")
    check_in("no terminal", cloche("top", code=2), "not on a terminal")
    check_in("--sort", cloche("top", "--once", "--sort", "x", code=2), "another key")


@test
def top_of_a_tenants_key_shows_its_own():
    mine, other = daemon().tenant("mine"), daemon().tenant("other")
    with mine.sandbox(template="shell") as sandbox:
        check_in(sandbox.id, cloche("top", "--once", "--interval", "0.2", key=mine), "its own")
        check(sandbox.id not in cloche("top", "--once", "--interval", "0.2", key=other), "another's")
        check_in(sandbox.id, cloche("top", "--once", "--interval", "0.2", "--tenant", "mine"), "by name")


def table(*words, key=None):
    return list(csv.DictReader(io.StringIO(cloche("usage", "--csv", *words, key=key), newline="")))


@test
def usage_as_csv_is_what_the_api_says():
    acme = daemon().tenant("acme")
    odd = 'a,"b"'
    with acme.sandbox(template="shell", labels={"job": "=1+1"}) as one, \
            acme.sandbox(template="shell", labels={"job": odd}) as two:
        one.sh("/bin/true")
        two.sh("/bin/true; /bin/true")
        row, = table(key=acme)
        check_equal((row["tenant"], row["execs"], row["sandboxes"]), ("acme", "5", "2"), "a tenant")
        rows = {row["value"]: row for row in table("--group-by", "label:job", key=acme)}
        check_equal(set(rows), {"'=1+1", odd, ""}, "labels, a formula made harmless")
        check_equal((rows["'=1+1"]["execs"], rows[odd]["execs"], rows[""]["execs"]), ("2", "3", "0"), "programs")
        rows = table("--group-by", "sandbox", key=acme)
        check_equal({row["sandbox"] for row in rows}, {one.id, two.id}, "sandboxes")
        rows = table("--since", "5m", "--step", "60", key=acme)
        check(5 <= len(rows) <= 6, f"{len(rows)} steps")
        check_equal(sum(int(row["execs"]) for row in rows), 5, "programs of all steps")
        row, = table("--all", "--since", "1h")[:1] or [None]
        check_in("since", row, "columns")
        row, = table(one.id, key=acme)
        check_equal(row["sandbox"], one.id, "one sandbox")
    text = cloche("usage", "--since", "10m", "--step", "300", key=acme)
    check_equal(text.splitlines()[0].split()[:2], ["SINCE", "SANDBOXES"], "a table")
    check_in("must be a time", cloche("usage", "--since", "yesterday", key=acme, code=1), "no time")
    check_in("one of", cloche("usage", "--all", "--group-by", "sandbox", code=2), "two at once")


if __name__ == "__main__":
    main()
