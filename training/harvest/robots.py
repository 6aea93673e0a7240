"""`robots.txt` of the hosts that pictures are on, as RFC 9309 reads it.

The APIs themselves are not asked for it: they are made for programs, and their terms of use apply instead. (That of
Wikimedia Commons forbids `/w/`, where its API is, to crawlers of pages.)
"""

import threading
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from uncia.training.harvest.polite_client import PoliteClient

__all__ = ["Robots"]

_MOST_BYTES = 512 * 1024
"""RFC 9309, 2.5: at least 500 kibibytes are read."""


class Robots:
    """Whether a URL may be fetched. The rules of each origin are read once. Safe from any thread."""

    def __init__(self, client: PoliteClient, agent: str) -> None:
        """`agent`: the name that rules are for."""
        self._client = client
        self._agent = agent
        self._rules: dict[str, RobotFileParser] = {}
        self._lock = threading.Lock()

    def allows(self, url: str) -> bool:
        """Whether the rules permit it. Without a `robots.txt` everything is permitted.

        Raises `FetchFailed` where the server fails: RFC 9309, 2.3.1.4, forbids everything then, until it works again.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            rules = self._rules.get(origin)
        if rules is None:
            rules = self._read(origin)
            with self._lock:
                self._rules[origin] = rules
        return rules.can_fetch(self._agent, url)

    def _read(self, origin: str) -> RobotFileParser:
        _, text = self._client.get_text(f"{origin}/robots.txt", _MOST_BYTES)
        rules = RobotFileParser()
        rules.parse(text.splitlines())
        return rules
