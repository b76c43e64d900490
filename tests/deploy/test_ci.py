"""The pipeline files and the kubelet's configuration: read, and what is ours in them is run.

No GitHub, GitLab or Kubernetes runs here.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from deploy.conftest import DEPLOY
from support.federation import ROLE, TOKEN, federation, with_role
from support.tools import Home

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

GITHUB = DEPLOY / "ci/github-actions.yaml"
GITLAB = DEPLOY / "ci/gitlab-ci.yaml"
PROVIDERS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
# The fields of "Kubelet Configuration (v1)" of Kubernetes 1.34.
PROVIDER_FIELDS = {"name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env", "tokenAttributes"}
TOKEN_FIELDS = {
    "serviceAccountTokenAudience",
    "cacheType",
    "requireServiceAccount",
    "requiredServiceAccountAnnotationKeys",
    "optionalServiceAccountAnnotationKeys",
}

# A docker that logs in at a registry as docker does, runs Berth's image as the program, and tells what it was asked.
DOCKER = """#!/bin/bash -eu
echo "docker $*" >>"$DOCKER_LOG"
case "$1" in
run)
    while [ "$1" != "$BERTH_IMAGE" ]; do
        case "$1" in *=*) export "${1?}" ;; esac
        shift
    done
    shift
    exec berth "$@"
    ;;
login)
    [ "$2 $3 $4" = "--username AWS --password-stdin" ]
    curl -sS --fail -o /dev/null -u "AWS:$(cat)" "http://$5/v2/"
    ;;
esac
"""


@pytest.fixture
def runner(home, registry, berth_bin):
    """A machine of a CI service: the programs that its jobs have."""
    programs = home.path / "bin"
    programs.mkdir()
    (programs / "berth").symlink_to(berth_bin)
    (programs / "aws").symlink_to(Path(sys.executable).parent / "aws")
    home.file("bin/docker", DOCKER).chmod(0o755)
    home.env |= {
        "PATH": f"{programs}:{home.env['PATH']}",
        "DOCKER_LOG": str(home.path / "docker.log"),
        "NO_PROXY": "*",
        "AWS_MAX_ATTEMPTS": "1",
    }
    with_role(registry)
    return home


def ran(home):
    return (home.path / "docker.log").read_text().splitlines()


def expanded(text, values):
    """What GitHub writes for its expressions."""
    found = re.sub(r"\$\{\{ *([a-z._]+) *\}\}", lambda match: values[match[1]], str(text))
    assert "${{" not in found, found
    return found


def test_github_actions(runner, registry):
    workflow = yaml.safe_load(GITHUB.read_text())
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in GITHUB.read_text()
    (job,) = workflow["jobs"].values()
    steps = [step for step in job["steps"] if "run" in step]
    temporary = runner.path / "runner"
    temporary.mkdir()
    values = {"runner.temp": str(temporary), "github.run_id": "7"}
    with federation(registry) as front:
        ours = {"REGISTRY": registry.host, "AWS_ROLE_ARN": ROLE, "AWS_ENDPOINT_URL": front}
        assert ours.keys() <= workflow["env"].keys()
        environment = workflow["env"] | ours
        environment |= {
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{front}/token?api-version=2",
            "RUNNER_TEMP": str(temporary),
            "GITHUB_SHA": "0123abcd",
        }
        for step in steps:
            more = {name: expanded(value, values) for name, value in step.get("env", {}).items()}
            # GitHub runs `shell: bash` so.
            runner.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], env=environment | more)
            if "web-identity-token" in step["run"] and "curl" in step["run"]:
                kept = temporary / "web-identity-token"
                # The AWS CLI sends the file as it is: a line's end would be part of the token.
                assert (kept.read_text(), kept.stat().st_mode & 0o777) == (TOKEN, 0o600)
    image = f"{registry.host}/{workflow['env']['REPOSITORY']}:0123abcd"
    assert ran(runner) == [
        f"docker login --username AWS --password-stdin {registry.host}",
        f"docker build --tag {image} .",
        f"docker push {image}",
        f"docker logout {registry.host}",
    ]
    assert list(temporary.iterdir()) == []


def test_gitlab_ci(runner, registry):
    (job,) = yaml.safe_load(GITLAB.read_text()).values()
    assert job["id_tokens"].keys() == {"BERTH_ID_TOKEN"}
    with federation(registry) as front:
        ours = {"REGISTRY": registry.host, "AWS_ROLE_ARN": ROLE, "BERTH_URL": front}
        assert ours.keys() <= job["variables"].keys()
        environment = job["variables"] | ours | {"BERTH_ID_TOKEN": TOKEN, "CI_JOB_ID": "7", "CI_COMMIT_SHA": "0123abcd"}
        for line in job["script"] + job["after_script"]:
            runner.run("sh", "-e", "-c", line, env=environment)
        environment["BERTH_ID_TOKEN"] = "wrong"
        wrong = runner.run("bash", "-eo", "pipefail", "-c", job["script"][0], env=environment, fails=True)
        assert TOKEN not in wrong
    image = f"{registry.host}/{job['variables']['REPOSITORY']}:0123abcd"
    asked = [line for line in ran(runner) if not line.startswith("docker run")]
    assert asked[:4] == [
        f"docker login --username AWS --password-stdin {registry.host}",
        f"docker build --tag {image} .",
        f"docker push {image}",
        f"docker logout {registry.host}",
    ]
    assert all(TOKEN not in line for line in ran(runner)), "the token is no argument"


def matches(pattern, image):
    """Whether the kubelet asks a provider with the pattern for an image: globs by labels, and a path as a prefix."""
    host, _, path = image.partition("/")
    wanted, _, prefix = pattern.partition("/")
    labels, globs = host.split("."), wanted.split(".")
    same = [re.fullmatch(re.escape(glob).replace(r"\*", "[^.]*"), label) for glob, label in zip(globs, labels)]
    return len(labels) == len(globs) and all(same) and path.startswith(prefix)


@pytest.mark.parametrize("file", PROVIDERS, ids=lambda path: path.stem)
def test_the_kubelets_configuration(file, scratch, registry, berth_bin):
    home = Home(scratch / f"kubelet-{file.stem}")
    config = yaml.safe_load(file.read_text())
    assert (config["apiVersion"], config["kind"]) == ("kubelet.config.k8s.io/v1", "CredentialProviderConfig")
    assert config.keys() == {"apiVersion", "kind", "providers"}
    (provider,) = config["providers"]
    assert provider.keys() <= PROVIDER_FIELDS
    assert re.fullmatch(r"\d+[hms]", provider["defaultCacheDuration"])
    assert any(matches(pattern, "registry.example.com/team/app:1") for pattern in provider["matchImages"])
    attributes = provider.get("tokenAttributes", {})
    assert attributes.keys() <= TOKEN_FIELDS
    variables = {each["name"]: each["value"] for each in provider["env"]}
    assert all(each.keys() == {"name", "value"} for each in provider["env"])
    # The kubelet runs the program of that name, with its own environment and the variables of the file.
    program = home.path / provider["name"]
    program.symlink_to(berth_bin)
    request = {
        "apiVersion": provider["apiVersion"],
        "kind": "CredentialProviderRequest",
        "image": registry.ref("team/app:1"),
    }
    home.file("credentials", f"[default]\naws_access_key_id = {registry.user}\naws_secret_access_key = {registry.password}\n")
    if "AWS_SHARED_CREDENTIALS_FILE" in variables:
        variables["AWS_SHARED_CREDENTIALS_FILE"] = str(home.path / "credentials")
    if attributes:
        assert attributes["cacheType"] in ("ServiceAccount", "Token") and attributes["requireServiceAccount"] is True
        with_role(registry)
        (annotation,) = attributes["requiredServiceAccountAnnotationKeys"]
        request |= {"serviceAccountToken": TOKEN, "serviceAccountAnnotations": {annotation: ROLE}}
    with federation(registry) as front:
        variables |= {"BERTH_URL": front, "BERTH_CREDENTIAL_HOSTS": registry.host}
        command = [program, *provider.get("args", [])]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BERTH_", "HOME"))}
        done = subprocess.run(command, input=json.dumps(request), env=env | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    login = json.loads(done.stdout)["auth"][registry.host]
    answer = requests.get(f"{registry.url}/v2/", auth=(login["username"], login["password"]), timeout=30)
    assert answer.status_code == 200
