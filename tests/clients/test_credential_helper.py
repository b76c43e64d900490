"""docker, podman and skopeo by `docker-credential-berth`, and the kubelet's protocol: logins that nobody types."""

import json
import subprocess

import pytest
import requests

from clients.test_docker import build, pushed_digest
from support.federation import ROLE, TOKEN, federation, with_role

pytestmark = pytest.mark.needs_berth

# The examples of "Kubelet Credential Provider (v1)" and of the page on configuring one, with the names of ours.
PUBLISHED_REQUEST = {
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    "kind": "CredentialProviderRequest",
    "image": "IMAGE",
}
PUBLISHED_RESPONSE = {
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    "kind": "CredentialProviderResponse",
    "cacheKeyType": "Registry",
    "cacheDuration": "DURATION",
    "auth": {"REGISTRY": {"username": "AWS", "password": "PASSWORD"}},
}


def as_environment(home, registry):
    """A key in the environment."""
    home.env |= {"AWS_ACCESS_KEY_ID": registry.user, "AWS_SECRET_ACCESS_KEY": registry.password}


def as_profile(home, registry):
    """A profile that is named."""
    key = f"aws_access_key_id = {registry.user}\naws_secret_access_key = {registry.password}\n"
    home.file(".aws/credentials", f"[work]\n{key}")
    home.file(".aws/config", "[profile work]\nregion = us-east-1\n")
    home.env["AWS_PROFILE"] = "work"


def as_role(home, registry):
    """A profile that assumes a role with the keys of another."""
    with_role(registry)
    as_profile(home, registry)
    home.file(".aws/config", f"[profile pusher]\nrole_arn = {ROLE}\nsource_profile = work\nrole_session_name = helper\n")
    home.env["AWS_PROFILE"] = "pusher"


CHAINS = [as_environment, as_profile, as_role]
by_each_chain = pytest.mark.parametrize("give", CHAINS, ids=lambda give: give.__name__)


@pytest.fixture
def helped(home, registry, berth_bin):
    """A home in which every client asks the helper for the registry's login, and the kubelet's program is."""
    folder = home.path / "helpers"
    folder.mkdir()
    for name in ("docker-credential-berth", "berth-credential-provider"):
        (folder / name).symlink_to(berth_bin)
    home.env["PATH"] = f"{folder}:{home.env['PATH']}"
    helpers = json.dumps({"credHelpers": {registry.host: "berth"}})
    home.file("docker/config.json", helpers)
    home.file("auth.json", helpers)
    return home


@by_each_chain
def test_docker(docker, helped, registry, api, give):
    give(helped, registry)
    image = registry.ref(f"helper/docker-{give.__name__}:v1")
    build(docker, image)
    digest = pushed_digest(docker("push", image))
    assert api.digest(f"helper/docker-{give.__name__}", "v1") == digest
    docker("rmi", image)
    docker("pull", image)
    assert docker("run", "--rm", "--network", "none", image).strip() == "hello from docker"
    assert "auths" not in json.loads((helped.path / "docker/config.json").read_text())


@by_each_chain
def test_podman(containers, helped, registry, api, one, give):
    layout, _ = one
    containers.know(registry)
    give(helped, registry)
    image = registry.ref(f"helper/podman-{give.__name__}:v1")
    containers.run("skopeo", "copy", f"oci:{layout.path}:one", f"containers-storage:{image}")
    containers.run("podman", "push", image)
    assert api.digest(f"helper/podman-{give.__name__}", "v1").startswith("sha256:")
    containers.run("podman", "rmi", "--force", image)
    containers.run("podman", "pull", image)


@by_each_chain
def test_skopeo(containers, helped, registry, api, one, give):
    layout, digest = one
    containers.know(registry)
    give(helped, registry)
    image = f"docker://{registry.ref(f'helper/skopeo-{give.__name__}:v1')}"
    containers.run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", image)
    assert api.digest(f"helper/skopeo-{give.__name__}", "v1") == digest
    assert containers.json("skopeo", "inspect", image)["Digest"] == digest


def test_a_web_identity_token_file(docker, helped, registry, api):
    with_role(registry)
    token = helped.file("token", f"{TOKEN}\n")
    with federation(registry) as front:
        helped.env |= {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ROLE_ARN": ROLE,
            "AWS_ROLE_SESSION_NAME": "build-7",
            "BERTH_URL": front,
            "BERTH_CREDENTIAL_HOSTS": registry.host,
        }
        image = registry.ref("helper/web-identity:v1")
        build(docker, image)
        digest = pushed_digest(docker("push", image))
        assert api.digest("helper/web-identity", "v1") == digest
        token.write_text("another.token")
        helped.env["BERTH_CREDENTIAL_CACHE"] = "off"
        said = docker("push", image, fails=True)
        assert TOKEN not in said and "another.token" not in said, said


def test_without_credentials_docker_is_told_why(docker, helped, registry):
    said = docker("pull", registry.ref("helper/none:v1"), fails=True)
    assert "no credentials" in said and "AWS_ACCESS_KEY_ID" in said, said


def test_tls(helped, tls_registry, certificates):
    """Whom to trust comes from AWS's variable or the system's."""
    as_environment(helped, tls_registry)
    ca = str(certificates / "ca.crt")
    for variables in ({"AWS_CA_BUNDLE": ca}, {"SSL_CERT_FILE": ca}):
        found = json.loads(helped.run("docker-credential-berth", "get", input=tls_registry.host, env=variables))
        login = (found["Username"], found["Secret"])
        answer = requests.get(f"{tls_registry.url}/v2/", auth=login, verify=ca, timeout=30)
        assert (found["Username"], answer.status_code) == ("AWS", 200)
        helped.run("docker-credential-berth", "erase", input=tls_registry.host)
    said = helped.run("docker-credential-berth", "get", input=f"https://{tls_registry.host}", fails=True)
    assert "cannot be reached" in said and tls_registry.password not in said, said


def provider(home, request):
    """What the kubelet's program answers."""
    done = subprocess.run(
        [home.path / "helpers/berth-credential-provider"], input=json.dumps(request), env=home.env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_the_kubelets_published_request_and_answer(helped, registry):
    as_environment(helped, registry)
    image = registry.ref("helper/kubelet:v1")
    answer = provider(helped, PUBLISHED_REQUEST | {"image": image})
    duration, login = answer["cacheDuration"], answer["auth"][registry.host]
    wanted = json.loads(
        json.dumps(PUBLISHED_RESPONSE)
        .replace("DURATION", duration)
        .replace('"REGISTRY"', json.dumps(registry.host))
        .replace('"PASSWORD"', json.dumps(login["password"]))
    )
    assert answer == wanted
    # Twelve hours is a token's life.
    assert duration in ("10h48m0s", "10h47m59s", "10h47m58s", "10h47m57s")
    answer = requests.get(f"{registry.url}/v2/", auth=("AWS", login["password"]), timeout=30)
    assert answer.status_code == 200


def test_the_kubelet_sends_the_token_of_a_service_account(helped, registry):
    with_role(registry)
    request = PUBLISHED_REQUEST | {
        "image": registry.ref("helper/kubelet:v1"),
        "serviceAccountToken": TOKEN,
        "serviceAccountAnnotations": {"berth.dev/role-arn": ROLE},
    }
    with federation(registry) as front:
        helped.env |= {"BERTH_URL": front, "BERTH_CREDENTIAL_HOSTS": registry.host}
        login = provider(helped, request)["auth"][registry.host]
    assert login["username"] == "AWS"
    answer = requests.get(f"{registry.url}/v2/", auth=("AWS", login["password"]), timeout=30)
    assert answer.status_code == 200
