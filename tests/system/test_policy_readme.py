#!/usr/bin/python3
"""policies/README.md against the command: its tables, its examples and its bounds, without daemon or root."""

import glob
import ipaddress
import json
import os
import re
import subprocess
import tempfile

from cloche_harness import BUILD, ROOT, check, check_equal, fixture, main, test


@fixture
def text():
    with open(f"{ROOT}/policies/README.md", encoding="utf-8") as file:
        yield file.read()


@fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="cloche-policies-") as made:
        yield made


def section(title):
    """What stands below a heading, up to the next one of its level or above."""
    level, name = re.match(r"(#+) (.*)", title).groups()
    rest = text().split(f"\n{level} {name}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", rest, 1)[0]


def rows(part, n_columns):
    """The rows of the first table of so many columns, without its head; cells without ` around them."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == n_columns and not set(row[0]) <= {"-"}][1:]


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def policy(document, *acts):
    """The exit code and what is said of acts, each "allow" or "deny"; on a bad policy what is wrong."""
    path = f"{folder()}/x.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": 1, **document, "name": "x"}, file)
    flags = [word for act in acts for word in ("--would", act)]
    done = subprocess.run([f"{BUILD}/cloche", "policy", *(["explain"] if acts else ["check"]), path, "--json", *flags],
                          capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode < 2, f"{acts}: {done.stderr}")
    told = json.loads(done.stdout)
    return done.returncode, [row["verdict"] for row in told] if acts else [f["message"] for f in told["findings"]]


@test
def the_table_of_files_has_each_policy_and_no_other():
    named = {word for row in rows(text(), 2) for word in words(row[0]) if word.endswith(".json")}
    there = {os.path.basename(path) for path in glob.glob(f"{ROOT}/policies/*.json")}
    check_equal(named, {name for name in there if not name.endswith(".test.json")}, "files")


@test
def profiles_have_as_many_calls_as_it_says():
    for profile, n in [(words(row[0])[0], int(row[1])) for row in rows(section("## System calls"), 3)]:
        with open(f"{ROOT}/tests/unit/confine/{profile}.expect", encoding="utf-8") as file:
            check_equal(sum(line.endswith(" allowed\n") for line in file), n, profile)


@test
def resources_have_the_bounds_and_classes_that_it_says():
    table = rows(section("## Resources"), 7)
    check_equal(len(table), 5, "rows")
    for key, _, least, most, *classes in table:
        key = words(key)[0]

        def value(amount):
            return amount if re.search("[a-zA-Z]", amount) else float(amount) if "." in amount else int(amount)
        for good in [least, most]:
            check_equal(policy({"resources": {key: value(good)}}), (0, []), f"{key} {good}")
        number, unit = re.match(r"([0-9.]+)(.*)", least).groups()
        below = "1KiB" if unit else 0.001 if key == "cpu" else int(number) - 1
        above = f"{int(re.match('[0-9]+', most)[0]) + 1}{unit and 'TiB'}"
        for bad in [below, above if unit else int(above)]:
            check_equal(policy({"resources": {key: bad}})[0], 1, f"{key} {bad}")
        for name, amount in zip(["small", "medium", "large"], classes, strict=True):
            more = re.sub(r"^[0-9]+", lambda found: str(int(found[0]) + 1), amount)
            check_equal(policy({"resources": {"class": name}}, f"use {key} {amount}", f"use {key} {more}")[1],
                        ["allow", "deny"], f"{key} of {name}")


@test
def special_ranges_are_opened_by_rules_inside_them_only():
    wide = {"network": {"allow": [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]}}
    never = set()
    for cell, what in rows(section("### Special ranges"), 2):
        for word in words(cell):
            network = ipaddress.ip_network(word)
            address = network[-min(2, network.num_addresses)]
            act = f"connect {address}:443" if network.version == 4 else f"connect [{address}]:443"
            inside = {"network": {"allow": [{"cidr": str(network)}]}}
            if "loopback" in what and "link" not in what:
                never.add(word)
                check_equal(policy(inside)[0], 1, f"a rule for {word}")
                continue
            if "IPv4 itself" in what:
                continue
            check_equal(policy(wide, act)[1], ["deny"], f"{act} by a wide rule")
            if "never" in what:
                never.add(word)
                check_equal(policy(inside, act)[1] if policy(inside)[0] == 0 else ["deny"], ["deny"], act)
            else:
                check_equal(policy(inside, act)[1], ["allow"], f"{act} by its own")
    check_equal(len(never), 6, f"ranges that nothing opens: {never}")


@test
def budgets_have_the_bounds_that_it_says():
    for keys, _, least, most in rows(section("## Budgets"), 4):
        for key in words(keys):
            unit = "KiB" in least
            good = [least, most] if unit else [int(least), int(most)]
            bad = ["1023", "1025TiB"] if unit else [0, int(most) + 1]
            for value in good:
                check_equal(policy({"budgets": {key: value}}), (0, []), f"{key} {value}")
            for value in bad:
                check_equal(policy({"budgets": {key: value}})[0], 1, f"{key} {value}")


@test
def examples_are_policies():
    found = re.findall(r"```json\n(.*?)```", text(), re.DOTALL)
    check(len(found) >= 9, f"only {len(found)} examples")
    for example in found:
        example = re.sub(r"[0-9a-f]{4}…", "0" * 64, example)  # a hash that is shortened for the reader
        whole = example if example.startswith("{") else f"{{{example}}}"
        document = json.loads(whole)
        if "cases" in document:
            continue
        if document.keys() & {"cidr", "records"} or "name" in document and "version" not in document:
            document = {"network": {"allow": [document]}}
        check_equal(policy(document), (0, []), example)


@test
def acts_are_those_of_the_table():
    values = {"HOST:PORT": "a.org:443", "ADDRESS:PORT": "203.0.113.1:9", "NAME": "a.org", "NAME TYPE": "a.org MX",
              "PORT": "80", "PATH": "/usr/x", "KEY AMOUNT": "memory 1MiB", "/dev/NAME": "/dev/null"}
    part = section("## Reviewing policies")
    table = [row for row in rows(part, 2) if words(row[0])]
    verbs = set()
    for cell, _ in table:
        for form in words(cell):
            verb, _, objects = form.partition(" ")
            verbs.add(verb)
            example = {"syscall": "ptrace", "omit": "KEY"}.get(verb) or values.get(objects)
            if example:
                check(policy({}, f"{verb} {example}")[1][0] in ("allow", "deny"), form)
    check(verbs >= {"connect", "send", "resolve", "inbound", "syscall", "read", "write", "open", "use", "omit"},
          f"{verbs}")
    done = subprocess.run([f"{BUILD}/cloche", "policy", "explain", f"{ROOT}/policies/offline.json", "--would", "x"],
                          capture_output=True, text=True, timeout=60, check=False)
    listed = re.search(r"begins with (.*), as in", done.stderr)[1]
    check_equal(set(re.split(r", | or ", listed)), verbs, "what the command says of acts")


if __name__ == "__main__":
    main()
