#!/usr/bin/python3
"""cloched --check, --version, --help and wrong options: what a person sees before the first start."""

import json
import subprocess

from cloche_harness import BUILD, check, check_equal, check_in, main, test


def cloched(*words):
    done = subprocess.run([f"{BUILD}/cloched", *words], capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@test
def check_says_what_the_kernel_has():
    code, out, _ = cloched("--check")
    check_equal(code, 0, f"exit code on a machine that runs the other tests ({out})")
    check_in("Linux", out, "the kernel")
    for feature in ["root", "namespaces", "memory controller"]:
        check(any(feature in line and line.split()[0] == "yes" for line in out.splitlines()),
              f"{feature}: {out}")
    for line in out.splitlines():
        if line.split()[:1] == ["no"]:
            check(len(line.split()) > 5, f"absence without its meaning: {line!r}")


@test
def check_is_read_by_programs_too():
    code, out, _ = cloched("--check", "--json")
    found = json.loads(out)
    check_equal((code, found["complete"]), (0, True), "complete")
    for row in found["features"]:
        check_equal(set(row), {"feature", "present", "required", "meaning"}, "keys")
        check(row["meaning"] or row["present"], f"no meaning: {row}")


@test
def check_without_root_says_what_is_missing():
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           f"{BUILD}/cloched", "--check"], capture_output=True, timeout=60, check=False)
    if done.returncode == 126 or b"setpriv" in done.stderr:
        check(False, f"could not run it as nobody: {done.stderr.decode()}")
    check(done.returncode != 0, "complete without root")
    lines = [line for line in done.stdout.decode().splitlines() if " root" in line]
    check_in("MISSING", lines[0], "root")


@test
def version_and_help_are_printed():
    check_in("0.1.0", cloched("--version")[1], "version")
    code, out, _ = cloched("--help")
    check_equal(code, 0, "exit code")
    for option in ["--state-dir", "--policy-dir", "--check", "--listen"]:
        check_in(option, out, "help")


@test
def a_wrong_option_is_told_with_code_2():
    for words in [["--nonsense"], ["--pool", "python"], ["--instance", "../x"], ["--log-level", "loud"],
                  ["word"]]:
        code, _, said = cloched(*words)
        check_equal(code, 2, f"exit code of {words}")
        check(said, f"no word about {words}")


@test
def a_listen_address_beyond_the_loopback_or_malformed_is_refused():
    for address in ["nonsense", "127.0.0.1:99999", "1.2.3.4"]:
        code, _, said = cloched("--listen", address, "--state-dir", "/nonexistent/state")
        check(code != 0 and said, f"{address} was taken")


if __name__ == "__main__":
    main()
