"""ECR by boto3: images, what is told of them, and what refers to them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from support.aws import ACCOUNT, refused
from support.ecr import LIST, NEVER, SCHEMA_2, artifact, image, index
from support.images import CONFIG, IMAGE, INDEX, sha256

pytestmark = pytest.mark.needs_berth

COVERED = {"BatchDeleteImage", "BatchGetImage", "DescribeImages", "ListImageReferrers", "ListImages", "PutImage"}


def by_code(failures):
    """The image ids that failed, by why."""
    assert all(failure["failureReason"] for failure in failures), failures
    return {failure["failureCode"]: failure["imageId"] for failure in failures}


def pairs(ids):
    return sorted((entry.get("imageDigest"), entry.get("imageTag")) for entry in ids)


def test_an_image(ecr):
    name, made = ecr.create("images"), image()
    put = ecr.put(name, made, "v1")
    whole = {
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageId": {"imageDigest": made.digest, "imageTag": "v1"},
        "imageManifest": made.text,
        "imageManifestMediaType": IMAGE,
    }
    assert put == whole
    assert ecr.get(name, imageTag="v1") == whole
    assert ecr.get(name, imageTag="v1", imageDigest=made.digest) == whole
    by_digest = ecr.get(name, imageDigest=made.digest)
    assert by_digest["imageManifest"] == made.text and by_digest["imageId"]["imageDigest"] == made.digest


def test_manifests_stay_as_they_were_sent(ecr):
    """Byte by byte: the digest is that of the text, with its spaces and letters of all kinds."""
    name = ecr.create("images")
    made = image()
    text = json.dumps(json.loads(made.text) | {"annotations": {"by": "é 字 🦀"}}, indent=3, ensure_ascii=False) + "\n"
    for blob in made.blobs:
        ecr.upload(name, blob)
    put = ecr.client.put_image(repositoryName=name, imageManifest=text, imageDigest=sha256(text.encode()))["image"]
    assert put["imageId"] == {"imageDigest": sha256(text.encode())}
    assert ecr.get(name, **put["imageId"])["imageManifest"] == text


@pytest.mark.parametrize("media_type", [IMAGE, SCHEMA_2])
def test_media_types(ecr, media_type):
    """The manifest's own, or where it has none that of the request."""
    name = ecr.create("types")
    made, bare = image(media_type=media_type), image(media_type=media_type, mediaType=None)
    assert ecr.put(name, made, "own")["imageManifestMediaType"] == media_type
    assert ecr.put(name, made, "both", imageManifestMediaType=media_type)["imageManifestMediaType"] == media_type
    assert ecr.put(name, bare, "given", imageManifestMediaType=media_type)["imageManifestMediaType"] == media_type
    accepted = [IMAGE, SCHEMA_2, INDEX, LIST]
    asked = [{"imageTag": "own"}, {"imageTag": "given"}]
    answer = ecr.client.batch_get_image(repositoryName=name, imageIds=asked, acceptedMediaTypes=accepted)
    assert {found["imageManifestMediaType"] for found in answer["images"]} == {media_type}
    assert {found["imageManifest"] for found in answer["images"]} == {made.text, bare.text}
    details = ecr.details(name)
    assert {detail["imageManifestMediaType"] for detail in details.values()} == {media_type}


def test_tags_move(ecr):
    name, first, second = ecr.create("tags"), image(), image()
    assert ecr.put(name, first)["imageId"] == {"imageDigest": first.digest}
    ecr.put(name, first, "v1")
    ecr.put(name, first, "v2")
    assert ecr.tags(name) == {"v1": first.digest, "v2": first.digest}
    ecr.put(name, second, "v2")
    assert ecr.tags(name) == {"v1": first.digest, "v2": second.digest}
    with refused("ImageAlreadyExistsException", second.digest):
        ecr.put(name, second, "v2")
    with refused("ImageAlreadyExistsException", first.digest):
        ecr.put(name, first)
    ecr.put(name, second, "v1")
    ids = ecr.client.list_images(repositoryName=name)["imageIds"]
    assert pairs(ids) == pairs([
        {"imageDigest": first.digest},
        {"imageDigest": second.digest, "imageTag": "v1"},
        {"imageDigest": second.digest, "imageTag": "v2"},
    ]), "an image without tags is listed by its digest alone"  # fmt: skip


def test_several_at_once(ecr):
    """Answers and failures side by side, in one answer of 200."""
    name, made, other = ecr.create("batch"), image(), image()
    ecr.put(name, made, "v1")
    ecr.put(name, other, "v2")
    asked = {
        "ImageNotFound": {"imageTag": "never"},
        "ImageTagDoesNotMatchDigest": {"imageTag": "v1", "imageDigest": other.digest},
        "InvalidImageDigest": {"imageDigest": "sha256:short"},
        "InvalidImageTag": {"imageTag": "no spaces"},
        "MissingDigestAndTag": {},
    }
    good = [{"imageTag": "v1"}, {"imageDigest": other.digest}]
    answer = ecr.client.batch_get_image(repositoryName=name, imageIds=[*asked.values(), *good])
    assert by_code(answer["failures"]) == asked
    assert {found["imageManifest"] for found in answer["images"]} == {made.text, other.text}
    answer = ecr.client.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": NEVER}])
    assert answer["images"] == [] and by_code(answer["failures"]) == {"ImageNotFound": {"imageDigest": NEVER}}


def test_lists_by_tag_and_state(ecr):
    name, tagged, untagged = ecr.create("lists"), image(), image()
    ecr.put(name, tagged, "v1")
    ecr.put(name, untagged)
    for status, expected in {"TAGGED": {tagged.digest}, "UNTAGGED": {untagged.digest}}.items():
        listed = ecr.client.list_images(repositoryName=name, filter={"tagStatus": status})["imageIds"]
        assert {entry["imageDigest"] for entry in listed} == expected
        assert set(ecr.details(name, filter={"tagStatus": status})) == expected
    both = {tagged.digest, untagged.digest}
    for asked in ({"tagStatus": "ANY"}, {"imageStatus": "ACTIVE"}, {"imageStatus": "ANY"}):
        listed = ecr.client.list_images(repositoryName=name, filter=asked)["imageIds"]
        assert {entry["imageDigest"] for entry in listed} == both == set(ecr.details(name, filter=asked))
    for status in ("ARCHIVED", "ACTIVATING"):
        assert ecr.client.list_images(repositoryName=name, filter={"imageStatus": status})["imageIds"] == []


def test_details(ecr):
    name = ecr.create("details")
    made = image(b"x" * 1000, b"y" * 2000)
    ecr.put(name, made, "v2")
    ecr.put(name, made, "v1")
    (detail,) = ecr.details(name).values()
    assert abs(datetime.now(UTC) - detail.pop("imagePushedAt")) < timedelta(hours=1)
    size = detail.pop("imageSizeInBytes")
    assert 3000 <= size <= 3000 + len(made.blobs[0]) + len(made.manifest)
    assert sorted(detail.pop("imageTags")) == ["v1", "v2"]
    assert detail == {
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageDigest": made.digest,
        "imageManifestMediaType": IMAGE,
        "artifactMediaType": CONFIG,
        "imageStatus": "ACTIVE",
    }
    for asked in ({"imageTag": "v1"}, {"imageDigest": made.digest}, {"imageDigest": made.digest, "imageTag": "v2"}):
        (found,) = ecr.details(name, imageIds=[asked]).values()
        assert found["imageDigest"] == made.digest and sorted(found["imageTags"]) == ["v1", "v2"]
    ecr.put(name, image())
    (untagged,) = ecr.details(name, filter={"tagStatus": "UNTAGGED"}).values()
    assert "imageTags" not in untagged
    with refused("ImageNotFoundException", "never"):
        ecr.client.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "never"}])


def test_pushed_again_is_pushed_once(ecr):
    """A further tag leaves the time of the first push."""
    name, made = ecr.create("pushed"), image()
    ecr.put(name, made, "v1")
    first = ecr.details(name)[made.digest]["imagePushedAt"]
    ecr.put(name, made, "v2")
    assert ecr.details(name)[made.digest]["imagePushedAt"] == first


def test_an_index(ecr):
    name = ecr.create("index")
    small, large = image(b"s" * 100), image(b"l" * 5000)
    both = index(small, large)
    for child in (small, large):
        ecr.put(name, child)
    assert ecr.put(name, both, "many")["imageManifestMediaType"] == INDEX
    assert ecr.get(name, imageTag="many")["imageManifest"] == both.text
    details = ecr.details(name)
    assert details[both.digest]["imageSizeInBytes"] == details[large.digest]["imageSizeInBytes"]
    assert details[both.digest]["imageManifestMediaType"] == INDEX
    assert "imageTags" not in details[small.digest]


def test_children_stay_while_an_index_names_them(ecr):
    name, child = ecr.create("children"), image()
    both = index(child)
    ecr.put(name, child, "child")
    ecr.put(name, both, "many")
    asked = [{"imageDigest": child.digest}]
    answer = ecr.client.batch_delete_image(repositoryName=name, imageIds=asked)
    assert [failure["failureCode"] for failure in answer["failures"]] == ["ImageReferencedByManifestList"]
    assert not answer.get("imageIds") and both.digest in answer["failures"][0]["failureReason"]
    assert ecr.tags(name) == {"child": child.digest, "many": both.digest}
    ecr.client.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "many"}])
    answer = ecr.client.batch_delete_image(repositoryName=name, imageIds=asked)
    assert answer["failures"] == [] and ecr.details(name) == {}


def test_deletion_by_tag(ecr):
    """The tag goes; with the last one the image."""
    name, made = ecr.create("deletion"), image()
    for tag in ("v1", "v2"):
        ecr.put(name, made, tag)
    for tag, left in [("v1", {"v2": made.digest}), ("v2", {})]:
        answer = ecr.client.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": tag}])
        assert answer["failures"] == []
        assert answer["imageIds"] == [{"imageDigest": made.digest, "imageTag": tag}]
        assert ecr.tags(name) == left
    assert ecr.details(name) == {}
    answer = ecr.client.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": made.digest}])
    assert list(by_code(answer["failures"])) == ["ImageNotFound"]


def test_deletion_by_digest(ecr):
    """All tags go with it, and each is told."""
    name, made, untagged = ecr.create("deletion"), image(), image()
    for tag in ("v1", "v2"):
        ecr.put(name, made, tag)
    ecr.put(name, untagged)
    asked = [{"imageDigest": made.digest}, {"imageDigest": untagged.digest}]
    answer = ecr.client.batch_delete_image(repositoryName=name, imageIds=asked)
    assert answer["failures"] == []
    expected = [{"imageDigest": made.digest, "imageTag": tag} for tag in ("v1", "v2")]
    assert pairs(answer["imageIds"]) == pairs([*expected, {"imageDigest": untagged.digest}])
    assert ecr.details(name) == {}
    ecr.put(name, made, "v1")
    assert ecr.tags(name) == {"v1": made.digest}, "it may be pushed again"


def test_deletions_that_fail(ecr):
    name, made, other = ecr.create("deletion"), image(), image()
    ecr.put(name, made, "v1")
    ecr.put(name, other, "v2")
    asked = {
        "ImageNotFound": {"imageTag": "never"},
        "ImageTagDoesNotMatchDigest": {"imageTag": "v1", "imageDigest": other.digest},
        "InvalidImageDigest": {"imageDigest": "sha256:short"},
        "InvalidImageTag": {"imageTag": "no spaces"},
        "MissingDigestAndTag": {},
    }
    ids = [*asked.values(), {"imageTag": "v2"}]
    answer = ecr.client.batch_delete_image(repositoryName=name, imageIds=ids)
    assert by_code(answer["failures"]) == asked
    assert answer["imageIds"] == [{"imageDigest": other.digest, "imageTag": "v2"}]
    assert ecr.tags(name) == {"v1": made.digest}


def test_referrers(ecr):
    name, subject = ecr.create("referrers"), image()
    ecr.put(name, subject, "v1")
    signature = artifact(subject, "application/vnd.example.signature", by="alice")
    parts = artifact(subject, "application/vnd.example.sbom")
    for made in (signature, parts):
        ecr.put(name, made)

    def referrers(digest=subject.digest, **more):
        answer = ecr.client.list_image_referrers(repositoryName=name, subjectId={"imageDigest": digest}, **more)
        return {entry["digest"]: entry for entry in answer["referrers"]}

    found = referrers()
    assert set(found) == {signature.digest, parts.digest}
    assert found[signature.digest] == {
        "digest": signature.digest,
        "mediaType": IMAGE,
        "artifactType": "application/vnd.example.signature",
        "size": len(signature.manifest),
        "annotations": {"by": "alice"},
        "artifactStatus": "ACTIVE",
    }
    assert not found[parts.digest].get("annotations")
    assert set(referrers(filter={"artifactTypes": ["application/vnd.example.sbom"]})) == {parts.digest}
    assert set(referrers(filter={"artifactStatus": "ANY"})) == set(found)
    assert referrers(filter={"artifactStatus": "ARCHIVED"}) == {} == referrers(NEVER)
    detail = ecr.details(name)[parts.digest]
    assert detail["subjectManifestDigest"] == subject.digest
    assert detail["artifactMediaType"] == "application/vnd.example.sbom"
    ecr.client.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": parts.digest}])
    assert set(referrers()) == {signature.digest}


def test_unknown_members_are_ignored(ecr):
    """What a newer SDK may send."""
    name, made = ecr.create("newer"), image()
    ecr.put(name, made, "v1")

    def add(params, **_):
        params["body"] = json.dumps(json.loads(params["body"]) | {"notYetKnown": {"a": [1]}}).encode()

    ecr.client.meta.events.register("before-call.ecr.ListImages", add)
    assert ecr.tags(name) == {"v1": made.digest}


def test_its_operations_were_called(ecr_aws):
    """By the tests above: it means something when all of them ran."""
    assert not COVERED - {operation for _, operation in ecr_aws.called}
