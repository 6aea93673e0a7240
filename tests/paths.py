"""Paths that the tests use."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""

SHARED = ROOT.parent / "shared"
"""Sample photographs next to the checkout; tests that need them are skipped without them."""

EVENT_SAMPLES = ROOT / "tests" / "unit" / "uncia" / "events" / "golden"
"""A golden sample of each event, per version."""

PACKAGES = ("uncia", "commands", "producers", "processors", "training", "triton_models", "dashboard", "infra")
"""The folders that make up the distribution."""


def sources() -> list[Path]:
    """All Python files of the distribution, each once."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
