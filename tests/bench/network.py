"""The benchmark's network part: the same client and the same server, through the gate and beside it.

The test internet of tests/system gives three network namespaces; nothing of the machine's is used:

    gate_cidr  sandbox → gate → veth → server, allowed by an address rule: not looked into
    gate_name  the same by a name rule: every request is read by the gate
    veth       cloched's namespace → veth → server: what one veth pair costs
    routed     a namespace of its own → veth → cloched's namespace, forwarding → veth → server: how a
               container is connected (without address translation)

Ratios are of medians, above 1 where the gate is faster than the peer."""

import contextlib
import json
import os
import subprocess
import sys

from measures import kernel_kib, percentile, pss_of, settle, summary

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
from cloche_harness import BUILD, Failed, child_named, probe, until
from named_internet import FRONT4, NamedDaemon, NamedInternet, policy

TRAFFIC = f"{BUILD}/tests/probe/traffic"
INSIDE = "/tmp/traffic"
NAME = "plain.example"
DENIED = "198.51.99.1"
RULES = [10, 1000, 10000]
PEERS = ["veth", "routed"]
WORKERS = 8
FLOWS = 1000
FLOWS_EACH = 500  # a sandbox may have 512
MANY = 1000  # sandboxes with a connection each
AIM_RATIO = 0.7
AIM_CONNECT_NS = 200
MIB = 1 << 20
FILES = {"open_files": 4096}


def at(pid, *words):
    return ["/usr/bin/nsenter", f"--net=/proc/{pid}/ns/net", *words]


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Server:
    """tests/bench/server beside the sites of the test internet."""

    def __init__(self, internet):
        self.process = subprocess.Popen(at(internet.internet.pid, f"{BUILD}/tests/bench/server"),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Guest:
    """A network namespace as a container has it: behind a veth pair and a host that forwards."""

    def __init__(self, internet):
        host = internet.host.pid
        self.process = subprocess.Popen(["/usr/bin/unshare", "--net", "/bin/sh", "-c", "echo; exec cat"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.pid = self.process.pid
        run(*at(host, "ip", "link", "add", "guest", "type", "veth", "peer", "name", "eth0", "netns",
                str(self.pid)))
        for pid, line in [(host, "address add 10.216.0.1/30 dev guest"), (host, "link set guest up"),
                          (self.pid, "address add 10.216.0.2/30 dev eth0"),
                          (self.pid, "link set eth0 up"), (self.pid, "route add default via 10.216.0.1"),
                          (internet.internet.pid, "route add 10.216.0.0/30 via 10.215.0.1")]:
            run(*at(pid, "ip", *line.split()))
        run(*at(host, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Scene:
    def __init__(self, stack):
        def closing(made):
            stack.callback(made.close)
            return made

        self.stack = stack
        self.internet = closing(NamedInternet())
        self.server = closing(Server(self.internet))
        self.guest = closing(Guest(self.internet))
        self.daemon = closing(NamedDaemon(self.internet, self.policies(self.server.port)))
        self.daemon.arguments += ["--log-level", "warning"]
        self.daemon.start()
        self.sandbox = self.create("bench")
        self.by_name = self.sandbox.python(
            f"import socket; print(socket.gethostbyname('{NAME}'))").strip()

    @staticmethod
    def policies(port):
        made = [policy("bench", {"cidr": FRONT4, "ports": [port]}, {"name": NAME, "ports": [port]})]
        for n in RULES:
            rules = [{"cidr": f"20.{i >> 12}.{i >> 4 & 255}.{(i & 15) << 4}/28", "ports": [443]}
                     for i in range(n - 1)]
            made.append(policy(f"rules-{n}", *rules, {"cidr": "198.51.100.0/28", "ports": [port]}))
        for one in made:
            one["resources"] = FILES
        return made

    def create(self, name):
        made = self.daemon.client.create(policy=name)
        made.put(INSIDE, probe("traffic"))
        return made

    def inside(self, sandbox, *words):
        done = sandbox.exec([INSIDE, *map(str, words)], timeout_seconds=120, output_limit_bytes=8 * MIB)
        if done["exit_code"] != 0:
            raise Failed(f"traffic {words} inside: {done['stderr']}")
        return json.loads(done["stdout"])

    def traffic(self, path, order, *words):
        """Runs tests/probe/traffic on one of the paths."""
        if path in PEERS:
            return json.loads(run(*at(self.guest.pid if path == "routed" else self.internet.host.pid,
                                      TRAFFIC, order, FRONT4, str(self.server.port), NAME,
                                      *map(str, words))))
        address = FRONT4 if path == "gate_cidr" else self.by_name
        return self.inside(self.sandbox, order, address, self.server.port, NAME, *words)


def measure_paths(scene, rounds, scale, progress):
    """Rounds of every measure on every path in turn: {(measure, path): samples}."""
    samples = {}

    def take(measure, path, values):
        samples.setdefault((measure, path), []).extend(values)

    for number in range(rounds):
        for path in ["gate_cidr", "veth", "gate_name", "routed"]:
            one = scene.traffic(path, "new", 50 * scale, 1)
            take("connect", path, [ns / 1000 for ns in one["connect_ns"]])
            take("new_request", path, [ns / 1000 for ns in one["answer_ns"]])
            take("request", path, [ns / 1000 for ns in scene.traffic(path, "keep", 200 * scale, 1)
                                   ["answer_ns"]])
            for measure, order, n in [("new_requests_per_s", "new", 80), ("requests_per_s", "keep", 400)]:
                one = scene.traffic(path, order, n * scale, WORKERS)
                take(measure, path, [one["n"] / one["wall_ns"] * 1e9])
            one = scene.traffic(path, "bulk", 64 * scale * MIB)
            take("bulk_mib_per_s", path, [one["bytes"] / MIB / one["wall_ns"] * 1e9])
        progress(number + 1, rounds)
    return samples


def path_results(samples):
    results = {}
    for measure, path in samples:
        row = results.setdefault(measure, {})
        values = samples[measure, path]
        if measure.endswith("_per_s"):
            row[path] = {"n": len(values), "p50": round(percentile(values, 0.5), 1)}
        else:
            row[path] = summary(values)
    for measure, row in results.items():
        rate = measure.endswith("_per_s")
        row["ratios"] = {}
        for path in ("gate_cidr", "gate_name"):
            for peer in PEERS:
                ours, theirs = (row[name]["p50" if rate else "p50_us"] for name in (path, peer))
                row["ratios"][f"{path}/{peer}"] = round(ours / theirs if rate else theirs / ours, 2)
        row["aim_ratio"] = AIM_RATIO
    return results


def measure_connect(scene, rounds, n, progress):
    """connect() alone, in ns, under policies of many rules, and the same outside of any sandbox. Loopback
    asks no rule: over TCP it has also what packets cost inside, as a datagram socket it is the call alone.
    Differences are of the tenth percentile: what other programs add, the gate's work on the connection
    before included, is not the call's."""
    sandboxes = {rules: scene.create(f"rules-{rules}") for rules in RULES}
    samples = {}

    def take(name, answer, errno):
        if answer["errno"] != errno:
            raise Failed(f"connect {name} ended with errno {answer['errno']}")
        samples.setdefault(name, []).extend(answer["connect_ns"])

    for number in range(rounds):
        for kind in ("loopback", "datagram"):
            take(f"outside {kind}", json.loads(run(*at(scene.internet.host.pid, TRAFFIC, kind, str(n)))), 0)
            for rules, sandbox in sandboxes.items():
                take(f"{rules} {kind}", scene.inside(sandbox, kind, n), 0)
        for rules, sandbox in sandboxes.items():
            take(f"{rules} allowed",
                 scene.inside(sandbox, "connect", FRONT4, scene.server.port, n // 4), 0)
            take(f"{rules} denied", scene.inside(sandbox, "connect", DENIED, 443, n), 1)
        progress(number + 1, rounds)
    for sandbox in sandboxes.values():
        sandbox.delete()
    quiet = {name: percentile(values, 0.1) for name, values in samples.items()}

    def figures(label, kinds):
        return {kind: {"p10_ns": quiet[f"{label} {kind}"],
                       "p50_ns": percentile(samples[f"{label} {kind}"], 0.5)} for kind in kinds}

    results = {"n": len(samples["outside loopback"]), "outside": figures("outside", ["loopback", "datagram"])}
    for rules in RULES:
        results[f"rules_{rules}"] = {
            **figures(rules, ["loopback", "datagram", "allowed", "denied"]),
            "over_outside_ns": {kind: quiet[f"{rules} {kind}"] - quiet[f"outside {kind}"]
                                for kind in results["outside"]},
            "over_10_rules_ns": {kind: quiet[f"{rules} {kind}"] - quiet[f"{RULES[0]} {kind}"]
                                 for kind in ("allowed", "denied")}}
    results["aim_over_outside_ns"] = AIM_CONNECT_NS
    return results


@contextlib.contextmanager
def held_inside(scene, sandbox, n):
    body = {"argv": [INSIDE, "hold", FRONT4, str(scene.server.port), NAME, str(n)]}
    with scene.daemon.client.stream("POST", f"{sandbox.path}/exec", body,
                                    {"Accept": "application/x-ndjson"}) as response:
        while True:
            row = json.loads(response.readline() or '{"type": "end"}')
            if row["type"] == "stdout":
                break
            if row["type"] != "start":
                raise Failed(f"connections were not held inside: {row}")
        yield


@contextlib.contextmanager
def held_outside(scene, n):
    process = subprocess.Popen(
        at(scene.internet.host.pid, "prlimit", "--nofile=4096", TRAFFIC, "hold", FRONT4,
           str(scene.server.port), NAME, str(n)), stdout=subprocess.PIPE)
    try:
        if not process.stdout.readline():
            raise Failed("connections were not held outside")
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure_flows(scene):
    """Memory of an open connection: of the gate's process, and of the kernel beside the same without."""
    gate = child_named(scene.daemon.process.pid, "cloche-gate")
    sandboxes = [scene.create("bench") for _ in range(FLOWS // FLOWS_EACH)]
    kernel = settle(kernel_kib)
    with held_outside(scene, FLOWS):
        kernel_outside = (settle(kernel_kib) - kernel) / FLOWS
    kernel, process = settle(kernel_kib), pss_of(gate)
    with contextlib.ExitStack() as stack:
        for sandbox in sandboxes:
            stack.enter_context(held_inside(scene, sandbox, FLOWS_EACH))
        kernel_gate = (settle(kernel_kib) - kernel) / FLOWS
        gate_each = (pss_of(gate) - process) / FLOWS
    for sandbox in sandboxes:
        sandbox.delete()
    return {"n": FLOWS, "gate_pss_kib": round(gate_each, 2), "kernel_kib": round(kernel_gate, 2),
            "kernel_veth_kib": round(kernel_outside, 2)}


def flows_of(scene):
    """Open connections, as the gate counted them within the last second."""
    text = scene.daemon.client.get("/metrics").expect(200).body.decode()
    return next(int(float(line.split()[1])) for line in text.splitlines() if line.startswith("cloche_flows "))


def measure_many(scene, n, n_requests, progress):
    """Many sandboxes with an open connection each: what a connection takes of the gate and of the kernel,
    and how long a new one takes meanwhile. Each program is there before, and waits for a word."""
    gate = child_named(scene.daemon.process.pid, "cloche-gate")

    def request():
        return scene.traffic("gate_cidr", "new", n_requests, 1)

    before = request()
    sandboxes = []
    for number in range(n):
        sandboxes.append(scene.create("bench"))
        sandboxes[-1].try_exec([INSIDE, "hold", FRONT4, str(scene.server.port), NAME, "1", "/tmp/go"],
                               detach=True).expect(202)
        progress(number + 1, n)
    # The sandboxes' own work is done when each program waits at its FIFO.
    for sandbox in sandboxes:
        until(lambda: sandbox.exec(["test", "-p", "/tmp/go"])["exit_code"] == 0, "a program waits")
    kernel, process = settle(kernel_kib), pss_of(gate)
    for sandbox in sandboxes:
        sandbox.sh(": >/tmp/go")
    until(lambda: flows_of(scene) >= n, "all connections stand")
    row = {"n": n, "gate_pss_kib": round((pss_of(gate) - process) / n, 2),
           "kernel_kib": round((settle(kernel_kib) - kernel) / n, 2)}
    during = request()
    for measure, samples in [("connect", "connect_ns"), ("new_request", "answer_ns")]:
        row[measure] = {"alone": summary([ns / 1000 for ns in before[samples]]),
                        "meanwhile": summary([ns / 1000 for ns in during[samples]])}
    for sandbox in sandboxes:
        sandbox.delete()
    return row


def progress_on(what):
    def show(number, rounds):
        end = "\n" if number == rounds else ""
        print(f"\r{what}: round {number} of {rounds}", end=end, file=sys.stderr, flush=True)
    return show


def measure_network(quick):
    rounds, scale, n = (3, 1, 400) if quick else (10, 4, 2000)
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        scene = Scene(stack)
        results = path_results(measure_paths(scene, rounds, scale, progress_on("network")))
        results["connect_call"] = measure_connect(scene, rounds, n, progress_on("connect()"))
        results["memory_per_flow"] = measure_flows(scene)
        results["many_sandboxes"] = measure_many(scene, MANY // 10 if quick else MANY, 50 * scale,
                                                 progress_on("sandboxes with a connection"))
    results["load_1min_before"] = load
    return results


def print_network(results):
    print("{:<22}{:>12}{:>12}{:>12}{:>12}{:>10}{:>10}".format(
        "", "gate_cidr", "gate_name", "veth", "routed", "c/routed", "n/routed"))
    for measure, row in results.items():
        if not isinstance(row, dict) or "ratios" not in row:
            continue
        shares = ["p50"] if measure.endswith("_per_s") else ["p50_us", "p99_us"]
        for share in shares:
            cells = [f"{row[path][share]:.1f}" for path in ("gate_cidr", "gate_name", *PEERS)]
            ratios = [f"{row['ratios'][f'{path}/routed']:.2f}" for path in ("gate_cidr", "gate_name")]
            label = measure if share == "p50" else f"{measure} {share}"
            print("{:<22}{:>12}{:>12}{:>12}{:>12}{:>10}{:>10}".format(
                label, *cells, *(ratios if share != "p99_us" else ["", ""])))
    connect = results["connect_call"]
    for label in ["outside", *(f"rules_{rules}" for rules in RULES)]:
        print(f"connect() {label}: " + ", ".join(
            f"{kind} {row['p10_ns']} ns (p50 {row['p50_ns']})"
            for kind, row in connect[label].items() if "p10_ns" in row))
    memory = results["memory_per_flow"]
    print(f"memory per open connection at {memory['n']}: gate {memory['gate_pss_kib']} KiB, kernel "
          f"{memory['kernel_kib']} KiB (veth alone {memory['kernel_veth_kib']})")
    many = results["many_sandboxes"]
    print(f"{many['n']} sandboxes with a connection each: gate {many['gate_pss_kib']} KiB, kernel "
          f"{many['kernel_kib']} KiB a connection; connect and request meanwhile p50 "
          f"{many['new_request']['meanwhile']['p50_us']} us, p99 {many['new_request']['meanwhile']['p99_us']} us "
          f"(alone {many['new_request']['alone']['p50_us']} and {many['new_request']['alone']['p99_us']})")
