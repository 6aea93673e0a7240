"""What a thin link may carry in a day, and what a transfer costs on it. Pure."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime

PACKET_PAYLOAD = 1200
"""Bytes of payload in a packet, at most: the smallest maximum that is common, so that packets are not undercounted."""

PACKET_OVERHEAD = 144
"""Bytes beside the payload: IPv6 and TCP headers with time stamps (72), and as many of an acknowledgement."""

CONNECTION_BYTES = 1024
"""To look up a name, open a TCP connection, with three attempts to open it, and close it."""

TLS_BYTES = 9 * 1024
"""A TLS handshake with a chain of certificates."""

REQUEST_BYTES = 3 * 1024
"""Headers of a request and its response, with S3's signature and metadata, and of a second one that confirms them."""

MARGIN_SHARE = 0.02
"""This share of a day's budget is kept for packets that the kernel sends again, which are counted afterwards."""


def link_bytes(payload: int) -> int:
    """What `payload` bytes cost on the link in packets, not fewer than it really is."""
    return payload + PACKET_OVERHEAD * math.ceil(payload / PACKET_PAYLOAD)


def transfer_cost(size: int, *, tls: bool) -> int:
    """What it takes to send a file of `size` bytes over a new connection, if nothing goes wrong."""
    return CONNECTION_BYTES + link_bytes(size + REQUEST_BYTES + (TLS_BYTES if tls else 0))


def most_bytes(cost: int, *, tls: bool) -> int:
    """The size of the largest file that can be sent for this cost; less than 0 where none can."""
    return bisect_right(range(cost), cost, key=lambda size: transfer_cost(size, tls=tls)) - 1


def day_of(now: float) -> str:
    """The UTC date of a Unix time, as `2026-03-14`."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


@dataclass(frozen=True)
class DailyBudget:
    """The bytes of a UTC day."""

    limit: int

    @property
    def margin(self) -> int:
        """Bytes that only repeated packets may use."""
        return math.ceil(self.limit * MARGIN_SHARE)

    def left(self, spent: int) -> int:
        """What transfers may still use, where `spent` bytes are used or leased."""
        return max(0, self.limit - self.margin - spent)

    def grant(self, asked: int, spent: int, *, repeated: bool = False) -> int:
        """How many of the `asked` bytes may be used. `repeated`: for packets that were sent again."""
        return max(0, min(asked, self.limit - spent if repeated else self.left(spent)))
