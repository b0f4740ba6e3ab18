#!/usr/bin/python3
"""What programs did by relative paths: recorded with its directory, learnt, replayed, enforced."""

import json
import os

from cloche_harness import Daemon, check, check_equal, check_in, fixture, main, test, write_text
from policy_command import policy

# /home/sandbox is changed by relative paths alone, and the script is named by one. "2" is the
# descriptor of a directory.
MAKEFILE = r"""all:
	mkdir -p out/deep
	ln -s nowhere out/link
	mv out/link out/deep/moved
	rm -r out/deep
"""
RUN = f"""
set -e
export GIT_CONFIG_NOSYSTEM=1 HOME=/nowhere
cd /workspace
git init -q repository
cd repository
cat >Makefile <<'end'
{MAKEFILE}end
git add Makefile
git -c user.name=x -c user.email=x commit -qm first
git mv Makefile moved
git -c user.name=x -c user.email=x commit -qm second
cd ..
make -s -C /home/sandbox -f /workspace/repository/moved
rm -rf repository
cd /usr/bin
./ldd --version >/dev/null
echo done
"""


@fixture
def daemon():
    made = Daemon([{"version": 1, "name": "bound"}, {"version": 1, "name": "watched", "mode": "learn"}])
    yield made.start()
    made.close()


@fixture
def client():
    yield daemon().tenant("team", policy="bound")


@fixture
def run():
    """The records of the run."""
    with client().sandbox(template="shell", policy="watched", labels={"run": "relative"}) as sandbox:
        check_equal(sandbox.sh(RUN, timeout_seconds=60), "done\n", "the run")
    yield daemon().client.events()


def text_of(rows):
    return "\n".join(json.dumps(row) for row in rows)


def learn(rows):
    code, out, errors = policy("learn", "--from", "-", "--label", "run=relative", "--name", "learnt",
                               "--directory-after", "0", stdin=text_of(rows))
    check_equal(code, 0, errors)
    return json.loads(out), errors


@test
def a_relative_path_is_recorded_with_its_directory():
    made, = [row for row in run() if row["type"].startswith("syscall.mkdir") and row.get("path") == "out"]
    check_equal((made["directory"], made["path_src"], made["result"]), ("/home/sandbox", "user", 0), "mkdir")
    link, = [row for row in run() if row["type"].startswith("syscall.symlink") and row.get("path") == "nowhere"]
    check_equal((link.get("directory"), link["second_path"], link["second_directory"]),
                (None, "out/link", "/home/sandbox"), "symlink")
    moved, = [row for row in run() if row["type"].startswith("syscall.rename") and row.get("path") == "out/link"]
    check_equal((moved["directory"], moved["second_path"], moved["second_directory"]),
                ("/home/sandbox", "out/deep/moved", "/home/sandbox"), "rename")
    removed = [row for row in run() if row["type"] == "syscall.unlinkat" and row.get("path") == "moved"
               and row["process"]["exe"] == "/usr/bin/rm"]
    check_in("/home/sandbox/out/deep", [row.get("directory") for row in removed], "unlinkat by a descriptor")
    script, = [row for row in run() if row["type"] == "process.exec" and row.get("script") == "./ldd"]
    check_equal(script["script_directory"], "/usr/bin", "a script")


@test
def what_is_learnt_allows_the_run_and_no_more():
    learnt, errors = learn(run())
    check_equal([place["path"] for place in learnt["files"]["writable"]], ["/home/sandbox", "/workspace"], "what was written")
    check("executables" in learnt, errors)
    programs = [place["path"] for place in learnt["executables"]["allow"]]
    for program in ["/usr/bin/ldd", "/usr/bin/git", "/usr/bin/make"]:
        check_in(program, programs, "programs")
    daemon().client.post("/v1/policies/learnt", learnt).expect(201)
    path = f"{daemon().directory}/learnt.json"
    write_text(path, json.dumps(learnt))
    os.chmod(daemon().directory, 0o755)
    code, out, errors = policy("replay", path, "--audit", "-", "--label", "run=relative", "--json", stdin=text_of(run()))
    check_equal((code, json.loads(out)["passed_over"]["relative"]), (0, 0), f"its own replay: {out} {errors}")
    with client().sandbox(template="shell", policy="learnt") as sandbox:
        check_equal(sandbox.sh(RUN, timeout_seconds=60), "done\n", "the run once more")
        denied = sandbox.sh("(cd /tmp && mkdir out) 2>&1; (cd /usr/bin && ./sed --version) 2>&1; true").lower()
        check_in("read-only file system", denied, "a directory that was not written to")
        check_in("permission denied", denied, "a program that was not executed")


def without_directories(row):
    return {key: value for key, value in row.items() if not key.endswith("directory")}


@test
def a_log_of_before_there_were_directories_is_passed_over_and_counted():
    learnt, errors = learn([without_directories(row) for row in run()])
    check_equal([place["path"] for place in learnt["files"]["writable"]], ["/workspace"], "what was opened")
    check("executables" not in learnt, "a script is not known")
    check_in("acts passed over: relative path without its directory", errors, "what is told")
    check("relative path" not in learn(run())[1], "its twin")


if __name__ == "__main__":
    main()
