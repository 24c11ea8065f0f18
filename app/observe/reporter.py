"""Write this worker's numbers down once a second, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.background import Turns
from app.observe.metrics import Metric
from app.observe.tally import Durations
from app.settings import Settings

if TYPE_CHECKING:
    from app.observe.worker_files import WorkerFiles

log = logging.getLogger(__name__)

Reading = Callable[[], float | Mapping[Any, float | Durations]]
"""A number, or one for each tuple of label values."""
Readings = Mapping[Metric, Reading]
"""What each metric is read from. A reading waits for nothing: no database, no lock held long."""


class Reporter:
    """Only where somebody may look: without a token or a port nothing is written at all."""

    def __init__(self, settings: Settings, interval: float = 1.0) -> None:
        self._directory = Path(settings.metrics_dir)
        self._readings: Readings = {}
        self._turns = Turns("reporter", self.once, interval, is_due=True)
        self._wanted = bool(settings.metrics_token or settings.metrics_port)
        self._files: WorkerFiles | None = None
        self._lock = threading.Lock()

    def read_from(self, readings: Readings) -> None:
        """Say what is read from where."""
        self._readings = readings

    def start(self) -> None:
        """Begin, in each serving process."""
        if self._wanted:
            self._turns.start()

    def stop(self) -> None:
        """Write the last numbers and let go."""
        self._turns.stop()
        if self._turns.has_begun:
            self.once()
        with self._lock:
            self._wanted = False
            if self._files is not None:
                self._files.close()
                self._files = None

    def once(self) -> None:
        """Write every number; what cannot be written now is not shown, and said."""
        with self._lock:
            if not self._wanted:
                return
            try:
                if self._files is None:
                    # Here, because only now it is sure that somebody wants it: 30 ms.
                    from app.observe.worker_files import WorkerFiles

                    self._files = WorkerFiles(self._directory)
                for metric, read in self._readings.items():
                    self._write(self._files, metric, read)
            except OSError as error:
                log.error("metrics cannot be kept: %s", error)

    def _write(self, files: WorkerFiles, metric: Metric, read: Reading) -> None:
        try:
            found = read()
        except OSError:
            return  # a journal that cannot be looked at: its last number stands, readiness says no
        for labels, value in found.items() if isinstance(found, Mapping) else [((), found)]:
            if isinstance(value, Durations):
                files.write_durations(metric, labels, value)
            else:
                files.write(metric, labels, value)
