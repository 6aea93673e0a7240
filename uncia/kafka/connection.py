"""Connects clients of kafka-python with the settings of this process. All of Uncia's own clients are created here."""

from collections.abc import Callable
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import AuthorizationError, KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from uncia.errors import DependencyDown
from uncia.kafka.refusal import refusal
from uncia.kafka.tokens import TokenSource, token_source
from uncia.kafka_sign_in import KafkaSignIn
from uncia.settings import Settings

__all__ = ["client_options", "connect_admin", "connect_consumer", "connect_producer", "unavailable"]

_ANSWERS_WITHIN_S = 5.0
"""Time that each step of a connection may take, when the reason of a refusal is found."""

_RECONNECT_WITHIN_MS = 2_000
"""Longest pause between two attempts. With kafka-python's 30 s, results came back up to a minute after the broker."""

_accepted: set[tuple[str, KafkaSignIn]] = set()
"""The servers that this process signed in to, and how."""


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens for kafka-python."""

    def __init__(self, source: TokenSource) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source()


class _Password(str):
    """A password that kafka-python's debug messages, which contain the options of a client, do not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def client_options(settings: Settings) -> dict[str, Any]:
    """The options with which every client of kafka-python connects: the servers, and how to sign in."""
    sign_in = settings.kafka_sign_in
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_servers,
        "reconnect_backoff_max_ms": _RECONNECT_WITHIN_MS,
    }
    if sign_in.protocol != "PLAINTEXT":
        options["security_protocol"] = sign_in.protocol
    if sign_in.uses_tls:
        options["ssl_context"] = sign_in.tls_context()
    if sign_in.uses_sasl:
        options["sasl_mechanism"] = sign_in.mechanism
        if sign_in.mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = _Tokens(token_source(sign_in))
        elif sign_in.password is not None:
            options["sasl_plain_username"] = sign_in.username
            options["sasl_plain_password"] = _Password(sign_in.password.get_secret_value())
    return options


def connect_admin(settings: Settings, **options: Any) -> KafkaAdminClient:
    """Connect a client that administers topics and groups. Raises `DependencyDown`; so do the other two."""
    return _connect(KafkaAdminClient, settings, options)


def connect_consumer(settings: Settings, **options: Any) -> KafkaConsumer:
    """Connect a consumer."""
    return _connect(KafkaConsumer, settings, options)


def connect_producer(settings: Settings, **options: Any) -> KafkaProducer:
    """Connect a producer."""
    return _connect(KafkaProducer, settings, options)


def unavailable(settings: Settings, error: KafkaError, within_s: float = _ANSWERS_WITHIN_S) -> DependencyDown:
    """The error to raise when a client could not be connected, or failed: in plain words and with what to do."""
    if isinstance(error, AuthorizationError):
        user = f"the user {settings.kafka_username}" if settings.kafka_username else "this client"
        return DependencyDown(f"Kafka at {settings.kafka} does not permit this to {user} ({error}): grant it there")
    reason = refusal(settings, client_options(settings), within_s)
    return DependencyDown(reason or f"Kafka at {settings.kafka} does not answer ({type(error).__name__})")


def _connect(kind: Callable[..., Any], settings: Settings, options: dict[str, Any]) -> Any:
    connection = client_options(settings)
    # Callers with less time, such as `uncia status`, do not wait longer for the reason.
    within_s = min(_ANSWERS_WITHIN_S, options.get("bootstrap_timeout_ms", 30_000) / 1000)
    # kafka-python repeats a refused sign-in for half a minute, and then reports that no broker answers. So the first
    # connection of a process is tried before, and its error reported at once.
    attempt = (settings.kafka, settings.kafka_sign_in)
    if settings.kafka_security_protocol != "PLAINTEXT" and attempt not in _accepted:
        if reason := refusal(settings, connection, within_s):
            raise DependencyDown(reason)
        _accepted.add(attempt)
    try:
        return kind(**connection, **options)
    except KafkaError as error:
        raise unavailable(settings, error, within_s) from error
