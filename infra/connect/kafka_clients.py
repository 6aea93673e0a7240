"""Configuration of Kafka's clients: kcat, kafka-python, confluent-kafka, kafkajs and Java.

Pure, but for the certificate of Kafka's own authority, which is read from its file.
"""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from uncia.infra.connect.access import KafkaAccess
from uncia.infra.connect.configuration import ClientConfiguration, ClientFile, authority_files, shell_path
from uncia.infra.connect.quoting import jaas_value, javascript_value, plain_value, properties_value

__all__ = ["KAFKA_CLIENTS"]

AUTHORITY = "ca.pem"

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def _librdkafka(access: KafkaAccess, folder: Path) -> dict[str, str]:
    """The options of librdkafka, which kcat and confluent-kafka share."""
    options = {"bootstrap.servers": ",".join(access.servers), "security.protocol": access.sign_in.protocol}
    if access.sign_in.uses_sasl:
        options |= {
            "sasl.mechanisms": access.sign_in.mechanism or "",
            "sasl.username": access.username,
            "sasl.password": access.password,
        }
    if access.sign_in.cafile is not None:
        options["ssl.ca.location"] = str(folder / AUTHORITY)
    return options


def _kcat(access: KafkaAccess, folder: Path) -> ClientConfiguration:
    lines = [f"{name}={plain_value(value, 'kcat')}" for name, value in _librdkafka(access, folder).items()]
    kcat = f"kcat -F {shell_path(folder / 'kcat.conf')}"
    return ClientConfiguration(
        "kcat",
        (ClientFile("kcat.conf", "\n".join([*lines, ""])), *_authority(access)),
        (
            f"{kcat} -C -t {shlex.quote(access.topic)} -o beginning -e",
            f"{kcat} -u -G {shlex.quote(f'{access.group}-kcat')} {shlex.quote(access.topic)}",
        ),
        _old_librdkafka(access),
    )


def _old_librdkafka(access: KafkaAccess) -> tuple[str, ...]:
    if not (access.sign_in.mechanism or "").startswith("SCRAM"):
        return ()
    return (
        "It needs librdkafka 2.6.1 or newer: an older one, as Debian 12 has, fails with `invalid credentials` at "
        "Kafka 4 (confluentinc/librdkafka#4895).",
    )


def _kafka_python(access: KafkaAccess, folder: Path) -> ClientConfiguration:
    options: dict[str, object] = {
        "bootstrap_servers": list(access.servers),
        "security_protocol": access.sign_in.protocol,
    }
    if access.sign_in.uses_sasl:
        options |= {
            "sasl_mechanism": access.sign_in.mechanism,
            "sasl_plain_username": access.username,
            "sasl_plain_password": access.password,
        }
    if access.sign_in.cafile is not None:
        options["ssl_cafile"] = str(folder / AUTHORITY)
    lines = "\n".join(f"    {name}={value!r}," for name, value in options.items())
    program = f'''\
"""Prints the messages of a topic from its beginning, and waits for more."""

from kafka import KafkaConsumer

consumer = KafkaConsumer(
    {access.topic!r},
    group_id={f"{access.group}-kafka-python"!r},
    auto_offset_reset="earliest",
{lines}
)
for message in consumer:
    print(message.key, message.value, flush=True)
'''
    return _program("kafka-python", "kafka_python_consumer.py", "python", program, access, folder)


def _confluent(access: KafkaAccess, folder: Path) -> ClientConfiguration:
    options = {
        **_librdkafka(access, folder),
        "group.id": f"{access.group}-confluent-kafka",
        "auto.offset.reset": "earliest",
    }
    lines = "\n".join(f"        {name!r}: {value!r}," for name, value in options.items())
    program = f'''\
"""Prints the messages of a topic from its beginning, and waits for more."""

from confluent_kafka import Consumer

consumer = Consumer(
    {{
{lines}
    }}
)
consumer.subscribe([{access.topic!r}])
while True:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        raise SystemExit(message.error())
    print(message.key(), message.value(), flush=True)
'''
    configuration = _program("confluent-kafka", "confluent_kafka_consumer.py", "python", program, access, folder)
    return replace(configuration, notes=_old_librdkafka(access))


def _kafkajs(access: KafkaAccess, folder: Path) -> ClientConfiguration:
    options = [f"  brokers: {javascript_value(list(access.servers))},"]
    if access.sign_in.cafile is not None:
        ca = javascript_value(str(folder / AUTHORITY))
        options.append(f"  ssl: {{ ca: [fs.readFileSync({ca}, 'utf-8')] }},")
    elif access.sign_in.uses_tls:
        options.append("  ssl: true,")
    if access.sign_in.uses_sasl:
        mechanism = (access.sign_in.mechanism or "").lower()
        options += [
            "  sasl: {",
            f"    mechanism: {javascript_value(mechanism)},",
            f"    username: {javascript_value(access.username)},",
            f"    password: {javascript_value(access.password)}, // secret",
            "  },",
        ]
    lines = "\n".join(options)
    program = f"""\
// Prints the messages of a topic from its beginning, and waits for more.
const fs = require('fs')
const {{ Kafka }} = require('kafkajs')

const kafka = new Kafka({{
  clientId: 'uncia-connect',
{lines}
}})

async function main() {{
  const consumer = kafka.consumer({{ groupId: {javascript_value(f"{access.group}-kafkajs")} }})
  await consumer.connect()
  await consumer.subscribe({{ topic: {javascript_value(access.topic)}, fromBeginning: true }})
  await consumer.run({{
    eachMessage: async ({{ message }}) => console.log(String(message.key), String(message.value)),
  }})
}}

main().catch((error) => {{
  console.error(error.message)
  process.exit(1)
}})
"""
    return _program("kafkajs", "kafkajs_consumer.js", "node", program, access, folder)


def _java(access: KafkaAccess, folder: Path) -> ClientConfiguration:
    options = {
        "bootstrap.servers": ",".join(access.servers),
        "security.protocol": access.sign_in.protocol,
        "group.id": f"{access.group}-java",
        "auto.offset.reset": "earliest",
    }
    if access.sign_in.uses_sasl:
        mechanism = access.sign_in.mechanism or ""
        options |= {
            "sasl.mechanism": mechanism,
            "sasl.jaas.config": f"{_LOGIN_MODULES[mechanism]} required "
            f"username={jaas_value(access.username)} password={jaas_value(access.password)};",
        }
    if access.sign_in.cafile is not None:
        options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(folder / AUTHORITY)}
    lines = [f"{name}={properties_value(value)}" for name, value in options.items()]
    properties = folder / "java.properties"
    return ClientConfiguration(
        "java",
        (ClientFile(properties.name, "\n".join([*lines, ""])), *_authority(access)),
        (
            f"kafka-console-consumer.sh --bootstrap-server {shlex.quote(','.join(access.servers))} "
            f"--topic {shlex.quote(access.topic)} --from-beginning --consumer.config {shell_path(properties)}",
        ),
        (
            "In a program: `properties.load(reader)`, then `new KafkaConsumer<>(properties, …)`.",
            "Kafka's tools from 4.2 on call the option --command-config; they accept --consumer.config with a warning.",
        ),
    )


def _program(
    client: str, name: str, interpreter: str, text: str, access: KafkaAccess, folder: Path
) -> ClientConfiguration:
    files = (ClientFile(name, text), *_authority(access))
    return ClientConfiguration(client, files, (f"{interpreter} {shell_path(folder / name)}",))


def _authority(access: KafkaAccess) -> tuple[ClientFile, ...]:
    return authority_files(AUTHORITY, access.sign_in.cafile)


KAFKA_CLIENTS: dict[str, Callable[[KafkaAccess, Path], ClientConfiguration]] = {
    "kcat": _kcat,
    "kafka-python": _kafka_python,
    "confluent-kafka": _confluent,
    "kafkajs": _kafkajs,
    "java": _java,
}
"""By name: renders the configuration, whose commands find the files in a folder."""
