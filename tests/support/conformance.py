"""The OCI distribution specification's own conformance program, all of it switched on.

Sparse manifests (with missing layers or children) are accepted only where a setting allows them, so it runs with or
without. The program's result file decides; its exit code alone would not tell a skip from a failure.
"""

import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from support.tools import GO_BIN

ALLOWED = Path(__file__).resolve().parents[1] / "conformance/allowed-skips.txt"
# As many as the pinned program has; fewer mean that it gave up early.
LEAST_TESTS = 700

EVERYTHING = {
    "OCI_VERSION": "dev",
    "OCI_TLS": "disabled",
    "OCI_REPO1": "conformance/one",
    "OCI_REPO2": "conformance/two",
    "OCI_API_PING": "true",
    "OCI_API_PULL": "true",
    "OCI_API_PUSH": "true",
    "OCI_API_BLOBS_ATOMIC": "true",
    "OCI_API_BLOBS_DELETE": "true",
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_MOUNT_ANONYMOUS": "true",
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_MANIFESTS_ATOMIC": "true",
    "OCI_API_MANIFESTS_DELETE": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true",
    "OCI_API_TAGS_ATOMIC": "true",
    "OCI_API_TAGS_DELETE": "true",
    "OCI_API_TAGS_LIST": "true",
    "OCI_API_REFERRER": "true",
    "OCI_DATA_IMAGE": "true",
    "OCI_DATA_INDEX": "true",
    "OCI_DATA_INDEX_LIST": "true",
    "OCI_DATA_ARTIFACT": "true",
    "OCI_DATA_SUBJECT": "true",
    "OCI_DATA_SUBJECT_MISSING": "true",
    "OCI_DATA_ARTIFACT_LIST": "true",
    "OCI_DATA_SUBJECT_LIST": "true",
    "OCI_DATA_DATA_FIELD": "true",
    "OCI_DATA_NONDISTRIBUTABLE": "true",
    "OCI_DATA_CUSTOM_FIELDS": "true",
    "OCI_DATA_NO_LAYERS": "true",
    "OCI_DATA_EMPTY_BLOB": "true",
    "OCI_DATA_SHA512": "true",
}


def allowed_skips(run):
    """The names that may be skipped in this run. Every line must carry its reason."""
    names = set()
    for line in ALLOWED.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            which, name, reason = (part.strip() for part in line.split("|"))
            assert reason, f"no reason given in {ALLOWED.name}: {line}"
            if which in (run, "*"):
                names.add(name)
    return names


def conform(registry, sparse, results):
    """Runs the program; returns {status: [(name, what it said)]} from its result file."""
    environment = EVERYTHING | {
        "OCI_REGISTRY": registry.host,
        "OCI_USERNAME": registry.user,
        "OCI_PASSWORD": registry.password,
        "OCI_DATA_SPARSE": str(sparse).lower(),
        "OCI_RESULTS_DIR": str(results),
    }
    done = subprocess.run(
        [GO_BIN / "conformance"], env=environment, cwd=results, capture_output=True, text=True, timeout=280
    )
    report = results / "junit.xml"
    assert report.exists(), done.stdout + done.stderr
    found = {"passed": [], "skipped": [], "failure": [], "error": []}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        found[case.get("status")].append((case.get("name"), case.findtext("system-out", "").strip()))
    return found


def listing(cases):
    return "\n".join(f"  {name}: {said}" for name, said in cases)


def check(registry, run, results):
    """Runs it in one of its two ways, `strict` and `sparse`; fails unless the registry conforms."""
    results.mkdir()
    found = conform(registry, run == "sparse", results)
    bad = found["failure"] + found["error"]
    assert not bad, f"{len(bad)} tests failed:\n{listing(bad)}"
    allowed = allowed_skips(run)
    skipped = {name for name, _ in found["skipped"]}
    surprising = [case for case in found["skipped"] if case[0] not in allowed]
    assert not surprising, f"skipped without leave:\n{listing(surprising)}"
    assert not allowed - skipped, f"no longer skipped, to be taken from the list: {allowed - skipped}"
    print(f"{run}: {len(found['passed'])} passed, {len(skipped)} skipped with leave")
    assert len(found["passed"]) >= LEAST_TESTS
