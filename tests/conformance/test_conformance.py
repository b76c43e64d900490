"""The OCI distribution specification's own conformance program on a registry of each kind.

It runs twice, because one of its data sets contradicts a rule that Berth has by default: sparse
manifests (with missing layers or children) are accepted only where the setting allows them.
"""

import pytest

from support import conformance


@pytest.mark.needs_berth
@pytest.mark.parametrize("run", ["strict", "sparse"])
def test_conformance(run, server_for_conformance, scratch):
    conformance.check(server_for_conformance(run == "sparse"), run, scratch / f"conformance-{run}")


@pytest.fixture
def server_for_conformance(serve, scratch):
    """Starts a server that allows sparse manifests or not; stopped and verified at the end."""
    contexts = []

    def start(sparse):
        config = scratch / f"conformance-{sparse}.toml"
        config.write_text(f"[registry]\nallow_sparse_indexes = {str(sparse).lower()}\n")
        context = serve(f"conformance-server-{sparse}", "--config", config)
        contexts.append(context)
        return context.__enter__().registry()

    yield start
    for context in contexts:
        context.__exit__(None, None, None)
