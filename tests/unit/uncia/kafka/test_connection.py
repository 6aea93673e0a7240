"""Settings become the arguments of kafka-python's clients; the default ones give the servers and nothing else."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from tests.certificates import Authority
from tests.paths import sources
from uncia.errors import DependencyDown
from uncia.kafka import connection
from uncia.kafka.connection import client_options, connect_admin, connect_consumer, connect_producer, unavailable
from uncia.settings import Settings

USER = {"kafka_username": "ranger", "kafka_password": "secret"}
SIGNED = {"sasl_plain_username": "ranger", "sasl_plain_password": "secret"}


def read(**values: Any) -> Settings:
    return Settings(_env_file=None, kafka="one:1, two:2", **values)


TABLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"kafka_security_protocol": "SSL"}, {"security_protocol": "SSL"}),
    (
        {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "PLAIN", **USER},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", **SIGNED},
    ),
    *(
        (
            {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": mechanism, **USER},
            {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism, **SIGNED},
        )
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    ),
]


@pytest.mark.parametrize(("values", "expected"), TABLE)
def test_settings_become_arguments(values: dict[str, Any], expected: dict[str, Any]) -> None:
    options = client_options(read(**values))
    context = options.pop("ssl_context", None)
    assert options == {"bootstrap_servers": ["one:1", "two:2"], "reconnect_backoff_max_ms": 2_000, **expected}
    assert (context is not None) == ("SSL" in values.get("kafka_security_protocol", "").split("_"))


def test_the_brokers_certificate_and_host_name_are_verified(tmp_path: Path) -> None:
    certfile, keyfile = (authority := Authority(tmp_path, "ca")).issue("client")
    files = {"kafka_cafile": authority.cafile, "kafka_certfile": certfile, "kafka_keyfile": keyfile}
    context = client_options(read(kafka_security_protocol="SSL", **files))["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [entry["subject"] for entry in context.get_ca_certs()] == [((("commonName", "ca"),),)]


def test_a_token_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    values = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER", "kafka_token_file": file}
    provider = client_options(read(**values))["sasl_oauth_token_provider"]
    assert provider.token() == "first"
    file.write_text("second\n")
    assert provider.token() == "second"


def test_debug_messages_with_the_arguments_do_not_show_the_password() -> None:
    values = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN", **USER}
    assert "secret" not in str(client_options(read(**values)))


@pytest.mark.parametrize(
    ("connect", "client"),
    [
        (connect_admin, "KafkaAdminClient"),
        (connect_consumer, "KafkaConsumer"),
        (connect_producer, "KafkaProducer"),
    ],
)
def test_every_client_has_the_options_and_reports_an_outage(
    monkeypatch: pytest.MonkeyPatch, connect: Any, client: str
) -> None:
    seen: list[dict[str, Any]] = []

    def create(**options: Any) -> None:
        seen.append(options)
        raise KafkaTimeoutError

    monkeypatch.setattr(connection, client, create)
    settings = Settings(_env_file=None, kafka="127.0.0.1:1")
    with pytest.raises(DependencyDown, match=r"Kafka at 127\.0\.0\.1:1 does not answer \(KafkaTimeoutError\)"):
        connect(settings, client_id="x")
    assert seen == [{"bootstrap_servers": ["127.0.0.1:1"], "reconnect_backoff_max_ms": 2_000, "client_id": "x"}]


def test_missing_rights_are_not_reported_as_an_outage() -> None:
    values = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN", **USER}
    assert "does not permit this to the user ranger" in str(
        unavailable(read(**values), TopicAuthorizationFailedError("camera.image.uploaded.v1"))
    )


def test_no_other_module_connects_to_kafka() -> None:
    made = re.compile(r"\b(KafkaConsumer|KafkaProducer|KafkaAdminClient)\(|bootstrap_servers\s*=")
    # The programs that `uncia connect` prints are other people's.
    ours = [path for path in sources() if path.parent.name != "connect"]
    assert [path.name for path in ours if made.search(path.read_text(encoding="utf-8"))] == []
