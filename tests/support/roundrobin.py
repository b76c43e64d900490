"""A round-robin in front of several nodes: each request goes to the next one, of one connection too.

It passes bodies on as they come, in both directions at once, and answers to `Expect: 100-continue` are the nodes'. A node
that takes no connection is left out for a while, and the request goes to the next. Where a node breaks off, the client
hears 502, as behind other proxies, or sees its connection end where the response had begun.
"""

import asyncio
import contextlib
import itertools
import ssl
import threading
import time
from urllib.parse import urlsplit

from support.http1 import MAX_HEAD, BrokenMessage, NotHttp, has_body, pass_body, pass_on, read_head

# How long a node stays left out once it took no connection.
LEFT_OUT_SECONDS = 0.5
# How long what a client still sends is read after a response that came early, so that it gets to see it.
LINGER_SECONDS = 2
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RoundRobin:
    """Forwards while used as a context manager. `nodes` are urls; certificates make it speak TLS."""

    def __init__(self, nodes, certificate=None, key=None):
        self.nodes = [(parts.hostname, parts.port) for parts in map(urlsplit, nodes)]
        self.scheme = "https" if certificate else "http"
        self.tls = None
        if certificate:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(certificate, key)
        self.turns = itertools.count()
        self.left_out = {}
        self.answered = dict.fromkeys(range(len(self.nodes)), 0)
        self.loop = asyncio.new_event_loop()
        self.last = None
        self.is_down = False
        self.port = None

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def __enter__(self):
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=[started], daemon=True)
        self.thread.start()
        assert started.wait(10) and self.port, "the round-robin does not start"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def go_down(self):
        """From now on clients are not told by 502 that a node is gone: they see their connection end, as if there were
        only the one server."""
        self.is_down = True

    def come_up(self):
        """All nodes take part again."""
        self.is_down = False
        self.loop.call_soon_threadsafe(self.left_out.clear)

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        start = asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self.tls, limit=MAX_HEAD, backlog=1024)
        server = self.loop.run_until_complete(start)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))

    async def _client(self, reader, writer):
        try:
            while await self._request(reader, writer):
                pass
        except NotHttp:
            # As other servers say it: clients that try TLS first know plain HTTP by that.
            writer.write(BAD_REQUEST)
        except (BrokenMessage, OSError, ssl.SSLError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _request(self, reader, writer):
        """Forwards one request; whether the connection goes on."""
        request = await read_head(reader)
        if request is None:
            return False
        goes_on = request.first.endswith("HTTP/1.1") and not request.says("connection", "close")
        connected = await self._connect()
        if connected is None:
            return await self._bad_gateway(writer)
        nth, node_reader, node_writer = connected
        try:
            return await self._exchange(nth, request, (reader, writer), (node_reader, node_writer), goes_on)
        finally:
            node_writer.transport.abort()

    async def _connect(self):
        """A connection to the node whose turn it is, or to the first behind it that takes one."""
        first = next(self.turns)
        order = [(first + step) % len(self.nodes) for step in range(len(self.nodes))]
        now = time.monotonic()
        # Those left out are tried too before nobody is.
        for nth in sorted(order, key=lambda nth: self.left_out.get(nth, 0) > now):
            try:
                connected = await asyncio.open_connection(*self.nodes[nth], limit=MAX_HEAD)
                self.last = nth
                return nth, *connected
            except OSError:
                self.left_out[nth] = time.monotonic() + LEFT_OUT_SECONDS
        return None

    async def _exchange(self, nth, request, client, node, goes_on):
        reader, writer = client
        node_reader, node_writer = node
        node_writer.write(request.encode("close"))
        body = asyncio.ensure_future(self._body(request, reader, node_writer))
        try:
            # A client that breaks off in a body is told to the node by the end of the connection.
            response = await self._response_head(node_reader, writer, body)
            if response is None:
                await self._bad_gateway(writer)
                await self._linger(reader, body)
                return False
            self.answered[nth] += 1
            early = not body.done()
            whole = await self._response(request, response, node_reader, writer, goes_on and not early)
            if early:
                await self._linger(reader, body)
            return goes_on and not early and whole
        finally:
            # Nobody waits for it any more, nor hears how it failed.
            body.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            body.cancel()

    async def _bad_gateway(self, writer):
        if self.is_down:
            raise BrokenMessage("the nodes are gone")
        writer.write(BAD_GATEWAY)
        await writer.drain()
        return False

    @staticmethod
    async def _body(request, reader, node_writer):
        if has_body(request):
            await pass_body(request, reader, node_writer)
        await node_writer.drain()

    @staticmethod
    async def _response_head(node_reader, writer, body):
        """The final response's head, interim ones passed on; `None` where the node ended without one."""
        while True:
            head = asyncio.ensure_future(read_head(node_reader))
            await asyncio.wait({head, body}, return_when=asyncio.FIRST_COMPLETED)
            if body.done() and isinstance(body.exception(), BrokenMessage):
                head.cancel()
                raise body.exception()
            try:
                response = await head
            except BrokenMessage:
                return None
            if response is None or response.status >= 200:
                return response
            if response.status == 100:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await writer.drain()

    @staticmethod
    async def _response(request, response, node_reader, writer, goes_on):
        """Passes a response on; whether its end could be told from the connection's."""
        without_body = request.method == "HEAD" or response.status in (204, 304)
        ends = without_body or response.get("transfer-encoding") or response.get("content-length")
        writer.write(response.encode("keep-alive" if goes_on and ends else "close"))
        if not without_body and not await pass_body(response, node_reader, writer):
            await pass_on(node_reader, writer)
        await writer.drain()
        return bool(ends)

    @staticmethod
    async def _linger(reader, body):
        body.cancel()
        with contextlib.suppress(asyncio.CancelledError, BrokenMessage, OSError):
            await body
        with contextlib.suppress(asyncio.TimeoutError, OSError):
            async with asyncio.timeout(LINGER_SECONDS):
                while await reader.read(MAX_HEAD):
                    pass
