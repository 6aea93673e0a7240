"""The configuration of SeaweedFS's servers: how they notify Kafka, and whom they serve. Pure.

The embedded stack and the containers start their store with these files.
"""

import json
from pathlib import Path

from uncia.infra.local.certificates import SEAWEEDFS

__all__ = ["NOTIFIER", "audit_log_file", "notification_file", "security_file"]

NOTIFIER = "object-store"
"""The store's identity at the broker."""

_NOTIFICATION = """\
[notification.kafka]
enabled = true
hosts = ["{kafka}"]
topic = "{topic}"
sasl_enabled = true
sasl_mechanism = "SCRAM-SHA-512"
sasl_username = "{user}"
sasl_password = "{password}"
tls_enabled = true
tls_ca_cert = "{keys}/ca.pem"
"""

# Filer and volume server have HTTP ports of their own, by which they read and write whatever credentials S3 requires.
_SIGNING = """\
[jwt.signing]
key = "{key}"
[jwt.signing.read]
key = "{key}"
[jwt.filer_signing]
key = "{key}"
[jwt.filer_signing.read]
key = "{key}"
"""

# Over gRPC, every one of its servers does what it is asked, such as reading and deleting objects. So does the master
# over HTTP: `/col/delete?collection=camera-uploads` deletes every photograph. All of them accept this stack's
# certificate only. So does the admin server, which has no pages without its user interface, but metrics with the number
# and the size of all objects.
_MUTUAL_TLS = """\
[grpc]
ca = "{keys}/ca.pem"
[https.client]
enabled = true
ca = "{keys}/ca.pem"
cert = "{keys}/{name}.pem"
key = "{keys}/{name}.key"
"""
_MUTUAL_TLS_OF_HTTP = """\
[https.{part}]
ca = "{keys}/ca.pem"
cert = "{keys}/{name}.pem"
key = "{keys}/{name}.key"
"""
_HTTP_PARTS = ("master", "volume", "filer", "admin")
_MUTUAL_TLS_OF_PART = """\
[grpc.{part}]
cert = "{keys}/{name}.pem"
key = "{keys}/{name}.key"
allowed_commonNames = "{name}"
"""
_GRPC_PARTS = ("master", "volume", "filer", "s3", "admin", "worker", "mq", "msg_broker", "msg_agent", "client")


def notification_file(kafka: str, topic: str, password: str, keys: Path) -> str:
    """`notification.toml`: every change is published to `topic` of the broker at `kafka`, `host:port`.

    `password`: that of `NOTIFIER`; `keys`: the folder with the authority of the broker, `ca.pem`.
    """
    return _NOTIFICATION.format(kafka=kafka, topic=topic, user=NOTIFIER, password=password, keys=keys)


def security_file(signing_key: str, keys: Path) -> str:
    """`security.toml`: all ports but that of S3 require a certificate, those with photographs also a token.

    `signing_key`: of the tokens; `keys`: the folder with the authority and the servers' own certificate.
    """
    http = (_MUTUAL_TLS_OF_HTTP.format(part=part, keys=keys, name=SEAWEEDFS) for part in _HTTP_PARTS)
    grpc = (_MUTUAL_TLS_OF_PART.format(part=part, keys=keys, name=SEAWEEDFS) for part in _GRPC_PARTS)
    return "".join([_SIGNING.format(key=signing_key), _MUTUAL_TLS.format(keys=keys, name=SEAWEEDFS), *http, *grpc])


def audit_log_file(socket: Path) -> str:
    """The configuration of the S3 server's audit log: an entry for each request, to a Unix socket.

    No request waits for it. While nothing listens, the server keeps the first 8192 entries, drops later ones, and
    tries again at least every two seconds.
    """
    destination = {"fluent_network": "unix", "fluent_socket_path": str(socket), "marshal_as_json": True}
    # The wait grows by half with each attempt up to the maximum; beyond 90 attempts its calculation overflows.
    attempts = {"retry_wait": 200, "max_retry_wait": 2000, "max_retry": 60}
    return json.dumps({**destination, **attempts, "write_timeout": 1_000_000_000}, indent=2) + "\n"
