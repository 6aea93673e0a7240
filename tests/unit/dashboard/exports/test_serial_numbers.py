"""Serial numbers leave the private tier as pseudonyms."""

from pathlib import Path

import pytest

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from uncia.dashboard.exports.formats import ExportFormat, ExportOptions, export_catalogue
from uncia.pseudonyms import SerialPseudonyms
from uncia.settings import Settings


@pytest.mark.parametrize("kind", ExportFormat)
def test_an_export_has_serial_numbers_only_with_exact_positions(kind: ExportFormat, tmp_path: Path) -> None:
    engine = sqlite_catalogue(tmp_path, 3)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE captures SET serial = 'H2RX0815'")
    pseudonym = SerialPseudonyms(Settings(), tmp_path)

    def content(name: str, options: ExportOptions) -> bytes:
        export_catalogue(engine, kind, tmp_path / name, options=options)
        place = tmp_path / name
        return b"".join(path.read_bytes() for path in ([place] if place.is_file() else sorted(place.iterdir())))

    assert b"H2RX0815" not in content("plain", ExportOptions())
    named = content("named", ExportOptions(serial_pseudonym=pseudonym))
    assert b"H2RX0815" not in named
    if kind in (ExportFormat.CAMTRAP_DP, ExportFormat.CSV):
        assert pseudonym("H2RX0815").encode() in named
        assert b"H2RX0815" in content("exact", ExportOptions(exact_positions=True, serial_pseudonym=pseudonym))
