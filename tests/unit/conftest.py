"""Unit tests neither read nor write the stack that may be in this checkout: its settings, keys and audit log."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNCIA_STACK_DIR", str(tmp_path_factory.mktemp("no-stack") / "stack"))
        yield
