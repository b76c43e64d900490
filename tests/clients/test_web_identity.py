"""Tokens of an issuer, as a Kubernetes cluster and GitHub Actions make them, are changed for a role; and images are pushed with it."""

import json
import sys
import time
from pathlib import Path

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from clients.test_crane import single_image
from support.aws import REGION, Aws, Key, allow
from support.issuer import Issuer

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

AWS = Path(sys.executable).parent / "aws"


@pytest.fixture(scope="module")
def issuer(scratch, certificates):
    with Issuer(scratch / "issuer", certificates) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def settings(certificates):
    return {
        "BERTH_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.0/8",
        "BERTH_OUTBOUND__TLS_CA": str(certificates / "ca.crt"),
    }


@pytest.fixture(scope="module")
def federated(serve, settings, node_count):
    with serve("web-identity", settings=settings) as server:
        yield Aws(server.registry(), node_count)


def trusting(aws, issuer):
    """An account that trusts the issuer, with a role for the builders of a cluster and one for a repository's jobs."""
    account = aws.own_account()
    made = account.iam.create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    provider = made["OpenIDConnectProviderArn"]
    assert provider == account.arn("oidc-provider", issuer.host)

    def role(name, **conditions):
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": conditions,
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn = account.make("role", name, AssumeRolePolicyDocument=document)["Arn"]
        account.iam.put_role_policy(RoleName=name, PolicyName="push", PolicyDocument=allow("ecr:*"))
        return arn

    aud = {f"{issuer.host}:aud": "sts.amazonaws.com"}
    pods = role("pods", StringEquals=aud | {f"{issuer.host}:sub": "system:serviceaccount:ci:builder"})
    jobs = role(
        "jobs",
        StringEquals=aud | {f"{issuer.host}:repository": "team/app"},
        StringLike={f"{issuer.host}:sub": "repo:team/app:ref:refs/heads/*"},
    )
    aws.settle()
    return provider, pods, jobs


@pytest.fixture(scope="module")
def roles(federated, issuer):
    return trusting(federated, issuer)


def sts_of(registry):
    """boto3's client without any credentials."""
    config = Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}, proxies={})
    return boto3.Session().client("sts", region_name=REGION, endpoint_url=registry.url, config=config)


def assume(registry, role, token, **more):
    return sts_of(registry).assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="job", WebIdentityToken=token, **more
    )


def refused(registry, role, token, **more):
    with pytest.raises(ClientError) as error:
        assume(registry, role, token, **more)
    return error.value.response["Error"]["Code"]


def test_a_pod_pushes_with_skopeo(federated, issuer, roles, containers, one):
    provider, pods, _ = roles
    answer = assume(federated.registry, pods, issuer.kubernetes("ci", "builder"), DurationSeconds=900)
    assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:ci:builder"
    assert (answer["Provider"], answer["Audience"]) == (provider, "sts.amazonaws.com")
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/pods/job")
    registry = federated.login(Key.made(answer))
    containers.know(registry)
    containers.run("skopeo", "login", "-u", registry.user, "--password-stdin", registry.host, input=registry.password)
    layout, digest = one
    image = f"docker://{registry.ref('web/pods:v1')}"
    containers.run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", image)
    assert containers.json("skopeo", "inspect", image)["Digest"] == digest


def test_a_job_pushes_with_crane(federated, issuer, roles, home, one):
    """What the action `aws-actions/configure-aws-credentials` does, by AWS's command line, and then crane."""
    registry, (_, _, jobs) = federated.registry, roles
    token = home.file("token", issuer.github("team/app", "refs/heads/main"))
    home.env |= {"AWS_ENDPOINT_URL": registry.url, "AWS_DEFAULT_REGION": REGION, "NO_PROXY": "*", "AWS_PAGER": ""}
    given = home.out(
        AWS, "sts", "assume-role-with-web-identity", "--role-arn", jobs, "--role-session-name", "job",
        "--web-identity-token", f"file://{token}", "--output", "json",
    )  # fmt: skip
    assert json.loads(given)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/jobs/job")
    # The same from the environment of a pod or job: the command line changes the token by itself.
    home.env |= {"AWS_ROLE_ARN": jobs, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_SESSION_NAME": "again"}
    who = json.loads(home.out(AWS, "sts", "get-caller-identity", "--output", "json"))
    assert who["Arn"].endswith(":assumed-role/jobs/again")
    password = home.out(AWS, "ecr", "get-login-password").strip()
    home.run("crane", "auth", "login", registry.host, "-u", "AWS", "--password-stdin", input=password)
    layout, digest = one
    home.run("crane", "push", single_image(home, layout, digest), registry.ref("web/jobs:v1"))
    assert home.out("crane", "digest", registry.ref("web/jobs:v1")).strip() == digest


def test_whatever_is_wrong_is_refused(federated, issuer, roles):
    registry, (_, pods, jobs) = federated.registry, roles
    now, good = int(time.time()), "system:serviceaccount:ci:builder"
    other = issuer.token(good).split(".")
    table = [
        (pods, issuer.token(good, "https://kubernetes.default.svc"), "InvalidIdentityToken"),
        (pods, issuer.token(good, iss="https://127.0.0.1:1"), "InvalidIdentityToken"),
        (pods, issuer.token(good, exp=now - 120, iat=now - 3600), "ExpiredTokenException"),
        (pods, issuer.token(good, nbf=now + 600), "InvalidIdentityToken"),
        (pods, ".".join([*other[:2], issuer.token("else").split(".")[2]]), "InvalidIdentityToken"),
        (pods, "no token", "InvalidIdentityToken"),
        (pods, issuer.kubernetes("ci", "other"), "AccessDenied"),
        (pods, issuer.github("team/app", "refs/heads/main"), "AccessDenied"),
        (jobs, issuer.github("team/other", "refs/heads/main"), "AccessDenied"),
        (jobs, issuer.github("team/app", "refs/tags/v1"), "AccessDenied"),
        (pods + "x", issuer.kubernetes("ci", "builder"), "AccessDenied"),
    ]
    for role, token, code in table:
        assert refused(registry, role, token) == code, code
    token = issuer.kubernetes("ci", "builder")
    assert refused(registry, pods, token, DurationSeconds=7200) == "ValidationError"
    assert refused(registry, pods, token, ProviderId="www.amazon.com") == "ValidationError"


def test_a_session_policy_narrows(federated, issuer, roles):
    _, pods, _ = roles
    token, policy = issuer.kubernetes("ci", "builder"), allow("ecr:GetAuthorizationToken")
    key = Key.made(assume(federated.registry, pods, token, Policy=policy))
    federated.login(key)
    with pytest.raises(ClientError) as error:
        federated.client("ecr", key).create_repository(repositoryName="web/narrow")
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_providers_by_iam(federated):
    iam = federated.own_account().iam
    arn = iam.create_open_id_connect_provider(Url="https://127.0.0.1:1/path", Tags=[{"Key": "a", "Value": "b"}])
    arn = arn["OpenIDConnectProviderArn"]
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["a" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]
    assert tags == [{"Key": "c", "Value": "d"}]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"]) == ("127.0.0.1:1/path", ["two"])
    assert found["ThumbprintList"] == ["a" * 40]
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert arn in [entry["Arn"] for entry in listed]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with pytest.raises(ClientError) as error:
        iam.create_open_id_connect_provider(Url="https://169.254.169.254")
    assert error.value.response["Error"]["Code"] == "ValidationError"


def test_keys_rotate_and_the_issuer_goes_away(serve, settings, node_count, scratch, certificates):
    with Issuer(scratch / "rotating", certificates) as issuer, serve("web-rotation", settings=settings) as server:
        aws = Aws(server.registry(), node_count)
        _, pods, _ = trusting(aws, issuer)
        old = issuer.kubernetes("ci", "builder")
        assume(aws.registry, pods, old)
        issuer.rotate("second")
        new = issuer.kubernetes("ci", "builder")
        began = time.monotonic()
        while refused_or_none(aws.registry, pods, new):
            assert time.monotonic() - began < 60, "a new key counts within a minute"
            time.sleep(2)
        assume(aws.registry, pods, old)
        issuer.away = True
        for token in (old, new):
            assume(aws.registry, pods, token)


def refused_or_none(registry, role, token):
    try:
        assume(registry, role, token)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
