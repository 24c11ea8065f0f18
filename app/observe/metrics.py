"""Every metric there is: its name, what it says, its labels and how workers are added up.

``docs/observability.md`` is printed from here. A label's values come from a closed list: no client
id, no address, nothing that somebody can make more of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.observe.tally import CLASSES, CREDENTIALS, OUTCOMES, REASONS, VERDICTS

ENDPOINTS = ("token", "introspect", "revoke")
STAGES = ("next", "current", "previous")


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of time series."""

    name: str
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    help: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each label, and all its values."""
    merge: str = ""
    """Gauges: what several workers make together (prometheus-client's multi-process modes; those
    of dead workers are forgotten)."""

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.labels)

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which a query finds it."""
        if self.kind == "histogram":
            return tuple(self.name + suffix for suffix in ("_bucket", "_sum", "_count"))
        return (self.name,)


def _counter(name: str, help: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(name, "counter", help, tuple(labels.items()))


def _gauge(name: str, help: str, *, merge: str = "livemax", **labels: tuple[str, ...]) -> Metric:
    return Metric(name, "gauge", help, tuple(labels.items()), merge)


GRANTS = _counter(
    "keyturn_grants_total",
    "Answers of the token endpoint.",
    outcome=("issued", *OUTCOMES[1:]),
    reason=REASONS,
)
INTROSPECTIONS = _counter(
    "keyturn_introspections_total",
    "Answers of the introspection endpoint.",
    outcome=OUTCOMES,
    reason=REASONS,
)
REVOCATIONS = _counter(
    "keyturn_revocations_total",
    "Answers of the revocation endpoint.",
    outcome=OUTCOMES,
    reason=REASONS,
)
DURATIONS = Metric(
    "keyturn_oauth_request_duration_seconds",
    "histogram",
    "From the first look at a request to its answer, without the network.",
    (("endpoint", ENDPOINTS),),
)
VERIFICATIONS = _counter(
    "keyturn_verifications_total",
    "What introspection found out about what it was shown.",
    credential=CREDENTIALS,
    verdict=VERDICTS,
)
API = _counter("keyturn_api_responses_total", "Answers of the management API.", status=CLASSES)
DIRECTORY = _counter(
    "keyturn_directory_lookups_total",
    "Whether a client or API key was known in memory; a miss reads the database.",
    kind=("client", "api_key"),
    result=("hit", "miss"),
)
LIMITS = _counter(
    "keyturn_limit_checks_total",
    "Requests counted against a rate limit.",
    outcome=("within", "exceeded"),
)
FALLBACKS = _counter(
    "keyturn_counter_fallbacks_total",
    "Counts that a node kept for itself because Redis was away.",
)
FEED_LAG = _gauge(
    "keyturn_feed_lag_seconds",
    "Since the slowest worker was last in step with the database.",
)
FEED_POSITION = _gauge(
    "keyturn_feed_position",
    "Number of the last change that every worker has applied; nodes in step show the same.",
    merge="livemin",
)
FEED_FAILURES = _counter(
    "keyturn_feed_failures_total", "Polls of the feed of changes that did not come through."
)
JOURNAL_BYTES = _gauge("keyturn_journal_bytes", "Events that wait for the database.")
JOURNAL_LIMIT = _gauge(
    "keyturn_journal_limit_bytes", "How many may wait before nothing is issued any more."
)
JOURNAL_AGE = _gauge(
    "keyturn_journal_oldest_seconds", "Age of the journal's oldest segment; 0: nothing waits."
)
SHIPPED = _counter("keyturn_events_shipped_total", "Events moved from the journal to the database.")
SHIPPING_FAILURES = _counter(
    "keyturn_shipping_failures_total", "Times that the journal could not be shipped."
)
KEY_AGE = _gauge(
    "keyturn_signing_key_age_seconds",
    "Since the oldest signing key of a stage entered it; -1: there is none, as far as known.",
    stage=STAGES,
)
KEY_TTL = _gauge(
    "keyturn_signing_key_ttl_seconds", "Age at which the current signing key is replaced."
)
WORKERS = _gauge("keyturn_worker_up", "Workers that serve.", merge="livesum")
STARTS = _counter(
    "keyturn_worker_starts_total", "Workers that have begun since the server was started."
)
BUILD = _gauge("keyturn_build_info", "1; the label says which version this is.", version=("…",))

ALL = (
    GRANTS,
    INTROSPECTIONS,
    REVOCATIONS,
    DURATIONS,
    VERIFICATIONS,
    API,
    DIRECTORY,
    LIMITS,
    FALLBACKS,
    FEED_LAG,
    FEED_POSITION,
    FEED_FAILURES,
    JOURNAL_BYTES,
    JOURNAL_LIMIT,
    JOURNAL_AGE,
    SHIPPED,
    SHIPPING_FAILURES,
    KEY_AGE,
    KEY_TTL,
    WORKERS,
    STARTS,
    BUILD,
)


def table() -> str:
    """The metrics as a Markdown table."""
    rows: Iterator[tuple[str, ...]] = (
        (f"`{one.name}`", one.kind, _shown(one), one.help.replace("|", "\\|")) for one in ALL
    )
    heads = (("metric", "kind", "labels", "what it says"), ("---",) * 4)
    return "".join(f"| {' | '.join(row)} |\n" for row in (*heads, *rows))


def reasons() -> str:
    """The words that ``reason`` and ``verdict`` may be, as two lines."""
    lists = (("reason", REASONS), ("verdict", VERDICTS))
    return "".join(f"- `{name}`: {', '.join(f'`{one}`' for one in all)}\n" for name, all in lists)


def _shown(metric: Metric) -> str:
    shown = []
    for name, values in metric.labels:
        short = values in (REASONS, VERDICTS)
        shown.append(f"`{name}`" if short else f"`{name}`: {', '.join(values)}")
    return "; ".join(shown) or "–"
