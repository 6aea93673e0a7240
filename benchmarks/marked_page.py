"""Pages of `docs/` that people wrote, with figures between two markers that a measurement writes anew."""

from pathlib import Path


def with_results(page: Path, begin: str, end: str, results: str) -> str:
    """The page with `results` between its markers. Raises `ValueError` when they are not there."""
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{page} has lost its markers `{begin}` and `{end}`")
    return f"{before}{begin}\n\n{results.rstrip()}\n\n{end}{after}"
