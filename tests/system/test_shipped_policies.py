#!/usr/bin/python3
"""The shipped policies for real uses, exactly as they are shipped: the tool that each is for works by it,
unmodified, against sites of the tests' own that answer for the names; the same tool towards another name
is refused, with words that a person understands; and what was recorded passes a replay by the policy."""

import contextlib
import datetime
import json
import shutil
import subprocess

from cloche_harness import BUILD, ROOT, check, check_equal, check_in, fixture, main, read_text, skip, test
from named_internet import CA_INSIDE, NamedDaemon, NamedInternet
from packages import apt_archive, npm_package, wheel

MODELS = ["api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "api.mistral.ai"]
ARCHIVES = ["http://deb.debian.org/debian", "https://deb.debian.org/debian", "http://archive.ubuntu.com/ubuntu"]
SITES = ["pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "github.com", "codeload.github.com",
         "deb.debian.org", "archive.ubuntu.com", *MODELS]
SHIPPED = ["offline", "python-pip", "node-npm", "git-clone", "llm-agent", "ci-job", "classroom", "python-only"]
TOOLS = {"PIP_CERT": CA_INSIDE, "PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
         "PIP_NO_CACHE_DIR": "1", "npm_config_cafile": CA_INSIDE, "npm_config_fetch_retries": "0",
         "npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false",
         "npm_config_cache": "/tmp/npm", "HOME": "/tmp"}


@fixture
def internet():
    made = NamedInternet(SITES)
    link = "https://files.pythonhosted.org/packages/hello_cloche-1.0-py3-none-any.whl"
    made.put_site_file("pypi.org", "simple/hello-cloche/index.html",
                       f'<a href="{link}">hello_cloche-1.0-py3-none-any.whl</a>\n'.encode())
    made.put_site_file("files.pythonhosted.org", "packages/hello_cloche-1.0-py3-none-any.whl", wheel())
    for path, data in npm_package("https://registry.npmjs.org").items():
        made.put_site_file("registry.npmjs.org", path, data)
    made.put_site_repository("github.com", "cloche/hello.git")
    yield made
    check_equal(made.host_seen(), [], "what reached the host's own loopback")
    made.close()


@fixture
def daemon():
    made = NamedDaemon(internet(), [])
    for name in SHIPPED:
        made.write_policy({"name": name}, read_text(f"{ROOT}/policies/{name}.json"))
    yield made.start()
    made.close()


def replay(where, name):
    """What was recorded of the sandbox, judged by the policy anew."""
    rows = daemon().client.events(sandbox=where.id)
    log = "\n".join(json.dumps(row) for row in rows).encode()
    done = subprocess.run([f"{BUILD}/cloche", "policy", "replay", f"{ROOT}/policies/{name}.json", "--audit", "-",
                           "--json"], input=log, capture_output=True, timeout=60, check=False)
    found = json.loads(done.stdout)
    check_equal((done.returncode, found["changes"], found["malformed"]), (0, [], 0), "the replay")
    return found["acts"], {row["verdict"] for row in rows if row["type"] == "network.dns"}


@contextlib.contextmanager
def under(name, verdicts, **body):
    """A sandbox under a shipped policy; at the end its records must have had queries with `verdicts`."""
    where = daemon().create(policy=name, env={**TOOLS, **body.pop("env", {})}, **body)
    try:
        yield where
        acts, found = replay(where, name)
        check_equal(found, verdicts, f"what the resolver said, in {acts} acts")
        check(acts > 0 or not verdicts, "no act was recorded")
    finally:
        where.delete().expect(204)


def run(where, command):
    return where.exec(command=f"cd /tmp && {command}", timeout_seconds=60)


def works(where, command, output):
    done = run(where, command)
    check_equal(done["exit_code"], 0, f"{command}: {done}")
    check_in(output, done["stdout"], command)


def refused(where, command, *words):
    """Fails, and says each of `words`; nothing was asked upstream and nothing reached a site."""
    internet().seen()
    done = run(where, command)
    check(done["exit_code"] != 0, f"{command} worked: {done}")
    for word in words:
        check_in(word, done["stderr"] + done["stdout"], command)
    check_equal(internet().seen("dns", "tcp", "hello"), [], f"what reached the internet of {command}")


def need(program):
    if not shutil.which(program, path="/usr/bin:/bin"):
        skip(f"there is no {program}")


def pip_works(where):
    if run(where, "python3 -m pip --version")["exit_code"] != 0:
        skip("there is no python3-pip")
    works(where, "python3 -m pip install -q --target pip hello-cloche && PYTHONPATH=pip python3 -m hello_cloche",
          "installed through the gate")


def npm_works(where):
    need("npm")
    works(where, "mkdir -p app && cd app && npm install hello-cloche && node -e 'require(\"hello-cloche\")'",
          "installed through the gate")


def git_works(where):
    works(where, "git clone -q https://github.com/cloche/hello.git && cat hello/README", "cloned through the gate")


def other_names_are_refused(where):
    refused(where, "curl -sS https://other.example/", "Could not resolve host: other.example")
    refused(where, "curl -sS --resolve other.example:443:198.51.100.10 https://other.example/",
            "other.example port 443")


@test
def python_pip_installs_from_pypi_and_nowhere_else():
    with under("python-pip", {"allow", "deny"}) as where:
        pip_works(where)
        refused(where, "python3 -m pip install --target x --index-url https://other.example/simple hello-cloche",
                "No matching distribution found for hello-cloche", "other.example")
        refused(where, "git clone -q https://github.com/cloche/hello.git", "Could not resolve host: github.com")
        other_names_are_refused(where)


@test
def node_npm_installs_from_the_registry_and_nowhere_else():
    with under("node-npm", {"allow", "deny"}, template="node") as where:
        npm_works(where)
        refused(where, "mkdir -p b && cd b && npm install --registry https://other.example hello-cloche",
                "other.example")
        other_names_are_refused(where)


@test
def git_clone_clones_from_github_and_nowhere_else():
    with under("git-clone", {"allow", "deny"}) as where:
        git_works(where)
        refused(where, "git clone -q https://other.example/repo.git", "Could not resolve host: other.example")
        refused(where, "git clone -q git@github.com:cloche/hello.git ssh", "Could not read from remote")
        other_names_are_refused(where)


@test
def llm_agent_asks_models_and_installs():
    refusal = daemon().client.post("/v1/sandboxes", {"policy": "llm-agent"})
    check_equal(refusal.status, 400, f"without the key: {refusal.body}")
    check_in("MODEL_API_KEY", refusal.body.decode(), "the refusal")
    with under("llm-agent", {"allow", "deny"}, env={"MODEL_API_KEY": "sk-test-key"}) as where:
        run(where, "printf 'Authorization: Bearer %s' \"$MODEL_API_KEY\" >head")  # argv would be recorded
        for name in MODELS:
            works(where, f"curl -sS -H @head -d '{{}}' https://{name}/v1/models", f'"host": "{name}"')
        refused(where, "curl -sS https://platform.openai.com/", "Could not resolve host: platform.openai.com")
        refused(where, "curl -sS http://api.openai.com/", "api.openai.com")
        pip_works(where)
        npm_works(where)
        git_works(where)
        other_names_are_refused(where)
        budgets = where.client.get(f"{where.path}/usage").expect(200).json["budgets"]
        check(0 < budgets["connections"]["used"] < budgets["connections"]["limit"] == 5000, f"budgets: {budgets}")
    check("sk-test-key" not in daemon().audit_text(), "the key is in the log")


def apt(site):
    options = ("-o Dir::State=/tmp/apt/state -o Dir::State::status=/tmp/apt/status -o Dir::Cache=/tmp/apt/cache "
               "-o Dir::Etc::sourcelist=/tmp/apt/list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User= "
               "-o Acquire::Retries=0 -o Acquire::https::CaInfo=$SSL_CERT_FILE -o Debug::NoLocking=1")
    return ("rm -rf apt; mkdir -p apt/state/lists/partial apt/cache/archives/partial; : >apt/status; "
            f"echo 'deb [trusted=yes] {site} ./' >apt/list; apt-get {options} -q --error-on=any update && cd apt && "
            f"apt-get {options} -q download hello-cloche && "
            "dpkg-deb -f hello-cloche_1.0_all.deb Description")


@test
def ci_job_clones_installs_and_updates():
    need("apt-get")
    need("dpkg-deb")
    for path, data in apt_archive().items():
        internet().put_site_file("deb.debian.org", f"debian/{path}", data)
        internet().put_site_file("archive.ubuntu.com", f"ubuntu/{path}", data)
    with under("ci-job", {"allow", "deny"}) as where:
        git_works(where)
        pip_works(where)
        npm_works(where)
        for site in ARCHIVES:
            works(where, apt(site), "fetched through the gate")
        refused(where, apt("https://other.example/debian"), "other.example")
        other_names_are_refused(where)
        row = where.get().expect(200).json
        ends, begins = (datetime.datetime.fromisoformat(row[key][:19]) for key in ["expires_at", "created_at"])
        check_equal((ends - begins).seconds // 60, 120, "minutes to live")


@test
def offline_and_classroom_reach_nothing():
    for name in ["offline", "classroom"]:
        with under(name, set()) as where:
            works(where, "python3 -c 'print(6 * 7)'", "42")
            works(where, "(python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & "
                         "curl -sS --retry 20 --retry-connrefused --retry-delay 0 --retry-max-time 20 "
                         "http://127.0.0.1:8000/ ; kill $!)", "Directory listing")
            refused(where, "curl -sS https://pypi.org/", "Could not resolve host: pypi.org")
            refused(where, "curl -sS http://198.51.100.10/", "198.51.100.10")


CALLS = """
import os
try:
    os.close(os.memfd_create("x"))
    print("made")
except OSError as failure:
    print(failure.strerror)
held, text = [], "no end"
try:
    for _ in range(400):
        held.append(open("/dev/null"))
except OSError as failure:
    text = failure.strerror
print(text)
"""


@test
def classroom_has_fewer_calls_and_less_room():
    for name, lines in [("offline", ["made", "no end"]),
                        ("classroom", ["Operation not permitted", "Too many open files"])]:
        with under(name, set()) as where:
            check_equal(where.python(CALLS).splitlines(), lines, name)


STARTS = """
import os, shutil, subprocess, sys
shutil.copy("/usr/bin/id", "/tmp/id")
for argv in (["/usr/bin/id"], ["/tmp/id"], ["/bin/sh", "-c", ":"], ["/usr/bin/python3", "-c", "import ssl, ctypes"]):
    try:
        print(subprocess.run(argv, stdout=subprocess.DEVNULL).returncode)
    except OSError as failure:
        print(failure.strerror)
"""


@test
def python_only_starts_nothing_else():
    for name, lines in [("offline", ["0"] * 4), ("python-only", ["Permission denied"] * 3 + ["0"])]:
        with daemon().client.sandbox(policy=name) as where:  # put() wants a shell
            check_equal(where.python(STARTS).splitlines(), lines, name)
            answer = where.try_exec(["/bin/sh", "-c", ":"])
            check_equal(answer.status, 200 if name == "offline" else 422, "a shell")


@test
def classroom_makes_no_terminals():
    code = "import os\ntry: os.close(os.open('/dev/ptmx', os.O_RDWR)); print('made')\nexcept OSError as e: print(e.strerror)"
    for name, text in [("offline", "made\n"), ("classroom", "Permission denied\n")]:
        with under(name, set()) as where:
            check_equal(where.python(code), text, name)


if __name__ == "__main__":
    main()
