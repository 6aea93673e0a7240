"""The settings of a replay's workers: which may be overridden, and which must not be stored."""

import os
import re

from uncia.errors import SettingsError
from uncia.settings import Settings, read_settings

_FIXED = {
    "kafka",
    "namespace",
    "partitions",
    "replication",
    "model",
    "model_version",
    "detector",
    "detector_version",
    "data_dir",
    "replay_key_issuer",
    "web_host",
    "web_port",
}
"""Settings that a replay determines itself; `--settings` must not change them."""

_WITHOUT_EFFECT = {
    "backfill_after_s",
    "backfill_by_exif",
    "bucket",
    "crop_min_pixels",
    "crops_per_burst",
    "crops_withheld_by_person",
    "event_gap_s",
    "independence_gap_s",
    "keep_versions",
    "key_pattern",
    "own_buckets",
    "triton_own_user",
    "triton_serve_http",
}
_OF_OTHER_PARTS = ("reconcile_", "dashboard_", "mailroom", "network_", "schema_registry")
"""Settings that no worker of a replay reads, and beginnings of their names."""

_SECRET = re.compile(r"secret|password|passwd|token|credential|access_key")
_USER_IN_URL = re.compile(r"//[^/@]*@")


def parse_overrides(assignments: list[str]) -> dict[str, str]:
    """Parse `NAME=value` into a mapping of environment variables. Raises `SettingsError` with the reason.

    The prefix `UNCIA_` may be left out. Names have to exist and be free to differ, and the values have to be valid.
    """
    overrides: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.strip().upper()
        name = name if name.startswith("UNCIA_") else f"UNCIA_{name}"
        field = name.removeprefix("UNCIA_").lower()
        # No message repeats the value: with a typing error in the name it may be a secret.
        if is_secret(field) or _USER_IN_URL.search(value):
            raise SettingsError(
                f"--settings {name}: secrets are refused, since they would be stored with the replay; its workers use "
                "those of the environment and of the stack"
            )
        if not equals or field not in Settings.model_fields:
            raise SettingsError(f"--settings {name}: write NAME=value with a name from `uncia settings show`")
        if field in _FIXED or field.startswith("kafka_"):
            raise SettingsError(f"--settings {name}: a replay has its own {name}; --model chooses the model")
        if field in _WITHOUT_EFFECT or field.startswith(_OF_OTHER_PARTS):
            raise SettingsError(f"--settings {name}: has no effect on a replay")
        overrides[name] = value.strip()
    settings_with(overrides)
    return overrides


def is_secret(field: str) -> bool:
    """True for a setting, by its name in `Settings`, that must not be shown or stored."""
    info = Settings.model_fields.get(field)
    return bool(_SECRET.search(field)) or (info is not None and "SecretStr" in str(info.annotation))


def shown_value(name: str, value: str) -> str:
    """The value of a variable for people. Replays that earlier versions have created may contain secrets."""
    return "(not shown)" if is_secret(name.removeprefix("UNCIA_").lower()) or _USER_IN_URL.search(value) else value


def settings_with(variables: dict[str, str]) -> Settings:
    """The settings of a process with these variables in its environment. Raises `SettingsError`."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        return read_settings()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
