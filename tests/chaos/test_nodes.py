"""Three nodes under a steady load, while something breaks or is changed.

Whatever happens, each token that a client received is in the audit log exactly once, and nobody is
refused who has not been announced it.
"""

import time
from contextlib import contextmanager

import jwt
from redis import Redis

from keyturn import JwksUrl, TokenVerifier
from keyturn.fetch import Fetch
from keyturn.jwks import COOLDOWN
from tests.chaos.cluster import BOUND, PATIENCE
from tests.support.served import eventually

SLACK = 0.5
"""Seconds between our clock's reading and the fault's arrival, on a busy machine."""


def test_workers_are_killed(cluster, load, scale):
    killed = []
    with load().running() as running:
        running.reaches_all()
        for _ in range(scale.kills):
            killed.append(cluster.kill_oldest_worker())
            time.sleep(scale.between_kills)
        now = time.monotonic()
        running.reaches_all(now)
    for failure in running.failures():
        # The request that the worker was busy with has no answer; every other one has a token.
        assert failure.status == 0, failure
        assert any(
            failure.node == node.number and failure.begun - SLACK <= at <= failure.ended + SLACK
            for node, at in killed
        ), (failure, killed)
    assert len(killed) == scale.kills
    cluster.assert_all_recorded(running.received)


@contextmanager
def halted(database):
    database.halt()
    try:
        yield
    finally:
        database.resume()


def test_the_database_is_away(cluster, load, scale, database):
    key = cluster.installation.api_key(["keyturn:*"]).key
    new = {"name": "made while it was away", "scopes": ["bookings:read"]}
    with load().running() as running:
        running.reaches_all()
        assert {answer.status_code for answer in cluster.administration(key)} == {200}
        with halted(database):
            away = time.monotonic()
            for answer in (
                *cluster.administration(key),
                *cluster.administration(key, "POST", json=new),
            ):
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
            time.sleep(max(0, away + scale.database_away - time.monotonic()))
            running.reaches_all(away)
        back = time.monotonic()
        eventually(
            lambda: {answer.status_code for answer in cluster.administration(key)} == {200},
            timeout=PATIENCE,
            every=0.2,
        )
        running.reaches_all(back)
    # Known clients notice nothing at all: they are served from the directory.
    assert running.failures() == []
    cluster.assert_all_recorded(running.received)


def test_redis_is_away(cluster, load, scale, redis):
    with load().running() as running:
        running.reaches_all()
        redis.stop()
        try:
            away = time.monotonic()
            time.sleep(scale.redis_away)
            running.reaches_all(away)
        finally:
            redis.start()
        with Redis.from_url(redis.url) as counters:
            eventually(counters.dbsize, timeout=PATIENCE)
    assert running.failures() == []
    for node in cluster.nodes:
        assert "Redis is away" in node.served.log()
    cluster.assert_all_recorded(running.received)


def test_nodes_are_restarted_in_turn(cluster, load, scale):
    going = []
    with load().running() as running:
        running.reaches_all()
        for _ in range(scale.rolls):
            for node in cluster.nodes:
                begun = time.monotonic()
                node.restart()
                going.append((node.number, begun, time.monotonic()))
                back = time.monotonic()
                running.reaches_all(back)
    for failure in running.failures():
        assert failure.status == 0, failure
        assert any(
            failure.node == number and begun - SLACK <= failure.ended and failure.begun <= ended
            for number, begun, ended in going
        ), (failure, going)
    cluster.assert_all_recorded(running.received)


# What administrators change ---------------------------------------------------------------------


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


@contextmanager
def verifiers(cluster):
    """One for each node's JWKS: what one node signs, the others' readers accept."""
    fetch = Fetch()
    try:
        yield [
            TokenVerifier(
                issuer=cluster.issuer,
                audience=cluster.issuer,
                keys=JwksUrl(f"{node.url}/.well-known/jwks.json", fetch=fetch),
            )
            for node in cluster.nodes
        ]
    finally:
        fetch.close()


def test_the_signing_key_is_rotated(cluster, load, scale):
    signed_by = set()
    with load().running() as running, verifiers(cluster) as standing:
        running.reaches_all()
        verified = set()
        verify_all(standing, running, verified)
        for count in range(scale.rotations):
            kid = cluster.installation.rotate_signing_key()
            signed_by.add(kid)
            eventually(lambda: signs_everywhere(running, kid), PATIENCE, every=0.1)  # noqa: B023
            # The next key was published before it signed. Of one further on a verifier learns when
            # it meets it, once in COOLDOWN.
            if count == 0 or scale.between_rotations > COOLDOWN:
                verify_all(standing, running, verified)
            time.sleep(scale.between_rotations)
    assert running.failures() == []
    with verifiers(cluster) as fresh:
        for answer in running.answers:
            for verifier in fresh:
                assert verifier.verify(answer.token).jti == answer.jti
    assert signed_by <= {kid_of(token) for token in running.tokens}
    cluster.assert_all_recorded(running.received)


def verify_all(verifiers, running, verified):
    for token in set(running.tokens) - verified:
        verified.add(token)
        for verifier in verifiers:
            verifier.verify(token)


def signs_everywhere(running, kid):
    """Whether the last token of every node and client is signed with this key."""
    last = {(answer.client_id, answer.node): answer.token for answer in running.answers}
    return {kid_of(token) for token in last.values()} == {kid}


def test_a_secret_is_rotated_with_grace(cluster, load, scale):
    with load().running() as running:
        running.reaches_all()
        rotated, ends = [], time.monotonic() + scale.grace
        for asking in running.asking:
            old = asking.client
            made = cluster.installation.secret(old.client_id, grace_seconds=scale.grace)
            rotated.append((asking, old, old._replace(client_secret=made.client_secret)))
        # One half goes on with what it had, the other knows the new secret at once.
        for asking, _, new in rotated[::2]:
            asking.client = new
        time.sleep(scale.grace / 2)
        for asking, _, new in rotated:
            asking.client = new
        assert time.monotonic() < ends, "too slow a machine for so short a grace"
        time.sleep(max(0, ends + 0.5 - time.monotonic()))
        now = time.monotonic()
        running.reaches_all(now)
    assert running.failures() == []
    old = rotated[0][1]
    assert {status for _, status in cluster.token_answers(old)} == {401}
    cluster.assert_all_recorded(running.received)


def test_a_client_is_disabled(cluster, load):
    introspector = cluster.installation.client(["keyturn:introspect"])
    with load().running() as running:
        running.reaches_all()
        victim = running.asking[0]
        token = next(answer.token for answer in victim.answers if answer.token)
        active = cluster.introspections(introspector, token)
        assert {is_active for _, is_active in active} == {True}
        cluster.installation.disable(victim.client.client_id)
        bound = time.monotonic() + BOUND
        time.sleep(BOUND)
        for found in (
            cluster.introspections(introspector, token),
            cluster.introspections(introspector, victim.answers[-1].token or token),
        ):
            assert {is_active for _, is_active in found} == {False}
        assert {status for _, status in cluster.token_answers(victim.client)} == {401}
        running.reaches_all(bound, clients=len(running.asking) - 1)
    for answer in victim.answers:
        assert answer.status == 401 if answer.begun > bound else answer.status in (200, 401)
    assert {failure.client_id for failure in running.failures()} == {victim.client.client_id}
    cluster.assert_all_recorded(running.received)


def test_a_token_is_revoked(cluster):
    introspector = cluster.installation.client(["keyturn:introspect"])
    client = cluster.installation.client()
    token = cluster.nodes[0].served.token(client)
    assert {active for _, active in cluster.introspections(introspector, token)} == {True}
    revoked = cluster.nodes[1].served.post("/oauth/revoke", data={"token": token}, auth=client)
    assert revoked.status_code == 200
    time.sleep(BOUND)
    assert {active for _, active in cluster.introspections(introspector, token)} == {False}
