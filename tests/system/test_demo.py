#!/usr/bin/python3
"""The demonstration runs, shows what it says that it shows, and leaves nothing behind."""

import os
import subprocess

from cloche_harness import BUILD, ROOT, check, check_equal, check_in, fixture, main, test


@fixture
def shown():
    done = subprocess.run([f"{ROOT}/tools/demo"], capture_output=True, timeout=300, check=False,
                          env={**os.environ, "B": BUILD})
    check_equal(done.returncode, 0, f"exit code ({done.stdout.decode()[-1500:]} "
                f"{done.stderr.decode()[-1500:]})")
    yield done.stdout.decode()


@test
def it_runs_to_its_end():
    check(len(shown().splitlines()) > 20, shown())


@test
def it_reaches_the_allowed_service():
    check_in("hello from the allowed service", shown(), "output")


@test
def it_is_refused_elsewhere():
    text = shown().lower()
    check("operation not permitted" in text or "permissionerror" in text or "eperm" in text, shown())


@test
def it_shows_the_audit_and_the_bill():
    text = shown().lower()
    for word in ["audit", "cpu", "deny", "connections"]:
        check(word in text or word.replace("deny", "denied") in text, f"no {word}: {shown()}")


if __name__ == "__main__":
    main()
