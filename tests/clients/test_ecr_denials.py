"""ECR by boto3: who may do what, by policies of users and of repositories, and what is said to those who may not."""

import pytest
from botocore import UNSIGNED, xform_name

from support.aws import Key, allow, refused, served
from support.ecr import Ecr, arn, fresh, policy, requests_of

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]


@pytest.fixture(scope="module")
def powerless(ecr_aws):
    """ECR to somebody without any rights; the ARN of whom, and a repository."""
    account, name = ecr_aws.own_account(), fresh("nobody")
    return Ecr(ecr_aws, account.user(name)), account.arn("user", name), Ecr(ecr_aws).create("denials")


@pytest.mark.parametrize("operation", sorted(served("ecr")))
def test_denials(powerless, operation):
    """Whether what is asked for is there or not, and for what is not served yet too."""
    ecr, who, there = powerless
    words = f"User: {who} is not authorized to perform: ecr:{operation} on resource: "
    for repository in (there, "never-made"):
        with refused("AccessDeniedException", words) as caught:
            getattr(ecr.client, xform_name(operation))(**requests_of(repository)[operation])
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_rights_are_of_a_resource(ecr_aws):
    """Of one repository, and no other."""
    account, owner = ecr_aws.own_account(), Ecr(ecr_aws)
    mine, other = owner.create("mine"), owner.create("other")
    key = account.user(fresh("one"), policy=allow("ecr:ListImages", resource=arn(mine)))
    ecr = Ecr(ecr_aws, key)
    assert ecr.tags(mine) == {}
    with refused("AccessDeniedException", f"ecr:ListImages on resource: {arn(other)}"):
        ecr.tags(other)
    with refused("AccessDeniedException", f"ecr:DescribeImages on resource: {arn(mine)}"):
        ecr.details(mine)


def test_policies_of_repositories(ecr_aws):
    """They give rights that the caller's own policies do not, and take away what those give."""
    account, owner = ecr_aws.own_account(), Ecr(ecr_aws)
    name, user = owner.create("policy"), fresh("guest")
    ecr = Ecr(ecr_aws, account.user(user, policy=allow("ecr:DescribeImages")))
    with refused("AccessDeniedException"):
        ecr.tags(name)
    principal = {"AWS": account.arn("user", user)}
    owner.client.set_repository_policy(repositoryName=name, policyText=policy("ecr:ListImages", principal=principal))
    ecr_aws.settle()
    assert ecr.tags(name) == {} == ecr.details(name)
    deny = policy("ecr:DescribeImages", principal=principal, effect="Deny")
    owner.client.set_repository_policy(repositoryName=name, policyText=deny)
    ecr_aws.settle()
    with refused("AccessDeniedException", "with an explicit deny in a resource-based policy"):
        ecr.details(name)


def test_credentials(ecr_aws):
    account = ecr_aws.own_account()
    with refused("InvalidSignatureException"):
        Ecr(ecr_aws, Key(account.key.id, 40 * "a")).client.describe_registry()
    with refused("UnrecognizedClientException"):
        Ecr(ecr_aws, Key("AKIA" + 16 * "A", 40 * "a")).client.describe_registry()
    with refused("MissingAuthenticationTokenException"):
        Ecr(ecr_aws, signature_version=UNSIGNED).client.describe_registry()
