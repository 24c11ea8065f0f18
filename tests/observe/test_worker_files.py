"""Several workers make one number; the dead ones are counted on, and not shown as alive."""

import multiprocessing
import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.observe import metrics, worker_files
from app.observe.exposition import exposition
from app.observe.tally import BOUNDS, Durations
from app.observe.worker_files import WorkerFiles


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "metrics"


def shown(directory):
    """Every sample, by its name and labels."""
    content, _ = exposition(directory, "")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


def durations(*seconds):
    made = Durations()
    for one in seconds:
        made.add(one)
    return made


def test_counters_are_added_up_and_gauges_as_they_say(directory):
    one, two = WorkerFiles(directory), WorkerFiles(directory)
    for worker, number in ((one, 3), (two, 4)):
        worker.write(metrics.GRANTS, ("issued", "none"), number)
        worker.write(metrics.WORKERS, (), 1)
        worker.write(metrics.FEED_LAG, (), number)
        worker.write_durations(metrics.DURATIONS, ("token",), durations(0.0003, 99))
    found = shown(directory)
    assert found["keyturn_grants_total", "issued", "none"] == 7
    assert found["keyturn_worker_up",] == 2
    assert found["keyturn_feed_lag_seconds",] == 4
    name = metrics.DURATIONS.name
    assert found[f"{name}_bucket", "token", "0.00025"] == 0
    assert found[f"{name}_bucket", "token", "0.0005"] == 2
    assert found[f"{name}_bucket", "token", "10.0"] == 2
    assert found[f"{name}_bucket", "token", "+Inf"] == found[f"{name}_count", "token"] == 4
    assert found[f"{name}_sum", "token"] == pytest.approx(198.0006)
    one.close()
    two.close()


def test_bounds_are_those_of_the_histogram(directory):
    worker = WorkerFiles(directory)
    worker.write_durations(metrics.DURATIONS, ("token",), durations())
    bounds = [key[2] for key in shown(directory) if key[0].endswith("_bucket")]
    assert [float(bound) for bound in bounds] == [*BOUNDS, float("inf")]
    worker.close()


def test_totals_of_this_process_are_written_not_added(directory):
    worker = WorkerFiles(directory)
    for total in (1, 5, 5, 9):
        worker.write(metrics.SHIPPED, (), total)
    assert shown(directory)["keyturn_events_shipped_total",] == 9
    worker.close()


def test_a_dead_workers_gauges_go_and_its_counts_stay(directory):
    dead, alive = WorkerFiles(directory), WorkerFiles(directory)
    for worker in (dead, alive):
        worker.write(metrics.SHIPPED, (), 10)
        worker.write(metrics.WORKERS, (), 1)
    dead.write(metrics.FEED_LAG, (), 3600)
    dead.close()
    found = shown(directory)
    assert found["keyturn_worker_up",] == 1
    assert ("keyturn_feed_lag_seconds",) not in found
    assert found["keyturn_events_shipped_total",] == 20
    alive.close()


def test_the_next_worker_counts_on_where_a_dead_one_stopped(directory):
    for life in range(1, 20):
        worker = WorkerFiles(directory)
        worker.write(metrics.SHIPPED, (), 0)
        worker.write(metrics.SHIPPED, (), 5)
        worker.write_durations(metrics.DURATIONS, ("token",), durations(0.1))
        found = shown(directory)
        assert found["keyturn_events_shipped_total",] == 5 * life
        assert found[f"{metrics.DURATIONS.name}_count", "token"] == life
        worker.close()
    assert len(list(directory.glob("*.db"))) == 2


def test_a_gauge_of_another_life_is_not_shown_as_ones_own(directory):
    dead = WorkerFiles(directory)
    dead.write(metrics.FEED_LAG, (), 3600)
    dead.close()
    worker = WorkerFiles(directory)
    worker.write(metrics.WORKERS, (), 1)
    assert ("keyturn_feed_lag_seconds",) not in shown(directory)
    worker.close()


def _live_and_be_killed(directory, ready):
    worker = WorkerFiles(directory)
    worker.write(metrics.SHIPPED, (), 1)
    worker.write(metrics.WORKERS, (), 1)
    ready.wait()
    ready.wait()


def test_killed_workers(directory):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(4)
    processes = [
        spawn.Process(target=_live_and_be_killed, args=(directory, ready)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    ready.wait(timeout=60)
    found = shown(directory)
    assert (found["keyturn_worker_up",], found["keyturn_events_shipped_total",]) == (3, 3)
    for process in processes[:2]:
        process.kill()
        process.join()
    found = shown(directory)
    assert (found["keyturn_worker_up",], found["keyturn_events_shipped_total",]) == (1, 3)
    processes[2].kill()
    processes[2].join()
    assert ("keyturn_worker_up",) not in shown(directory)


def test_cleaning_leaves_who_lives_alone(directory):
    alive, dead = WorkerFiles(directory), WorkerFiles(directory)
    for worker in (alive, dead):
        worker.write(metrics.SHIPPED, (), 10)
    dead.close()
    worker_files.clean(directory)
    assert shown(directory)["keyturn_events_shipped_total",] == 10
    alive.close()
    worker_files.clean(directory)
    assert ("keyturn_events_shipped_total",) not in shown(directory)
    assert not list(directory.glob("*.db"))


def test_nothing_yet(directory):
    assert {name for name, *_ in shown(directory)} == {"keyturn_build_info"}
    worker_files.clean(directory)


def test_files_are_whole_and_ours_alone(directory):
    worker = WorkerFiles(directory)
    for metric in metrics.ALL:
        if metric.kind != "histogram":
            worker.write(metric, tuple("x" * 40 for _ in metric.labels), 1.0)
    for path in directory.glob("*.db"):
        # Taken at once: a write into a hole of a mapped file kills the process on a full disk.
        status = path.stat()
        assert status.st_size == worker_files.SIZE
        assert status.st_blocks * 512 >= worker_files.SIZE
        assert status.st_mode & 0o077 == 0
    assert directory.stat().st_mode & 0o077 == 0
    worker.close()


def test_all_that_can_ever_be_counted_fits(directory):
    """So that no file grows, and no page is needed when the disk is full."""
    worker = WorkerFiles(directory)
    for metric in metrics.ALL:
        if metric.kind == "counter":
            combinations = [()]
            for _, values in metric.labels:
                combinations = [(*one, value) for one in combinations for value in values]
            for labels in combinations:
                worker.write(metric, labels, 1)
    for name in metrics.ENDPOINTS:
        worker.write_durations(metrics.DURATIONS, (name,), durations(1))
    assert all(path.stat().st_size == worker_files.SIZE for path in directory.glob("*.db"))
    worker.close()


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(directory, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    worker = WorkerFiles(directory)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        worker.write(metrics.SHIPPED, (), 1)
    monkeypatch.undo()
    worker.write(metrics.SHIPPED, (), 1)
    assert shown(directory)["keyturn_events_shipped_total",] == 1
    worker.close()
