"""How Faust signs in to Kafka, by the same settings as `uncia.kafka.connection`.

Faust 0.15.3 passes its credentials on to aiokafka for consumers and producers alike, with every mechanism of SASL that
aiokafka has. It cannot verify a broker's certificate without an SSL context of the caller.
"""

import asyncio

from aiokafka.abc import AbstractTokenProvider
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from uncia.kafka.tokens import TokenSource, token_source
from uncia.settings import Settings

__all__ = ["broker_credentials"]


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens for aiokafka."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """Return a token; a thread waits for the file or the server."""
        return await asyncio.to_thread(self._source)


def broker_credentials(settings: Settings) -> CredentialsT | None:
    """The credentials of a Faust app; None for connections without sign-in and encryption."""
    sign_in = settings.kafka_sign_in
    context = sign_in.tls_context() if sign_in.uses_tls else None
    if not sign_in.uses_sasl:
        return SSLCredentials(context) if context is not None else None
    if sign_in.mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=_Tokens(token_source(sign_in)), ssl_context=context)
    return SASLCredentials(
        mechanism=sign_in.mechanism,
        username=sign_in.username,
        password=sign_in.password.get_secret_value() if sign_in.password is not None else None,
        ssl_context=context,
    )
