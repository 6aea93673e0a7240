"""All settings, in one place: `UNCIA_...` variables, then the file that `uncia up` wrote, then these defaults.

`docs/settings.md` is generated from this module.
"""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError

from uncia.errors import SettingsError

TEN_YEARS_S = 10 * 366 * 86400
"""The longest duration of a setting; longer ones added to a time may exceed the calendar."""

EnsembleRule = Literal["mean", "geometric-mean", "log-odds", "vote", "max", "stacked"]


def stack_dir() -> Path:
    """Folder of the embedded stack's data, logs and credentials."""
    return Path(os.environ.get("UNCIA_STACK_DIR", ".local/stack"))


def _split(value: Any) -> Any:
    """Lists may be written `a, b`."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """One process's settings. Invalid ones stop it at startup with a message that names the variable."""

    model_config = SettingsConfigDict(
        env_prefix="UNCIA_", extra="ignore", frozen=True, env_file_encoding="utf-8", hide_input_in_errors=True
    )

    # Kafka
    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, `host:port`, comma-separated")
    namespace: str = Field(
        default="",
        pattern=r"^[a-z0-9-]*$",
        description="prefix of every topic and group name (`<namespace>.`), so that systems can share a broker",
    )
    partitions: int = Field(default=4, ge=1, le=1000, description="partitions of every camera topic; fixed for life")
    replication: int = Field(default=1, ge=1, description="replicas of every topic")

    # Object storage
    s3_endpoint: str | None = Field(default=None, description="the store's address; empty for Amazon's own")
    s3_region: str = Field(default="us-east-1", description="the store's region")
    s3_access_key: str | None = Field(default=None, description="empty: boto3's own search for credentials")
    s3_secret_key: SecretStr | None = Field(default=None, description="the secret that belongs to the access key")
    bucket: str = Field(default="camera-uploads", description="where gateways and other S3 clients upload to")
    own_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("uncia-crops", "uncia-models"),
        description="buckets that Uncia writes; their events are ignored",
    )
    key_pattern: str = Field(
        default=r"(?P<station>[^/]+)/(?P<camera>[^/]+)/(?:.*/)?(?P<file>[^/]+)",
        description="regular expression over the whole object key with the groups `station` and `camera`",
    )

    # Lanes
    backfill_after_s: float = Field(
        default=86_400,
        ge=0,
        description="a photograph that was taken so long before its upload, by its name, is backfill and waits for "
        "live ones; a day, because a camera's clock may be of any time zone",
    )
    backfill_at_once: int = Field(
        default=2,
        ge=1,
        le=256,
        description="concurrent inference requests of the backfill lane, per worker; a live photograph waits for about "
        "twice as many",
    )

    # Triton
    triton: str = Field(default="127.0.0.1:8001", description="Triton's gRPC address")
    triton_http: str = Field(default="127.0.0.1:8000", description="Triton's HTTP address")
    model: str = Field(default="species_classifier", description="the model that predict uses")
    model_version: str = Field(default="", description="pin one version; empty for the one that is served")
    detector: str = Field(
        default="animal_detector",
        description="the detector that predict uses where the repository holds it; empty: no detector",
    )
    detector_version: str = Field(
        default="", description="pin one version of the detector; empty for the one that is served"
    )
    detector_weights: Path = Field(
        default=Path(".local/parts/animal_detector/yolox_tiny_640_20220528.pth"),
        description="the weights of which `uncia models build` makes animal_detector; `make setup` fetches them",
    )
    model_repository: Path = Field(
        default=Path(".local/models/repository"),
        description="Triton's repository: label sets are read from it",
    )
    triton_timeout_s: float = Field(default=10, gt=0, description="deadline of one inference, in seconds")
    focus_taxa: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("Panthera uncia",), description="taxa that are reported by their own calibrated thresholds"
    )
    station_focus_taxa: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description='other focus taxa by station, JSON: `{"ridge": ["Ursus arctos"]}`'
    )

    # Predict
    predict_batch: int = Field(default=16, ge=1, le=256, description="photographs processed concurrently, per worker")
    decode_threads: int = Field(default=2, ge=1, le=64, description="threads that read and decode")
    max_object_mb: int = Field(default=64, ge=1, description="larger objects are rejected unread")
    max_megapixels: int = Field(default=150, ge=1, description="larger photographs are rejected before decoding")
    missing_grace_s: float = Field(
        default=5,
        ge=0,
        le=TEN_YEARS_S,
        description="seconds for which an announced object may be invisible before it counts as missing",
    )

    # Crops
    crops_withheld_by_person: bool = Field(
        default=True, description="a person anywhere in a burst withholds all its crops, and withdraws published ones"
    )

    # Explanations
    explanations_per_hour: int = Field(
        default=20,
        ge=0,
        description="explanations that the worker `explain` requests by itself, at most, per process: of bursts whose "
        "frames disagree or score near the calibrated threshold; 0 for none",
    )
    explanation_samples: int = Field(
        default=300,
        ge=2,
        le=5000,
        description="pictures that an explanation in the stream has scored; more give a better fit and take longer",
    )

    # Bursts
    burst_gap_s: float = Field(
        default=15, gt=0, le=TEN_YEARS_S, description="seconds between frames of one burst, at most"
    )
    burst_idle_s: float = Field(
        default=20, gt=0, le=TEN_YEARS_S, description="seconds without a new frame after which a burst closes"
    )
    burst_lateness_s: float = Field(
        default=900,
        ge=0,
        le=TEN_YEARS_S,
        description="seconds of log time after its close in which a late frame still revises a burst",
    )
    burst_max_frames: int = Field(
        default=200,
        ge=1,
        le=1000,
        description="frames of a burst, at most; longer bursts are split, because each revision repeats "
        "all frames, so that the cost grows with the square",
    )
    event_gap_s: float = Field(
        default=120,
        gt=0,
        le=TEN_YEARS_S,
        description="bursts of one camera and taxon no further apart are one event, in `bursts list`",
    )
    independence_gap_s: float = Field(
        default=1800,
        gt=0,
        le=TEN_YEARS_S,
        description="events of one camera and taxon further apart are independent detections, in `bursts list`",
    )
    ensemble_rule: EnsembleRule = Field(
        default="log-odds",
        description="mean, geometric-mean, log-odds, vote or max over the frames, or stacked (`ensemble_weights`)",
    )
    ensemble_weights: Path | None = Field(
        default=None, description="model file of the rule `stacked`, see docs/ecologist.md"
    )
    certain_from: float = Field(
        default=1,
        ge=0,
        le=1,
        description="other taxa are called certain from this score; 1 for never: their scores are not calibrated, and "
        "empty frames reach 0.9",
    )
    tick_s: float = Field(default=1, gt=0, description="seconds between clock ticks")

    # Reconcile
    reconcile_every_s: float = Field(default=60, gt=0, description="seconds between two comparisons with the bucket")
    reconcile_after_s: float = Field(
        default=30, ge=0, description="age in seconds from which an object without a notification counts as unannounced"
    )
    reconcile_unanswered_after_s: float = Field(
        default=600,
        ge=0,
        description="seconds without a prediction or rejection after which an announced photograph "
        "counts as unanswered",
    )
    reconcile_per_s: float = Field(
        default=200, gt=0, description="photographs announced a second, at most, so that live ones are not delayed"
    )

    # Workers
    max_bad_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="a worker stops when more of its recent messages than this are bad",
    )
    max_bad_window: int = Field(default=200, ge=10, description="how many recent messages that share is taken of")
    web_host: str = Field(default="127.0.0.1", description="where a worker's metrics listen")
    web_port: int = Field(default=0, ge=0, le=65535, description="port of the metrics; 0 for none")
    data_dir: Path = Field(default=Path(".local/workers"), description="scratch folder of the workers")

    # Embedded stack
    sync_writes: bool = Field(
        default=True,
        description="the embedded store and broker confirm a write when it is on disk, so that a power cut "
        "loses nothing that was confirmed; `false` where replicas hold copies",
    )

    # Telemetry
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="lowest level logged")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, JSON lines elsewhere"
    )

    @field_validator("own_buckets", "focus_taxa", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("s3_endpoint", "s3_access_key", "s3_secret_key", "ensemble_weights", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("s3_endpoint")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            fine = False
        if not fine:
            raise ValueError(f"{value!r} is no address of a store: write http://host:port, or https://host")
        return value

    @model_validator(mode="after")
    def _nothing_is_half_given(self) -> Self:
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            given, missing = "UNCIA_S3_ACCESS_KEY", "UNCIA_S3_SECRET_KEY"
            if self.s3_access_key is None:
                given, missing = missing, given
            raise ValueError(f"{given} is set without {missing}: set both, or neither for boto3's own credentials")
        return self

    @field_validator("key_pattern")
    @classmethod
    def _has_the_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if not {"station", "camera"} <= set(groups):
            raise ValueError("needs the named groups (?P<station>...) and (?P<camera>...)")
        return value

    def focus_taxa_of(self, station: str) -> tuple[str, ...]:
        """The focus taxa of one station."""
        return self.station_focus_taxa.get(station, self.focus_taxa)


def read_settings(**overrides: Any) -> Settings:
    """Read the settings of this process, without the cache. Raises `SettingsError` with one line per wrong variable."""
    try:
        return Settings(_env_file=stack_dir() / "stack.env", **overrides)
    except ValidationError as error:
        lines = [_problem(wrong["loc"], wrong["msg"]) for wrong in error.errors(include_url=False, include_input=False)]
        raise SettingsError("wrong settings: " + "; ".join(lines)) from error
    except PydanticSettingsError as error:
        # What should be JSON and is none: the error names the field, and its text holds no value.
        field = re.search(r'field "(\w+)"', str(error))
        name = f"UNCIA_{field[1].upper()}" if field else "a setting"
        raise SettingsError(f"wrong settings: {name}: this must be JSON, see docs/settings.md") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{stack_dir() / 'stack.env'} cannot be read ({error})") from error


def _problem(where: tuple[int | str, ...], what: str) -> str:
    what = what.removeprefix("Value error, ")
    return f"UNCIA_{'.'.join(str(part) for part in where).upper()}: {what}" if where else what


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Settings of this process, read once."""
    return read_settings()
