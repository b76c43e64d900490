"""The audit trail as its clients see it: `aws cloudtrail lookup-events`, boto3, and `berth audit search`."""

import gzip
import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from clients.test_crane import login, single_image
from clients.test_docker import build
from support.aws import ACCOUNT, REGION, Aws, Key, allow, refused, served
from support.ecr import arn
from support.server import wait_until

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

AWS = Path(sys.executable).parent / "aws"
ECR = "ecr.amazonaws.com"


@pytest.fixture(scope="module")
def server(serve):
    with serve("audited") as server:
        yield server


@pytest.fixture(scope="module")
def aws(server):
    return Aws(server.registry())


@pytest.fixture(scope="module")
def trail(aws):
    return aws.client("cloudtrail")


@pytest.fixture(scope="module")
def alice(aws):
    """A user who may push to `team/*` alone, and may see what is on record."""
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "ecr:*", "Resource": arn("team/*")},
                {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
            ],
        }
    )
    return aws.own_account().user("alice", policy=policy)


def page_of(trail, **asked):
    return trail.lookup_events(**asked)


def events(trail, key=None, value=None, **asked):
    """All events of an attribute, through boto3's paginator."""
    if key:
        asked["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
    pages = trail.get_paginator("lookup_events").paginate(**asked)
    return [event for page in pages for event in page["Events"]]


def records(trail, name, **fields):
    """The records of an operation that have these members."""
    found = [json.loads(event["CloudTrailEvent"]) for event in events(trail, "EventName", name)]
    return [record for record in found if all(record.get(name) == value for name, value in fields.items())]


def awaited(trail, name, **fields):
    """The only record of an operation with these members, as soon as it is there: what wrote nothing comes through a queue."""
    wait_until(f"a record of {name} with {fields}", lambda: records(trail, name, **fields), seconds=15)
    return records(trail, name, **fields)[0]


def about(record):
    return [resource["ARN"] for resource in record.get("resources", [])]


@pytest.fixture(scope="module")
def pushed(aws, alice):
    """A repository of alice's."""
    aws.client("ecr", alice).create_repository(repositoryName="team/app")
    return "team/app"


def test_every_operation_is_called(aws, trail):
    page_of(trail)
    assert served("cloudtrail") == {"LookupEvents"}
    assert ("cloudtrail", "LookupEvents") in aws.called


def test_a_change_is_found_at_once_with_who_and_what(trail, alice, pushed):
    (record,) = [record for record in records(trail, "CreateRepository") if about(record) == [arn(pushed)]]
    who = record["userIdentity"]
    assert (who["type"], who["userName"], who["accessKeyId"]) == ("IAMUser", "alice", alice.id)
    assert who["arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice" and who["accountId"] == ACCOUNT
    assert record["eventSource"] == ECR and record["awsRegion"] == REGION
    assert record["sourceIPAddress"] == "127.0.0.1" and "Boto3" in record["userAgent"]
    assert record["requestParameters"]["repositoryName"] == pushed
    assert record["readOnly"] is False and "errorCode" not in record
    assert record["recipientAccountId"] == ACCOUNT and record["eventCategory"] == "Management"


def test_pushes_and_pulls_by_crane_are_on_record(home, aws, trail, alice, one, pushed):
    registry, (layout, digest) = aws.login_by_key(alice), one
    login(home, registry)
    ref = registry.ref(f"{pushed}:crane")
    home.run("crane", "push", single_image(home, layout, digest), ref)
    home.run("crane", "pull", ref, home.path / "pulled.tar")
    push = awaited(trail, "PutImage")
    assert push["userIdentity"]["userName"] == "alice" and about(push) == [arn(pushed)]
    assert "crane" in push["userAgent"] and push["requestParameters"]["repositoryName"] == pushed
    for name in ("InitiateLayerUpload", "CompleteLayerUpload"):
        assert awaited(trail, name)["userIdentity"]["userName"] == "alice"
    for name in ("BatchGetImage", "GetDownloadUrlForLayer"):
        pull = awaited(trail, name)
        assert pull["readOnly"] is True and pull["userIdentity"]["userName"] == "alice"
    said = home.run("crane", "digest", registry.ref("other/app:1"), fails=True)
    assert "denied" in said.lower()
    refusal = awaited(trail, "BatchGetImage", errorCode="DENIED")
    assert about(refusal) == [arn("other/app")] and refusal["userIdentity"]["userName"] == "alice"


def test_pushes_and_pulls_by_docker_are_on_record(docker, aws, trail, alice, pushed):
    registry = aws.login(alice)
    docker.login(registry)
    ref = registry.ref(f"{pushed}:docker")
    build(docker, ref)
    docker("push", ref)
    docker("rmi", ref)
    docker("pull", ref)
    ours = lambda name: [r for r in records(trail, name) if "docker" in r.get("userAgent", "").lower()]
    wait_until("a pull by docker", lambda: ours("BatchGetImage"))
    for record in ours("PutImage") + ours("BatchGetImage"):
        assert record["userIdentity"]["userName"] == "alice", record
    assert ours("PutImage")
    docker("logout", registry.host)


def test_refusals_are_on_record_with_their_code(aws, trail, alice):
    with refused("AccessDeniedException"):
        aws.client("ecr", alice).create_repository(repositoryName="other/app")
    record = awaited(trail, "CreateRepository", errorCode="AccessDeniedException")
    assert "alice" in record["errorMessage"] and record["userIdentity"]["userName"] == "alice"
    assert about(record) == [arn("other/app")]
    with refused("InvalidSignatureException"):
        aws.client("ecr", Key(alice.id, "x" * 40)).describe_repositories()
    record = awaited(trail, "DescribeRepositories", errorCode="InvalidSignatureException")
    assert record["userIdentity"] == {"type": "Unknown", "accessKeyId": alice.id}
    with refused("InvalidMaxResultsException"):
        page_of(aws.client("cloudtrail", parameter_validation=False), MaxResults=0)
    record = awaited(trail, "LookupEvents", errorCode="InvalidMaxResultsException")
    assert record["eventSource"] == "cloudtrail.amazonaws.com" and record["readOnly"] is True


def test_each_attribute(trail, alice, pushed):
    wait_until("an event of alice", lambda: events(trail, "Username", "alice"))
    (record,) = [record for record in records(trail, "CreateRepository") if about(record) == [arn(pushed)]]
    for key, value in {
        "EventId": record["eventID"],
        "EventName": "CreateRepository",
        "ReadOnly": "false",
        "Username": "alice",
        "ResourceType": "AWS::ECR::Repository",
        "ResourceName": arn(pushed),
        "EventSource": ECR,
        "AccessKeyId": alice.id,
    }.items():
        found = events(trail, key, value)
        assert record["eventID"] in [event["EventId"] for event in found], key
        # nothing else than what was asked for
        for event in found:
            told = {
                "EventId": [event["EventId"]],
                "EventName": [event["EventName"]],
                "ReadOnly": [event["ReadOnly"]],
                "Username": [event.get("Username")],
                "ResourceType": [resource["ResourceType"] for resource in event.get("Resources", [])],
                "ResourceName": [resource["ResourceName"] for resource in event.get("Resources", [])],
                "EventSource": [event["EventSource"]],
                "AccessKeyId": [event.get("AccessKeyId")],
            }[key]
            assert value in told, (key, event)
        assert events(trail, key, "true" if key == "ReadOnly" else value + "x") != found, key
    (event,) = events(trail, "EventId", record["eventID"])
    assert event["EventName"] == "CreateRepository" and event["ReadOnly"] == "false"
    assert event["EventTime"].strftime("%Y-%m-%dT%H:%M:%SZ") == record["eventTime"]


def test_pages_hold_everything_once_the_newest_first(trail, alice, aws):
    ecr = aws.client("ecr", alice)
    for nth in range(7):
        ecr.put_image_tag_mutability(repositoryName="team/app", imageTagMutability=["MUTABLE", "IMMUTABLE"][nth % 2])
    ecr.put_image_tag_mutability(repositoryName="team/app", imageTagMutability="MUTABLE")
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "PutImageTagMutability"}]
    ids, token = [], {}
    while True:
        page = page_of(trail, LookupAttributes=attribute, MaxResults=3, **token)
        assert len(page["Events"]) <= 3
        ids += [event["EventId"] for event in page["Events"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    everything = events(trail, "EventName", "PutImageTagMutability")
    assert ids == [event["EventId"] for event in everything] and len(set(ids)) == len(ids) == 8
    times = [event["EventTime"] for event in everything]
    assert times == sorted(times, reverse=True)


def test_times(trail, pushed):
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    asked = {"key": "EventName", "value": "CreateRepository"}
    assert events(trail, **asked, StartTime=now - hour, EndTime=now + hour)
    assert events(trail, **asked, StartTime=now - hour)
    assert events(trail, **asked, EndTime=now + hour)
    assert not events(trail, **asked, StartTime=now + hour)
    assert not events(trail, **asked, EndTime=now - hour)
    with refused("InvalidTimeRangeException"):
        page_of(trail, StartTime=now, EndTime=now - hour)


def test_what_is_wrong_is_told(aws, trail):
    # unchecked, as other clients send it
    raw = aws.client("cloudtrail", parameter_validation=False)
    one = {"AttributeKey": "EventName", "AttributeValue": "PutImage"}
    for asked, code in [
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"NextToken": "nonsense"}, "InvalidNextTokenException"),
        ({"NextToken": ""}, "InvalidNextTokenException"),
        ({"EventCategory": "data"}, "InvalidEventCategoryException"),
        ({"LookupAttributes": [one, one]}, "InvalidLookupAttributesException"),
        ({"LookupAttributes": [one | {"AttributeKey": "Colour"}]}, "InvalidLookupAttributesException"),
        ({"LookupAttributes": [one | {"AttributeValue": ""}]}, "InvalidLookupAttributesException"),
        ({"LookupAttributes": [one | {"AttributeValue": "x" * 2001}]}, "InvalidLookupAttributesException"),
    ]:
        with refused(code):
            page_of(raw, **asked)
    assert page_of(trail, EventCategory="insight")["Events"] == []


def test_tokens_are_of_their_question(trail, alice, aws, pushed):
    wait_until("events", lambda: len(events(trail)) > 2)
    token = page_of(trail, MaxResults=1)["NextToken"]
    with refused("InvalidNextTokenException"):
        page_of(trail, MaxResults=1, NextToken=token[:-2] + ("AA" if token[-2:] != "AA" else "BB"))
    with refused("InvalidNextTokenException"):
        attribute = [{"AttributeKey": "EventName", "AttributeValue": "PutImage"}]
        page_of(trail, MaxResults=1, NextToken=token, LookupAttributes=attribute)


def test_who_may_not_ask_is_refused(aws, alice):
    with refused("AccessDeniedException", "cloudtrail:LookupEvents"):
        page_of(aws.client("cloudtrail", alice))
    bob = aws.own_account().user("bob", policy=allow("cloudtrail:LookupEvents"))
    assert page_of(aws.client("cloudtrail", bob))["Events"]
    with refused("InvalidSignatureException"):
        page_of(aws.client("cloudtrail", region="eu-north-1"))


def test_another_account_sees_nothing_of_ours(aws, trail, pushed):
    other = aws.account()
    theirs = aws.client("cloudtrail", other.key)
    other.iam.create_user(UserName="carol")
    assert events(theirs, "EventName", "CreateUser")
    for event in events(theirs):
        record = json.loads(event["CloudTrailEvent"])
        assert record["recipientAccountId"] == other.id, record
    assert not events(theirs, "ResourceName", arn(pushed))
    (id,) = [event["EventId"] for event in events(trail, "ResourceName", arn(pushed)) if event["EventName"] == "CreateRepository"]
    assert not events(theirs, "EventId", id)
    assert "carol" not in json.dumps(events(trail), default=str)


def test_the_command_line_of_aws(home, aws, alice, pushed):
    key = aws.administrator
    home.env |= {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_CLOUDTRAIL": aws.registry.url,
        "AWS_PAGER": "",
        "NO_PROXY": "*",
    }
    attribute = "AttributeKey=EventName,AttributeValue=CreateRepository"
    command = [AWS, "cloudtrail", "lookup-events", "--lookup-attributes", attribute, "--output", "json"]
    found = json.loads(home.out(*command))["Events"]
    (event,) = [event for event in found if arn(pushed) in event["CloudTrailEvent"] and "errorCode" not in event["CloudTrailEvent"]]
    assert event["Username"] == "alice"


def test_berth_finds_the_same(server, home, aws, trail, alice, pushed):
    def search(*arguments):
        done = server.run("audit", "search", "--json", "--limit", "0", *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    named = [json.loads(event["CloudTrailEvent"]) for event in events(trail, "EventName", "CreateRepository")]
    assert search("--event-name", "CreateRepository") == named
    both = search("--event-name", "CreateRepository", "--user", "alice", "--changes", "--resource", arn(pushed))
    assert [record["eventID"] for record in both] == [record["eventID"] for record in named if about(record) == [arn(pushed)]]
    refused_ones = search("--refused", "--user", "alice", "--since", "1h")
    assert refused_ones and all("errorCode" in record for record in refused_ones)
    assert not search("--end", "2020-01-01")
    home.env |= {"AWS_ACCESS_KEY_ID": aws.administrator.id, "AWS_SECRET_ACCESS_KEY": aws.administrator.secret}
    command = [server.binary, "audit", "search", "--endpoint-url", aws.registry.url, "--event-name", "CreateRepository"]
    told = home.out(*command, "--json")
    assert [json.loads(line) for line in told.splitlines()] == named
    table = home.out(*command)
    assert table.splitlines()[0].split() == ["TIME", "EVENT", "WHO", "FROM", "WHAT", "ERROR"]
    assert arn(pushed) in table
    said = home.run(*command, "--since", "tomorrow", fails=True)
    assert "--since" in said and "24h" in said


def everything(server):
    """All records in the database, as text."""
    with closing(sqlite3.connect(server.data_dir / "berth.db")) as database:
        rows = database.execute("SELECT encoding, payload FROM audit_rows").fetchall()
    return "".join((gzip.decompress(payload) if encoding == "gzip" else payload).decode() for encoding, payload in rows)


def test_no_secret_is_on_record(server, home, aws, trail, alice, pushed):
    """Whatever a client sends or gets that opens something is in no row of the database."""
    account = aws.own_account()
    session = aws.client("sts").get_session_token()["Credentials"]
    token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    url = aws.client("ecr", Key.made({"Credentials": session})).get_authorization_token()
    account.iam.create_user(UserName="dave")
    made = account.iam.create_access_key(UserName="dave")["AccessKey"]
    registry = aws.login(alice)
    login(home, registry)
    home.run("crane", "digest", registry.ref(f"{pushed}:none"), fails=True)
    for user, password in [("alice", "my-own-password"), (alice.id, "a-wrong-password"), ("a-password-as-name", "x")]:
        requests.get(f"{registry.url}/v2/", auth=(user, password), timeout=60)
    requests.get(f"{registry.url}/v2/", headers={"Authorization": "Bearer a-stolen-token"}, timeout=60)
    awaited(trail, "CreateAccessKey")
    wait_until("the last refusal", lambda: everything(server).count("CheckLogin") >= 4)
    told = everything(server)
    assert alice.id in told and "dave" in told
    secrets = [alice.secret, aws.administrator.secret, session["SecretAccessKey"], session["SessionToken"], token]
    secrets += [url["authorizationData"][0]["authorizationToken"], registry.password, made["SecretAccessKey"]]
    secrets += ["my-own-password", "a-wrong-password", "a-password-as-name", "a-stolen-token"]
    for secret in secrets:
        assert secret not in told and json.dumps(secret)[1:-1] not in told, secret
    assert "Signature=" not in told and "Authorization" not in told.replace("GetAuthorizationToken", "")
