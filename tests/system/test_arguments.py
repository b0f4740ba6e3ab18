#!/usr/bin/python3
"""System calls that a policy denies by their arguments, in real sandboxes, each beside its allowed twin."""

from cloche_harness import DENY_ALL, Daemon, check, check_equal, check_in, fixture, main, test

HEAD = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(a & (1 << 64) - 1) for a in args))
    return "ok" if r != -1 else errno.errorcode[ctypes.get_errno()]
"""
IOCTL, SOCKET, KILL, CHMOD, MPROTECT, OPENAT, OPENAT2, FCNTL = 16, 41, 62, 90, 10, 257, 437, 72
FIONREAD, FIONBIO = 0x541B, 0x5421


def denied(name, *deny, **more):
    return {**DENY_ALL, "name": name, "syscalls": {"deny": list(deny), **more}}


def rule(name, *args):
    return {"name": name, "args": list(args)}


def has(index, bits):
    return {"index": index, "mask": bits, "is": bits}


@fixture
def daemon():
    made = Daemon([
        denied("ioctl", rule("ioctl", {"index": 1, "is": "FIONREAD"})),
        denied("sockets", rule("socket", {"index": 0, "is": "AF_NETLINK"}),
               rule("socket", {"index": 0, "is": "AF_INET"}, {"index": 1, "mask": "SOCK_TYPE_MASK", "is": "SOCK_DGRAM"})),
        denied("groups", rule("kill", {"index": 0, "at_most": -1})),
        denied("bits", rule("chmod", has(1, "S_ISUID")), rule("mprotect", has(2, "PROT_EXEC|PROT_WRITE")),
               "openat2", rule("openat", has(2, "O_TRUNC"))),
        denied("free")], pool="python=2")
    yield made.start()
    made.close()


def client():
    return daemon().client


def answers(policy, code):
    """What the code prints under the policy, and without rules."""
    found = []
    for name in (policy, "free"):
        with client().sandbox(template="python", policy=name) as sandbox:
            found.append(sandbox.python(HEAD + code).split())
    return found


@test
def an_ioctl_is_denied_whatever_is_above_its_32_bits():
    code = f"""
ours, theirs = socket.socketpair()
room = ctypes.create_string_buffer(8)
for bits in (0, 1 << 32, 0xffffffff << 32, 1 << 63):
    print(call({IOCTL}, ours.fileno(), {FIONREAD} | bits, ctypes.addressof(room)))
    print(call({IOCTL}, ours.fileno(), {FIONBIO} | bits, ctypes.addressof(room)))
"""
    under, free = answers("ioctl", code)
    check_equal(under, ["EPERM", "ok"] * 4, "FIONREAD and FIONBIO")
    check_equal(free, ["ok", "ok"] * 4, "without a rule")


@test
def sockets_are_denied_by_family_and_type():
    code = f"""
for family, kind in ((16, 3), (16 | 1 << 32, 3), (2, 2), (2, 2 | 0o2000000 | 0o4000), (2 | 1 << 40, 2 | 1 << 40)):
    print(call({SOCKET}, family, kind, 0))
for family, kind in ((1, 1), (1, 2), (2, 1), (2, 1 | 0o2000000), (10, 2)):
    print(call({SOCKET}, family, kind, 0))
"""
    under, free = answers("sockets", code)
    check_equal(under, ["EPERM"] * 5 + ["ok"] * 5, "denied, then not")
    check_equal(free, ["ok"] * 10, "without a rule")


@test
def a_bound_for_a_signed_number_counts_from_below_zero():
    code = f"""
for pid in (-1000000, -77777, (1 << 32) - 77777, 1 << 32 | 0x80000000): print(call({KILL}, pid, 0))
for pid in (os.getpid(), 0, os.getpid() | 1 << 32): print(call({KILL}, pid, 0))
"""
    under, free = answers("groups", code)
    check_equal(under, ["EPERM"] * 4 + ["ok"] * 3, "groups, then processes")
    check_equal(free, ["ESRCH"] * 4 + ["ok"] * 3, "without a rule")


@test
def flags_are_denied_by_the_bits_that_count():
    code = f"""
os.close(os.open("/tmp/file", os.O_WRONLY | os.O_CREAT))
name = ctypes.create_string_buffer(b"/tmp/file")
at = ctypes.addressof(name)
for mode in (0o4755, 0o6755, 0o4000 | 1 << 16 | 1 << 40): print(call({CHMOD}, at, mode))
for mode in (0o755, 0o2755): print(call({CHMOD}, at, mode))
import mmap
room = mmap.mmap(-1, 4096)
where = ctypes.addressof(ctypes.c_char.from_buffer(room))
for prot in (7, 6): print(call({MPROTECT}, where, 4096, prot))
for prot in (3, 5, 1): print(call({MPROTECT}, where, 4096, prot))
for flags in (0o1001, 0o1002 | 1 << 32): print(call({OPENAT}, -100, at, flags, 0))
for flags in (0o1, 0o2, 0): print(call({OPENAT}, -100, at, flags, 0))
print(call({OPENAT2}, -100, at, 0, 0))
"""
    under, free = answers("bits", code)
    check_equal(under[:5], ["EPERM"] * 3 + ["ok"] * 2, "chmod")
    check_equal(under[5:10], ["EPERM"] * 2 + ["ok"] * 3, "mprotect")
    check_equal(under[10:], ["EPERM"] * 2 + ["ok"] * 3 + ["EPERM"], "openat, openat2")
    check_equal(free, ["ok"] * 15 + ["EINVAL"], "without a rule")


@test
def what_a_rule_refuses_is_recorded_and_counted():
    code = HEAD + f"""
ours, theirs = socket.socketpair()
room = ctypes.create_string_buffer(8)
print(call({IOCTL}, ours.fileno(), {FIONREAD} | 1 << 32, ctypes.addressof(room)))
print(call({IOCTL}, ours.fileno(), {FIONBIO}, ctypes.addressof(room)))
"""
    for name, expected in (("ioctl", [("deny", "seccomp or kernel", "EPERM", "0x10000541b")]), ("free", [])):
        with client().sandbox(template="python", policy=name) as sandbox:
            sandbox.python(code)
            found = [(r.get("verdict"), r["refused_by"], r["error"], r["arguments"][1])
                     for r in client().events(sandbox=sandbox.id, type="syscall.ioctl") if "refused_by" in r]
            check_equal(found, expected, f"records under {name}")
            counts = client().get(f"{sandbox.path}/syscalls").expect(200).json
            check_equal(counts["ioctl"]["refused"], len(expected), f"refused under {name}")


@test
def another_policy_counts_for_the_next_command():
    code = HEAD + f"print(call({SOCKET}, 16, 3, 0))"
    with client().sandbox(template="python", policy="free") as sandbox:
        check_equal(sandbox.python(code), "ok\n", "before")
        client().request("PATCH", sandbox.path, {"policy": "sockets"}).expect(200)
        check_equal(sandbox.python(code), "EPERM\n", "under rules")


@test
def a_tenants_rules_bind_what_its_requests_name():
    daemon().write_policy(denied("narrow", rule("socket", {"index": 0, "is": "AF_INET6"})))
    client().post("/v1/policies/reload").expect(200)
    tenant = daemon().tenant("school", policy="sockets")
    code = HEAD + f"print(*(call({SOCKET}, family, 1, 0) for family in (1, 10)), call({SOCKET}, 16, 3, 0))"
    for name, expected in (("narrow", "ok EPERM EPERM\n"), ("free", "ok ok EPERM\n")):
        with tenant.sandbox(template="python", policy=name) as sandbox:
            check_equal(sandbox.python(code), expected, name)


@test
def what_no_filter_can_judge_is_refused_when_the_policy_is_read():
    text = ('{"version": 1, "name": "never", "syscalls": {"deny": [\n'
            '  {"name": "openat", "args": [{"index": %s}]}, "openat2"]}}')
    daemon().write_policy({"name": "never"}, text % '1, "is": 0')
    answer = client().post("/v1/policies/reload")
    check(answer.status >= 400, f"taken: {answer.status}")
    check_in("never.json:2:32: /syscalls/deny/0/args/0/index", answer.json["detail"], "the place")
    check_in('Of "openat" a filter can judge 2 (flags), 3 (mode)', answer.json["detail"], "the reason")
    daemon().write_policy({"name": "never"}, text % '2, "mask": 64, "is": 64')
    client().post("/v1/policies/reload").expect(200)


if __name__ == "__main__":
    main()
