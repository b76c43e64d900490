"""Logins of registry clients: by authorization token and by access key, at a registry that asks for a name and password and
at one that asks for bearer tokens; what policies let them do; roles of another account."""

import re
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clients.test_crane import single_image
from support.aws import MANAGED, Key, allow, refused, trust
from support.recorder import Recorder
from support.server import Registry

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

POWER, READ_ONLY, PULL_ONLY = (f"AmazonEC2ContainerRegistry{name}" for name in ("PowerUser", "ReadOnly", "PullOnly"))
NAMES = count(1)


class Crane:
    """One client program: logs in, pushes the image of a layout, pulls it. Each says what it was told."""

    def __init__(self, request, layout, digest):
        self.home = request.getfixturevalue("home")
        self.layout, self.digest = layout, digest
        self.folder = None

    def login(self, registry, **options):
        login = ["crane", "auth", "login", registry.host, "-u", registry.user, "--password-stdin"]
        return self.home.run(*login, input=registry.password, **options)

    def push(self, image, **options):
        self.folder = self.folder or single_image(self.home, self.layout, self.digest)
        return self.home.run("crane", "push", self.folder, image, **options)

    def pull(self, image, **options):
        return self.home.run("crane", "pull", "--format", "oci", image, self.home.path / "pulled", **options)


class Oras(Crane):
    def login(self, registry, **options):
        login = ["oras", "login", "--plain-http", registry.host, "-u", registry.user, "--password-stdin"]
        return self.home.run(*login, input=registry.password, **options)

    def push(self, image, **options):
        copy = ["oras", "cp", "--from-oci-layout", "--to-plain-http", f"{self.layout.path}:one", image]
        return self.home.run(*copy, **options)

    def pull(self, image, **options):
        copy = ["oras", "cp", "--from-plain-http", "--to-oci-layout", image, f"{self.home.path}/pulled:one"]
        return self.home.run(*copy, **options)


class Skopeo(Crane):
    def __init__(self, request, layout, digest):
        super().__init__(request, layout, digest)
        request.getfixturevalue("containers")

    def login(self, registry, **options):
        self.home.know(registry)
        login = ["skopeo", "login", registry.host, "-u", registry.user, "--password-stdin"]
        return self.home.run(*login, input=registry.password, **options)

    def push(self, image, **options):
        return self.home.run("skopeo", "copy", f"oci:{self.layout.path}:one", f"docker://{image}", **options)

    def pull(self, image, **options):
        return self.home.run("skopeo", "copy", f"docker://{image}", f"oci:{self.home.path}/pulled:one", **options)


class Podman(Skopeo):
    def login(self, registry, **options):
        self.home.know(registry)
        login = ["podman", "login", registry.host, "-u", registry.user, "--password-stdin"]
        return self.home.run(*login, input=registry.password, **options)

    def push(self, image, **options):
        self.home.run("skopeo", "copy", f"oci:{self.layout.path}:one", f"containers-storage:{image}")
        return self.home.run("podman", "push", image, **options)

    def pull(self, image, **options):
        self.home.run("podman", "rmi", "--force", "--ignore", image)
        return self.home.run("podman", "pull", image, **options)


class Docker(Crane):
    def __init__(self, request, layout, digest):
        super().__init__(request, layout, digest)
        self.docker = request.getfixturevalue("docker")

    def login(self, registry, **options):
        login = ["login", registry.host, "-u", registry.user, "--password-stdin"]
        return self.docker(*login, input=registry.password, **options)

    def push(self, image, **options):
        archive = self.home.path / "archive.tar"
        archive.unlink(missing_ok=True)
        whole = [f"oci:{self.layout.path}:one", f"docker-archive:{archive}:{image}"]
        self.home.run("skopeo", "--insecure-policy", "copy", *whole)
        self.docker("load", "-i", archive)
        return self.docker("push", image, **options)

    def pull(self, image, **options):
        self.docker("rmi", "--force", image)
        return self.docker("pull", image, **options)


CLIENTS = {"crane": Crane, "oras": Oras, "skopeo": Skopeo, "podman": Podman, "docker": Docker}


@pytest.fixture(params=CLIENTS)
def client(request, one):
    return CLIENTS[request.param](request, *one)


@pytest.fixture
def crane(request, one):
    return Crane(request, *one)


@pytest.fixture(params=["basic", "bearer"])
def asked_for(request):
    """The registry, by what it asks of those who show nothing."""
    aws = request.getfixturevalue("shared_aws" if request.param == "basic" else "bearer_aws")
    challenge = requests.get(f"{aws.registry.url}/v2/", timeout=60).headers["WWW-Authenticate"]
    assert challenge.lower().startswith(request.param + " "), challenge
    return aws


def fresh(kind):
    return f"{kind}-{next(NAMES)}"


def fresh_image(aws):
    """A name under which nobody pushed yet."""
    return aws.registry.ref(f"logins/{fresh('repository')}:v1")


def is_unauthorized(said):
    words = ("401", "unauthorized", "no basic auth credentials", "authentication required")
    return any(word in said.lower() for word in words)


def is_forbidden(said):
    """Clients ask first whether the layers are there, by HEAD: its refusal has no words."""
    return re.search(r"denied|403\W+forbidden", said, re.IGNORECASE)


@pytest.mark.parametrize("shown", ["token", "key"])
def test_push_and_pull(client, asked_for, shown):
    """By users who are no administrators. Who may only pull is told that the rest is denied, and who lost the key must log
    in again."""
    aws = asked_for
    account, image = aws.own_account(), fresh_image(aws)
    login = aws.login if shown == "token" else aws.login_by_key
    client.login(login(account.user(fresh("power"), POWER)))
    client.push(image)
    client.pull(image)
    puller = fresh("puller")
    key = account.user(puller, PULL_ONLY)
    client.login(login(key))
    client.pull(image)
    said = client.push(fresh_image(aws), fails=True)
    assert is_forbidden(said), said
    # With leave to ask for layers it comes to the upload, whose refusal has words.
    account.iam.attach_user_policy(UserName=puller, PolicyArn=MANAGED + READ_ONLY)
    aws.settle()
    said = client.push(fresh_image(aws), fails=True)
    assert "denied" in said.lower(), said
    account.iam.delete_access_key(UserName=puller, AccessKeyId=key.id)
    aws.settle()
    said = client.pull(image, fails=True)
    assert is_unauthorized(said), said


def test_tokens_stand_for_what_they_were_made_for(crane, shared_aws):
    """An altered one is refused; that of a session has the session's rights, and dies with the role; a key that is switched
    off takes its tokens with it until it is on again."""
    aws = shared_aws
    account, image = aws.own_account(), fresh_image(aws)
    crane.login(aws.login(aws.administrator))
    crane.push(image)
    token = aws.login(aws.administrator)
    middle = len(token.password) // 2
    other = "B" if token.password[middle] == "A" else "A"
    crane.login(Registry(token.url, "AWS", token.password[:middle] + other + token.password[middle + 1 :]))
    assert is_unauthorized(crane.pull(image, fails=True))
    name, role = fresh("user"), fresh("role")
    key = account.user(name, POWER, policy=allow("sts:AssumeRole"))
    crane.login(aws.login(key))
    for status, fails in [("Inactive", True), ("Active", False)]:
        account.iam.update_access_key(UserName=name, AccessKeyId=key.id, Status=status)
        aws.settle()
        crane.pull(image, fails=fails)
    arn = account.make("role", role)["Arn"]
    account.iam.attach_role_policy(RoleName=role, PolicyArn=MANAGED + PULL_ONLY)
    session = Key.made(aws.client("sts", key).assume_role(RoleArn=arn, RoleSessionName="one"))
    crane.login(aws.login(session))
    crane.pull(image)
    assert is_forbidden(crane.push(fresh_image(aws), fails=True))
    account.iam.detach_role_policy(RoleName=role, PolicyArn=MANAGED + PULL_ONLY)
    aws.settle()
    assert "DENIED" in crane.pull(image, fails=True)
    account.iam.delete_role(RoleName=role)
    aws.settle()
    assert is_unauthorized(crane.pull(image, fails=True))


def test_who_may_have_no_token(shared_aws):
    name = fresh("nothing")
    key = shared_aws.own_account().user(name)
    words = "is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy"
    with refused("AccessDeniedException", words):
        shared_aws.client("ecr", key).get_authorization_token()


@pytest.mark.parametrize("name", ["crane", "docker"])
def test_mounts_across_repositories(request, bearer_aws, one, name):
    """The token that a client gets for it opens both: one to pull from, one to push to."""
    with Recorder(bearer_aws.registry) as recorder:
        client = CLIENTS[name](request, *one)
        source, target = (recorder.registry.ref(f"logins/{fresh('mount')}:v1") for _ in range(2))
        key = bearer_aws.own_account().user(fresh("power"), POWER)
        client.login(Registry(recorder.registry.url, key.id, key.secret))
        client.push(source)
        recorder.exchanges.clear()
        if name == "crane":
            client.home.run("crane", "copy", source, target)
        else:
            client.docker("tag", source, target)
            assert "Mounted from" in client.docker("push", target)
        # crane mounts the configuration as well.
        assert len(recorder.mounted()) == {"crane": 3, "docker": 2}[name]
        assert not recorder.mounted() & recorder.uploaded()
        scopes = [parse_qs(urlsplit(exchange.target).query).get("scope", []) for exchange in recorder.exchanges]
        names = [{scope.split(":")[1] for scope in asked} for asked in scopes]
        assert {ref.split("/", 1)[1].removesuffix(":v1") for ref in (source, target)} in names, scopes


def test_a_role_of_another_account(request, shared_aws, one):
    """A user of an account of its own assumes a role of the registry's account, by the word that the two agreed on, and
    pulls with the role's rights. By itself it may nothing there."""
    aws, crane = shared_aws, Crane(request, *one)
    image = fresh_image(aws)
    crane.login(aws.login(aws.administrator))
    crane.push(image)
    owner, stranger = aws.own_account(), aws.account()
    condition = {"StringEquals": {"sts:ExternalId": "agreed"}}
    role = fresh("for-strangers")
    arn = owner.make("role", role, AssumeRolePolicyDocument=trust(stranger.id, Condition=condition))["Arn"]
    owner.iam.attach_role_policy(RoleName=role, PolicyArn=MANAGED + PULL_ONLY)
    key = stranger.user("deployer", POWER, policy=allow("sts:AssumeRole", resource=arn))
    sts, skopeo = aws.client("sts", key), Skopeo(request, *one)
    skopeo.login(aws.login(key))
    assert "denied" in skopeo.pull(image, fails=True).lower()
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=arn, RoleSessionName="deploy", ExternalId="guessed")
    session = Key.made(sts.assume_role(RoleArn=arn, RoleSessionName="deploy", ExternalId="agreed"))
    assert aws.client("sts", session).get_caller_identity()["Account"] == owner.id
    skopeo.login(aws.login(session))
    skopeo.pull(image)
    assert is_forbidden(skopeo.push(fresh_image(aws), fails=True))
    stranger.iam.delete_user_policy(UserName="deployer", PolicyName="own")
    aws.settle()
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=arn, RoleSessionName="deploy", ExternalId="agreed")
