"""What Prometheus reads: the sum of all workers, as text."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app.observe import metrics, worker_files
from keyturn import __version__

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


class _Build:
    def collect(self) -> Iterable[object]:
        family = GaugeMetricFamily(metrics.BUILD.name, metrics.BUILD.help, labels=["version"])
        family.add_metric([__version__], 1)
        yield family


class _Workers:
    """All workers of this node, the dead ones' gauges left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[object]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        worker_files.forget_the_dead(self._directory)
        found: Iterable[object] = MultiProcessCollector(None, str(self._directory)).collect()
        return found


def registry(directory: Path) -> CollectorRegistry:
    """What is read anew at every look."""
    found = CollectorRegistry(auto_describe=False)
    found.register(_Build())
    found.register(_Workers(directory))
    return found


def exposition(directory: Path, accept: str) -> tuple[bytes, str]:
    """The metrics and their media type: OpenMetrics where it is asked for. Raises OSError."""
    encode, media_type = choose_encoder(accept)
    return encode(registry(directory)), media_type


def listen(directory: Path, port: int) -> None:
    """Show the metrics on a port of this machine's own, from a thread. Raises OSError."""
    server, _ = start_http_server(port, addr=LOOPBACK, registry=registry(directory))
    # Workers are forked from here: one that outlives us must not keep the port.
    os.register_at_fork(after_in_child=server.socket.close)
