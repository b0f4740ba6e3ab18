"""How fast the audit log is taken out over HTTP: as it is, as OCSF, and packed."""

import http.client
import json
import socket
import time


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def ask(daemon, method, path, body=None, headers=None):
    """The answer's body; of a GET also the seconds that it took."""
    connection = UnixConnection(daemon.socket)
    begin = time.monotonic()
    connection.request(method, path, json.dumps(body) if body is not None else None,
                       {"Authorization": f"Bearer {daemon.key}", "Content-Type": "application/json",
                        **(headers or {})})
    data = connection.getresponse().read()
    seconds = time.monotonic() - begin
    connection.close()
    return data, seconds


def fill(daemon, n):
    """Makes at least `n` records: each program that starts is two."""
    sandbox = json.loads(ask(daemon, "POST", "/v1/sandboxes", {})[0])["id"]
    loop = f"i=0; while [ $i -lt {n // 2} ]; do /bin/true; i=$((i+1)); done"
    ask(daemon, "POST", f"/v1/sandboxes/{sandbox}/exec", {"command": loop, "timeout_seconds": 600})
    ask(daemon, "DELETE", f"/v1/sandboxes/{sandbox}")


def measure_export(daemon, n, rounds):
    fill(daemon, n)
    lines = ask(daemon, "GET", "/v1/audit")[0]
    last = json.loads(lines.splitlines()[-1])["seq"]
    results = {"n_records": last, "bytes_per_record": round(len(lines) / last, 1)}
    ways = {"ndjson": ("", {}), "ocsf": ("&format=ocsf", {}),
            "ndjson_gzip": ("", {"Accept-Encoding": "gzip"})}
    best = {way: [] for way in ways}
    for _ in range(rounds):  # in turn, so that a slow phase of the machine meets all
        for way, (query, headers) in ways.items():
            data, seconds = ask(daemon, "GET", f"/v1/audit?until={last}{query}", headers=headers)
            best[way].append(last / seconds)
            results[f"{way}_bytes"] = len(data)
    for way, rates in best.items():
        results[f"{way}_records_per_s"] = {"p50": round(sorted(rates)[len(rates) // 2]),
                                           "max": round(max(rates))}
    return results


def print_export(results):
    rates = ", ".join(f"{way} {results[f'{way}_records_per_s']['p50']}"
                      for way in ("ndjson", "ocsf", "ndjson_gzip"))
    print(f"audit export of {results['n_records']} records, records/s: {rates}; packed to "
          f"{results['ndjson_gzip_bytes'] / results['ndjson_bytes']:.2f} of the size")
