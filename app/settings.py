"""Settings: each knob, its unit, its variable (``KEYTURN_`` + the field's name in capitals).

Read once by ``Settings.from_env``; a bad value stops the start and names the variable.
"""

from __future__ import annotations

# ruff: noqa: RUF009 - the knobs are made once, when the class is
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from app import knobs
from app.errors import StartRefused
from keyturn.acting import ActingHeaders
from keyturn.limits.values import Limit
from keyturn.profiles import PROFILES

PREFIX = "KEYTURN_"
CLIENT_SECRET = "KEYTURN_CLIENT_SECRET"  # noqa: S105 - a variable's name
CLIENT_SIDE = frozenset({"KEYTURN_CLIENT_ID", CLIENT_SECRET})
"""What services that obtain tokens read; not ours, but often set beside ours."""


def _knob(default: Any, read: Callable[[str], Any], doc: str, *, secret: bool = False) -> Any:
    return field(
        default=default, metadata={"read": read, "doc": doc, "secret": secret}, repr=not secret
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each knob with its default; the table in ``docs/settings.md`` is printed from here."""

    issuer: str = _knob(
        "http://127.0.0.1:8000",
        knobs.issuer,
        "The issuer identifier (RFC 8414 §2), exactly as clients and verifiers know it.",
    )
    database_url: str = _knob(
        "sqlite:///instance/keyturn.db",
        knobs.url("sqlite:///", "postgresql+psycopg://"),
        "`sqlite:///…` or `postgresql+psycopg://…`.",
        secret=True,
    )
    keys_dir: str = _knob("keys", knobs.text, "Where `master.key` lies.")
    master_key: str | None = _knob(
        None,
        knobs.text,
        "The master key itself, 32 bytes in base64url; overrides the file.",
        secret=True,
    )
    token_ttl: timedelta = _knob(
        timedelta(seconds=900), knobs.seconds(10, 86400), "Life of an access token, in seconds."
    )
    max_token_ttl: timedelta = _knob(
        timedelta(days=1),
        knobs.seconds(10, 604800),
        "The longest life a client may have set, in seconds; a replaced signing key stays "
        "published this long.",
    )
    status_list_ttl: timedelta = _knob(
        timedelta(seconds=5),
        knobs.seconds(1, 3600),
        "How often verifiers should ask for a status list again (`ttl`), in seconds.",
    )
    status_list_life: timedelta = _knob(
        timedelta(seconds=900),
        knobs.seconds(30, 86400),
        "How long verifiers may go by a status list while we are away (`exp`), in seconds.",
    )
    token_type: str = _knob(
        "Bearer", knobs.one_of("Bearer", "bearer"), "How `token_type` is spelt in answers."
    )
    scope_excess: str = _knob(
        "refuse",
        knobs.one_of("refuse", "narrow"),
        "A request for more scope than held: `refuse` (invalid_scope) or `narrow`.",
    )
    default_audience: str | None = _knob(
        None, knobs.text, "`aud` where no resource owns the granted scopes; default: the issuer."
    )
    key_prefix: str = _knob(
        "kt", knobs.prefix, "First part of API keys; client secrets have an `s` behind it."
    )
    api_profile: str | None = _knob(
        None,
        knobs.one_of(*PROFILES),
        "How errors at `/v1` read to callers of no organization with a profile of its own: one of "
        f"{', '.join(f'`{name}`' for name in PROFILES)}; default: as the management API's "
        "description says.",
    )
    organization_header: str = _knob(
        ActingHeaders().organization,
        knobs.header,
        "The header by which a service credential names the organization it acts for.",
    )
    mode_header: str = _knob(
        ActingHeaders().mode,
        knobs.header,
        "And the mode there; `X-Astrocal-Mode` beside it for organizations of the profile "
        "`astrocal`.",
    )
    github_keys_file: str | None = _knob(
        None,
        knobs.text,
        "A file with GitHub's public keys, as `https://api.github.com/meta/public_keys/"
        "secret_scanning` answers; with it `POST /v1/leaks` takes GitHub's reports of leaked keys.",
    )
    signing_algorithm: str = _knob(
        "ES256", knobs.one_of("ES256", "EdDSA", "RS256"), "Algorithm of new signing keys."
    )
    signing_key_ttl: timedelta = _knob(
        timedelta(days=90),
        knobs.seconds(3600, 315360000),
        "Age at which the current signing key is replaced by the next, in seconds.",
    )
    assertion_audience: str = _knob(
        "any",
        knobs.one_of("any", "issuer"),
        "What `aud` of a client's assertion may be (`private_key_jwt`): `any` of the issuer, the "
        "token endpoint and the endpoint called, or the `issuer` alone.",
    )
    jwks_networks: tuple[knobs.Network, ...] = _knob(
        (),
        knobs.networks,
        "Networks that are not public in which the `jwks_uri` of clients may lie; none by default.",
    )
    trusted_proxies: tuple[knobs.Network, ...] = _knob(
        (), knobs.networks, "Networks whose `X-Forwarded-For` is believed; none by default."
    )
    redis_url: str | None = _knob(
        None,
        knobs.url("redis://", "rediss://"),
        "`redis://…`: shares counters between nodes, and holds the marks of clients' assertions; "
        "without it the database does both, or on SQLite a file between the workers counts.",
        secret=True,
    )
    token_rate_limit: Limit | None = _knob(
        None, Limit.parse, "Tokens that one client may obtain, as `6000/minute`."
    )
    failed_authentication_limit: Limit = _knob(
        Limit(6000, "minute"),
        Limit.parse,
        "Failed authentications of one address, at the OAuth endpoints and below `/v1` together; "
        "what is proven from memory always passes.",
    )
    sign_in_limit: Limit = _knob(
        Limit(60, "minute"),
        Limit.parse,
        "Failed sign-ins of people from one address; of one account five a minute and 30 an hour, "
        "whatever this says.",
    )
    session_idle: timedelta = _knob(
        timedelta(minutes=30),
        knobs.seconds(300, 86400),
        "How long somebody stays signed in to the dashboard without using it, in seconds.",
    )
    session_ttl: timedelta = _knob(
        timedelta(hours=12),
        knobs.seconds(300, 2592000),
        "How long somebody stays signed in to the dashboard at most, in seconds.",
    )
    counters_file: str = _knob(
        "instance/counters", knobs.text, "Where the workers of one node count together."
    )
    directory_size: int = _knob(
        50_000, knobs.number(16, 10_000_000), "Clients and keys held in memory by each worker."
    )
    poll_interval: timedelta = _knob(
        timedelta(milliseconds=250),
        lambda value: timedelta(milliseconds=knobs.number(20, 1000)(value)),
        "How often a worker asks for changes made elsewhere, in milliseconds.",
    )
    max_stale: timedelta = _knob(
        timedelta(seconds=60),
        knobs.seconds(1, 3600),
        "How long known credentials are served while the database is away, in seconds.",
    )
    journal_dir: str = _knob(
        "instance/journal", knobs.text, "Where token events wait for the database."
    )
    journal_limit: int = _knob(
        512 * 1024 * 1024,
        knobs.number(1024 * 1024, 1 << 40),
        "Bytes the journal may hold before issuing is refused.",
    )
    journal_durability: str = _knob(
        "kernel",
        knobs.one_of("kernel", "disk"),
        "Where a token's event is before its answer leaves: in the `kernel`, which survives the "
        "death of the process, or on the `disk`, which survives that of the machine.",
    )
    checkpoint_interval: timedelta = _knob(
        timedelta(seconds=300),
        knobs.seconds(60, 86400),
        "How often the chains of audit events that have moved are signed, in seconds.",
    )
    audit_retention: timedelta | None = _knob(
        None,
        knobs.days(1, 36500),
        "Days that audit events are kept; default: for ever.",
    )
    usage_retention: timedelta = _knob(
        timedelta(days=400),
        knobs.days(8, 36500),
        "Days that counts of use, and networks and scopes that nobody uses any more, are kept.",
    )
    request_log: float = _knob(
        1.0,
        knobs.ratio,
        "Share of requests below `/v1` that are kept one by one, in the usage log; 0 to 1.",
    )
    request_retention: timedelta = _knob(
        timedelta(days=30),
        knobs.days(1, 3650),
        "Days that single requests are kept, those that resource servers report among them.",
    )
    database_pool: int = _knob(5, knobs.number(1, 100), "Database connections of each worker.")
    database_timeout: timedelta = _knob(
        timedelta(seconds=5),
        knobs.seconds(1, 60),
        "How long a statement may wait, and a request for the database in all, in seconds.",
    )
    log_format: str | None = _knob(
        None,
        knobs.one_of("json", "text"),
        "How log lines on stderr look: `json` or `text`; default: text on a terminal, else JSON.",
    )
    log_level: str = _knob(
        "info",
        knobs.one_of("debug", "info", "warning", "error"),
        "From which level on we log; other packages never say more than warnings.",
    )
    metrics_token: str | None = _knob(
        None,
        knobs.metrics_token,
        "Who presents this as bearer token reads `/metrics`; without it there is no such page.",
        secret=True,
    )
    metrics_port: int | None = _knob(
        None,
        knobs.number(1, 65535),
        "A port of 127.0.0.1 on which `flask serve` shows the metrics, without a token.",
    )
    metrics_dir: str = _knob(
        "instance/metrics", knobs.text, "Where the workers of a node add up their metrics."
    )
    traces_endpoint: str | None = _knob(
        None,
        knobs.url("http://", "https://"),
        "Where traces go by OTLP over HTTP (`http://127.0.0.1:4318/v1/traces`); needs the extra "
        "`otel`.",
    )
    traces_ratio: float = _knob(
        1.0, knobs.ratio, "Share of traces that are kept, chosen by trace id; 0 to 1."
    )

    @property
    def audience(self) -> str:
        """The audience where neither request nor scopes name one."""
        return self.default_audience or self.issuer

    @property
    def acting_headers(self) -> ActingHeaders:
        """What service credentials name by headers."""
        return ActingHeaders(self.organization_header, self.mode_header)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read every ``KEYTURN_`` variable. Raises StartRefused, naming the variable."""
        knobs = {PREFIX + knob.name.upper(): knob for knob in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in environ.items():
            if not name.startswith(PREFIX) or name in CLIENT_SIDE:
                continue
            if name.startswith(PREFIX + "TEST_"):
                continue
            if name not in knobs:
                raise StartRefused(f"{name}: no such setting; see docs/settings.md")
            knob = knobs[name]
            try:
                values[knob.name] = knob.metadata["read"](text)
            except ValueError as error:
                shown = "" if knob.metadata["secret"] else f" (it is {text[:80]!r})"
                raise StartRefused(f"{name}: {error}{shown}") from None
        settings = cls(**values)
        if settings.token_ttl > settings.max_token_ttl:
            raise StartRefused(f"{PREFIX}TOKEN_TTL: must not exceed {PREFIX}MAX_TOKEN_TTL")
        if settings.status_list_life < 3 * settings.status_list_ttl:
            raise StartRefused(f"{PREFIX}STATUS_LIST_LIFE: three times {PREFIX}STATUS_LIST_TTL")
        return settings


def forget_secrets(environ: MutableMapping[str, str]) -> None:
    """Take out what is secret, once it was read: nothing that shows an environment shows it."""
    for name in (*(PREFIX + k.name.upper() for k in fields(Settings) if not k.repr), CLIENT_SECRET):
        environ.pop(name, None)


def table() -> str:
    """The settings as a Markdown table: variable, default, what it is."""
    rows = (
        (f"`{PREFIX}{knob.name.upper()}`", _shown(knob.name, knob.default), knob.metadata["doc"])
        for knob in fields(Settings)
    )
    heads = (("variable", "default", "what it is"), ("---", "---", "---"))
    return "".join(f"| {' | '.join(row)} |\n" for row in (*heads, *rows))


_UNITS = {
    "poll_interval": timedelta(milliseconds=1),
    "usage_retention": timedelta(days=1),
    "request_retention": timedelta(days=1),
}


def _shown(name: str, default: Any) -> str:
    if default in (None, ()):
        return "none"
    if isinstance(default, timedelta):
        unit = _UNITS.get(name, timedelta(seconds=1))
        return f"`{default // unit}`"
    return f"`{default}`"
