"""Several `berth serve` that are one registry: one PostgreSQL database, one bucket, a round-robin in front."""

import secrets
from contextlib import ExitStack, contextmanager

from support.postgres import Postgres
from support.roundrobin import RoundRobin
from support.seaweedfs import BUCKET, CREDENTIALS, Seaweed
from support.server import Berth, Registry, new_access_key_id, new_secret, whole_at_the_end


class Backends:
    """The database server and the S3 server that the registries of a test run share, each with a place of its own."""

    def __init__(self, postgres, seaweed):
        self.postgres = postgres
        self.seaweed = seaweed

    def fresh(self):
        """What nodes of one registry have in common, as variables of their environment."""
        return CREDENTIALS | {
            "BERTH_DATABASE__URL": self.postgres.url(self.postgres.create_database()),
            "BERTH_S3__BUCKET": BUCKET,
            "BERTH_S3__ENDPOINT": self.seaweed.endpoint,
            "BERTH_S3__PREFIX": self.seaweed.fresh_prefix(),
            "BERTH_SERVER_KEY": secrets.token_hex(32),
        }


@contextmanager
def backends():
    with ExitStack() as stack:
        yield Backends(stack.enter_context(Postgres()), stack.enter_context(Seaweed()))


class Nodes:
    """To a test it looks like one server: what is asked of it is asked of all nodes."""

    def __init__(self, binaries, folder, common, flags=(), tls=None):
        keys = {"user": new_access_key_id(), "password": new_secret(), "more_environment": common}
        self.nodes = []
        for nth, binary in enumerate(binaries, 1):
            log, data = folder / f"log{nth}", folder / f"data{nth}"
            self.nodes.append(Berth(binary, data, log, flags=[str(flag) for flag in flags], **keys))
        self.tls = tls or {}
        self.round_robin = None

    @property
    def url(self):
        return self.round_robin.url

    def start(self):
        for node in self.nodes:
            node.start()
        if self.round_robin is None:
            self.round_robin = RoundRobin([node.url for node in self.nodes], **self.tls).__enter__()
        self.round_robin.come_up()
        return self

    def stop(self):
        for node in self.nodes:
            node.stop()

    def kill(self):
        """All nodes at once, and with them the connections of their clients."""
        self.round_robin.go_down()
        for node in self.nodes:
            if node.running():
                node.kill()

    def running(self):
        return any(node.running() for node in self.nodes)

    def run(self, *arguments, **options):
        return self.nodes[0].run(*arguments, **options)

    def registry(self, ca=None):
        return Registry(self.url, self.nodes[0].user, self.nodes[0].password, ca)

    def log_tail(self, lines=40):
        return "\n".join(f"{node.log}:\n{node.log_tail(lines)}" for node in self.nodes)


@contextmanager
def running_nodes(binaries, folder, backends, *flags, tls=None, settings=None):
    """Nodes on an empty database and prefix, one of each binary; `settings` are variables of their environment. At the end
    they must stop cleanly and their data be whole."""
    folder.mkdir(parents=True)
    nodes = Nodes(binaries, folder, backends.fresh() | (settings or {}), flags, tls)
    try:
        with whole_at_the_end(nodes):
            yield nodes
    finally:
        if nodes.round_robin:
            nodes.round_robin.__exit__(None, None, None)
