#!/usr/bin/env python3
"""Receives webhooks, checks their signatures, and writes one JSON line for each.

    python3 receiver.py PORT SECRET_FILE OUT.jsonl

Listens on 127.0.0.1. SECRET_FILE holds the secret that systole.add_webhook returned (whsec_), or the
public key of an endpoint that signs by v1a (whpk_), one a line while it is being rotated; it is read
anew for every webhook. Answers 204 to what verifies and 400 to everything else. A line says which
implementations verified it: `hmac` and `ed25519` are the ones below, written from the specification
(Standard Webhooks 1.0.0) with nothing but the standard library and, for ed25519, the package
`cryptography` or else openssl; `standardwebhooks` is the package of that name, where it is installed.
"""

import base64
import binascii
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    from importlib.metadata import version

    import standardwebhooks
except ImportError:
    standardwebhooks = None
try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None

TOLERANCE_SECONDS = 300
BODY_MAXIMUM = 1_000_000


class Refused(Exception):
    """Why a webhook is not believed."""


def key_of(secret, prefix):
    """The bytes of a secret or public key: base64 behind its prefix."""
    if not secret.startswith(prefix):
        raise Refused(f"the secret does not start with {prefix}")
    try:
        return base64.b64decode(secret[len(prefix):], validate=True)
    except binascii.Error:
        raise Refused("the secret is not base64") from None


def is_signed(content, signature, public_key):
    """Whether an Ed25519 signature is right, by the package `cryptography` or else by openssl."""
    if Ed25519PublicKey:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
            return True
        except InvalidSignature:
            return False
    with tempfile.TemporaryDirectory() as folder:
        # A public key in DER is these twelve bytes and the key.
        der = bytes.fromhex("302a300506032b6570032100") + public_key
        for name, data in (("key", der), ("content", content), ("signature", signature)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        check = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key",
             "-in", "content", "-sigfile", "signature"],
            cwd=folder, capture_output=True)
        return check.returncode == 0


def verify(headers, body, secrets, now):
    """Checks a webhook; raises Refused for the first thing that is wrong.

    headers: by lower-case name; body: the exact bytes; secrets: whsec_ or whpk_; now: Unix seconds.
    Returns what verified it: `hmac` or `ed25519`.
    """
    try:
        message_id = headers["webhook-id"]
        timestamp = headers["webhook-timestamp"]
        signatures = headers["webhook-signature"].split(" ")
    except KeyError as missing:
        raise Refused(f"the header {missing.args[0]} is missing") from None
    if not timestamp.isascii() or not timestamp.isdigit():
        raise Refused("the timestamp is no number of seconds")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise Refused("the timestamp is more than five minutes away")
    content = f"{message_id}.{timestamp}.".encode() + body
    # Every signature is compared with every secret, so that the time taken tells nothing.
    matches = set()
    for secret in secrets:
        is_public = secret.startswith("whpk_")
        key = key_of(secret, "whpk_" if is_public else "whsec_")
        for signature in signatures:
            scheme, _, code = signature.partition(",")
            try:
                code = base64.b64decode(code, validate=True)
            except binascii.Error:
                continue
            # A scheme is never chosen by the sender: each secret knows its own.
            if is_public and scheme == "v1a" and is_signed(content, code, key):
                matches.add("ed25519")
            if not is_public and scheme == "v1":
                expected = hmac.new(key, content, hashlib.sha256).digest()
                if hmac.compare_digest(expected, code):
                    matches.add("hmac")
    if not matches:
        raise Refused("no signature matches")
    return sorted(matches)


def verify_with_package(headers, body, secrets):
    """The same check by the package `standardwebhooks`, which knows shared secrets alone."""
    for secret in secrets:
        try:
            standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
            return
        except standardwebhooks.WebhookVerificationError as error:
            reason = str(error)
        except ValueError:
            reason = "the signatures cannot be read"
    raise Refused(f"standardwebhooks: {reason}")


class Journal:
    """The file of received webhooks, and the ids that were received before."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.ids = set()

    def write(self, line):
        with self.lock:
            line["repeated"] = line["webhook_id"] in self.ids
            if line["verified"]:
                self.ids.add(line["webhook_id"])
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_MAXIMUM:
            self.close_connection = True
            return self.answer(413, "a body of at most a megabyte, with its length, is accepted")
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        line = {
            "received_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "webhook_id": headers.get("webhook-id"),
            "verified": False,
        }
        try:
            secrets = open(self.server.secret_path, encoding="ascii").read().split()
            if not secrets:
                raise Refused("there is no secret yet")
            line["verified_by"] = verify(headers, body, secrets, time.time())
            shared = [secret for secret in secrets if secret.startswith("whsec_")]
            if standardwebhooks and shared:
                verify_with_package(headers, body, shared)
                line["verified_by"].append("standardwebhooks " + version("standardwebhooks"))
            message = json.loads(body)
            if message["id"] != headers["webhook-id"]:
                raise Refused("the body has another id than the header")
            line.update(
                verified=True, type=message["type"], timestamp=message["timestamp"],
                data=message["data"])
        except Refused as refusal:
            line["refused"] = str(refusal)
        except (ValueError, KeyError, TypeError):
            line["refused"] = "the body is no event"
        self.server.journal.write(line)
        if line["verified"]:
            self.answer(204)
        else:
            self.answer(400, line["refused"])

    def answer(self, status, text=""):
        body = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The journal says it all."""


def main():
    if len(sys.argv) != 4 or not sys.argv[1].isdigit():
        sys.exit("usage: receiver.py PORT SECRET_FILE OUT.jsonl")
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    server.secret_path = sys.argv[2]
    server.journal = Journal(sys.argv[3])
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
