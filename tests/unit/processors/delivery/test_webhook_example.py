"""The example that verifies webhooks accepts what the channel sends, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.unit.processors.delivery.examples import SECRET, TAXA, alert, channel, secret_file
from uncia.processors.delivery.failures import SendFailed
from uncia.processors.delivery.message import message_of
from uncia.processors.delivery.webhook import WebhookSender


def test_the_example_prints_genuine_alerts_alone(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, ROOT / "examples" / "verify_webhook.py"],
        env={**os.environ, "UNCIA_WEBHOOK_SECRET": SECRET, "PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout is not None
    try:
        port = program.stdout.readline().split()[-1]
        one = channel(address=f"http://127.0.0.1:{port}/", secret_file=secret_file(tmp_path))
        message = message_of(alert(), one, None, None, TAXA)
        WebhookSender(one).send(message, None, False)
        assert program.stdout.readline() == f"raised {message.sentence}\n"
        secret_file(tmp_path, "whsec_" + "A" * 44)
        with pytest.raises(SendFailed, match="401"):
            WebhookSender(one).send(message, None, False)
    finally:
        program.kill()
        program.communicate()
