"""`uncia status` on a narrow terminal: names and addresses are not truncated."""

import io

from rich.console import Console

from uncia.infra.local.command import _table
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.part_order import PART_NAMES


def test_names_and_addresses_are_complete_at_80_columns() -> None:
    found = [
        PartStatus(name, "running", 1_234_567, True, f"http://127.0.0.1:{20_000 + at}, ready", 86_400.0 * 30, 1_234.0)
        for at, name in enumerate(PART_NAMES)
    ]
    shown = io.StringIO()
    Console(file=shown, width=80, highlight=False).print(_table(found))
    lines = shown.getvalue().splitlines()
    names = [line.split("│")[1].strip() for line in lines if "│" in line]
    assert [name for name in names if name in PART_NAMES] == list(PART_NAMES)
    # The last column, with its folded lines joined.
    details = "".join(line.split("│")[-2].strip() for line in lines if "│" in line)
    assert all(f"127.0.0.1:{20_000 + at}" in details for at in range(len(PART_NAMES)))
