"""Two nodes behind a round-robin, whatever shape the other suites' servers have."""

import pytest

from support.nodes import running_nodes


@pytest.fixture
def nodes(berth_bin, shared_backends, scratch, request):
    with running_nodes([berth_bin, berth_bin], scratch / f"nodes-{request.node.name[-40:]}", shared_backends) as nodes:
        yield nodes
