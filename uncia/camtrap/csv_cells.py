"""Cells of tables that people open in a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_formula(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front, which makes it text; numbers, and
    text that is a number, stay as they are.

    See OWASP, "CSV Injection".
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return f"'{value}" if value.startswith(("\t", "\r")) else value
