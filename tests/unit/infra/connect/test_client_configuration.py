"""The files of each client, read as the client reads them, with hostile keys and paths."""

import ast
import configparser
import json
import plistlib
import re
import shlex
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from uncia.errors import SettingsError
from uncia.infra.connect.access import KafkaAccess, StoreAccess, TritonAccess, kafka_access, store_access
from uncia.infra.connect.configuration import ClientConfiguration, shell_path, write_files
from uncia.infra.connect.kafka_clients import KAFKA_CLIENTS
from uncia.infra.connect.store_clients import STORE_CLIENTS
from uncia.infra.connect.triton_clients import TRITON_CLIENTS
from uncia.kafka_sign_in import KafkaSignIn
from uncia.settings import Settings

SECRET = "q\"uo'te \\ $(reboot) #;=:@%%"
FOLDER = Path('/home/anna\'s "folder"; $x')
STORE = StoreAccess("http://127.0.0.1:8333", "us-east-1", "camera-uploads", "AKEY", SECRET)
RESTRICTED = replace(STORE, station="ridge 'n' \"co\"", reads=False)
TRITON = TritonAccess(
    "unix:/run/x/triton.sock:1",
    "127.0.0.1:8000",
    "species_classifier",
    {"triton-grpc-protocol-uncia-inference": SECRET},
)


@pytest.fixture
def kafka(tmp_path: Path) -> KafkaAccess:
    ca = tmp_path / "authority.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    sign_in = KafkaSignIn("SASL_SSL", "SCRAM-SHA-512", "operator", SecretStr(SECRET), cafile=ca)
    return KafkaAccess(("127.0.0.1:9092", "b:9093"), sign_in, "camera.burst.resolved.v1", "operator")


def files(configuration: ClientConfiguration) -> dict[str, str]:
    return {file.name: file.text for file in configuration.files}


def ini(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("access", [STORE, RESTRICTED], ids=["whole bucket", "one station"])
@pytest.mark.parametrize("client", STORE_CLIENTS)
def test_no_command_of_an_s3_client_contains_the_secret_and_each_names_its_file(
    client: str, access: StoreAccess
) -> None:
    configuration = STORE_CLIENTS[client](replace(access, secret_key="0123secret"), FOLDER)
    assert any(file.secret and "0123secret" in file.text for file in configuration.files)
    assert not any("0123secret" in file.text for file in configuration.files if not file.secret)
    for command in configuration.commands:
        assert "0123secret" not in command
        if client != "gateway":
            words = shlex.split(command)
            assert any(str(FOLDER) in word for word in words), command


@pytest.mark.parametrize("client", ["aws", "s5cmd"])
def test_the_shared_credentials_file_holds_any_secret(client: str) -> None:
    text = files(STORE_CLIENTS[client](STORE, FOLDER))["aws.credentials"]
    assert ini(text)["uncia"]["aws_secret_access_key"] == SECRET


def test_rclone_neither_looks_nor_creates_buckets_with_a_key_that_reads_nothing() -> None:
    configuration = STORE_CLIENTS["rclone"](RESTRICTED, FOLDER)
    remote = ini(files(configuration)["rclone.conf"])["uncia"]
    assert (remote["secret_access_key"], remote["no_check_bucket"], remote["no_head"]) == (SECRET, "true", "true")
    words = shlex.split(configuration.commands[0])
    assert "--no-check-dest" in words
    assert words[-1] == f"uncia:camera-uploads/{RESTRICTED.station}/CAMERA/photograph.jpg"
    assert len(configuration.commands) < len(STORE_CLIENTS["rclone"](STORE, FOLDER).commands) + 1


def test_s3cmd_addresses_every_bucket_by_path_and_uses_tls_where_the_endpoint_does() -> None:
    text = files(STORE_CLIENTS["s3cmd"](STORE, FOLDER))["s3cmd.conf"]
    values = dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))
    assert values["host_base"] == values["host_bucket"] == '"127.0.0.1:8333"'
    assert (values["use_https"], values["secret_key"]) == ("False", f'"{SECRET}"')
    tls = files(STORE_CLIENTS["s3cmd"](replace(STORE, endpoint="https://s.example"), FOLDER))["s3cmd.conf"]
    assert "use_https = True" in tls


def test_mc_reads_its_alias_from_json() -> None:
    alias = json.loads(files(STORE_CLIENTS["mc"](STORE, FOLDER))["mc/config.json"])["aliases"]["uncia"]
    assert (alias["url"], alias["secretKey"], alias["path"]) == (STORE.endpoint, SECRET, "on")


def test_the_program_for_boto3_passes_exactly_these_values() -> None:
    tree = ast.parse(files(STORE_CLIENTS["boto3"](STORE, FOLDER))["boto3_upload.py"])
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {STORE.endpoint, STORE.access_key, SECRET, STORE.bucket} <= texts


def test_curl_signs_for_the_region_and_percent_encodes_the_key() -> None:
    configuration = STORE_CLIENTS["curl"](RESTRICTED, FOLDER)
    assert 'aws-sigv4 = "aws:amz:us-east-1:s3"' in files(configuration)["curl.conf"]
    assert shlex.split(configuration.commands[0])[-1] == (
        "http://127.0.0.1:8333/camera-uploads/ridge%20%27n%27%20%22co%22/CAMERA/photograph.jpg"
    )


def test_the_profile_of_cyberduck_has_no_secret_and_addresses_by_path() -> None:
    configuration = STORE_CLIENTS["cyberduck"](RESTRICTED, FOLDER)
    profile = plistlib.loads(files(configuration)["uncia.cyberduckprofile"].encode())
    assert (profile["Scheme"], profile["Default Hostname"], profile["Default Port"]) == ("http", "127.0.0.1", "8333")
    assert profile["Default Path"] == f"/camera-uploads/{RESTRICTED.station}"
    assert profile["Properties"] == ["s3.bucket.virtualhost.disable=true"]
    assert SECRET not in files(configuration)["uncia.cyberduckprofile"]


def test_the_board_gets_the_settings_of_its_gateway_alone() -> None:
    (command,) = STORE_CLIENTS["gateway"](RESTRICTED, Path("board")).commands
    assert "/srv/photos --station 'ridge '\"'\"'n'\"'\"' \"co\"'" in command
    assert ". ./board/gateway.env;" in command
    names = {line.split("=")[0] for line in files(STORE_CLIENTS["gateway"](STORE, FOLDER))["gateway.env"].splitlines()}
    assert names == {
        "UNCIA_S3_ENDPOINT",
        "UNCIA_S3_REGION",
        "UNCIA_S3_ACCESS_KEY",
        "UNCIA_S3_SECRET_KEY",
        "UNCIA_BUCKET",
    }


@pytest.mark.parametrize("client", KAFKA_CLIENTS)
def test_every_kafka_client_gets_the_certificate_of_the_authority_as_a_file(client: str, kafka: KafkaAccess) -> None:
    configuration = KAFKA_CLIENTS[client](kafka, FOLDER)
    (ca,) = [file for file in configuration.files if file.name == "ca.pem"]
    assert not ca.secret and ca.text == "-----BEGIN CERTIFICATE-----\n"
    assert not any(SECRET in command for command in configuration.commands)
    plain = replace(kafka, sign_in=KafkaSignIn())
    (only,) = KAFKA_CLIENTS[client](plain, FOLDER).files
    assert "PLAINTEXT" in only.text or client == "kafkajs"
    assert "ca.pem" not in only.text and "sasl" not in only.text


def test_kcat_reads_the_password_and_the_authority_from_its_file(kafka: KafkaAccess) -> None:
    text = files(KAFKA_CLIENTS["kcat"](kafka, FOLDER))["kcat.conf"]
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert values["sasl.password"] == SECRET
    assert values["ssl.ca.location"] == str(FOLDER / "ca.pem")
    assert values["bootstrap.servers"] == "127.0.0.1:9092,b:9093"


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_the_programs_in_python_pass_exactly_these_values(client: str, kafka: KafkaAccess) -> None:
    text = KAFKA_CLIENTS[client](kafka, FOLDER).files[0].text
    texts = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    assert {SECRET, "operator", "SCRAM-SHA-512", "SASL_SSL", str(FOLDER / "ca.pem"), kafka.topic} <= texts


def test_a_sign_in_with_tokens_or_client_certificates_is_not_described() -> None:
    tokens = Settings(
        kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="OAUTHBEARER", kafka_token_file=Path("/dev/null")
    )
    with pytest.raises(SettingsError, match="user name and a password"):
        kafka_access(tokens)


def test_a_store_without_a_key_or_with_another_address_than_a_url_is_not_described() -> None:
    with pytest.raises(SettingsError, match="no key for the object store"):
        store_access(Settings(s3_access_key=None))
    keys = Settings(s3_region="eu-north-1", s3_access_key="a", s3_secret_key=SecretStr("b"))
    with pytest.raises(SettingsError, match="not the URL"):
        store_access(keys.model_copy(update={"s3_endpoint": "store:8333"}))
    amazon = store_access(keys)
    assert amazon.endpoint == "https://s3.eu-north-1.amazonaws.com"


def test_the_key_of_triton_is_a_header_whose_name_depends_on_the_protocol() -> None:
    http, grpc = (TRITON_CLIENTS[client](TRITON, FOLDER) for client in ("triton-http", "triton-grpc"))
    (headers,) = (line for line in http.files[0].text.splitlines() if line.startswith("header"))
    assert headers.startswith('header = "uncia-inference: q\\"uo')
    tree = ast.parse(grpc.files[0].text)
    assert "triton-grpc-protocol-uncia-inference" in {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    off = TRITON_CLIENTS["triton-http"](replace(TRITON, http=""), FOLDER)
    assert any("UNCIA_TRITON_SERVE_HTTP" in note for note in off.notes)


def test_files_are_written_for_the_owner_alone(tmp_path: Path, kafka: KafkaAccess) -> None:
    folder = tmp_path / "new" / "folder"
    written = write_files((STORE_CLIENTS["mc"](STORE, folder), KAFKA_CLIENTS["java"](kafka, folder)), folder)
    assert {str(path.relative_to(folder)) for path in written} == {"mc/config.json", "java.properties", "ca.pem"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "mc")} == {0o700}


def test_the_permissions_of_a_folder_that_exists_do_not_change(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write_files((STORE_CLIENTS["curl"](STORE, tmp_path),), tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("path", "word"), [("a.conf", "./a.conf"), ("-a.conf", "./-a.conf"), ("/b c", "'/b c'"), ("../a", "../a")]
)
def test_a_path_is_never_an_option_and_never_searched_for(path: str, word: str) -> None:
    assert shell_path(Path(path)) == word


@pytest.mark.parametrize("client", ["aws", "s5cmd"])
def test_the_authority_of_the_store_goes_before_one_in_the_environment(client: str, tmp_path: Path) -> None:
    cafile = tmp_path / "authority.pem"
    cafile.write_text("-----BEGIN CERTIFICATE-----\n")
    configuration = STORE_CLIENTS[client](replace(STORE, cafile=cafile), FOLDER)
    assert all(
        command.startswith(f"AWS_CA_BUNDLE={shell_path(FOLDER / 'store-ca.pem')} ")
        for command in configuration.commands
    )


@pytest.mark.parametrize("client", STORE_CLIENTS)
def test_the_files_of_a_client_with_an_authority_are_written(client: str, tmp_path: Path) -> None:
    cafile, folder = tmp_path / "authority.pem", tmp_path / "new"
    cafile.write_text("-----BEGIN CERTIFICATE-----\n")
    configuration = STORE_CLIENTS[client](replace(STORE, cafile=cafile), folder)
    assert {path.read_text() for path in write_files((configuration,), folder)} >= {cafile.read_text()}


@pytest.mark.parametrize("client", STORE_CLIENTS)
def test_an_s3_client_trusts_the_authority_of_a_store_that_has_its_own(client: str, tmp_path: Path) -> None:
    cafile = tmp_path / "authority.pem"
    cafile.write_text("-----BEGIN CERTIFICATE-----\n")
    configuration = STORE_CLIENTS[client](replace(STORE, endpoint="https://192.0.2.7:8443", cafile=cafile), FOLDER)
    (copy,) = (file for file in configuration.files if file.name.endswith("store-ca.pem"))
    others = [file.text for file in configuration.files if file is not copy]
    assert copy.text == cafile.read_text()
    assert not copy.secret
    # mc trusts what is in its folder of certificates, without a line that names it.
    assert client == "mc" or "store-ca.pem" in "".join([*others, *configuration.commands, *configuration.notes])


def test_the_certificate_of_an_authority_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.pem"):
        STORE_CLIENTS["curl"](replace(STORE, cafile=tmp_path / "gone.pem"), FOLDER)
