"""helm: charts pushed, listed by tag, pulled and rendered."""

import pytest

CHART = "apiVersion: v2\nname: greeter\nversion: {version}\ndescription: A chart of the tests\n"
TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  greeting: {{ .Values.greeting }}
"""


@pytest.fixture
def helm(home, registry):
    home.run(
        "helm", "registry", "login", "--plain-http", "-u", registry.user, "--password-stdin", registry.host,
        input=registry.password,
    )  # fmt: skip
    home.file("greeter/values.yaml", "greeting: hello\n")
    home.file("greeter/templates/map.yaml", TEMPLATE)
    return home


def push(helm, registry, version, folder="helm"):
    helm.file("greeter/Chart.yaml", CHART.format(version=version))
    helm.run("helm", "package", "greeter")
    archive = f"greeter-{version}.tgz"
    helm.run("helm", "push", "--plain-http", archive, f"oci://{registry.ref(folder)}")
    return (helm.path / archive).read_bytes()


def test_push_pull(helm, registry, api):
    packed = push(helm, registry, "1.2.3")
    config = api.manifest("helm/greeter", "1.2.3").json()["config"]
    assert config["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    target = helm.path / "pulled"
    target.mkdir()
    helm.run(
        "helm", "pull", "--plain-http", f"oci://{registry.ref('helm/greeter')}", "--version", "1.2.3", "-d", target
    )
    assert (target / "greeter-1.2.3.tgz").read_bytes() == packed


def test_render_newest_matching(helm, registry):
    for version in ("1.0.0", "1.1.0", "2.0.0", "1.2.0-rc.1+build.7"):
        push(helm, registry, version, "helm/range")
    said = helm.out(
        "helm", "template", "mine", "--plain-http", f"oci://{registry.ref('helm/range/greeter')}", "--version", "^1",
        "--set", "greeting=hi",
    )  # fmt: skip
    assert "greeting: hi" in said
    shown = helm.out(
        "helm", "show", "chart", "--plain-http", f"oci://{registry.ref('helm/range/greeter')}", "--version", "^1"
    )
    assert "version: 1.1.0" in shown


def test_wrong_password(home, registry):
    said = home.run(
        "helm", "registry", "login", "--plain-http", "-u", registry.user, "--password-stdin", registry.host,
        input="wrong", fails=True,
    )  # fmt: skip
    assert "401" in said or "unauthorized" in said.lower()
