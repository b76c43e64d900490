"""Alerts and dashboard: known metrics only, a unit test and a section for each alert."""

import json
import re
import shutil

import yaml

from deploy.conftest import DEPLOY, ROOT
from pathlib import Path

RULES = DEPLOY / "prometheus/berth.rules.yaml"
UNIT_TESTS = Path(__file__).with_name("berth.rules.test.yaml")
DASHBOARD = DEPLOY / "grafana/berth.json"
METRIC = re.compile(r"\bberth_[a-z0-9_]+")
REGISTERED = re.compile(r'(?:counter|gauge|histogram)!\(\s*"(berth_[a-z0-9_]+)"')


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def registered():
    """The metrics that the sources have, with the names that a histogram makes."""
    found = {name for path in ROOT.glob("crates/*/src/**/*.rs") for name in REGISTERED.findall(path.read_text())}
    assert "berth_http_requests_total" in found
    return found | {name + part for name in found for part in ("_bucket", "_sum", "_count") if "duration" in name}


def used():
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [variable["query"] for variable in dashboard["templating"]["list"]]
    expressions += [rule["expr"] for rule in alerts().values()]
    return {name for expression in expressions for name in METRIC.findall(expression)}


def test_metrics_exist():
    assert not used() - registered()


def test_metrics_are_documented():
    page = (ROOT / "docs/reference/metrics.md").read_text()
    missing = [name for name in used() if re.sub("_(bucket|sum|count)$", "", name) not in page]
    assert not missing


def test_rules(home):
    home.run("promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_alerts_fire(home):
    for path in (RULES, UNIT_TESTS):
        shutil.copy(path, home.path)
    home.run("promtool", "test", "rules", UNIT_TESTS.name)


def test_each_alert_has_a_test_that_fires():
    tests = [test for case in yaml.safe_load(UNIT_TESTS.read_text())["tests"] for test in case["alert_rule_test"]]
    assert {test["alertname"] for test in tests if test.get("exp_alerts")} == set(alerts())


def test_each_alert_has_a_section():
    page = (ROOT / "docs/how-to/alerts.md").read_text()
    assert re.findall("^## (Berth\\w+)$", page, re.M) == list(alerts())
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook"] == f"docs/how-to/alerts.md#{name.lower()}"


def test_dashboard():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [(p["gridPos"]["x"] + x, p["gridPos"]["y"] + y) for p in panels for x in range(p["gridPos"]["w"]) for y in range(p["gridPos"]["h"])]
    assert len(set(taken)) == len(taken), "panels overlap"
