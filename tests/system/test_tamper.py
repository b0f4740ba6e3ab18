#!/usr/bin/python3
"""A real daemon's log under cloche-verify: honest, it is valid, also after kill -9; each way to tamper
with it is found and named. Who holds the key signs with it here, too, by openssl(1) and hashlib."""

import base64
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

from cloche_harness import (BUILD, Daemon, check, check_equal, check_in, fixture, main, read_text, test,
                            until)

VERIFY = f"{BUILD}/cloche-verify"
PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, before the 32 bytes


# ---- a second reading of the format

def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def root(leaves):
    """RFC 9162 2.1.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


class Log:
    """A copy of a log, changed as whoever holds its key could."""

    def __init__(self, directory, secret):
        self.directory = directory
        self.secret = PKCS8_ED25519 + secret
        self.origin, key_hash, _ = read_text(f"{directory}/keys/000001.pub").strip().split("+", 2)
        self.key_hash = bytes.fromhex(key_hash)

    def segments(self):
        return sorted(glob.glob(f"{self.directory}/log/*.jsonl"))

    def lines(self):
        return b"".join(open(path, "rb").read() for path in self.segments()).splitlines()

    def notes(self):
        text = "".join(read_text(path) for path in sorted(glob.glob(f"{self.directory}/checkpoints/*")))
        return [re.sub(r"\A\n*", "", note) for note in re.findall(r"\n*.+?\n\n.+?\n(?=\n)", text, re.S)]

    def sign(self, text):
        with tempfile.TemporaryDirectory() as scratch:
            for name, data in (("key", self.secret), ("text", text.encode())):
                with open(f"{scratch}/{name}", "wb") as file:
                    file.write(data)
            signature = subprocess.run(
                ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", f"{scratch}/key",
                 "-in", f"{scratch}/text"], check=True, stdout=subprocess.PIPE).stdout
        return f"{text}\n— {self.origin} {base64.b64encode(self.key_hash + signature).decode()}\n"

    def write(self, lines, sizes=None):
        """One segment, its tiles, and newly signed checkpoints of the sizes (all that were there)."""
        leaves = [leaf(line) for line in lines]
        texts = [note.split("\n\n")[0] + "\n" for note in self.notes()]
        sizes = sizes or [int(text.splitlines()[1]) for text in texts]
        notes = []
        for text in texts:
            rows = text.splitlines(keepends=True)
            size = int(rows[1])
            if size in sizes and size <= len(leaves):
                rows[2] = base64.b64encode(root(leaves[:size])).decode() + "\n"
                rows[3] = f"number {len(notes) + 1}\n"
                notes.append(self.sign("".join(rows)))
        for folder in ("log", "tile", "checkpoints"):
            shutil.rmtree(f"{self.directory}/{folder}")
            os.mkdir(f"{self.directory}/{folder}")
        put(f"{self.directory}/log/{1:020}.jsonl", b"".join(line + b"\n" for line in lines))
        put(f"{self.directory}/checkpoints/{1:020}.notes", "".join(n + "\n" for n in notes).encode())
        put(f"{self.directory}/checkpoint", notes[-1].encode())
        self.write_tiles(leaves[:int(notes[-1].splitlines()[1])])

    def write_tiles(self, hashes):
        level = 0
        while hashes:
            for first in range(0, len(hashes), 256):
                tile = hashes[first:first + 256]
                name = f"tile/{level}/{first // 256:03}" + ("" if len(tile) == 256 else f".p/{len(tile)}")
                put(f"{self.directory}/{name}", b"".join(tile))
            hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
            level += 1


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def get(path):
    with open(path, "rb") as file:
        return file.read()


# ---- the honest log

class Scene:
    """What a daemon wrote that was killed in the middle and stopped in the end."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="cloche-test-tamper-")
        daemon = Daemon(pool="shell=2", arguments=["--audit-segment-bytes", "65536", "--audit-heartbeat", "1"])
        try:
            self.live(daemon.start())
        finally:
            daemon.close()

    def live(self, daemon):
        tenant = daemon.tenant("acme", "deny-all")
        sandbox = tenant.create(template="shell")
        for number in range(60):
            sandbox.exec(["sh", "-c", f"true {number}; ls / >/dev/null"])
        sandbox.delete().expect(204)
        self.ended = sandbox.id
        alive = tenant.create(template="shell")
        alive.exec(["true"])
        self.first_checkpoint = self.covering(daemon, 1)
        daemon.kill()
        shutil.copytree(f"{daemon.state_dir}/audit", f"{self.directory}/killed")
        daemon.start()
        self.export(daemon, tenant)
        self.save_stream(daemon, tenant, alive)
        last = daemon.client.last_sequence()
        self.consistency = self.proof_of_growth(daemon, last)
        files = f"{daemon.state_dir}/audit/checkpoints/*"
        until(lambda: self.heartbeats_inside(get(max(glob.glob(files)))), "heartbeats amid others", 30)
        daemon.stop()
        shutil.copytree(f"{daemon.state_dir}/audit", f"{self.directory}/honest")
        self.secret = get(f"{daemon.state_dir}/audit-key")
        self.key = read_text(f"{self.directory}/honest/keys/000001.pub").strip()

    @staticmethod
    def heartbeats_inside(file):
        """Whether a heartbeat's checkpoint has two others before it and two behind it."""
        reasons = [line for line in file.splitlines() if line.startswith(b"reason ")]
        return b"reason heartbeat" in reasons[2:-2]

    @staticmethod
    def covering(daemon, sequence):
        """A checkpoint of at least so many records."""
        def ask():
            answer = daemon.client.get("/v1/audit/checkpoint")
            if answer.status != 200 or int(answer.body.splitlines()[1]) < sequence:
                return None
            return answer.body.decode()
        return until(ask, f"a checkpoint that covers {sequence}")

    def export(self, daemon, tenant):
        """What the tenant takes home: its sandbox's records, and one proof, that of the END."""
        self.stream = tenant.get(f"/v1/audit?sandbox={self.ended}").expect(200).body
        self.end = [json.loads(line) for line in self.stream.splitlines()
                    if b'"type":"sandbox.end"' in line][0]
        self.covering(daemon, self.end["seq"])
        self.proof = tenant.get(f"/v1/audit/proof?seq={self.end['seq']}").expect(200).body
        other = next(r for r in daemon.audit_lines() if r["type"] == "daemon.start")
        tenant.get(f"/v1/audit/proof?seq={other['seq']}").problem(404, "not-found")
        daemon.client.get(f"/v1/audit/proof?seq={other['seq']}").expect(200)

    def save_stream(self, daemon, tenant, alive):
        """The same in one go, with the tenant's key and without it."""
        self.saved = f"{self.directory}/saved"
        keys = {"own": tenant.key, "other": daemon.tenant("stranger").key}
        for name, key in keys.items():
            put(f"{self.directory}/{name}.key", key.encode())
        for key, sandbox, status in (("other", self.ended, 1), ("own", alive.id, 1), ("own", self.ended, 0)):
            done = subprocess.run(
                [f"{BUILD}/cloche", "audit", "stream", sandbox, "--output", self.saved, "--url",
                 f"unix://{daemon.socket_path}", "--key-file", f"{self.directory}/{key}.key"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            check_equal(done.returncode, status, f"{key} {sandbox}: {done.stderr}")
            check_equal(os.path.exists(self.saved), status == 0, "whether it is saved")

    def proof_of_growth(self, daemon, last):
        self.newer = self.covering(daemon, last)
        older, newer = (int(note.splitlines()[1]) for note in (self.first_checkpoint, self.newer))
        return daemon.client.get(f"/v1/audit/consistency?from={older}&to={newer}").expect(200).body

    def copy(self):
        path = f"{self.directory}/copy"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(f"{self.directory}/honest", path)
        return Log(path, self.secret)

    def file(self, name, data):
        path = f"{self.directory}/{name}"
        put(path, data if isinstance(data, bytes) else data.encode())
        return path


@fixture
def scene():
    made = Scene()
    yield made
    shutil.rmtree(made.directory)


def verify(*words, key=None):
    done = subprocess.run([VERIFY, *words, "--key", key or scene().key, "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    answer = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr.decode()}
    check_equal(done.returncode, {True: 0, False: 1}.get(answer.get("valid"), 2), f"status of {answer}")
    return answer


def refused(kind, *words, **more):
    answer = verify(*words, **more)
    check_equal(answer.get("valid"), False, f"valid: {answer}")
    check_equal(answer["fault"]["kind"], kind, f"kind of {answer['fault']}")
    return answer["fault"]


def middle(log):
    """A segment in the middle with a record in its middle: path, lines, index, sequence."""
    path = log.segments()[1]
    lines = get(path).splitlines(keepends=True)
    index = len(lines) // 2
    return path, lines, index, json.loads(lines[index])["seq"]


# ---- honest

@test
def an_honest_log_is_valid():
    answer = verify(f"{scene().directory}/honest", "--sealed")
    check_equal(answer["records"], len(scene().copy().lines()), "records")
    check(answer["segments"] > 2, f"segments: {answer}")
    check_equal(answer["stops"], 1, "restarts")
    check_equal(answer["sandboxes"]["alive"], 0, "alive")
    check_equal(answer["sandboxes"]["started"], answer["sandboxes"]["ended"], "ended")


@test
def a_log_whose_daemon_was_killed_is_valid():
    answer = verify(f"{scene().directory}/killed")
    check_equal(answer["sandboxes"]["alive"], 1, "alive")


@test
def a_second_reading_of_the_format_finds_the_same_roots():
    log = scene().copy()
    leaves = [leaf(line) for line in log.lines()]
    notes = log.notes()
    check_equal(verify(log.directory)["checkpoints"], len(notes), "checkpoints")
    for note in notes:
        size, told = note.splitlines()[1:3]
        check_equal(base64.b64decode(told), root(leaves[:int(size)]), f"root of {size}")
    text = notes[-1].split("\n\n")[0] + "\n"
    check_equal(log.sign(text), notes[-1], "an Ed25519 signature is the same twice")


@test
def a_tenant_checks_its_own_stream_with_one_proof():
    stream = scene().file("stream", scene().stream)
    proofs = scene().file("proofs", scene().proof + b"\n")
    answer = verify("stream", "--proofs", proofs, stream)
    check_equal((answer["sandbox"], answer["ended"]), (scene().ended, True), "stream")
    check_equal(answer["records"], scene().end["audit"]["records"] + 1, "records")
    lines = [line for line in scene().stream.splitlines(keepends=True) if b'"sandbox_seq":' in line]
    check_equal(len(lines), answer["records"], "its own records")
    stream = scene().file("stream", b"".join(lines[:5] + lines[6:]))
    check_equal(refused("stream", "stream", "--proofs", proofs, stream)["seq"],
                json.loads(lines[6])["seq"], "first record after the gap")
    stream = scene().file("stream", b"".join(lines).replace(b"true 7", b"true 8"))
    refused("end-forged", "stream", "--proofs", proofs, stream)


@test
def a_stream_that_was_saved_in_one_go_is_valid_and_its_twin_without_a_record_is_not():
    directory = scene().saved
    words = ["stream", "--keys", f"{directory}/keys", "--proofs", f"{directory}/proofs.jsonl"]
    answer = verify(*words, f"{directory}/records.jsonl")
    check_equal((answer["sandbox"], answer["ended"]), (scene().ended, True), "stream")
    lines = get(f"{directory}/records.jsonl").splitlines(keepends=True)
    index = next(i for i, line in enumerate(lines) if b'"sandbox_seq":6,' in line)
    less = scene().file("less", b"".join(lines[:index] + lines[index + 1:]))
    refused("stream", *words, less)


@test
def a_proof_and_two_checkpoints_are_checked_alone():
    proof = scene().file("proof", scene().proof)
    check_equal(verify("proof", proof)["seq"], scene().end["seq"], "seq")
    forged = scene().proof.replace(b'\\"records\\":', b'\\"records\\": ')
    refused("record-malformed", "proof", scene().file("proof", forged))
    older = scene().file("older", scene().first_checkpoint)
    newer = scene().file("newer", scene().newer)
    growth = scene().file("growth", scene().consistency)
    verify("consistency", "--proof", growth, older, newer)
    verify("consistency", "--tiles", f"{scene().directory}/honest", older, newer)
    log = scene().copy()
    lines = log.lines()
    log.write([lines[0].replace(b'"v":1', b'"v":2')] + lines[1:])
    fork = scene().file("fork", get(f"{log.directory}/checkpoint"))
    refused("forked", "consistency", "--tiles", log.directory, older, fork)


# ---- what anybody can do to files

@test
def a_byte_edited_is_named():
    log = scene().copy()
    path, lines, index, sequence = middle(log)
    lines[index] = lines[index].replace(b'"time":"20', b'"time":"30')
    put(path, b"".join(lines))
    fault = refused("record-changed", log.directory)
    check_equal((fault["seq"], fault["line"]), (sequence, index + 1), "place")
    check_in(os.path.basename(path), fault["file"], "file")


@test
def records_inserted_deleted_and_reordered_are_named():
    for kind, change in (
            ("record-inserted", lambda l, i: l[:i] + [l[i].replace(b'"v":1', b'"v":3')] + l[i:]),
            ("record-inserted", lambda l, i: l[:i] + [l[i - 1]] + l[i:]),
            ("record-deleted", lambda l, i: l[:i] + l[i + 1:]),
            ("record-deleted", lambda l, i: l[:i] + l[i + 3:]),
            ("record-reordered", lambda l, i: l[:i] + [l[i + 1], l[i]] + l[i + 2:]),
            ("record-reordered", lambda l, i: l[:i] + [l[-1]] + l[i:-1])):
        log = scene().copy()
        path, lines, index, sequence = middle(log)
        put(path, b"".join(change(lines, index)))
        check_equal(refused(kind, log.directory)["seq"], sequence, f"place of {kind}")


@test
def a_log_cut_short_is_named():
    for with_tiles in (False, True):
        log = scene().copy()
        os.unlink(log.segments()[-1])
        if with_tiles:
            kept = [leaf(line) for line in log.lines()]
            shutil.rmtree(f"{log.directory}/tile")
            log.write_tiles(kept)
        refused("truncated", log.directory)
    log = scene().copy()
    put(log.segments()[-1], get(log.segments()[-1])[:-300])
    refused("truncated", log.directory)


@test
def segments_swapped_or_gone_are_named():
    log = scene().copy()
    one, other = log.segments()[:2]
    texts = get(one), get(other)
    put(one, texts[1])
    put(other, texts[0])
    refused("segment-misplaced", log.directory)
    for number in (0, 1):
        log = scene().copy()
        os.unlink(log.segments()[number])
        refused("segment-missing", log.directory)


@test
def a_checkpoint_gone_or_changed_is_named():
    log = scene().copy()
    path = sorted(glob.glob(f"{log.directory}/checkpoints/*"))[1]
    text = get(path)
    put(path, text.replace(b"lost ", b"lost 1", 1))
    refused("signature", log.directory)


def split_notes(text):
    """The notes of one file of the history."""
    parts = text.decode().split("\n\n")  # texts and signatures in turn
    return ["\n\n".join(parts[i:i + 2]) + "\n" for i in range(0, len(parts) - 1, 2)]


def join_notes(notes):
    return "".join(note + "\n" for note in notes).encode()


@test
def checkpoints_are_numbered_one_by_one_over_the_kill():
    numbers = [int(note.splitlines()[3].split()[1]) for note in scene().copy().notes()]
    check_equal(numbers, list(range(1, len(numbers) + 1)), "numbers")


@test
def a_heartbeat_removed_from_the_middle_is_missed_by_its_number():
    log = scene().copy()
    path = max(glob.glob(f"{log.directory}/checkpoints/*"))
    notes = split_notes(get(path))
    check_equal(join_notes(notes), get(path), "the notes of the file")
    index = next(i for i, note in enumerate(notes[2:-2], 2) if "\nreason heartbeat\n" in note)
    put(path, join_notes(notes[:index] + notes[index + 1:]))
    fault = refused("checkpoint-missing", log.directory)
    check_equal(fault["expected"], notes[index].splitlines()[3], "the missing number")


@test
def checkpoints_removed_from_the_end_are_missed_by_the_newest_or_a_witness():
    log = scene().copy()
    path = max(glob.glob(f"{log.directory}/checkpoints/*"))
    notes = split_notes(get(path))
    witness = scene().file("last", notes[-1])
    verify(log.directory, "--witness", witness)
    while "\nreason heartbeat\n" not in notes[-1] and len(notes) > 1:
        notes.pop()
    witness = scene().file("last", notes.pop())
    put(path, join_notes(notes))
    check_equal(refused("checkpoint-missing", log.directory)["file"], "checkpoint", "place")
    # With `checkpoint` set back to what is left, nothing in the directory tells.
    put(f"{log.directory}/checkpoint", notes[-1].encode())
    verify(log.directory)
    check_equal(refused("rolled-back", log.directory, "--witness", witness)["file"], witness, "place")


@test
def a_key_of_another_log_and_a_forged_certificate_are_named():
    log = scene().copy()
    other = re.sub(r"\+.*", "", scene().key) + "x"
    done = verify(log.directory, key=other)
    check_equal(done.get("valid"), None, "no verdict without a key")
    put(f"{log.directory}/keys/000002.pub", (scene().key + "\n").encode())
    text = f"cloche key certificate v1\n{log.origin}\nepoch 2\nkey {scene().key}\nsize 1\ntime 1\n"
    forged = Log(log.directory, bytes(32)).sign(text)
    put(f"{log.directory}/keys/000002.cert", forged.encode())
    check_equal(refused("certificate", log.directory)["file"], "keys/000002.cert", "file")


# ---- what the holder of the key can do

@test
def an_end_forged_with_the_key_is_named():
    log = scene().copy()
    lines = log.lines()
    index = scene().end["seq"] - 1
    lines[index] = re.sub(rb'"head":"..', b'"head":"00', lines[index])
    log.write(lines)
    check_equal(refused("end-forged", log.directory)["seq"], index + 1, "place")


@test
def a_record_dropped_from_a_stream_with_the_key_is_named():
    log = scene().copy()
    lines = log.lines()
    index = next(i for i, line in enumerate(lines) if b'"sandbox_seq":4,' in line)
    lines[index] = b'{"v":1,"seq":%d,"time":"","type":"api.call"}' % (index + 1)
    log.write(lines)
    refused("stream", log.directory)


@test
def a_log_rolled_back_or_forked_with_its_key_is_seen_by_a_witness_alone():
    log = scene().copy()
    lines = log.lines()
    sizes = [int(note.splitlines()[1]) for note in log.notes()]
    witness = scene().file("witness", log.notes()[-1])
    early = scene().file("early", scene().first_checkpoint)
    kept = sizes[len(sizes) // 2]
    log.write(lines[:kept], [size for size in sizes if size <= kept])
    verify(log.directory)
    refused("rolled-back", log.directory, "--witness", witness)
    log = scene().copy()
    check_equal(verify(log.directory, "--witness", early)["witnessed"], 1, "witnessed")
    log.write([lines[0].replace(b'"v":1', b'"v":2')] + lines[1:])
    verify(log.directory)
    refused("forked", log.directory, "--witness", early)


# ---- retention and a new key, and the command line

class Pruned:
    """A log whose oldest segments retention removed, after its key had been changed."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="cloche-test-tamper-")
        daemon = Daemon(pool="shell=1", arguments=["--audit-segment-bytes", "65536",
                                                   "--audit-keep-bytes", "150000"])
        try:
            self.live(daemon.start())
        finally:
            daemon.close()

    def live(self, daemon):
        def cloche(*words, output=None):
            done = subprocess.run([f"{BUILD}/cloche", *words, "--url", f"unix://{daemon.socket_path}",
                                   "--key-file", f"{daemon.state_dir}/admin.key"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            check_equal((done.returncode, done.stderr), (0, b""), f"cloche {words}")
            if output:
                put(f"{self.directory}/{output}", done.stdout)

        Scene.covering(daemon, 1)
        cloche("audit", "checkpoint", output="witness")
        self.key = read_text(f"{daemon.state_dir}/audit/keys/000001.pub").strip()
        daemon.client.post("/v1/audit/rotate-key").expect(200)
        first = daemon.audit_segments()[0]
        until(lambda: daemon.client.get("/v1/templates").expect(200) and not os.path.exists(first),
              "the first segment goes", 60)
        sequence = daemon.client.last_sequence()
        Scene.covering(daemon, sequence)
        cloche("audit", "keys", "--save", f"{self.directory}/keys")
        cloche("audit", "proof", str(sequence), "--output", f"{self.directory}/proof")
        daemon.stop()
        shutil.copytree(f"{daemon.state_dir}/audit", f"{self.directory}/log")


@fixture
def pruned():
    made = Pruned()
    yield made
    shutil.rmtree(made.directory)


@test
def a_log_with_removed_segments_and_two_keys_is_valid():
    answer = verify(f"{pruned().directory}/log", "--witness", f"{pruned().directory}/witness",
                    key=pruned().key)
    check_equal((answer["epochs"], answer["witnessed"]), (2, 1), "epochs, witnessed")
    check(answer["first_kept"] > 1, f"first kept: {answer}")
    verify(f"{pruned().directory}/log", "--from", str(answer["first_kept"]), "--to",
           str(answer["signed"]), key=pruned().key)
    fault = refused("segment-missing", f"{pruned().directory}/log", "--from", "1", "--to", "2",
                    key=pruned().key)
    check_equal(fault["seq"], 1, "place")


@test
def a_proof_under_a_later_key_needs_its_certificate():
    proof = f"{pruned().directory}/proof"
    verify("proof", "--keys", f"{pruned().directory}/keys", proof, key=pruned().key)
    refused("signature", "proof", proof, key=pruned().key)


@test
def a_retention_that_is_changed_or_explains_too_little_is_named():
    path = f"{pruned().directory}/changed"
    shutil.copytree(f"{pruned().directory}/log", path)
    segment, text = next((s, get(s)) for s in sorted(glob.glob(f"{path}/log/*"))
                         if b'"type":"audit.retention"' in get(s))
    line = next(one for one in text.splitlines() if b'"type":"audit.retention"' in one)
    put(segment, text.replace(line, line.replace(b'"reason":"size"', b'"reason":"age"')))
    check_equal(refused("record-changed", path, key=pruned().key)["seq"], json.loads(line)["seq"], "place")
    put(segment, text)
    os.unlink(min(glob.glob(f"{path}/log/*")))
    check_in(refused("segment-missing", path, key=pruned().key)["file"], "log", "place")


@test
def the_command_line_client_runs_cloche_verify():
    command = [f"{BUILD}/cloche", "audit", "verify", f"{pruned().directory}/log"]
    done = subprocess.run([*command, "--key", pruned().key, "--json"], stdout=subprocess.PIPE, check=False)
    check_equal((done.returncode, json.loads(done.stdout)["valid"]), (0, True), "valid")
    done = subprocess.run([*command, "--key", pruned().key, "--sandbox", "sb-0123456789abcdef"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check_equal(done.returncode, 2, "status of what cannot be told")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check_in(b"--key is needed", done.stderr, "what it says without a key")


@test
def options_are_in_the_manual_and_in_both_completions():
    text = subprocess.run([VERIFY, "--help"], check=True, stdout=subprocess.PIPE).stdout.decode()
    words = sorted(set(re.findall(r"--([a-z-]+)", text)))
    check(len(words) > 10, f"options: {words}")
    for path, form in (("tools/man/cloche-verify.1", "Fl -{}"), ("tools/completion/_cloche-verify", "--{}"),
                       ("tools/completion/cloche-verify.bash", "--{}")):
        page = read_text(os.path.join(os.path.dirname(__file__), "../..", path))
        for word in words:
            check_in(form.format(word), page, path)


if __name__ == "__main__":
    main()
