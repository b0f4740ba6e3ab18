"""The subcommands of `cloche policy` that work on files alone."""

import os
import subprocess

from cloche_harness import BUILD


def policy(*words, stdin=""):
    """As nobody: none of this needs root, and the daemon's socket must not matter."""
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           f"{BUILD}/cloche", "policy", *words], input=stdin.encode(),
                          capture_output=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "CLOCHE_URL": "unix:///nowhere"})
    return done.returncode, done.stdout.decode(), done.stderr.decode()
