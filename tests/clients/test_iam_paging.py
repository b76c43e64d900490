"""IAM by boto3: botocore's paginators go through to the end, and its waiters wait, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import WaiterError

from clients.test_saml import provider  # noqa: F401  (a fixture)
from support.aws import allow, served

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

PULL = allow("ecr:BatchGetImage")
MANY = 5
TAGS = [{"Key": f"k{nth}", "Value": str(nth)} for nth in range(MANY)]


@pytest.fixture
def full_account(account, provider):
    """An account that has five of everything, or what is possible of it."""
    iam = account.iam
    policies = [account.make("policy", f"p{nth}")["Arn"] for nth in range(MANY)]
    for kind in ("user", "group", "role"):
        title = f"{kind.capitalize()}Name"
        for nth in range(MANY):
            account.make(kind, f"x{nth}")
            getattr(iam, f"attach_{kind}_policy")(**{title: f"x{nth}"}, PolicyArn=policies[0])
            getattr(iam, f"attach_{kind}_policy")(**{title: "x0"}, PolicyArn=policies[nth])
            getattr(iam, f"put_{kind}_policy")(**{title: "x0"}, PolicyName=f"i{nth}", PolicyDocument=PULL)
    for nth in range(MANY):
        iam.add_user_to_group(GroupName="x0", UserName=f"x{nth}")
        iam.add_user_to_group(GroupName=f"x{nth}", UserName="x0")
    for _ in range(MANY - 1):
        iam.create_policy_version(PolicyArn=policies[0], PolicyDocument=PULL)
    for _ in range(2):
        iam.create_access_key(UserName="x0")
    iam.create_account_alias(AccountAlias=f"alias-{account.id}")
    iam.tag_user(UserName="x0", Tags=TAGS)
    iam.tag_role(RoleName="x0", Tags=TAGS)
    iam.tag_policy(PolicyArn=policies[0], Tags=TAGS)
    iam.create_open_id_connect_provider(Url="https://8.8.8.8/issuer", ClientIDList=["one"], Tags=TAGS)
    iam.create_saml_provider(Name="company", SAMLMetadataDocument=provider.metadata(), Tags=TAGS)
    return account


def parameters(account):
    """What each operation that gives pages is asked, and how many things it has to give at least."""
    user, group, role = {"UserName": "x0"}, {"GroupName": "x0"}, {"RoleName": "x0"}
    policy = {"PolicyArn": account.arn("policy", "p0")}
    actions = {"ActionNames": [f"ecr:A{nth}" for nth in range(MANY)]}
    return {
        "GetAccountAuthorizationDetails": ({}, 4 * MANY),
        "GetGroup": (group, MANY),
        "ListAccessKeys": (user, 2),
        "ListAccountAliases": ({}, 1),
        "ListAttachedGroupPolicies": (group, MANY),
        "ListAttachedRolePolicies": (role, MANY),
        "ListAttachedUserPolicies": (user, MANY),
        "ListEntitiesForPolicy": (policy, 3 * MANY),
        "ListGroupPolicies": (group, MANY),
        "ListGroups": ({}, MANY),
        "ListGroupsForUser": (user, MANY),
        "ListOpenIDConnectProviderTags": (
            {"OpenIDConnectProviderArn": account.arn("oidc-provider", "8.8.8.8/issuer")},
            MANY,
        ),
        "ListPolicies": ({}, MANY + 7),
        "ListPolicyTags": (policy, MANY),
        "ListPolicyVersions": (policy, MANY),
        "ListRolePolicies": (role, MANY),
        "ListRoleTags": (role, MANY),
        "ListRoles": ({}, MANY),
        "ListSAMLProviderTags": ({"SAMLProviderArn": account.arn("saml-provider", "company")}, MANY),
        "ListUserPolicies": (user, MANY),
        "ListUserTags": (user, MANY),
        "ListUsers": ({}, MANY + 1),
        "SimulateCustomPolicy": ({"PolicyInputList": [PULL], **actions}, MANY),
        "SimulatePrincipalPolicy": ({"PolicySourceArn": account.arn("user", "x0"), **actions}, MANY),
    }


def method(client, operation):
    return next(name for name, known in client.meta.method_to_api_mapping.items() if known == operation)


def test_every_paginator(full_account):
    iam, asked = full_account.iam, parameters(full_account)
    can = {name for name in served("iam") if iam.can_paginate(method(iam, name))}
    assert can == set(asked)
    for operation, (given, least) in asked.items():
        call = method(iam, operation)
        whole = getattr(iam, call)(**given)
        assert not whole["IsTruncated"] and "Marker" not in whole, operation
        paginator = iam.get_paginator(call)
        keys = [key.expression for key in paginator.result_keys]
        pages = list(paginator.paginate(**given, PaginationConfig={"PageSize": 2}))
        sizes = [sum(len(page[key]) for key in keys) for page in pages]
        assert sum(sizes) >= least, operation
        # No more than two a page, and none that is not full but the last.
        assert set(sizes[:-1]) <= {2} and sizes[-1] in (1, 2), (operation, sizes)
        for key in keys:
            assert [item for page in pages for item in page[key]] == whole[key], (operation, key)


def test_pages_begin_behind_what_is_gone(full_account):
    iam = full_account.iam
    pages = iter(iam.get_paginator("list_group_policies").paginate(GroupName="x0", PaginationConfig={"PageSize": 2}))
    assert next(pages)["PolicyNames"] == ["i0", "i1"]
    for name in ("i1", "i2"):
        iam.delete_group_policy(GroupName="x0", PolicyName=name)
    assert [name for page in pages for name in page["PolicyNames"]] == ["i3", "i4"]


@pytest.mark.parametrize("kind", ["user", "role", "policy"])
def test_waiters(account, kind):
    title = kind.capitalize()
    given = {"PolicyArn": account.arn(kind, "late")} if kind == "policy" else {f"{title}Name": "late"}
    waiter = account.iam.get_waiter(f"{kind}_exists")
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        waiter.wait(**given, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(waiter.wait, **given, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
        account.make(kind, "late")
        waiting.result(timeout=60)
