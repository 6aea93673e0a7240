"""Print the verdict that counts whenever one changes, from the beginning of the topic."""

import json
import os
from typing import Any

from kafka import KafkaConsumer

topic, servers = "camera.burst.resolved.v1", os.environ["UNCIA_KAFKA"]
# For a Kafka that requires sign-in, as the one of `uncia up` does; without these variables the connection is plain.
names = {
    "security_protocol": "SECURITY_PROTOCOL",
    "sasl_mechanism": "SASL_MECHANISM",
    "sasl_plain_username": "USERNAME",
    "sasl_plain_password": "PASSWORD",
    "ssl_cafile": "CAFILE",
    "ssl_certfile": "CERTFILE",
    "ssl_keyfile": "KEYFILE",
}
sign_in = {option: value for option, name in names.items() if (value := os.environ.get(f"UNCIA_KAFKA_{name}"))}

bursts: dict[str, Any] = {}
for message in KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", **sign_in):
    burst = json.loads(message.value or b"null")
    if not burst or burst["revision"] <= bursts.get(burst["burst_id"], {"revision": 0})["revision"]:
        continue  # a tombstone, or a message that came before: the highest revision counts
    bursts[burst["burst_id"]] = burst
    while burst and burst["status"] == "superseded":  # its photographs belong to another burst now
        burst = bursts.get(burst.get("superseded_by"))
    if burst:
        taxon = burst["verdict"]["taxon"] if "verdict" in burst else burst.get("category", "unreadable")
        print(burst["started_at"], burst["camera"], taxon, burst["status"], sep="\t", flush=True)
