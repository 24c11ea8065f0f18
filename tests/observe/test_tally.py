"""Counting: exactly, by closed lists, and for next to nothing."""

import threading

import pytest

import app.web.forms  # noqa: F401 - for its errors
from app.errors import InvalidClient, OAuthError, RateLimited, ScopeRefused, Unavailable
from app.observe import metrics
from app.observe.metrics import Metric
from app.observe.tally import (
    BOUNDS,
    MAX_UNSETTLED,
    REASONS,
    REFUSALS,
    VERDICTS,
    HitRate,
    Tally,
    reason_of,
)

TOKEN = "/oauth/token"


@pytest.fixture
def tally():
    return Tally([TOKEN, "/oauth/revoke"])


def test_good_answers_and_others(tally):
    for _ in range(3):
        tally.answered(TOKEN, 200, None, 0.0003)
    tally.answered(TOKEN, 401, InvalidClient(detail="secret_mismatch"), 0.2)
    tally.answered(TOKEN, 503, Unavailable(detail="journal: full"), 0.0)
    tally.answered(TOKEN, 500, None, 99.0)
    tally.answered(TOKEN, 405, None, 0.0)
    assert tally.answers(TOKEN, ok="issued") == {
        ("issued", "none"): 3,
        ("refused", "secret_mismatch"): 1,
        ("unavailable", "journal"): 1,
        ("failed", "none"): 1,
        ("refused", "none"): 1,
    }
    assert tally.answers("/oauth/revoke") == {("ok", "none"): 0}
    durations = tally.durations(TOKEN)
    assert sum(durations.buckets) == 7
    assert durations.buckets[BOUNDS.index(0.0005)] == 3
    assert durations.buckets[-1] == 1
    assert durations.total == pytest.approx(99.2009)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "none"),
        (InvalidClient(detail="unknown"), "unknown"),
        (InvalidClient(detail="kt_live_0123456789"), "invalid_client"),
        (ScopeRefused(detail="unknown or not held: bookings:read"), "invalid_scope"),
        (ScopeRefused(detail="missing"), "invalid_scope"),
        (RateLimited(3), "rate_limited"),
        (Unavailable(detail="database: away"), "database"),
        (Unavailable(detail="bookings: away"), "other"),
        (Unavailable(), "other"),
    ],
)
def test_a_reason_is_of_the_list(error, reason):
    assert reason_of(error) == reason
    assert reason in REASONS


def test_every_error_that_there_is_has_a_reason_of_its_own():
    def below(kind):
        return {kind, *(one for sub in kind.__subclasses__() for one in below(sub))}

    kinds = [one for one in below(OAuthError) if one.__module__.startswith("app.")]
    for kind in kinds:
        assert kind.code in REASONS, f"{kind.__name__}: add {kind.code} to REFUSALS"
    of_clients = {
        "missing", "malformed", "unknown", "secret_mismatch", "disabled", "organization_suspended",
        "environment_mismatch", "wrong_method",
    }  # fmt: skip
    assert set(REFUSALS) == {kind.code for kind in kinds} | of_clients


def test_what_an_error_says_is_no_label(tally):
    class Talkative(OAuthError):
        code = "whatever"

    tally.answered(TOKEN, 400, Talkative(detail="client_x"), 0.1)
    tally.verified("api_key", "kt_live_0123456789")
    assert ("refused", "other") in tally.answers(TOKEN)
    assert tally.verdicts()["api_key", "other"] == 1


@pytest.mark.parametrize(
    ("status", "name"), [(100, "1xx"), (204, "2xx"), (404, "4xx"), (999, "5xx")]
)
def test_classes_of_status(tally, status, name):
    tally.api_answered(status)
    assert tally.api()[(name,)] == 1


def test_threads_lose_nothing(tally):
    rate = HitRate()

    def work():
        for _ in range(5000):
            tally.answered(TOKEN, 200, None, 0.001)
            tally.answered(TOKEN, 400, ScopeRefused(), 0.001)
            tally.api_answered(200)
            tally.verified("token", "active")
            rate.noted(rate)
            rate.noted(None)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    seen = []
    while any(thread.is_alive() for thread in threads):
        seen.append(tally.answers(TOKEN)["ok", "none"])
    for thread in threads:
        thread.join()
    assert seen == sorted(seen)  # a counter that goes backwards is read as a restart
    assert tally.answers(TOKEN) == {("ok", "none"): 30_000, ("refused", "invalid_scope"): 30_000}
    assert sum(tally.durations(TOKEN).buckets) == 60_000
    assert tally.api()[("2xx",)] == 30_000
    assert tally.verdicts()["token", "active"] == 30_000
    assert rate.counts("client") == {("client", "hit"): 30_000, ("client", "miss"): 30_000}


def test_what_nobody_reads_does_not_pile_up(tally):
    for _ in range(3 * MAX_UNSETTLED):
        tally.answered(TOKEN, 200, None, 0.001)
    assert len(tally._unsettled[TOKEN]) <= MAX_UNSETTLED
    assert tally.answers(TOKEN) == {("ok", "none"): 3 * MAX_UNSETTLED}


def test_lists_are_closed_and_words():
    for words in (REASONS, VERDICTS, *(values for one in metrics.ALL for _, values in one.labels)):
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_names_as_prometheus_wants_them(metric):
    assert isinstance(metric, Metric)
    assert metric.name.startswith("keyturn_")
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind in ("counter", "gauge", "histogram")
    assert bool(metric.merge) == (metric.kind == "gauge")
    assert metric.help.endswith(".")
    assert len({one.name for one in metrics.ALL}) == len(metrics.ALL)
