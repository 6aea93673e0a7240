"""The configuration of a Kafka broker that denies what no rule permits: `server.properties` and the log. Pure.

The embedded stack and the containers start their broker with these files.
"""

from dataclasses import dataclass
from pathlib import Path

from uncia.infra.local.certificates import KAFKA, KAFKA_ADMIN

__all__ = ["LOGGING", "NODE_ID", "Listener", "logging_with_access_log", "server_properties"]

NODE_ID = 1

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={node}@{controller}
listeners=CLIENTS://{clients.listen},INTERNAL://{internal.listen},CONTROLLER://{controller}{network_listener}
advertised.listeners=CLIENTS://{clients.advertised},INTERNAL://{internal.advertised}{network_advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
log.dirs={logs}

# Clients sign in with the password of their identity; the broker itself, and the administrator who creates the users,
# with certificates of the stack, because they must connect before there are any passwords.
listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL{network_protocol}
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=\
    org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.internal.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
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
# For clients elsewhere, under the same rules.
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

LOGGING = """\
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
"""Configuration of the log (Log4j 2): to standard output."""

_ACCESS_LOG = """\
# What is permitted is logged at this level; the filter, and the level of the other appender, keep the rest out.
logger.denied.level=debug
logger.denied.additivity=false
logger.denied.appenderRef.out.ref=out
logger.denied.appenderRef.out.level=info
logger.denied.appenderRef.access.ref=access
logger.signin.appenderRef.access.ref=access
appender.access.type=RollingFile
appender.access.name=access
appender.access.fileName={path}
appender.access.filePattern={path}.%i
appender.access.layout.type=PatternLayout
appender.access.layout.pattern=%d{{yyyy-MM-dd'T'HH:mm:ss'Z'}}{{UTC}} %m%n
appender.access.policies.type=Policies
appender.access.policies.size.type=SizeBasedTriggeringPolicy
appender.access.policies.size.size=1MB
appender.access.strategy.type=DefaultRolloverStrategy
appender.access.strategy.fileIndex=min
appender.access.strategy.max=1
appender.access.filter.lines.type=RegexFilter
appender.access.filter.lines.regex={lines}
appender.access.filter.lines.onMatch=ACCEPT
appender.access.filter.lines.onMismatch=DENY
"""


def logging_with_access_log(path: Path, lines: str) -> str:
    """The same, and a file of at most one megabyte, and the one before, with the lines that match an expression."""
    kept = LOGGING.replace("logger.denied.level=info\n", "")
    return kept + _ACCESS_LOG.format(path=path, lines=lines.replace("\\", "\\\\"))


@dataclass(frozen=True)
class Listener:
    """An address on which the broker listens, and the one that it advertises to its clients, `host:port`."""

    listen: str
    advertised: str

    @classmethod
    def at(cls, address: str) -> "Listener":
        """One address for both."""
        return cls(address, address)


def server_properties(
    *,
    clients: Listener,
    internal: Listener,
    controller: str,
    logs: Path,
    authority: Path,
    keystore: Path,
    network: Listener | None = None,
    network_keystore: Path | None = None,
    sync_writes: bool = True,
) -> str:
    """`server.properties` of one broker that is its own controller.

    `network`: a further listener for clients elsewhere, with a certificate of its own. `authority`, `keystore` and
    `network_keystore` are PEM files; `logs` is the folder of the messages.
    """
    properties = _PROPERTIES.format(
        node=NODE_ID,
        clients=clients,
        internal=internal,
        controller=controller,
        logs=logs,
        authority=authority,
        keystore=keystore,
        own=KAFKA,
        admin=KAFKA_ADMIN,
        network_listener=f",NETWORK://{network.listen}" if network else "",
        network_advertised=f",NETWORK://{network.advertised}" if network else "",
        network_protocol=",NETWORK:SASL_SSL" if network else "",
    )
    if network is not None:
        properties += _NETWORK.format(keystore=network_keystore or keystore)
    return properties + (_SYNC if sync_writes else "")
