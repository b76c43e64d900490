"""HTTP/1.1 over a raw socket: one connection that stays open and costs the client as little as Python can."""

import hashlib
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 120
# More would be a mapping of its own for each small answer.
READ = 64 * 1024
CRLF = b"\r\n"
# What has no body, whatever its header says.
EMPTY = (204, 304)


class WrongAnswer(Exception):
    """A server did not do what was asked of it: there is nothing to measure then."""


@dataclass(frozen=True)
class Place:
    """Where a server listens, and as whom to speak to it."""

    host: str
    port: int
    authorization: str | None = None
    tls: bool = False

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @classmethod
    def of(cls, url, authorization=None):
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), authorization, tls)


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes = b""

    def header(self, name):
        """The header's value, or None. A search is quicker than taking all headers apart."""
        at = self.head.lower().find(b"\r\n" + name.lower().encode() + b":")
        if at < 0:
            return None
        value = self.head[at + len(name) + 3 :].partition(CRLF)[0]
        return value.strip().decode("latin-1")

    def path(self):
        """Where `Location` leads, without scheme and host."""
        parts = urlsplit(self.header("Location") or "")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def must_be(self, *statuses):
        if self.status not in statuses:
            raise WrongAnswer(f"{self.status} where {statuses} was due: {self.body[:300]!r}")
        return self


class Connection:
    def __init__(self, place):
        self.place = place
        self.socket = socket.create_connection((place.host, place.port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.tls:
            self.socket = unverified().wrap_socket(self.socket, server_hostname=place.host)
        login = f"Authorization: {place.authorization}\r\n" if place.authorization else ""
        self.common = f"Host: {place.host}:{place.port}\r\n{login}"
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, method, path, body=None, headers=""):
        """One exchange with the whole answer. `headers` are lines that end in CRLF."""
        self.socket.sendall(self.head(method, path, body, headers) + (body or b""))
        return self.answer(method)

    def ask_as_is(self, request):
        """One exchange with the whole answer; the request was made elsewhere, and is no HEAD."""
        self.socket.sendall(request)
        return self.answer("GET")

    def head(self, method, path, body, headers):
        length = len(body) if isinstance(body, bytes) else body
        if length is None and method in ("POST", "PUT", "PATCH"):
            length = 0
        counted = "" if length is None else f"Content-Length: {length}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self.common}{counted}{headers}\r\n".encode()

    def ask_with_file(self, method, path, file, offset, count, headers=""):
        """The body is a part of a file, which goes to the socket without passing through here."""
        self.socket.sendall(self.head(method, path, count, headers))
        self.socket.sendfile(file, offset, count)
        return self.answer(method)

    def answer(self, method):
        answer = self.read_head()
        if method == "HEAD" or answer.status in EMPTY:
            return answer
        return Answer(answer.status, answer.head, b"".join(self.pieces(answer)))

    def read_head(self):
        """An answer whose body is still to be read."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.fill()
        head, self.buffer = self.buffer[: end + 2], self.buffer[end + 4 :]
        return Answer(int(head[9:12]), head)

    def fill(self):
        more = self.socket.recv(READ)
        if not more:
            raise WrongAnswer("the connection was closed in the middle of an answer")
        self.buffer += more

    def pieces(self, answer):
        """An answer's body, as it comes."""
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            while size := int(self.line(), 16):
                yield from self.counted(size)
                self.line()
            self.line()
        else:
            yield from self.counted(int(answer.header("Content-Length") or 0))

    def counted(self, count):
        while count:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:count], self.buffer[count:]
            count -= len(piece)
            yield piece

    def line(self):
        while CRLF not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(CRLF)
        return line

    def digest_of(self, path):
        """The digest of what is served there; a redirect is followed."""
        self.socket.sendall(self.head("GET", path, None, ""))
        answer = self.read_head()
        if answer.status == 307:
            b"".join(self.pieces(answer))
            return digest_elsewhere(answer)
        answer.must_be(200)
        hasher = hashlib.sha256()
        for piece in self.pieces(answer):
            hasher.update(piece)
        return "sha256:" + hasher.hexdigest()


def digest_elsewhere(answer):
    with Connection(Place.of(answer.header("Location"))) as there:
        return there.digest_of(answer.path())


def unverified():
    """The certificate is made for one run, and both ends are ours."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
