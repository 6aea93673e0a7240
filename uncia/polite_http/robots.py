"""`robots.txt` of the hosts that pictures are on, as RFC 9309 reads it.

The APIs themselves are not asked for it: they are made for programs, and their terms of use apply instead. (That of
Wikimedia Commons forbids `/w/`, where its API is, to crawlers of pages.)

Not by `urllib.robotparser`: it takes the first rule that matches instead of the longest, and `*` and `$` as letters.
"""

import re
import threading
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from uncia.polite_http.client import FetchFailed, PoliteClient, origin_of

__all__ = ["Robots"]

_MOST_BYTES = 512 * 1024
"""RFC 9309, 2.5: at least 500 kibibytes are read."""

_MAX_AGE_S = 24 * 3600.0
"""RFC 9309, 2.4: rules are not used for longer than a day."""

_Rules = list[tuple[str, bool]]
"""Pattern, and whether it allows."""


class Robots:
    """Whether a URL may be fetched. The rules of each origin are read once a day. Safe from any thread."""

    def __init__(
        self,
        client: PoliteClient,
        agent: str,
        *,
        across_hosts: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`agent`: the name that rules are for; `across_hosts`: whether rules are read from another host where a server
        redirects there."""
        self._client = client
        self._agent = agent
        self._across_hosts = across_hosts
        self._clock = clock
        self._rules: dict[str, tuple[float, _Rules]] = {}
        self._lock = threading.Lock()

    def allows(self, url: str) -> bool:
        """Whether the rules permit it. Without a `robots.txt` everything is permitted.

        Raises `FetchFailed` where it is no URL, and where the server fails: RFC 9309, 2.3.1.4, forbids everything then,
        until it works again.
        """
        host = origin_of(url)[0]
        if not host:
            raise FetchFailed("not-a-url", "not a URL of http or https", temporary=False)
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            read_at, rules = self._rules.get(origin, (float("-inf"), []))
        if self._clock() - read_at > _MAX_AGE_S:

            def check(target: str) -> None:
                if not self._across_hosts and origin_of(target)[0] != host:
                    raise FetchFailed("robots-elsewhere", "its robots.txt is on another host", temporary=False)

            _, text = self._client.get_text(f"{origin}/robots.txt", _MOST_BYTES, check)
            rules = _parse(text, self._agent.lower())
            with self._lock:
                self._rules[origin] = (self._clock(), rules)
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
