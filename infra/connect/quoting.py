"""Quotes values for the formats of configuration files. Pure.

A value that a format cannot hold is refused: a file that looks right and has another key in it is worse than none.
"""

import json

from uncia.errors import UnciaError

__all__ = [
    "curl_value",
    "jaas_value",
    "javascript_value",
    "plain_value",
    "properties_value",
    "rclone_value",
    "s3cmd_value",
]


def plain_value(value: str, client: str) -> str:
    """The value in a file of lines `name = value` that knows no quotes: the files of aws, s5cmd and librdkafka.

    Raises `UnciaError` for control characters such as line breaks, and for blanks at the ends, which are removed there.
    """
    if value != value.strip() or not value.isprintable():
        raise UnciaError(
            f"a value begins or ends with a blank, or has a control character, which the configuration of {client} "
            "cannot hold: choose another name, path or key"
        )
    return value


def rclone_value(value: str) -> str:
    """The value in rclone's file, which takes quotes around a value away. Raises `UnciaError`."""
    if value[:1] in ('"', "`"):
        raise UnciaError("a value begins with a quote, and the configuration of rclone cannot hold it")
    return plain_value(value, "rclone")


def s3cmd_value(value: str) -> str:
    """The value in s3cmd's file: in quotes, of which only the outermost count. Raises `UnciaError`."""
    if value.startswith("$"):
        raise UnciaError("a value begins with $, which stands for a variable in the configuration of s3cmd")
    plain_value(value.strip(" "), "s3cmd")
    return f'"{value}"'


def curl_value(value: str) -> str:
    """The value in curl's configuration file."""
    escapes = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r", "\v": "\\v"}
    return '"' + "".join(escapes.get(character, character) for character in value) + '"'


def properties_value(value: str) -> str:
    """The value in a Java properties file: ASCII, with escapes for all that has a meaning there."""
    escapes = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
    text = "".join(escapes.get(character, character) for character in value)
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    plain = "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)
    # A blank at the beginning would count as part of the separator.
    return f"\\{plain}" if plain.startswith(" ") else plain


def jaas_value(value: str) -> str:
    """The value of an option of a JAAS login module, in quotes. Raises `UnciaError` for control characters."""
    if not value.isprintable():
        raise UnciaError("a user name or password has a control character, which Kafka's Java clients do not take")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def javascript_value(value: object) -> str:
    """The value as a literal of JavaScript: text, a number, or a list of them."""
    return json.dumps(value)
