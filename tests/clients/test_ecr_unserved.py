"""ECR by boto3: operations whose engines come later say so, and all others are tested."""

import json

import pytest
from botocore import xform_name
from botocore.model import ServiceModel

from clients import test_ecr_images, test_ecr_layers, test_ecr_repositories, test_ecr_settings
from support.aws import LOADER, refused, served
from support.ecr import UNSERVED, Ecr, image, requests_of

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

TESTED = [test_ecr_images, test_ecr_layers, test_ecr_repositories, test_ecr_settings]


@pytest.mark.parametrize("operation", sorted(UNSERVED))
def test_it_is_said(ecr, operation):
    """Although what is asked for is there."""
    name = ecr.create("unserved")
    ecr.put(name, image(), "v1")
    with refused("UnsupportedOperationException", operation) as caught:
        getattr(ecr.client, xform_name(operation))(**requests_of(name)[operation])
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_every_operation_is_tested():
    """What the source lists is the whole of botocore's model; each operation is tested, or unserved, and not both."""
    model = set(ServiceModel(LOADER.load_service_model("ecr", "service-2")).operation_names)
    assert served("ecr") == model
    covered = [operation for module in TESTED for operation in module.COVERED] + list(UNSERVED)
    assert sorted(covered) == sorted(model)


def test_operations_that_nobody_knows(ecr_aws):
    """Sent as boto3 would if it knew them."""
    ecr = Ecr(ecr_aws)

    def rename(params, **_):
        params["headers"]["X-Amz-Target"] = "AmazonEC2ContainerRegistry_V20150921.Fly"

    ecr.client.meta.events.register("before-call.ecr.DescribeRegistry", rename)
    with refused("UnknownOperationException"):
        ecr.client.describe_registry()


def test_bodies_that_are_no_json(ecr_aws):
    ecr = Ecr(ecr_aws)
    for bad in (b"{", b"[]", json.dumps({"repositoryName": 1}).encode(), b"\xff"):

        def replace(params, bad=bad, **_):
            params["body"] = bad

        ecr.client.meta.events.register("before-call.ecr.ListImages", replace)
        with refused("SerializationException"):
            ecr.client.list_images(repositoryName="ecr/any")
