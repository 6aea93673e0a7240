"""Tries connections: each check sends real requests, reports in words what worked, and changes nothing.

It uses the libraries of Uncia, not the clients whose configuration is printed: what fails here is an address, a key, a
certificate or a right, which is the same for all of them.
"""

import http.client
from collections.abc import Callable

from kafka import TopicPartition
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.infra.connect.access import KafkaAccess, StoreAccess, TritonAccess
from uncia.infra.local.doctor import Check, try_check
from uncia.kafka.connection import connect_consumer, unavailable
from uncia.serving.triton_access import http_headers
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore

__all__ = ["try_kafka", "try_store", "try_triton"]

_TIMEOUT_S = 10
_PROBE = "uncia-connect-probe"
"""The last part of a key that no object has."""


def try_store(access: StoreAccess, settings: Settings) -> list[Check]:
    """Read and store with this key, as far as it permits; for a restricted key, also what it must not permit."""
    store = ObjectStore(settings, timeout_s=_TIMEOUT_S, attempts=1)
    where = f"bucket {access.bucket} at {access.endpoint}"
    own = f"{access.station or _PROBE}/{_PROBE}"

    def lists() -> str:
        store.check_bucket(access.bucket)
        return f"the key reads the {where}"

    def stores() -> str:
        store.check_storing(access.bucket, own)
        below = f" below {access.station}/" if access.station else ""
        return f"the key stores in the {where}{below} (a multipart upload was begun and aborted)"

    def reads_nothing() -> str:
        _must_be_refused(lambda: store.head(access.bucket, own), "it reads photographs")
        _must_be_refused(lambda: store.check_bucket(access.bucket), "it lists the bucket")
        return "the key reads and lists nothing, as it must"

    def stores_nowhere_else() -> str:
        other = f"{access.station}-{_PROBE}/{_PROBE}"
        _must_be_refused(lambda: store.check_storing(access.bucket, other), "it stores below other stations")
        return f"the key stores nothing outside {access.station}/, as it must"

    checks: list[tuple[str, Callable[[], str]]] = []
    if access.reads:
        checks.append(("store: read", lists))
    if access.stores:
        checks.append(("store: write", stores))
    try:
        done = [try_check(name, check) for name, check in checks]
        # Of a key that does not work at all, refusals prove nothing.
        if all(check.ok for check in done):
            if not access.reads:
                done.append(try_check("store: no read", reads_nothing))
            if access.station:
                done.append(try_check("store: prefix", stores_nowhere_else))
        return done
    finally:
        store.close()


def _must_be_refused(request: Callable[[], object], otherwise: str) -> None:
    try:
        request()
    except AccessRefused:
        return
    except ObjectMissing:
        pass
    raise SettingsError(f"the key permits more than it should: {otherwise}. Use a key of `uncia keys issue uploader`")


def try_kafka(access: KafkaAccess, settings: Settings) -> list[Check]:
    """Sign in, and read from the topic, in no consumer group."""

    def reads() -> str:
        consumer = connect_consumer(settings, client_id="uncia-connect", bootstrap_timeout_ms=_TIMEOUT_S * 1000)
        try:
            partitions = [
                TopicPartition(access.topic, number) for number in consumer.partitions_for_topic(access.topic) or ()
            ]
            if not partitions:
                raise SettingsError(
                    f"signed in at {settings.kafka}, but there is no topic {access.topic} that this user may read"
                )
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            consumer.poll(timeout_ms=1000)
            stored = sum(consumer.end_offsets(partitions).values())
        except KafkaError as error:
            raise unavailable(settings, error) from error
        finally:
            consumer.close(autocommit=False)
        user = f" as {access.username}" if access.username else ""
        return (
            f"signed in at {settings.kafka}{user} ({access.sign_in.protocol}); reads {access.topic}, "
            f"{len(partitions)} partitions, {stored:,} messages so far"
        )

    return [try_check("kafka", reads)]


def try_triton(access: TritonAccess) -> list[Check]:
    """Request the description of the model, over gRPC and, where it is served, over HTTP."""
    checks = [try_check("triton: grpc", lambda: _describe_by_grpc(access))]
    if access.http:
        checks.append(try_check("triton: http", lambda: _describe_by_http(access)))
    return checks


def _describe_by_grpc(access: TritonAccess) -> str:
    try:
        import tritonclient.grpc as triton
    except ImportError as error:
        raise UnciaError("this check needs `pip install 'tritonclient[grpc]'`") from error
    try:
        with triton.InferenceServerClient(access.grpc) as client:
            found = client.get_model_metadata(access.model, headers=access.headers, client_timeout=_TIMEOUT_S)
    except triton.InferenceServerException as error:
        raise DependencyDown(f"{access.grpc} does not describe the model {access.model}: {error.message()}") from error
    return f"{access.grpc} describes the model {access.model}, versions {', '.join(found.versions)}"


def _describe_by_http(access: TritonAccess) -> str:
    connection = http.client.HTTPConnection(access.http, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"/v2/models/{access.model}", headers=http_headers(access.headers))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise DependencyDown(f"http://{access.http} does not answer ({type(error).__name__}: {error})") from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise DependencyDown(f"http://{access.http} refuses the description of {access.model} (status {status})")
    return f"http://{access.http} describes the model {access.model}"
