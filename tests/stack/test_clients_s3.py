"""Photographs that other projects' S3 clients upload, with the configuration and the keys of `uncia connect`.

One step uploads with all clients at the same time; each test looks at another side of the results.
"""

import contextlib
import io
import json
import os
import secrets
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
import urllib3
from boto3.s3.transfer import TransferConfig
from pydantic import SecretStr

from tests.stack.conftest import KIND
from tests.stack.photographs import iso_media, photograph
from tests.stack.result_consumer import ResultConsumer
from tests.stack.s3_clients import ClientsUnavailable, S3Clients, ended
from tests.toolchains import system_programs
from tests.waiting import SCALE
from uncia.events import BurstResolved, BurstStatus, ImagePredicted, Lane
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

Predicted = Callable[..., ImagePredicted]
Settled = Callable[..., list[BurstResolved]]

FRAMES = 6
CAMERAS = ("aws", "rclone", "s3cmd", "curl", "minio", "boto3")
BOARD = "board"
"""The folder with the configuration of a board, whose key stores photographs of its station and reads nothing."""

MINIO = """\
import sys
from urllib.parse import urlsplit
from minio import Minio
url, access_key, secret_key, bucket, camera, *names = sys.argv[1:]
store = Minio(urlsplit(url).netloc, access_key=access_key, secret_key=secret_key, secure=False, region="us-east-1")
for name in names:
    store.fput_object(bucket, f"{camera}/{name}", f"minio/{name}")
"""


@dataclass(frozen=True)
class Uploaded:
    """What was uploaded."""

    station: str
    clients: S3Clients
    folder: Path

    def camera(self, client: str) -> str:
        """The camera whose photographs this client uploaded."""
        return f"{self.station}/{client}"


def connect(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `uncia connect`."""
    return subprocess.run(
        [sys.executable, "-m", "uncia", "connect", *arguments],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=SCALE * 60,
        check=False,
    )


@pytest.fixture(scope="module")
def uploaded(stack: Stack, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Uploaded:
    """A burst of each client, uploaded in parallel or backwards, and what else is on a card."""
    folder = tmp_path_factory.mktemp("s3 client's")
    system_programs("curl")
    try:
        clients = S3Clients(tmp_path_factory.mktemp("clients"))
    except ClientsUnavailable as error:
        pytest.skip(str(error))
    station = f"station-{uuid.uuid4().hex[:10]}"
    done = connect(
        stack,
        *("aws", "rclone", "s3cmd", "curl", "gateway", "--for", "gateway", "--station", station),
        *("--output", str(folder / BOARD)),
    )
    assert done.returncode == 0, done.stderr
    began = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    names = write_cards(folder, began)
    backwards = " ".join(reversed(names))

    variables = dict(line.split("=", 1) for line in (folder / BOARD / "gateway.env").read_text().splitlines())
    endpoint, bucket = variables["UNCIA_S3_ENDPOINT"], settings.bucket
    aws = (
        f"AWS_CONFIG_FILE={BOARD}/aws.config AWS_SHARED_CREDENTIALS_FILE={BOARD}/aws.credentials "
        f"aws --profile uncia --endpoint-url {endpoint}"
    )
    rclone = f"rclone --config {BOARD}/rclone.conf copy --no-check-dest"
    minio = [endpoint, variables["UNCIA_S3_ACCESS_KEY"], variables["UNCIA_S3_SECRET_KEY"], bucket, f"{station}/minio"]
    keys = {
        "s3_access_key": variables["UNCIA_S3_ACCESS_KEY"],
        "s3_secret_key": SecretStr(variables["UNCIA_S3_SECRET_KEY"]),
    }
    with contextlib.closing(ObjectStore(settings.model_copy(update=keys))) as board:
        upload_with_boto3(board, bucket, f"{station}/boto3", folder / "boto3", names)
    running = [
        clients.start(command, folder)
        for command in (
            f"{aws} s3 cp --quiet --recursive aws s3://{bucket}/{station}/aws/ && "
            f"{aws} s3api put-object --bucket {bucket} --key {station}/aws/DCIM/",
            f"{rclone} --transfers 8 rclone uncia:{bucket}/{station}/rclone/",
            f"{rclone} old-card uncia:{bucket}/{station}/old-card/",
            f"cd s3cmd && s3cmd --config ../{BOARD}/s3cmd.conf put {backwards} s3://{bucket}/{station}/s3cmd/",
            f"for name in {backwards}; do curl --silent --config {BOARD}/curl.conf --upload-file curl/$name "
            f"{endpoint}/{bucket}/{station}/curl/$name || exit 1; done",
            f"python -c {shlex.quote(MINIO)} {shlex.join(minio)} {backwards}",
        )
    ]
    for process in running:
        status, output = ended(process)
        assert status == 0, (process.args, output)
    return Uploaded(station, clients, folder)


def write_cards(folder: Path, began: datetime) -> list[str]:
    """A folder for each client with a burst of now, one with a film and texts in it too, and an old card."""
    names = [f"IMG_{number:04}.JPG" for number in range(1, FRAMES + 1)]
    for place, camera in enumerate(CAMERAS):
        (folder / camera).mkdir()
        for number, name in enumerate(names):
            taken = began + timedelta(seconds=number)
            (folder / camera / name).write_bytes(photograph(9000 + 20 * place + number, f"{taken:%Y:%m:%d %H:%M:%S}"))
    for name, data in {
        "IMG_0001.xmp": b"<x:xmpmeta/>",
        "IMG_0003.AVI": b"RIFF\0\0\1\0AVI LIST" + bytes(2000),
        "IMG_0004.MP4": iso_media(b"isom"),
        "info.txt": b"battery 80 %",
    }.items():
        (folder / "rclone" / name).write_bytes(data)
    (folder / "old-card").mkdir()
    for name, age in {"IMG_0001.JPG": timedelta(days=700), "IMG_0002.JPG": timedelta()}.items():
        path, changed = folder / "old-card" / name, (datetime.now(UTC) - age).timestamp()
        path.write_bytes(photograph(9500 + len(str(age)), None))
        os.utime(path, (changed, changed))
    return names


def upload_with_boto3(store: ObjectStore, bucket: str, camera: str, folder: Path, names: list[str]) -> None:
    """Upload backwards: in parts, by a presigned PUT, by a presigned POST, and so on."""
    http, client = urllib3.PoolManager(), store.client
    for number, name in enumerate(reversed(names)):
        key, data = f"{camera}/{name}", (folder / name).read_bytes()
        if number % 3 == 0:
            parts = TransferConfig(multipart_threshold=1, multipart_chunksize=5 << 20)
            client.upload_fileobj(io.BytesIO(data), bucket, key, Config=parts)
        elif number % 3 == 1:
            url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key}, ExpiresIn=900)
            assert http.request("PUT", url, body=data).status == 200
        else:
            form = client.generate_presigned_post(bucket, key, ExpiresIn=900)
            fields = {**form["fields"], "file": (name, data, "image/jpeg")}
            assert http.request("POST", form["url"], fields=fields).status in (200, 204)
    http.clear()


@pytest.mark.parametrize("client", CAMERAS)
def test_a_burst_whose_frames_arrive_in_parallel_or_backwards_is_one_and_is_revised_once_at_most(
    uploaded: Uploaded, settled: Settled, results: ResultConsumer, client: str
) -> None:
    (burst,) = settled(uploaded.camera(client), 1, 90)
    assert [frame.key.rpartition("/")[2] for frame in burst.frames] == [
        f"IMG_{number:04}.JPG" for number in range(1, FRAMES + 1)
    ]
    assert burst.unreadable == 0
    changes = [status for status, _ in groupby(revision.status for revision in results.revisions(burst.burst_id))]
    closed = [status for status in changes if status in (BurstStatus.FINAL, BurstStatus.REVISED)]
    assert len(closed) <= 2, changes


def test_films_and_texts_beside_photographs_are_rejected_and_a_folder_is_no_upload(
    uploaded: Uploaded, predicted: Predicted, results: ResultConsumer
) -> None:
    for name in ("IMG_0001.xmp", "IMG_0003.AVI", "IMG_0004.MP4", "info.txt"):
        assert predicted(f"{uploaded.camera('rclone')}/{name}", 60).rejection is not None, name
    predicted(f"{uploaded.camera('aws')}/IMG_0001.JPG", 60)
    assert results.predictions(f"{uploaded.camera('aws')}/DCIM/") == []
    assert results.dead_letters(lambda letter: uploaded.station.encode() in (letter.key or b"")) == []


def test_the_lane_follows_from_the_time_of_the_file_that_rclone_stores(
    uploaded: Uploaded, predicted: Predicted
) -> None:
    lanes = [predicted(f"{uploaded.station}/old-card/IMG_000{number}.JPG", 90).lane for number in (1, 2)]
    assert lanes == [Lane.BACKFILL, Lane.LIVE]


def test_the_key_of_a_board_reads_nothing_and_stores_nowhere_else(
    uploaded: Uploaded, stack: Stack, settings: Settings
) -> None:
    checked = connect(stack, "--check", "--for", "gateway", "--station", uploaded.station)
    assert checked.returncode == 0, checked.stdout
    assert "the key reads and lists nothing, as it must" in checked.stdout
    rclone = f"rclone --config {BOARD}/rclone.conf --retries 1"
    s3cmd = f"s3cmd --config {BOARD}/s3cmd.conf"
    url, other = f"s3://{settings.bucket}/{uploaded.station}", f"uncia:{settings.bucket}/{uploaded.station}-2"
    for command in (
        f"{rclone} lsf uncia:{settings.bucket}",
        f"{rclone} copyto --no-check-dest curl/IMG_0001.JPG {other}/a/IMG_0001.JPG",
        f"{s3cmd} get {url}/curl/IMG_0001.JPG seen.jpg",
        f"{s3cmd} del {url}/curl/IMG_0001.JPG",
    ):
        status, output = uploaded.clients.run(command, uploaded.folder)
        assert status != 0 and ("403" in output or "AccessDenied" in output), (command, output)


@pytest.mark.parametrize("client", ["aws", "rclone", "s3cmd", "s5cmd", "boto3", "curl", "mc"])
def test_the_printed_command_of_a_client_stores_a_photograph_of_12_mb_with_the_key_of_a_board(
    uploaded: Uploaded, stack: Stack, store: ObjectStore, settings: Settings, predicted: Predicted, client: str
) -> None:
    if client == "mc":
        needs_mc(uploaded)
    folder, camera = uploaded.folder / f"{client} as printed", f"{uploaded.station}/{client}-printed"
    folder.mkdir()
    picture = photograph(9700 + len(client)) + secrets.token_bytes(12_000_000)
    (folder / "photograph.jpg").write_bytes(picture)
    board = ("--for", "gateway", "--station", uploaded.station, "--output", str(folder / BOARD))
    printed = connect(stack, client, *board, "--json")
    assert printed.returncode == 0, printed.stderr
    (configuration,) = json.loads(printed.stdout)
    command = configuration["commands"][0].replace(f"{uploaded.station}/CAMERA/", f"{camera}/")
    # The others bring a botocore of their own.
    libraries = {"PYTHONPATH": ""} if client == "boto3" else {}
    status, output = uploaded.clients.run(command, folder, **libraries)
    assert status == 0, (command, output)
    key = f"{camera}/photograph.jpg"
    image = predicted(key, 90)
    assert image.rejection is None
    assert store.get(settings.bucket, key, max_bytes=20_000_000) == picture
    if client == "boto3":
        assert image.etag.endswith("-2"), "it was uploaded in two parts"


def needs_mc(uploaded: Uploaded) -> None:
    """MinIO's client: no package registry has it, and Go takes many minutes to build it. Others have its name."""
    _, output = uploaded.clients.run("mc --version", uploaded.folder)
    if "MinIO" not in output:
        pytest.skip("MinIO's mc is not installed (`go install github.com/minio/mc@latest` builds it)")


def test_the_operator_connects_to_all_parts(stack: Stack) -> None:
    checked = connect(stack, "--check")
    assert checked.returncode == 0, checked.stdout
    assert [line.split()[0] for line in checked.stdout.splitlines()] == ["ok"] * 4
