"""What the audit of system calls costs: the same work outside and inside, while the program is detached,
attached for somebody else, and counting and recording.

    outside, attached  what everybody on the host pays while one sandbox is audited
    inside, audited    the default set of a policy that says nothing

Each is a ratio to the same work with the program detached, inside to inside and outside to outside, by CPU
time, of the fastest tenth; the conditions take turns within one run."""

import contextlib
import json
import os
import subprocess
import sys
import time

from measures import percentile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
from cloche_harness import BUILD, DENY_ALL, Daemon, probe, until

AIMS = {"python": 1.02, "tar": 1.05}
AIM_OUTSIDE = 1.03
EACH = 4  # samples of a condition, before the next has its turn
# Runs a command and tells the CPU time of it and its children in microseconds.
TIMED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(round((used.ru_utime + used.ru_stime) * 1e6))
"""
WALK = """
import hashlib, os, re
n = 0
for root, _, files in os.walk("/usr/lib/python3"):
    for name in files[:20]:
        try: data = open(os.path.join(root, name), "rb").read(65536)
        except OSError: continue
        hashlib.sha256(data).digest(); n += len(re.findall(rb"def ", data))
"""
WORK = {
    "getpid": None,
    "python": ["python3", "-c", WALK],
    "tar": ["tar", "cf", "/dev/null", "--warning=no-all", "--ignore-failed-read", "/usr/include"],
    "find": ["find", "/usr/share", "-type", "f", "-newer", "/usr/bin/env"],
    "fork+exec": ["sh", "-c", "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done"],
}


def outside(name, loops):
    if name == "getpid":
        return float(subprocess.check_output([f"{BUILD}/tests/probe/calls", "loop", str(loops)]))
    return float(subprocess.check_output([sys.executable, "-c", TIMED] + WORK[name]))


def inside(sandbox, name, loops):
    argv = ["/tmp/calls", "loop", str(loops)] if name == "getpid" else ["python3", "-c", TIMED] + WORK[name]
    return float(sandbox.exec(argv, timeout_seconds=120)["stdout"])


def link_is_there(daemon):
    return any("link-cloche_sys_exit" in line for line in daemon.pins())


@contextlib.contextmanager
def sandbox_of(daemon, policy):
    with daemon.client.sandbox(template="python", policy=policy) as sandbox:
        sandbox.put("/tmp/calls", probe("calls"))
        sandbox.sh("chmod 755 /tmp/calls")
        yield sandbox


def take(daemon, names, loops, rounds):
    """Samples by (work, condition)."""
    samples = {}

    def add(name, condition, value):
        samples.setdefault((name, condition), []).append(value)

    with sandbox_of(daemon, "unseen") as unseen:
        for _ in range(rounds):
            until(lambda: not link_is_there(daemon), "detached")
            for name in names * EACH:
                add(name, "outside", outside(name, loops))
                add(name, "inside", inside(unseen, name, loops))
            with sandbox_of(daemon, "deny-all") as seen:
                for name in names * EACH:
                    add(name, "outside, attached", outside(name, loops))
                    add(name, "inside, audited", inside(seen, name, loops))
    return samples


def fastest(values):
    best = sorted(values)[:max(1, len(values) // 10)]
    return sum(best) / len(best)


def measure_syscalls(quick):
    loops, rounds = (50000, 4) if quick else (200000, 20)
    unseen = {**DENY_ALL, "name": "unseen", "audit": {"syscalls": "none"}}
    with contextlib.closing(Daemon([unseen], pool="python=2")) as daemon:
        daemon.start()
        started = time.monotonic()
        samples = take(daemon, list(WORK), loops, rounds)
        lost = sum(r["lost"] for r in daemon.client.events(type="audit.lost"))
    rows = {}
    for name in WORK:
        plain, inner = fastest(samples[name, "outside"]), fastest(samples[name, "inside"])
        rows[name] = {
            "outside": round(plain, 1), "inside": round(inner, 1),
            "outside_attached_ratio": round(fastest(samples[name, "outside, attached"]) / plain, 3),
            "inside_audited_ratio": round(fastest(samples[name, "inside, audited"]) / inner, 3),
            "aim_inside": AIMS.get(name), "aim_outside": AIM_OUTSIDE if name != "getpid" else None,
            "spread": round(percentile(samples[name, "outside"], 0.9) / plain, 2)}
    return {"unit": "us of CPU time; getpid: ns of a call", "rounds": rounds, "lost": lost,
            "seconds": round(time.monotonic() - started), "work": rows}


def print_syscalls(results):
    print(f"{'syscalls':12} {'outside':>12} {'attached':>9} {'inside':>12} {'audited':>9}")
    for name, row in results["work"].items():
        print(f"{name:12} {row['outside']:12.1f} {row['outside_attached_ratio']:8.3f}x {row['inside']:12.1f} "
              f"{row['inside_audited_ratio']:8.3f}x")


if __name__ == "__main__":
    found = measure_syscalls("--quick" in sys.argv)
    print_syscalls(found)
    print(json.dumps(found))
