"""What the parts of the benchmark share: summaries of samples, and readings of memory."""

import glob
import time


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def summary(samples):
    return {"n": len(samples), "p50_us": round(percentile(samples, 0.50), 1),
            "p99_us": round(percentile(samples, 0.99), 1), "min_us": round(min(samples), 1),
            "max_us": round(max(samples), 1)}


def kernel_kib():
    names = ("Slab:", "KernelStack:", "PageTables:", "Percpu:")
    with open("/proc/meminfo", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names))


def pss_of(pid):
    """Proportional memory of one process in KiB; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except OSError:
        return 0


def pss_kib(pid):
    """Proportional memory of a process and all below it."""
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        parent = int(text[text.rindex(")") + 1:].split()[1])
        children.setdefault(parent, []).append(int(path.split("/")[2]))
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        todo += children.get(one, [])
        total += pss_of(one)
    return total


def settle(read):
    """Reads until two readings half a second apart differ by less than 256 KiB; at most 20 s."""
    last = read()
    for _ in range(40):
        time.sleep(0.5)
        now = read()
        if abs(now - last) < 256:
            return now
        last = now
    return last
