"""Reading messages of HTTP/1.1 from streams, and passing their bodies on as they come."""

import asyncio
from dataclasses import dataclass, field

PIECE = 64 * 1024
MAX_HEAD = 256 * 1024
# What concerns one connection and not the message; the length of a body does not change, so it stays as it was said.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "upgrade"}


class BrokenMessage(Exception):
    """The other side ended, or sent what is no message."""


class NotHttp(BrokenMessage):
    """The other side speaks something else, such as TLS."""


@dataclass
class Head:
    """The first line and the header fields of a message, in their order."""

    first: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name):
        return next((value for found, value in self.fields if found.lower() == name), None)

    def says(self, name, word):
        return word in [part.strip().lower() for part in (self.get(name) or "").split(",")]

    def encode(self, connection):
        kept = [(name, value) for name, value in self.fields if name.lower() not in HOP_BY_HOP]
        lines = [self.first, *(f"{name}: {value}" for name, value in kept), f"Connection: {connection}", "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @property
    def status(self):
        return int(self.first.split(" ", 2)[1])

    @property
    def method(self):
        return self.first.split(" ", 1)[0]


async def read_head(reader):
    """The next message's head; `None` where the other side ended before it."""
    try:
        text = await reader.read(1)
        if text and not text.isalpha():
            raise NotHttp("it is no HTTP")
        text += await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if text or error.partial:
            raise BrokenMessage("it ended in a head") from None
        return None
    except (asyncio.LimitOverrunError, OSError) as error:
        raise BrokenMessage(str(error)) from None
    first, *lines = text.decode("latin-1")[:-4].split("\r\n")
    fields = [line.split(":", 1) for line in lines]
    if any(len(parts) != 2 for parts in fields):
        raise BrokenMessage("a header field has no colon")
    return Head(first, [(name, value.strip()) for name, value in fields])


async def pass_on(reader, writer):
    """Passes bytes on until the end of the stream."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()


async def pass_length(reader, writer, left):
    while left:
        piece = await reader.read(min(left, PIECE))
        if not piece:
            raise BrokenMessage("it ended in a body")
        writer.write(piece)
        await writer.drain()
        left -= len(piece)


async def pass_chunks(reader, writer):
    """Passes a chunked body on as it is, with its trailers."""
    while True:
        line = await read_line(reader)
        writer.write(line)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        await pass_length(reader, writer, size + 2)
    while True:
        line = await read_line(reader)
        writer.write(line)
        if line == b"\r\n":
            return await writer.drain()


async def read_line(reader):
    try:
        return await reader.readuntil(b"\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise BrokenMessage("it ended in a chunked body") from None


def has_body(request):
    return request.get("transfer-encoding") is not None or int(request.get("content-length") or 0) > 0


async def pass_body(head, reader, writer):
    """Passes the body of a request on, or of a response that says where it ends; `False` where it does not."""
    if head.get("transfer-encoding") is not None:
        await pass_chunks(reader, writer)
    elif head.get("content-length") is not None:
        await pass_length(reader, writer, int(head.get("content-length")))
    else:
        return False
    return True
