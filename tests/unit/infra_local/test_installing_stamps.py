"""Cut-outs for composites: installed where that is allowed, and nothing stops without them."""

from pathlib import Path

import pytest

from infra.local.install_stamps import install


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    assert install(tmp_path) == ""


def test_where_nothing_may_be_installed_one_sentence_says_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    assert "four coarse cut-outs" in install(tmp_path / "absent")
