"""What is wrong with this installation, in words: each finding says what to do about it.

Looks, and changes nothing. Every check stands alone: what is broken keeps nobody from hearing
about the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from urllib.parse import urlsplit

import orjson

from app.admin import client_keys, codes
from app.admin.desk import Desk
from app.admin.findings import Finding, Report, failed, passed, warned
from app.admin.premises import disk, journal, permissions, sqlite_file
from app.crypto.master_key import FILE_NAME, MasterKey, read_master_key
from app.errors import StartRefused, Unavailable
from app.ids import new_jti
from app.settings import PREFIX, Settings
from app.storage import probes, schema
from app.storage import signing_keys as stored
from app.storage.journal import Journal
from app.storage.signing_keys import CURRENT, NEXT, PREVIOUS, StoredKey
from keyturn.errors import KeyturnError
from keyturn.jwks import FixedKeys
from keyturn.verify import TokenVerifier

SKEW = 2.0
"""Seconds that two clocks may be apart: tokens and expiries are read by several machines."""
SLOW = 0.05
"""Seconds of a round trip that make every miss and every administrative act slow."""
GRACE = timedelta(hours=1)
"""How long a rotation that is due may take: some server does it once a minute."""
MANY = 0.8
"""Share of a server's connections in use that leaves no room for another node."""
_AUDIENCE = "urn:keyturn:doctor"


def examine(desk: Desk, kept: Journal) -> Iterator[Finding]:
    """Every finding, as it is made."""
    settings = desk.settings
    yield _settings(settings)
    yield _issuer(settings)
    key = _master_key(settings)
    yield (
        key
        if isinstance(key, Finding)
        else passed("master key", f"{key.id}, from {_where(settings)}")
    )
    yield from permissions(settings)
    yield from disk(settings, kept.depth())
    yield journal(settings, kept, desk.clock().timestamp())
    if settings.redis_url is not None:
        yield _guarded("redis", lambda: _redis(settings.redis_url or ""))
    yield from _database(desk, None if isinstance(key, Finding) else key)


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    """A check that the database, or Redis, may break."""
    try:
        return look()
    except (Unavailable, StartRefused) as error:
        return failed(check, error.detail or error.description, "see the findings above")


# The environment ------------------------------------------------------------------------------


def _settings(settings: Settings) -> Finding:
    given = [
        PREFIX + knob.name.upper()
        for knob in fields(settings)
        if getattr(settings, knob.name) != knob.default
    ]
    everyone = [str(network) for network in settings.trusted_proxies if network.prefixlen == 0]
    if everyone:
        return warned(
            "settings",
            f"{PREFIX}TRUSTED_PROXIES believes everybody's X-Forwarded-For ({everyone[0]})",
            "name the proxies' own addresses: limits and allowed addresses rest on them",
        )
    return passed("settings", " ".join(given) or "all as they are by default")


def _issuer(settings: Settings) -> Finding:
    if urlsplit(settings.issuer).scheme == "https":
        return passed("issuer", settings.issuer)
    return warned(
        "issuer",
        f"{settings.issuer} can be reached from this machine alone",
        f"enough to develop with; else set {PREFIX}ISSUER to the https URL that clients use",
    )


def _where(settings: Settings) -> str:
    if settings.master_key is not None:
        return f"{PREFIX}MASTER_KEY"
    return f"{settings.keys_dir}/{FILE_NAME}"


def _master_key(settings: Settings) -> MasterKey | Finding:
    try:
        return read_master_key(settings.keys_dir, settings.master_key)
    except StartRefused as error:
        message, _, action = error.description.partition(": ")
        return failed("master key", message, action)


def _redis(url: str) -> Finding:
    try:
        took = probes.redis(url)
    except Unavailable as error:
        return failed(
            "redis",
            error.detail,
            f"check {PREFIX}REDIS_URL and the server; until then each node counts for itself",
        )
    return passed("redis", f"answers in {_ms(took)}")


# The database ---------------------------------------------------------------------------------


def _database(desk: Desk, key: MasterKey | None) -> Iterator[Finding]:
    file = sqlite_file(desk.settings)
    if file is not None and not file.exists():  # to ask SQLite would make it
        yield failed("database", f"there is no {file}", "run `flask bootstrap`, or restore it")
        return
    try:
        reached = probes.database(desk.store)
    except Unavailable as error:
        yield failed(
            "database",
            error.detail,
            f"check {PREFIX}DATABASE_URL and the server. Not looked at without it: clock, schema, "
            "signing keys, feed, token",
        )
        return
    yield _round_trip(desk, reached)
    yield _clock(reached)
    try:
        schema.require_current(desk.store)
    except StartRefused as error:
        message, _, action = error.description.partition(": ")
        yield failed(
            "schema", message, f"{action}. Not looked at without it: signing keys, feed, token"
        )
        return
    yield passed("schema", f"revision {schema.revision(desk.store)}")
    yield from _signing_keys(desk, key)
    yield _guarded("feed", lambda: _feed(desk))
    yield _guarded("token", lambda: _token(desk))
    yield from client_keys.examine(desk)
    yield from codes.examine(desk, key)


def _round_trip(desk: Desk, reached: probes.Reached) -> Finding:
    pool = desk.settings.database_pool
    says = f"{reached.engine}, {_ms(reached.round_trip)} a round trip"
    if reached.round_trip > SLOW:
        return warned("database", says, "bring the database nearer: what is not in memory waits")
    there = probes.connections(desk.store) if reached.engine == "postgresql" else None
    if there is None:
        return passed("database", says)
    says += f", {there.used} of {there.most} connections used, {pool} a worker"
    if there.used + pool > there.most * MANY:
        return warned(
            "database",
            says,
            f"raise max_connections, lower {PREFIX}DATABASE_POOL, or put a pooler between them",
        )
    return passed("database", says)


def _clock(reached: probes.Reached) -> Finding:
    if reached.skew is None:
        return passed("clock", "the database has this machine's")
    says = (
        f"the database's is {abs(reached.skew):.1f} s {'ahead' if reached.skew > 0 else 'behind'}"
    )
    if abs(reached.skew) > SKEW:
        return failed(
            "clock", says, "let both machines follow the same time servers (chrony, timesyncd)"
        )
    return passed("clock", says)


def _signing_keys(desk: Desk, key: MasterKey | None) -> Iterator[Finding]:
    with desk.store.reading() as session:
        keys = stored.listed(session, (NEXT, CURRENT, PREVIOUS))
    stages = {one.stage: one for one in keys}
    missing = [stage for stage in (CURRENT, NEXT) if stage not in stages]
    if missing:
        yield failed(
            "signing keys", f"there is no {' and no '.join(missing)} key", "run `flask bootstrap`"
        )
        return
    if key is not None:
        try:
            for one in keys:
                key.decrypt(one.private_key or b"", one.kid.encode())
        except StartRefused as error:
            message, _, action = error.description.partition(": ")
            yield failed("keyring", message, action)
        else:
            yield _sealed_under(key.named(key.id) or key, keys)
    yield _age(desk, stages[CURRENT])


def _sealed_under(first: MasterKey, keys: list[StoredKey]) -> Finding:
    try:
        for one in keys:
            first.decrypt(one.private_key or b"", one.kid.encode())
    except StartRefused:
        return warned(
            "keyring",
            "an older master key is still needed",
            "run `flask signing-key reseal`, and then take the older one away",
        )
    return passed("keyring", f"the master key opens all {len(keys)} signing keys")


def _age(desk: Desk, current: StoredKey) -> Finding:
    age = desk.clock() - (current.activated_at or current.created_at)
    ttl = desk.settings.signing_key_ttl
    says = f"{current.kid} signs {current.algorithm} since {age.days} days, of {ttl.days}"
    if age > ttl + GRACE:
        return warned(
            "signing keys",
            says,
            "the schedule runs in serving processes, once a minute: see their logs, or run "
            "`flask signing-key rotate`",
        )
    return passed("signing keys", says)


def _feed(desk: Desk) -> Finding:
    began = time.perf_counter()
    head = desk.store.feed_head()
    took = time.perf_counter() - began
    last = probes.last_change(desk.store)
    if last is not None and last > desk.store.feed_head():
        return failed(
            "feed",
            f"it ends at {head}, but there is a change {last}",
            "somebody wrote into feed_head: restore a backup, or set it to the last change",
        )
    interval = desk.settings.poll_interval.total_seconds()
    says = f"at {head}, read in {_ms(took)}, every {_ms(interval)}"
    if took > interval:
        return warned("feed", says, "the database is slow: changes are seen that much later")
    return passed("feed", says)


def _token(desk: Desk) -> Finding:
    """Sign one for nobody, and read it as a resource server would."""
    now = int(desk.clock().timestamp())
    claims = {
        "iss": desk.settings.issuer,
        "sub": "doctor",
        "aud": _AUDIENCE,
        "exp": now + 10,
        "iat": now,
        "jti": new_jti(),
        "client_id": "doctor",
        "scope": "",
    }
    began = time.perf_counter()
    published = desk.keyring.published()
    token = published.signer.sign(orjson.dumps(claims))
    try:
        TokenVerifier(
            issuer=desk.settings.issuer,
            audience=_AUDIENCE,
            keys=FixedKeys.of_jwks(published.jwks, (published.signer.algorithm,)),
            algorithms=(published.signer.algorithm,),
            clock=desk.clock,
        ).verify(token)
    except KeyturnError as error:
        return failed(
            "token",
            f"signed, but not verified: {error.detail or error.description}",
            "the current signing key does not fit its public half: `flask signing-key rotate`",
        )
    took = time.perf_counter() - began
    return passed("token", f"signed by {published.signer.kid} and verified in {_ms(took)}")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def report(desk: Desk, kept: Journal) -> Report:
    """Every finding at once."""
    findings = tuple(examine(desk, kept))
    return Report.of(findings)
