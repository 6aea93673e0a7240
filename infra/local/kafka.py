"""Apache Kafka: broker and controller in one process (KRaft)."""

import shlex
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError
from uncia.infra.local.access_log import BROKER_LINES
from uncia.infra.local.certificates import KAFKA, NETWORK, keystore
from uncia.infra.local.java import find_java
from uncia.infra.local.kafka_access import grant_access
from uncia.infra.local.kafka_files import NODE_ID, Listener, logging_with_access_log, server_properties
from uncia.infra.local.layout import parts_dir, write_private
from uncia.infra.local.network import network_addresses
from uncia.infra.local.part_log import access_file
from uncia.infra.local.service import NotReady, Service
from uncia.infra.local.stack_identity import new_kafka_id
from uncia.kafka.broker import create_topics, existing_topics
from uncia.topics import TOPICS

_KEYSTORE, _NETWORK_KEYSTORE = "kafka.keystore.pem", "network.keystore.pem"
_META_FILE = "meta.properties"

CLASSES_PART, CLASSES_FILE, FEATURES_FILE = "kafka-classes", "kafka.jsa", "bootstrap.checkpoint"
"""The part of the installation, and its files: the archive of classes, and the first records of a new broker."""

_SHORT_RUN = ("-XX:TieredStopAtLevel=1",)
LONG_RUN = ("-XX:CompileThresholdScaling=5",)
"""The optimising compiler, without which encryption is slow, for code that runs often, and not for every start."""


def archive_options(parts: Path) -> list[str]:
    """Java's options for the archive of the broker's classes below `parts`; none where it was not made."""
    archive = parts / CLASSES_PART / CLASSES_FILE
    # Java leaves an archive of other jars unread, and would say so at every start.
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"] if archive.exists() else []


def class_path(link: Path) -> str:
    """Kafka's jars, for Java: those of the installed parts, or by a stack's link to these.

    Some releases of Java 17 use the archive only with the path that it was made with. A colon separates paths.
    """
    parts = parts_dir()
    return f"{link if ':' in str(parts) else parts}/kafka/libs/*"


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
        layout, network = self.site.layout, network_addresses(self.site.settings)
        properties = server_properties(
            clients=Listener.at(self.at("kafka")),
            internal=Listener.at(self.at("kafka_internal")),
            controller=self.at("kafka_controller"),
            logs=layout.data("kafka"),
            authority=layout.keys / "ca.pem",
            keystore=layout.run / _KEYSTORE,
            network=Listener(network.kafka_listener, network.kafka) if network else None,
            network_keystore=layout.run / _NETWORK_KEYSTORE,
            sync_writes=self.site.settings.sync_writes,
        )
        keys = layout.folder / "keys"
        files = {
            "kafka.properties": properties,
            "log4j2.properties": logging_with_access_log(access_file(layout.logs, self.name), BROKER_LINES),
            _KEYSTORE: keystore(keys, KAFKA),
            _META_FILE: self._meta_properties(),
        }
        if network is not None:
            files[_NETWORK_KEYSTORE] = keystore(keys, NETWORK)
        return files

    def write_keystores(self) -> None:
        """Write the certificates as they are now into the files from which the broker's next start reads them."""
        for file, name in ((_KEYSTORE, KAFKA), (_NETWORK_KEYSTORE, NETWORK)):
            # Of the start, not of the settings, which may have changed since.
            if (path := self.site.layout.run / file).exists():
                write_private(path, keystore(self.site.layout.folder / "keys", name))

    def before(self) -> list[str]:
        """Format the storage once. A format that was interrupted is repeated: no message can have been stored yet."""
        data = self.site.layout.data("kafka")
        stamp = data.with_name("kafka.formatted")
        folder, done = shlex.quote(str(data)), shlex.quote(str(stamp))
        # Formatting does not sync. Without these syncs a power cut can leave a half-written format, from which Kafka
        # does not start, or lose the stamp, after which a log with messages would be formatted again.
        synced = f"sync -f {folder} && touch {done} && sync {done} {shlex.quote(str(stamp.parent))}"
        formatted = f"rm -rf {folder} && mkdir {folder} && {self._format(data)} && {synced}"
        return [f"test -f {done} || {{ {formatted}; }} || exit 1"]

    def _meta_properties(self) -> str:
        """The ids of a new broker's folder; one that is formatted has its own."""
        cluster = self.site.identity.kafka_cluster
        return f"version=1\nnode.id={NODE_ID}\ncluster.id={cluster}\ndirectory.id={new_kafka_id()}\n"

    def _format(self, data: Path) -> str:
        """The command that formats: what Kafka's tool wrote at the installation, copied, or else the tool.

        Only the ids differ between brokers of one version; the tool takes a second, for which a first start waits.
        """
        features = self.site.layout.parts / CLASSES_PART / FEATURES_FILE
        if features.exists():
            return shlex.join(["cp", str(features), str(self.site.layout.run / _META_FILE), f"{data}/"])
        configuration = str(self.site.layout.run / "kafka.properties")
        arguments = ["format", "--cluster-id", self.site.identity.kafka_cluster, "--config", configuration]
        return shlex.join([*self._java("-Xmx128m", *_SHORT_RUN), "kafka.tools.StorageTool", *arguments])

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
            class_path(layout.parts),
        ]
