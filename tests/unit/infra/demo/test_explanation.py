"""The demo's line about the explained burst."""

import json
from pathlib import Path

from uncia.infra.demo.command import describe_explanation


def test_the_heat_map_is_named_with_its_class_and_its_score_as_a_score(tmp_path: Path) -> None:
    (tmp_path / "img-1.lime.png").write_bytes(b"")
    (tmp_path / "img-1.lime.json").write_text(json.dumps({"label": "tabby", "score": 0.4213}))
    line = describe_explanation("bst-1", tmp_path)
    assert "'tabby'" in line
    assert "bst-1 (score 0.42;" in line
    assert line.endswith(str(tmp_path / "img-1.lime.png"))
    assert "%" not in line


def test_without_a_heat_map_nothing_is_printed(tmp_path: Path) -> None:
    assert describe_explanation("bst-1", tmp_path) == ""
