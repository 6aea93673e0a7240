"""Apache Kafka: broker and controller in one process (KRaft)."""

import shlex
from typing import ClassVar

from uncia.errors import StackError
from uncia.infra.local.java import find_java
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.service import NotReady, Service
from uncia.kafka.broker import create_topics, existing_topics
from uncia.topics import TOPICS

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{broker},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}

auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0

# One broker: every internal topic has one replica, and a handful of partitions are plenty.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2

# After a crash the broker may register again once its old session is over: 9 s by default.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500

# The default (128 MB) is a quarter of our heap.
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=2097152
"""

_SYNC = """
# With one replica a message is as safe as this disk: answered means flushed. Consumers' offsets and changelogs too, so
# that no offset outlives the messages that it counts.
log.flush.interval.messages=1
"""

_QUICK = ("-XX:TieredStopAtLevel=1",)

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
"""


class Kafka(Service):
    """Ready when it lists its topics, and has ours."""

    name: ClassVar[str] = "kafka"
    stop_wait_s: ClassVar[int] = 25

    def check_installed(self) -> None:
        """Jars and Java."""
        if not any(parts_dir().glob("kafka/libs/kafka_*.jar")):
            raise StackError(
                f"Kafka's jars are not in {parts_dir()}: run `make setup` (python -m uncia.infra.local.install)"
            )
        find_java()

    def files(self) -> dict[str, str]:
        """server.properties and the logging configuration."""
        properties = _PROPERTIES.format(
            broker=self.at("kafka"), controller=self.at("kafka_controller"), logs=self.site.layout.data("kafka")
        )
        if self.site.settings.sync_writes:
            properties += _SYNC
        return {"kafka.properties": properties, "log4j2.properties": _LOGGING}

    def before(self) -> list[str]:
        """Format the storage once. A format that was cut short left nothing worth keeping: it is done again."""
        data = self.site.layout.data("kafka")
        stamp = data.with_name("kafka.formatted")
        tool = shlex.join(
            [
                *self._java("-Xmx128m", *_QUICK),
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                self.site.drawn.kafka_cluster,
                "--config",
                str(self.site.layout.run / "kafka.properties"),
            ]
        )
        folder, done = shlex.quote(str(data)), shlex.quote(str(stamp))
        # Synced, because Kafka does not start from a half written format, which the tool does not sync; and a log whose
        # stamp a power cut had taken would be formatted again.
        synced = f"sync -f {folder} && touch {done} && sync {done} {shlex.quote(str(stamp.parent))}"
        return [f"test -f {done} || {{ rm -rf {folder} && mkdir {folder} && {tool} && {synced}; }} || exit 1"]

    def command(self) -> list[str]:
        """The broker, in at most 512 MB of heap.

        The simple collector and the quick compiler: measured on two cores, they halve the CPU time of the start and
        take a third off that of the work, beside programs that need the cores more.
        """
        return [
            *self._java("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", *_QUICK, "-XX:+ExitOnOutOfMemoryError"),
            "kafka.Kafka",
            str(self.site.layout.run / "kafka.properties"),
        ]

    def probe(self) -> str:
        """A metadata request, and our topics in the answer."""
        self.must_listen("kafka")
        present = existing_topics(self.site.settings)
        missing = {topic.full_name(self.site.settings) for topic in TOPICS} - present
        if missing:
            create_topics(self.site.settings)
            raise NotReady(f"creating {len(missing)} topics")
        return f"{self.at('kafka')}, {len(present)} topics"

    def _java(self, *flags: str) -> list[str]:
        layout = self.site.layout
        logging = f"-Dlog4j2.configurationFile={layout.run / 'log4j2.properties'}"
        return [
            str(find_java()),
            *flags,
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={layout.tmp}",
            logging,
            "-cp",
            f"{layout.parts}/kafka/libs/*",
        ]
