"""Apache Kafka: broker and controller in one process (KRaft)."""

import shlex
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError
from uncia.infra.local.certificates import KAFKA, KAFKA_ADMIN, NETWORK
from uncia.infra.local.java import find_java
from uncia.infra.local.kafka_access import grant_access
from uncia.infra.local.layout import parts_dir, write_private
from uncia.infra.local.network import network_addresses
from uncia.infra.local.service import NotReady, Service
from uncia.kafka.broker import create_topics, existing_topics
from uncia.topics import TOPICS

_KEYSTORE, _NETWORK_KEYSTORE = "kafka.keystore.pem", "network.keystore.pem"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=CLIENTS://{broker},INTERNAL://{internal},CONTROLLER://{controller}{network_listener}
advertised.listeners=CLIENTS://{broker},INTERNAL://{internal}{network_advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
log.dirs={logs}

# Clients sign in with the password of their identity; the broker itself, and `uncia up` with the rights of an
# administrator, with certificates of the stack, because they must connect before there are any passwords.
listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL{network_protocol}
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=\
    org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.internal.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={keys}/ca.pem
ssl.enabled.protocols=TLSv1.3

# What no rule permits is denied.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN={own};User:CN={admin}

auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0

# One broker: internal topics have one replica and need only a few partitions.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2

# After a crash the broker can register again only when its old session has timed out: 9 s by default.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500

# The default (128 MB) would be a quarter of the heap.
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=2097152
"""

_NETWORK = """
# For clients on other machines, under the same rules as on this one.
listener.name.network.scram-sha-512.sasl.jaas.config=\
    org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.network.ssl.keystore.type=PEM
listener.name.network.ssl.keystore.location={keystore}
"""

_SYNC = """
# With one replica a message is only as safe as this disk, so it is flushed before it is acknowledged. This includes
# consumer offsets and changelogs: no committed offset may outlive the messages that it refers to.
log.flush.interval.messages=1
"""

CLASSES_PART, CLASSES_FILE = "kafka-classes", "kafka.jsa"

_SHORT_RUN = ("-XX:TieredStopAtLevel=1",)
LONG_RUN = ("-XX:CompileThresholdScaling=5",)
"""The optimising compiler, without which encryption is slow, for code that runs often, and not for every start."""

_LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
# What is denied, and who failed to sign in.
logger.denied.name=kafka.authorizer.logger
logger.denied.level=info
logger.signin.name=org.apache.kafka.common.network.Selector
logger.signin.level=info
"""


def archive_options(parts: Path) -> list[str]:
    """Java's options for the archive of the broker's classes below `parts`; none where it was not made."""
    archive = parts / CLASSES_PART / CLASSES_FILE
    # Java leaves an archive of other jars unread, and would say so at every start.
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"] if archive.exists() else []


class Kafka(Service):
    """The broker. Ready when it lists its topics and all topics of Uncia exist; `probe` creates missing ones."""

    name: ClassVar[str] = "kafka"
    stop_wait_s: ClassVar[int] = 25

    def check_installed(self) -> None:
        """Check that the jars and a Java runtime are installed."""
        if not any(parts_dir().glob("kafka/libs/kafka_*.jar")):
            raise StackError(
                f"Kafka's jars are not in {parts_dir()}: run `make setup` (python -m uncia.infra.local.install)"
            )
        find_java()

    def files(self) -> dict[str, str]:
        """server.properties and the logging configuration."""
        network = network_addresses(self.site.settings)
        properties = _PROPERTIES.format(
            broker=self.at("kafka"),
            internal=self.at("kafka_internal"),
            controller=self.at("kafka_controller"),
            logs=self.site.layout.data("kafka"),
            keys=self.site.layout.keys,
            keystore=self.site.layout.run / _KEYSTORE,
            own=KAFKA,
            admin=KAFKA_ADMIN,
            network_listener=f",NETWORK://{network.kafka_listener}" if network else "",
            network_advertised=f",NETWORK://{network.kafka}" if network else "",
            network_protocol=",NETWORK:SASL_SSL" if network else "",
        )
        files = {"log4j2.properties": _LOGGING, _KEYSTORE: self._keystore(KAFKA)}
        if network is not None:
            properties += _NETWORK.format(keystore=self.site.layout.run / _NETWORK_KEYSTORE)
            files[_NETWORK_KEYSTORE] = self._keystore(NETWORK)
        if self.site.settings.sync_writes:
            properties += _SYNC
        return {"kafka.properties": properties, **files}

    def write_keystores(self) -> None:
        """Write the certificates as they are now into the files from which the broker's next start reads them."""
        for file, name in ((_KEYSTORE, KAFKA), (_NETWORK_KEYSTORE, NETWORK)):
            # Of the start, not of the settings, which may have changed since.
            if (path := self.site.layout.run / file).exists():
                write_private(path, self._keystore(name))

    def _keystore(self, name: str) -> str:
        keys = self.site.layout.folder / "keys"
        return "".join((keys / f"{name}.{kind}").read_text(encoding="ascii") for kind in ("key", "pem"))

    def before(self) -> list[str]:
        """Format the storage once. A format that was interrupted is repeated: no message can have been stored yet."""
        data = self.site.layout.data("kafka")
        stamp = data.with_name("kafka.formatted")
        tool = shlex.join(
            [
                *self._java("-Xmx128m", *_SHORT_RUN),
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                self.site.identity.kafka_cluster,
                "--config",
                str(self.site.layout.run / "kafka.properties"),
            ]
        )
        folder, done = shlex.quote(str(data)), shlex.quote(str(stamp))
        # The format tool does not sync. Without these syncs a power cut can leave a half-written format, from which
        # Kafka does not start, or lose the stamp, after which a log with messages would be formatted again.
        synced = f"sync -f {folder} && touch {done} && sync {done} {shlex.quote(str(stamp.parent))}"
        return [f"test -f {done} || {{ rm -rf {folder} && mkdir {folder} && {tool} && {synced}; }} || exit 1"]

    def command(self) -> list[str]:
        """The broker, with at most 512 MB of heap. The serial collector costs the least on few cores."""
        return [
            *self._java("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", *LONG_RUN, "-XX:+ExitOnOutOfMemoryError"),
            "kafka.Kafka",
            str(self.site.layout.run / "kafka.properties"),
        ]

    def probe(self) -> str:
        """Send a metadata request and check that all topics exist."""
        self.require_listener("kafka")
        self.grant_access()
        present = existing_topics(self.site.settings)
        missing = {topic.full_name(self.site.settings) for topic in TOPICS} - present
        if missing:
            create_topics(self.site.admin_settings())
            raise NotReady(f"creating {len(missing)} topics")
        return f"{self.at('kafka')}, {len(present)} topics"

    def grant_access(self) -> None:
        """Give the running broker the users and rules of the stack's keys, where they have changed."""
        written = self.site.layout.folder / "data" / "kafka.access"
        grant_access(self.site.admin_settings(), self.site.keys.credentials, written)

    def _java(self, *flags: str) -> list[str]:
        layout = self.site.layout
        logging = f"-Dlog4j2.configurationFile={layout.run / 'log4j2.properties'}"
        return [
            str(find_java()),
            *flags,
            *archive_options(layout.parts),
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={layout.tmp}",
            logging,
            "-cp",
            f"{layout.parts}/kafka/libs/*",
        ]
