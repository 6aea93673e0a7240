"""The Job and the claim of `uncia train … --on kubernetes`, by the schemas of Kubernetes."""

import pytest

from tests.kubernetes.test_chart import validate
from uncia.training.remote.transports.kubernetes import KubernetesTransport


@pytest.mark.parametrize("gpu", [True, False], ids=["with a GPU", "without a GPU"])
@pytest.mark.parametrize("kind", ["Job", "PersistentVolumeClaim"])
def test_what_is_applied_follows_its_schema(kind: str, gpu: bool) -> None:
    resources = KubernetesTransport.parse("kubernetes", "ridge-0123456789ab").resources(gpu)
    validate(next(resource for resource in resources if resource["kind"] == kind))
