"""Renders dead letters for people and scripts. Their bytes are arbitrary: none reaches a terminal unescaped."""

from typing import Any

from uncia.events import DeadLetterSettled
from uncia.producers.dead_letters.reading import DeadLetterRecord
from uncia.terminal import printable

MAX_SHOWN_BYTES = 4096


def render_line(letter: DeadLetterRecord, settled: DeadLetterSettled | None) -> str:
    """One line of `uncia dead-letters list`."""
    details = letter.details
    state = f" [{settled.settlement.value}]" if settled else ""
    when = letter.written_at.strftime("%Y-%m-%d %H:%M:%S")
    size = len(letter.message.value or b"")
    text = f"{letter.id:>8}  {when}  {details.stage:8} {details.reason}{state}  {size:,} B  {details.message[:120]}"
    return printable(text.replace("\n", " "))


def to_json_object(letter: DeadLetterRecord, settled: DeadLetterSettled | None) -> dict[str, Any]:
    """A letter as `uncia dead-letters list --json` prints it."""
    details, message = letter.details, letter.message
    return {
        "id": letter.id,
        "written_at": letter.written_at.isoformat(),
        "topic": details.topic,
        "partition": details.partition,
        "offset": details.offset,
        "stage": details.stage,
        "reason": details.reason,
        "message": details.message,
        "worker": details.worker,
        "key": None if message.key is None else message.key.decode(errors="backslashreplace"),
        "bytes": len(message.value or b""),
        "truncated_from": letter.truncated_from,
        "retries": letter.retries,
        "state": settled.settlement.value if settled else "open",
        "settled_at": settled.settled_at.isoformat() if settled else None,
        "settled_by": settled.settled_by if settled else None,
        "sent_to": settled.sent_to if settled else None,
    }


def render_details(
    letter: DeadLetterRecord, settled: DeadLetterSettled | None, max_bytes: int = MAX_SHOWN_BYTES
) -> str:
    """All details of one letter, with at most `max_bytes` of its value."""
    shown = [
        f"{name:15} {printable(value)}"
        for name, value in to_json_object(letter, settled).items()
        if value not in (None, "")
    ]
    if letter.own_headers:
        shown += ["", "headers of the original:"]
        shown += [
            f"  {printable(name)}: {printable((value or b'').decode(errors='backslashreplace')[:300])}"
            for name, value in letter.own_headers
        ]
    if letter.details.trace:
        shown += ["", printable(letter.details.trace.rstrip(), lines=True)]
    value = letter.message.value
    shown += ["", "no value" if value is None else render_value(value, max_bytes)]
    return "\n".join(shown)


def render_value(value: bytes, max_bytes: int = MAX_SHOWN_BYTES) -> str:
    """Text as text, other bytes as a hex dump; at most `max_bytes`, and the total size where there are more."""
    head = value[:max_bytes]
    try:
        # A character that is cut at the end does not make a text binary.
        text = head.decode(errors="strict") if len(value) <= max_bytes else head.decode("utf-8-sig", errors="ignore")
        binary = len(text.encode()) < len(head) - 3 or any(ord(c) < 32 and c not in "\n\r\t" for c in text)
    except UnicodeDecodeError:
        binary = True
    shown = hex_dump(head) if binary else printable(text, lines=True)
    more = f"\n({len(value):,} bytes in total, {len(head):,} shown)" if len(value) > len(head) else ""
    return shown + more


def hex_dump(data: bytes) -> str:
    """Lines of offset, sixteen bytes in hexadecimal, and their ASCII."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        ascii_text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):47}  {ascii_text}")
    return "\n".join(lines)
