"""`robots.txt` of the hosts that pictures are on, as RFC 9309 reads it.

The APIs themselves are not asked for it: they are made for programs, and their terms of use apply instead. (That of
Wikimedia Commons forbids `/w/`, where its API is, to crawlers of pages.)

Not by `urllib.robotparser`: it takes the first rule that matches instead of the longest, and `*` and `$` as letters.
"""

import re
import threading
from urllib.parse import unquote, urlsplit

from uncia.training.harvest.polite_client import FetchFailed, PoliteClient, origin_of

__all__ = ["Robots"]

_MOST_BYTES = 512 * 1024
"""RFC 9309, 2.5: at least 500 kibibytes are read."""

_Rules = list[tuple[str, bool]]
"""Pattern, and whether it allows."""


class Robots:
    """Whether a URL may be fetched. The rules of each origin are read once. Safe from any thread."""

    def __init__(self, client: PoliteClient, agent: str) -> None:
        """`agent`: the name that rules are for."""
        self._client = client
        self._agent = agent
        self._rules: dict[str, _Rules] = {}
        self._lock = threading.Lock()

    def allows(self, url: str) -> bool:
        """Whether the rules permit it. Without a `robots.txt` everything is permitted.

        Raises `FetchFailed` where it is no URL, and where the server fails: RFC 9309, 2.3.1.4, forbids everything then,
        until it works again.
        """
        if not origin_of(url)[0]:
            raise FetchFailed("not-a-url", "not a URL of http or https", temporary=False)
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            rules = self._rules.get(origin)
        if rules is None:
            _, text = self._client.get_text(f"{origin}/robots.txt", _MOST_BYTES)
            rules = _parse(text, self._agent.lower())
            with self._lock:
                self._rules[origin] = rules
        path = unquote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        # The longest pattern decides; of two that are as long, the one that allows.
        return max(((len(pattern), allow) for pattern, allow in rules if _matches(pattern, path)), default=(0, True))[1]


def _parse(text: str, agent: str) -> _Rules:
    """The rules for the agent; those for all where there are none of its own."""
    groups: dict[str, _Rules] = {}
    names: list[str] = []
    rules_follow = True
    for line in text.removeprefix("\ufeff").splitlines():
        field, _, value = line.partition("#")[0].partition(":")
        field, value = field.strip().lower(), value.strip()
        if field == "user-agent":
            names = [] if rules_follow else names
            rules_follow = False
            found = re.match(r"\*|[a-z_-]+", value.lower())
            names.append(found[0] if found else "")
            groups.setdefault(names[-1], [])
        elif field in ("allow", "disallow"):
            rules_follow = True
            for name in names if value else []:
                groups[name].append((value, field == "allow"))
    return groups.get(agent, groups.get("*", []))


def _matches(pattern: str, path: str) -> bool:
    """Whether a path begins as a pattern says: `*` is any text, `$` at its end the end of the path."""
    # By hand: as a regular expression, a hostile pattern would take hours.
    whole = pattern.endswith("$")
    first, *others = (unquote(part) for part in pattern.removesuffix("$").split("*"))
    if not path.startswith(first):
        return False
    place, last = len(first), others.pop() if whole and others else None
    for part in others:
        if (found := path.find(part, place)) < 0:
            return False
        place = found + len(part)
    if not whole:
        return True
    return place == len(path) if last is None else path.endswith(last) and len(path) - len(last) >= place
