"""Health of a worker in its container: `python -m uncia.infra.docker.worker_health`.

Healthy means that it has said it is ready (a worker keeps a file while it holds its partitions and its tables are
recovered), and, where it has a metrics page, that this answers. Standard library only; the exit status is the answer.
"""

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path


def problem(ready_file: Path, metrics_url: str | None, *, timeout_s: float = 3.0) -> str | None:
    """What is wrong, in words; None when nothing is."""
    if not ready_file.exists():
        return "the worker is not ready: it does not hold its partitions"
    if metrics_url is None:
        return None
    try:
        with urllib.request.urlopen(metrics_url, timeout=timeout_s) as answer:
            page: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        return f"its metrics page does not answer: {error}"
    return None if page else "its metrics page is empty"


def main() -> None:
    """Ask the worker of this container."""
    port = os.environ.get("UNCIA_WEB_PORT")
    url = f"http://127.0.0.1:{port}/metrics" if port else None
    found = problem(Path(os.environ["UNCIA_READY_FILE"]), url)
    if found:
        sys.exit(found)


if __name__ == "__main__":
    main()
