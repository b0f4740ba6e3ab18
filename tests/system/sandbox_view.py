"""What the host sees of a sandbox: its processes, found by its cgroup."""

import os

from cloche_harness import Failed, read_text

CGROUP2 = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"


def host_pids(daemon, sandbox):
    """Host pids of all processes of a sandbox."""
    top = f"{CGROUP2}/cloche-{daemon.instance}/sandboxes/{sandbox.id}"
    found = []
    for folder, _, files in os.walk(top):
        if "cgroup.procs" in files:
            try:
                found += [int(pid) for pid in read_text(f"{folder}/cgroup.procs").split()]
            except OSError:
                pass
    return found


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = read_text(f"/proc/{pid}/status").splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def is_alive(pid):
    """False for a process that has ended and only waits for its parent, too."""
    try:
        return not status_of(pid)["State"].startswith(("Z", "X"))
    except (OSError, KeyError):
        return False


def init_pid(daemon, sandbox):
    """Host pid of the sandbox's PID 1."""
    for pid in host_pids(daemon, sandbox):
        if status_of(pid)["NSpid"].split()[-1] == "1":
            return pid
    raise Failed(f"{sandbox.id} has no PID 1")


def host_pid(daemon, sandbox, inside):
    """Host pid of a process that is `inside` in the sandbox."""
    for pid in host_pids(daemon, sandbox):
        if status_of(pid)["NSpid"].split()[-1] == str(inside):
            return pid
    raise Failed(f"{sandbox.id} has no process {inside}")


def pids_with_uids(first, count):
    """All processes of the host whose real uid lies in a range."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                uid = int(status_of(entry)["Uid"].split()[0])
            except (OSError, KeyError, ValueError):
                continue
            if first <= uid < first + count:
                found.append(int(entry))
    return found


def cgroup_of(pid):
    """/proc/PID/cgroup; empty when the process is gone. A uid range is taken up again at once."""
    try:
        return read_text(f"/proc/{pid}/cgroup")
    except OSError:
        return ""


def uid_range(daemon, sandbox):
    """First host uid and size of a sandbox's range."""
    rows = [tuple(map(int, line.split())) for line in
            read_text(f"/proc/{init_pid(daemon, sandbox)}/uid_map").splitlines()]
    if len(rows) != 1 or rows[0][0] != 0:
        raise Failed(f"uid_map {rows}")
    return rows[0][1], rows[0][2]
