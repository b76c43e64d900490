"""Two doors of one registry: what clients push is there for ECR's operations, and what those made is there for clients."""

import gzip
import json
import random
import uuid

import pytest

from clients.test_logins import CLIENTS, Crane, is_forbidden
from support import images
from support.aws import ACCOUNT, Aws, allow, refused
from support.ecr import LEAST_PART, MIB, Ecr, fresh, image, lifecycle, policy
from support.images import BUSYBOX, CONFIG, IMAGE, LAYER_GZIP, Layout, canonical, layer_tar, sha256
from support.server import wait_until

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]


@pytest.fixture
def own(home):
    """An OCI layout with an image that no other test pushes, and the image's digest."""
    return images.single(home.path / "layout", f"hello from {uuid.uuid4()}")


@pytest.fixture(params=CLIENTS)
def client(request, own, ecr):
    """Each client program, logged in by a token."""
    client = CLIENTS[request.param](request, *own)
    client.login(ecr.aws.login(ecr.aws.administrator))
    return client


@pytest.fixture
def crane(request, own, ecr):
    crane = Crane(request, *own)
    crane.login(ecr.aws.login(ecr.aws.administrator))
    return crane


def parts_of(text):
    manifest = json.loads(text)
    return [manifest["config"], *manifest["layers"]]


def test_pushed_by_a_client_and_read_by_ecr(client, ecr):
    name = ecr.create("doors")
    client.push(ecr.registry.ref(f"{name}:v1"))
    found = ecr.get(name, imageTag="v1")
    digest = found["imageId"]["imageDigest"]
    assert sha256(found["imageManifest"].encode()) == digest == ecr.registry_api().digest(name, "v1")
    parts = parts_of(found["imageManifest"])
    for part in parts:
        data = ecr.layer(name, part["digest"])
        assert sha256(data) == part["digest"] and len(data) == part["size"]
    digests = [part["digest"] for part in parts]
    layers = ecr.client.batch_check_layer_availability(repositoryName=name, layerDigests=digests)["layers"]
    assert {layer["layerAvailability"] for layer in layers} == {"AVAILABLE"}
    detail = ecr.details(name)[digest]
    assert detail["imageTags"] == ["v1"] and detail["imageManifestMediaType"] == found["imageManifestMediaType"]
    assert detail["imageSizeInBytes"] >= sum(part["size"] for part in parts[1:])


def big_image(folder):
    """A layout with an image that runs, one layer of which takes three parts; its digest."""
    layout = Layout(folder)
    noise = random.Random(str(folder)).randbytes(2 * LEAST_PART + MIB)
    layers = [
        layer_tar({"bin/busybox": (BUSYBOX.read_bytes(), 0o755), "noise": (noise, 0o644)}),
        layer_tar({"message": (b"put together by boto3\n", 0o644)}),
    ]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["cat", "/message"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": layout.add(canonical(config), CONFIG),
        "layers": [layout.add(gzip.compress(layer, 1, mtime=0), LAYER_GZIP) for layer in layers],
    }
    return layout, layout.tag(layout.add(canonical(manifest), IMAGE), "big")


def test_put_together_by_ecr_and_run_by_clients(crane, docker, ecr):
    name = ecr.create("doors")
    layout, digest = big_image(crane.home.path / "big")
    text = layout.blob(digest).decode()
    for part in parts_of(text):
        ecr.upload(name, layout.blob(part["digest"]), part=LEAST_PART)
    put = ecr.client.put_image(repositoryName=name, imageManifest=text, imageTag="v1", imageDigest=digest)["image"]
    assert put["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    ref = ecr.registry.ref(f"{name}:v1")
    crane.pull(ref)
    Layout(crane.home.path / "pulled").holds(layout, digest)
    crane.home.run("crane", "validate", "--remote", ref)
    docker.login(ecr.aws.login(ecr.aws.administrator))
    docker("pull", ref)
    assert docker("run", "--rm", "--network", "none", ref).strip() == "put together by boto3"
    assert docker.inspect(ref, "{{index .RepoDigests 0}}") == ecr.registry.ref(f"{name}@{digest}")


def test_what_the_one_deletes_is_gone_for_the_other(crane, ecr):
    name = ecr.create("doors")
    ref = ecr.registry.ref(name)
    for tag in ("v1", "v2"):
        crane.push(f"{ref}:{tag}")
    crane.home.run("crane", "delete", f"{ref}:v1")
    assert ecr.tags(name) == {"v2": crane.digest}
    ecr.client.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v2"}])
    assert "MANIFEST_UNKNOWN" in crane.home.run("crane", "manifest", f"{ref}:v2", fails=True)
    ecr.client.delete_repository(repositoryName=name)
    assert "NAME_UNKNOWN" in crane.home.run("crane", "ls", ref, fails=True)


def test_an_index_from_a_client(request, ecr, many):
    layout, digest = many
    name, crane = ecr.create("doors"), Crane(request, layout, digest)
    crane.login(ecr.aws.login(ecr.aws.administrator))
    crane.home.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", ecr.registry.host)
    crane.home.run("regctl", "image", "copy", f"ocidir://{layout.path}:many", ecr.registry.ref(f"{name}:many"))
    found = ecr.get(name, imageTag="many")
    assert found["imageManifest"].encode() == layout.blob(digest)
    children = [child["digest"] for child in json.loads(found["imageManifest"])["manifests"]]
    details = ecr.details(name)
    assert set(details) == {digest, *children}
    assert details[digest]["imageSizeInBytes"] == max(details[child]["imageSizeInBytes"] for child in children)
    answer = ecr.client.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": children[0]}])
    assert [failure["failureCode"] for failure in answer["failures"]] == ["ImageReferencedByManifestList"]


def test_referrers_from_a_client(request, ecr, own):
    name, oras = ecr.create("doors"), CLIENTS["oras"](request, *own)
    oras.login(ecr.aws.login(ecr.aws.administrator))
    oras.push(ecr.registry.ref(f"{name}:v1"))
    oras.home.file("sbom.json", "{}\n")
    attached = oras.home.json(
        "oras", "attach", "--plain-http", "--artifact-type", "application/vnd.example.sbom", "--format", "json",
        ecr.registry.ref(f"{name}:v1"), "sbom.json:application/json",
    )  # fmt: skip
    answer = ecr.client.list_image_referrers(repositoryName=name, subjectId={"imageDigest": oras.digest})
    assert [entry["digest"] for entry in answer["referrers"]] == [attached["digest"]]
    assert answer["referrers"][0]["artifactType"] == "application/vnd.example.sbom"
    assert ecr.details(name)[attached["digest"]]["subjectManifestDigest"] == oras.digest


def test_pulls_are_noted(crane, ecr):
    name = ecr.create("doors")
    ref = ecr.registry.ref(f"{name}:v1")
    crane.push(ref)
    ecr.put(name, image(), "never-pulled")
    crane.pull(ref)

    def pulled():
        return ecr.details(name)[crane.digest].get("lastRecordedPullTime")

    wait_until("the time of the pull to be told", pulled)
    (other,) = ecr.details(name, imageIds=[{"imageTag": "never-pulled"}]).values()
    assert "lastRecordedPullTime" not in other


def test_who_is_left_out_of_the_times_of_pulls(crane, ecr):
    """A scanner, say: what it pulls counts for nothing."""
    account, name, user = ecr.aws.own_account(), ecr.create("doors"), fresh("scanner")
    key = account.user(user, policy=allow("ecr:*"))
    ecr.client.register_pull_time_update_exclusion(principalArn=account.arn("user", user))
    ecr.aws.settle()
    for repository in (name, ecr.create("doors")):
        crane.login(ecr.aws.login(ecr.aws.administrator))
        ref = ecr.registry.ref(f"{repository}:v1")
        crane.push(ref)
        crane.login(ecr.aws.login(key))
        crane.pull(ref)
    # A pull that counts, by which it is known that the others were looked at.
    crane.login(ecr.aws.login(ecr.aws.administrator))
    crane.pull(ref)
    wait_until("a pull to be told", lambda: "lastRecordedPullTime" in ecr.details(repository)[crane.digest])
    assert "lastRecordedPullTime" not in ecr.details(name)[crane.digest]
    ecr.client.deregister_pull_time_update_exclusion(principalArn=account.arn("user", user))


@pytest.mark.parametrize("kind", ["docker", "crane"])
def test_tags_that_stay_refuse_pushes(request, kind, own, ecr):
    name = ecr.create("doors", imageTagMutability="IMMUTABLE")
    ref = ecr.registry.ref(f"{name}:v1")
    other = images.single(own[0].path.parent / "other", f"hello from {uuid.uuid4()}")
    client = CLIENTS[kind](request, *own)
    client.login(ecr.aws.login(ecr.aws.administrator))
    client.push(ref)
    before = ecr.tags(name)
    client.layout, client.digest, client.folder = *other, None
    said = client.push(ref, fails=True)
    assert "immutable" in said.lower(), said
    assert ecr.tags(name) == before
    client.push(ecr.registry.ref(f"{name}:v2"))
    filters = [{"filterType": "WILDCARD", "filter": "v*"}]
    ecr.client.put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    ecr.aws.settle()
    client.push(ref)
    assert ecr.tags(name)["v1"] == ecr.tags(name)["v2"] != before["v1"]


def test_a_policy_of_a_repository_opens_it_to_clients(crane, ecr):
    """To a user whose own policies let it log in and no more."""
    account, name, user = ecr.aws.own_account(), ecr.create("doors"), fresh("guest")
    ref = ecr.registry.ref(f"{name}:v1")
    crane.push(ref)
    key = account.user(user, policy=allow("ecr:GetAuthorizationToken"))
    crane.login(ecr.aws.login(key))
    said = crane.pull(ref, fails=True)
    assert is_forbidden(said), said
    principal = {"AWS": account.arn("user", user)}
    text = policy("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", principal=principal)
    ecr.client.set_repository_policy(repositoryName=name, policyText=text)
    ecr.aws.settle()
    crane.pull(ref)
    assert is_forbidden(crane.push(ecr.registry.ref(f"{name}:v2"), fails=True))
    ecr.client.delete_repository_policy(repositoryName=name)
    ecr.aws.settle()
    assert is_forbidden(crane.pull(ref, fails=True))


@pytest.fixture(scope="module")
def by_template(serve, node_count):
    """ECR of a registry in which a push makes a repository where a template says so, as in AWS."""
    with serve("ecr-template", settings={"BERTH_REPOSITORIES__CREATE_ON_PUSH": "template"}) as server:
        yield Ecr(Aws(server.registry(), node_count))


def test_templates_make_repositories(request, own, by_template):
    ecr, crane = by_template, Crane(request, *own)
    crane.login(ecr.aws.login(ecr.aws.administrator))
    ref = ecr.registry.ref("team/app:v1")
    said = crane.push(ref, fails=True)
    assert "NAME_UNKNOWN" in said or "does not exist" in said, said
    template = {
        "appliedFor": ["CREATE_ON_PUSH"],
        "resourceTags": [{"Key": "team", "Value": "blue"}],
        "imageTagMutability": "IMMUTABLE",
        "repositoryPolicy": policy("ecr:BatchGetImage"),
        "lifecyclePolicy": lifecycle(),
        "customRoleArn": f"arn:aws:iam::{ACCOUNT}:role/for-templates",
    }
    ecr.client.create_repository_creation_template(prefix="team", **template)
    # Not for pushes, and so of no use to them.
    ecr.client.create_repository_creation_template(prefix="other", appliedFor=["REPLICATION"])
    ecr.aws.settle()
    crane.push(ref)
    (made,) = ecr.client.describe_repositories(repositoryNames=["team/app"])["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert ecr.tags("team/app") == {"v1": crane.digest}
    assert ecr.client.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == template["resourceTags"]
    assert ecr.client.get_lifecycle_policy(repositoryName="team/app")["lifecyclePolicyText"] == lifecycle()
    assert "ecr:BatchGetImage" in ecr.client.get_repository_policy(repositoryName="team/app")["policyText"]
    for name in ("teams/app", "other/app", "app"):
        crane.push(ecr.registry.ref(f"{name}:v1"), fails=True)
        with refused("RepositoryNotFoundException"):
            ecr.client.describe_repositories(repositoryNames=[name])


def test_the_longest_prefix_decides(request, own, by_template):
    ecr, crane = by_template, Crane(request, *own)
    crane.login(ecr.aws.login(ecr.aws.administrator))
    for prefix, mutability in {"long": "IMMUTABLE", "long/er": "MUTABLE", "ROOT": "IMMUTABLE"}.items():
        ecr.client.create_repository_creation_template(
            prefix=prefix, appliedFor=["CREATE_ON_PUSH"], imageTagMutability=mutability
        )
    ecr.aws.settle()
    for name, mutability in {"long/a": "IMMUTABLE", "long/er/a": "MUTABLE", "any": "IMMUTABLE"}.items():
        crane.push(ecr.registry.ref(f"{name}:v1"))
        (made,) = ecr.client.describe_repositories(repositoryNames=[name])["repositories"]
        assert made["imageTagMutability"] == mutability, name
    ecr.client.delete_repository_creation_template(prefix="ROOT")
