"""Print each burst's verdict when it changes, from the dashboard's events; send the last id again to miss nothing."""

import json
import os
import urllib.request

address = f"{os.environ['UNCIA_DASHBOARD']}/events?topic=camera.burst.resolved.v1&after=0"
request = urllib.request.Request(address, headers={"Authorization": f"Bearer {os.environ['UNCIA_TOKEN']}"})
with urllib.request.urlopen(request) as stream:
    for line in stream:
        if line.startswith(b"data: "):
            burst = json.loads(line[6:])
            verdict = (burst.get("verdict") or {}).get("label") or burst.get("category")
            print(burst["started_at"], burst["camera"], verdict, burst["status"], sep="\t", flush=True)
