#!/usr/bin/python3
"""GET /metrics by the rules of Prometheus, and the dashboard and alerts over what is really served."""

import json
import os
import re
import shutil
import subprocess

from cloche_harness import ROOT, Daemon, Failed, check, check_equal, check_in, fixture, main, skip, test

RULES = os.path.join(ROOT, "tools/deploy/prometheus-rules.yaml")
DASHBOARD = os.path.join(ROOT, "tools/deploy/grafana-dashboard.json")
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
PER_TENANT_MAX = 64  # series


@fixture
def daemon():
    made = Daemon(pool="python=1,shell=2")
    yield made.start()
    made.close()


def client():
    return daemon().client


def labels_of(text):
    return dict(re.match(r'(\w+)="(.*)"', one, re.S).groups() for one in re.findall(LABEL, text or ""))


def base_of(name, types):
    for suffix in ("_bucket", "_sum", "_count"):
        base = name[:-len(suffix)]
        if name.endswith(suffix) and types.get(base) == "histogram":
            return base
    return name


def parse(text):
    """The exposition format, strictly: {name: {labels: value}} and {family: type}."""
    check(text.endswith("\n"), "the last line has no end")
    helps, types, samples, closed, current = {}, {}, {}, set(), None
    for line in text[:-1].split("\n"):
        words = line.split(" ", 3)
        if line.startswith("#"):
            check(len(words) == 4 and words[0] == "#" and words[1] in ("HELP", "TYPE"), line)
            kept = helps if words[1] == "HELP" else types
            check(re.fullmatch(NAME, words[2]) and words[2] not in kept, f"twice or no name: {line}")
            kept[words[2]] = words[3]
            if words[1] == "TYPE":
                check(words[2] in helps and words[3] in ("counter", "gauge", "histogram"), line)
                check(words[2] not in closed, f"not in one block: {line}")
                closed.add(current)
                current = words[2]
            continue
        match = SAMPLE.fullmatch(line)
        check(match, f"malformed: {line!r}")
        name, labels, value = match.groups()
        check_equal(base_of(name, types), current, f"family of {line!r}")
        float(value)
        series = samples.setdefault(name, {})
        key = tuple(sorted(labels_of(labels).items()))
        check(key not in series, f"twice: {line}")
        series[key] = float(value)
    check_equal(set(helps), set(types), "families with HELP and with TYPE")
    return samples, types


def scrape(key=None):
    answer = (key or client()).get("/metrics").expect(200)
    check_in("text/plain; version=0.0.4", answer.headers["Content-Type"], "Content-Type")
    return answer.body.decode()


@test
def what_is_served_is_strictly_the_format():
    samples, types = parse(scrape())
    for name, kind in types.items():
        check(name.startswith("cloche_"), name)
        check_equal(name.endswith("_total"), kind == "counter", f"_total of {name}")
        check(not re.search(r"_(ns|us|ms|millis|kib|mib|percent)(_|$)", name), f"not a base unit: {name}")
        if kind == "counter":
            check(all(value >= 0 for value in samples[name].values()), name)
    tenants = {labels for name in samples for labels in samples[name] if name.startswith("cloche_tenant_")}
    check(all([key for key, _ in labels] == ["tenant"] for labels in tenants), "labels of tenants' rows")


@test
def a_histogram_tells_how_long_creating_took():
    before, _ = parse(scrape())
    for _ in range(3):
        client().create(template="shell").delete().expect(204)
    after, types = parse(scrape())
    name = "cloche_sandbox_create_seconds"
    check_equal(types[name], "histogram", "type")
    count = after[f"{name}_count"][()] - before[f"{name}_count"][()]
    check_equal(count, 3, "creates")
    buckets = [(labels[0][1], value) for labels, value in after[f"{name}_bucket"].items()]
    check_equal(buckets[-1], ("+Inf", after[f"{name}_count"][()]), "last bucket")
    values = [value for _, value in buckets]
    check_equal(values, sorted(values), "cumulative")
    check_equal([float(bound) for bound, _ in buckets], sorted(float(bound) for bound, _ in buckets), "bounds")
    took = after[f"{name}_sum"][()] - before[f"{name}_sum"][()]
    check(0 < took < 30, f"three took {took} s")


@test
def denials_are_told_by_reason_and_the_pool_by_template():
    before, _ = parse(scrape())
    with client().sandbox() as sandbox:
        sandbox.python("import socket\nfor i in range(5): socket.socket().connect_ex(('198.51.100.1', 80))")
        client().events(type="network.connect", sandbox=sandbox.id)
    after, _ = parse(scrape())
    reason = (("reason", "default"),)
    check_equal(after["cloche_denials_total"][reason] - before["cloche_denials_total"][reason], 5, "denials")
    check_equal(after["cloche_pool_target"][(("template", "shell"),)], 2, "target")
    check_in((("template", "shell"),), after["cloche_pool_warm"], "warm")
    check_equal(after["cloche_audit_writable"], {(): 1}, "audit")
    check(after["cloche_host_memory_bytes"][()] > after["cloche_host_memory_available_bytes"][()] > 0, "memory")
    check(after["cloche_host_cpu_busy_seconds_total"][()] > 0, "CPU")
    check_equal(after["cloche_host_cpus"][()], os.cpu_count(), "CPUs")


@test
def cardinality_grows_with_tenants_not_with_sandboxes():
    def count():
        samples, _ = parse(scrape())
        return sum(len(series) for series in samples.values())
    acme = daemon().tenant("acme")
    before = count()
    with acme.sandbox(template="shell", labels={"job": "1"}), acme.sandbox(template="shell"):
        check_equal(count(), before, "series with two sandboxes more")
    daemon().tenant("another")
    grown = count() - before
    check(0 < grown <= PER_TENANT_MAX, f"{grown} series for a tenant")


@test
def a_tenants_key_sees_its_own_row_only():
    first = daemon().tenant("first")
    daemon().tenant("second")
    samples, _ = parse(scrape(first))
    labels = {labels for series in samples.values() for labels in series}
    check_equal(labels, {(("tenant", "first"),)}, "labels")
    check_in((("tenant", "second"),), parse(scrape())[0]["cloche_tenant_execs_total"], "an administrator's")
    client().request("GET", "/metrics", headers={"Authorization": "Bearer x"}).expect(401)


def names_in(text):
    return set(re.findall(r"\bcloche_\w+", text))


@test
def dashboard_and_alerts_use_what_is_served():
    samples, _ = parse(scrape())
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    exprs = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    exprs += [one["query"] for one in dashboard["templating"]["list"]]
    check(len(exprs) > 20 and len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]), "panels")
    with open(RULES, encoding="utf-8") as file:
        rules = file.read()
    used = names_in(" ".join(exprs)) | names_in(" ".join(re.findall(r"expr: (.*)", rules)))
    check(len(used) > 20, f"only {used}")
    check_equal(used - set(samples), set(), "names that nobody serves")
    for alert in ("HostCpuHigh", "HostMemoryHigh", "EventsLost", "PoolEmpty", "AuditNotWritable"):
        check_in(f"alert: Cloche{alert}\n", rules, "alerts")
    by = {label for series in samples.values() for labels in series for label, _ in labels} | {"instance"}
    grouped = {word.strip() for one in re.findall(r"\b(?:by|on) \(([^)]*)\)", " ".join(exprs)) for word in one.split(",")}
    check_equal(grouped - by, set(), "labels that nobody has")


@test
def promtool_agrees_where_it_is_installed():
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not promtool:
        skip("promtool (Debian's package prometheus, with a daemon that listens) is not installed")
    done = subprocess.run([promtool, "check", "metrics"], input=scrape(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(done.stdout + done.stderr)
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    main()
