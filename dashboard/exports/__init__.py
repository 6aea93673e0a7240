"""Writes the catalogue in the formats of other programs. `docs/exports.md` describes them."""
