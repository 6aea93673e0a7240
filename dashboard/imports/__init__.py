"""Reads the data of other programs into the catalogue. `docs/exports.md` describes the formats."""
