"""AWS's command line: profiles, roles that it assumes by itself, tables and queries, the login of docker."""

import configparser
import io
import json
import sys
from pathlib import Path

import pytest

from support.aws import MANAGED, REGION, allow, trust

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

AWS = Path(sys.executable).parent / "aws"
EXTERNAL = {"Condition": {"StringEquals": {"sts:ExternalId": "word"}}}


@pytest.fixture
def account(shared_aws):
    return shared_aws.account()


def ini(sections):
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def keys(key):
    return {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}


@pytest.fixture
def cli(home, account, registry):
    """A home with the files that `aws configure` writes; the administrator's profile is the default one."""
    home.file(".aws/credentials", ini({"default": keys(account.key)}))
    home.file(".aws/config", ini({"default": {"region": REGION, "output": "json"}}))
    home.env |= {"AWS_ENDPOINT_URL": registry.url, "AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": "", "NO_PROXY": "*"}
    home.aws = lambda *arguments, **options: home.run(AWS, *arguments, **options)
    return home


def test_users_and_policies(cli, account):
    """What a first session at the command line looks like: documents from files, waiting, queries, pages."""
    cli.aws("iam", "create-user", "--user-name", "alice", "--tags", "Key=team,Value=blue")
    cli.aws("iam", "wait", "user-exists", "--user-name", "alice")
    document = cli.file("policy.json", allow("ecr:BatchGetImage"))
    made = json.loads(
        cli.aws("iam", "create-policy", "--policy-name", "pull", "--policy-document", f"file://{document}")
    )
    arn = made["Policy"]["Arn"]
    assert arn == account.arn("policy", "pull")
    cli.aws("iam", "attach-user-policy", "--user-name", "alice", "--policy-arn", arn)
    listed = ["iam", "list-attached-user-policies", "--user-name", "alice"]
    assert cli.aws(*listed, "--query", "AttachedPolicies[].PolicyArn", "--output", "text").strip() == arn
    paged = cli.aws("iam", "list-policies", "--page-size", "3", "--query", "length(Policies)", "--output", "text")
    assert paged.split() == ["3", "3", "2"], "seven that come with the server, and the new one"
    said = cli.aws("iam", "create-user", "--user-name", "alice", fails=True)
    assert "(EntityAlreadyExists) when calling the CreateUser operation" in said


def test_configure(cli, account):
    """The files as `aws configure` itself writes them."""
    key = account.user("bob")
    for name, value in (keys(key) | {"region": REGION}).items():
        cli.aws("configure", "set", name, value, "--profile", "bob")
    said = json.loads(cli.aws("sts", "get-caller-identity", "--profile", "bob"))
    assert said["Arn"] == account.arn("user", "bob") and said["Account"] == account.id
    said = cli.aws("iam", "list-users", "--profile", "bob", fails=True)
    assert "(AccessDenied)" in said and "no identity-based policy allows the iam:ListUsers action" in said


def test_a_profile_with_a_role(cli, account):
    """The command line assumes the role by itself and signs with what it got."""
    key = account.user("carol", policy=allow("sts:AssumeRole"))
    role = account.make("role", "reader", AssumeRolePolicyDocument=trust(account.id, **EXTERNAL))["Arn"]
    account.iam.attach_role_policy(RoleName="reader", PolicyArn=MANAGED + "IAMReadOnlyAccess")
    cli.file(".aws/credentials", ini({"carol": keys(key)}))
    assuming = {"region": REGION, "role_arn": role, "source_profile": "carol", "role_session_name": "at-work"}
    config = {
        "profile carol": {"region": REGION},
        "profile reader": assuming | {"external_id": "word"},
        "profile without": assuming,
    }
    cli.file(".aws/config", ini(config))
    said = json.loads(cli.aws("sts", "get-caller-identity", "--profile", "reader"))
    assert said["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/reader/at-work"
    users = cli.aws("iam", "list-users", "--profile", "reader", "--query", "Users[].UserName", "--output", "text")
    assert users.split() == ["administrator", "carol"]
    said = cli.aws("iam", "create-user", "--user-name", "x", "--profile", "reader", fails=True)
    assert f"User: arn:aws:sts::{account.id}:assumed-role/reader/at-work is not authorized" in said
    said = cli.aws("iam", "list-users", "--profile", "without", fails=True)
    assert "(AccessDenied) when calling the AssumeRole operation" in said


def test_temporary_credentials_from_the_environment(cli, account):
    said = json.loads(cli.aws("sts", "get-session-token", "--duration-seconds", "900"))["Credentials"]
    cli.env |= {
        "AWS_ACCESS_KEY_ID": said["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": said["SecretAccessKey"],
        "AWS_SESSION_TOKEN": said["SessionToken"],
    }
    said = json.loads(cli.aws("sts", "get-caller-identity"))
    assert said["Arn"] == account.arn("user", "administrator")


def test_the_login_of_docker(cli, registry, shared_aws):
    """`aws ecr get-login-password | docker login --username AWS --password-stdin`."""
    owner = shared_aws.own_account()
    cli.file(".aws/credentials", ini({"default": keys(owner.key)}))
    password = cli.out(AWS, "ecr", "get-login-password").rstrip("\n")
    cli.run("crane", "auth", "login", registry.host, "-u", "AWS", "--password-stdin", input=password)
    cli.run("crane", "catalog", registry.host)
    said = json.loads(cli.aws("ecr", "get-authorization-token"))["authorizationData"]
    assert [data["proxyEndpoint"] for data in said] == [registry.url]
    said = cli.aws("ecr", "get-authorization-token", "--registry-ids", "999999999999", fails=True)
    assert "(InvalidParameterException)" in said
