"""Clients with tokens of an issuer, exchanged at the registry itself: a pod's, a CI job's, and those of a person who logs in."""

import json
import subprocess

import pytest
import requests

from clients.test_docker import build, pushed_digest
from clients.test_login import begun, identity_provider
from support.api import Api
from support.federation import Issuer

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

AUDIENCE = "sts.amazonaws.com"
POD = "system:serviceaccount:team:app"
JOB = "repo:organisation/app:ref:refs/heads/main"


@pytest.fixture(scope="module")
def issuer(scratch):
    """One that nobody can reach: its keys are in a file."""
    issuer = Issuer("https://issuer.example.org/cluster")
    (scratch / "keys.json").write_text(json.dumps(issuer.keys))
    return issuer


@pytest.fixture(scope="module")
def federated(serve, scratch, issuer, certificates):
    """A registry that trusts the issuer's keys, and may ask issuers on this machine for theirs."""
    settings = {
        "BERTH_FEDERATION__KEY_FILES": f"{issuer.url}={scratch / 'keys.json'}",
        "BERTH_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.0/8",
        "BERTH_OUTBOUND__TLS_CA": str(certificates / "ca.crt"),
    }
    with serve("federated", settings=settings) as server:
        yield server.registry()


@pytest.fixture
def machine(home, federated, berth_bin):
    """A machine with the helpers and no credentials."""
    folder = home.path / "helpers"
    folder.mkdir()
    for name in ("docker-credential-berth", "berth-credential-provider"):
        (folder / name).symlink_to(berth_bin)
    home.env["PATH"] = f"{folder}:{home.env['PATH']}"
    helpers = json.dumps({"credHelpers": {federated.host: "berth"}})
    home.file("docker/config.json", helpers)
    home.file("auth.json", helpers)
    return home


def as_identity(machine, token, role):
    """The variables that a projected token comes with."""
    path = machine.file("token", token)
    machine.env |= {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": role, "AWS_ROLE_SESSION_NAME": "test"}
    return path


def test_docker_in_a_pod(docker, machine, federated, issuer):
    role = issuer.trusted(federated, "pod", AUDIENCE, POD)
    as_identity(machine, issuer.token(POD, [AUDIENCE]), role)
    image = federated.ref("web-identity/pod:v1")
    build(docker, image)
    digest = pushed_digest(docker("push", image))
    assert Api(federated).digest("web-identity/pod", "v1") == digest
    docker("rmi", image)
    docker("pull", image)


def test_podman_and_skopeo_in_a_ci_job(containers, machine, federated, issuer, one):
    layout, digest = one
    role = issuer.trusted(federated, "job", AUDIENCE, JOB)
    as_identity(machine, issuer.token(JOB, AUDIENCE), role)
    containers.know(federated)
    image = federated.ref("web-identity/job:v1")
    containers.run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", f"docker://{image}")
    assert containers.json("skopeo", "inspect", f"docker://{image}")["Digest"] == digest
    containers.run("podman", "pull", image)
    containers.run("podman", "push", image)


@pytest.mark.parametrize("bent", ["subject", "audience", "expired", "key"])
def test_tokens_that_are_no_identity(machine, federated, issuer, bent):
    role = issuer.trusted(federated, "refused", AUDIENCE, POD)
    token = {
        "subject": issuer.token("system:serviceaccount:team:other", AUDIENCE),
        "audience": issuer.token(POD, "another"),
        "expired": issuer.token(POD, AUDIENCE, iat=1_000_000_000, nbf=1_000_000_000, exp=1_000_000_300),
        "key": Issuer(issuer.url).token(POD, AUDIENCE),
    }[bent]
    as_identity(machine, token, role)
    said = machine.run("docker-credential-berth", "get", input=federated.host, fails=True)
    assert "AssumeRoleWithWebIdentity" in said and token not in said and token.split(".")[2] not in said, said


def test_the_kubelet_for_a_service_account(machine, federated, issuer):
    role = issuer.trusted(federated, "kubelet", AUDIENCE, POD)
    request = {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderRequest",
        "image": federated.ref("team/app:1"),
        "serviceAccountToken": issuer.token(POD, AUDIENCE),
        "serviceAccountAnnotations": {"berth.dev/role-arn": role},
    }
    command = [machine.path / "helpers/berth-credential-provider"]
    done = subprocess.run(command, input=json.dumps(request), env=machine.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    login = answer["auth"][federated.host]
    assert requests.get(f"{federated.url}/v2/", auth=("AWS", login["password"]), timeout=30).status_code == 200
    # A session holds for an hour, and the login no longer: nine tenths of what is left.
    assert answer["cacheDuration"].startswith(("53m", "54m")), answer["cacheDuration"]


def test_a_person_logs_in(machine, federated, berth_bin, certificates, containers, one):
    layout, digest = one
    ca = certificates / "ca.crt"
    with identity_provider(certificates) as (provider, tokens):
        role = provider.trusted(federated, "person", "berth", "alice")
        login, address = begun(machine, berth_bin, provider.url, federated.url, "--issuer-ca", ca, role=role)
        page = requests.get(address, verify=ca, timeout=30)
        assert page.status_code == 200, page.text
        told, _ = login.communicate(timeout=30)
        assert login.returncode == 0 and "AWS_PROFILE=berth" in told
    containers.know(federated)
    image = f"docker://{federated.ref('web-identity/person:v1')}"
    more = {"AWS_PROFILE": "berth"}
    containers.run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", image, env=more)
    assert containers.json("skopeo", "inspect", image, env=more)["Digest"] == digest
