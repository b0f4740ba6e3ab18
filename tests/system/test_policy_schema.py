#!/usr/bin/python3
"""policies/policy.schema.json says what `cloche policy check` does, key by key and bound by bound.

The schema is what an editor believes. So each key that a reader of the policy room takes must be in
it, each key in it must be taken, and at each edge (the least, the most, one beyond, another type,
another word) both must say the same. What a schema cannot say (host bits, overlapping ranges, names of
system calls) is not asked here: tests/unit/policy/invalid has it."""

import copy
import glob
import json
import os
import re
import subprocess
import tempfile

import jsonschema

from cloche_harness import BUILD, ROOT, check, check_equal, main, test

with open(f"{ROOT}/policies/policy.schema.json", encoding="utf-8") as opened:
    SCHEMA = json.load(opened)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
POLICY = f"{ROOT}/supervisor/policy"
NAME = {"name": "example.org"}
ADDRESS = {"cidr": "203.0.113.0/24"}
RECORDS = {"name": "example.org", "records": ["MX"]}
CONDITION = {"index": 0, "is": 0}  # of ptrace: its request has 64 bits and a sign
COMPARISONS = ("is", "is_not", "at_least", "at_most")


def in_section(*keys):
    def wrap(inner):
        for key in reversed(keys):
            inner = {key: inner}
        return {"version": 1, "name": "x", **inner}
    return wrap


def in_rule(rule):
    return {"version": 1, "name": "x", "network": {"allow": [rule]}}


# What reads an object: its file, those keys that it knows only to refuse them with a sentence, the
# object's places in the schema, what it needs beside each key, and the document around it.
OBJECTS = {
    "parse.c:read_document": ((), [((), {"version": 1, "name": "x"}, lambda inner: inner)]),
    "parse.c:read_network": ((), [(("network",), {}, in_section("network"))]),
    "parse.c:read_inbound": ((), [(("network", "inbound"), {"ports": [1]}, in_section("network", "inbound"))]),
    "terms/limits.c:policy_read_limits": ((), [(("resources",), {}, in_section("resources"))]),
    "terms/budgets.c:policy_read_budgets": ((), [(("budgets",), {"connections": 1}, in_section("budgets"))]),
    "terms/audit.c:policy_read_audit": ((), [(("audit",), {}, in_section("audit"))]),
    "paths/files.c:policy_read_files": ((), [(("files",), {"read_only": ["/"]}, in_section("files"))]),
    "paths/executables.c:policy_read_executables": ((), [(("executables",), {"allow": []}, in_section("executables"))]),
    "paths/executables.c:read_program": ((), [("program_object", {"path": "/a"},
                                         lambda inner: in_section("executables")({"allow": [inner]}))]),
    "paths/files.c:read_element": ((), [("path_object", {"path": "/tmp"},
                                   lambda inner: in_section("files")({"hidden": [inner]}))]),
    "terms/lifecycle.c:policy_read_lifecycle": (("auto_archive",), [(("lifecycle",), {}, in_section("lifecycle"))]),
    "calls/syscalls.c:policy_read_syscalls": ((), [(("syscalls",), {}, in_section("syscalls"))]),
    "calls/rules.c:call_rule_read": ((), [("call_rule", {"name": "ptrace", "args": [CONDITION]},
                                          lambda inner: in_section("syscalls")({"deny": [inner]}))]),
    "calls/condition.c:call_condition_read": ((), [(
        "call_condition", CONDITION,
        lambda inner: in_section("syscalls")({"deny": [{"name": "ptrace", "args": [inner]}]}))]),
    "network/rule.c:policy_read_rule": ((), [("rule_for_name", NAME, in_rule), ("rule_for_addresses", ADDRESS, in_rule),
                                     ("rule_for_records", RECORDS, in_rule)]),
}


def object_at(place):
    if isinstance(place, str):
        return SCHEMA["$defs"][place]
    node = SCHEMA
    for key in place:
        node = node["properties"][key]
    return node


def keys_read():
    """The lists that policy_check_keys() is given, by file and function."""
    found = {}
    for path in glob.glob(f"{POLICY}/**/*.c", recursive=True):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for match in re.finditer(r"static const char \*const keys\[\] = \{([^}]*)NULL\}", text):
            name = re.findall(r"^[a-z].*?\b(\w+)\(", text[:match.start()], re.MULTILINE)[-1]
            found[f"{os.path.relpath(path, POLICY)}:{name}"] = set(re.findall(r'"(\w+)"', match.group(1)))
    return found


def refused(documents):
    """By `cloche policy check`: the places of those documents that are no policies."""
    with tempfile.TemporaryDirectory(prefix="cloche-schema-") as made:
        for i, document in enumerate(documents):
            os.mkdir(f"{made}/{i}")
            name = document.get("name") if isinstance(document, dict) else None
            name = name if isinstance(name, str) and re.fullmatch("[a-z0-9-]+", name) else "x"
            with open(f"{made}/{i}/{name}.json", "w", encoding="utf-8") as file:
                json.dump(document, file)
            with open(f"{made}/{i}/base.json", "w", encoding="utf-8") as file:
                json.dump({"version": 1, "name": "base", "network": {"inbound": {"ports": [9]}},
                           "budgets": {"connections": 7}, "executables": {"allow": []}}, file)
        done = subprocess.run([f"{BUILD}/cloche", "policy", "check", "--json",
                               *(f"{made}/{i}" for i in range(len(documents)))],
                              capture_output=True, timeout=300, check=False)
        check(done.returncode in (0, 1), f"policy check: {done.stderr}")
        findings = json.loads(done.stdout)["findings"]
        return {int(f["file"][len(made) + 1:].split("/")[0]): f for f in findings if f["severity"] == "error"}


def agree(rows):
    """Of (document, whether it is a policy): both say so."""
    found = refused([document for document, _ in rows])
    wrong = []
    for i, (document, good) in enumerate(rows):
        says = VALIDATOR.is_valid(document)
        if says != good or (i not in found) != good:
            wrong.append(f"{json.dumps(document)[:300]}: expected {good}, schema {says}, "
                         f"parser {found.get(i, {}).get('message', True)!r}")
    check(not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong[:20]))


# Texts by the pattern's owner: good, then bad.
TEXTS = {
    "description": (["", "ä, one line", "d" * 191], ["two\nlines", "\u007f", "d" * 192, 1]),
    "size": (["1TiB", "512MiB"], ["4GB", "0MiB", "1.5GiB", "01GiB", "1 GiB", ""]),
    "duration": (["1s", "7d", "1h30m", "1d1h1m1s"], ["", "90", "1m1h", "0s", "1.5h", "1h1h", " 1s", 90]),
    "paths": (["/a", "/opt/x y"], ["a", "/a/", "//a", "/a//b", "/a/../b", "/.", "/a\nb", "/" + "a" * 255, 1]),
    "path": (["/a", "/opt/x y", "/develop"],
             ["a", "/", "/a/", "//a", "/a/../b", "/a\nb", "/dev", "/proc/x", "/" + "a" * 255, 1]),
    "/sha256": (["0123456789abcdef" * 4], ["", "a" * 63, "a" * 65, "A" * 64, 1]),
    "calls": (["ptrace"], ["", "Ptrace", "no-call", "a" * 32, 1]),
    "call": (["ptrace"], ["", "Ptrace", "no-call", "a" * 32, 1]),
    "ports": ([1, 65535, "8000-8010"], [0, 65536, "80", "0-1", "-", "1-", "08-9", 1.5, True]),
    "/name": (["a", "0", "a-b", "a" * 63], ["", "A", "-a", "a-", "a.b", "a" * 64, "a/b", 1]),
    "/secrets": (["A", "_a1"], ["", "1A", "A-B", "A=b", "A" * 64, 1]),
    "cpu": (["0.01", "1.5", "1024"], ["", ".5", "1.", "1e1", "0.0001", "-1", True, None]),
    "rule_for_name/name": (["example.org", "*.example.org", "bücher.example"],
                           ["", "*", "a.*.org", "a b.org", "a.org:80", "http://a.org", 1]),
    "rule_for_records/name": (["example.org"], ["", "*.example.org", "a.org:53", 1]),
    "rule_for_addresses/cidr": (["203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "0.0.0.0/0"],
                                ["", "example.org", "203.0.113.0/", "203.0.113.0/024", "203.0.113.0/-1", 1]),
}
TEXTS["path_of_files"] = TEXTS["paths"]
# What is beyond a number's edges is the argument's, not the schema's.
VALUES = {
    "call_value": ([0, 5, -5, "0", "-5", "0x1F", "0o17", "PTRACE_ATTACH", "PTRACE_ATTACH|0x20|1"],
                   ["", "010", "0x", "0o8", "-0x1", "1|", "|1", "1 ", "ptrace", 1.5, True, None, [], {}]),
    "call_mask": ([5, "5", "0x1F", "0o17", "PTRACE_ATTACH|1"], ["", -5, "-5", 0, "0", "010", "1|", 1.5, True, []]),
}
DISTINCT = {
    "call_condition": lambda i: {"index": 0, "is_not": i},
    "program": lambda i: f"/p{i}", "path": lambda i: f"/l{i}",
    "paths": lambda i: f"/p{i}", "/secrets": lambda i: f"S{i}", "ports": lambda i: i + 1,
    "rule": lambda i: {"cidr": f"8.{i // 65536}.{i // 256 % 256}.{i % 256}"},
}


def samples(node, owner):
    """Of a schema's node: (value, whether it is good), up to each edge and one beyond."""
    if "$ref" in node:
        owner = node["$ref"].rsplit("/", 1)[1]
        node = {**SCHEMA["$defs"][owner], **{k: v for k, v in node.items() if k != "$ref"}}
    if owner in VALUES:
        return [(value, True) for value in VALUES[owner][0]] + [(value, False) for value in VALUES[owner][1]]
    if "anyOf" in node:
        each = [row for branch in node["anyOf"] for row in samples(branch, owner)]
        return [row for row in each if row[1]] + [("another", False), (1, False), (["no call"], False)]
    if "const" in node:
        return [(node["const"], True), ("another", False), (7, False)]
    if "enum" in node:
        return [(word, True) for word in node["enum"]] + [("another", False), ("", False), (1, False)]
    if node.get("type") == "boolean":
        return [(True, True), (False, True), ("true", False), (1, False)]
    if node.get("type") == "array":
        return lists_of(node, owner)
    if node.get("type") == "object":
        return [([], False), ("", False)]
    rows = []
    if "minimum" in node:
        step = 1 if "integer" in node["type"] else 0.001
        rows = [(node["minimum"], True), (node["maximum"], True), (node["minimum"] - step, False),
                (node["maximum"] + step, False), (-1, False), ([], False)]
    if node.get("type") != "integer":
        good, bad = TEXTS[owner]
        rows += [(text, True) for text in good] + [(text, False) for text in bad]
    return rows


def lists_of(node, owner):
    items = node["items"]
    if owner in ("paths", "calls"):
        each = [(t, True) for t in TEXTS[owner][0]] + [(t, False) for t in TEXTS[owner][1]]
    elif owner == "calls_denied":
        each = [(t, True) for t in TEXTS["call"][0]] + [(t, False) for t in TEXTS["call"][1]]
        each += [({"name": "ptrace", "args": [CONDITION]}, True), ({"name": "ptrace"}, False),
                 ({"args": [CONDITION]}, False), ({}, False)]
    elif items.get("$ref", "").endswith("/call_condition"):
        each = [(CONDITION, True), ({}, False), ({"index": 0}, False), ({**CONDITION, "at_most": 5}, False),
                ({"index": 0, "mask": 7, "at_most": 5}, False), ({**CONDITION, "mask": 7}, True)]
    elif items.get("$ref", "").endswith("/rule"):
        each = [(ADDRESS, True), (NAME, True), (RECORDS, True), ({}, False), ("pypi.org", False),
                ({**NAME, **ADDRESS}, False), ({**ADDRESS, "records": ["MX"]}, False)]
    elif items.get("$ref", "").endswith("/ports"):
        each = [(t, True) for t in TEXTS["ports"][0]] + [(t, False) for t in TEXTS["ports"][1]]
    else:
        each = samples(items, owner)
    rows = [([value], good) for value, good in each]
    rows += [([], node.get("minItems", 0) == 0), ({}, False), ("x", False)]
    one = next(value for value, good in each if good)
    if node.get("uniqueItems"):
        rows.append(([one, one], False))
    kind = items.get("$ref", f"/{owner}").rsplit("/", 1)[1] if owner != "paths" else "paths"
    make = DISTINCT.get(kind) or DISTINCT.get(f"/{kind}")
    if "maxContains" in node:
        each = [{"name": "ptrace", "args": [{"index": 0, "is": i}]} for i in range(node["maxContains"] + 1)]
        rows += [(each[1:] + ["openat2"], True), (each, False)]
    if "maxItems" in node and make:
        rows += [([make(i) for i in range(node["maxItems"])], True),
                 ([make(i) for i in range(node["maxItems"] + 1)], False)]
    return rows


def rows_of(place, beside, wrap):
    rows = []
    holder = object_at(place)
    for key, node in holder["properties"].items():
        owner = f"{place}/{key}" if isinstance(place, str) and key in ("name", "cidr") else f"/{key}"
        if key == "extends":  # what_a_base_says_need_not_be_said_again
            continue
        for value, good in samples(node, "cpu" if key == "cpu" else owner):
            inner = {**beside, key: value}
            if key == "hidden":
                inner = {key: value}
            elif key in COMPARISONS:
                inner = {"index": 0, key: value}
            elif place == "call_condition" and key == "index" and good and value != 0:
                continue  # the only one of ptrace that a filter can judge
            elif key == "writable" and isinstance(value, list) and len(value) > 60:
                continue  # the three lists together may be as long as one
            elif place == ("network", "inbound") and value == []:
                good = False
            rows.append((wrap(inner), good))
    rows.append((wrap({**beside, "unknown_key": 1}), False))
    if place == "call_condition":
        rows += [(wrap({**CONDITION, key: 1}), False) for key in COMPARISONS[1:]]
    for key in set(holder.get("required", [])) - {"records"}:  # without them it is another rule
        rows.append((wrap({k: v for k, v in beside.items() if k != key}), False))
    return rows


@test
def the_schema_is_one_of_its_draft():
    check_equal(SCHEMA["$schema"], "https://json-schema.org/draft/2020-12/schema", "the draft")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@test
def every_policy_that_is_good_is_good_by_the_schema():
    shipped = [p for p in glob.glob(f"{ROOT}/policies/*.json") if not p.endswith((".test.json", ".schema.json"))]
    valid = glob.glob(f"{ROOT}/tests/unit/policy/valid/*.json")
    check(len(shipped) >= 7 and len(valid) >= 30, f"only {len(shipped)} and {len(valid)} files")
    for path in sorted(shipped + valid):
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        wrong = [f"/{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(document)]
        check(not wrong, f"{path}: {wrong}")


@test
def the_schema_has_the_keys_that_are_read_and_no_others():
    found = keys_read()
    check_equal(sorted(found), sorted(OBJECTS), "readers of objects (a new one needs a row in OBJECTS)")
    for reader, keys in found.items():
        only_refused, places = OBJECTS[reader]
        written = set().union(*(object_at(place)["properties"] for place, _, _ in places))
        check_equal(written, keys - set(only_refused), f"keys of {reader}")


@test
def keys_that_are_known_only_to_be_refused_are_refused_by_both():
    rows = [(wrap({**beside, key: "1h"}), False)
            for only_refused, places in OBJECTS.values() for key in only_refused for _, beside, wrap in places]
    agree(rows)


@test
def both_say_the_same_at_each_edge_of_each_key():
    rows = [row for _, places in OBJECTS.values() for place in places for row in rows_of(*place)]
    check(len(rows) > 300, f"only {len(rows)} documents")
    agree(rows)


@test
def keys_from_nowhere_are_refused_wherever_they_stand():
    def objects(value):
        if isinstance(value, dict):
            yield value
            for each in value.values():
                yield from objects(each)
        if isinstance(value, list):
            for each in value:
                yield from objects(each)
    rows = []
    for path in sorted(glob.glob(f"{ROOT}/policies/*.json")):
        if path.endswith((".test.json", ".schema.json")):
            continue
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        if "extends" in document:
            continue
        rows.append((document, True))
        for i in range(len(list(objects(document)))):
            mutant = copy.deepcopy(document)
            list(objects(mutant))[i]["netwrok"] = {}
            rows.append((mutant, False))
    check(len(rows) > 30, f"only {len(rows)} documents")
    agree(rows)


@test
def what_a_base_says_need_not_be_said_again():
    child = {"version": 1, "name": "x", "extends": "base"}
    rows = [(child, True), ({**child, "extends": "Base"}, False), ({**child, "extends": 1}, False)]
    for part in [{"network": {"inbound": {"description": "as below"}}}, {"network": {"inbound": {"ports": []}}},
                 {"budgets": {"per": "1h"}}, {"executables": {"libraries": ["/opt/lib"]}}]:
        alone = {"version": 1, "name": "x", **part}
        rows += [({**child, **part}, True), (alone, False)]
    for key in ["version", "name"]:
        rows.append(({k: v for k, v in child.items() if k != key}, False))
    agree(rows)


if __name__ == "__main__":
    main()
