"""ECR by boto3: repositories, and which of their tags stay as they are."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from support.aws import ACCOUNT, refused
from support.ecr import arn, fresh, image
from support.images import sha256
from support.server import wait_until

pytestmark = pytest.mark.needs_berth

COVERED = {"CreateRepository", "DeleteRepository", "DescribeRepositories", "PutImageTagMutability"}


def filters(*patterns):
    return [{"filterType": "WILDCARD", "filter": pattern} for pattern in patterns]


def described(ecr, name):
    (found,) = ecr.client.describe_repositories(repositoryNames=[name])["repositories"]
    return found


def test_a_repository(ecr):
    name = fresh("team/a_b.c-d")
    made = ecr.client.create_repository(repositoryName=name)["repository"]
    created = made.pop("createdAt")
    assert abs(datetime.now(UTC) - created) < timedelta(hours=1)
    assert made == {
        "repositoryArn": arn(name),
        "registryId": ACCOUNT,
        "repositoryName": name,
        "repositoryUri": ecr.registry.ref(name),
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    assert described(ecr, name) == made | {"createdAt": created}
    deleted = ecr.client.delete_repository(repositoryName=name, registryId=ACCOUNT)["repository"]
    assert deleted["repositoryArn"] == arn(name) and deleted["createdAt"] == created
    with refused("RepositoryNotFoundException", f"The repository with name '{name}' does not exist"):
        ecr.client.describe_repositories(repositoryNames=[name])
    assert ecr.client.create_repository(repositoryName=name)["repository"]["repositoryName"] == name, "once more"


def test_a_repository_with_everything(ecr):
    name = fresh("full")
    given = {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters("dev-*", "latest"),
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "tier", "Value": ""}]
    made = ecr.client.create_repository(repositoryName=name, registryId=ACCOUNT, tags=tags, **given)["repository"]
    assert {member: made[member] for member in given} == given
    assert described(ecr, name) == made
    listed = ecr.client.list_tags_for_resource(resourceArn=arn(name))["tags"]
    assert sorted(listed, key=lambda tag: tag["Key"]) == tags


def test_repositories_are_described(ecr):
    names = sorted(ecr.create("described") for _ in range(3))
    asked = ecr.client.describe_repositories(repositoryNames=names[:2])["repositories"]
    assert sorted(found["repositoryName"] for found in asked) == names[:2]
    every = ecr.client.describe_repositories(registryId=ACCOUNT)["repositories"]
    assert set(names) <= {found["repositoryName"] for found in every}
    with refused("RepositoryNotFoundException", ACCOUNT):
        ecr.client.describe_repositories(repositoryNames=[names[0], "never-made"])


def test_names_within_names(ecr):
    """A path is no folder: the one repository says nothing of the other."""
    outer = ecr.create("nest")
    inner = ecr.client.create_repository(repositoryName=f"{outer}/inner")["repository"]["repositoryName"]
    ecr.put(inner, image(), "v1")
    assert ecr.tags(outer) == {}
    ecr.client.delete_repository(repositoryName=outer)
    assert list(ecr.tags(inner)) == ["v1"]


def test_what_is_not_empty(ecr):
    name, layer = ecr.create("full"), uuid.uuid4().bytes
    ecr.put(name, image(layer), "v1")
    with refused("RepositoryNotEmptyException", name):
        ecr.client.delete_repository(repositoryName=name)
    with refused("RepositoryNotEmptyException"):
        ecr.client.delete_repository(repositoryName=name, force=False)
    assert list(ecr.tags(name)) == ["v1"]
    ecr.client.delete_repository(repositoryName=name, force=True)
    ecr.client.create_repository(repositoryName=name)
    assert ecr.client.list_images(repositoryName=name)["imageIds"] == [], "what was there does not come back"
    layers = ecr.client.batch_check_layer_availability(repositoryName=name, layerDigests=[sha256(layer)])["layers"]
    assert [layer["layerAvailability"] for layer in layers] == ["UNAVAILABLE"]


def change(ecr, name, mutability, *patterns):
    """Sets which tags stay, and asserts that the answer and what is read later say so."""
    given = {"imageTagMutability": mutability}
    if patterns:
        given["imageTagMutabilityExclusionFilters"] = filters(*patterns)
    answer = ecr.client.put_image_tag_mutability(repositoryName=name, registryId=ACCOUNT, **given)
    answer.pop("ResponseMetadata")
    assert answer == {"registryId": ACCOUNT, "repositoryName": name, **given}
    found = described(ecr, name)
    assert found["imageTagMutability"] == mutability
    assert found.get("imageTagMutabilityExclusionFilters") == given.get("imageTagMutabilityExclusionFilters")
    ecr.aws.settle()


# What moves and what stays, by how the repository is set.
MUTABILITY = {
    ("MUTABLE",): (["v1", "dev-1"], []),
    ("IMMUTABLE",): ([], ["v1", "dev-1"]),
    ("IMMUTABLE_WITH_EXCLUSION", "dev-*", "*est"): (["dev-1", "latest"], ["v1", "my-dev-1"]),
    ("MUTABLE_WITH_EXCLUSION", "v*", "*-rc"): (["dev-1", "latest"], ["v1", "1.0-rc"]),
}


@pytest.mark.parametrize("setting", MUTABILITY, ids=lambda setting: setting[0])
def test_tags_that_move_and_tags_that_stay(ecr, setting):
    move, stay = MUTABILITY[setting]
    name = ecr.create("mutability")
    first, second = image(), image()
    for tag in (*move, *stay):
        ecr.put(name, first, tag)
    change(ecr, name, *setting)
    for tag in move:
        ecr.put(name, second, tag)
    for tag in stay:
        with refused("ImageTagAlreadyExistsException", tag):
            ecr.put(name, second, tag)
    new = ecr.put(name, second, "v-new")["imageId"]
    assert new == {"imageDigest": second.digest, "imageTag": "v-new"}, "a tag that is not there yet is free"
    named = {tag: second.digest for tag in (*move, "v-new")} | {tag: first.digest for tag in stay}
    assert ecr.tags(name) == named
    change(ecr, name, "MUTABLE")
    for tag in stay:
        ecr.put(name, second, tag)
    assert set(ecr.tags(name).values()) == {second.digest}


def test_immutable_tags_may_be_deleted(ecr):
    name = ecr.create("immutable", imageTagMutability="IMMUTABLE")
    first, second = image(), image()
    ecr.put(name, first, "v1")
    ecr.client.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    ecr.put(name, second, "v1")
    assert ecr.tags(name) == {"v1": second.digest}


def test_what_is_made_shows_at_the_other_door(ecr):
    """The same registry by the other interface, whose catalog has the name."""
    name = ecr.create("catalog")

    def listed():
        response = ecr.registry_api().call("GET", "/v2/_catalog?n=10000")
        return name in response.json()["repositories"]

    wait_until("the catalog to have the repository", listed)


def test_its_operations_were_called(ecr_aws):
    """By the tests above: it means something when all of them ran."""
    assert not COVERED - {operation for _, operation in ecr_aws.called}
