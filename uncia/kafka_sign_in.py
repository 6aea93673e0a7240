"""How clients sign in to Kafka: the settings for it, checked as a whole, and the TLS context that follows from them."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = ["KafkaSignIn", "SaslMechanism", "SecurityProtocol"]

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

_PROTOCOL = "UNCIA_KAFKA_SECURITY_PROTOCOL"
_MECHANISM = "UNCIA_KAFKA_SASL_MECHANISM"


@dataclass(frozen=True)
class KafkaSignIn:
    """The settings `UNCIA_KAFKA_...` that say how a client identifies itself, and whom it trusts."""

    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: SaslMechanism | None = None
    username: str | None = None
    password: SecretStr | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    token_file: Path | None = None
    token_url: str | None = None

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether clients sign in with a mechanism of SASL."""
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def problem(self) -> str | None:
        """What is contradictory, missing or unreadable, in one sentence; None when a client can be made of it."""
        return self._contradiction() or self._unreadable_file() or self._invalid_certificate()

    def tls_context(self) -> ssl.SSLContext:
        """The context of TLS connections: verifies the broker's certificate and its host name.

        Trusts the certificates in `cafile`, or else those that the system trusts. Raises `OSError` (also for invalid
        certificates: `ssl.SSLError`) and `ValueError`.
        """
        context = ssl.create_default_context(cafile=self.cafile)
        if self.certfile is not None:
            # Without a function OpenSSL would ask on the terminal for the password of an encrypted key.
            context.load_cert_chain(self.certfile, self.keyfile, password=self._refuse_encrypted_key)
        return context

    def _contradiction(self) -> str | None:
        if self.uses_sasl and self.mechanism is None:
            return f"{_PROTOCOL}={self.protocol} needs {_MECHANISM}: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
        if self.mechanism is not None and not self.uses_sasl:
            return _without_effect(
                _MECHANISM, self.protocol, f"set {_PROTOCOL} to SASL_SSL (or SASL_PLAINTEXT, without encryption)"
            )
        given = {"UNCIA_KAFKA_USERNAME": self.username, "UNCIA_KAFKA_PASSWORD": self.password}
        tokens = {"UNCIA_KAFKA_TOKEN_FILE": self.token_file, "UNCIA_KAFKA_TOKEN_URL": self.token_url}
        files = {
            "UNCIA_KAFKA_CAFILE": self.cafile,
            "UNCIA_KAFKA_CERTFILE": self.certfile,
            "UNCIA_KAFKA_KEYFILE": self.keyfile,
        }
        if not self.uses_sasl and (extra := _first_set({**given, **tokens})):
            return _without_effect(extra, self.protocol, f"set {_PROTOCOL} to SASL_SSL and {_MECHANISM}")
        if not self.uses_tls and (extra := _first_set(files)):
            return _without_effect(
                extra, self.protocol, f"set {_PROTOCOL} to {'SASL_SSL' if self.uses_sasl else 'SSL'}"
            )
        if self.keyfile is not None and self.certfile is None:
            return "UNCIA_KAFKA_KEYFILE is set without UNCIA_KAFKA_CERTFILE: a key needs its certificate"
        if self.mechanism == "OAUTHBEARER":
            return self._token_contradiction()
        if self.uses_sasl and (extra := _first_set(tokens)):
            return f"{extra} has no effect with {_MECHANISM}={self.mechanism}: unset it, or set OAUTHBEARER"
        if self.uses_sasl and (missing := _first_unset(given)):
            return f"{_MECHANISM}={self.mechanism} needs {missing}"
        return None

    def _token_contradiction(self) -> str | None:
        if (self.token_file is None) == (self.token_url is None):
            return (
                f"{_MECHANISM}=OAUTHBEARER needs either UNCIA_KAFKA_TOKEN_FILE, a file with the token, or "
                "UNCIA_KAFKA_TOKEN_URL, which issues tokens"
            )
        given = {"UNCIA_KAFKA_USERNAME": self.username, "UNCIA_KAFKA_PASSWORD": self.password}
        if self.token_file is not None and (extra := _first_set(given)):
            return f"{extra} has no effect with UNCIA_KAFKA_TOKEN_FILE: unset one of them"
        if self.token_url is not None and (missing := _first_unset(given)):
            return f"UNCIA_KAFKA_TOKEN_URL needs {missing}: the client's id is the user name, its secret the password"
        if self.token_url is not None and not _is_private_url(self.token_url):
            return (
                "UNCIA_KAFKA_TOKEN_URL must be an https:// URL: the client's secret is sent to it "
                "(http:// is allowed on this machine)"
            )
        return None

    def _unreadable_file(self) -> str | None:
        files = {
            "UNCIA_KAFKA_CAFILE": self.cafile,
            "UNCIA_KAFKA_CERTFILE": self.certfile,
            "UNCIA_KAFKA_KEYFILE": self.keyfile,
            "UNCIA_KAFKA_TOKEN_FILE": self.token_file,
        }
        for name, path in files.items():
            if path is None:
                continue
            try:
                with path.open("rb"):
                    pass
            except OSError as error:
                return f"{name}: {path} cannot be read ({error.strerror})"
        return None

    def _invalid_certificate(self) -> str | None:
        if not self.uses_tls:
            return None
        try:
            ssl.create_default_context(cafile=self.cafile)
        except (OSError, ValueError):
            return f"UNCIA_KAFKA_CAFILE: {self.cafile} contains no certificate in PEM format"
        try:
            self.tls_context()
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                return "UNCIA_KAFKA_KEYFILE is not the key of the certificate in UNCIA_KAFKA_CERTFILE"
            where = "" if self.keyfile else ", or its key is missing: set UNCIA_KAFKA_KEYFILE"
            return f"UNCIA_KAFKA_CERTFILE: no certificate and key in PEM format{where} ({error.reason or error})"
        except ValueError as error:
            return str(error)
        return None

    def _refuse_encrypted_key(self) -> NoReturn:
        path = self.keyfile or self.certfile
        raise ValueError(
            f"UNCIA_KAFKA_KEYFILE: the key in {path} is encrypted: decrypt it with `openssl pkey -in {path} -out NEW`"
        )


def _without_effect(name: str, protocol: str, remedy: str) -> str:
    return f"{name} has no effect with {_PROTOCOL}={protocol}: {remedy}, or unset {name}"


def _first_set(values: Mapping[str, object]) -> str | None:
    return next((name for name, value in values.items() if value is not None), None)


def _first_unset(values: Mapping[str, object]) -> str | None:
    return next((name for name, value in values.items() if value is None), None)


def _is_private_url(url: str) -> bool:
    """Whether what is sent there cannot be read on the way."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False
