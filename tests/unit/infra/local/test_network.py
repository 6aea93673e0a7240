"""The addresses of a stack for other machines."""

import socket

import pytest

from uncia.errors import SettingsError, StackError
from uncia.infra.local.network import NetworkAddresses, check_addresses, network_addresses
from uncia.infra.local.part_order import wanted_parts
from uncia.settings import Settings, read_settings


def configured(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def of(**values: object) -> NetworkAddresses:
    addresses = network_addresses(configured(**values))
    assert addresses is not None
    return addresses


def test_by_default_there_are_none_and_no_part_serves_them() -> None:
    assert network_addresses(configured()) is None
    assert "seaweedfs-network" not in wanted_parts(configured())


def test_with_a_host_the_store_has_a_part_for_them() -> None:
    assert "seaweedfs-network" in wanted_parts(configured(network_host="192.0.2.7"))


def test_clients_connect_to_the_host_and_the_servers_listen_on_it() -> None:
    addresses = of(network_host="192.0.2.7")
    assert (addresses.kafka, addresses.kafka_listener) == ("192.0.2.7:9094", "192.0.2.7:9094")
    assert addresses.s3_endpoint == addresses.s3_endpoint_here == "https://192.0.2.7:8443"


def test_behind_address_translation_they_listen_elsewhere() -> None:
    addresses = of(network_host="traps.example.org", network_bind="0.0.0.0")
    assert (addresses.kafka, addresses.kafka_listener) == ("traps.example.org:9094", "0.0.0.0:9094")
    assert addresses.s3_endpoint_here == "https://127.0.0.1:8443"


def test_an_address_of_ip_version_6_is_in_brackets() -> None:
    addresses = of(network_host="fd00::7", network_bind="::")
    assert (addresses.kafka, addresses.kafka_listener) == ("[fd00::7]:9094", "[::]:9094")
    assert addresses.s3_endpoint_here == "https://[::1]:8443"


@pytest.mark.parametrize(
    ("bind", "names"),
    [(None, ("192.0.2.7",)), ("0.0.0.0", ("192.0.2.7",)), ("10.0.0.5", ("192.0.2.7", "10.0.0.5"))],
)
def test_the_certificate_names_what_clients_and_the_check_of_this_machine_connect_to(
    bind: str | None, names: tuple[str, ...]
) -> None:
    assert of(network_host="192.0.2.7", network_bind=bind).names == names


@pytest.mark.parametrize(
    "host", ["192.0.2.7:9094", "https://traps.example.org", "two words", "-traps", "0.0.0.0", "::"]
)
def test_what_no_client_could_connect_to_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_NETWORK_HOST"):
        read_settings(network_host=host)


def test_a_listen_address_without_one_for_clients_is_refused() -> None:
    with pytest.raises(SettingsError, match="UNCIA_NETWORK_HOST"):
        read_settings(network_bind="0.0.0.0")


def test_an_address_of_another_machine_is_refused_with_the_setting_to_change() -> None:
    with pytest.raises(StackError, match="UNCIA_NETWORK_BIND"):
        check_addresses(of(network_host="192.0.2.7"))


def test_a_port_that_is_taken_is_refused_with_the_setting_to_change() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        with pytest.raises(StackError, match="UNCIA_NETWORK_KAFKA_PORT"):
            check_addresses(of(network_host="127.0.0.2", network_kafka_port=other.getsockname()[1]))
