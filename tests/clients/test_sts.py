"""STS by boto3: temporary credentials, what they may do and when they die, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
import requests

from support.aws import MANAGED, Key, allow, refused, served, trust

pytestmark = pytest.mark.needs_berth

TAGS = [{"Key": "team", "Value": "blue"}]
EXTERNAL = {"Condition": {"StringEquals": {"sts:ExternalId": "the-secret-word"}}}


@pytest.fixture
def role(account):
    """A role that everybody of its account may assume who may assume roles, and that may do all of IAM."""
    made = account.make("role", "ci", AssumeRolePolicyDocument=trust(account.id, action="sts:*"))
    account.iam.attach_role_policy(RoleName="ci", PolicyArn=MANAGED + "IAMFullAccess")
    return made


def session(aws, key, role, name="build-7", **more):
    """The answer of AssumeRole and its credentials."""
    answer = aws.client("sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName=name, **more)
    return answer, Key.made(answer)


def lasts(answer):
    return (answer["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds()


def test_who_asks(aws, account):
    identity = aws.client("sts", account.key).get_caller_identity()
    user = account.iam.get_user()["User"]
    assert (identity["Account"], identity["Arn"], identity["UserId"]) == (account.id, user["Arn"], user["UserId"])
    nothing = account.user("nothing")
    assert aws.client("sts", nothing).get_caller_identity()["Arn"] == account.arn("user", "nothing")


def test_whose_a_key_is(aws, account):
    other = aws.account()
    sts = aws.client("sts", account.key)
    assert sts.get_access_key_info(AccessKeyId=other.key.id)["Account"] == other.id
    with refused("ValidationError"):
        sts.get_access_key_info(AccessKeyId="AKIA" + 16 * "A")


def test_a_role_is_assumed(aws, account, role):
    answer, key = session(aws, account.key, role)
    assert key.id.startswith("ASIA") and 3500 < lasts(answer) <= 3600
    arn = f"arn:aws:sts::{account.id}:assumed-role/ci/build-7"
    assert answer["AssumedRoleUser"] == {"Arn": arn, "AssumedRoleId": f"{role['RoleId']}:build-7"}
    identity = aws.client("sts", key).get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (arn, f"{role['RoleId']}:build-7")
    assert aws.client("iam", key).list_roles()["Roles"]
    shorter, _ = session(aws, account.key, role, DurationSeconds=900)
    assert 800 < lasts(shorter) <= 900


def test_sessions_are_narrowed(aws, account, role):
    answer, key = session(aws, account.key, role, Policy=allow("iam:ListUsers"))
    assert 0 < answer["PackedPolicySize"] <= 100
    iam = aws.client("iam", key)
    assert iam.list_users()["Users"]
    why = "because no session policy allows the iam:ListRoles action"
    with refused("AccessDenied", f"User: {answer['AssumedRoleUser']['Arn']} is not authorized"):
        iam.list_roles()
    with refused("AccessDenied", why):
        iam.list_roles()
    _, key = session(aws, account.key, role, PolicyArns=[{"arn": MANAGED + "IAMReadOnlyAccess"}])
    assert aws.client("iam", key).list_users()["Users"]
    with refused("AccessDenied", "no session policy allows"):
        aws.client("iam", key).create_user(UserName="bob")


def test_tags_and_source_identity(aws, account, role):
    second = account.make("role", "second", AssumeRolePolicyDocument=trust(role["Arn"], action="sts:*"))
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "alice"}}
    account.iam.detach_role_policy(RoleName="ci", PolicyArn=MANAGED + "IAMFullAccess")
    for name in ("ci", "second"):
        policy = allow("iam:GetRole", "sts:*", Condition=tagged)
        account.iam.put_role_policy(RoleName=name, PolicyName="tagged", PolicyDocument=policy)
    aws.settle()
    _, without = session(aws, account.key, role)
    with refused("AccessDenied"):
        aws.client("iam", without).get_role(RoleName="ci")
    more = {"Tags": TAGS, "TransitiveTagKeys": ["team"], "SourceIdentity": "alice"}
    answer, key = session(aws, account.key, role, **more)
    assert answer["SourceIdentity"] == "alice" and answer["PackedPolicySize"] > 0
    assert aws.client("iam", key).get_role(RoleName="ci")["Role"]["RoleName"] == "ci"
    # What is transitive goes on, and cannot be changed on the way.
    answer, chained = session(aws, key, second)
    assert answer["SourceIdentity"] == "alice"
    assert aws.client("iam", chained).get_role(RoleName="ci")["Role"]["RoleName"] == "ci"
    with refused("ValidationError"):
        session(aws, key, second, Tags=[{"Key": "Team", "Value": "red"}])
    with refused("ValidationError"):
        session(aws, key, second, SourceIdentity="bob")
    with refused("ValidationError", "1 hour session limit"):
        session(aws, key, second, DurationSeconds=7200)


def test_external_ids(aws, account):
    role = account.make("role", "third", AssumeRolePolicyDocument=trust(account.id, **EXTERNAL))
    assert session(aws, account.key, role, ExternalId="the-secret-word")
    for more in ({}, {"ExternalId": "another-word"}):
        with refused("AccessDenied"):
            session(aws, account.key, role, **more)


def test_who_may_not_assume(aws, account, role):
    """Trusted by account only, the caller needs leave of its own; a role that is not there is refused in the same words."""
    alice = account.user("alice")
    for arn in (role["Arn"], account.arn("role", "not-there")):
        words = f"User: {account.arn('user', 'alice')} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        with refused("AccessDenied") as caught:
            session(aws, alice, {"Arn": arn})
        assert caught.value.response["Error"]["Message"] == words
    account.iam.put_user_policy(UserName="alice", PolicyName="a", PolicyDocument=allow("sts:AssumeRole"))
    aws.settle()
    assert session(aws, alice, role)
    with refused("AccessDenied", "sts:TagSession"):
        session(aws, alice, role, Tags=TAGS)
    with refused("AccessDenied", "sts:SetSourceIdentity"):
        session(aws, alice, role, SourceIdentity="alice")


def test_what_is_wrong(aws, account, role):
    sts = aws.client("sts", account.key, parameter_validation=False)
    given = {"RoleArn": role["Arn"], "RoleSessionName": "one"}
    for code, words, more in [
        ("ValidationError", "at 'roleSessionName'", {"RoleSessionName": "a b"}),
        ("ValidationError", "at 'durationSeconds'", {"DurationSeconds": 899}),
        ("ValidationError", "MaxSessionDuration", {"DurationSeconds": 3601}),
        ("ValidationError", "", {"RoleArn": "arn:aws:iam::1:user/nobody-at-all"}),
        ("ValidationError", "", {"SerialNumber": "arn:aws:iam::1:mfa/one", "TokenCode": "123456"}),
        ("ValidationError", "", {"TransitiveTagKeys": ["team"]}),
        ("MalformedPolicyDocument", "", {"Policy": "{}"}),
        ("MalformedPolicyDocument", "", {"PolicyArns": [{"arn": account.arn("policy", "not-there")}]}),
        ("PackedPolicyTooLarge", "", {"Tags": [{"Key": f"k{n}", "Value": 250 * "v"} for n in range(50)]}),
    ]:
        with refused(code, words):
            sts.assume_role(**given | more)
    with refused("InvalidAction"):
        sts.get_federation_token(Name="one")


def test_session_tokens(aws, account):
    answer = aws.client("sts", account.key).get_session_token()
    key = Key.made(answer)
    assert 43_000 < lasts(answer) <= 43_200
    sts = aws.client("sts", key)
    assert sts.get_caller_identity()["Arn"] == account.arn("user", "administrator")
    with refused("AccessDenied"):
        sts.get_session_token()
    with refused("AccessDenied"):
        aws.client("iam", key).list_users()
    shorter = aws.client("sts", account.key).get_session_token(DurationSeconds=900)
    assert 800 < lasts(shorter) <= 900


def test_credentials_that_are_not_whole(aws, account, role):
    _, key = session(aws, account.key, role)
    middle = len(key.token) // 2
    other = "A" if key.token[middle] != "A" else "B"
    altered = key.token[:middle] + other + key.token[middle + 1 :]
    strangers = Key(account.key.id, account.key.secret, key.token)
    for bad in (Key(key.id, key.secret), Key(key.id, key.secret, altered), strangers):
        with refused("InvalidClientTokenId"):
            aws.client("sts", bad).get_caller_identity()
    with refused("SignatureDoesNotMatch"):
        aws.client("sts", Key(key.id, 40 * "a", key.token)).get_caller_identity()


def test_sessions_die_with_what_they_come_from(aws, account, role):
    alice = account.user("alice", policy=allow("sts:*"))
    _, of_role = session(aws, alice, role)
    of_user = Key.made(aws.client("sts", alice).get_session_token())
    clients = [aws.client("sts", key) for key in (of_role, of_user)]
    for sts in clients:
        assert sts.get_caller_identity()["Account"] == account.id
    account.iam.update_access_key(UserName="alice", AccessKeyId=alice.id, Status="Inactive")
    aws.settle()
    for sts in clients:
        with refused("InvalidClientTokenId"):
            sts.get_caller_identity()


def test_a_session_does_not_pass_to_the_next_role_of_that_name(aws, account, role):
    _, key = session(aws, account.key, role)
    account.iam.detach_role_policy(RoleName="ci", PolicyArn=MANAGED + "IAMFullAccess")
    account.iam.delete_role(RoleName="ci")
    account.make("role", "ci")
    aws.settle()
    with refused("InvalidClientTokenId"):
        aws.client("sts", key).get_caller_identity()


def test_presigned_urls(aws, account, role):
    """A URL that tells who signed it, as Vault and others ask for."""
    _, key = session(aws, account.key, role)
    url = presigned(aws, key)
    answer = get(url)
    assert answer.status_code == 200 and "assumed-role/ci/build-7</Arn>" in answer.text, answer.text
    for altered in (url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), url[:-1] + ("0" if url[-1] != "0" else "1")):
        assert altered != url
        answer = get(altered)
        assert answer.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer.text, answer.text
    hour_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
    with patch("botocore.auth.get_current_datetime", return_value=hour_ago):
        expired = presigned(aws, account.key)
    answer = get(expired)
    assert answer.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer.text, answer.text
    assert "expired" in answer.text, answer.text


def presigned(aws, key):
    return aws.client("sts", key).generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")


def get(url):
    http = requests.Session()
    http.trust_env = False
    return http.get(url, timeout=60)


def test_clocks_may_differ_a_little(aws, account):
    now = datetime.now(UTC).replace(tzinfo=None)
    for minutes, is_answered in [(-20, False), (-10, True), (10, True), (20, False)]:
        with patch("botocore.auth.get_current_datetime", return_value=now + timedelta(minutes=minutes)):
            sts = aws.client("sts", account.key)
            if is_answered:
                sts.get_caller_identity()
            else:
                with refused("SignatureDoesNotMatch"):
                    sts.get_caller_identity()


def test_every_operation_was_called(aws):
    """By the tests above: it means something when all of them ran."""
    # Whom a provider vouches for has suites of its own: test_web_identity.py and test_saml.py.
    vouched = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
    missing = served("sts") - vouched - {operation for service, operation in aws.called if service == "sts"}
    assert not missing
