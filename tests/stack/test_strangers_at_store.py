"""The store permits each identity what its work needs, and nothing else; a signature permits one request."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.compat import get_current_datetime
from botocore.exceptions import ClientError
from pydantic import SecretStr

from tests.waiting import wait_until
from uncia.access import StoreAction
from uncia.errors import UnciaError
from uncia.identities import (
    MAILROOM,
    OPERATOR,
    PART_IDENTITIES,
    PERSONS,
    Identity,
    Role,
    gateway_identity,
    person_identity,
    uploader_identity,
)
from uncia.infra.local.key_management import issue, issue_gateway, revoke, rotate
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
)


def store_of(stack: Stack, identity: Identity) -> ObjectStore:
    credential = stack.require_keys().credentials[identity.name]
    keys = {"s3_access_key": credential.access_key, "s3_secret_key": SecretStr(credential.secret_key)}
    return ObjectStore(stack.settings().model_copy(update=keys), attempts=1)


@pytest.fixture
def photograph_key(admin_store: ObjectStore, settings: Settings, station: str) -> Iterator[str]:
    """The key of a stored object that is no photograph, so that nothing follows from it."""
    key = f"{station}/cam/kept.txt"
    admin_store.put(settings.bucket, key, b"kept", content_type="text/plain")
    yield key
    assert admin_store.get(settings.bucket, key, max_bytes=10) == b"kept"


PARTS_AT_STORE = [identity for identity in PART_IDENTITIES.values() if identity.store and identity != MAILROOM]


@pytest.mark.parametrize("identity", PARTS_AT_STORE, ids=lambda identity: identity.name)
def test_a_part_reads_photographs_where_its_work_needs_them_and_changes_none(
    stack: Stack, settings: Settings, photograph_key: str, identity: Identity
) -> None:
    bucket, store = settings.bucket, store_of(stack, identity)
    try:
        if identity.permits_object(StoreAction.READ, photograph_key):
            assert store.get(bucket, photograph_key, max_bytes=10) == b"kept"
            store.check_bucket(bucket)
        else:
            with pytest.raises(AccessRefused):
                store.get(bucket, photograph_key, max_bytes=10)
        with pytest.raises(AccessRefused):
            store.put(bucket, photograph_key, b"changed", content_type="text/plain")
        with pytest.raises(AccessRefused):
            store.delete(bucket, photograph_key)
    finally:
        store.close()


@pytest.mark.parametrize("role", PERSONS)
def test_a_person_does_at_the_store_what_the_role_permits_and_deletes_nothing(
    stack: Stack, settings: Settings, photograph_key: str, station: str, role: Role
) -> None:
    identity = person_identity(role, f"store-{uuid.uuid4().hex[:8]}")
    issue(stack, identity)
    bucket, own = settings.bucket, f"{station}/cam/{role}.txt"
    with contextlib.closing(store_of(stack, identity)) as store:
        attempts: dict[str, tuple[bool, Callable[[], object]]] = {
            "get": (
                identity.permits_object(StoreAction.READ, photograph_key),
                lambda: store.get(bucket, photograph_key, max_bytes=10),
            ),
            "list": (identity.permits_object(StoreAction.LIST, ""), lambda: store.check_bucket(bucket)),
            "put": (
                identity.permits_object(StoreAction.WRITE, own),
                lambda: store.put(bucket, own, b"x", content_type="text/plain"),
            ),
            "delete": (False, lambda: store.delete(bucket, photograph_key)),
        }
        permitted = {name for name, (_, attempt) in attempts.items() if not refuses(attempt)}
    assert permitted == {name for name, (expected, _) in attempts.items() if expected}


def refuses(attempt: Callable[[], object]) -> bool:
    """Whether the store refuses this to the key."""
    try:
        attempt()
    except AccessRefused:
        return True
    return False


def test_the_mailroom_which_uploads_photographs_deletes_and_lists_none(
    stack: Stack, settings: Settings, photograph_key: str
) -> None:
    with contextlib.closing(store_of(stack, MAILROOM)) as store:
        with pytest.raises(AccessRefused):
            store.delete(settings.bucket, photograph_key)
        with pytest.raises(AccessRefused):
            store.check_bucket(settings.bucket)


@pytest.mark.parametrize("identity", [PART_IDENTITIES["crops"], PART_IDENTITIES["explain"]], ids=lambda one: one.name)
def test_crops_and_explanations_are_stored_and_deleted_below_their_own_prefix(
    stack: Stack, settings: Settings, station: str, identity: Identity
) -> None:
    prefix = next(right.prefix for right in identity.store if right.prefix)
    store, key = store_of(stack, identity), f"{prefix}{station}/cam/crp-{'0' * 24}.txt"
    try:
        store.put(settings.bucket, key, b"x", content_type="text/plain")
        store.delete(settings.bucket, key)
        with pytest.raises(ObjectMissing):
            store.get(settings.bucket, key, max_bytes=10)
    finally:
        store.close()


def test_the_operator_deletes_nothing_and_changes_no_bucket(
    stack: Stack, settings: Settings, photograph_key: str
) -> None:
    store = store_of(stack, OPERATOR)
    try:
        with pytest.raises(AccessRefused):
            store.delete(settings.bucket, photograph_key)
        changes = (
            partial(
                store.client.put_bucket_versioning,
                Bucket=settings.bucket,
                VersioningConfiguration={"Status": "Suspended"},
            ),
            partial(store.client.delete_bucket, Bucket=settings.bucket),
            partial(store.client.create_bucket, Bucket="another-bucket"),
        )
        for change in changes:
            with pytest.raises(ClientError, match="AccessDenied"):
                change()
    finally:
        store.close()


def test_a_gateway_reaches_its_own_station_alone_and_a_revoked_one_nothing(
    stack: Stack, settings: Settings, photograph_key: str, station: str
) -> None:
    own = f"{station}-gateway"
    issue_gateway(stack, own)
    identity, bucket, key = gateway_identity(own), settings.bucket, f"{own}/cam/x.txt"
    store = store_of(stack, identity)
    store.put(bucket, key, b"mine", content_type="text/plain")
    assert store.get(bucket, key, max_bytes=10) == b"mine"
    for refused in (
        lambda: store.get(bucket, photograph_key, max_bytes=10),
        lambda: store.put(bucket, photograph_key, b"changed", content_type="text/plain"),
        lambda: store.delete(bucket, key),
        lambda: store.check_bucket(bucket),
    ):
        with pytest.raises(AccessRefused):
            refused()

    rotate(stack, identity.name)
    assert refused_soon(store, bucket, key)
    rotated = store_of(stack, identity)
    assert rotated.get(bucket, key, max_bytes=10) == b"mine"
    revoke(stack, identity.name)
    assert refused_soon(rotated, bucket, key)
    store.close()
    rotated.close()


@pytest.mark.parametrize("make", [gateway_identity, uploader_identity])
def test_a_form_stores_where_the_key_of_its_signer_may_and_nowhere_else(
    stack: Stack, settings: Settings, photograph_key: str, station: str, make: Callable[[str], Identity]
) -> None:
    own = f"{station}-form"
    identity = make(own)
    issue(stack, identity)
    with contextlib.closing(store_of(stack, identity)) as signer:
        keys = {f"{own}/cam/form.txt": 204, f"status/{own}/cam/form.txt": 204}
        for other in (photograph_key, f"{own}-2/cam/x.txt", f"{own}/../{photograph_key}", "crops/x.txt"):
            keys[other] = 400 if ".." in other else 403
        assert {key: post_form(settings, signer, key) for key in keys} == keys
        assert {key: post_form(settings, signer, key, version=2) for key in keys} == keys
        assert post_form(settings, signer, f"{own}/cam/${{filename}}", file_name=f"../../{photograph_key}") == 204

        revoke(stack, identity.name)
        wait_until(
            lambda: post_form(settings, signer, f"{own}/cam/late.txt") == 403, 10, "the refusal of a revoked key"
        )
    store = ObjectStore(settings)
    with contextlib.closing(store):
        assert store.get(settings.bucket, photograph_key, max_bytes=10) == b"kept"
        stored = {entry.key for entry in store.list(settings.bucket, own)}
    assert stored == {f"{own}/cam/form.txt", f"{own}/cam/{photograph_key.rpartition('/')[2]}"}


def post_form(
    settings: Settings, signer: ObjectStore, key: str, *, version: int = 4, file_name: str = "photograph.txt"
) -> int:
    """Send a form with a file in it, signed for any key by this version of Amazon's signatures; returns the status."""
    any_key = [["starts-with", "$key", ""]]
    form = signer.client.generate_presigned_post(settings.bucket, key, Conditions=any_key, ExpiresIn=900)
    fields = form["fields"]
    if version == 2:
        credentials = signer.client._request_signer._credentials
        expires = datetime.now(UTC) + timedelta(minutes=15)
        document = {
            "expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
            "conditions": [{"bucket": settings.bucket}, *any_key],
        }
        policy = base64.b64encode(json.dumps(document).encode()).decode()
        signature = base64_of(hmac.new(credentials.secret_key.encode(), policy.encode(), "sha1").digest())
        names = {"AWSAccessKeyId": credentials.access_key, "policy": policy, "signature": signature}
        fields = {"key": key, **names}
    with urllib3.PoolManager(retries=False) as http:
        file = (file_name, b"form", "text/plain")
        return http.request("POST", form["url"], fields={**fields, "file": file}).status


@pytest.mark.parametrize("make", [gateway_identity, uploader_identity])
def test_the_key_of_a_board_changes_no_bucket(
    stack: Stack, settings: Settings, station: str, make: Callable[[str], Identity]
) -> None:
    identity = make(f"{station}-bucket")
    issue(stack, identity)
    bucket = settings.bucket
    with contextlib.closing(store_of(stack, identity)) as store:
        client = store.client
        rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
        changes: list[Callable[[], object]] = [
            lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}),
            lambda: client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}),
            lambda: client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [cors]}),
            lambda: client.put_bucket_acl(Bucket=bucket, ACL="public-read"),
            lambda: client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17"})),
            lambda: client.delete_bucket(Bucket=bucket),
            lambda: client.list_multipart_uploads(Bucket=bucket),
        ]
        for change in changes:
            with pytest.raises(ClientError, match="AccessDenied"):
                change()


Attempts = dict[str, Callable[[], object]]


def attempts_to_destroy(client: Any, bucket: str, key: str, version_id: str) -> Attempts:
    """What a thief of a key may try in order that the content of an object is gone. `client`: boto3's."""
    target, folder = {"Bucket": bucket, "Key": key}, f"{key}.versions"
    # SeaweedFS's own file of the version.
    file = f"{folder}/v_{version_id}"
    suspended = {"Status": "Suspended"}
    expires = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    return {
        "overwrite": lambda: client.put_object(**target, Body=b"rubbish"),
        "overwrite with nothing": lambda: client.put_object(**target, Body=b""),
        "overwrite in parts": lambda: put_in_parts(client, bucket, key),
        "overwrite by a copy": lambda: client.copy_object(
            **target, CopySource=target, MetadataDirective="REPLACE", Metadata={"a": "b"}
        ),
        "store below it": lambda: client.put_object(Bucket=bucket, Key=f"{key}/x", Body=b"rubbish"),
        "a folder of its name": lambda: client.put_object(Bucket=bucket, Key=f"{key}/", Body=b""),
        "overwrite the file of the version": lambda: client.put_object(Bucket=bucket, Key=file, Body=b"rubbish"),
        "overwrite this file in parts": lambda: put_in_parts(client, bucket, file),
        "overwrite this file by a copy": lambda: client.copy_object(Bucket=bucket, Key=file, CopySource=target),
        "overwrite the folder of versions": lambda: client.put_object(Bucket=bucket, Key=f"{folder}/", Body=b""),
        "a file of the name of this folder": lambda: client.put_object(Bucket=bucket, Key=folder, Body=b"rubbish"),
        "delete": lambda: client.delete_object(**target),
        "delete the version": lambda: client.delete_object(**target, VersionId=version_id),
        "delete the file of the version": lambda: client.delete_object(Bucket=bucket, Key=file),
        "delete several": lambda: client.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key, "VersionId": version_id}, {"Key": file}]}
        ),
        "switch versions off": lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=suspended),
        "let all expire": lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [expires]}
        ),
        "delete the bucket": lambda: client.delete_bucket(Bucket=bucket),
    }


def put_in_parts(client: Any, bucket: str, key: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    target = {"Bucket": bucket, "Key": key, "UploadId": upload}
    etag = client.upload_part(**target, PartNumber=1, Body=b"rubbish")["ETag"]
    client.complete_multipart_upload(**target, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})


MAY_OVERWRITE = {"gateway", "uploader", "operator", "mailroom"}


@pytest.mark.parametrize("name", [*sorted(MAY_OVERWRITE), *(identity.name for identity in PARTS_AT_STORE)])
def test_no_stolen_key_destroys_a_photograph(
    stack: Stack, settings: Settings, admin_store: ObjectStore, station: str, name: str
) -> None:
    own = {"gateway": gateway_identity(station), "uploader": uploader_identity(station), "operator": OPERATOR}
    identity, bucket, key = own.get(name) or PART_IDENTITIES[name], settings.bucket, f"{station}/cam/x.txt"
    if name in ("gateway", "uploader"):
        issue(stack, identity)
    admin_store.put(bucket, key, b"photograph", content_type="text/plain")
    (stored,) = admin_store.versions(bucket, key)
    assert stored.version_id is not None

    overwrote: set[str] = set()
    with contextlib.closing(store_of(stack, identity)) as store:
        attempts = attempts_to_destroy(store.client, bucket, key, stored.version_id)
        attempts["overwrite by a form"] = lambda: post_form(settings, store, key)
        attempts["overwrite the file of the version by a form"] = lambda: post_form(
            settings, store, f"{key}.versions/v_{stored.version_id}"
        )
        for attempt, destroy in attempts.items():
            with contextlib.suppress(ClientError):
                destroy()
                overwrote.add(attempt)
            kept = admin_store.read(bucket, key, max_bytes=100, version_id=stored.version_id)
            assert kept.data == b"photograph", attempt
            assert stored.version_id in {one.version_id for one in admin_store.versions(bucket, key)}, attempt
    assert ("overwrite" in overwrote) == (name in MAY_OVERWRITE)


def test_a_photograph_that_was_stored_before_versions_were_kept_survives_being_overwritten(
    stack: Stack, settings: Settings, admin_store: ObjectStore, station: str
) -> None:
    bucket, key = settings.bucket, f"{station}/cam/old.txt"
    admin_store.keep_versions(bucket, on=False)
    try:
        admin_store.put(bucket, key, b"photograph", content_type="text/plain")
    finally:
        admin_store.keep_versions(bucket, on=True)
    issue(stack, gateway_identity(station))
    with contextlib.closing(store_of(stack, gateway_identity(station))) as store:
        for content in (b"rubbish", b"more rubbish"):
            store.put(bucket, key, content, content_type="text/plain")
    oldest = list(admin_store.versions(bucket, key))[-1]
    assert admin_store.read(bucket, key, max_bytes=100, version_id=oldest.version_id).data == b"photograph"


def test_the_worker_of_crops_deletes_all_versions_of_its_own_objects(
    stack: Stack, settings: Settings, admin_store: ObjectStore, station: str
) -> None:
    key = f"crops/{station}/cam/crp-{'0' * 24}.txt"
    with contextlib.closing(store_of(stack, PART_IDENTITIES["crops"])) as store:
        for content in (b"crop", b"another"):
            store.put(settings.bucket, key, content, content_type="text/plain")
        store.delete_with_versions(settings.bucket, key)
    assert list(admin_store.history(settings.bucket, key)) == []


def signed_put(store: ObjectStore, url: str, body: bytes, **digests: str) -> dict[str, str]:
    """The headers of a request to store this body, signed with the hash of it."""
    request = AWSRequest("PUT", url, data=body, headers={name.replace("_", "-"): at for name, at in digests.items()})
    S3SigV4Auth(store.client._request_signer._credentials, "s3", store.client.meta.region_name).add_auth(request)
    assert request.headers["X-Amz-Content-SHA256"] == hashlib.sha256(body).hexdigest()
    return dict(request.headers.items())


SIGNED = b"as it was signed"
OTHER = b"of someone else!"


def base64_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    "digests",
    [
        {"Content_MD5": base64_of(hashlib.md5(SIGNED).digest())},
        {"x_amz_checksum_sha256": base64_of(hashlib.sha256(SIGNED).digest())},
        pytest.param(
            {}, marks=pytest.mark.xfail(strict=True, reason="SeaweedFS 4.48 ignores x-amz-content-sha256 of a content")
        ),
    ],
    ids=["md5", "sha256", "signature alone"],
)
def test_a_signed_upload_that_is_sent_again_stores_no_other_content(
    store: ObjectStore, settings: Settings, station: str, digests: dict[str, str]
) -> None:
    key = f"{station}/cam/signed.txt"
    url = f"{settings.s3_endpoint}/{settings.bucket}/{key}"
    headers = signed_put(store, url, SIGNED, **digests)
    with urllib3.PoolManager(retries=False) as http:
        assert http.request("PUT", url, body=SIGNED, headers=headers).status == 200
        answers = [http.request("PUT", url, body=body, headers=headers).status for body in (OTHER, OTHER + SIGNED)]
        elsewhere = http.request("PUT", f"{url}.txt", body=SIGNED, headers=headers).status
    assert store.get(settings.bucket, key, max_bytes=100) == SIGNED
    assert (answers, elsewhere) == ([400, 400], 403)
    assert [entry.key for entry in store.list(settings.bucket, f"{station}/cam/")] == [key]


def test_what_a_part_stores_carries_a_digest_in_its_signature(settings: Settings, station: str) -> None:
    signed: list[str] = []

    def note(request: AWSPreparedRequest, **_: object) -> None:
        signed.append(str(request.headers["Authorization"]))

    own = ObjectStore(settings)
    own.client.meta.events.register("before-send.s3.PutObject", note)
    with contextlib.closing(own):
        own.put(settings.bucket, f"{station}/cam/signed.txt", SIGNED, content_type="text/plain")
    assert "content-md5" in signed[0]


def test_a_signature_is_refused_after_its_time(store: ObjectStore, settings: Settings, station: str) -> None:
    url = f"{settings.s3_endpoint}/{settings.bucket}/{station}/cam/late.txt"
    parameters = {"Bucket": settings.bucket, "Key": f"{station}/cam/late.txt"}
    now = get_current_datetime()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: now - timedelta(minutes=20))
        presigned = store.client.generate_presigned_url("put_object", parameters, ExpiresIn=600)
        valid = store.client.generate_presigned_url("put_object", parameters, ExpiresIn=3600)
        signed = signed_put(store, url, b"late")
    with urllib3.PoolManager(retries=False) as http:
        assert http.request("PUT", presigned, body=b"late").status == 403
        assert http.request("PUT", url, body=b"late", headers=signed).status == 403
        assert list(store.list(settings.bucket, f"{station}/")) == []
        assert http.request("PUT", valid, body=b"in time").status == 200


def test_the_page_of_another_site_neither_reads_nor_changes_the_store(
    stack: Stack, store: ObjectStore, settings: Settings, photograph_key: str, station: str
) -> None:
    from tests.browser.other_site import FETCH, foreign_page

    filer = f"http://127.0.0.1:{stack.require_identity().ports['filer']}/buckets"
    key = f"{station}/cam/foreign.txt"
    with foreign_page() as page:
        for base in (settings.s3_endpoint, filer):
            for method, target, kind in (
                ("GET", photograph_key, ""),
                ("GET", "", ""),
                ("POST", key, "text/plain"),
                ("POST", "", "multipart/form-data; boundary=x"),
                ("PUT", key, "text/plain"),
                ("DELETE", photograph_key, ""),
            ):
                address = f"{base}/{settings.bucket}/{target}"
                for mode in ("cors", "no-cors"):
                    body = "foreign" if method in ("POST", "PUT") else None
                    status, answer = page.evaluate(FETCH, [address, method, body, kind, mode])
                    # 0: the browser shows the page nothing.
                    assert status in (0, 401, 403), (address, method, answer)
                    assert "kept" not in answer
    assert [entry.key for entry in store.list(settings.bucket, f"{station}/")] == [photograph_key]


def refused_soon(store: ObjectStore, bucket: str, key: str) -> bool:
    """The store reads its file of identities within moments."""

    def refused() -> bool:
        try:
            store.get(bucket, key, max_bytes=10)
        except AccessRefused:
            return True
        except UnciaError:
            return False
        return False

    return wait_until(refused, 20, "the key to be refused")
