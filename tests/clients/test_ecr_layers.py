"""ECR by boto3: layers, sent in parts and fetched from where ECR says that they are."""

import random
import uuid
from urllib.parse import urlsplit

import pytest

from support.aws import ACCOUNT, refused
from support.ecr import LEAST_PART, MOST_PART, NEVER, download, image
from support.images import sha256

pytestmark = pytest.mark.needs_berth

COVERED = {
    "BatchCheckLayerAvailability",
    "CompleteLayerUpload",
    "GetDownloadUrlForLayer",
    "InitiateLayerUpload",
    "UploadLayerPart",
}


def noise(size):
    """Bytes that do not repeat, and that no other call gave."""
    return random.Random(uuid.uuid4().int).randbytes(size)


def available(ecr, name, *digests):
    return ecr.client.batch_check_layer_availability(repositoryName=name, layerDigests=list(digests))


def test_a_layer_in_parts(ecr):
    name, data = ecr.create("layers"), noise(2 * LEAST_PART + 1)
    begun = ecr.client.initiate_layer_upload(repositoryName=name, registryId=ACCOUNT)
    upload = begun["uploadId"]
    assert uuid.UUID(upload) and begun["partSize"] == MOST_PART
    for first in range(0, len(data), LEAST_PART):
        part = data[first : first + LEAST_PART]
        answer = ecr.part(name, upload, first, part)
        answer.pop("ResponseMetadata")
        last = first + len(part) - 1
        told = {"registryId": ACCOUNT, "repositoryName": name, "uploadId": upload, "lastByteReceived": last}
        assert answer == told
    answer = ecr.client.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[sha256(data)])
    answer.pop("ResponseMetadata")
    told = {"registryId": ACCOUNT, "repositoryName": name, "uploadId": upload, "layerDigest": sha256(data)}
    assert answer == told
    (layer,) = available(ecr, name, sha256(data))["layers"]
    assert layer["layerAvailability"] == "AVAILABLE" and layer["layerSize"] == len(data)
    with refused("UploadNotFoundException"):
        ecr.part(name, upload, len(data), b"more")


def test_the_largest_part(ecr):
    name, data = ecr.create("layers"), noise(MOST_PART)
    assert ecr.upload(name, data) == sha256(data)


def test_what_there_is(ecr):
    name, made = ecr.create("layers"), image(b"a layer")
    ecr.put(name, made, "v1")
    config, layer = (sha256(blob) for blob in made.blobs)
    answer = available(ecr, name, layer, NEVER, "", "sha256:short", config)
    found = {entry.pop("layerDigest"): entry for entry in answer["layers"]}
    assert found == {
        layer: {"layerAvailability": "AVAILABLE", "layerSize": 7},
        config: {"layerAvailability": "AVAILABLE", "layerSize": len(made.blobs[0])},
        NEVER: {"layerAvailability": "UNAVAILABLE"},
    }
    failed = {failure["failureCode"]: failure["layerDigest"] for failure in answer["failures"]}
    assert failed == {"MissingLayerDigest": "", "InvalidLayerDigest": "sha256:short"}
    assert all(failure["failureReason"] for failure in answer["failures"])


def test_repositories_keep_their_layers_to_themselves(ecr):
    mine, other, data = ecr.create("layers"), ecr.create("layers"), noise(1000)
    ecr.upload(mine, data)
    (layer,) = available(ecr, other, sha256(data))["layers"]
    assert layer["layerAvailability"] == "UNAVAILABLE"
    with refused("LayersNotFoundException", sha256(data)):
        ecr.url(other, sha256(data))
    upload = ecr.client.initiate_layer_upload(repositoryName=mine)["uploadId"]
    with refused("UploadNotFoundException", upload):
        ecr.part(other, upload, 0, data)
    ecr.upload(other, data)
    (layer,) = available(ecr, other, sha256(data))["layers"]
    assert layer["layerAvailability"] == "AVAILABLE"


def test_downloads(ecr):
    """By whoever has the URL, without credentials, also a part of it; no letter of the URL may be another."""
    name, made = ecr.create("downloads"), image(noise(1_000_000))
    ecr.put(name, made, "v1")
    for blob in made.blobs:
        assert ecr.layer(name, sha256(blob)) == blob
    layer = made.blobs[1]
    url = ecr.url(name, sha256(layer))
    response = download(url, headers={"Range": "bytes=1000-1999"})
    assert response.status_code == 206 and response.content == layer[1000:2000]
    assert download(url).content == layer, "more than once"
    parts = urlsplit(url)
    assert parts.query, "what is signed is in the query"
    assert download(parts._replace(query="").geturl()).status_code in (401, 403)
    last = "0" if url[-1] != "0" else "1"
    assert download(url[:-1] + last).status_code in (400, 401, 403)


def test_a_layer_that_no_image_has(ecr):
    name, data = ecr.create("layers"), noise(100)
    ecr.upload(name, data)
    with refused("LayerInaccessibleException"):
        ecr.url(name, sha256(data))
    made = image(data)
    ecr.put(name, made, "v1")
    assert ecr.layer(name, sha256(data)) == data
    with refused("LayersNotFoundException"):
        ecr.url(name, NEVER)


def test_parts_begin_where_the_last_ended(ecr):
    """What is refused says how far the upload got, and from there it goes on."""
    name, data = ecr.create("layers"), noise(LEAST_PART + 100)
    upload = ecr.client.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.part(name, upload, 0, data[:LEAST_PART])
    for first in (LEAST_PART + 1, LEAST_PART - 1, 0):
        with refused("InvalidLayerPartException") as caught:
            ecr.part(name, upload, first, data[first:])
        told = {key: value for key, value in caught.value.response.items() if key[0].islower() and key != "message"}
        assert told == {
            "registryId": ACCOUNT,
            "repositoryName": name,
            "uploadId": upload,
            "lastValidByteReceived": LEAST_PART - 1,
        }
    ecr.part(name, upload, LEAST_PART, data[LEAST_PART:])
    assert ecr.complete(name, upload, sha256(data)) == sha256(data)


def test_parts_are_as_long_as_they_say(ecr):
    name = ecr.create("layers")
    upload = ecr.client.initiate_layer_upload(repositoryName=name)["uploadId"]
    for last in (1, 3, -1):
        asked = {"partFirstByte": 0, "partLastByte": last, "layerPartBlob": b"abc"}
        client = ecr.aws.client("ecr", parameter_validation=False)
        with pytest.raises((client.exceptions.InvalidLayerPartException, client.exceptions.InvalidParameterException)):
            client.upload_layer_part(repositoryName=name, uploadId=upload, **asked)
    ecr.part(name, upload, 0, b"abc")
    assert ecr.complete(name, upload, sha256(b"abc")) == sha256(b"abc")


def test_small_parts(ecr):
    """Only the last may be less than 5 MiB."""
    name, data = ecr.create("layers"), noise(LEAST_PART)
    upload = ecr.client.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.part(name, upload, 0, data[: LEAST_PART - 1])
    ecr.part(name, upload, LEAST_PART - 1, data[LEAST_PART - 1 :])
    with refused("LayerPartTooSmallException"):
        ecr.complete(name, upload, sha256(data))
    (layer,) = available(ecr, name, sha256(data))["layers"]
    assert layer["layerAvailability"] == "UNAVAILABLE"


def test_digests_are_checked(ecr):
    name, data = ecr.create("layers"), noise(100)
    upload = ecr.client.initiate_layer_upload(repositoryName=name)["uploadId"]
    with refused("EmptyUploadException"):
        ecr.complete(name, upload, sha256(b""))
    upload = ecr.client.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.part(name, upload, 0, data)
    with refused("InvalidLayerException"):
        ecr.complete(name, upload, NEVER)
    layers = available(ecr, name, NEVER, sha256(data))["layers"]
    assert [layer["layerAvailability"] for layer in layers] == ["UNAVAILABLE", "UNAVAILABLE"]


def test_a_layer_twice(ecr):
    name, data = ecr.create("layers"), noise(100)
    ecr.upload(name, data)
    upload = ecr.client.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.part(name, upload, 0, data)
    with refused("LayerAlreadyExistsException", sha256(data)):
        ecr.complete(name, upload, sha256(data))


def test_its_operations_were_called(ecr_aws):
    """By the tests above: it means something when all of them ran."""
    assert not COVERED - {operation for _, operation in ecr_aws.called}
