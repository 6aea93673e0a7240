"""The Job and the claim of `uncia train … --on kubernetes`, by the schemas of Kubernetes."""

import json

import jsonschema
import pytest

from tests.toolchains import kubernetes_schemas
from uncia.training.remote.transports.kubernetes import KubernetesTransport

_FILES = {"Job": "job-batch-v1.json", "PersistentVolumeClaim": "persistentvolumeclaim-v1.json"}


@pytest.mark.parametrize("gpu", [True, False], ids=["with a GPU", "without a GPU"])
@pytest.mark.parametrize("kind", _FILES)
def test_what_is_applied_is_valid(kind: str, gpu: bool) -> None:
    resources = KubernetesTransport.parse("kubernetes", "ridge-0123456789ab").resources(gpu)
    found = next(resource for resource in resources if resource["kind"] == kind)
    schema = json.loads((kubernetes_schemas("1.37.0") / _FILES[kind]).read_text(encoding="utf-8"))
    jsonschema.validate(found, schema)
