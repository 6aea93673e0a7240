"""Print each burst's verdict when it changes, from the beginning of the topic.

A message's key is the burst's id; a later message with the same key replaces the earlier one.
"""

import json
import os

from kafka import KafkaConsumer

topic, servers = "camera.burst.resolved.v1", os.environ["UNCIA_KAFKA"]
for message in KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest"):
    if message.value is None:  # a tombstone: the burst was removed
        continue
    burst = json.loads(message.value)
    taxon = burst["verdict"]["taxon"] if burst.get("verdict") else "unreadable"
    print(burst["started_at"], burst["camera"], taxon, burst["status"], sep="\t", flush=True)
