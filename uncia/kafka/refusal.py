"""Why brokers refuse a client: wrong password, untrusted certificate, TLS on one side only.

kafka-python reports each of these as a timeout. Here one connection is made step by step (TCP, TLS, first request,
sign-in), so that the step that fails names the reason.
"""

import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any

from kafka.errors import IllegalSaslStateError, UnsupportedSaslMechanismError
from kafka.net.sasl import get_sasl_mechanism

from uncia.kafka_sign_in import KafkaSignIn
from uncia.settings import Settings

__all__ = ["refusal"]

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""The request that a broker answers to every client: length, API key, version, correlation id, no client id."""
_METADATA = struct.pack(">ihhihi", 14, 3, 1, 2, -1, 0)
"""A request that it answers only to clients that signed in, where they must: the brokers, and no topic."""

_EXPIRED, _NOT_YET_VALID, _OTHER_HOST_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
"""OpenSSL's X509_V_ERR_... codes."""


class _Refused(Exception):
    """The reason, and what to do."""


def refusal(settings: Settings, options: Mapping[str, Any], within_s: float = 5) -> str | None:
    """Why no broker accepts this client; None where one does, and where none answers at all.

    `options` are those of kafka-python's clients. Waits at most `within_s` seconds for each step.
    """
    reasons = []
    for server in settings.kafka_servers:
        try:
            if _is_accepted(server, settings.kafka_sign_in, options, within_s):
                return None
        except _Refused as reason:
            reasons.append(str(reason))
    return reasons[0] if reasons else None


def _is_accepted(server: str, sign_in: KafkaSignIn, options: Mapping[str, Any], within_s: float) -> bool:
    """Connect once. False: there is no answer. Raises `_Refused`."""
    host, _, port = server.rpartition(":")
    try:
        plain = socket.create_connection((host.strip("[]"), int(port)), within_s)
    except (OSError, ValueError):
        return False
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(plain)
        try:
            if sign_in.uses_tls:
                connection = stack.enter_context(_encrypted(plain, server, sign_in, options["ssl_context"]))
            if not _first_request(connection, server, sign_in):
                return False
            if not sign_in.uses_sasl:
                _request_without_sign_in(connection, server, sign_in)
                return True
            return _sign_in(connection, server, sign_in, options)
        except (OSError, ValueError, struct.error):
            # The connection broke or was too slow: a broker that starts, stops or is suspended refuses nobody.
            return False


def _encrypted(plain: socket.socket, server: str, sign_in: KafkaSignIn, context: ssl.SSLContext) -> ssl.SSLSocket:
    host = server.rpartition(":")[0].strip("[]")
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise _Refused(_untrusted(error, server, host, sign_in)) from error
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            raise _Refused(_client_certificate(error, server, sign_in)) from error
        raise _Refused(_no_tls(server, sign_in)) from error
    except TimeoutError:
        raise
    except OSError as error:
        raise _Refused(_no_tls(server, sign_in)) from error


def _first_request(connection: socket.socket, server: str, sign_in: KafkaSignIn) -> bool:
    """Whether there is an answer, which every broker gives. Raises `_Refused` and `TimeoutError`."""
    other_answer = False
    try:
        if _is_answered(connection, _API_VERSIONS):
            return True
    except ssl.SSLError as error:
        # With TLS 1.3 the broker judges the client's certificate only after the handshake.
        raise _Refused(_client_certificate(error, server, sign_in)) from error
    except ValueError:
        other_answer = True
    except ConnectionError:
        pass
    if not sign_in.uses_tls and _speaks_tls(server, connection.gettimeout()):
        wanted = "SASL_SSL" if sign_in.uses_sasl else "SSL, or SASL_SSL with a user name"
        raise _Refused(
            f"Kafka at {server} expects TLS, and UNCIA_KAFKA_SECURITY_PROTOCOL={sign_in.protocol} connects without: "
            f"set it to {wanted} (and UNCIA_KAFKA_CAFILE)"
        )
    if other_answer:
        raise _Refused(f"{server} answers, but is no Kafka broker: check UNCIA_KAFKA")
    return False


def _request_without_sign_in(connection: socket.socket, server: str, sign_in: KafkaSignIn) -> None:
    try:
        answered = _is_answered(connection, _METADATA)
    except ConnectionError:
        answered = False
    if not answered:
        wanted = "SASL_SSL" if sign_in.uses_tls else "SASL_PLAINTEXT or SASL_SSL"
        raise _Refused(
            f"Kafka at {server} expects clients to sign in, and UNCIA_KAFKA_SECURITY_PROTOCOL={sign_in.protocol} does "
            f"not: set it to {wanted}, and UNCIA_KAFKA_SASL_MECHANISM, UNCIA_KAFKA_USERNAME and UNCIA_KAFKA_PASSWORD"
        )


def _sign_in(connection: socket.socket, server: str, sign_in: KafkaSignIn, options: Mapping[str, Any]) -> bool:
    """Sign in as a client of kafka-python does. False: the connection broke. Raises `_Refused`.

    Not over a connection of kafka-python: that loses an answer after which the broker closes (seen with 3.0.12).
    """
    name = str(sign_in.mechanism)
    error, offered = _answer(connection, 17, 1, 3, struct.pack(">h", len(name)) + name.encode())
    if error == UnsupportedSaslMechanismError.errno:
        raise _Refused(f"Kafka at {server} does not offer UNCIA_KAFKA_SASL_MECHANISM={name}, but {_joined(offered)}")
    if error == IllegalSaslStateError.errno:
        without = "SSL" if sign_in.uses_tls else "PLAINTEXT"
        raise _Refused(
            f"Kafka at {server} has no sign-in on this port: set UNCIA_KAFKA_SECURITY_PROTOCOL={without}, or use the "
            "port that has"
        )
    mechanism = get_sasl_mechanism(name)(host=server.rpartition(":")[0], **options)
    while not mechanism.is_done():
        try:
            token = mechanism.auth_bytes()
        except OSError as problem:
            source = sign_in.token_url or sign_in.token_file
            raise _Refused(f"no token for Kafka from {source} ({problem})") from problem
        error, body = _answer(connection, 36, 0, 4, struct.pack(">i", len(token)) + token)
        message_length = max(0, struct.unpack(">h", body[:2])[0])
        if error:
            raise _Refused(_not_signed_in(body[2 : 2 + message_length].decode(), server, sign_in))
        mechanism.receive(body[2 + message_length + 4 :])
    return True


def _joined(array: bytes) -> str:
    """The strings of an array in an answer."""
    texts, rest = [], array[4:]
    while rest:
        length = struct.unpack(">h", rest[:2])[0]
        texts.append(rest[2 : 2 + length].decode())
        rest = rest[2 + length :]
    return ", ".join(texts)


def _not_signed_in(detail: str, server: str, sign_in: KafkaSignIn) -> str:
    if sign_in.mechanism == "OAUTHBEARER":
        return f"Kafka at {server} refuses the token ({detail}): it may be expired, or for another broker"
    return (
        f"Kafka at {server} refuses the user {sign_in.username} ({detail}): check UNCIA_KAFKA_USERNAME and "
        f"UNCIA_KAFKA_PASSWORD, and that the broker has this user for {sign_in.mechanism}"
    )


def _answer(connection: socket.socket, api: int, version: int, number: int, body: bytes) -> tuple[int, bytes]:
    """Send a request whose answer begins with an error code; returns this code and the rest. Raises `OSError`."""
    head = struct.pack(">hhih", api, version, number, -1)
    connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    start = _read(connection, 10)
    if len(start) < 10:
        raise ConnectionError("the broker closed the connection")
    length, _, error = struct.unpack(">iih", start)
    return error, _read(connection, length - 6)


def _is_answered(connection: socket.socket, request: bytes) -> bool:
    """Send a request and read its answer; False when the other side closes. Raises `OSError`.

    Raises `ValueError` for an answer that is none of Kafka.
    """
    connection.sendall(request)
    head = _read(connection, 8)
    if len(head) < 8:
        return False
    if head[4:] != request[8:12]:
        raise ValueError("not the answer to this request")
    length: int = struct.unpack(">i", head[:4])[0]
    return len(_read(connection, length - 4)) == length - 4


def _read(connection: socket.socket, count: int) -> bytes:
    """Up to `count` bytes; fewer where the other side closes."""
    data = b""
    while len(data) < count and (part := connection.recv(count - len(data))):
        data += part
    return data


def _speaks_tls(server: str, within_s: float | None) -> bool:
    """Whether something there answers a TLS greeting, with whatever certificate: nothing is sent to it."""
    host, _, port = server.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), within_s) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _untrusted(error: ssl.SSLCertVerificationError, server: str, host: str, sign_in: KafkaSignIn) -> str:
    if error.verify_code in (_OTHER_HOST_NAME, _OTHER_ADDRESS):
        return (
            f"the certificate of Kafka at {server} is not for {host}: put a name that it contains into UNCIA_KAFKA, or "
            "issue the broker a certificate with this one"
        )
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        state = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return f"the certificate of Kafka at {server} {state}: renew it, or set the clock of this machine"
    trusted = f"those in {sign_in.cafile}" if sign_in.cafile else "this system"
    return (
        f"the certificate of Kafka at {server} is not trusted by {trusted} ({error.verify_message}): set "
        "UNCIA_KAFKA_CAFILE to the certificate of the authority that issued it"
    )


def _client_certificate(error: ssl.SSLError, server: str, sign_in: KafkaSignIn) -> str:
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if sign_in.certfile is None:
        return (
            f"Kafka at {server} asks for a certificate of this client ({reason}): set UNCIA_KAFKA_CERTFILE and "
            "UNCIA_KAFKA_KEYFILE"
        )
    return (
        f"Kafka at {server} refuses the certificate in {sign_in.certfile} ({reason}): use one of an authority that the "
        "broker trusts (ssl.truststore)"
    )


def _no_tls(server: str, sign_in: KafkaSignIn) -> str:
    return (
        f"Kafka at {server} does not answer in TLS, which UNCIA_KAFKA_SECURITY_PROTOCOL={sign_in.protocol} requires: "
        "use the port of the broker that does"
    )
