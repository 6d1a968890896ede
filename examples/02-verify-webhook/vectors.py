#!/usr/bin/env python3
"""Checks the test vectors beside this file, and that what was changed is refused.

    python3 vectors.py SYSTOLE

Each vector is signed anew by the executable SYSTOLE, and verified by ../receiver/receiver.py and verify.sh.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "receiver"))
import receiver  # noqa: E402


def verify_in_shell(folder, vector, body):
    (folder / "body").write_bytes(body)
    (folder / "secret").write_text(vector["verify_with"] + "\n")
    return subprocess.run(
        [here / "verify.sh", folder / "secret", vector["id"], str(vector["timestamp"]), vector["signature"],
         folder / "body"],
        env={**os.environ, "NOW": str(vector["timestamp"])}, capture_output=True).returncode == 0


def verify_in_python(vector, body):
    headers = {
        "webhook-id": vector["id"], "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }
    try:
        receiver.verify(headers, body, [vector["verify_with"]], vector["timestamp"])
        return True
    except receiver.Refused:
        return False


def sign(systole, folder, vector):
    (folder / "body").write_bytes(vector["body"].encode())
    (folder / "secret").write_text(vector["secret"] + "\n")
    lines = subprocess.run(
        [systole, "webhook", "sign", "--secret-file", folder / "secret", "--id", vector["id"],
         "--unix-time", str(vector["timestamp"]), folder / "body"],
        check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split(": ", 1) for line in lines)["webhook-signature"]


def main():
    vectors = json.loads((here / "vectors.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for vector in vectors:
            body = vector["body"].encode()
            assert sign(sys.argv[1], folder, vector) == vector["signature"], vector["name"]
            for verify in (verify_in_python, lambda *given: verify_in_shell(folder, *given)):
                assert verify(vector, body), vector["name"]
                assert not verify(vector, body + b" "), vector["name"]
                assert not verify({**vector, "id": "msg_x"}, body), vector["name"]
    print(f"{len(vectors)} test vectors hold in the executable, in Python and in the shell")


main()
