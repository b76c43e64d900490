"""IAM by boto3: every operation that is served, its answers compared with botocore's models, on SQLite and on PostgreSQL."""

import json

import pytest

from clients.test_saml import provider  # noqa: F401  (a fixture)
from support.aws import MANAGED, Key, allow, refused, served, trust

pytestmark = pytest.mark.needs_berth

PULL, PUSH = allow("ecr:BatchGetImage"), allow("ecr:PutImage")
TAGS = [{"Key": "team", "Value": "blue"}, {"Key": "tier", "Value": ""}]


def names(items, key):
    return [item[key] for item in items]


def test_users(account):
    iam = account.iam
    made = account.make("user", "alice", Path="/staff/", Tags=TAGS)
    assert made["Arn"] == account.arn("user", "staff/alice") and made["UserId"].startswith("AIDA")
    assert iam.get_user(UserName="alice")["User"] == made and made["Tags"] == TAGS
    assert names(iam.list_users(PathPrefix="/staff/")["Users"], "UserName") == ["alice"]
    iam.update_user(UserName="alice", NewUserName="alicia", NewPath="/")
    moved = iam.get_user(UserName="alicia")["User"]
    assert moved == made | {"UserName": "alicia", "Path": "/", "Arn": account.arn("user", "alicia")}
    assert iam.list_users(PathPrefix="/staff/")["Users"] == []
    assert names(iam.list_users()["Users"], "UserName") == ["administrator", "alicia"]
    assert iam.get_user()["User"]["UserName"] == "administrator", "who asks, where nobody is named"
    iam.delete_user(UserName="alicia")
    with refused("NoSuchEntity"):
        iam.get_user(UserName="alicia")


def test_groups(account):
    iam = account.iam
    account.make("user", "alice")
    made = account.make("group", "devs", Path="/a/b/")
    assert made["Arn"] == account.arn("group", "a/b/devs") and made["GroupId"].startswith("AGPA")
    iam.add_user_to_group(GroupName="devs", UserName="alice")
    held = iam.get_group(GroupName="devs")
    assert held["Group"] == made and names(held["Users"], "UserName") == ["alice"]
    assert iam.list_groups_for_user(UserName="alice")["Groups"] == [made]
    iam.update_group(GroupName="devs", NewGroupName="ops")
    assert names(iam.list_groups()["Groups"], "Arn") == [account.arn("group", "a/b/ops")]
    iam.remove_user_from_group(GroupName="ops", UserName="alice")
    assert iam.list_groups_for_user(UserName="alice")["Groups"] == []
    iam.delete_group(GroupName="ops")
    assert iam.list_groups()["Groups"] == []


def test_roles(account):
    iam, trusted = account.iam, trust("*")
    made = account.make("role", "ci", Path="/r/", Description="é", MaxSessionDuration=7200, Tags=TAGS)
    assert made["Arn"] == account.arn("role", "r/ci") and made["RoleId"].startswith("AROA")
    got = iam.get_role(RoleName="ci")["Role"]
    assert got == made and got["MaxSessionDuration"] == 7200 and got["Description"] == "é"
    assert got["AssumeRolePolicyDocument"] == json.loads(trust(account.id))
    iam.update_role(RoleName="ci", MaxSessionDuration=3600, Description="other")
    iam.update_assume_role_policy(RoleName="ci", PolicyDocument=trusted)
    described = iam.update_role_description(RoleName="ci", Description="last")["Role"]
    assert described["Description"] == "last" and described["MaxSessionDuration"] == 3600
    assert described["AssumeRolePolicyDocument"] == json.loads(trusted)
    assert names(iam.list_roles()["Roles"], "RoleName") == ["ci"]
    iam.delete_role(RoleName="ci")
    assert iam.list_roles()["Roles"] == []


def test_policies(account):
    iam = account.iam
    made = account.make("policy", "pull", PolicyDocument=PULL, Description="pulls", Path="/p/", Tags=TAGS)
    arn = made["Arn"]
    assert arn == account.arn("policy", "p/pull") and made["PolicyId"].startswith("ANPA")
    assert iam.get_policy(PolicyArn=arn)["Policy"] == made
    assert names(iam.list_policies(Scope="Local")["Policies"], "Arn") == [arn]
    managed = names(iam.list_policies(Scope="AWS")["Policies"], "Arn")
    assert MANAGED + "AmazonEC2ContainerRegistryPowerUser" in managed
    assert names(iam.list_policies()["Policies"], "Arn") == [*managed, arn]
    assert iam.list_policies(OnlyAttached=True)["Policies"][0]["Arn"] == MANAGED + "AdministratorAccess"
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=PUSH, SetAsDefault=True)["PolicyVersion"]
    assert second["VersionId"] == "v2" and second["IsDefaultVersion"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == json.loads(PUSH)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in versions] == [("v2", False), ("v1", True)]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    iam.delete_policy(PolicyArn=arn)
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_a_managed_policy_is_read(account):
    arn = MANAGED + "AmazonEC2ContainerRegistryPullOnly"
    assert account.iam.get_policy(PolicyArn=arn)["Policy"]["IsAttachable"]
    document = account.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert "ecr:GetAuthorizationToken" in document["Statement"][0]["Action"]


def test_access_keys(aws, account):
    iam = account.iam
    account.make("user", "alice")
    key = Key.made(iam.create_access_key(UserName="alice"))
    unused = iam.get_access_key_last_used(AccessKeyId=key.id)
    assert unused["UserName"] == "alice" and unused["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    sts = aws.client("sts", key)
    assert sts.get_caller_identity()["Arn"] == account.arn("user", "alice")
    used = iam.get_access_key_last_used(AccessKeyId=key.id)["AccessKeyLastUsed"]
    if aws.nodes == 1:  # another node may not have written yet what it saw
        assert used["ServiceName"] == "sts" and used["Region"] == "us-east-1" and used["LastUsedDate"]
    iam.update_access_key(UserName="alice", AccessKeyId=key.id, Status="Inactive")
    aws.settle()
    with refused("InvalidClientTokenId"):
        sts.get_caller_identity()
    assert names(iam.list_access_keys(UserName="alice")["AccessKeyMetadata"], "Status") == ["Inactive"]
    iam.update_access_key(UserName="alice", AccessKeyId=key.id, Status="Active")
    aws.settle()
    assert sts.get_caller_identity()["Account"] == account.id
    iam.delete_access_key(UserName="alice", AccessKeyId=key.id)
    aws.settle()
    with refused("InvalidClientTokenId"):
        sts.get_caller_identity()
    assert iam.list_access_keys(UserName="alice")["AccessKeyMetadata"] == []


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_inline_policies(account, kind):
    account.make(kind, "one")
    owner = {f"{kind.capitalize()}Name": "one"}
    put, get, listed, delete = (
        getattr(account.iam, name)
        for name in (f"put_{kind}_policy", f"get_{kind}_policy", f"list_{kind}_policies", f"delete_{kind}_policy")
    )
    put(**owner, PolicyName="b", PolicyDocument=PULL)
    put(**owner, PolicyName="a", PolicyDocument=PULL)
    put(**owner, PolicyName="b", PolicyDocument=PUSH)
    got = get(**owner, PolicyName="b")
    assert got["PolicyDocument"] == json.loads(PUSH) and got[f"{kind.capitalize()}Name"] == "one"
    assert listed(**owner)["PolicyNames"] == ["a", "b"]
    delete(**owner, PolicyName="b")
    assert listed(**owner)["PolicyNames"] == ["a"]


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_attached_policies(account, kind):
    iam, title = account.iam, kind.capitalize()
    owner = {f"{title}Name": "one"}
    unique_id = account.make(kind, "one")[f"{title}Id"]
    arn = account.make("policy", "own")["Arn"]
    attach, listed = getattr(iam, f"attach_{kind}_policy"), getattr(iam, f"list_attached_{kind}_policies")
    attach(**owner, PolicyArn=arn)
    attach(**owner, PolicyArn=arn)  # twice is as good as once
    attach(**owner, PolicyArn=MANAGED + "IAMReadOnlyAccess")
    assert {"PolicyName": "own", "PolicyArn": arn} in listed(**owner)["AttachedPolicies"]
    assert len(listed(**owner)["AttachedPolicies"]) == 2
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    found = {k: entities[f"Policy{k}s"] for k in ("User", "Group", "Role")}
    assert found.pop(title) == [{f"{title}Name": "one", f"{title}Id": unique_id}]
    assert list(found.values()) == [[], []]
    getattr(iam, f"detach_{kind}_policy")(**owner, PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


@pytest.mark.parametrize("kind", ["user", "role"])
def test_boundaries(account, kind):
    iam, title = account.iam, kind.capitalize()
    bound = account.make("policy", "bound")["Arn"]
    owner = {f"{title}Name": "one"}
    made = account.make(kind, "one", PermissionsBoundary=bound)
    set_to = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": bound}
    assert made["PermissionsBoundary"] == set_to
    assert iam.get_policy(PolicyArn=bound)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    getattr(iam, f"delete_{kind}_permissions_boundary")(**owner)
    assert "PermissionsBoundary" not in getattr(iam, f"get_{kind}")(**owner)[title]
    getattr(iam, f"put_{kind}_permissions_boundary")(**owner, PermissionsBoundary=bound)
    assert getattr(iam, f"get_{kind}")(**owner)[title]["PermissionsBoundary"] == set_to


@pytest.mark.parametrize("kind", ["user", "role", "policy"])
def test_tags(account, kind):
    made, title = account.make(kind, "one"), kind.capitalize()
    owner = {"PolicyArn": made["Arn"]} if kind == "policy" else {f"{title}Name": "one"}
    tag, untag, listed = (getattr(account.iam, name) for name in (f"tag_{kind}", f"untag_{kind}", f"list_{kind}_tags"))
    tag(**owner, Tags=TAGS)
    tag(**owner, Tags=[{"Key": "team", "Value": "ré d"}])
    assert listed(**owner)["Tags"] == [{"Key": "team", "Value": "ré d"}, {"Key": "tier", "Value": ""}]
    untag(**owner, TagKeys=["tier", "never"])
    assert names(getattr(account.iam, f"get_{kind}")(**owner)[title]["Tags"], "Key") == ["team"]


def test_account(account):
    iam, alias = account.iam, f"alias-{account.id}"
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    iam.delete_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == []
    account.make("group", "devs")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["Roles"], summary["AccessKeysPerUserQuota"]) == (1, 1, 0, 2)


def test_details(account):
    iam = account.iam
    arn = account.make("policy", "own", PolicyDocument=PULL)["Arn"]
    for kind in ("user", "group", "role"):
        account.make(kind, f"a-{kind}")
        owner = {f"{kind.capitalize()}Name": f"a-{kind}"}
        getattr(iam, f"attach_{kind}_policy")(**owner, PolicyArn=arn)
        getattr(iam, f"put_{kind}_policy")(**owner, PolicyName="in", PolicyDocument=PUSH)
    iam.add_user_to_group(GroupName="a-group", UserName="a-user")
    iam.tag_user(UserName="a-user", Tags=TAGS)
    every = iam.get_account_authorization_details()
    user = every["UserDetailList"][0]
    assert user["UserName"] == "a-user" and user["GroupList"] == ["a-group"] and user["Tags"] == TAGS
    for kind in ("User", "Group", "Role"):
        detail = every[f"{kind}DetailList"][0]
        assert detail["AttachedManagedPolicies"] == [{"PolicyName": "own", "PolicyArn": arn}]
        (inline,) = detail["UserPolicyList" if kind == "User" else f"{kind}PolicyList"]
        assert inline == {"PolicyName": "in", "PolicyDocument": json.loads(PUSH)}
    own = next(policy for policy in every["Policies"] if policy["Arn"] == arn)
    assert own["PolicyVersionList"][0]["Document"] == json.loads(PULL) and own["AttachmentCount"] == 3
    local = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
    assert names(local["Policies"], "Arn") == [arn] and local["UserDetailList"] == []


def test_simulations(account):
    iam = account.iam
    account.make("user", "alice")
    repository = f"arn:aws:ecr:us-east-1:{account.id}:repository"
    policy = allow("ecr:PutImage", resource=f"{repository}/dev/*", Condition={"StringEquals": {"aws:username": "alice"}})
    iam.put_user_policy(UserName="alice", PolicyName="dev", PolicyDocument=policy)
    source, context = account.arn("user", "alice"), {"ContextKeyName": "aws:username", "ContextKeyType": "string"}
    asked = {
        "ActionNames": ["ecr:PutImage"],
        "ResourceArns": [f"{repository}/dev/a", f"{repository}/prod/a"],
        "ContextEntries": [context | {"ContextKeyValues": ["alice"]}],
    }
    simulated = iam.simulate_principal_policy(PolicySourceArn=source, **asked)["EvaluationResults"]
    assert names(simulated, "EvalDecision") == ["allowed", "implicitDeny"]
    custom = iam.simulate_custom_policy(PolicyInputList=[policy, allow("ecr:*", effect="Deny")], **asked)
    assert names(custom["EvaluationResults"], "EvalDecision") == ["explicitDeny", "explicitDeny"]
    without = iam.simulate_custom_policy(PolicyInputList=[policy], **asked | {"ContextEntries": []})
    assert without["EvaluationResults"][0]["MissingContextValues"] == ["aws:username"]
    keys = [
        iam.get_context_keys_for_custom_policy(PolicyInputList=[policy]),
        iam.get_context_keys_for_principal_policy(PolicySourceArn=source),
    ]
    assert names(keys, "ContextKeyNames") == [["aws:username"]] * 2


def test_issuers(account):
    iam = account.iam
    # A public address, which nobody asks before a token comes.
    made = iam.create_open_id_connect_provider(
        Url="https://8.8.8.8/issuer", ClientIDList=["one"], ThumbprintList=["a" * 40], Tags=[{"Key": "k", "Value": "v"}]
    )
    arn = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    assert arn["OpenIDConnectProviderArn"] == account.arn("oidc-provider", "8.8.8.8/issuer")
    iam.add_client_id_to_open_id_connect_provider(**arn, ClientID="two")
    iam.remove_client_id_from_open_id_connect_provider(**arn, ClientID="one")
    iam.update_open_id_connect_provider_thumbprint(**arn, ThumbprintList=["b" * 40])
    found = iam.get_open_id_connect_provider(**arn)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == ("8.8.8.8/issuer", ["two"], ["b" * 40])
    iam.tag_open_id_connect_provider(**arn, Tags=[{"Key": "x", "Value": "y"}])
    iam.untag_open_id_connect_provider(**arn, TagKeys=["k"])
    assert iam.list_open_id_connect_provider_tags(**arn)["Tags"] == [{"Key": "x", "Value": "y"}]
    assert [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]] == [*arn.values()]
    iam.delete_open_id_connect_provider(**arn)
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_saml_providers(account, provider):
    iam = account.iam
    made = iam.create_saml_provider(Name="company", SAMLMetadataDocument=provider.metadata())
    arn = {"SAMLProviderArn": made["SAMLProviderArn"]}
    assert arn["SAMLProviderArn"] == account.arn("saml-provider", "company")
    iam.update_saml_provider(**arn, SAMLMetadataDocument=provider.metadata())
    assert iam.get_saml_provider(**arn)["SAMLMetadataDocument"] == provider.metadata()
    iam.tag_saml_provider(**arn, Tags=[{"Key": "x", "Value": "y"}, {"Key": "k", "Value": "v"}])
    iam.untag_saml_provider(**arn, TagKeys=["k"])
    assert iam.list_saml_provider_tags(**arn)["Tags"] == [{"Key": "x", "Value": "y"}]
    assert [p["Arn"] for p in iam.list_saml_providers()["SAMLProviderList"]] == [*arn.values()]
    iam.delete_saml_provider(**arn)
    assert iam.list_saml_providers()["SAMLProviderList"] == []


def test_every_operation_was_called(aws):
    """By the tests above: it means something when all of them ran."""
    missing = served("iam") - {operation for service, operation in aws.called if service == "iam"}
    assert not missing
