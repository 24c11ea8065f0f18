"""The composition root: Settings -> Services. Every registry table is here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from app.admin import sessions, submissions, usage_reports
from app.admin.desk import Desk
from app.apikeys import exposure, schedule
from app.background import Background
from app.crypto.master_key import MasterKey, read_master_key
from app.crypto.passwords import Passwords
from app.crypto.sealing import Sealing
from app.oauth import metadata as paths
from app.oauth.acting import ActingForOthers
from app.oauth.client_auth import ClientAuthentication, ClientAuthMethod
from app.oauth.client_auth.keys import KeysOfClients
from app.oauth.client_auth.private_key_jwt import PrivateKeyJwt
from app.oauth.client_auth.secret import ClientSecretBasic, ClientSecretPost
from app.oauth.credentials import Credentials
from app.oauth.grants.client_credentials import ClientCredentials
from app.oauth.grants.token_exchange import TokenExchange
from app.oauth.introspection import Introspection
from app.oauth.leases import Leases
from app.oauth.revocation import Revocation
from app.oauth.server import TokenServer
from app.oauth.subjects import Subjects
from app.oauth.verification import Verification
from app.observe import metrics
from app.observe.readiness import Checks, Readiness
from app.observe.reporter import Readings, Reporter
from app.observe.tally import Tally
from app.policy.limits import Failures, Limiter
from app.ports import Counter, ReplayGuard
from app.settings import Settings
from app.storage import outside
from app.storage.counters import replays
from app.storage.counters.database import DatabaseCounter
from app.storage.counters.replays import DatabaseReplays
from app.storage.counters.shared import SharedCounter
from app.storage.directory import Directory
from app.storage.feed import Feed
from app.storage.journal import Journal
from app.storage.schema import require_current
from app.storage.shipping import Shipper
from app.storage.statuses import STATUS_LIST
from app.storage.store import Store
from app.tokens.checkpoints import Checkpoints
from app.tokens.issuer import Issuer
from app.tokens.journal import TokenJournal
from app.tokens.keyring import Keyring
from app.tokens.retention import Retention
from app.tokens.status_lists import StatusLists
from app.tokens.upkeep import SCHEDULE, Upkeep, keep_status_lists
from app.tokens.uses import UsesInMemory

GRANTS = (
    ClientCredentials,  # RFC 6749 §4.4
    TokenExchange,  # RFC 8693
)

ENDPOINTS = {paths.TOKEN: "token", paths.INTROSPECT: "introspect", paths.REVOKE: "revoke"}
"""The OAuth endpoints, and what metrics call them."""

CLIENT_AUTH_METHODS: tuple[type[ClientAuthMethod], ...] = (
    ClientSecretBasic,  # RFC 6749 §2.3.1; first, because clients take the first they know
    ClientSecretPost,
    PrivateKeyJwt,  # RFC 7523 §2.2
)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the edges need, made once."""

    settings: Settings
    store: Store
    feed: Feed
    directory: Directory
    keyring: Keyring
    status_lists: StatusLists
    journal: Journal
    shipper: Shipper
    uses: UsesInMemory
    upkeep: Upkeep
    credentials: Credentials
    limiter: Limiter
    failures: Failures
    acting: ActingForOthers
    server: TokenServer
    verification: Verification
    leases: Leases
    desk: Desk
    metadata: Mapping[str, Any]
    tally: Tally
    reporter: Reporter
    readiness: Readiness
    background: Background
    web_secret: Callable[[], bytes]
    """Signs the dashboard's forms; read when it is needed."""

    def check(self) -> None:
        """Whether this installation can serve. Raises StartRefused, saying what to do."""
        require_current(self.store)
        self.keyring.published()

    def start(self) -> None:
        """Begin the background work of a serving process; harmless when repeated."""
        self.background.start()

    def stop(self) -> None:
        """End the background work; what the journal holds is shipped if the database lets us."""
        self.background.stop()


def wire(settings: Settings, engine: Any) -> Services:
    """Build everything; nothing is read or started yet."""
    clock, random_bytes = _now, secrets.token_bytes

    @cache
    def master_key() -> MasterKey:
        return read_master_key(settings.keys_dir, settings.master_key)

    store = Store(engine, clock)
    feed = Feed(store, settings)
    directory = Directory(store, feed, settings)
    keyring = Keyring(store, master_key, settings, random_bytes)
    status_lists = StatusLists(store, feed, keyring, settings)
    checkpoints = Checkpoints(store, keyring, settings)
    feed.deliver_to(
        {
            "client": directory.drop_client,
            "api_key": directory.drop_api_key,
            "organization": directory.drop_organization,
            "revoked_token": directory.note_revoked,
            "signing_key": keyring.drop,
            STATUS_LIST: status_lists.drop,
        },
        reset=(directory.drop_everything, keyring.drop, status_lists.drop_everything),
    )
    file = Journal(
        settings.journal_dir,
        settings.journal_limit,
        is_synced=settings.journal_durability == "disk",
    )
    journal = TokenJournal(file)
    tally, uses = Tally(ENDPOINTS), UsesInMemory(store)
    counter = _counter(settings, store)
    limiter = Limiter(counter)
    failures = Failures(limiter, settings.failed_authentication_limit)
    keys = KeysOfClients(partial(outside.fetch, private=settings.jwks_networks))
    with_parts: dict[type, Callable[[], ClientAuthMethod]] = {
        PrivateKeyJwt: lambda: PrivateKeyJwt(
            keys,
            _replays(settings, store),
            settings.issuer,
            issuer_alone=settings.assertion_audience == "issuer",
        )
    }
    methods = tuple(with_parts.get(method, method)() for method in CLIENT_AUTH_METHODS)
    client_auth = ClientAuthentication(methods, directory, failures)
    credentials = Credentials(settings, directory, keyring, status_lists, clock)
    acting = ActingForOthers(directory, journal)
    server = TokenServer(
        settings,
        directory,
        client_auth,
        Issuer(settings, keyring, journal),
        journal,
        limiter,
        GRANTS,
        Subjects(settings, credentials, failures, journal, clock),
    )
    server.register_endpoint(
        Introspection(  # RFC 7662
            settings,
            directory,
            client_auth,
            credentials,
            acting,
            journal,
            tally,
            uses,
            partial(exposure.flag, store),
        )
    )
    server.register_endpoint(  # RFC 7009
        Revocation(client_auth, credentials, failures, store, uses)
    )
    shipper, reporter = Shipper(file, store), Reporter(settings)
    upkeep = Upkeep(
        store,
        directory,
        keyring,
        also=(
            checkpoints.make_due,
            Retention(store, settings, SCHEDULE).apply_due,
            lambda: schedule.write_down_ends(store),
            lambda: replays.forget(store),
        ),
        hourly=(
            lambda: schedule.keep_policies(store),
            lambda: keep_status_lists(store),
            lambda: sessions.forget_ended(store, settings),
            lambda: usage_reports.forget(store, settings),
            lambda: submissions.forget(store),
        ),
    )
    desk = Desk(
        store=store,
        directory=directory,
        settings=settings,
        clock=clock,
        random_bytes=random_bytes,
        keyring=keyring,
        checkpoints=checkpoints,
        journal=journal,
        limiter=limiter,
        passwords=Passwords(random_bytes),
        sealing=Sealing(master_key, random_bytes),
        auth_methods=tuple(method.name for method in methods),
    )
    made = Services(
        settings=settings,
        store=store,
        feed=feed,
        directory=directory,
        keyring=keyring,
        status_lists=status_lists,
        journal=file,
        shipper=shipper,
        uses=uses,
        upkeep=upkeep,
        credentials=credentials,
        limiter=limiter,
        failures=failures,
        acting=acting,
        server=server,
        verification=Verification(desk, credentials, limiter, tally),
        leases=Leases(desk, limiter),
        desk=desk,
        metadata=paths.metadata(
            settings.issuer,
            grant_types=[grant.GRANT_TYPE for grant in GRANTS],
            auth_methods=[method.name for method in methods],
            signing_algorithms=PrivateKeyJwt.signing_algorithms,
        ),
        tally=tally,
        reporter=reporter,
        readiness=Readiness(
            Checks(
                database=store.feed_head,
                signing_key=keyring.published,
                is_bearable=feed.is_bearable,
                has_signing_key=lambda: bool(keyring.ages()),
                journal_is_full=file.is_full,
                journal_is_writable=file.is_writable,
            ),
            settings.database_timeout.total_seconds(),
        ),
        # In the order of their ends: what is shipped last is still counted.
        background=Background(upkeep, feed, uses, shipper, reporter),
        web_secret=lambda: master_key().web_secret,
    )
    made.reporter.read_from(_readings(made, limiter, counter))
    return made


def _readings(found: Services, limiter: Limiter, counter: Counter) -> Readings:
    """What each metric is read from, once a second; none of it waits for anything."""
    tally, feed, journal, keyring = found.tally, found.feed, found.journal, found.keyring
    clients, keys = found.directory.client_lookups, found.directory.key_lookups
    return {
        metrics.GRANTS: lambda: tally.answers(paths.TOKEN, ok="issued"),
        metrics.INTROSPECTIONS: lambda: tally.answers(paths.INTROSPECT),
        metrics.REVOCATIONS: lambda: tally.answers(paths.REVOKE),
        metrics.DURATIONS: lambda: {
            (name,): tally.durations(path) for path, name in ENDPOINTS.items()
        },
        metrics.VERIFICATIONS: tally.verdicts,
        metrics.API: tally.api,
        metrics.DIRECTORY: lambda: {**clients.counts("client"), **keys.counts("api_key")},
        metrics.LIMITS: lambda: {("within",): limiter.within, ("exceeded",): limiter.exceeded},
        metrics.FALLBACKS: lambda: getattr(counter, "fallbacks", 0),
        metrics.FEED_LAG: feed.lag,
        metrics.FEED_POSITION: feed.position,
        metrics.FEED_FAILURES: lambda: feed.failures,
        metrics.JOURNAL_BYTES: journal.depth,
        metrics.JOURNAL_LIMIT: lambda: found.settings.journal_limit,
        metrics.JOURNAL_AGE: journal.age,
        metrics.SHIPPED: lambda: found.shipper.shipped,
        metrics.SHIPPING_FAILURES: lambda: found.shipper.failures,
        metrics.KEY_AGE: lambda: {
            # Of every stage: what is not written any more would be shown for ever.
            (stage,): age
            for stage, age in {**dict.fromkeys(metrics.STAGES, -1.0), **keyring.ages()}.items()
        },
        metrics.KEY_TTL: lambda: found.settings.signing_key_ttl.total_seconds(),
        metrics.WORKERS: lambda: 1,
        metrics.STARTS: lambda: 1,
    }


def _counter(settings: Settings, store: Store) -> Counter:
    """Redis where given, else the database, else a file between the workers of the one node."""
    alone = SharedCounter(Path(settings.counters_file), time.time)
    if settings.redis_url is not None:
        # Only here: redis-py imports all of OpenTelemetry where that is installed.
        from app.storage.counters.redis import RedisCounter

        return RedisCounter(settings.redis_url, alone, time.time)
    if settings.database_url.startswith("postgresql"):
        return DatabaseCounter(store, time.time)
    return alone


def _replays(settings: Settings, store: Store) -> ReplayGuard:
    """Redis where given, else the database: marks that no flood can wash away."""
    if settings.redis_url is not None:
        from app.storage.counters.redis import RedisReplays

        return RedisReplays(settings.redis_url)
    return DatabaseReplays(store, time.time)


def services(app: Any) -> Services:
    """The services of this Flask app."""
    return cast("Services", app.extensions["keyturn"])


def _now() -> datetime:
    return datetime.now(UTC)
