"""ECR by boto3: each exception of botocore's model is provoked for each operation that is served, or there is a reason why
it cannot be.

Values that break the constraints of a shape are an `InvalidParameterException`, as AWS says it ("Invalid parameter at ...
failed to satisfy constraint"); what breaks a rule that is in no shape is a `ValidationException` where the operation has it.
"""

import pytest
from botocore import xform_name
from botocore.model import ServiceModel

from support.aws import ACCOUNT, LOADER, REGION, Aws, allow, refused
from support.ecr import (
    LEAST_PART,
    MIB,
    NEVER,
    UNSERVED,
    Ecr,
    arn,
    fresh,
    image,
    index,
    lifecycle,
    policy,
    replication,
    requests_of,
    scanning,
    signing,
)

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

MODEL = ServiceModel(LOADER.load_service_model("ecr", "service-2"))
MODELLED = {
    (name, error.name)
    for name in MODEL.operation_names
    if name not in UNSERVED
    for error in MODEL.operation_model(name).error_shapes
}
FEW = {"REPOSITORIES": 3, "IMAGES_PER_REPOSITORY": 2, "TAGS_PER_IMAGE": 2, "UPLOAD_PARTS": 2}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/for-ecr"

# Why an exception cannot be provoked: of any operation, or of one.
NEVER_PROVOKED = {
    "ServerException": "it tells of a fault of the server",
    "UnableToGetUpstreamImageException": "no upstream is asked yet",
    "UnableToGetUpstreamLayerException": "no upstream is asked yet",
    "UnableToListUpstreamImageReferrersException": "no upstream is asked yet",
    "BlockedByOrganizationPolicyException": "there are no organizations",
    "UnableToAccessSecretException": "there is no manager of secrets to ask yet",
    "UnableToDecryptSecretValueException": "there is no manager of secrets to ask yet",
    "SecretNotFoundException": "there is no manager of secrets to ask yet",
}
SHAPES_ONLY = "all that can be wrong with a request is in its shapes, and that is an InvalidParameterException"
NO_INPUT = "it has no input"
NO_KEYS = "no repository is encrypted with a key of KMS: CreateRepository refuses it"
NO_QUOTA = "there is no limit of it"
REASONS = {
    **{
        (name, "KmsException"): NO_KEYS
        for name in ("CompleteLayerUpload", "DeleteRepository", "InitiateLayerUpload", "PutImage", "UploadLayerPart")
    },
    **{
        (name, "ValidationException"): SHAPES_ONLY
        for name in (
            "BatchGetRepositoryScanningConfiguration",
            "DeleteLifecyclePolicy",
            "DeletePullThroughCacheRule",
            "DeleteRepositoryCreationTemplate",
            "DeregisterPullTimeUpdateExclusion",
            "DescribePullThroughCacheRules",
            "DescribeRepositoryCreationTemplates",
            "GetLifecyclePolicy",
            "ListImageReferrers",
            "ListPullTimeUpdateExclusions",
            "PutImageScanningConfiguration",
            "RegisterPullTimeUpdateExclusion",
        )
    },
    **{
        (name, error): NO_INPUT
        for name in (
            "DeleteRegistryPolicy",
            "DeleteSigningConfiguration",
            "DescribeRegistry",
            "GetRegistryPolicy",
            "GetRegistryScanningConfiguration",
            "GetSigningConfiguration",
        )
        for error in ("InvalidParameterException", "ValidationException")
        if (name, error) in MODELLED
    },
    ("BatchGetImage", "LimitExceededException"): "how many may be asked for is in the shape",
    ("BatchGetRepositoryScanningConfiguration", "RepositoryNotFoundException"): "it is a failure within the answer",
    ("CreateRepositoryCreationTemplate", "LimitExceededException"): NO_QUOTA,
    ("DeregisterPullTimeUpdateExclusion", "LimitExceededException"): "it makes nothing",
    ("ListPullTimeUpdateExclusions", "LimitExceededException"): "it makes nothing",
    ("PutAccountSetting", "LimitExceededException"): NO_QUOTA,
    ("PutLifecyclePolicy", "ValidationException"): "AWS calls a bad policy an InvalidParameterException",
    ("PutRegistryPolicy", "ValidationException"): "AWS calls a bad policy an InvalidParameterException",
    ("UntagResource", "TooManyTagsException"): "it takes tags away",
}


class Bench:
    """What requests are about: a repository, and an image in it; names that nobody has. The client checks nothing itself."""

    def __init__(self, aws):
        self.ecr = Ecr(aws, parameter_validation=False)
        self.client = self.ecr.client
        self.name = self.ecr.create("refusals")
        self.named = {"repositoryName": self.name}
        self.gone = fresh("never-made")

    def asked(self, operation, **changed):
        """A good request about the repository that is there, or to make one, with other values or without these (`...`)."""
        name = self.gone if operation == "CreateRepository" else self.name
        request = requests_of(name)[operation] | changed
        return {member: value for member, value in request.items() if value is not ...}

    def image(self, tag=None, **more):
        made = image()
        self.ecr.put(self.name, made, tag, **more)
        return made

    def upload(self, *parts):
        """An upload that has these parts."""
        upload = self.client.initiate_layer_upload(**self.named)["uploadId"]
        for nth, part in enumerate(parts):
            self.ecr.part(self.name, upload, sum(map(len, parts[:nth])), part)
        return self.named | {"uploadId": upload}

    def tagged(self, tag="v1"):
        """A request to put another image under a tag that is taken in a repository where tags stay."""
        self.client.put_image_tag_mutability(**self.named, imageTagMutability="IMMUTABLE")
        self.image(tag)
        return self.whole(image()) | {"imageTag": tag}

    def whole(self, made):
        for blob in made.blobs:
            self.ecr.upload(self.name, blob)
        return self.named | {"imageManifest": made.text}

    def twice(self, operation, **request):
        """A request that was done once."""
        getattr(self.client, xform_name(operation))(**request)
        return request

    def template(self, **more):
        return self.twice("CreateRepositoryCreationTemplate", prefix=fresh("t"), appliedFor=["REPLICATION"], **more)

    def rule(self, **more):
        return {"ecrRepositoryPrefix": fresh("rule"), "upstreamRegistryUrl": "public.ecr.aws"} | more

    def exclusions(self):
        """All that there may be of them, and one more."""
        principals = [f"{ROLE}-{nth}" for nth in range(101)]
        listed = self.client.list_pull_time_update_exclusions(maxResults=1000)["pullTimeUpdateExclusions"]
        for principal in principals[: 100 - len(listed)]:
            self.client.register_pull_time_update_exclusion(principalArn=principal)
        return {"principalArn": principals[-1]}

    def rules(self):
        """All that there may be of them, and one more."""
        listed = self.client.describe_pull_through_cache_rules(maxResults=1000)["pullThroughCacheRules"]
        for _ in range(50 - len(listed)):
            self.client.create_pull_through_cache_rule(**self.rule())
        return self.rule()

    def clear(self):
        """Takes away what counts against the limits of the registry."""
        for principal in self.client.list_pull_time_update_exclusions(maxResults=1000)["pullTimeUpdateExclusions"]:
            self.client.deregister_pull_time_update_exclusion(principalArn=principal)
        for rule in self.client.describe_pull_through_cache_rules(maxResults=1000)["pullThroughCacheRules"]:
            self.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=rule["ecrRepositoryPrefix"])


# Profiles must be in the registry's region.
OF_ANOTHER_REGION = {"rules": [{"signingProfileArn": f"arn:aws:signer:eu-west-1:{ACCOUNT}:/signing-profiles/release"}]}
TAG = {"Key": "team", "Value": "blue"}
TOO_MANY = [{"Key": f"k{nth}", "Value": ""} for nth in range(51)]
BAD_NAME = {"repositoryName": "UPPER"}
BAD_FILTER, GOOD_FILTER = ([{"filterType": "WILDCARD", "filter": text}] for text in ("no spaces", "dev-*"))


def of_constraints():
    """Of each operation a request whose shape is broken."""
    broken = {
        "BatchGetRepositoryScanningConfiguration": {"repositoryNames": []},
        "CreatePullThroughCacheRule": {"ecrRepositoryPrefix": "a"},
        "CreateRepositoryCreationTemplate": {"appliedFor": ["ALWAYS"]},
        "DeletePullThroughCacheRule": {"ecrRepositoryPrefix": "a"},
        "DeleteRepositoryCreationTemplate": {"prefix": ""},
        "DeregisterPullTimeUpdateExclusion": {"principalArn": "somebody"},
        "DescribePullThroughCacheRules": {"maxResults": 1001},
        "DescribeRepositories": {"repositoryNames": ["UPPER"]},
        "DescribeRepositoryCreationTemplates": {"maxResults": 0},
        "GetAccountSetting": {"name": ""},
        "GetAuthorizationToken": {"registryIds": ["1"]},
        "ListPullTimeUpdateExclusions": {"maxResults": 0},
        "ListTagsForResource": {"resourceArn": "arn:aws:s3:::bucket"},
        "PutAccountSetting": {"name": "a" * 65},
        "PutRegistryPolicy": {"policyText": "{}"},
        "PutRegistryScanningConfiguration": {"scanType": "NONE"},
        "PutReplicationConfiguration": {"replicationConfiguration": ...},
        "PutSigningConfiguration": {"signingConfiguration": {}},
        "RegisterPullTimeUpdateExclusion": {"principalArn": "somebody"},
        "TagResource": {"resourceArn": "no ARN"},
        "UntagResource": {"tagKeys": ...},
        "UpdatePullThroughCacheRule": {"credentialArn": "short"},
        "UpdateRepositoryCreationTemplate": {"imageTagMutability": "SOMETIMES"},
    }
    for name, error in MODELLED:
        if error == "InvalidParameterException" and (name, error) not in REASONS:
            changed = broken.get(name, BAD_NAME)
            yield (name, error), lambda bench, name=name, changed=changed: bench.asked(name, **changed)


def of_missing_repositories():
    for name, error in MODELLED:
        if error == "RepositoryNotFoundException" and (name, error) not in REASONS:
            yield (name, error), lambda bench, name=name: requests_of(bench.gone)[name]


CASES = {
    ("CompleteLayerUpload", "EmptyUploadException"): lambda b: b.upload() | {"layerDigests": [NEVER]},
    ("CompleteLayerUpload", "InvalidLayerException"): lambda b: b.upload(b"abc") | {"layerDigests": [NEVER]},
    ("CompleteLayerUpload", "LayerAlreadyExistsException"): lambda b: (
        b.upload(b"twice") | {"layerDigests": [b.ecr.upload(b.name, b"twice")]}
    ),
    ("CompleteLayerUpload", "LayerPartTooSmallException"): lambda b: (
        b.upload(b"abc", LEAST_PART * b"a") | {"layerDigests": [NEVER]}
    ),
    ("CompleteLayerUpload", "UploadNotFoundException"): lambda b: b.asked("CompleteLayerUpload"),
    ("CreatePullThroughCacheRule", "LimitExceededException"): Bench.rules,
    ("CreatePullThroughCacheRule", "PullThroughCacheRuleAlreadyExistsException"): lambda b: (
        b.twice("CreatePullThroughCacheRule", **b.rule())
    ),
    ("CreatePullThroughCacheRule", "UnsupportedUpstreamRegistryException"): lambda b: (
        b.rule(upstreamRegistryUrl="registry.example.com")
    ),
    ("CreatePullThroughCacheRule", "ValidationException"): lambda b: b.rule(upstreamRegistry="quay"),
    ("CreateRepository", "InvalidTagParameterException"): lambda b: (
        {"repositoryName": b.gone, "tags": [{"Key": "aws:mine", "Value": ""}]}
    ),
    ("CreateRepository", "KmsException"): lambda b: (
        {"repositoryName": b.gone, "encryptionConfiguration": {"encryptionType": "KMS"}}
    ),
    ("CreateRepository", "RepositoryAlreadyExistsException"): lambda b: b.named,
    ("CreateRepository", "TooManyTagsException"): lambda b: {"repositoryName": b.gone, "tags": TOO_MANY},
    ("CreateRepositoryCreationTemplate", "TemplateAlreadyExistsException"): Bench.template,
    ("CreateRepositoryCreationTemplate", "ValidationException"): lambda b: (
        b.asked("CreateRepositoryCreationTemplate", resourceTags=[TAG])
    ),
    ("DeleteLifecyclePolicy", "LifecyclePolicyNotFoundException"): lambda b: b.named,
    ("DeletePullThroughCacheRule", "PullThroughCacheRuleNotFoundException"): lambda b: (
        b.asked("DeletePullThroughCacheRule")
    ),
    ("DeleteRegistryPolicy", "RegistryPolicyNotFoundException"): lambda _: {},
    ("DeleteRepository", "RepositoryNotEmptyException"): lambda b: b.named if b.image("v1") else None,
    ("DeleteRepositoryCreationTemplate", "TemplateNotFoundException"): lambda b: (
        b.asked("DeleteRepositoryCreationTemplate")
    ),
    ("DeleteRepositoryPolicy", "RepositoryPolicyNotFoundException"): lambda b: b.named,
    ("DeleteSigningConfiguration", "SigningConfigurationNotFoundException"): lambda _: {},
    ("DeregisterPullTimeUpdateExclusion", "ExclusionNotFoundException"): lambda b: (
        b.asked("DeregisterPullTimeUpdateExclusion")
    ),
    ("DescribeImages", "ImageNotFoundException"): lambda b: b.named | {"imageIds": [{"imageDigest": NEVER}]},
    ("DescribePullThroughCacheRules", "PullThroughCacheRuleNotFoundException"): lambda b: (
        b.asked("DescribePullThroughCacheRules")
    ),
    ("GetAccountSetting", "ValidationException"): lambda _: {"name": "UNHEARD_OF"},
    ("GetDownloadUrlForLayer", "LayerInaccessibleException"): lambda b: (
        b.named | {"layerDigest": b.ecr.upload(b.name, b"of no image")}
    ),
    ("GetDownloadUrlForLayer", "LayersNotFoundException"): lambda b: b.asked("GetDownloadUrlForLayer"),
    ("GetLifecyclePolicy", "LifecyclePolicyNotFoundException"): lambda b: b.named,
    ("GetRegistryPolicy", "RegistryPolicyNotFoundException"): lambda _: {},
    ("GetRepositoryPolicy", "RepositoryPolicyNotFoundException"): lambda b: b.named,
    ("GetSigningConfiguration", "SigningConfigurationNotFoundException"): lambda _: {},
    ("PutAccountSetting", "ValidationException"): lambda _: {"name": "BLOB_MOUNTING", "value": "SOMETIMES"},
    ("PutImage", "ImageAlreadyExistsException"): lambda b: (
        b.named | {"imageManifest": b.image("v1").text, "imageTag": "v1"}
    ),
    ("PutImage", "ImageDigestDoesNotMatchException"): lambda b: b.whole(image()) | {"imageDigest": NEVER},
    ("PutImage", "ImageTagAlreadyExistsException"): Bench.tagged,
    ("PutImage", "LayersNotFoundException"): lambda b: b.named | {"imageManifest": image().text},
    ("PutImage", "ReferencedImagesNotFoundException"): lambda b: b.named | {"imageManifest": index(image()).text},
    ("PutRegistryScanningConfiguration", "ValidationException"): lambda _: (
        {"scanType": "BASIC", "rules": [scanning("*", frequency="CONTINUOUS_SCAN")]}
    ),
    ("PutReplicationConfiguration", "ValidationException"): lambda _: (
        {"replicationConfiguration": replication((REGION, ACCOUNT))}
    ),
    ("PutSigningConfiguration", "ValidationException"): lambda _: {"signingConfiguration": OF_ANOTHER_REGION},
    ("RegisterPullTimeUpdateExclusion", "ExclusionAlreadyExistsException"): lambda b: (
        b.twice("RegisterPullTimeUpdateExclusion", principalArn=f"arn:aws:iam::{ACCOUNT}:user/{fresh('u')}")
    ),
    ("RegisterPullTimeUpdateExclusion", "LimitExceededException"): Bench.exclusions,
    ("TagResource", "InvalidTagParameterException"): lambda b: (
        {"resourceArn": arn(b.name), "tags": [{"Key": "aws:mine", "Value": ""}]}
    ),
    ("TagResource", "TooManyTagsException"): lambda b: {"resourceArn": arn(b.name), "tags": TOO_MANY},
    ("UntagResource", "InvalidTagParameterException"): lambda b: {"resourceArn": arn(b.name), "tagKeys": ["aws:mine"]},
    ("UpdatePullThroughCacheRule", "PullThroughCacheRuleNotFoundException"): lambda b: (
        b.asked("UpdatePullThroughCacheRule")
    ),
    ("UpdatePullThroughCacheRule", "ValidationException"): lambda b: (
        {"ecrRepositoryPrefix": b.twice("CreatePullThroughCacheRule", **b.rule())["ecrRepositoryPrefix"]}
    ),
    ("UpdateRepositoryCreationTemplate", "TemplateNotFoundException"): lambda b: (
        b.asked("UpdateRepositoryCreationTemplate")
    ),
    ("UpdateRepositoryCreationTemplate", "ValidationException"): lambda b: (
        {"prefix": b.template()["prefix"], "resourceTags": [TAG]}
    ),
    ("UploadLayerPart", "InvalidLayerPartException"): lambda b: (
        b.upload() | {"partFirstByte": 1, "partLastByte": 3, "layerPartBlob": b"abc"}
    ),
    ("UploadLayerPart", "UploadNotFoundException"): lambda b: b.asked("UploadLayerPart"),
    **dict(of_constraints()),
    **dict(of_missing_repositories()),
}
# Provoked by a test of their own below, on a server with small limits.
LIMITED = {(name, "LimitExceededException") for name in ("CreateRepository", "PutImage", "UploadLayerPart")}


@pytest.fixture
def bench(ecr_aws):
    bench = Bench(ecr_aws)
    yield bench
    bench.clear()


@pytest.mark.parametrize(("operation", "exception"), sorted(CASES))
def test_it_is_refused(bench, operation, exception):
    request = CASES[operation, exception](bench)
    with refused(exception) as caught:
        getattr(bench.client, xform_name(operation))(**request)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert isinstance(caught.value, getattr(bench.client.exceptions, exception))


def test_every_exception_is_provoked():
    provoked = set(CASES) | LIMITED
    excused = set(REASONS) | {case for case in MODELLED if case[1] in NEVER_PROVOKED}
    assert provoked | excused == MODELLED
    assert not provoked & excused


@pytest.fixture(scope="module")
def small(serve):
    """A registry in which little has room."""
    with serve("ecr-small", settings={f"BERTH_LIMITS__{name}": str(limit) for name, limit in FEW.items()}) as server:
        yield server


def test_limits(small, node_count):
    ecr = Ecr(Aws(small.registry(), node_count))
    names = [ecr.create("small") for _ in range(FEW["REPOSITORIES"])]
    with refused("LimitExceededException"):
        ecr.create("small")
    ecr.client.delete_repository(repositoryName=names.pop())
    names.append(ecr.create("small"))
    made = [image() for _ in range(FEW["IMAGES_PER_REPOSITORY"] + 1)]
    for nth, one in enumerate(made[:-1]):
        ecr.put(names[0], one, f"image-{nth}")
    with refused("LimitExceededException"):
        ecr.put(names[0], made[-1])
    ecr.put(names[1], made[-1])
    for nth in range(FEW["TAGS_PER_IMAGE"]):
        ecr.put(names[1], made[-1], f"v{nth}")
    with refused("LimitExceededException"):
        ecr.put(names[1], made[-1], "one-more")
    assert sorted(ecr.tags(names[1])) == ["v0", "v1"]
    upload = ecr.client.initiate_layer_upload(repositoryName=names[1])["uploadId"]
    for nth in range(FEW["UPLOAD_PARTS"]):
        ecr.part(names[1], upload, nth * LEAST_PART, LEAST_PART * b"a")
    with refused("LimitExceededException"):
        ecr.part(names[1], upload, FEW["UPLOAD_PARTS"] * LEAST_PART, b"one more")


# More of what breaks the constraints of a shape, each with what the message names.
MALFORMED = [
    ("CreateRepository", "repositoryName", {"repositoryName": "a"}),
    ("CreateRepository", "repositoryName", {"repositoryName": "a" * 257}),
    ("CreateRepository", "repositoryName", {"repositoryName": "a//b"}),
    ("CreateRepository", "repositoryName", {"repositoryName": ...}),
    ("CreateRepository", "registryId", {"registryId": "12"}),
    ("CreateRepository", "imageTagMutability", {"imageTagMutability": "SOMETIMES"}),
    (
        "CreateRepository",
        "ilter",
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": BAD_FILTER},
    ),
    (
        "CreateRepository",
        "ilter",
        {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusionFilters": GOOD_FILTER},
    ),
    ("CreateRepository", "ilter", {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}),
    ("DescribeRepositories", "maxResults", {"maxResults": 1001, "repositoryNames": ...}),
    ("DescribeRepositories", "nextToken", {"nextToken": "made-up", "repositoryNames": ...}),
    ("DescribeImages", "nextToken", {"nextToken": "made-up"}),
    ("ListImages", "nextToken", {"nextToken": "bWFkZS11cA=="}),
    ("BatchGetImage", "imageIds", {"imageIds": []}),
    ("BatchGetImage", "imageIds", {"imageIds": [{"imageTag": "v1"}] * 101}),
    ("BatchCheckLayerAvailability", "layerDigests", {"layerDigests": [NEVER] * 101}),
    ("PutImage", "imageManifest", {"imageManifest": ""}),
    ("PutImage", "imageManifest", {"imageManifest": "no JSON"}),
    ("PutImage", "imageManifest", {"imageManifest": "{}"}),
    ("PutImage", "imageTag", {"imageTag": "no spaces"}),
    ("PutLifecyclePolicy", "ifecyclePolicyText", {"lifecyclePolicyText": "{}"}),
    ("PutLifecyclePolicy", "ifecyclePolicyText", {"lifecyclePolicyText": "no JSON" + 100 * " "}),
    ("PutLifecyclePolicy", "Lifecycle policy validation failure", {"lifecyclePolicyText": lifecycle(days=0)}),
    ("SetRepositoryPolicy", "Invalid repository policy provided", {"policyText": "no JSON"}),
    ("SetRepositoryPolicy", "Invalid repository policy provided", {"policyText": allow("ecr:BatchGetImage")}),
    ("SetRepositoryPolicy", "olicyText", {"policyText": policy("ecr:BatchGetImage", Sid="x" * 10_240)}),
    ("UploadLayerPart", "partFirstByte", {"partFirstByte": -1}),
    ("UploadLayerPart", "layerPartBlob", {"partLastByte": 20 * MIB, "layerPartBlob": (20 * MIB + 1) * b"a"}),
]


@pytest.mark.parametrize(("operation", "words", "changed"), MALFORMED)
def test_parameters(bench, operation, words, changed):
    """What boto3 would not send is refused by the server too."""
    with refused("InvalidParameterException", words):
        getattr(bench.client, xform_name(operation))(**bench.asked(operation, **changed))


def test_other_registries(bench):
    """There is one registry here, which a request may name."""
    for operation in sorted(set(MODEL.operation_names) - UNSERVED):
        if "registryId" in MODEL.operation_model(operation).input_shape.members:
            with pytest.raises(bench.client.exceptions.ClientError) as caught:
                getattr(bench.client, xform_name(operation))(**bench.asked(operation, registryId="999999999999"))
            code = caught.value.response["Error"]["Code"]
            assert code in ("RepositoryNotFoundException", "InvalidParameterException"), (operation, code)
            assert "999999999999" in caught.value.response["Error"]["Message"], operation


def test_bad_signing_profiles_are_not_kept(bench):
    """What was refused changed nothing."""
    with refused("ValidationException"):
        bench.client.put_signing_configuration(signingConfiguration=OF_ANOTHER_REGION)
    with refused("SigningConfigurationNotFoundException"):
        bench.client.get_signing_configuration()
    bench.client.put_signing_configuration(signingConfiguration=signing())
    bench.client.delete_signing_configuration()
