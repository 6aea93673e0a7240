"""A stack for tests of its keys."""

from pathlib import Path

import pytest

from uncia.infra.local.certificates import ensure_certificates
from uncia.infra.local.credentials import ensure_keys
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import ensure_identity


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that was started once and is down."""
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    ensure_identity(tmp_path, tmp_path / "gone")
    ensure_keys(tmp_path)
    ensure_certificates(tmp_path)
    (tmp_path / "lock").touch()
    return Stack(tmp_path)
