"""The settings of the sign-in to Kafka fit together, or are refused in one sentence that names the variable."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from tests.certificates import Authority
from uncia.kafka_sign_in import KafkaSignIn
from uncia.settings import Settings

SCRAM = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "SCRAM-SHA-512"}
USER = {"kafka_username": "ranger", "kafka_password": "hunter2"}
OAUTH = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"}


def read(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**values)
    (error,) = caught.value.errors(include_url=False)
    return str(error["msg"]).removeprefix("Value error, ")


def test_the_default_neither_encrypts_nor_signs_in() -> None:
    assert read().kafka_sign_in == KafkaSignIn()
    assert read(kafka_username=" ", kafka_password="", kafka_cafile="", kafka_sasl_mechanism="") == read()


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"kafka_security_protocol": "SASL_SSL"}, "SASL_SSL needs UNCIA_KAFKA_SASL_MECHANISM"),
    ({"kafka_sasl_mechanism": "PLAIN"}, "UNCIA_KAFKA_SASL_MECHANISM has no effect with .*=PLAINTEXT"),
    ({"kafka_sasl_mechanism": "PLAIN", "kafka_security_protocol": "SSL"}, "no effect with .*=SSL"),
    (SCRAM, "SCRAM-SHA-512 needs UNCIA_KAFKA_USERNAME"),
    ({**SCRAM, "kafka_username": "ranger"}, "SCRAM-SHA-512 needs UNCIA_KAFKA_PASSWORD"),
    ({**SCRAM, **USER, "kafka_token_url": "https://t"}, "TOKEN_URL has no effect with .*SCRAM-SHA-512"),
    (USER, "UNCIA_KAFKA_USERNAME has no effect with .*PLAINTEXT: set .* SASL_SSL"),
    ({"kafka_cafile": __file__}, "UNCIA_KAFKA_CAFILE has no effect with .*PLAINTEXT: set .* to SSL"),
    (
        {**SCRAM, **USER, "kafka_security_protocol": "SASL_PLAINTEXT", "kafka_certfile": __file__},
        "UNCIA_KAFKA_CERTFILE has no effect with .*SASL_PLAINTEXT: set .* to SASL_SSL",
    ),
    ({"kafka_security_protocol": "SSL", "kafka_keyfile": __file__}, "KEYFILE is set without UNCIA_KAFKA_CERTFILE"),
    (OAUTH, "needs either UNCIA_KAFKA_TOKEN_FILE, .* or UNCIA_KAFKA_TOKEN_URL"),
    ({**OAUTH, "kafka_token_file": __file__, "kafka_token_url": "https://t"}, "needs either"),
    ({**OAUTH, "kafka_token_file": __file__, "kafka_username": "ranger"}, "USERNAME has no effect with .*TOKEN_FILE"),
    ({**OAUTH, "kafka_token_url": "https://t"}, "TOKEN_URL needs UNCIA_KAFKA_USERNAME"),
    ({**OAUTH, **USER, "kafka_token_url": "http://tokens.example/t"}, "must be an https:// URL"),
    ({**OAUTH, **USER, "kafka_token_url": "file:///etc/passwd"}, "must be an https:// URL"),
]


@pytest.mark.parametrize(("values", "sentence"), CONTRADICTIONS)
def test_contradictions_are_refused(values: dict[str, Any], sentence: str) -> None:
    assert re.search(sentence, refusal(**values))
    assert "hunter2" not in refusal(**values)


@pytest.mark.parametrize("name", ["cafile", "certfile", "keyfile"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    certfile, keyfile = Authority(tmp_path, "ca").issue("client")
    values = {"kafka_security_protocol": "SSL", "kafka_certfile": certfile, "kafka_keyfile": keyfile}
    missing = tmp_path / "missing.pem"
    sentence = f"UNCIA_KAFKA_{name.upper()}: {missing} cannot be read (No such file or directory)"
    assert refusal(**{**values, f"kafka_{name}": missing}) == sentence


def test_files_that_hold_something_else_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    certfile, keyfile = authority.issue("client")
    _, other_key = authority.issue("other", valid_for=timedelta(days=2))
    text = tmp_path / "text"
    text.write_text("no certificate")
    tls = {"kafka_security_protocol": "SSL"}
    assert "UNCIA_KAFKA_CAFILE" in refusal(**tls, kafka_cafile=text)
    assert "UNCIA_KAFKA_CERTFILE" in refusal(**tls, kafka_certfile=text, kafka_keyfile=keyfile)
    assert "set UNCIA_KAFKA_KEYFILE" in refusal(**tls, kafka_certfile=certfile)
    assert "is not the key of" in refusal(**tls, kafka_certfile=certfile, kafka_keyfile=other_key)


def test_an_encrypted_key_is_refused_without_asking_for_its_password(tmp_path: Path) -> None:
    certfile, keyfile = Authority(tmp_path, "ca").issue("client")
    key = serialization.load_pem_private_key(keyfile.read_bytes(), None)
    keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    values = {"kafka_certfile": certfile, "kafka_keyfile": keyfile}
    assert "is encrypted: decrypt it" in refusal(kafka_security_protocol="SSL", **values)


def test_certificate_and_key_can_be_in_one_file(tmp_path: Path) -> None:
    certfile, keyfile = Authority(tmp_path, "ca").issue("client")
    both = tmp_path / "both.pem"
    both.write_bytes(certfile.read_bytes() + keyfile.read_bytes())
    read(kafka_security_protocol="SSL", kafka_certfile=both, kafka_cafile=tmp_path / "ca.pem")
