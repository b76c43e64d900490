"""An upload that is broken off goes on where it was: after a broken connection, a restart, a kill -9."""

import hashlib
import random
import socket
import time
from urllib.parse import urlsplit

import pytest

from support.api import Api
from support.server import wait_until

MIB = 1024 * 1024


def bytes_of(size, seed):
    return random.Random(seed).randbytes(size)


def begin(api, repository):
    response = api.call("POST", f"/v2/{repository}/blobs/uploads/")
    assert response.status_code == 202, response.text
    return location(response)


def location(response):
    parts = urlsplit(response.headers["Location"])
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def patch(api, where, data, start):
    headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{start}-{start + len(data) - 1}"}
    return api.call("PATCH", where, data=data, headers=headers)


def offset(api, where):
    """How many bytes the registry says it has."""
    response = api.call("GET", where)
    assert response.status_code == 204, response.text
    return int(response.headers["Range"].removeprefix("0-")) + 1, location(response)


def finish(api, where, rest, start, digest):
    headers = {"Content-Type": "application/octet-stream"}
    if rest:
        headers["Content-Range"] = f"{start}-{start + len(rest) - 1}"
    joined = f"{where}{'&' if '?' in where else '?'}digest={digest}"
    return api.call("PUT", joined, data=rest, headers=headers)


def resumed(api, repository, where, data):
    """Asks for the true offset, sends what is missing, and reads the blob back."""
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    for _ in range(10):
        have, where = offset(api, where)
        assert 0 < have <= len(data)
        response = finish(api, where, data[have:], have, digest)
        # 416: bytes of the broken request still came in between, or the node that took them is writing them down
        if response.status_code != 416:
            break
        time.sleep(0.2)
    assert response.status_code == 201, response.text
    got = api.call("GET", f"/v2/{repository}/blobs/{digest}")
    assert got.status_code == 200 and got.content == data
    return have


def test_after_a_broken_connection(registry, api):
    data = bytes_of(3 * MIB, "connection")
    where = begin(api, "resume/connection")
    where = location(patch(api, where, data[:MIB], 0))
    with socket.create_connection(registry.host.split(":")) as wire:
        import base64

        basic = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
        head = (
            f"PATCH {where} HTTP/1.1\r\nHost: {registry.host}\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Range: {MIB}-{2 * MIB - 1}\r\n"
            f"Content-Length: {MIB}\r\n\r\n"
        )
        wire.sendall(head.encode() + data[MIB : MIB + 100_000])
    # the registry may keep the part that came, or none of it
    have = resumed(api, "resume/connection", where, data)
    assert MIB <= have <= MIB + 100_000


@pytest.mark.needs_berth
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart(own_server, how):
    data = bytes_of(5 * MIB, how)
    api = Api(own_server.registry())
    where = begin(api, "resume/restart")
    for start in (0, 2 * MIB):
        response = patch(api, where, data[start : start + 2 * MIB], start)
        assert response.status_code == 202, response.text
        where = location(response)
    getattr(own_server, how)()
    own_server.start()
    # a 202 survives the end of the process
    assert resumed(Api(own_server.registry()), "resume/restart", where, data) == 4 * MIB


@pytest.mark.needs_berth
def test_after_kill_in_the_middle_of_a_chunk(own_server):
    data = bytes_of(4 * MIB, "middle")
    registry = own_server.registry()
    api = Api(registry)
    where = begin(api, "resume/middle")
    where = location(patch(api, where, data[:MIB], 0))

    def two_halves():
        yield data[MIB : 2 * MIB]
        own_server.kill()
        wait_until("the server to be gone", lambda: not own_server.running())
        yield data[2 * MIB :]

    with pytest.raises(OSError):
        api.call("PATCH", where, data=two_halves(), headers={"Content-Type": "application/octet-stream"})
    own_server.start()
    assert resumed(Api(own_server.registry()), "resume/middle", where, data) >= MIB


def test_out_of_order_chunk_is_refused_and_the_upload_lives(api):
    data = bytes_of(2 * MIB, "order")
    where = begin(api, "resume/order")
    where = location(patch(api, where, data[:MIB], 0))
    assert patch(api, where, data[:1000], MIB + 5).status_code == 416
    assert resumed(api, "resume/order", where, data) == MIB
