"""The opponent that sends webhooks: one kept connection, one signed request after the other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import platform
import time

from protocol import Workload, serve


def sequential(arguments: list[str]) -> Workload:
    port, count = map(int, arguments)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    secret = b"0123456789abcdef0123456789abcdef"

    def run():
        for number in range(count):
            body = json.dumps({"type": "forecast.completed", "data": {"series": "bench", "steps": number}}).encode()
            stamp = str(int(time.time()))
            code = hmac.new(secret, f"msg_{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
            headers = {
                "content-type": "application/json",
                "webhook-id": f"msg_{number}",
                "webhook-timestamp": stamp,
                "webhook-signature": "v1," + base64.b64encode(code).decode(),
            }
            connection.request("POST", "/", body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise ValueError(f"the receiver answered {answer.status}")

    return Workload(f"Python {platform.python_version()}", run)


serve({"sequential": sequential})
