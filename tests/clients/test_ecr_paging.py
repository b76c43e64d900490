"""ECR by boto3: botocore's paginators go through to the end, and its waiters do not wait for what will not come."""

import pytest
from botocore import xform_name
from botocore.exceptions import WaiterError

from support.aws import ACCOUNT, refused, served
from support.ecr import UNSERVED, artifact, fresh, image, lifecycle

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

MANY = 5


@pytest.fixture
def full(ecr):
    """A repository that has five of everything, and a registry that has five more rules and templates; its name."""
    name = ecr.create("pages")
    for nth in range(MANY - 1):
        ecr.create("pages")
        ecr.put(name, image(), f"v{nth}")
    ecr.put(name, image())
    prefixes = [fresh("pages") for _ in range(MANY)]
    principals = [f"arn:aws:iam::{ACCOUNT}:role/{prefix}" for prefix in prefixes]
    for prefix, principal in zip(prefixes, principals, strict=True):
        rule = {"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": "public.ecr.aws"}
        ecr.client.create_pull_through_cache_rule(**rule)
        ecr.client.create_repository_creation_template(prefix=prefix, appliedFor=["REPLICATION"])
        ecr.client.register_pull_time_update_exclusion(principalArn=principal)
    yield name
    for prefix, principal in zip(prefixes, principals, strict=True):
        ecr.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
        ecr.client.delete_repository_creation_template(prefix=prefix)
        ecr.client.deregister_pull_time_update_exclusion(principalArn=principal)


def sizes(pages):
    """The sizes of the pages: none is larger than two, and none but the last is not full."""
    found = [len(page) for page in pages]
    assert set(found[:-1]) <= {2} and found[-1] <= 2, found
    assert len(found) > 1, "one page shows nothing"
    return found


def test_every_paginator(ecr, full):
    client = ecr.client
    asked = {
        "DescribeImages": {"repositoryName": full},
        "DescribePullThroughCacheRules": {},
        "DescribeRepositories": {},
        "DescribeRepositoryCreationTemplates": {},
        "ListImages": {"repositoryName": full},
    }
    assert {name for name in served("ecr") - UNSERVED if client.can_paginate(xform_name(name))} == set(asked)
    for operation, given in asked.items():
        call = xform_name(operation)
        paginator = client.get_paginator(call)
        (key,) = (key.expression for key in paginator.result_keys)
        whole = [item for page in paginator.paginate(**given) for item in page[key]]
        pages = [page[key] for page in paginator.paginate(**given, PaginationConfig={"PageSize": 2})]
        assert sum(sizes(pages)) == len(whole) >= MANY, operation
        assert [item for page in pages for item in page] == whole, operation
        limited = paginator.paginate(**given, PaginationConfig={"PageSize": 2, "MaxItems": 3}).build_full_result()
        rest = paginator.paginate(**given, PaginationConfig={"StartingToken": limited["NextToken"]}).build_full_result()
        assert limited[key] + rest[key] == whole, operation
        single = getattr(client, call)(**given, maxResults=1000)
        assert single[key] == whole and "nextToken" not in single, operation


def all_pages(call, key, **given):
    """The pages of an operation that botocore has no paginator for."""
    pages, token = [], {}
    while True:
        answer = call(**given, **token, maxResults=2)
        pages.append(answer[key])
        if "nextToken" not in answer:
            return pages
        token = {"nextToken": answer["nextToken"]}
        assert len(pages) < 100, "there is an end"


def test_exclusions(ecr, full):
    pages = all_pages(ecr.client.list_pull_time_update_exclusions, "pullTimeUpdateExclusions")
    whole = ecr.client.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]
    assert sum(sizes(pages)) == len(whole) >= MANY
    assert [principal for page in pages for principal in page] == whole


def test_referrers(ecr):
    name, subject = ecr.create("pages"), image()
    ecr.put(name, subject)
    made = [artifact(subject, "application/vnd.example.sbom") for _ in range(MANY)]
    for one in [*made, artifact(subject, "application/vnd.example.other")]:
        ecr.put(name, one)
    asked = {
        "repositoryName": name,
        "subjectId": {"imageDigest": subject.digest},
        "filter": {"artifactTypes": ["application/vnd.example.sbom"]},
    }
    pages = all_pages(ecr.client.list_image_referrers, "referrers", **asked)
    found = [entry["digest"] for page in pages for entry in page]
    assert sorted(found) == sorted(one.digest for one in made)
    assert sizes(pages) == [2, 2, 1]


def test_filters_and_pages(ecr, full):
    """A page is full of what was asked for."""
    for operation, key in {"list_images": "imageIds", "describe_images": "imageDetails"}.items():
        paginator = ecr.client.get_paginator(operation)
        asked = {"repositoryName": full, "filter": {"tagStatus": "TAGGED"}}
        pages = [page[key] for page in paginator.paginate(**asked, PaginationConfig={"PageSize": 2})]
        assert sum(sizes(pages)) == MANY - 1


def test_pages_begin_behind_what_is_gone(ecr, full):
    pages = iter(ecr.client.get_paginator("list_images").paginate(repositoryName=full, PaginationConfig={"PageSize": 2}))
    first = next(pages)["imageIds"]
    every = {entry["imageDigest"] for entry in ecr.client.list_images(repositoryName=full)["imageIds"]}
    ecr.client.batch_delete_image(repositoryName=full, imageIds=[first[1]])
    rest = {entry["imageDigest"] for page in pages for entry in page["imageIds"]}
    assert rest == every - {entry["imageDigest"] for entry in first}


def test_tokens_are_of_one_list(ecr, full):
    """That of one operation or repository opens no other, and goes with no names."""
    other = ecr.create("pages")
    token = ecr.client.list_images(repositoryName=full, maxResults=2)["nextToken"]
    for call, asked in [
        (ecr.client.describe_images, {"repositoryName": full}),
        (ecr.client.list_images, {"repositoryName": other}),
        (ecr.client.describe_repositories, {}),
    ]:
        with refused("InvalidParameterException", "nextToken"):
            call(**asked, nextToken=token)
    token = ecr.client.describe_repositories(maxResults=2)["nextToken"]
    with refused("InvalidParameterException"):
        ecr.client.describe_repositories(repositoryNames=[full], nextToken=token)
    (digest, *_) = ecr.details(full)
    token = ecr.client.describe_images(repositoryName=full, maxResults=2)["nextToken"]
    with refused("InvalidParameterException"):
        ecr.client.describe_images(repositoryName=full, imageIds=[{"imageDigest": digest}], nextToken=token)


def test_waiters_end(ecr):
    """What they wait for is not served: they say so at once and ask no second time."""
    name = ecr.create("waiters")
    ecr.put(name, image(), "v1")
    ecr.client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=lifecycle())
    asked = {
        "image_scan_complete": {"imageId": {"imageTag": "v1"}},
        "lifecycle_policy_preview_complete": {},
    }
    assert set(ecr.client.waiter_names) == set(asked)
    for waiter, more in asked.items():
        with pytest.raises(WaiterError, match="UnsupportedOperationException") as caught:
            ecr.client.get_waiter(waiter).wait(repositoryName=name, **more)
        assert caught.value.last_response["ResponseMetadata"]["HTTPStatusCode"] == 501
