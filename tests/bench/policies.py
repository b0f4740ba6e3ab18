"""How fast policies are read, compiled and asked, and how fast a log is replayed: beside `wc -l` of the same
file in the same run."""

import json
import os
import subprocess
import tempfile
import time

ROUNDS = 3
POLICY = {"version": 1, "name": "replayed", "network": {"allow": [
    {"name": "*.example.org", "ports": [443]}, {"cidr": "203.0.113.0/24", "ports": [443]}]}}


def lines(n):
    """As cloched writes them: three connections and an exec in turn, of 64 sandboxes."""
    hash_of = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
    for i in range(n):
        kind = ["network.connect", "network.dns", "network.connect", "process.exec"][i % 4]
        line = {"v": 1, "seq": i + 1, "time": f"2026-11-27T10:{i // 60 % 60:02}:{i % 60:02}.{i % 10 ** 9:09}Z",
                "type": kind, "sandbox": f"sb-{i % 64 + 1:016x}", "tenant": "acme", "policy": "replayed",
                "policy_hash": hash_of, "generation": 1, "verdict": "allow" if i % 16 else "deny",
                "process": {"pid": i % 30000, "comm": "python3", "exe": "/usr/bin/python3.11"}}
        if kind == "network.connect":
            line.update({"address": f"203.0.113.{i % 256}", "port": 443, "protocol": "tcp",
                         "reason": "rule" if i % 16 else "default", "rule": 1})
        elif kind == "network.dns":
            line.update({"name": f"host{i % 500}.example.org", "qtype": 1})
        else:
            line.update({"argv": ["python3", "-c", "pass"]})
        yield json.dumps(line, separators=(",", ":")) + "\n"


def best_of(command):
    best = None
    for _ in range(ROUNDS):
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, check=False)
        took = time.monotonic() - started
        if done.returncode not in (0, 1) or done.stderr:
            raise RuntimeError(f"{command[0]}: {done}")
        best = took if best is None else min(best, took)
    return best


def measure_replay(build, n):
    with tempfile.TemporaryDirectory(prefix="cloche-bench-") as directory:
        log, policy = f"{directory}/log.jsonl", f"{directory}/replayed.json"
        with open(log, "w", encoding="ascii") as file:
            file.writelines(lines(n))
        with open(policy, "w", encoding="ascii") as file:
            json.dump(POLICY, file)
        replay = best_of([f"{build}/cloche", "policy", "replay", policy, "--audit", log])
        count = best_of(["wc", "-l", log])
        size_bytes = os.path.getsize(log)
    return {"records": n, "bytes": size_bytes, "records_per_second": round(n / replay),
            "mib_per_second": round(size_bytes / replay / 2**20), "wc_records_per_second": round(n / count)}


def measure_policies(build, quick):
    done = subprocess.run([f"{build}/tests/bench/policy-rate"], capture_output=True, text=True, check=True)
    return {"rules": json.loads(done.stdout), "replay": measure_replay(build, 100000 if quick else 1000000)}


def print_policies(policies):
    for row in policies["rules"]:
        print(f"policy of {row['rules']:,} rules: checked in {row['check_ms']} ms, compiled in "
              f"{row['compile_ms']} ms, {row['decide_ns']} ns for each decision")
    row = policies["replay"]
    print(f"replay of {row['records']:,} records: {row['records_per_second']:,} a second, "
          f"{row['mib_per_second']} MiB/s (wc -l: {row['wc_records_per_second']:,})")
