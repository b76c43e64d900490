"""What all phases have in common."""

from . import load, watch


class Phase:
    def __init__(self, name):
        self.name = name

    def arms(self, bench):
        """Whom it compares."""
        return bench.registries()

    def prepare(self, bench, arm):
        """Before the first round: what the arm must hold, and whether it serves that."""

    def turns(self, bench):
        """How often in a round."""
        return 1


def answered(bench, server, path, connections, place=None):
    """One address, asked for as often as it is answered."""
    return watched(server, lambda: load.wrk(place or server.place, path, connections, bench.sizes.seconds))


def watched(server, wrk):
    """The figures of `wrk`, with what a request cost the server."""
    with watch.Watch(server.pids()) as used:
        figures = wrk()
    return figures | {"cpu_us": used.cpu * 1e6 / figures["requests"], "peak_mib": used.peak}
