"""Print each burst's verdict when it changes, from the beginning of the topic.

A message's key is the burst's id; a later message with the same key replaces the earlier one.
"""

import json
import os

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
for message in KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", **sign_in):
    if message.value is None:  # a tombstone: the burst was removed
        continue
    burst = json.loads(message.value)
    taxon = burst["verdict"]["taxon"] if burst.get("verdict") else "unreadable"
    print(burst["started_at"], burst["camera"], taxon, burst["status"], sep="\t", flush=True)
