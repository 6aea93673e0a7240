"""A broker, the worker `alerts` and `uncia deliver`, with a webhook that a test receives."""

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.temporary_stack import temporary_stack
from tests.unit.processors.delivery.examples import secret_file
from tests.waiting import SCALE
from uncia.infra.local import processes
from uncia.infra.local.stack import Stack

_RULES = "rules:\n- {name: leopard, taxon: Panthera uncia, max_age: any, encounter: 0s}\n"


@contextmanager
def delivery_stack(url: str, parts: Sequence[str] = ("kafka", "deliver")) -> Iterator[Stack]:
    """A running stack of these parts, whose only channel is a webhook with this URL."""
    folder = Path(tempfile.mkdtemp(prefix="uncia-deliver-"))
    secret_file(folder)
    channels, rules = folder / "channels.yaml", folder / "rules.yaml"
    fields = f"name: hook, type: webhook, address: '{url}', secret_file: secret, default: true"
    channels.write_text(f"channels:\n- {{{fields}}}\n", encoding="utf-8")
    rules.write_text(_RULES, encoding="utf-8")
    variables = {"UNCIA_CHANNELS": str(channels), "UNCIA_ALERT_RULES": str(rules)}
    with temporary_stack(folder, variables) as stack:
        stack.up(parts, timeout_s=SCALE * 60)
        yield stack


def kill(stack: Stack, part: str) -> bool:
    """Kill the process of a part, which its supervisor starts again; whether there was one."""
    running = [one for one in processes.of_stack(stack.require_identity().stack_id) if one.part == part]
    for one in running:
        os.kill(one.pid, signal.SIGKILL)
    return bool(running)
