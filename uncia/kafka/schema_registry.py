"""Client of a schema registry with Confluent's REST API, which Apicurio Registry has below `/apis/ccompat/v7`.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.settings import Settings

__all__ = ["Compatibility", "RegisteredSchema", "SchemaRefused", "SchemaRegistry"]

_TIMEOUT_S = 30
_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_SUBJECT_UNKNOWN, _SCHEMA_UNKNOWN = 40401, 40403
_CONFLICT = 409

Compatibility = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]


class SchemaRefused(UnciaError):
    """The registry does not accept the schema as the next version of its subject."""


@dataclass(frozen=True)
class RegisteredSchema:
    """Where the registry has a schema."""

    subject: str
    version: int
    id: int


class SchemaRegistry:
    """Reads and registers JSON Schemas. Every call is one request, without retries.

    Raises `DependencyDown` when the registry cannot be reached or fails, `SettingsError` when it refuses the key or the
    URL is not that of a registry.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, cafile: Path | None = None) -> None:
        self._url = url.rstrip("/")
        accepted = f"{_CONTENT_TYPE}, application/json"
        self._headers = {"Content-Type": _CONTENT_TYPE, "Accept": accepted, **(headers or {})}
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if self._url.startswith("https:"):
            try:
                context = ssl.create_default_context(cafile=cafile)
            except OSError as error:
                raise SettingsError(f"UNCIA_SCHEMA_REGISTRY_CAFILE: cannot read {cafile}: {error}") from error
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The registry of the settings. Raises `SettingsError` when there is none."""
        if settings.schema_registry is None:
            raise SettingsError("there is no schema registry: set UNCIA_SCHEMA_REGISTRY to its URL")
        headers = {}
        if settings.schema_registry_token is not None:
            headers["Authorization"] = f"Bearer {settings.schema_registry_token.get_secret_value()}"
        elif settings.schema_registry_username is not None and settings.schema_registry_password is not None:
            pair = f"{settings.schema_registry_username}:{settings.schema_registry_password.get_secret_value()}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(settings.schema_registry, headers, settings.schema_registry_cafile)

    def find(self, subject: str, schema: str) -> RegisteredSchema | None:
        """Return the version of the subject that has this schema; None when there is none."""
        status, answer = self._send("POST", f"subjects/{_quoted(subject)}", {"schemaType": "JSON", "schema": schema})
        if status == http.HTTPStatus.NOT_FOUND and answer.get("error_code") in (_SUBJECT_UNKNOWN, _SCHEMA_UNKNOWN):
            return None
        self._check(status, answer)
        return RegisteredSchema(subject, int(answer["version"]), int(answer["id"]))

    def register(self, subject: str, schema: str) -> RegisteredSchema:
        """Register the schema as the next version of the subject, unless the subject has it.

        Raises `SchemaRefused` when the subject's compatibility level forbids the change.
        """
        path = f"subjects/{_quoted(subject)}/versions"
        status, answer = self._send("POST", path, {"schemaType": "JSON", "schema": schema})
        if status == _CONFLICT:
            raise SchemaRefused(f"{subject}: the registry refuses the schema: {_message(answer)}")
        self._check(status, answer)
        # Not every registry answers with the version.
        found = self.find(subject, schema)
        if found is None:
            raise DependencyDown(f"the schema registry accepted the schema of {subject} and does not have it")
        return found

    def set_compatibility(self, subject: str, level: Compatibility) -> None:
        """Set which changes the registry accepts in the next versions of the subject."""
        self._check(*self._send("PUT", f"config/{_quoted(subject)}", {"compatibility": level}))

    def _check(self, status: int, answer: Mapping[str, Any]) -> None:
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise SettingsError(
                f"the schema registry {self._url} refuses the request ({status}): check "
                "UNCIA_SCHEMA_REGISTRY_USERNAME and _PASSWORD, or _TOKEN"
            )
        if status == http.HTTPStatus.NOT_FOUND or status // 100 == 3:
            raise SettingsError(
                f"{self._url} is no schema registry with Confluent's API (HTTP status {status}); Apicurio's is below "
                "/apis/ccompat/v7"
            )
        if status >= 400:
            raise DependencyDown(f"the schema registry {self._url} failed (HTTP status {status}): {_message(answer)}")

    def _send(self, method: str, path: str, body: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of the response; an empty one where it is no such object."""
        request = urllib.request.Request(
            f"{self._url}/{path}", data=json.dumps(body).encode(), headers=self._headers, method=method
        )
        try:
            try:
                with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                    status, raw = int(response.status), response.read()
            except urllib.error.HTTPError as error:
                with error:
                    status, raw = error.code, error.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise DependencyDown(f"the schema registry {self._url} cannot be reached: {reason}") from error
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return status, answer
        if status < 300:
            raise SettingsError(f"{self._url} is no schema registry: its response is not a JSON object")
        return status, {}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is sent to the configured host only."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _quoted(subject: str) -> str:
    return urllib.parse.quote(subject, safe="")


def _message(answer: Mapping[str, Any]) -> str:
    return str(answer.get("message") or "no reason given")[:1000]
