"""ECR's main path by other SDKs of AWS: each makes a repository, uploads an image, reads it, goes through its pages, and
removes all of it. Errors come as their own types, times as times, and numbers as numbers."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.ecr import LEAST_PART, download, fresh, image
from support.images import sha256
from support.tools import CACHE

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

TESTS = Path(__file__).parents[1]


def node():
    """The machine's own, if it is new enough, or the one that was installed for the tests."""
    for found in (shutil.which("node"), str(CACHE / "node-env/bin/node")):
        if found and Path(found).exists():
            version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
            if int(version.removeprefix("v").split(".")[0]) >= 20:
                return found
    raise AssertionError("there is no Node.js of at least version 20: tests/install/70-sdks.sh installs it")


def javascript():
    packages = CACHE / "npm/ecr-sdk"
    assert (packages / "node_modules/@aws-sdk/client-ecr").is_dir(), "tests/install/70-sdks.sh installs the SDK"
    return [node(), TESTS / "sdk-js/main-path.mjs", packages]


def rust():
    program = CACHE / "sdk-rust/debug/ecr-main-path"
    assert program.exists(), "tests/install/70-sdks.sh builds it"
    return [program]


@pytest.fixture(params=[javascript, rust], ids=lambda command: command.__name__)
def sdk(request, home, ecr):
    """Runs the program of an SDK, and gives what it printed."""
    key = ecr.aws.administrator
    home.env |= {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
    command = [*request.param(), ecr.registry.url]
    return lambda *arguments: home.json(*command, *arguments)


def written(home, made):
    """The files of an image: its manifest, and its blobs by their digests."""
    paths = [home.path / sha256(blob).removeprefix("sha256:") for blob in made.blobs]
    for path, blob in zip(paths, made.blobs, strict=True):
        path.write_bytes(blob)
    return [home.file("manifest.json", made.text), *paths]


def test_the_main_path(sdk, home, ecr):
    name, layer = fresh("sdk/main"), b"l" * (LEAST_PART + 1000)
    made = image(layer, config={"made.for": name})
    said = sdk("make", name, *written(home, made))
    for moment in ("created", "pushed"):
        assert abs(time.time() - said.pop(moment)) < 3600
    assert download(said.pop("downloadUrl")).content == layer
    ((digest, tags, size),) = said.pop("details")
    assert (digest, tags) == (made.digest, 3) and size >= len(layer)
    assert said == {
        "missing": "RepositoryNotFoundException",
        "repositoryUri": ecr.registry.ref(name),
        "uploads": [[sha256(blob), "InvalidLayerPartException", len(blob) - 1] for blob in made.blobs],
        "put": [[made.digest, tag] for tag in ("v1", "v2", "v3")],
        "same": [True],
        "failures": ["ImageNotFound"],
        "pages": [2, 1],
    }
    assert ecr.get(name, imageTag="v3")["imageManifest"] == made.text
    said = sdk("remove", name)
    assert said == {"gone": ["v1"], "full": "RepositoryNotEmptyException", "name": name}
    with pytest.raises(ecr.client.exceptions.RepositoryNotFoundException):
        ecr.tags(name)
