"""AWS's command line for ECR: what the first page of its guide does, and more of it."""

import json
import sys
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from clients.test_docker import build, pushed_digest
from support.aws import ACCOUNT, REGION
from support.ecr import UNSERVED, arn, fresh, image, lifecycle, policy, requests_of
from support.images import sha256

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

AWS = Path(sys.executable).parent / "aws"


@pytest.fixture
def cli(home, ecr_aws):
    """`aws ecr` by the administrator, told of the registry as users tell it."""
    key = ecr_aws.administrator
    home.env |= {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_ECR": ecr_aws.registry.url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
        "NO_PROXY": "*",
    }
    home.ecr = lambda *arguments, **options: home.run(AWS, "ecr", *arguments, **options)
    home.told = lambda *arguments: json.loads(home.out(AWS, "ecr", *arguments, "--output", "json") or "{}")
    return home


def test_the_guide(cli, docker, ecr):
    """Create a repository, log in, push, look, pull, delete."""
    name, registry = fresh("cli/guide"), ecr.registry
    made = cli.told("create-repository", "--repository-name", name, "--tags", "Key=team,Value=blue")["repository"]
    assert made["repositoryUri"] == registry.ref(name) and made["repositoryArn"] == arn(name)
    password = cli.out(AWS, "ecr", "get-login-password").rstrip("\n")
    said = docker("login", "--username", "AWS", "--password-stdin", registry.host, input=password)
    assert "Login Succeeded" in said
    build(docker, made["repositoryUri"] + ":v1")
    digest = pushed_digest(docker("push", made["repositoryUri"] + ":v1"))
    (detail,) = cli.told("describe-images", "--repository-name", name)["imageDetails"]
    assert detail["imageDigest"] == digest and detail["imageTags"] == ["v1"]
    listed = cli.ecr("list-images", "--repository-name", name, "--query", "imageIds[].imageTag", "--output", "text")
    assert listed.split() == ["v1"]
    docker("rmi", made["repositoryUri"] + ":v1")
    docker("pull", made["repositoryUri"] + ":v1")
    said = cli.ecr("delete-repository", "--repository-name", name, fails=True)
    assert "(RepositoryNotEmptyException) when calling the DeleteRepository operation" in said
    gone = cli.told("batch-delete-image", "--repository-name", name, "--image-ids", "imageTag=v1")
    assert gone == {"imageIds": [{"imageDigest": digest, "imageTag": "v1"}], "failures": []}
    cli.told("delete-repository", "--repository-name", name)
    said = cli.ecr("describe-repositories", "--repository-names", name, fails=True)
    assert "(RepositoryNotFoundException)" in said


def test_a_further_tag(cli, ecr):
    """As the guide has it: the manifest of the one is put under the other."""
    name, made = ecr.create("cli"), image()
    ecr.put(name, made, "v1")
    of = ["--repository-name", name]
    manifest = cli.out(
        AWS, "ecr", "batch-get-image", *of, "--image-ids", "imageTag=v1",
        "--query", "images[].imageManifest", "--output", "text",
    )  # fmt: skip
    path = cli.file("manifest.json", manifest.rstrip("\n"))
    assert path.read_text() == made.text
    put = ["put-image", *of, "--image-tag", "v2", "--image-manifest", f"file://{path}"]
    assert cli.told(*put)["image"]["imageId"] == {"imageDigest": made.digest, "imageTag": "v2"}
    assert ecr.tags(name) == {"v1": made.digest, "v2": made.digest}
    assert "(ImageAlreadyExistsException) when calling the PutImage operation" in cli.ecr(*put, fails=True)
    got = cli.told("batch-get-image", *of, "--image-ids", "imageTag=v1", f"imageDigest={sha256(b'other')}")
    assert [found["imageId"]["imageTag"] for found in got["images"]] == ["v1"]
    assert [failure["failureCode"] for failure in got["failures"]] == ["ImageNotFound"]


def test_layers(cli, ecr):
    """Each of a layer's five operations, with a file as its blob."""
    name, layer = ecr.create("cli"), "a layer by hand"
    of, path = ["--repository-name", name], cli.file("layer", layer)
    upload = cli.told("initiate-layer-upload", *of)["uploadId"]
    to = [*of, "--upload-id", upload]
    span = ["--part-first-byte", "0", "--part-last-byte", str(len(layer) - 1)]
    assert cli.told("upload-layer-part", *to, *span, "--layer-part-blob", f"fileb://{path}")["lastByteReceived"] == 14
    digest = sha256(layer.encode())
    assert cli.told("complete-layer-upload", *to, "--layer-digests", digest)["layerDigest"] == digest
    (found,) = cli.told("batch-check-layer-availability", *of, "--layer-digests", digest)["layers"]
    assert found["layerAvailability"] == "AVAILABLE" and found["layerSize"] == len(layer)
    ecr.put(name, image(layer.encode()), "v1")
    url = cli.told("get-download-url-for-layer", *of, "--layer-digest", digest)["downloadUrl"]
    assert cli.out("curl", "--fail", "--silent", "--noproxy", "*", url) == layer


def test_settings(cli, ecr):
    name = ecr.create("cli")
    of = ["--repository-name", name]
    text = cli.file("lifecycle.json", lifecycle())
    cli.told("put-lifecycle-policy", *of, "--lifecycle-policy-text", f"file://{text}")
    assert cli.told("get-lifecycle-policy", *of)["lifecyclePolicyText"] == lifecycle()
    text = cli.file("policy.json", policy("ecr:BatchGetImage"))
    cli.told("set-repository-policy", *of, "--policy-text", f"file://{text}")
    assert "ecr:BatchGetImage" in cli.told("get-repository-policy", *of)["policyText"]
    cli.told("tag-resource", "--resource-arn", arn(name), "--tags", "Key=team,Value=blue")
    assert cli.told("list-tags-for-resource", "--resource-arn", arn(name))["tags"] == [{"Key": "team", "Value": "blue"}]
    cli.told("put-image-tag-mutability", *of, "--image-tag-mutability", "IMMUTABLE")
    (found,) = cli.told("describe-repositories", "--repository-names", name)["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert cli.told("describe-registry")["registryId"] == ACCOUNT
    assert cli.told("get-account-setting", "--name", "REGISTRY_POLICY_SCOPE")["value"] == "V2"


def test_pages(cli, ecr):
    name = ecr.create("cli")
    for nth in range(5):
        ecr.put(name, image(), f"v{nth}")
    asked = ["list-images", "--repository-name", name, "--page-size", "2"]
    assert cli.ecr(*asked, "--query", "length(imageIds)", "--output", "text").split() == ["2", "2", "1"]
    first = cli.told(*asked, "--max-items", "3")
    rest = cli.told(*asked, "--starting-token", first["NextToken"])
    tags = {entry["imageTag"] for entry in first["imageIds"] + rest["imageIds"]}
    assert len(first["imageIds"]) == 3 and tags == {f"v{nth}" for nth in range(5)}


def test_waiting(cli, ecr):
    """Nobody waits five minutes for what does not come."""
    name = ecr.create("cli")
    ecr.put(name, image(), "v1")
    of = ["--repository-name", name]
    scan, preview = ["image-scan-complete", *of, "--image-id", "imageTag=v1"], ["lifecycle-policy-preview-complete", *of]
    for waiting in (scan, preview):
        said = cli.ecr("wait", *waiting, fails=True, timeout=60)
        assert "UnsupportedOperationException" in said and "Max attempts" not in said


SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecr-pullthroughcache/hub-AbCdEf"
OF_LAYERS = ["UploadLayerPart", "CompleteLayerUpload", "GetDownloadUrlForLayer"]  # test_layers
IN_ORDER = """
    CreateRepository DescribeRepositories GetAuthorizationToken InitiateLayerUpload BatchCheckLayerAvailability PutImage
    DescribeImages ListImages BatchGetImage ListImageReferrers PutImageTagMutability PutImageScanningConfiguration
    BatchGetRepositoryScanningConfiguration PutLifecyclePolicy GetLifecyclePolicy DeleteLifecyclePolicy
    SetRepositoryPolicy GetRepositoryPolicy DeleteRepositoryPolicy TagResource ListTagsForResource UntagResource
    PutRegistryPolicy GetRegistryPolicy DeleteRegistryPolicy CreatePullThroughCacheRule DescribePullThroughCacheRules
    UpdatePullThroughCacheRule DeletePullThroughCacheRule CreateRepositoryCreationTemplate
    DescribeRepositoryCreationTemplates UpdateRepositoryCreationTemplate DeleteRepositoryCreationTemplate
    PutReplicationConfiguration DescribeRegistry PutRegistryScanningConfiguration GetRegistryScanningConfiguration
    PutSigningConfiguration GetSigningConfiguration DeleteSigningConfiguration RegisterPullTimeUpdateExclusion
    ListPullTimeUpdateExclusions DeregisterPullTimeUpdateExclusion PutAccountSetting GetAccountSetting
    BatchDeleteImage DeleteRepository
""".split()


def test_every_working_operation(cli, ecr):
    """Each once, by a request in JSON, in an order in which all of them come to something."""
    model = botocore.session.get_session().get_service_model("ecr")
    assert sorted([*IN_ORDER, *OF_LAYERS, *UNSERVED]) == sorted(model.operation_names)
    name, made = fresh("cli/every"), image()
    asked = requests_of(name)
    asked["PutImage"] = asked["PutImage"] | {"imageManifest": made.text, "imageTag": "v1"}
    rule = {"ecrRepositoryPrefix": "nobody", "credentialArn": SECRET}
    asked["CreatePullThroughCacheRule"] = rule | {"upstreamRegistryUrl": "registry-1.docker.io"}
    asked["UpdatePullThroughCacheRule"] = rule
    asked["DeleteRepository"] = asked["DeleteRepository"] | {"force": True}
    for operation in IN_ORDER:
        if operation == "PutImage":
            ecr.put(name, made, "v0")
        path = cli.file(f"{operation}.json", json.dumps(asked[operation]))
        command = xform_name(operation, "-")
        answer = cli.told(command, "--cli-input-json", f"file://{path}")
        assert not answer.get("failures"), (operation, answer)
