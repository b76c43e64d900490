"""The round-robin itself: what the suites on several nodes rest upon."""

import http.client
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.roundrobin import RoundRobin


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        if self.path == "/refused":
            self.send_error(413)
            return False
        return super().handle_expect_100()

    def do_GET(self):
        if self.path == "/none":
            self.send_response(204)
            self.end_headers()
            return
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n")
            return
        self.answer(f"{self.server.server_port} {self.headers['Host']}".encode())

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self.chunks()
        self.answer(body)

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET


@pytest.fixture
def servers():
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def front(servers):
    with RoundRobin([f"http://127.0.0.1:{server.server_port}" for server in servers]) as front:
        yield front


def ask(wire, method, path, body=None, **options):
    wire.request(method, path, body=body, **options)
    answer = wire.getresponse()
    return answer.status, answer.read()


def test_each_request_of_one_connection_goes_to_the_next_node(front, servers):
    wire = http.client.HTTPConnection("127.0.0.1", front.port)
    asked = []
    for _ in range(6):
        status, body = ask(wire, "GET", "/")
        port, host = body.decode().split()
        assert (status, host) == (200, f"127.0.0.1:{front.port}")
        asked.append(int(port))
        local = wire.sock.getsockname()
    assert wire.sock.getsockname() == local, "the connection was not kept"
    one, other = [server.server_port for server in servers]
    assert asked in ([one, other] * 3, [other, one] * 3)
    assert front.answered == {0: 3, 1: 3}


def test_bodies_of_every_kind_pass(front):
    wire = http.client.HTTPConnection("127.0.0.1", front.port)
    large = bytes(range(256)) * 20_000
    kept = []
    for method, path, body, expected in [
        ("PUT", "/", large, (200, large)),
        ("PUT", "/", iter([large[:100_000], b"x", large]), (200, large[:100_000] + b"x" + large)),
        ("PUT", "/", b"", (200, b"")),
        ("HEAD", "/", None, (200, b"")),
        ("HEAD", "/chunked", None, (200, b"")),
        ("GET", "/chunked", None, (200, b"hello world")),
        ("GET", "/none", None, (204, b"")),
        ("GET", "/nothing-special", None, None),
    ]:
        got = ask(wire, method, path, body)
        assert expected is None or got == expected, (method, path)
        kept.append(wire.sock.getsockname())
    assert len(set(kept)) == 1, "the connection was not kept"


@pytest.mark.parametrize("path, status", [("/", b"100"), ("/refused", b"413")])
def test_whether_a_body_is_wanted_is_for_the_node_to_say(front, path, status):
    wire = http.client.HTTPConnection("127.0.0.1", front.port)
    wire.putrequest("PUT", path)
    for name, value in [("Content-Length", "5"), ("Expect", "100-continue")]:
        wire.putheader(name, value)
    wire.endheaders()
    assert wire.sock.recv(12).split()[1] == status
    if status == b"100":
        wire.sock.sendall(b"hello")
        rest = b""
        while b"hello" not in rest:
            rest += wire.sock.recv(1000)
        assert b"HTTP/1.1 200" in rest


def test_a_node_that_takes_no_connection_is_left_out(front, servers):
    servers[0].shutdown()
    servers[0].server_close()
    for _ in range(4):
        wire = http.client.HTTPConnection("127.0.0.1", front.port)
        assert ask(wire, "GET", "/")[1].startswith(str(servers[1].server_port).encode())
    assert front.answered == {0: 0, 1: 4}
    servers[1].shutdown()
    servers[1].server_close()
    wire = http.client.HTTPConnection("127.0.0.1", front.port)
    assert ask(wire, "GET", "/")[0] == 502


def test_who_tries_tls_where_there_is_none_is_told_at_once(front):
    """By an answer in plain HTTP, which clients that fall back look for."""
    with socket.create_connection(("127.0.0.1", front.port), timeout=30) as wire:
        wire.sendall(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03")
        assert wire.recv(100).startswith(b"HTTP/1.1 400")


def test_it_speaks_tls(servers, certificates):
    nodes = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    with RoundRobin(nodes, certificates / "server.crt", certificates / "server.key") as front:
        assert front.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        wire = http.client.HTTPSConnection("127.0.0.1", front.port, context=context)
        assert ask(wire, "GET", "/")[0] == 200
