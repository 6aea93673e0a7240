"""All settings: `UNCIA_...` variables first, then the file that `uncia up` writes, then files in `UNCIA_SECRETS_DIR`,
then the defaults of this module.

`docs/settings.md` is generated from this module.
"""

import os
import re
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError

from uncia.errors import SettingsError
from uncia.kafka_sign_in import KafkaSignIn, SaslMechanism, SecurityProtocol

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")

_TEN_YEARS_S = 10 * 366 * 86400
"""Maximum of settings that are durations: a longer one, added to a time, could exceed the calendar."""

EnsembleRule = Literal["mean", "geometric-mean", "log-odds", "vote", "max", "stacked"]


def stack_dir() -> Path:
    """Return the folder of the embedded stack's data, logs and credentials."""
    return Path(os.environ.get("UNCIA_STACK_DIR", ".local/stack"))


def secrets_dir() -> Path | None:
    """Return the folder `UNCIA_SECRETS_DIR`, with one file per setting that is named like its variable; None if unset.

    Containers get passwords and keys as files: their environment is shown by `docker inspect`.
    """
    folder = os.environ.get("UNCIA_SECRETS_DIR")
    return Path(folder) if folder else None


def _split(value: Any) -> Any:
    """Split a list that is written as `a, b`."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class StripGps(StrEnum):
    """Whether a gateway removes positions from photographs."""

    OFF = "off"
    ON = "on"
    """What cannot be searched for a position is uploaded as it is, counted and named."""
    STRICT = "strict"
    """What cannot be searched for a position is not uploaded."""


class Settings(BaseSettings):
    """The settings of one process. A process with an invalid value exits at startup and names the variable."""

    model_config = SettingsConfigDict(
        env_prefix="UNCIA_", extra="ignore", frozen=True, env_file_encoding="utf-8", hide_input_in_errors=True
    )

    # Kafka
    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, `host:port`, comma-separated")
    kafka_security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT",
        description="how to connect to Kafka: `SSL` encrypts, `SASL_SSL` signs in as well (docs/operator.md)",
    )
    kafka_sasl_mechanism: SaslMechanism | None = Field(
        default=None, description="how to sign in, with the protocols `SASL_...`; empty for those without"
    )
    kafka_username: str | None = Field(
        default=None, description="user name for `PLAIN` and `SCRAM-...`; the client's id for `UNCIA_KAFKA_TOKEN_URL`"
    )
    kafka_password: SecretStr | None = Field(
        default=None, description="password of this user; the client's secret for `UNCIA_KAFKA_TOKEN_URL`"
    )
    kafka_cafile: Path | None = Field(
        default=None,
        description="file with the certificates (PEM) of the authorities that may vouch for the brokers; empty for "
        "those that the system trusts",
    )
    kafka_certfile: Path | None = Field(
        default=None, description="file with the client's own certificate (PEM), where the brokers ask for one (mTLS)"
    )
    kafka_keyfile: Path | None = Field(
        default=None, description="file with the key of this certificate (PEM, not encrypted); empty if it is in there"
    )
    kafka_token_file: Path | None = Field(
        default=None,
        description="for `OAUTHBEARER`: file with the token, which another program keeps fresh; read at each sign-in",
    )
    kafka_token_url: str | None = Field(
        default=None,
        description="for `OAUTHBEARER`, instead of a file: URL that issues tokens for client credentials (OAuth 2.0)",
    )
    namespace: str = Field(
        default="",
        pattern=r"^[a-z0-9-]*$",
        description="prefix of every topic and consumer group (`<namespace>.`), so that systems can share a broker",
    )
    partitions: int = Field(
        default=4, ge=1, le=1000, description="partitions of every camera topic; cannot be changed later"
    )
    replication: int = Field(default=1, ge=1, description="replicas of every topic")
    schema_registry: str | None = Field(
        default=None,
        description="URL of a schema registry with Confluent's API, for `uncia topics register`; Apicurio's is below "
        "`/apis/ccompat/v7`",
    )
    schema_registry_username: str | None = Field(
        default=None, description="user name or API key at the schema registry (HTTP Basic)"
    )
    schema_registry_password: SecretStr | None = Field(default=None, description="password or secret of this user")
    schema_registry_token: SecretStr | None = Field(
        default=None, description="bearer token for the schema registry, instead of user name and password"
    )
    schema_registry_cafile: Path | None = Field(
        default=None,
        description="file with the certificates (PEM) of the authorities that may vouch for the schema registry; empty "
        "for those that the system trusts",
    )

    # Object storage
    s3_endpoint: str | None = Field(default=None, description="URL of the object store; empty for Amazon S3")
    s3_region: str = Field(default="us-east-1", description="region of the object store")
    s3_access_key: str | None = Field(default=None, description="access key; empty: boto3's default credentials")
    s3_secret_key: SecretStr | None = Field(default=None, description="secret of the access key")
    s3_cafile: Path | None = Field(
        default=None,
        description="file with the certificates (PEM) of the authorities that may vouch for the object store; empty "
        "for those that the system trusts",
    )
    bucket: str = Field(default="camera-uploads", description="bucket to which gateways and other S3 clients upload")
    own_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("uncia-crops", "uncia-models"),
        description="buckets that Uncia writes itself; their notifications are ignored",
    )
    keep_versions: bool = Field(
        default=True,
        description="the embedded store keeps what is replaced or deleted in `UNCIA_BUCKET` as older versions; those "
        "of photographs can be deleted with the store's administrative key alone (docs/keys.md)",
    )
    key_pattern: str = Field(
        default=r"(?P<station>[^/]+)/(?P<camera>[^/]+)/(?:.*/)?(?P<file>[^/]+)",
        description="regular expression that matches the whole object key, with the groups `station` and `camera`",
    )

    # Other machines
    network_host: str | None = Field(
        default=None,
        description="address or name by which other machines reach the embedded stack's Kafka and object store, with "
        "keys and TLS; empty: none does (docs/network.md)",
    )
    network_bind: str | None = Field(
        default=None,
        description="address of this machine on which they are served; empty: `UNCIA_NETWORK_HOST`",
    )
    network_kafka_port: int = Field(default=9094, ge=1, le=65535, description="port of Kafka for other machines")
    network_s3_port: int = Field(
        default=8443, ge=1, le=55535, description="port of the object store for other machines"
    )

    # Lanes
    backfill_after_s: float = Field(
        default=86_400,
        ge=0,
        description="age in seconds at upload, by the capture time in the file name, from which a photograph is "
        "backfill, with lower priority than live ones; a day, because a camera's clock can be in any time zone",
    )
    backfill_by_exif: bool = Field(
        default=False,
        description="whether intake reads the capture time from the first 64 KB of a photograph when neither the "
        "uploader nor the file name states its age, as with most S3 clients other than the gateway; one more request "
        "for each such photograph",
    )
    backfill_at_once: int = Field(
        default=2,
        ge=1,
        le=256,
        description="maximum number of concurrent inference requests of a backfill worker to each model; a live "
        "photograph waits for about twice as many",
    )

    # Triton
    triton: str = Field(
        default="127.0.0.1:8001", description="gRPC address of Triton, `host:port`, or `unix:/path` of a socket"
    )
    triton_http: str = Field(default="127.0.0.1:8000", description="HTTP address of Triton, `host:port`")
    triton_serve_http: bool = Field(
        default=False,
        description="the embedded Triton also serves HTTP on a loopback port, for other programs; they need the keys, "
        "which every user of the machine can then read in the list of processes (docs/keys.md)",
    )
    replay_key_issuer: str | None = Field(
        default=None,
        description="import path, `module:class`, of what issues keys to the workers of replays and shadows; "
        "`uncia up` sets it. Without one they have the keys of the person who starts them (docs/keys.md)",
    )
    triton_own_user: bool = Field(
        default=True,
        description="where `uncia up` runs as root, Triton and its models run as a user of their own, who cannot read "
        "the stack's keys; off for models that read other files of root (docs/keys.md)",
    )
    triton_inference_key: SecretStr | None = Field(
        default=None, description="key for inference, where Triton requires one"
    )
    triton_control_key: SecretStr | None = Field(
        default=None, description="key for loading and unloading models, where Triton requires one"
    )
    model: str = Field(default="species_classifier", description="model that the predict workers use")
    model_version: str = Field(
        default="", description="model version that the predict workers use; empty for the live version"
    )
    detector: str = Field(
        default="animal_detector",
        description="detector that the predict workers use, if the repository holds it; empty for no detector",
    )
    detector_version: str = Field(
        default="", description="detector version that the predict workers use; empty for the live version"
    )
    detector_weights: Path = Field(
        default=Path(".local/parts/animal_detector/yolox_tiny_640_20220528.pth"),
        description="file with the weights of `animal_detector`, which `make setup` fetches",
    )
    detector_precision: Literal["auto", "int8", "float32"] = Field(
        default="auto",
        description="precision of `animal_detector` as built: int8 halves the time on a CPU; auto is int8 for the "
        "backend `python`, and float32 for `onnxruntime`, which GPUs use",
    )
    person_vehicle_weights: Path = Field(
        default=Path(".local/parts/person_vehicle"),
        description="folder with the weights for persons and vehicles; without it only animals are detected",
    )
    model_repository: Path = Field(
        default=Path(".local/models/repository"),
        description="Triton's model repository, from which label sets are read",
    )
    triton_timeout_s: float = Field(default=10, gt=0, description="timeout of an inference request, in seconds")
    focus_taxa: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("Panthera uncia",), description="taxa that are reported as present from their calibrated thresholds on"
    )
    station_focus_taxa: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description='focus taxa of single stations, instead of the above: `{"ridge": ["Ursus arctos"]}`',
    )

    # Predict
    predict_batch: int = Field(default=16, ge=1, le=256, description="photographs processed concurrently, per worker")
    decode_threads: int = Field(
        default=2, ge=1, le=64, description="threads that read and decode photographs, per worker"
    )
    max_object_mb: int = Field(
        default=64, ge=1, description="maximum size of an object, in MB; larger ones are rejected without being read"
    )
    max_megapixels: int = Field(
        default=150,
        ge=1,
        description="maximum size of a photograph, in megapixels; larger ones are rejected before decoding",
    )
    missing_grace_s: float = Field(
        default=5,
        ge=0,
        le=_TEN_YEARS_S,
        description="seconds to wait for an announced object that the store does not return yet, before it is missing",
    )

    # Explanations
    explanations_per_hour: int = Field(
        default=20,
        ge=0,
        description="explanations that the worker `explain` requests by itself, at most, all processes together: of "
        "bursts whose frames disagree or score near the calibrated threshold; 0 for none",
    )
    explanation_samples: int = Field(
        default=300,
        ge=2,
        le=5000,
        description="pictures that an explanation in the stream has scored; more give a better fit and take longer",
    )

    # Second look
    second_looks_per_hour: int = Field(
        default=60,
        ge=0,
        description="bursts that the worker `second-look` detects again in tiles, at most, per process: what stays "
        "inconclusive; 0 for none",
    )
    second_look_frames: int = Field(
        default=10, ge=1, le=20, description="frames of such a burst that are detected again, at most: the best ones"
    )
    second_look_within: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="a burst is inconclusive where its probability of an animal is this near to the threshold",
    )
    second_look_taxa: bool = Field(
        default=False,
        description="an animal without a taxon is inconclusive too, whatever its probability; what that brings has not "
        "been measured",
    )

    # Individuals
    identify_taxa: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="taxa whose individuals are told apart, with everything below them, e.g. `Panthera uncia`; with it "
        "`uncia up` starts the worker `identify`; empty: none",
    )
    identify_embedder: str = Field(
        default="",
        description="name of an embedder in Triton's model repository, whose vectors choose the known individuals that "
        "a crop is compared with (docs/individuals.md); empty: none",
    )
    identify_crops: int = Field(
        default=3, ge=1, le=20, description="crops of a burst that are matched with known individuals, at most"
    )
    identify_reviewers: int = Field(
        default=1,
        ge=1,
        le=2,
        description="reviewers who have to agree on who a burst shows before it counts: 1 or 2; the same for the "
        "worker `identify`, the dashboard and `uncia individuals`",
    )
    identify_settle_s: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="seconds from the latest crop of a burst to its matching, so that its other crops take part",
    )

    # Sound recordings
    listen: bool = Field(
        default=False,
        description="start the worker `listen`, which finds calls in sound recordings (docs/sound.md); needs an "
        "audio classifier",
    )
    sound_model: str = Field(
        default="audio_classifier", description="name of the audio classifier in Triton's model repository"
    )
    listen_threshold: float = Field(
        default=0.5, gt=0, le=1, description="score from which a class counts as heard, where its label set has no own"
    )
    listen_gap_s: float = Field(
        default=1.0, ge=0, le=600, description="longest silence within a call, in seconds, between two windows"
    )
    listen_max_call_windows: int = Field(
        default=40, ge=1, le=500, description="a call is cut after this many windows; a chorus may last all night"
    )
    listen_max_mb: int = Field(
        default=4_200,
        ge=1,
        description="maximum size of a recording, in MB; while it is read, it is a temporary file in `UNCIA_DATA_DIR`",
    )

    # Crops
    crops_per_burst: int = Field(
        default=5, ge=0, le=100, description="crops of a burst, at most: the best box of each frame; 0: no crops"
    )
    crops_withheld_by_person: bool = Field(
        default=True,
        description="a person anywhere in a burst withholds all its crops, and withdraws published ones; so does a "
        "detector that cannot tell persons from animals",
    )
    retention_person_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="days after their upload after which `uncia forget --expired` removes photographs of bursts with a "
        "person; empty: they are kept",
    )
    retention_vehicle_days: int | None = Field(
        default=None, ge=1, le=36_500, description="likewise for bursts with a vehicle; empty: they are kept"
    )
    retention_blank_days: int | None = Field(
        default=None, ge=1, le=36_500, description="likewise for blank bursts; empty: they are kept"
    )
    retention_animal_days: int | None = Field(
        default=None, ge=1, le=36_500, description="likewise for bursts with an animal; empty: they are kept"
    )
    crop_min_pixels: int = Field(
        default=32, ge=4, description="a box whose shorter side has fewer pixels in the photograph gets no crop"
    )

    # Bursts
    burst_gap_s: float = Field(
        default=15,
        gt=0,
        le=_TEN_YEARS_S,
        description="maximum time between two consecutive frames of a burst, in seconds",
    )
    burst_idle_s: float = Field(
        default=20, gt=0, le=_TEN_YEARS_S, description="time without a new frame after which a burst closes, in seconds"
    )
    burst_lateness_s: float = Field(
        default=900,
        ge=0,
        le=_TEN_YEARS_S,
        description="allowed lateness, in seconds of log time: a frame that arrives this long after its burst closed "
        "still revises it",
    )
    burst_max_frames: int = Field(
        default=200,
        ge=1,
        le=1000,
        description="maximum number of frames of a burst; longer bursts are split, because each revision repeats "
        "all frames, so that the cost is quadratic",
    )
    event_gap_s: float = Field(
        default=120,
        gt=0,
        le=_TEN_YEARS_S,
        description="maximum time between bursts of one camera and taxon that are one event, in seconds "
        "(`bursts list`)",
    )
    independence_gap_s: float = Field(
        default=1800,
        gt=0,
        le=_TEN_YEARS_S,
        description="minimum time between events of one camera and taxon that are independent detections, in seconds "
        "(`bursts list`)",
    )
    ensemble_rule: EnsembleRule = Field(
        default="log-odds",
        description="how the scores of the frames are combined; `stacked` needs `UNCIA_ENSEMBLE_WEIGHTS`",
    )
    ensemble_weights: Path | None = Field(default=None, description="weights file for `stacked`, see docs/ecologist.md")
    certain_from: float = Field(
        default=1,
        ge=0,
        le=1,
        description="score from which taxa that are not focus taxa are reported as certain; 1: never, because their "
        "scores are not calibrated and blank frames reach 0.9",
    )
    tick_s: float = Field(default=1, gt=0, description="interval of clock ticks, in seconds")

    # Verdicts
    presence_model: Path | None = Field(
        default=None, description="file of the weights that decide whether an animal is there; empty: ours"
    )
    animal_threshold: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="calibrated probability from which a burst or frame shows an animal; empty: that of the presence "
        "model",
    )
    person_threshold: float = Field(
        default=0.4, gt=0, le=1, description="detector score from which a person is in the frame; not calibrated"
    )
    vehicle_threshold: float = Field(
        default=0.4, gt=0, le=1, description="detector score from which a vehicle is in the frame; not calibrated"
    )
    certain_probability: float = Field(
        default=0.9,
        gt=0.5,
        le=1,
        description="calibrated probability from which `animal` and `blank` are called certain",
    )
    taxon_threshold: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="summed class score, given an animal, from which a burst is called a taxon: the lowest rank that "
        "reaches it",
    )
    taxonomy_file: Path | None = Field(
        default=None, description="table of further taxa (taxon, rank, parent, label), see docs/ecologist.md"
    )
    sensitive_taxa: Path | None = Field(
        default=None,
        description="table of taxa whose places are sensitive (taxon, sensitivity), in place of that of the package "
        "(`uncia sensitivity list`), see docs/public_tier.md",
    )
    alert_rules: Path | None = Field(
        default=None,
        description="file of alert rules (docs/alerts.md); with it `uncia up` starts the worker `alerts`",
    )
    audit_share_blank: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of the blanks that is reviewed to measure how often an animal was missed "
        "(docs/drift-audit.md)",
    )
    audit_share_confident: float = Field(
        default=0.01, ge=0, le=1, description="share of the confident animals that is reviewed for the same purpose"
    )
    audit_confidence: float = Field(
        default=0.95, gt=0, le=1, description="calibrated probability from which an animal counts as confident there"
    )
    audit_seed: str = Field(
        default="1",
        description="decides which bursts these shares consist of; keep it: another seed begins with other bursts",
    )
    channels: Path | None = Field(
        default=None,
        description="file of channels (docs/delivery.md); with it `uncia up` starts `uncia deliver`",
    )
    delivery_database: Path | None = Field(
        default=None,
        description="file (SQLite) of the outbox of `uncia deliver`; empty: `data/delivery/outbox.sqlite` in the "
        "folder of the stack",
    )
    dashboard_url: str | None = Field(
        default=None,
        description="URL of the dashboard, for links in messages to trusted channels; empty: no links",
    )
    public_tier: bool = Field(
        default=False,
        description="start the worker `redact`, which publishes verdicts for anybody (docs/public_tier.md)",
    )
    public_delay_least_s: float = Field(
        default=86_400, ge=0, description="shortest delay of a public event after its verdict; drawn by chance"
    )
    public_delay_most_s: float = Field(
        default=7 * 86_400, ge=0, description="longest delay of a public event after its verdict"
    )
    public_delay_from_day_end: bool = Field(
        default=True,
        description="count the delay from the end of the day or week of the event, so that the order of publication "
        "shows nothing of that of the verdicts; false: from the verdict, for trials only",
    )
    public_interval_s: float = Field(
        default=3600, gt=0, description="interval at which due public events are published together, in a random order"
    )
    public_cell_cameras: int = Field(
        default=3, ge=1, description="cameras that a cell must contain for its place to be public"
    )
    taxa_allowed: Path | None = Field(
        default=None,
        description="list of the taxa that can occur: a text file with one a line, or a Camtrap DP `datapackage.json`; "
        "empty: any",
    )
    station_taxa_allowed: dict[str, Path] = Field(
        default_factory=dict,
        description='other lists by station or camera, JSON: `{"ridge": "ridge.txt", "ridge/north": "north.txt"}`',
    )
    static_iou: float = Field(
        default=0.9, gt=0.5, le=1, description="overlap (IoU) from which two boxes of a camera are at the same place"
    )
    static_hits: int = Field(
        default=20,
        ge=2,
        le=60_000,
        description="bursts with a box at the same place from which it is a static object, and outvoted",
    )

    # Thin links
    thin_links: bool = Field(
        default=False,
        description="`uncia up` starts the worker `thin-links`, which passes requests of whole photographs on to "
        "gateways behind thin links (docs/gateway.md)",
    )
    fetch_taxa: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="taxa, with all below them, of whose bursts the worker `thin-links` requests a whole photograph, "
        "comma-separated, e.g. `Panthera uncia, Ursidae`",
    )
    fetch_uncertain: bool = Field(
        default=False,
        description="the worker `thin-links` also requests a whole photograph of a burst with an animal whose taxon is "
        "uncertain",
    )
    fetch_frames: int = Field(
        default=1, ge=1, le=50, description="whole photographs that a rule requests of one burst, the best ones first"
    )

    # Harvest
    harvest_worker: bool = Field(
        default=False,
        description="`uncia up` starts the worker `harvest`, which downloads pictures for `uncia harvest run "
        "--on-workers` (docs/harvest.md)",
    )
    harvest_downloads: int = Field(
        default=8, ge=1, le=64, description="pictures that a worker `harvest` downloads at the same time, one a host"
    )
    harvest_private_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="`host:port` of servers in private networks, comma-separated, from which a worker `harvest` may "
        "download, such as a mirror; it refuses all other private addresses",
    )

    # Reconcile
    reconcile_every_s: float = Field(
        default=60, gt=0, description="interval of comparisons with the bucket, in seconds"
    )
    reconcile_after_s: float = Field(
        default=30,
        ge=0,
        description="age from which an object without a notification is treated as unannounced, in seconds",
    )
    reconcile_unanswered_after_s: float = Field(
        default=600,
        ge=0,
        description="time without a prediction or rejection after which an announced photograph is reported as "
        "`unanswered`, in seconds",
    )
    reconcile_per_s: float = Field(
        default=200,
        gt=0,
        description="maximum number of photographs announced per second, so that live ones are not delayed",
    )

    # Catalogue
    catalogue_url: SecretStr | None = Field(
        default=None,
        description="database of the catalogue: `postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:////FILE`; "
        "empty for SQLite in the stack's folder",
    )

    # Workers
    max_bad_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="maximum fraction of invalid messages among the recent ones; above it, the worker stops",
    )
    max_bad_window: int = Field(
        default=200, ge=10, description="number of recent messages over which this fraction is computed"
    )
    web_host: str = Field(default="127.0.0.1", description="listen address of a worker's metrics")
    web_port: int = Field(default=0, ge=0, le=65535, description="port of a worker's metrics; 0: no metrics")
    data_dir: Path = Field(default=Path(".local/workers"), description="working folder of the workers")

    # Dashboard
    dashboard_host: str = Field(
        default="127.0.0.1", description="listen address of the dashboard; another one only behind a TLS proxy"
    )
    dashboard_port: int = Field(
        default=8480, ge=0, le=65535, description="port of the dashboard; `uncia up` assigns its own"
    )
    dashboard_accounts: SecretStr | None = Field(
        default=None,
        description="database with accounts, sessions, tokens, saved views and leases: "
        "`postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:////FILE`; empty: `accounts.sqlite` in "
        "`UNCIA_DASHBOARD_DIR`",
    )
    dashboard_dir: Path | None = Field(
        default=None,
        description="folder of the dashboard's accounts and cached thumbnails; empty for `dashboard` in the stack's "
        "folder",
    )
    dashboard_assets: Path = Field(
        default=Path(".local/parts/web_assets"),
        description="folder with the JavaScript libraries, which `make setup` fetches",
    )
    dashboard_tiles: Path | None = Field(
        default=None,
        description="folder with map tiles (`{z}/{x}/{y}.png`, `.jpg` or `.webp`) as the background of the map; empty: "
        "the map has a graticule only",
    )
    dashboard_silent_after_h: float = Field(
        default=0,
        ge=0,
        le=24 * 366,
        description="hours without a contact after which a camera counts as silent, unless its deployment has a "
        "`contactInterval`; 0: three of its usual intervals, at least two days",
    )
    dashboard_battery_low_v: float = Field(
        default=0, ge=0, le=30, description="voltage below which a battery counts as low; 0: none does"
    )
    dashboard_battery_low_percent: float = Field(
        default=20,
        ge=0,
        le=100,
        description="charge in percent below which a battery counts as low, of cameras that report it; 0: none does",
    )
    dashboard_session_hours: float = Field(
        default=24 * 14, gt=0, le=24 * 366, description="hours after which an unused session ends"
    )
    dashboard_cache_mb: int = Field(
        default=256, ge=1, description="maximum size of the cached thumbnails of the dashboard, in MB"
    )
    dashboard_secure_cookies: bool = Field(
        default=False, description="send cookies over HTTPS only; set it behind a TLS proxy"
    )
    dashboard_proxy_secret: SecretStr | None = Field(
        default=None,
        description="secret that a proxy with OpenID Connect sends as `X-Uncia-Proxy-Secret`; the account named in its "
        "`X-Forwarded-User` is then signed in; empty: such headers are ignored",
    )
    pseudonym_key: SecretStr | None = Field(
        default=None,
        description="key for the pseudonyms that stand for serial numbers of cameras in exports and pages, at least 32 "
        "characters; empty: drawn at first use into `pseudonyms.key` of the stack's folder",
    )

    # Gateway
    strip_gps: StripGps = Field(
        default=StripGps.OFF,
        description="gateway and mailroom: `on` removes the position (EXIF, XMP) from a JPEG before its upload, and "
        "uploads other files as they are; `strict` does not upload what it cannot search for a position",
    )
    position_key: str | None = Field(
        default=None,
        description="public key of `uncia keys position-pair`: the position that `UNCIA_STRIP_GPS` removes is sealed "
        "to it and stored with the photograph (extra `sealed`); empty: it is not stored",
    )

    thin_daily_kb: int | None = Field(
        default=None,
        ge=50,  # with TLS, looking up requests once and one small thumbnail
        le=100_000_000,
        description="gateway behind a thin link: bytes per UTC day that it may use, in both directions, in thousands. "
        "It then sends a thumbnail of each photograph, and the photograph on request (extra `thin`, docs/gateway.md); "
        "empty: photographs are uploaded whole, without a limit",
    )
    thin_thumbnail_px: int = Field(
        default=512, ge=64, le=4096, description="gateway behind a thin link: longer side of a thumbnail, in pixels"
    )
    thin_poll_s: float = Field(
        default=900,
        ge=1,
        le=_TEN_YEARS_S,
        description="gateway behind a thin link: interval at which it looks for requests, in seconds; but for "
        "the first one of a day, polls use at most a tenth of the budget",
    )
    thin_keep_days: float | None = Field(
        default=None,
        gt=0,
        le=3660,
        description="gateway behind a thin link: remove its copy of a photograph that was not requested in so many "
        "days; empty: keep it",
    )

    # Mailroom
    mailroom: bool = Field(
        default=False,
        description="`uncia up` starts the mailroom, too, for cameras that send by FTP or mail (docs/mailroom.md)",
    )
    mailroom_dir: Path | None = Field(
        default=None,
        description="folder of the mailroom: accounts, received files, spools; empty for "
        "`~/.local/state/uncia/mailroom`",
    )
    mailroom_host: str = Field(
        default="127.0.0.1", description="listen address of the mailroom; `0.0.0.0` for cameras on the internet"
    )
    mailroom_ftp_port: int = Field(default=2121, ge=0, le=65535, description="port of the FTP server; 0: none")
    mailroom_ftp_passive_ports: str = Field(
        default="50000-50100",
        pattern=r"^\d{4,5}-\d{4,5}$",
        description="ports of the FTP server for data connections; a firewall must let them through",
    )
    mailroom_public_address: str | None = Field(
        default=None,
        description="IP address under which cameras reach the FTP server, where it is behind address translation",
    )
    mailroom_plain_ftp: bool = Field(
        default=False,
        description="accept FTP without TLS, for cameras that cannot encrypt: passwords and photographs can be read "
        "on the way",
    )
    mailroom_smtp_port: int = Field(default=2525, ge=0, le=65535, description="port of the SMTP server; 0: none")
    mailroom_plain_smtp: bool = Field(
        default=False, description="accept mail and passwords without STARTTLS; they can be read on the way"
    )
    mailroom_lmtp_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="port on loopback to which a mail server on this machine passes mails by LMTP; 0: none",
    )
    mailroom_certfile: Path | None = Field(
        default=None, description="file with the mailroom's certificate and its chain (PEM); empty: a self-signed one"
    )
    mailroom_keyfile: Path | None = Field(
        default=None, description="file with the key of this certificate (PEM); empty if it is in there"
    )
    mailroom_profiles: Path | None = Field(
        default=None,
        description="folder with camera profiles (TOML) for status reports, tried before those that come with Uncia",
    )
    mailroom_max_mb: int = Field(
        default=64, ge=1, le=4096, description="maximum size of a file by FTP, and of a mail, in MB"
    )
    mailroom_connections: int = Field(
        default=200, ge=4, le=10_000, description="maximum number of connections of each server of the mailroom"
    )
    mailroom_idle_s: float = Field(
        default=120, gt=0, le=86_400, description="seconds without a byte after which a connection is closed"
    )
    mailroom_fetch_s: float = Field(
        default=60, ge=1, le=86_400, description="poll interval of the mailboxes elsewhere, in seconds"
    )
    mailroom_hold_s: float = Field(
        default=300,
        ge=0,
        le=86_400,
        description="seconds for which a received file waits for its rest or final name before it is stored as it is",
    )

    # Embedded stack
    sync_writes: bool = Field(
        default=True,
        description="the embedded store and broker confirm a write only when it is on disk, so that a power cut "
        "loses no confirmed write; use `false` only with replicas on other machines",
    )

    # Telemetry
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="minimum level of log messages"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: console on a terminal, JSON lines otherwise"
    )

    @field_validator(
        "own_buckets", "focus_taxa", "identify_taxa", "fetch_taxa", "harvest_private_origins", mode="before"
    )
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return _split(value)

    @field_validator(
        "kafka_sasl_mechanism",
        "kafka_username",
        "kafka_password",
        "kafka_cafile",
        "kafka_certfile",
        "kafka_keyfile",
        "kafka_token_file",
        "kafka_token_url",
        "schema_registry",
        "schema_registry_username",
        "schema_registry_password",
        "schema_registry_token",
        "schema_registry_cafile",
        "s3_endpoint",
        "s3_access_key",
        "s3_secret_key",
        "s3_cafile",
        "network_host",
        "network_bind",
        "triton_inference_key",
        "triton_control_key",
        "replay_key_issuer",
        "ensemble_weights",
        "presence_model",
        "animal_threshold",
        "dashboard_accounts",
        "dashboard_dir",
        "dashboard_tiles",
        "dashboard_proxy_secret",
        "pseudonym_key",
        "position_key",
        "retention_person_days",
        "retention_vehicle_days",
        "retention_blank_days",
        "retention_animal_days",
        "taxonomy_file",
        "sensitive_taxa",
        "alert_rules",
        "channels",
        "delivery_database",
        "dashboard_url",
        "taxa_allowed",
        "catalogue_url",
        "mailroom_dir",
        "mailroom_public_address",
        "mailroom_certfile",
        "mailroom_keyfile",
        "mailroom_profiles",
        mode="before",
    )
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
            raise ValueError(f"{value!r} is not the URL of an object store: use http://host:port or https://host")
        return value

    @field_validator("network_host", "network_bind")
    @classmethod
    def _is_a_host(cls, value: str | None) -> str | None:
        if value is not None and not (_HOST_NAME.fullmatch(value) or _is_ip_address(value)):
            raise ValueError(f"{value!r} is neither a name nor an address: give it without a port, such as 192.0.2.7")
        return value

    @model_validator(mode="after")
    def _delays_in_order(self) -> "Settings":
        if self.public_delay_most_s < self.public_delay_least_s:
            raise ValueError("UNCIA_PUBLIC_DELAY_MOST_S is below UNCIA_PUBLIC_DELAY_LEAST_S")
        return self

    @model_validator(mode="after")
    def _advertises_an_address_of_its_own(self) -> Self:
        if self.network_host in ("0.0.0.0", "::"):
            raise ValueError(
                f"UNCIA_NETWORK_HOST={self.network_host} is no address that another machine can reach: give that of "
                f"this machine, and UNCIA_NETWORK_BIND={self.network_host} to listen on all"
            )
        if self.network_bind is not None and self.network_host is None:
            raise ValueError("UNCIA_NETWORK_BIND is set without UNCIA_NETWORK_HOST: other machines need that address")
        return self

    @field_validator("schema_registry")
    @classmethod
    def _is_a_registry(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError(
                    "not the URL of a schema registry: use http://host:port, without user name and password"
                )
        return value

    @model_validator(mode="after")
    def _has_one_way_to_sign_in_to_the_registry(self) -> Self:
        if (self.schema_registry_username is None) != (self.schema_registry_password is None):
            raise ValueError("set both UNCIA_SCHEMA_REGISTRY_USERNAME and UNCIA_SCHEMA_REGISTRY_PASSWORD, or neither")
        if self.schema_registry_token is not None and self.schema_registry_username is not None:
            raise ValueError("UNCIA_SCHEMA_REGISTRY_TOKEN and UNCIA_SCHEMA_REGISTRY_USERNAME exclude each other")
        return self

    @model_validator(mode="after")
    def _has_both_keys_or_none(self) -> Self:
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            given, missing = "UNCIA_S3_ACCESS_KEY", "UNCIA_S3_SECRET_KEY"
            if self.s3_access_key is None:
                given, missing = missing, given
            raise ValueError(f"{given} is set without {missing}: set both, or neither for boto3's default credentials")
        return self

    @model_validator(mode="after")
    def _can_sign_in_to_kafka(self) -> Self:
        if problem := self.kafka_sign_in.problem():
            raise ValueError(problem)
        return self

    @field_validator("key_pattern")
    @classmethod
    def _has_the_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if not {"station", "camera"} <= set(groups):
            raise ValueError("the named groups (?P<station>...) and (?P<camera>...) are required")
        return value

    @property
    def kafka_servers(self) -> list[str]:
        """The bootstrap servers, one by one."""
        return [server.strip() for server in self.kafka.split(",")]

    @property
    def kafka_sign_in(self) -> KafkaSignIn:
        """How clients sign in to Kafka."""
        return KafkaSignIn(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=self.kafka_password,
            cafile=self.kafka_cafile,
            certfile=self.kafka_certfile,
            keyfile=self.kafka_keyfile,
            token_file=self.kafka_token_file,
            token_url=self.kafka_token_url,
        )

    def focus_taxa_of(self, station: str) -> tuple[str, ...]:
        """Return the focus taxa of a station."""
        return self.station_focus_taxa.get(station, self.focus_taxa)


def read_settings(folder: Path | None = None, /, **overrides: Any) -> Settings:
    """Read the settings of this process, without the cache. Raises `SettingsError` with all invalid variables.

    `folder`: that of another stack than `UNCIA_STACK_DIR` names.
    """
    file, secrets = (folder or stack_dir()) / "stack.env", secrets_dir()
    if secrets is not None and not secrets.is_dir():
        raise SettingsError(f"UNCIA_SECRETS_DIR={secrets} is not a folder")
    try:
        return Settings(_env_file=file, _secrets_dir=secrets, **overrides)
    except ValidationError as error:
        lines = [_problem(wrong["loc"], wrong["msg"]) for wrong in error.errors(include_url=False, include_input=False)]
        raise SettingsError("invalid settings: " + "; ".join(lines)) from error
    except PydanticSettingsError as error:
        # A value that must be JSON and is not. The error names the field and does not contain the value.
        field = re.search(r'field "(\w+)"', str(error))
        name = f"UNCIA_{field[1].upper()}" if field else "a setting"
        raise SettingsError(f"invalid settings: {name}: must be JSON, see docs/settings.md") from error
    except (OSError, UnicodeDecodeError) as error:
        where = f"{file} or a file in {secrets}" if secrets else str(file)
        raise SettingsError(f"{where} cannot be read ({error})") from error


def _is_ip_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _problem(where: tuple[int | str, ...], what: str) -> str:
    what = what.removeprefix("Value error, ")
    return f"UNCIA_{'.'.join(str(part) for part in where).upper()}: {what}" if where else what


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process; they are read once and cached."""
    return read_settings()
