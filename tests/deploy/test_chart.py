"""The Helm chart: linted, rendered, its objects valid and its refusals clear. No Kubernetes runs here."""

import tomllib

import pytest
import yaml

from deploy.conftest import CHART, DEPLOY, VALUES

VOLUME, NODES, EVERYTHING = (next(v for v in VALUES if v.stem == name) for name in ("volume", "nodes", "everything"))
each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def container(objects):
    """The registry's container, of whichever kind of set."""
    return pod(objects)["containers"][0]


def pod(objects):
    sets = [each for each in objects.values() if each["kind"] in ("Deployment", "StatefulSet")]
    assert len(sets) == 1
    return sets[0]["spec"]["template"]["spec"]


def configuration(objects):
    return tomllib.loads(objects["ConfigMap/mine-berth"]["data"]["berth.toml"])


def names(table, before=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from names(value, f"{before}{key}.")
        else:
            yield before + key


@each_values
def test_lint(home, values):
    home.run("helm", "lint", "--strict", CHART, "--values", values)


@each_values
def test_objects_are_valid(home, values):
    text = home.out("helm", "template", "mine", CHART, "--values", values)
    said = home.run("validate", "manifests", input=text)
    assert said.splitlines().count("ConfigMap/mine-berth") == 1


def test_validator_finds_mistakes(home):
    text = home.out("helm", "template", "mine", CHART, "--values", NODES)
    for right, wrong in (("readOnlyRootFilesystem", "readOnlyRootFileSystem"), ("replicas: 3", "replicas: many")):
        assert right in text
        home.run("validate", "manifests", input=text.replace(right, wrong), fails=True)


@each_values
def test_settings_exist(render, settings, values):
    unknown = set(names(configuration(render(values)))) - settings
    assert not unknown


@each_values
def test_probes_and_grace(render, values):
    objects = render(values)
    node = container(objects)
    paths = [node[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert paths == ["/healthz", "/healthz", "/readyz"]
    drain = int(configuration(objects)["server"]["shutdown_timeout"].removesuffix("s"))
    wait = node["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(objects)["terminationGracePeriodSeconds"] > drain + wait


@each_values
def test_restricted(render, values):
    """What the Pod Security Standard `restricted` asks for, of every pod."""
    objects = render(values)
    pods = [pod(objects), objects["Pod/mine-berth-test"]["spec"]]
    for each in pods:
        assert each["securityContext"]["runAsNonRoot"] is True
        assert each["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert each["automountServiceAccountToken"] is False
        context = each["containers"][0]["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@each_values
def test_mounts_have_volumes(render, values):
    objects = render(values)
    sets = objects.get("StatefulSet/mine-berth", {"spec": {}})["spec"]
    volumes = {volume["name"] for volume in pod(objects)["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in sets.get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container(objects)["volumeMounts"]} == volumes


@each_values
def test_selectors_match_the_pods(render, values):
    objects = render(values)
    sets = next(each for each in objects.values() if each["kind"] in ("Deployment", "StatefulSet"))["spec"]
    labels = sets["template"]["metadata"]["labels"].items()
    services = [each["spec"]["selector"] for each in objects.values() if each["kind"] == "Service"]
    for selector in [sets["selector"]["matchLabels"], *services]:
        assert selector.items() <= labels
    tester = objects["Pod/mine-berth-test"]["metadata"]["labels"]
    assert not sets["selector"]["matchLabels"].items() <= tester.items()


def test_several_nodes(render):
    objects = render(NODES)
    spec = objects["Deployment/mine-berth"]["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert objects["PodDisruptionBudget/mine-berth"]["spec"]["maxUnavailable"] == 1
    assert len(pod(objects)["topologySpreadConstraints"]) == 2
    annotations = objects["ServiceAccount/mine-berth"]["metadata"]["annotations"]
    assert annotations["eks.amazonaws.com/role-arn"].endswith("role/berth")


def test_one_node_keeps_its_volume(render):
    objects = render(VOLUME)
    spec = objects["StatefulSet/mine-berth"]["spec"]
    assert spec["replicas"] == 1
    assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain"
    assert "PodDisruptionBudget/mine-berth" not in objects
    assert "database" not in configuration(objects)


def test_everything_is_rendered(render):
    objects = render(EVERYTHING)
    kinds = {each["kind"] for each in objects.values()}
    assert kinds >= {
        "Deployment", "Service", "Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget",
        "NetworkPolicy", "ServiceMonitor", "PrometheusRule", "ServiceAccount", "ConfigMap",
    }  # fmt: skip
    assert "replicas" not in objects["Deployment/mine-berth"]["spec"]
    assert container(objects)["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    set_here = configuration(objects)
    assert set_here["limits"]["open_uploads"] == 10_000_000
    assert set_here["auth"]["anonymous_pull"] == ["public/*", 'odd"name/*']
    assert set_here["scrub"]["enabled"] is False
    assert set_here["s3"]["buffer_budget"] == "256MiB"
    rules = yaml.safe_load((DEPLOY / "prometheus/berth.rules.yaml").read_text())
    assert objects["PrometheusRule/mine-berth"]["spec"] == rules


def test_secrets_stay_secrets(render):
    """Names of secrets appear in the pod, never a value; files for what the server reads from files."""
    objects = render(EVERYTHING)
    assert "Secret" not in {each["kind"] for each in objects.values()}
    environment = {each["name"]: each for each in container(objects)["env"]}
    for name in ("AWS_SECRET_ACCESS_KEY", "BERTH_ADMIN_SECRET_ACCESS_KEY"):
        assert "secretKeyRef" in environment[name]["valueFrom"]
    assert environment["BERTH_DATABASE_PASSWORD_FILE"]["value"] == "/etc/berth-secrets/database/word"
    assert environment["BERTH_SERVER_KEY_FILE"]["value"] == "/etc/berth-secrets/server-key/server-key"


REFUSED = [
    (VOLUME, ["replicaCount=2"], "several nodes need database.url"),
    (VOLUME, ["autoscaling.enabled=true"], "several nodes need database.url"),
    (NODES, ["s3.bucket="], "several nodes need s3.bucket"),
    (NODES, ["database.url="], "several nodes need database.url"),
    (NODES, ["serverKey.secret.name="], "every node needs the same server key"),
    (NODES, ["database.url=postgres://berth:secret@db/berth"], "database.url holds a password"),
    (NODES, ["image.repository="], "image.repository is empty"),
    (NODES, ["settings.database.pool=3"], "settings.database.pool is made by the chart"),
    (VOLUME, ["settings.storage.data_dir=/x"], "settings.storage.data_dir is made by the chart"),
    (VOLUME, ["settings.server.tls_cert=/x"], "settings.server.tls_cert is made by the chart"),
    (VOLUME, ["replicaCount=0"], "at '/replicaCount'"),
    (NODES, ["httpRoute.enabled=true"], "httpRoute.parentRefs is empty"),
    (NODES, ["ingress.enabled=true"], "ingress.host is empty"),
    (NODES, ["metrics.enabled=false", "metrics.rules.enabled=true"], "need metrics.enabled"),
    (EVERYTHING, ["autoscaling.minReplicas=9"], "minReplicas is more than"),
    (NODES, ["replicacount=3"], "additional properties 'replicacount' not allowed"),
    (NODES, ["s3.redirect=maybe"], "at '/s3/redirect'"),
]


@pytest.mark.parametrize("values, settings, reason", REFUSED, ids=lambda part: part[0] if type(part) is list else None)
def test_nonsense_is_refused(home, values, settings, reason):
    flags = [flag for setting in settings for flag in ("--set", setting)]
    said = home.run("helm", "template", "mine", CHART, "--values", values, *flags, fails=True)
    assert reason in said


def test_copies_are_equal():
    """The chart can only read files of its own."""
    for name in ("prometheus/berth.rules.yaml", "grafana/berth.json"):
        assert (CHART / "files" / name.split("/")[1]).read_bytes() == (DEPLOY / name).read_bytes()
