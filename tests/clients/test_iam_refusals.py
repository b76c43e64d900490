"""IAM by boto3: what is refused has AWS's codes and sentences, on SQLite and on PostgreSQL."""

import json
from xml.etree import ElementTree

import pytest
from botocore import UNSIGNED

from support.aws import MANAGED, Key, allow, refused, trust

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

PULL = allow("ecr:BatchGetImage")
NOBODY = "nobody-of-that-name"


def missing(account):
    """Calls about what is not there."""
    iam, arn = account.iam, account.arn("policy", NOBODY)
    for kind in ("user", "group", "role"):
        owner = {f"{kind.capitalize()}Name": NOBODY}
        yield getattr(iam, f"get_{kind}"), owner
        yield getattr(iam, f"delete_{kind}"), owner
        yield getattr(iam, f"list_{kind}_policies"), owner
        yield getattr(iam, f"put_{kind}_policy"), owner | {"PolicyName": "a", "PolicyDocument": PULL}
        yield getattr(iam, f"attach_{kind}_policy"), owner | {"PolicyArn": MANAGED + "IAMFullAccess"}
    yield iam.get_policy, {"PolicyArn": arn}
    yield iam.delete_policy, {"PolicyArn": arn}
    yield iam.list_entities_for_policy, {"PolicyArn": arn}
    yield iam.get_policy_version, {"PolicyArn": MANAGED + "IAMFullAccess", "VersionId": "v2"}
    yield iam.list_access_keys, {"UserName": NOBODY}
    yield iam.delete_account_alias, {"AccountAlias": NOBODY}
    yield iam.attach_user_policy, {"UserName": "administrator", "PolicyArn": arn}
    yield iam.detach_user_policy, {"UserName": "administrator", "PolicyArn": MANAGED + "IAMFullAccess"}
    yield iam.get_user_policy, {"UserName": "administrator", "PolicyName": NOBODY}
    yield iam.update_access_key, {"UserName": "administrator", "AccessKeyId": "AKIA" + 16 * "A", "Status": "Active"}
    yield iam.remove_user_from_group, {"GroupName": NOBODY, "UserName": "administrator"}
    yield iam.delete_user_permissions_boundary, {"UserName": "administrator"}
    yield iam.put_user_permissions_boundary, {"UserName": "administrator", "PermissionsBoundary": arn}


def test_what_is_not_there(account):
    for call, parameters in missing(account):
        with refused("NoSuchEntity") as caught:
            call(**parameters)
        response = caught.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 404 and response["Error"]["Type"] == "Sender"
        assert isinstance(caught.value, account.iam.exceptions.NoSuchEntityException)


def test_what_is_there_already(account):
    for kind in ("user", "group", "role", "policy"):
        account.make(kind, "Taken")
        for name in ("Taken", "taken"):
            with refused("EntityAlreadyExists", name) as caught:
                account.make(kind, name)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    account.make("user", "other")
    with refused("EntityAlreadyExists"):
        account.iam.update_user(UserName="other", NewUserName="taken")
    account.iam.update_user(UserName="Taken", NewUserName="taken")  # only the case of its own name


def test_aliases_are_everybodys(aws, account):
    alias = f"alias-{account.id}"
    account.iam.create_account_alias(AccountAlias=alias)
    with refused("EntityAlreadyExists"):
        aws.account().iam.create_account_alias(AccountAlias=alias)


def test_what_still_has_something(account):
    iam = account.iam
    arn = account.make("policy", "own")["Arn"]
    key = account.user("alice")
    account.make("group", "devs")
    account.make("role", "ci")
    iam.add_user_to_group(GroupName="devs", UserName="alice")
    iam.attach_role_policy(RoleName="ci", PolicyArn=arn)

    def conflict(call, words, **parameters):
        with refused("DeleteConflict", words):
            call(**parameters)

    conflict(iam.delete_user, "must delete access keys first", UserName="alice")
    iam.delete_access_key(UserName="alice", AccessKeyId=key.id)
    conflict(iam.delete_user, "must remove users from group first", UserName="alice")
    conflict(iam.delete_group, "must remove users from group first", GroupName="devs")
    iam.remove_user_from_group(GroupName="devs", UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="in", PolicyDocument=PULL)
    conflict(iam.delete_user, "must delete policies first", UserName="alice")
    conflict(iam.delete_role, "must detach all policies first", RoleName="ci")
    conflict(iam.delete_policy, "detach", PolicyArn=arn)
    iam.detach_role_policy(RoleName="ci", PolicyArn=arn)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=PULL, SetAsDefault=True)
    conflict(iam.delete_policy, "versions", PolicyArn=arn)
    conflict(iam.delete_policy_version, "", PolicyArn=arn, VersionId="v2")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    for call, parameters in [(iam.delete_policy, {"PolicyArn": arn}), (iam.delete_role, {"RoleName": "ci"})]:
        call(**parameters)


BAD_DOCUMENTS = [
    "no JSON",
    "{}",
    json.dumps({"Version": "2013-01-01", "Statement": []}),
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}),
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*"}]}),
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*"}]}),
    allow("ecr:*", Principal="*"),
    allow("ecr:*", Condition={"StringLooksLike": {"aws:username": "a"}}),
]


def test_documents(account):
    for document in BAD_DOCUMENTS:
        with refused("MalformedPolicyDocument"):
            account.make("policy", "bad", PolicyDocument=document)
        with refused("MalformedPolicyDocument"):
            account.iam.put_user_policy(UserName="administrator", PolicyName="bad", PolicyDocument=document)
    for document in ("{}", PULL, trust("*", Resource="*")):
        with refused("MalformedPolicyDocument"):
            account.make("role", "bad", AssumeRolePolicyDocument=document)


def test_quotas(account):
    iam = account.iam
    arn = account.make("policy", "own")["Arn"]
    account.make("user", "alice")
    for _ in range(2):
        iam.create_access_key(UserName="alice")
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=PULL)
    for nth in range(10):
        account.make("group", f"g{nth}")
        iam.add_user_to_group(GroupName=f"g{nth}", UserName="alice")
    account.make("group", "one-more")
    iam.tag_user(UserName="alice", Tags=[{"Key": f"k{nth}", "Value": ""} for nth in range(50)])
    long = allow("ecr:*", resource=["arn:aws:ecr:us-east-1:000000000000:repository/" + 100 * "a"] * 50)
    for call, parameters in [
        (iam.create_access_key, {"UserName": "alice"}),
        (iam.create_policy_version, {"PolicyArn": arn, "PolicyDocument": PULL}),
        (iam.add_user_to_group, {"GroupName": "one-more", "UserName": "alice"}),
        (iam.tag_user, {"UserName": "alice", "Tags": [{"Key": "k50", "Value": ""}]}),
        (iam.create_policy, {"PolicyName": "long", "PolicyDocument": long}),
        (iam.put_user_policy, {"UserName": "alice", "PolicyName": "long", "PolicyDocument": long}),
    ]:
        with refused("LimitExceeded"):
            call(**parameters)


def test_parameters(aws, account):
    """What boto3 would not send is refused by the server too, in the words of AWS."""
    iam = aws.client("iam", account.key, parameter_validation=False)
    too_long = (
        f"1 validation error detected: Value '{65 * 'a'}' at 'userName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )
    for words, call, parameters in [
        (too_long, iam.create_user, {"UserName": 65 * "a"}),
        ("at 'userName'", iam.create_user, {"UserName": "a b"}),
        ("at 'userName'", iam.create_user, {"UserName": "ü"}),
        ("at 'userName'", iam.create_user, {}),
        ("at 'path'", iam.create_user, {"UserName": "a", "Path": "no-slashes"}),
        ("at 'maxItems'", iam.list_users, {"MaxItems": 0}),
        ("at 'maxItems'", iam.list_users, {"MaxItems": 1001}),
        ("Marker", iam.list_users, {"Marker": "made-up"}),
        ("at 'status'", iam.update_access_key, {"AccessKeyId": "AKIA" + 16 * "A", "Status": "On"}),
        ("at 'maxSessionDuration'", iam.update_role, {"RoleName": "r", "MaxSessionDuration": 60}),
    ]:
        with refused("ValidationError", words) as caught:
            call(**parameters)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_denials(aws, account):
    """The sentences of "Troubleshoot access denied error messages"."""
    bound = account.make("policy", "bound", PolicyDocument=allow("iam:GetUser"))["Arn"]
    key = account.user("alice", policy=allow("iam:GetUser", "iam:ListUsers"))
    alice = aws.client("iam", key)

    def denied(why, call, action, resource, **parameters):
        who = account.arn("user", "alice")
        sentence = f"User: {who} is not authorized to perform: iam:{action} on resource: {resource} {why}"
        with refused("AccessDenied", sentence) as caught:
            call(**parameters)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    bob = account.arn("user", "bob")
    nothing = "because no identity-based policy allows the iam:CreateUser action"
    denied(nothing, alice.create_user, "CreateUser", bob, UserName="bob")
    assert alice.get_user(UserName="alice")["User"]["UserName"] == "alice"
    account.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=bound)
    aws.settle()
    outside = "because no permissions boundary allows the iam:ListUsers action"
    denied(outside, alice.list_users, "ListUsers", account.arn("user", ""))
    assert alice.get_user(UserName="alice")["User"]["UserName"] == "alice"
    deny = allow("iam:GetUser", effect="Deny", resource=bob)
    account.iam.put_user_policy(UserName="alice", PolicyName="deny", PolicyDocument=deny)
    aws.settle()
    denied("with an explicit deny in an identity-based policy", alice.get_user, "GetUser", bob, UserName="bob")


def test_what_comes_with_the_server_stays(account):
    arn = MANAGED + "AmazonEC2ContainerRegistryPullOnly"
    with refused("AccessDenied"):
        account.iam.delete_policy(PolicyArn=arn)
    with refused("AccessDenied"):
        account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=PULL)


def test_accounts_see_their_own(aws, account):
    other = aws.account()
    account.make("user", "alice")
    arn = account.make("policy", "own")["Arn"]
    with refused("NoSuchEntity"):
        other.iam.get_user(UserName="alice")
    for call in (other.iam.get_policy, other.iam.delete_policy):
        with refused("NoSuchEntity"):
            call(PolicyArn=arn)
    with refused("NoSuchEntity"):
        other.iam.attach_user_policy(UserName="administrator", PolicyArn=arn)
    with refused("NoSuchEntity"):
        other.iam.get_access_key_last_used(AccessKeyId=account.key.id)


def test_credentials(aws, account):
    wrong = Key(account.key.id, 40 * "a")
    with refused("SignatureDoesNotMatch"):
        aws.client("iam", wrong).list_users()
    with refused("InvalidClientTokenId"):
        aws.client("iam", Key("AKIA" + 16 * "A", 40 * "a")).list_users()
    with refused("InvalidClientTokenId"):
        aws.client("iam", Key(account.key.id, account.key.secret, "made-up")).list_users()
    with refused("SignatureDoesNotMatch", "region"):
        aws.client("iam", account.key, region="eu-central-1").list_users()
    with refused("MissingAuthenticationToken"):
        aws.client("iam", account.key, signature_version=UNSIGNED).list_users()


def test_operations_that_are_not_served(aws, account):
    with refused("InvalidAction"):
        account.iam.create_login_profile(UserName="administrator", Password="secret")
    status, answer = aws.own("Fly", account.key)
    assert status == 400 and "InvalidAction" in ElementTree.tostring(answer, encoding="unicode")


def test_accounts(aws, account):
    """Berth's own operations are the registry's administrators'."""
    for action in ("CreateAccount", "DeleteAccount"):
        status, answer = aws.own(action, account.key, AccountId="111111111111")
        assert status == 403 and "AccessDenied" in ElementTree.tostring(answer, encoding="unicode")
    status, answer = aws.own("CreateAccount", AccountId=account.id)
    assert status == 409 and "EntityAlreadyExists" in ElementTree.tostring(answer, encoding="unicode")
    account.iam.create_group(GroupName="somebody")
    status, answer = aws.own("DeleteAccount", AccountId=account.id)
    assert status == 409 and "DeleteConflict" in ElementTree.tostring(answer, encoding="unicode")
    status, answer = aws.own("ListAccounts", MaxItems="1000")
    assert status == 200 and account.id in {element.text for element in answer.iter()}
