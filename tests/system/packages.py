"""Small packages that the tests make for pip, npm and apt, and what the tools ask for before them."""

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
import zipfile


def wheel():
    files = {"hello_cloche.py": b"print('installed through the gate')\n",
             "hello_cloche-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: hello-cloche\nVersion: 1.0\n",
             "hello_cloche-1.0.dist-info/WHEEL":
                 b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    rows = [f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},"
            f"{len(data)}" for name, data in files.items()]
    files["hello_cloche-1.0.dist-info/RECORD"] = "\n".join(
        rows + ["hello_cloche-1.0.dist-info/RECORD,,", ""]).encode()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def package():
    with tempfile.TemporaryDirectory(prefix="cloche-deb-") as directory:
        os.makedirs(f"{directory}/root/DEBIAN")
        os.makedirs(f"{directory}/root/usr/share/hello-cloche")
        with open(f"{directory}/root/DEBIAN/control", "w", encoding="utf-8") as file:
            file.write("Package: hello-cloche\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@allowed.example>\n"
                       "Description: fetched through the gate\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", f"{directory}/root", f"{directory}/hello.deb"],
                       check=True, capture_output=True, timeout=60)
        with open(f"{directory}/hello.deb", "rb") as file:
            return file.read()


def apt_archive():
    """Path and content of each file of an archive with that package; not signed."""
    data = package()
    index = ("Package: hello-cloche\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@allowed.example>\n"
             f"Filename: ./hello-cloche_1.0_all.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
             "Description: fetched through the gate\n\n").encode()
    return {"hello-cloche_1.0_all.deb": data, "Packages": index,
            "Release": f"Suite: test\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
                       f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n".encode()}


def npm_package(registry):
    """Path and content of each file of a registry at that URL, with one package."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in [("package.json", '{"name": "hello-cloche", "version": "1.0.0", "main": "index.js"}'),
                           ("index.js", "console.log('installed through the gate')")]:
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    data = archive.getvalue()
    path = "hello-cloche/-/hello-cloche-1.0.0.tgz"
    version = {"name": "hello-cloche", "version": "1.0.0", "main": "index.js", "dist": {
        "tarball": f"{registry}/{path}",
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()}}
    document = {"name": "hello-cloche", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    return {path: data, "hello-cloche/index.html": json.dumps(document).encode()}
