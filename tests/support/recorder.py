"""A reverse proxy on loopback that notes what a client asked and what the registry answered.

Clients differ in what they print; this sees them all alike, so a test can ask whether a
push mounted a blob instead of uploading it.
"""

import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from support.server import Registry

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
BUFFER = 64 * 1024


@dataclass(frozen=True)
class Exchange:
    method: str
    target: str
    status: int
    headers: dict

    @property
    def query(self):
        return {k: v[0] for k, v in parse_qs(urlsplit(self.target).query).items()}

    @property
    def path(self):
        return urlsplit(self.target).path


class Recorder:
    """Forwards to one registry while used as a context manager."""

    def __init__(self, registry):
        self.upstream = registry
        self.exchanges = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _forward(self):
                recorder.forward(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def registry(self):
        port = self.server.server_address[1]
        return Registry(f"http://127.0.0.1:{port}", self.upstream.user, self.upstream.password)

    def forward(self, handler):
        connection = http.client.HTTPConnection(self.upstream.host, timeout=120)
        try:
            self._send_request(connection, handler)
            response = connection.getresponse()
            headers = response.getheaders()
            self.exchanges.append(
                Exchange(handler.command, handler.path, response.status, {k.lower(): v for k, v in headers})
            )
            self._send_response(handler, response, headers)
        finally:
            connection.close()

    def _send_request(self, connection, handler):
        connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        chunked = handler.headers.get("Transfer-Encoding", "").lower() == "chunked"
        for name, value in handler.headers.items():
            if name.lower() not in HOP_BY_HOP and name.lower() != "expect":
                connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for piece in request_body(handler, chunked):
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            connection.send(b"0\r\n\r\n")

    def _send_response(self, handler, response, headers):
        handler.send_response_only(response.status, response.reason)
        known_length = False
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                handler.send_header(name, value)
                known_length |= name.lower() == "content-length"
        bodiless = handler.command == "HEAD" or response.status in (204, 304)
        if not known_length and not bodiless:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        while piece := response.read(BUFFER):
            handler.wfile.write(piece)

    def mounted(self):
        """The digests for which a mount from a named repository was asked for and given."""
        asked = (e for e in self.exchanges if e.method == "POST" and "from" in e.query)
        return {e.query["mount"] for e in asked if e.status == 201}

    def uploaded(self):
        """The digests whose bytes the client sent."""
        return {e.query["digest"] for e in self.exchanges if "/blobs/uploads/" in e.target and "digest" in e.query}


def request_body(handler, chunked):
    """Yields the body of a request in pieces, however it is framed."""
    if chunked:
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            yield handler.rfile.read(size)
            handler.rfile.readline()
        handler.rfile.readline()
        return
    left = int(handler.headers.get("Content-Length") or 0)
    while left:
        piece = handler.rfile.read(min(left, BUFFER))
        if not piece:
            raise ConnectionError("the client went away in the middle of a body")
        left -= len(piece)
        yield piece
