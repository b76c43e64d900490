"""One node of two goes away in the middle of what clients do, and they hardly notice."""

import os
import secrets

import pytest

from support.api import Api
from support.crowd import Crowd
from support.images import sha256
from support.server import wait_until

MIB = 1024 * 1024
SEED = os.environ.get("BERTH_TEST_SEED") or secrets.token_hex(4)
SECONDS = float(os.environ.get("BERTH_TEST_SECONDS") or 2)


def test_both_nodes_answer_and_know_the_same(nodes):
    api = Api(nodes.registry())
    digest = sha256(b"a blob")
    where = here(nodes, api.call("POST", "/v2/nodes/same/blobs/uploads/"))
    assert where.startswith("/"), "not where the client asked"
    headers = {"Content-Type": "application/octet-stream"}
    put = api.call("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", data=b"a blob", headers=headers)
    assert put.status_code == 201
    for _ in range(4):
        assert api.call("GET", f"/v2/nodes/same/blobs/{digest}").content == b"a blob"
    assert abs(nodes.round_robin.answered[0] - nodes.round_robin.answered[1]) <= 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_one_node_goes_in_the_middle_of_pushes_and_comes_back(nodes, how):
    with Crowd(nodes.registry(), 6, SEED) as crowd:
        crowd.go_on(SECONDS)
        for node in nodes.nodes:
            getattr(node, how)()
            crowd.go_on(SECONDS / 2)
            node.start()
            crowd.go_on(SECONDS / 2)
    crowd.check()
    print(how, crowd.told(), f"answered {nodes.round_robin.answered}")


def test_a_push_goes_on_at_the_other_node_when_one_is_killed(nodes):
    """A layer sent in one long request; when that breaks off, the client asks how far it came and goes on."""
    api = Api(nodes.registry())
    data = bytes(range(256)) * (24 * MIB // 256)
    where = here(nodes, api.call("POST", "/v2/nodes/long/blobs/uploads/"))

    def until_killed():
        for start in range(0, len(data), MIB):
            if start == 12 * MIB:
                nodes.nodes[nodes.round_robin.last].kill()
            yield data[start : start + MIB]

    headers = {"Content-Type": "application/octet-stream"}
    assert api.call("PATCH", where, data=until_killed(), headers=headers).status_code == 502
    assert [node.running() for node in nodes.nodes].count(True) == 1
    assert api.call("GET", where).status_code == 204, "the other node does not know the upload"
    # Until it is back, or for a minute, the upload is the dead node's.
    next(node for node in nodes.nodes if not node.running()).start()
    wait_until("the upload to go on", lambda: goes_on(api, nodes, where, data), seconds=90)
    for _ in range(2):
        assert api.call("GET", f"/v2/nodes/long/blobs/{sha256(data)}").content == data


def goes_on(api, nodes, where, data):
    """What a client does again and again until it works."""
    status = api.call("GET", where)
    assert status.status_code == 204, status.text
    have = int(status.headers["Range"].removeprefix("0-")) + 1 if status.headers.get("Range", "0-0") != "0-0" else 0
    where = here(nodes, status)
    headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{have}-{len(data) - 1}"}
    joined = f"{where}{'&' if '?' in where else '?'}digest={sha256(data)}"
    put = api.call("PUT", joined, data=data[have:], headers=headers)
    assert put.status_code in (201, 409, 416, 503), put.text
    # Or the nodes that take turns would always be asked for the same thing.
    return put.status_code == 201 or not api.call("GET", "/v2/")


def here(nodes, answer):
    return answer.headers["Location"].removeprefix(nodes.url)
