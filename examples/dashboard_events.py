"""Print the verdict that counts whenever one changes, from the server-sent events of the dashboard."""

import json
import os
import urllib.request
from typing import Any

address = f"{os.environ['UNCIA_DASHBOARD']}/events?topic=camera.burst.resolved.v1&after=0"
request = urllib.request.Request(address, headers={"Authorization": f"Bearer {os.environ['UNCIA_TOKEN']}"})

bursts: dict[str, Any] = {}
for line in urllib.request.urlopen(request):
    burst = json.loads(line[6:]) if line.startswith(b"data: ") else None
    if not burst or burst["revision"] <= bursts.get(burst["burst_id"], {"revision": 0})["revision"]:
        continue  # no event, or one that came before: the highest revision counts
    bursts[burst["burst_id"]] = burst
    while burst and burst["status"] == "superseded":  # its photographs belong to another burst now
        burst = bursts.get(burst.get("superseded_by"))
    if burst:
        taxon = burst["verdict"]["taxon"] if "verdict" in burst else burst.get("category", "unreadable")
        print(burst["started_at"], burst["camera"], taxon, burst["status"], sep="\t", flush=True)
