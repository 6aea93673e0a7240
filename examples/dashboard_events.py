"""Print each burst when it changes, from the dashboard's live stream; reconnect with the last id to miss nothing."""

import json
import os
import urllib.request

headers = {"Authorization": f"Bearer {os.environ['UNCIA_TOKEN']}"}
request = urllib.request.Request(f"{os.environ['UNCIA_DASHBOARD']}/events?after=0", headers=headers)
with urllib.request.urlopen(request) as stream:
    for line in stream:
        if line.startswith(b"data: "):
            burst = json.loads(line[6:])
            print(burst["started_at"], burst["camera"], burst["verdict"], burst["status"], sep="\t", flush=True)
