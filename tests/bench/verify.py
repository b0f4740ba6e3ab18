"""How fast cloche-verify is, and that its memory does not grow with the log."""

import json
import shutil
import subprocess
import tempfile
import time

SIZES = (50000, 400000)


def memory_kib(pid):
    """The most that a process has had so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return max([int(line.split()[1]) for line in file if line.startswith("VmHWM:")], default=0)
    except OSError:
        return 0


def check_one(build, directory, n_records):
    """Seconds, bytes, and the largest resident memory in KiB of one run."""
    command = [f"{build}/cloche-verify", "--key", f"{directory}/keys/000001.pub", "--json", directory]
    largest_kib = 0
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            largest_kib = max(largest_kib, memory_kib(process.pid))
            time.sleep(0.01)
        seconds = time.monotonic() - started
        answer = json.loads(process.stdout.read())
    if process.returncode != 0 or answer["records"] != n_records:
        raise RuntimeError(f"cloche-verify: {answer}")
    return seconds, answer["bytes"], largest_kib


def measure_verify(build, quick):
    rows = []
    for n_records in [n // 10 for n in SIZES] if quick else SIZES:
        directory = tempfile.mkdtemp(prefix="cloche-bench-")
        try:
            subprocess.run([f"{build}/tests/bench/made-log"], check=True, stdout=subprocess.DEVNULL,
                           env={"DIRECTORY": directory, "RECORDS": str(n_records)})
            runs = [check_one(build, directory, n_records) for _ in range(3)]
        finally:
            shutil.rmtree(directory)
        seconds, size_bytes, _ = min(runs)
        rows.append({"records": n_records, "bytes": size_bytes, "seconds": round(seconds, 3),
                     "records_per_second": round(n_records / seconds),
                     "mib_per_second": round(size_bytes / seconds / 2**20, 1),
                     "memory_kib": max(kib for _, _, kib in runs)})
    return rows


def print_verify(rows):
    for row in rows:
        print(f"verify speed at {row['records']:,} records: {row['records_per_second']:,} records/s, "
              f"{row['mib_per_second']} MiB/s, {row['memory_kib']} KiB of memory")
