"""Quotas as clients meet them: AWS's SDK tries again by itself, and clients of registries try again or say what they were told."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from support.api import Api

RATES = "GetAuthorizationToken=20/1,BatchGetImage=1/6"


@pytest.fixture(scope="module")
def throttled(serve):
    settings = {"BERTH_THROTTLE__PROFILE": "ecr", "BERTH_THROTTLE__RATES": RATES}
    with serve("throttled", settings=settings) as server:
        yield server.registry()


def ecr(registry, **retries):
    return boto3.client(
        "ecr",
        endpoint_url=registry.url,
        region_name="us-east-1",
        aws_access_key_id=registry.user,
        aws_secret_access_key=registry.password,
        config=Config(retries=retries),
    )


def drain(registry):
    """Takes what the bucket of GetAuthorizationToken holds; the refusal that ends it."""
    client = ecr(registry, total_max_attempts=1)
    with pytest.raises(ClientError) as refused:
        for _ in range(50):
            client.get_authorization_token()
    return refused.value.response


def test_an_sdk_without_retries_sees_the_exception(throttled):
    response = drain(throttled)
    assert response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert int(response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_an_sdk_with_its_retries_gets_there(throttled, mode):
    drain(throttled)
    client = ecr(throttled, mode=mode)
    responses = [client.get_authorization_token() for _ in range(3)]
    assert all(response["authorizationData"] for response in responses)
    assert sum(response["ResponseMetadata"]["RetryAttempts"] for response in responses) > 0


def empty(api):
    """Asks for a manifest until the registry says 429."""
    for _ in range(100):
        reply = api.call("GET", "/v2/throttled/app/manifests/v1")
        if reply.status_code == 429:
            assert int(reply.headers["retry-after"]) >= 1
            assert reply.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
            return
    raise AssertionError("never throttled")


@pytest.fixture
def image(throttled, home, one):
    layout, _ = one
    target = throttled.ref("throttled/app:v1")
    home.run("crane", "auth", "login", throttled.host, "-u", throttled.user, "--password-stdin", input=throttled.password)
    credentials = f"{throttled.user}:{throttled.password}"
    source, flags = f"oci:{layout.path}:one", ["--dest-tls-verify=false", "--dest-creds", credentials]
    home.run("skopeo", "copy", *flags, source, f"docker://{target}")
    return target


def commands(registry, image):
    credentials = f"{registry.user}:{registry.password}"
    return {
        "crane": ["crane", "manifest", image],
        "skopeo": ["skopeo", "inspect", "--raw", "--tls-verify=false", "--creds", credentials, f"docker://{image}"],
    }


@pytest.mark.parametrize("client", ["crane", "skopeo"])
def test_a_client_tries_again_or_says_so(throttled, home, image, client):
    empty(Api(throttled))
    try:
        home.run(*commands(throttled, image)[client])
    except AssertionError as refused:
        told = str(refused).lower()
        assert "toomanyrequests" in told or "too many requests" in told, told
