"""Health check of a worker container: `python -m uncia.infra.docker.worker_health`.

A worker is healthy when its ready file exists (the worker holds the file while its partitions are assigned and its
tables are recovered) and its metrics endpoint, if it has one, responds. Standard library only; exit status 1 and a
sentence on standard error when it is not.
"""

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path


def problem(ready_file: Path, metrics_url: str | None, *, timeout_s: float = 3.0) -> str | None:
    """The problem in one sentence; None when the worker is healthy."""
    if not ready_file.exists():
        return "the worker is not ready: it does not hold its partitions"
    if metrics_url is None:
        return None
    try:
        with urllib.request.urlopen(metrics_url, timeout=timeout_s) as response:
            metrics: bytes = response.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        return f"the metrics endpoint {metrics_url} does not answer: {error}"
    return None if metrics else f"the metrics endpoint {metrics_url} returned nothing"


def main() -> None:
    """Check the worker of this container."""
    port = os.environ.get("UNCIA_WEB_PORT")
    url = f"http://127.0.0.1:{port}/metrics" if port else None
    found = problem(Path(os.environ["UNCIA_READY_FILE"]), url)
    if found:
        sys.exit(found)


if __name__ == "__main__":
    main()
