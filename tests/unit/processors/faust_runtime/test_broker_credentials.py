"""Settings become the arguments that Faust's driver passes to aiokafka, for consumers and producers alike."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from uncia.processors.faust_runtime.app import create_app
from uncia.processors.faust_runtime.broker_credentials import broker_credentials
from uncia.settings import Settings

USER = {"kafka_username": "ranger", "kafka_password": "secret"}
SIGNED = {"sasl_plain_username": "ranger", "sasl_plain_password": "secret"}

TABLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"security_protocol": "PLAINTEXT"}),
    ({"kafka_security_protocol": "SSL"}, {"security_protocol": "SSL"}),
    (
        {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "SCRAM-SHA-512", **USER},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", **SIGNED},
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
    arguments = dict(credentials_to_aiokafka_auth(broker_credentials(Settings(_env_file=None, **values))))
    context = arguments.pop("ssl_context", None)
    assert arguments == expected
    if expected["security_protocol"] in ("SSL", "SASL_SSL"):
        assert isinstance(context, ssl.SSLContext)
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
    else:
        assert context is None


def test_tokens_come_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-token\n")
    values: dict[str, Any] = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "OAUTHBEARER",
        "kafka_token_file": file,
    }
    arguments = credentials_to_aiokafka_auth(broker_credentials(Settings(_env_file=None, **values)))
    assert arguments["sasl_mechanism"] == "OAUTHBEARER"
    assert asyncio.run(arguments["sasl_oauth_token_provider"].token()) == "a-token"


def test_every_worker_has_them(tmp_path: Path) -> None:
    values: dict[str, Any] = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "SCRAM-SHA-512", **USER}
    app = create_app("clocks", Settings(_env_file=None, data_dir=tmp_path, **values))
    assert credentials_to_aiokafka_auth(app.conf.broker_credentials)["sasl_mechanism"] == "SCRAM-SHA-512"
    plain = create_app("clocks", Settings(_env_file=None, data_dir=tmp_path))
    assert plain.conf.broker_credentials is None
