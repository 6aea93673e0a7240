"""Dead letters for people and scripts. Whatever bytes somebody else sent, nothing reaches the terminal unescaped."""

from typing import Any

from uncia.events import DeadLetterSettled
from uncia.producers.dead_letters.reading import Letter
from uncia.terminal import printable

SHOWN_BYTES = 4096


def line_of(letter: Letter, mark: DeadLetterSettled | None) -> str:
    """One line of the list."""
    why = letter.why
    state = f" [{mark.settlement.value}]" if mark else ""
    when = letter.written_at.strftime("%Y-%m-%d %H:%M:%S")
    size = len(letter.message.value or b"")
    text = f"{letter.id:>8}  {when}  {why.stage:8} {why.reason}{state}  {size:,} B  {why.message[:120]}"
    return printable(text.replace("\n", " "))


def record_of(letter: Letter, mark: DeadLetterSettled | None) -> dict[str, Any]:
    """The same for scripts."""
    why, message = letter.why, letter.message
    return {
        "id": letter.id,
        "written_at": letter.written_at.isoformat(),
        "topic": why.topic,
        "partition": why.partition,
        "offset": why.offset,
        "stage": why.stage,
        "reason": why.reason,
        "message": why.message,
        "worker": why.worker,
        "key": None if message.key is None else message.key.decode(errors="backslashreplace"),
        "bytes": len(message.value or b""),
        "truncated_from": letter.truncated_from,
        "retries": letter.retries,
        "state": mark.settlement.value if mark else "open",
        "settled_at": mark.settled_at.isoformat() if mark else None,
        "sent_to": mark.sent_to if mark else None,
    }


def page_of(letter: Letter, mark: DeadLetterSettled | None, most: int = SHOWN_BYTES) -> str:
    """Everything about one letter; of its value at most so many bytes."""
    shown = [f"{name:15} {_plain(value)}" for name, value in record_of(letter, mark).items() if value not in (None, "")]
    if letter.own_headers:
        shown += ["", "the original's headers:"]
        shown += [f"  {_plain(name)}: {_plain(value.decode(errors='backslashreplace')[:300])}" for name, value in
                  ((name, value or b"") for name, value in letter.own_headers)]  # fmt: skip
    if letter.why.trace:
        shown += ["", printable(letter.why.trace.rstrip(), lines=True)]
    value = letter.message.value
    shown += ["", "no value" if value is None else value_text(value, most)]
    return "\n".join(shown)


def value_text(value: bytes, most: int = SHOWN_BYTES) -> str:
    """Text as text, anything else as a hex dump; at most `most` bytes, and how many there are."""
    head = value[:most]
    try:
        # A character that is cut in two at the end makes no binary of a text.
        text = head.decode(errors="strict") if len(value) <= most else head.decode("utf-8-sig", errors="ignore")
        binary = len(text.encode()) < len(head) - 3 or any(ord(c) < 32 and c not in "\n\r\t" for c in text)
    except UnicodeDecodeError:
        binary = True
    shown = hex_dump(head) if binary else printable(text, lines=True)
    more = f"\n({len(value):,} bytes in all, {len(head):,} shown)" if len(value) > len(head) else ""
    return shown + more


def hex_dump(data: bytes) -> str:
    """Offset, sixteen bytes, and their ASCII, line by line."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        ascii_text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):47}  {ascii_text}")
    return "\n".join(lines)


def _plain(value: object) -> str:
    return printable(value)
