"""Tokens for the mechanism OAUTHBEARER: from a file, or from a server that issues them for client credentials."""

import base64
import json
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uncia.kafka_sign_in import KafkaSignIn

__all__ = ["ClientCredentials", "TokenFile", "TokenSource", "token_source"]

_ANSWERS_WITHIN_S = 10
_USED_SHARE = 0.8
"""A token is replaced after this share of its lifetime, as Kafka's own clients do."""

TokenSource = Callable[[], str]
"""Returns a token that is valid now. Raises `OSError`. Can be called by several threads."""


class TokenFile:
    """Reads the token afresh each time: another program replaces it before it expires."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> str:
        """Return the token."""
        token = self._path.read_text(encoding="ascii", errors="replace").strip()
        if not token:
            raise OSError(f"the token file {self._path} is empty")
        return token


class ClientCredentials:
    """Requests tokens with a client's id and secret (RFC 6749, 4.4), and uses each for most of its lifetime."""

    def __init__(
        self,
        url: str,
        client: str,
        secret: str,
        *,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        # The id and the secret are encoded before they are joined, as RFC 6749, 2.3.1 requires.
        pair = f"{urllib.parse.quote_plus(client)}:{urllib.parse.quote_plus(secret)}"
        self._authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._context = context
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._until = "", float("-inf")

    def __call__(self) -> str:
        """Return the current token, or request a new one."""
        with self._lock:
            now = self._clock()
            if now >= self._until:
                self._token, lifetime_s = self._request()
                self._until = now + _USED_SHARE * lifetime_s
            return self._token

    def _request(self) -> tuple[str, float]:
        request = urllib.request.Request(
            self._url,
            data=b"grant_type=client_credentials",
            headers={
                "Authorization": self._authorization,
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWERS_WITHIN_S, context=self._context) as answer:
                fields: Any = json.loads(answer.read())
            return str(fields["access_token"]), float(fields.get("expires_in", 0))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OSError(f"{self._url} did not return a token ({error!r})") from error


def token_source(sign_in: KafkaSignIn) -> TokenSource:
    """The source of tokens that these settings name."""
    if sign_in.token_file is not None:
        return TokenFile(sign_in.token_file)
    assert sign_in.token_url is not None
    assert sign_in.username is not None
    assert sign_in.password is not None
    # The server of the tokens may have a certificate of the brokers' authority, or one that the system trusts.
    context = ssl.create_default_context() if sign_in.token_url.startswith("https:") else None
    if context is not None and sign_in.cafile is not None:
        context.load_verify_locations(sign_in.cafile)
    return ClientCredentials(sign_in.token_url, sign_in.username, sign_in.password.get_secret_value(), context=context)
