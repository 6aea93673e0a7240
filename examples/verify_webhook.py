"""Print the alerts of a webhook channel whose signature is valid (docs/delivery.md). UNCIA_WEBHOOK_SECRET: whsec_..."""

import base64
import hashlib
import hmac
import json
import os
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer


def is_genuine(secret: str, headers: Message, body: bytes) -> bool:
    """Whether the sender knows the secret, and sent this within the last five minutes."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    moment = headers.get("webhook-timestamp", "0")
    signed = hmac.new(key, f"{headers['webhook-id']}.{moment}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(signed).decode()
    fresh = abs(time.time() - int(moment)) < 300
    return fresh and any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = is_genuine(os.environ["UNCIA_WEBHOOK_SECRET"], self.headers, body)
        if genuine:
            alert = json.loads(body)["data"]
            print(alert["state"], alert["sentence"], flush=True)
        self.send_response(204 if genuine else 401)
        self.end_headers()


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8099"))), Receiver)
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()
