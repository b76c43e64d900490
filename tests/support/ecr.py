"""ECR by AWS's SDK: images made from bytes and put in place by its operations alone, and a valid request of each operation."""

import json
import uuid
from dataclasses import dataclass
from itertools import count

import requests

from support.api import Api
from support.aws import ACCOUNT, REGION
from support.images import CONFIG, IMAGE, INDEX, LAYER_GZIP, canonical, sha256

MIB = 1024 * 1024
# The least size of a part that is not the last, and the greatest of any.
LEAST_PART, MOST_PART = 5 * MIB, 20 * MIB
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"
EMPTY = "application/vnd.oci.empty.v1+json"
NEVER = sha256(b"never pushed")
NAMES = count(1)

# Operations whose engines come later: they answer 501.
UNSERVED = {
    "DescribeImageReplicationStatus",
    "DescribeImageScanFindings",
    "DescribeImageSigningStatus",
    "DescribeReplicationBackfillResults",
    "GetLifecyclePolicyPreview",
    "ListReplicationBackfills",
    "StartImageScan",
    "StartLifecyclePolicyPreview",
    "StartReplicationBackfill",
    "StopReplicationBackfill",
    "UpdateImageStorageClass",
    "ValidatePullThroughCacheRule",
}


def arn(repository):
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"


def fresh(kind):
    """A name of a repository, or the beginning of some, that nobody has used yet."""
    return f"{kind}-{next(NAMES)}"


@dataclass(frozen=True)
class Made:
    """An image, index or artifact that is not pushed yet: the manifest, and the blobs that go with it."""

    manifest: bytes
    blobs: tuple[bytes, ...] = ()
    media_type: str = IMAGE

    @property
    def text(self):
        return self.manifest.decode()

    @property
    def digest(self):
        return sha256(self.manifest)

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest), **more}


def blob_descriptor(data, media_type):
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def image(*layers, config=None, media_type=IMAGE, **more):
    """An image of layers, of which none is read as an archive. `config` is JSON; other arguments become members of the
    manifest, or take them away as None."""
    layers = layers or (b"a layer of " + uuid.uuid4().bytes,)
    config = canonical({"architecture": "amd64", "os": "linux", **(config or {})})
    docker = media_type == SCHEMA_2
    layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip" if docker else LAYER_GZIP
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": blob_descriptor(config, "application/vnd.docker.container.image.v1+json" if docker else CONFIG),
        "layers": [blob_descriptor(layer, layer_type) for layer in layers],
    } | more
    manifest = {name: value for name, value in manifest.items() if value is not None}
    return Made(canonical(manifest), (config, *layers), media_type)


def index(*children, **more):
    """An index of images, for made-up architectures."""
    entries = [child.descriptor(platform={"os": "linux", "architecture": f"a{n}"}) for n, child in enumerate(children)]
    return Made(canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries} | more), (), INDEX)


def artifact(subject, kind, **annotations):
    """What refers to another manifest: a signature, a list of parts."""
    payload = uuid.uuid4().bytes
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": kind,
        "config": blob_descriptor(b"{}", EMPTY),
        "layers": [blob_descriptor(payload, "application/octet-stream")],
        "subject": subject.descriptor(),
        "annotations": annotations,
    }
    return Made(canonical(manifest), (b"{}", payload))


def download(url, **options):
    """What is at a URL, by plain HTTP and whoever asks: no credentials go with it."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=60, **options)


class Ecr:
    """ECR of a server, to whoever has the key."""

    def __init__(self, aws, key=None, **config):
        self.aws = aws
        self.client = aws.client("ecr", key, **config)
        self.registry = aws.registry

    def registry_api(self):
        """The same registry by the interface of OCI."""
        return Api(self.registry)

    def create(self, kind="repository", **more):
        """A new repository; its name."""
        return self.client.create_repository(repositoryName=fresh(kind), **more)["repository"]["repositoryName"]

    def upload(self, repository, data, part=MOST_PART):
        """Uploads a blob in parts of so many bytes, unless the repository has it already; its digest."""
        upload = self.client.initiate_layer_upload(repositoryName=repository)["uploadId"]
        for first in range(0, len(data), part):
            self.part(repository, upload, first, data[first : first + part])
        try:
            return self.complete(repository, upload, sha256(data))
        except self.client.exceptions.LayerAlreadyExistsException:
            return sha256(data)

    def part(self, repository, upload, first, data):
        return self.client.upload_layer_part(
            repositoryName=repository,
            uploadId=upload,
            partFirstByte=first,
            partLastByte=first + len(data) - 1,
            layerPartBlob=data,
        )

    def complete(self, repository, upload, digest):
        return self.client.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])[
            "layerDigest"
        ]

    def put(self, repository, made, tag=None, **more):
        """Uploads the blobs of an image and puts its manifest; the image as it was answered."""
        for blob in made.blobs:
            self.upload(repository, blob)
        more |= {"imageTag": tag} if tag else {}
        return self.client.put_image(repositoryName=repository, imageManifest=made.text, **more)["image"]

    def get(self, repository, **image_id):
        """The one image that a tag or digest names."""
        answer = self.client.batch_get_image(repositoryName=repository, imageIds=[image_id])
        assert not answer["failures"], answer
        (found,) = answer["images"]
        return found

    def details(self, repository, **more):
        """What is told of the images, by their digests."""
        details = self.client.describe_images(repositoryName=repository, **more)["imageDetails"]
        return {detail["imageDigest"]: detail for detail in details}

    def tags(self, repository):
        """The tags, and what each names."""
        ids = self.client.list_images(repositoryName=repository)["imageIds"]
        return {entry["imageTag"]: entry["imageDigest"] for entry in ids if "imageTag" in entry}

    def url(self, repository, digest):
        answer = self.client.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
        assert answer["layerDigest"] == digest
        return answer["downloadUrl"]

    def layer(self, repository, digest):
        """A layer's bytes, from where ECR says that they are."""
        response = download(self.url(repository, digest))
        assert response.status_code == 200, response.text
        return response.content


def policy(*actions, principal="*", effect="Allow", **more):
    """A policy for a repository or registry, of one statement."""
    statement = {"Sid": "one", "Effect": effect, "Principal": principal, "Action": list(actions), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def lifecycle(days=14, description="old ones without a tag go"):
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    rule = {"rulePriority": 1, "description": description, "selection": selection, "action": {"type": "expire"}}
    return json.dumps({"rules": [rule]})


def signing(profile="release", *filters):
    rule = {"signingProfileArn": f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/{profile}"}
    if filters:
        rule["repositoryFilters"] = [{"filter": name, "filterType": "WILDCARD_MATCH"} for name in filters]
    return {"rules": [rule]}


def replication(*destinations, prefix=None, **more):
    """A rule to copy to these regions and registries."""
    rule = {"destinations": [{"region": region, "registryId": registry} for region, registry in destinations], **more}
    if prefix:
        rule["repositoryFilters"] = [{"filter": prefix, "filterType": "PREFIX_MATCH"}]
    return {"rules": [rule]}


def scanning(*filters, frequency="SCAN_ON_PUSH"):
    return {"scanFrequency": frequency, "repositoryFilters": [{"filter": f, "filterType": "WILDCARD"} for f in filters]}


def requests_of(repository):
    """A request of each operation that is good in itself: only what it names may not be there."""
    named = {"repositoryName": repository}
    one = named | {"imageId": {"imageTag": "v1"}}
    many = named | {"imageIds": [{"imageTag": "v1"}]}
    layer, layers = named | {"layerDigest": NEVER}, named | {"layerDigests": [NEVER]}
    upload = named | {"uploadId": str(uuid.uuid4())}
    resource = {"resourceArn": arn(repository)}
    prefix, rule = {"prefix": "nobody"}, {"ecrRepositoryPrefix": "nobody"}
    setting = {"name": "BLOB_MOUNTING"}
    backfill = {"replicationBackfillId": str(uuid.uuid4())}
    principal = {"principalArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}
    made = image()
    return {
        "BatchCheckLayerAvailability": layers,
        "BatchDeleteImage": many,
        "BatchGetImage": many,
        "BatchGetRepositoryScanningConfiguration": {"repositoryNames": [repository]},
        "CompleteLayerUpload": upload | layers,
        "CreatePullThroughCacheRule": rule | {"upstreamRegistryUrl": "public.ecr.aws"},
        "CreateRepository": named,
        "CreateRepositoryCreationTemplate": prefix | {"appliedFor": ["CREATE_ON_PUSH"]},
        "DeleteLifecyclePolicy": named,
        "DeletePullThroughCacheRule": rule,
        "DeleteRegistryPolicy": {},
        "DeleteRepository": named,
        "DeleteRepositoryCreationTemplate": prefix,
        "DeleteRepositoryPolicy": named,
        "DeleteSigningConfiguration": {},
        "DeregisterPullTimeUpdateExclusion": principal,
        "DescribeImageReplicationStatus": one,
        "DescribeImageScanFindings": one,
        "DescribeImageSigningStatus": one,
        "DescribeImages": named,
        "DescribePullThroughCacheRules": {"ecrRepositoryPrefixes": ["nobody"]},
        "DescribeRegistry": {},
        "DescribeReplicationBackfillResults": backfill,
        "DescribeRepositories": {"repositoryNames": [repository]},
        "DescribeRepositoryCreationTemplates": {},
        "GetAccountSetting": setting,
        "GetAuthorizationToken": {},
        "GetDownloadUrlForLayer": layer,
        "GetLifecyclePolicy": named,
        "GetLifecyclePolicyPreview": named,
        "GetRegistryPolicy": {},
        "GetRegistryScanningConfiguration": {},
        "GetRepositoryPolicy": named,
        "GetSigningConfiguration": {},
        "InitiateLayerUpload": named,
        "ListImageReferrers": named | {"subjectId": {"imageDigest": NEVER}},
        "ListImages": named,
        "ListPullTimeUpdateExclusions": {},
        "ListReplicationBackfills": {},
        "ListTagsForResource": resource,
        "PutAccountSetting": setting | {"value": "ENABLED"},
        "PutImage": named | {"imageManifest": made.text},
        "PutImageScanningConfiguration": named | {"imageScanningConfiguration": {"scanOnPush": True}},
        "PutImageTagMutability": named | {"imageTagMutability": "MUTABLE"},
        "PutLifecyclePolicy": named | {"lifecyclePolicyText": lifecycle()},
        "PutRegistryPolicy": {"policyText": policy("ecr:ReplicateImage", Resource=arn("*"))},
        "PutRegistryScanningConfiguration": {"scanType": "BASIC", "rules": []},
        "PutReplicationConfiguration": {"replicationConfiguration": {"rules": []}},
        "PutSigningConfiguration": {"signingConfiguration": signing()},
        "RegisterPullTimeUpdateExclusion": principal,
        "SetRepositoryPolicy": named | {"policyText": policy("ecr:BatchGetImage")},
        "StartImageScan": one,
        "StartLifecyclePolicyPreview": named | {"lifecyclePolicyText": lifecycle()},
        "StartReplicationBackfill": {"destination": {"region": "eu-west-1", "registryId": ACCOUNT}},
        "StopReplicationBackfill": backfill,
        "TagResource": resource | {"tags": [{"Key": "team", "Value": "blue"}]},
        "UntagResource": resource | {"tagKeys": ["team"]},
        "UpdateImageStorageClass": one | {"targetStorageClass": "ARCHIVE"},
        "UpdatePullThroughCacheRule": rule | {"customRoleArn": f"arn:aws:iam::{ACCOUNT}:role/pull"},
        "UpdateRepositoryCreationTemplate": prefix | {"description": "other"},
        "UploadLayerPart": upload | {"partFirstByte": 0, "partLastByte": 2, "layerPartBlob": b"abc"},
        "ValidatePullThroughCacheRule": rule,
    }
