"""Configuration of S3 clients: Uncia's gateway, aws, rclone, s3cmd, mc, s5cmd, boto3, curl and Cyberduck. Pure.

All address the bucket by path (`http://host/bucket/key`): a store on an IP address has no host name for each bucket.
"""

import json
import plistlib
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from uncia.infra.connect.access import StoreAccess
from uncia.infra.connect.configuration import ClientConfiguration, ClientFile, authority_files, shell_path
from uncia.infra.connect.quoting import curl_value, plain_value, rclone_value, s3cmd_value
from uncia.infra.local.stack_identity import assignment

__all__ = ["STORE_CLIENTS"]

_PROFILE = "uncia"
_AUTHORITY = "store-ca.pem"
"""Not the file of Kafka's authority, which can be another one."""


def _aws(access: StoreAccess, folder: Path) -> ClientConfiguration:
    config, credentials = folder / "aws.config", folder / "aws.credentials"
    # The variable too: it goes before the file, and is set where a proxy has an authority of its own.
    trusted = f"AWS_CA_BUNDLE={shell_path(folder / _AUTHORITY)} " if access.cafile else ""
    aws = (
        f"{trusted}AWS_CONFIG_FILE={shell_path(config)} AWS_SHARED_CREDENTIALS_FILE={shell_path(credentials)} "
        f"aws --profile {_PROFILE} --endpoint-url {shlex.quote(access.endpoint)} s3"
    )
    ca_bundle = f"ca_bundle = {plain_value(str(folder / _AUTHORITY), 'aws')}\n" if access.cafile else ""
    return ClientConfiguration(
        "aws",
        (
            ClientFile(
                config.name,
                f"[profile {_PROFILE}]\n"
                f"region = {plain_value(access.region, 'aws')}\n"
                f"endpoint_url = {plain_value(access.endpoint, 'aws')}\n"
                "s3 =\n    addressing_style = path\n"
                # Not every store takes the checksums that newer versions add.
                "request_checksum_calculation = when_required\n"
                "response_checksum_validation = when_required\n" + ca_bundle,
                secret=False,
            ),
            ClientFile(credentials.name, _credentials(access, "aws")),
            *_authority(access),
        ),
        (f"{aws} cp photograph.jpg {_s3_url(access)}", *_if_reading(access, f"{aws} ls {_s3_url(access, '')}")),
        ("Versions before 1.29 and 2.13 read no endpoint from the file, therefore the commands name it.",),
    )


def _credentials(access: StoreAccess, client: str) -> str:
    """The file that aws, boto3 and s5cmd share."""
    return (
        f"[{_PROFILE}]\n"
        f"aws_access_key_id = {plain_value(access.access_key, client)}\n"
        f"aws_secret_access_key = {plain_value(access.secret_key, client)}\n"
    )


def _rclone(access: StoreAccess, folder: Path) -> ClientConfiguration:
    lines = [
        f"[{_PROFILE}]",
        "type = s3",
        "provider = Other",
        f"endpoint = {rclone_value(access.endpoint)}",
        f"region = {rclone_value(access.region)}",
        f"access_key_id = {rclone_value(access.access_key)}",
        f"secret_access_key = {rclone_value(access.secret_key)}",
        "force_path_style = true",
        # Otherwise it tries to create the bucket, which no key of a client may.
        "no_check_bucket = true",
        *([] if access.reads else ["no_head = true"]),
    ]
    rclone = f"rclone --config {shell_path(folder / 'rclone.conf')}"
    if access.cafile:
        rclone += f" --ca-cert {shell_path(folder / _AUTHORITY)}"
    blind = "" if access.reads else " --no-check-dest"
    target = shlex.quote(f"{_PROFILE}:{access.bucket}/{access.example_key}")
    # Without the slash rclone takes the folder for a file, where it may not look.
    camera = shlex.quote(f"{_PROFILE}:{access.bucket}/{access.example_key.rpartition('/')[0]}/")
    return ClientConfiguration(
        "rclone",
        (ClientFile("rclone.conf", "\n".join([*lines, ""])), *_authority(access)),
        (
            f"{rclone} copyto{blind} photograph.jpg {target}",
            f"{rclone} copy{blind} --include '*.{{jpg,JPG,jpeg,JPEG}}' FOLDER {camera}",
            *_if_reading(access, f"{rclone} lsf {shlex.quote(f'{_PROFILE}:{access.bucket}')}"),
        ),
        () if access.reads else ("The key reads nothing, so rclone uploads each file again in each run.",),
    )


def _s3cmd(access: StoreAccess, folder: Path) -> ClientConfiguration:
    lines = [
        "[default]",
        f"access_key = {s3cmd_value(access.access_key)}",
        f"secret_key = {s3cmd_value(access.secret_key)}",
        f"host_base = {s3cmd_value(access.host)}",
        # The same for every bucket: addressed by path.
        f"host_bucket = {s3cmd_value(access.host)}",
        f"bucket_location = {s3cmd_value(access.region)}",
        f"use_https = {access.uses_tls}",
        "signature_v2 = False",
        *([f"ca_certs_file = {s3cmd_value(str(folder / _AUTHORITY))}"] if access.cafile else []),
    ]
    s3cmd = f"s3cmd --config {shell_path(folder / 's3cmd.conf')}"
    return ClientConfiguration(
        "s3cmd",
        (ClientFile("s3cmd.conf", "\n".join([*lines, ""])), *_authority(access)),
        (
            f"{s3cmd} put photograph.jpg {_s3_url(access)}",
            *_if_reading(access, f"{s3cmd} ls {_s3_url(access, '')}"),
        ),
    )


def _mc(access: StoreAccess, folder: Path) -> ClientConfiguration:
    alias = {
        "url": access.endpoint,
        "accessKey": access.access_key,
        "secretKey": access.secret_key,
        "api": "S3v4",
        "path": "on",
    }
    config = {"version": "10", "aliases": {_PROFILE: alias}}
    mc = f"mc --config-dir {shell_path(folder / 'mc')}"
    return ClientConfiguration(
        "mc",
        (
            ClientFile("mc/config.json", json.dumps(config, indent=2) + "\n"),
            # It trusts what is in this folder.
            *authority_files(f"mc/certs/CAs/{_AUTHORITY}", access.cafile),
        ),
        (
            f"{mc} cp photograph.jpg {shlex.quote(f'{_PROFILE}/{access.bucket}/{access.example_key}')}",
            *_if_reading(access, f"{mc} ls {shlex.quote(f'{_PROFILE}/{access.bucket}')}"),
        ),
    )


def _s5cmd(access: StoreAccess, folder: Path) -> ClientConfiguration:
    credentials = folder / "aws.credentials"
    trusted = f"AWS_CA_BUNDLE={shell_path(folder / _AUTHORITY)} " if access.cafile else ""
    s5cmd = (
        f"{trusted}AWS_REGION={shlex.quote(access.region)} s5cmd --credentials-file {shell_path(credentials)} "
        f"--profile {_PROFILE} --endpoint-url {shlex.quote(access.endpoint)}"
    )
    return ClientConfiguration(
        "s5cmd",
        (ClientFile(credentials.name, _credentials(access, "s5cmd")), *_authority(access)),
        (f"{s5cmd} cp photograph.jpg {_s3_url(access)}", *_if_reading(access, f"{s5cmd} ls {_s3_url(access, '')}")),
    )


def _boto3(access: StoreAccess, folder: Path) -> ClientConfiguration:
    verify = f"    verify={str(folder / _AUTHORITY)!r},\n" if access.cafile else ""
    program = f'''\
"""Stores a photograph: python boto3_upload.py photograph.jpg STATION/CAMERA/photograph.jpg"""

import sys

import boto3
from botocore.client import Config

store = boto3.client(
    "s3",
    endpoint_url={access.endpoint!r},
    region_name={access.region!r},
    aws_access_key_id={access.access_key!r},
    aws_secret_access_key={access.secret_key!r},  # secret
{verify}    config=Config(
        s3={{"addressing_style": "path"}},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    ),
)
store.upload_file(sys.argv[1], {access.bucket!r}, sys.argv[2])
'''
    run = f"python {shell_path(folder / 'boto3_upload.py')} photograph.jpg {shlex.quote(access.example_key)}"
    return ClientConfiguration("boto3", (ClientFile("boto3_upload.py", program), *_authority(access)), (run,))


def _curl(access: StoreAccess, folder: Path) -> ClientConfiguration:
    lines = [
        f"aws-sigv4 = {curl_value(f'aws:amz:{access.region}:s3')}",
        f"user = {curl_value(f'{access.access_key}:{access.secret_key}')}",
        # Without it curl before 7.87 signs no content, and S3 requires the header.
        'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"',
        "fail",
        "show-error",
        *([f"cacert = {curl_value(str(folder / _AUTHORITY))}"] if access.cafile else []),
    ]
    curl = f"curl --config {shell_path(folder / 'curl.conf')}"
    return ClientConfiguration(
        "curl",
        (ClientFile("curl.conf", "\n".join([*lines, ""])), *_authority(access)),
        (
            f"{curl} --upload-file photograph.jpg {shlex.quote(access.example_url)}",
            *_if_reading(access, f"{curl} --output photograph.jpg {shlex.quote(access.example_url)}"),
        ),
        (
            "curl 7.75 or newer. Percent-encode the key in the URL.",
            *_if_plain(access, "The photograph itself is not signed: use https:// where others share the network."),
        ),
    )


def _cyberduck(access: StoreAccess, folder: Path) -> ClientConfiguration:
    parts = urlsplit(access.endpoint)
    profile = {
        "Protocol": "s3",
        "Vendor": _PROFILE,
        "Description": "Uncia",
        "Scheme": parts.scheme,
        "Default Hostname": parts.hostname or "",
        "Default Port": str(parts.port or (443 if access.uses_tls else 80)),
        "Default Path": f"/{access.bucket}/{access.station}".rstrip("/"),
        "Region": access.region,
        "Hostname Configurable": True,
        "Port Configurable": True,
        "Username Placeholder": "Access Key ID",
        "Password Placeholder": "Secret Access Key",
        "Properties": ["s3.bucket.virtualhost.disable=true"],
    }
    keys = f"Access Key ID: {access.access_key}\nSecret Access Key: {access.secret_key}\n"
    text = plistlib.dumps(profile, sort_keys=False).decode()
    return ClientConfiguration(
        "cyberduck",
        (
            ClientFile("uncia.cyberduckprofile", text, secret=False),
            ClientFile("cyberduck-keys.txt", keys),
            *_authority(access),
        ),
        (),
        (
            *([f"Add {_AUTHORITY} to the certificates that this computer trusts."] if access.cafile else []),
            "Open uncia.cyberduckprofile with Cyberduck, then a new connection of the type Uncia, with these two keys.",
            *(
                []
                if access.reads
                else ["This key lists nothing, so Cyberduck shows an empty folder: use another client."]
            ),
        ),
    )


def _gateway(access: StoreAccess, folder: Path) -> ClientConfiguration:
    variables = {
        "UNCIA_S3_ENDPOINT": access.endpoint,
        "UNCIA_S3_REGION": access.region,
        "UNCIA_S3_ACCESS_KEY": access.access_key,
        "UNCIA_S3_SECRET_KEY": access.secret_key,
        "UNCIA_BUCKET": access.bucket,
    }
    if access.cafile:
        variables["UNCIA_S3_CAFILE"] = str(folder.absolute() / _AUTHORITY)
    text = "".join(f"{assignment(name, plain_value(value, 'uncia'))}\n" for name, value in variables.items())
    station = shlex.quote(access.station or "STATION")
    load = f"set -a; . {shell_path(folder / 'gateway.env')}"
    return ClientConfiguration(
        "gateway",
        (ClientFile("gateway.env", text), *_authority(access)),
        (f"( {load}; uncia gateway watch /srv/photos --station {station} )",),
        ("The board needs the base of Uncia alone, and this file as /etc/uncia/gateway.env: see docs/gateway.md.",),
    )


def _authority(access: StoreAccess) -> tuple[ClientFile, ...]:
    return authority_files(_AUTHORITY, access.cafile)


def _s3_url(access: StoreAccess, key: str | None = None) -> str:
    return shlex.quote(f"s3://{access.bucket}/{access.example_key if key is None else key}")


def _if_reading(access: StoreAccess, *lines: str) -> tuple[str, ...]:
    return lines if access.reads else ()


def _if_plain(access: StoreAccess, *lines: str) -> tuple[str, ...]:
    return () if access.uses_tls else lines


STORE_CLIENTS: dict[str, Callable[[StoreAccess, Path], ClientConfiguration]] = {
    "gateway": _gateway,
    "aws": _aws,
    "rclone": _rclone,
    "s3cmd": _s3cmd,
    "mc": _mc,
    "s5cmd": _s5cmd,
    "boto3": _boto3,
    "curl": _curl,
    "cyberduck": _cyberduck,
}
"""By name: renders the configuration, whose commands find the files in a folder."""
