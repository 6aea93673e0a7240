"""Cells of imported tables, and what is wrong with them."""

import math

from uncia.camtrap.table_format import parse_number
from uncia.camtrap.table_reader import Row

__all__ = ["degrees", "needed_text", "optional_number", "problem_sentence", "share", "whole_number"]


def problem_sentence(error: ValueError) -> str:
    """What is wrong, without values: one may be a position."""
    if hasattr(error, "errors"):
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return str(error)


def needed_text(row: Row, column: str) -> str:
    """A cell. Raises `ValueError` where it is empty."""
    if not (text := row.text(column)):
        raise ValueError(f"{column} is empty")
    return text


def optional_number(row: Row, column: str) -> float | None:
    """A finite number; None for an empty cell. Raises `ValueError`, without the number."""
    if not (text := row.text(column)):
        return None
    try:
        value = parse_number(text, decimal_comma=False)
    except ValueError:
        raise ValueError(f"{column} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{column} is not a number")
    return value


def degrees(row: Row, column: str, most: float) -> float:
    """A coordinate, which messages do not repeat. Raises `ValueError`."""
    value = optional_number(row, column)
    if value is None or abs(value) > most:
        raise ValueError(f"{column} is {'empty' if value is None else 'out of range'}")
    return value


def whole_number(value: float) -> int:
    """A count. Raises `ValueError`."""
    if value != int(value) or value < 0:
        raise ValueError("count is not a whole number")
    return int(value)


def share(row: Row, column: str) -> float | None:
    """A number from 0 to 1; None for an empty cell. Raises `ValueError`."""
    value = optional_number(row, column)
    if value is not None and not 0 <= value <= 1:
        raise ValueError(f"{column} is not between 0 and 1")
    return value
