"""A Kafka broker of its own that asks clients to sign in: one port for each way."""

import base64
import contextlib
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.free_ports import free_ports
from uncia.infra.local.java import find_java
from uncia.infra.local.kafka import LONG_RUN, archive_options
from uncia.infra.local.layout import parts_dir

USER, PASSWORD = "ranger", "pass word=1"
SESSION_S = 6
"""Lifetime of a connection on the listener `OAUTH` whose client does not sign in again."""

_LISTENERS = {
    "CONTROLLER": "PLAINTEXT",
    "PLAINTEXT": "PLAINTEXT",
    "SCRAM": "SASL_SSL",
    "PLAIN": "SASL_SSL",
    "MTLS": "SSL",
    "OAUTH": "SASL_SSL",
}
_LOGIN = "org.apache.kafka.common.security"
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{CONTROLLER}
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={protocols}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data

ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.mtls.ssl.client.auth=required

listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256
listener.name.scram.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.scram.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config={login}.oauthbearer.OAuthBearerLoginModule required \
unsecuredLoginStringClaim_sub="broker";
listener.name.oauth.oauthbearer.connections.max.reauth.ms={session_ms}

auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=2097152
"""


@dataclass(frozen=True)
class SignInBroker:
    """Addresses by listener (`SCRAM`, `PLAIN`, `MTLS`, `OAUTH`, and `PLAINTEXT` without sign-in), and the keys."""

    folder: Path
    at: dict[str, str]
    authority: Authority

    def port(self, listener: str) -> str:
        """The port of a listener."""
        return self.at[listener].rpartition(":")[2]

    def token_file(self, *, expired: bool = False) -> Path:
        """A file with a token that the broker accepts, or did until a minute ago."""
        now = time.time()
        claims = {"sub": USER, "iat": now - 120, "exp": now - 60 if expired else now + 3600}
        path = self.folder / f"token-{'expired' if expired else 'valid'}"
        path.write_text(f"{_encoded({'alg': 'none'})}.{_encoded(claims)}.\n", encoding="ascii")
        return path


@contextlib.contextmanager
def running_broker(folder: Path) -> Iterator[SignInBroker]:
    """Start a broker in this folder, and stop it at the end."""
    authority = Authority(folder, "authority")
    certfile, keyfile = authority.issue("broker", ["127.0.0.1"])
    keystore = folder / "keystore.pem"
    keystore.write_bytes(keyfile.read_bytes() + certfile.read_bytes())
    at = {name: f"127.0.0.1:{port}" for name, port in zip(_LISTENERS, free_ports(len(_LISTENERS)), strict=True)}
    properties = folder / "server.properties"
    properties.write_text(
        _PROPERTIES.format(
            **at,
            listeners=",".join(f"{name}://{address}" for name, address in at.items()),
            advertised=",".join(f"{name}://{address}" for name, address in at.items() if name != "CONTROLLER"),
            protocols=",".join(f"{name}:{protocol}" for name, protocol in _LISTENERS.items()),
            folder=folder,
            keystore=keystore,
            truststore=authority.cafile,
            login=_LOGIN,
            user=USER,
            session_ms=1000 * SESSION_S,
            password=PASSWORD,
        ),
        encoding="ascii",
    )
    java = [str(find_java()), "-Xmx256m", "-XX:+UseSerialGC", *LONG_RUN, *archive_options(parts_dir())]
    java += ["-cp", f"{parts_dir()}/kafka/libs/*"]
    cluster = base64.urlsafe_b64encode(b"\1" + secrets.token_bytes(15)).decode().rstrip("=")
    users = [
        argument
        for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
        for argument in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
    ]
    storage = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(properties), *users]
    subprocess.run([*java, *storage], check=True, capture_output=True, timeout=120)
    with (folder / "kafka.log").open("wb") as log:
        process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdout=log, stderr=log)
    with ended(process):
        _wait_for(at["PLAINTEXT"], process, folder / "kafka.log")
        yield SignInBroker(folder, at, authority)


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process with the block; kill it when it takes too long."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-5000:]
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.2)


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
