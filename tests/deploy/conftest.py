"""Rendering the chart, and what the binary knows."""

import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/berth"
VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))


@pytest.fixture
def render(home):
    """render(FILE, "key=value", ...) : the objects by kind and name."""

    def render(values, *settings):
        flags = [flag for setting in settings for flag in ("--set", setting)]
        text = home.out("helm", "template", "mine", CHART, "--values", values, *flags)
        objects = [each for each in yaml.safe_load_all(text) if each]
        return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}

    return render


@pytest.fixture(scope="session")
def settings(berth_bin):
    """The name of every setting, `section.key`."""
    said = subprocess.run([berth_bin, "config", "--reference"], capture_output=True, text=True, check=True).stdout
    return {line[4:].strip() for line in said.splitlines() if line.startswith("### ")}
