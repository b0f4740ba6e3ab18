"""How fast policies are read, compiled and asked, and how fast a log is replayed: beside `wc -l` of the same
file in the same run, and by candidates with rules for more."""

import json
import os
import subprocess
import tempfile
import time

ROUNDS = 5
POLICY = {"version": 1, "name": "replayed", "network": {"allow": [
    {"name": "*.example.org", "ports": [443]}, {"cidr": "203.0.113.0/24", "ports": [443]}]}}
# What else a candidate may have to be asked for, each beside POLICY over the same log.
WITH_ARGUMENTS = {**POLICY, "syscalls": {"deny": [
    {"name": "ioctl", "args": [{"index": 1, "is": "FIONREAD"}]},
    {"name": "openat", "args": [{"index": 2, "mask": "O_TRUNC", "is": "O_TRUNC"}]},
    "openat2", {"name": "socket", "args": [{"index": 0, "is": "AF_NETLINK"}]}]}}
WITH_FILES = {**POLICY, "files": {"read_only": ["/"], "writable": ["/tmp", "/workspace"]},
              "executables": {"allow": ["/usr/bin/python3.11", "/usr/bin/git"]}}
HASH = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def line_of(i, kind, body):
    """As cloched writes it, of 64 sandboxes."""
    line = {"v": 1, "seq": i + 1, "time": f"2026-11-27T10:{i // 60 % 60:02}:{i % 60:02}.{i % 10 ** 9:09}Z",
            "type": kind, "sandbox": f"sb-{i % 64 + 1:016x}", "tenant": "acme", "policy": "replayed",
            "policy_hash": HASH, "generation": 1, "verdict": "allow" if i % 16 else "deny",
            "process": {"pid": i % 30000, "comm": "python3", "exe": "/usr/bin/python3.11"}, **body}
    return json.dumps(line, separators=(",", ":")) + "\n"


def lines(n):
    """Three connections and an exec in turn."""
    for i in range(n):
        kind = ["network.connect", "network.dns", "network.connect", "process.exec"][i % 4]
        if kind == "network.connect":
            body = {"address": f"203.0.113.{i % 256}", "port": 443, "protocol": "tcp",
                    "reason": "rule" if i % 16 else "default", "rule": 1}
        elif kind == "network.dns":
            body = {"name": f"host{i % 500}.example.org", "qtype": 1}
        else:
            body = {"argv": ["python3", "-c", "pass"]}
        yield line_of(i, kind, body)


def lines_of_calls(n):
    """Two calls by their arguments, a file that was opened, an exec, in turn."""
    for i in range(n):
        if i % 4 < 2:
            name = ["ioctl", "socket"][i % 2]
            yield line_of(i, f"syscall.{name}", {
                "verdict": "allow", "syscall": name, "abi": "native", "result": 0,
                "arguments": [hex(i % 7), hex(0x5401 + i % 50), "0x7ffd5e8c1230", "0x0", "0x7f3a12345678", "0x1"]})
        elif i % 4 == 2:
            yield line_of(i, "file.open", {
                "verdict": "allow", "syscall": "openat", "abi": "native", "result": 3, "path": f"/tmp/made/{i % 400}",
                "path_src": "kernel", "writable": True, "created": i % 8 == 2,
                "arguments": ["0xffffff9c", "0x7f3a12345678", "0x241", "0x1b6", "0x0", "0x0"]})
        else:
            yield line_of(i, "process.exec", {"verdict": "allow", "argv": ["python3", "-c", "pass"]})


def seconds_of(command):
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=False)
    took = time.monotonic() - started
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(f"{command[0]}: {done}")
    return took


def best_of(commands):
    """The shortest time of each, in turn, so that a slow phase of the machine meets all of them."""
    rounds = [[seconds_of(command) for command in commands] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds)]


def write(directory, name, pieces):
    path = f"{directory}/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.writelines(pieces)
    return path


def replays(build, directory, log, candidates):
    """A command for each candidate; their names, and so their files', are alike."""
    commands = []
    for i, candidate in enumerate(candidates):
        os.mkdir(f"{directory}/{i}")
        policy = write(f"{directory}/{i}", "replayed.json", [json.dumps(candidate)])
        commands.append([f"{build}/cloche", "policy", "replay", policy, "--audit", log])
    return commands


def measure_replay(build, n):
    with tempfile.TemporaryDirectory(prefix="cloche-bench-") as directory:
        log = write(directory, "log.jsonl", lines(n))
        replay, count = best_of([*replays(build, directory, log, [POLICY]), ["wc", "-l", log]])
        size_bytes = os.path.getsize(log)
    return {"records": n, "bytes": size_bytes, "records_per_second": round(n / replay),
            "mib_per_second": round(size_bytes / replay / 2**20), "wc_records_per_second": round(n / count)}


def measure_candidates(build, n):
    """What rules for arguments, files and programs cost a replay, beside a candidate without any."""
    with tempfile.TemporaryDirectory(prefix="cloche-bench-") as directory:
        log = write(directory, "log.jsonl", lines_of_calls(n))
        plain, arguments, files = best_of(replays(build, directory, log, [POLICY, WITH_ARGUMENTS, WITH_FILES]))
    return {"records": n, "records_per_second": round(n / plain), "ratio_with_arguments": round(plain / arguments, 3),
            "ratio_with_files": round(plain / files, 3)}


def measure_policies(build, quick):
    done = subprocess.run([f"{build}/tests/bench/policy-rate"], capture_output=True, text=True, check=True)
    n = 100000 if quick else 1000000
    return {"rules": json.loads(done.stdout), "replay": measure_replay(build, n),
            "candidates": measure_candidates(build, n)}


def print_policies(policies):
    for row in policies["rules"]:
        print(f"policy of {row['rules']:,} rules: checked in {row['check_ms']} ms, compiled in "
              f"{row['compile_ms']} ms, {row['decide_ns']} ns for each decision")
    row = policies["replay"]
    print(f"replay of {row['records']:,} records: {row['records_per_second']:,} a second, "
          f"{row['mib_per_second']} MiB/s (wc -l: {row['wc_records_per_second']:,})")
    row = policies["candidates"]
    print(f"replay of {row['records']:,} records of calls, files and programs: {row['records_per_second']:,} a second; "
          f"{row['ratio_with_arguments']}x with rules for arguments, {row['ratio_with_files']}x for files and programs")
