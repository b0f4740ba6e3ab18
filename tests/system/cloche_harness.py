"""The frame of the system ring: real binaries, driven over HTTP on the unix socket.

A test file registers functions with @test and ends with main(). A test ends as failed when it raises,
as skipped by skip(). What several tests share (a daemon, a test internet) is made by @fixture
functions, once, when first asked for, and is taken down at the end; taking down checks that nothing
is left. There is no sleep in here: everything waits for an event (READY=1, a line, a process's end),
or, where there is none, asks again until a deadline (until())."""

import base64
import contextlib
import glob
import hashlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.path.join(ROOT, os.environ.get("B", "build")))
PYTHON = "/usr/bin/python3"
EVENTS_BYTES_MAX = 4 << 20  # of one page (api/v1/events.c)
# For anything that should take milliseconds; more on machines that are slow, as emulated ones.
PATIENCE = float(os.environ.get("CLOCHE_TEST_PATIENCE", "1"))  # how many times slower the processor is, or so
DEADLINE_S = 30.0 * PATIENCE

DENY_ALL = {"version": 1, "name": "deny-all", "description": "Nothing leaves.",
            "network": {"allow": []}}


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def skip(reason):
    raise Skipped(reason)


def check(condition, text):
    if not condition:
        raise Failed(text)


def check_equal(actual, expected, what="value"):
    if actual != expected:
        raise Failed(f"{what} is {actual!r}, expected {expected!r}")


def check_in(part, whole, what="value"):
    if part not in whole:
        raise Failed(f"{what}: {part!r} is not in {whole!r}")


def until(ask, what, deadline_s=DEADLINE_S):
    """Asks until the answer is true, for states that no event tells. Returns the answer."""
    end = time.monotonic() + deadline_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"not within {deadline_s} s: {what}")
        time.sleep(0.01)


# ---- registering and running

_tests = []
_fixtures = []


def test(function):
    _tests.append(function)
    return function


def fixture(function):
    """Makes `function`, a generator that yields one value, into a call that makes it only once."""
    state = {}

    def get():
        if "failure" in state:
            raise Failed(f"{function.__name__} could not be made: {state['failure']}")
        if "value" not in state:
            generator = function()
            try:
                state["value"] = next(generator)
            except BaseException as failure:
                state["failure"] = failure
                raise
            _fixtures.append((function.__name__, generator))
        return state["value"]

    return get


def _run_one(function):
    """Returns "ok", "not ok" or "skip" and why."""
    try:
        function()
        return "ok", None
    except Skipped as skipped:
        return "skip", str(skipped)
    except Failed as failed:
        frames = [f for f in traceback.extract_tb(failed.__traceback__)
                  if not f.filename.endswith(("cloche_harness.py", "/internet.py"))]
        place = frames[-1] if frames else traceback.extract_tb(failed.__traceback__)[-1]
        return "not ok", f"{os.path.basename(place.filename)}:{place.lineno}: {failed}"
    except Exception as failure:  # a broken test must not hide the others
        place = traceback.extract_tb(failure.__traceback__)[-1]
        return "not ok", (f"{os.path.basename(place.filename)}:{place.lineno}: "
                          f"{type(failure).__name__}: {failure}")


def _stop_orderly(_number, _frame):
    raise SystemExit("ended by a signal")


def main():
    for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
        signal.signal(number, _stop_orderly)
    try:
        failed = _run_all()
    finally:
        failed_taking_down = _take_down()
    sys.exit(1 if failed or failed_taking_down else 0)


def _run_all():
    words = sys.argv[1:] or [""]
    program = os.path.basename(sys.argv[0])
    failed = False
    for function in _tests:
        if any(word in function.__name__ or word in program for word in words):
            verdict, why = _run_one(function)
            line = " ".join(why.split())[:1500] if why else None
            print(f"{verdict} {function.__name__}" + (f": {line}" if line else ""), flush=True)
            failed = failed or verdict == "not ok"
    return failed


def _take_down():
    failed = False
    while _fixtures:
        name, generator = _fixtures.pop()
        verdict, why = _run_one(lambda g=generator: next(g, None))
        if verdict != "ok":
            print(f"not ok takes_down_{name}: {' '.join(why.split())}", flush=True)
            failed = True
    return failed


# ---- waiting for processes and sockets

def wait_readable(fds, deadline_s=DEADLINE_S):
    """Returns those of `fds` that can be read; empty at the deadline."""
    return select.select(fds, [], [], deadline_s)[0]


def wait_exit(process, deadline_s=DEADLINE_S):
    """Waits for a Popen's end by its pidfd. Returns its code, None at the deadline."""
    if process.poll() is not None:
        return process.returncode
    pidfd = os.pidfd_open(process.pid)
    try:
        if not wait_readable([pidfd], deadline_s):
            return None
        return process.wait()
    finally:
        os.close(pidfd)


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def child_named(pid, name):
    """The child of `pid` whose comm is `name`."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = read_text(f"/proc/{entry}/stat")
                comm = stat[stat.index("(") + 1:stat.rindex(")")]
                if comm == name and int(stat[stat.rindex(")") + 2:].split()[1]) == pid:
                    return int(entry)
    raise Failed(f"process {pid} has no child {name}")


# ---- HTTP

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # blocking: with a time-out Python would ask without waiting, and a full backlog is EAGAIN then
        self.sock.connect(self.path)
        self.sock.settimeout(self.timeout)


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as failure:
            raise Failed(f"no JSON ({failure}): {self.status} {self.body[:300]!r}") from None

    def expect(self, status):
        if self.status != status:
            raise Failed(f"status {self.status}, expected {status}: {self.body[:600]!r}")
        return self

    def problem(self, status, slug):
        """Checks an error answer (RFC 9457) and returns its sentence."""
        self.expect(status)
        check_equal(self.headers.get("Content-Type"), "application/problem+json", "Content-Type")
        check_equal(self.json.get("type"), f"urn:cloche:error:{slug}", "type")
        check_equal(self.json.get("status"), status, "status in the body")
        check(self.json.get("title"), "the problem has no title")
        check(len(self.json.get("detail", "")) > 10, f"no sentence: {self.body!r}")
        return self.json["detail"]


class Client:
    """Speaks for one key."""

    def __init__(self, socket_path, key):
        self.socket_path = socket_path
        self.key = key

    def connect(self, timeout=DEADLINE_S):
        return UnixConnection(self.socket_path, timeout)

    def headers(self, more=None):
        own = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {**own, **(more or {})}

    def request(self, method, path, body=None, headers=None, raw=None):
        connection = self.connect()
        try:
            data = raw
            more = dict(headers or {})
            if body is not None:
                data = json.dumps(body).encode()
                more.setdefault("Content-Type", "application/json")
            connection.request(method, path, data, self.headers(more))
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body if body is not None else {}, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    @contextlib.contextmanager
    def stream(self, method, path, body=None, headers=None):
        """An answer that is read while it comes."""
        connection = self.connect()
        try:
            more = dict(headers or {})
            data = None
            if body is not None:
                data = json.dumps(body).encode()
                more.setdefault("Content-Type", "application/json")
            connection.request(method, path, data, self.headers(more))
            yield connection.getresponse()
        finally:
            connection.close()

    def create(self, **body):
        return Sandbox(self, self.post("/v1/sandboxes", body).expect(201).json)

    @contextlib.contextmanager
    def sandbox(self, **body):
        sandbox = self.create(**body)
        try:
            yield sandbox
        finally:
            sandbox.delete()

    def events(self, **query):
        """All records that match, oldest first. Asking makes records itself (api.call), so the end is
        the first page that is not full."""
        found = []
        limit = query.setdefault("limit", 10000)
        while True:
            text = "&".join(f"{key}={value}" for key, value in query.items())
            answer = self.get(f"/v1/events?{text}").expect(200)
            rows = [json.loads(line) for line in answer.body.splitlines()]
            found += rows
            if len(rows) < limit and len(answer.body) < EVENTS_BYTES_MAX:
                return found
            query["after"] = int(answer.headers["Cloche-Next"])

    def last_sequence(self):
        """Of all records: a query that matches nothing looks at every one."""
        answer = self.get("/v1/events?type=nothing").expect(200)
        return int(answer.headers["Cloche-Next"])

    def wait_event(self, matches, deadline_s=DEADLINE_S, **query):
        """Follows the log until a record matches; returns it."""
        text = "&".join(f"{k}={v}" for k, v in {**query, "follow": "true"}.items())
        end = time.monotonic() + deadline_s
        with self.stream("GET", f"/v1/events?{text}") as response:
            check_equal(response.status, 200, "status of follow")
            while time.monotonic() < end:
                line = response.readline()
                if line.strip():
                    record = json.loads(line)
                    if matches(record):
                        return record
        raise Failed(f"no such event within {deadline_s} s: {query}")


class Sandbox:
    def __init__(self, client, row):
        self.client = client
        self.row = row
        self.id = row["id"]
        self.path = f"/v1/sandboxes/{self.id}"

    def try_exec(self, argv=None, **body):
        if argv is not None:
            body["argv"] = argv
        return self.client.post(f"{self.path}/exec", body)

    def exec(self, argv=None, **body):
        return self.try_exec(argv, **body).expect(200).json

    def sh(self, text, **body):
        """Runs shell text that must succeed; returns its output."""
        done = self.exec(command=text, **body)
        if done["exit_code"] != 0:
            raise Failed(f"{text!r} ended with {done}")
        return done["stdout"]

    def python(self, code, **body):
        """Runs Python that must succeed; returns its output."""
        done = self.exec(["python3", "-c", code], **body)
        if done["exit_code"] != 0:
            raise Failed(f"python ended with {done}")
        return done["stdout"]

    def put(self, path, data):
        """Writes a program into the sandbox by standard input."""
        done = self.exec(["sh", "-c", f"cat > {path} && chmod 755 {path}"],
                         stdin_base64=base64.b64encode(data).decode())
        check_equal(done["exit_code"], 0, f"writing {path}: {done}")

    def get(self):
        return self.client.get(self.path)

    def usage(self):
        return self.client.get(f"{self.path}/usage").expect(200).json["usage"]

    def delete(self):
        return self.client.delete(self.path)


def probe(name):
    """A static program of tests/probe, as bytes."""
    path = f"{BUILD}/tests/probe/{name}"
    if not os.path.exists(path):
        raise Failed(f"{path} is not built: run make")
    with open(path, "rb") as file:
        return file.read()


# ---- the daemon

_n_daemons = 0


class Daemon:
    """cloched in directories of its own. `policies`: a list of policy objects beside deny-all."""

    def __init__(self, policies=(), pool="python=2,node=1,shell=2", listen="none", arguments=()):
        global _n_daemons
        _n_daemons += 1
        self.instance = f"test-{os.getpid()}-{_n_daemons}"
        self.directory = tempfile.mkdtemp(prefix="cloche-test-")
        self.run_dir = f"/run/cloche-{self.instance}"
        self.state_dir = f"{self.directory}/state"
        self.policy_dir = f"{self.directory}/policies"
        self.socket_path = f"{self.run_dir}/api.sock"
        self.pool, self.listen, self.arguments = pool, listen, list(arguments)
        self.process = None
        self.log_path = f"{self.directory}/cloched.log"
        os.mkdir(self.policy_dir)
        for policy in [DENY_ALL, *policies]:
            self.write_policy(policy)

    def write_policy(self, policy, text=None):
        with open(f"{self.policy_dir}/{policy['name']}.json", "w", encoding="utf-8") as file:
            file.write(text if text is not None else json.dumps(policy, indent=2))

    def command(self):
        return [f"{BUILD}/cloched", "--instance", self.instance, "--state-dir", self.state_dir,
                "--run-dir", self.run_dir, "--policy-dir", self.policy_dir, "--listen", self.listen,
                "--pool", self.pool, "--log-level", "debug", *self.arguments]

    def start(self):
        if not os.path.exists(f"{BUILD}/cloched"):
            raise Failed(f"{BUILD}/cloched is not built: run make")
        path = f"{self.directory}/notify"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, "NOTIFY_SOCKET": path}, start_new_session=True)
            self._wait_ready(notify)
        self.client = Client(self.socket_path, read_text(f"{self.state_dir}/admin.key").strip())
        return self

    def _wait_ready(self, notify):
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while True:
                readable = wait_readable([notify, pidfd])
                if notify in readable:
                    if b"READY=1" in notify.recv(4096):
                        return
                elif pidfd in readable:
                    raise Failed(f"cloched ended with {self.process.wait()}: {self.log_tail()}")
                else:
                    raise Failed(f"cloched was not ready in time: {self.log_tail()}")
        except Failed:
            self.kill()
            raise
        finally:
            os.close(pidfd)

    def log_tail(self):
        return " | ".join(read_text(self.log_path).splitlines()[-12:])

    def kill(self):
        """kill -9, as a crash."""
        if self.process.poll() is None:
            self.process.kill()
        wait_exit(self.process)

    def stop(self):
        """Ends cloched as systemd would and checks that nothing of it is left."""
        self.process.send_signal(signal.SIGTERM)
        code = wait_exit(self.process)
        if code is None:
            self.kill()
            raise Failed(f"cloched did not end on SIGTERM: {self.log_tail()}")
        check_equal(code, 0, f"exit code on SIGTERM ({self.log_tail()})")
        until(lambda: not self.leftovers(), f"left behind: {self.leftovers()}", 5)

    def pins(self):
        return (glob.glob(f"/sys/fs/bpf/cloche-{self.instance}/set-*/*")
                + glob.glob(f"{self.run_dir}/bpf/cloche/set-*/*"))

    def leftovers(self):
        found = [path for path in self.cgroups()]
        found += [line.split()[4] for line in read_text("/proc/self/mountinfo").splitlines()
                  if self.instance in line]
        pins = f"/sys/fs/bpf/cloche-{self.instance}"
        return found + ([pins] if os.path.exists(pins) else [])

    def tcp_port(self):
        """The TCP port that cloched listens on (--listen 127.0.0.1:0)."""
        inodes = set()
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(f"/proc/{self.process.pid}/fd/{fd}"))
        for line in read_text("/proc/net/tcp").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                return int(words[1].split(":")[1], 16)
        raise Failed("cloched listens on no TCP port")

    def cgroups(self):
        folders = ["/sys/fs/cgroup"] + [f"/sys/fs/cgroup/{name}" for name in
                                        os.listdir("/sys/fs/cgroup")]
        paths = [f"{folder}/cloche-{self.instance}" for folder in folders]
        return [path for path in paths if os.path.isdir(path)]

    def close(self):
        """Stops if it runs; after a crash, has a successor tidy up. Takes the directories away."""
        try:
            left = self.leftovers() if self.process and self.process.poll() is not None else []
            if left:
                try:
                    self.start()
                except Failed:
                    raise Failed(f"left behind by a cloched that ended: {left}") from None
            if self.process and self.process.poll() is None:
                self.stop()
            self._check_sanitizer()
        finally:
            self._take_away_leftovers()
            shutil.rmtree(self.directory, ignore_errors=True)
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def _check_sanitizer(self):
        """When built with -fsanitize=address, what it found is in the log."""
        lines = read_text(self.log_path).splitlines()
        for number, line in enumerate(lines):
            if "ERROR: AddressSanitizer" in line:
                raise Failed(" | ".join(lines[number:number + 14]))

    def _take_away_leftovers(self):
        """Of this test's own instance only; whoever calls has told of them."""
        for line in reversed(read_text("/proc/self/mountinfo").splitlines()):
            if line.split()[4].startswith(f"{self.run_dir}/"):
                subprocess.run(["umount", "-l", line.split()[4]], check=False, timeout=10)
        for top in self.cgroups():
            with contextlib.suppress(OSError):
                write_text(f"{top}/cgroup.kill", "1")  # sandboxes that nobody took back
                until(lambda t=top: "populated 0" in read_text(f"{t}/cgroup.events"), "they end", 5)
        for top in self.cgroups():
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)

    def tenant(self, name, policy=None, **more):
        """Makes a tenant and a key for it; returns a client."""
        body = {"name": name, **({"policy": policy} if policy else {}), **more}
        self.client.post("/v1/tenants", body).expect(201)
        key = self.client.post("/v1/keys", {"tenant": name}).expect(201).json["key"]
        return Client(self.socket_path, key)

    def wait_warm(self, template, n=1):
        def enough():
            rows = self.client.get("/v1/templates").expect(200).json["templates"]
            row = next(row for row in rows if row["name"] == template)
            if not row["available"]:
                skip(f"template {template} is not available here: {row['reason']}")
            return row["warm"] >= n
        until(enough, f"{n} warm {template}")

    def audit_lines(self):
        """The log as it is on the disk."""
        return [json.loads(line) for line in self.audit_text().splitlines()]

    def audit_segments(self):
        """The paths of the log's files, oldest first."""
        return sorted(glob.glob(f"{self.state_dir}/audit/log/*.jsonl"))

    def audit_text(self):
        return "".join(read_text(path) for path in self.audit_segments())


@contextlib.contextmanager
def running(**arguments):
    daemon = Daemon(**arguments)
    try:
        yield daemon.start()
    finally:
        daemon.close()


# ---- a test internet

def pattern(size_bytes):
    """The bytes that the server's port 19 sends: the same for the same size."""
    block = hashlib.sha256(b"cloche").digest() * 2048
    return (block * (size_bytes // len(block) + 1))[:size_bytes]
