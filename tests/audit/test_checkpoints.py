"""Checkpoints: when they are made, by whom, and that nobody takes one for a token."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import jwt
import pytest

from app import create_app
from app.settings import Settings
from app.tokens.checkpoints import CHECKPOINT_TYPE
from app.wiring import services
from keyturn import FixedKeys, InvalidToken, TokenVerifier
from keyturn.errors import Reason
from tests.audit.conftest import Audited, checkpoints_of
from tests.support.installation import installed


def made(audited, stream=None):
    """Number and sequence of each checkpoint, in order."""
    return [
        tuple(row)
        for row in audited.installation.rows(
            "SELECT number, sequence FROM audit_checkpoints WHERE stream = :s ORDER BY number",
            s=stream or audited.installation.organization_id,
        )
    ]


@pytest.fixture
def audited(any_installation, start_of_day):
    made = Audited(any_installation)
    made.at(start_of_day)
    return made


def test_upkeep_signs_what_has_moved_once_an_interval(audited):
    house = audited.installation
    audited.upkeep.once()
    first = [(1, len(audited.chain()))]
    assert made(audited) == first
    house.client()
    audited.later(seconds=299)
    audited.upkeep.once()
    assert made(audited) == first, "too early"
    audited.later(seconds=1)
    audited.upkeep.once()
    assert made(audited) == [*first, (2, len(audited.chain()))]
    audited.later(days=2)
    audited.upkeep.once()
    assert len(made(audited)) == 2, "nothing has moved"
    audited.assert_whole()


def test_what_it_says(audited, start_of_day):
    audited.upkeep.once()
    audited.installation.client()
    audited.later(minutes=10)
    audited.upkeep.once()
    stream = audited.installation.organization_id
    first, second = checkpoints_of(audited.export(organization_id=stream))
    header = jwt.get_unverified_header(second)
    assert header.keys() == {"alg", "typ", "kid"}
    assert header["typ"] == CHECKPOINT_TYPE
    key = jwt.PyJWKSet.from_dict(audited.jwks())[header["kid"]]
    claims = jwt.decode(second, key.key, algorithms=["ES256"], options={"verify_iat": False})
    rows = audited.chain()
    assert claims == {
        "iss": audited.installation.services.settings.issuer,
        "iat": int((start_of_day + timedelta(minutes=10)).timestamp()),
        "stream": stream,
        "number": 2,
        "previous": sha256(first.encode()).hexdigest(),
        "count": len(rows),
        "head": rows[-1].hash.hex(),
    }


def test_several_workers_make_one(audited):
    """Each with its own services, as in processes of their own."""
    audited.installation.client()
    workers = [
        services(create_app(Settings.from_env(audited.installation.environ))) for _ in range(4)
    ]
    now = audited.store.clock()
    begin = threading.Barrier(len(workers))

    def keep_up(worker):
        worker.store.clock = lambda: now
        begin.wait()
        worker.upkeep.once()

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(keep_up, workers))
    for worker in workers:
        worker.store.engine.dispose()
    assert len(made(audited)) == 1
    audited.assert_whole()


def test_while_others_append(audited):
    """A checkpoint knows a row that is there, whatever is appended at the same moment."""
    begin = threading.Barrier(3)

    def administrate(number):
        begin.wait()
        for turn in range(8):
            audited.installation.scope(f"area{number}x{turn}:read")

    def check():
        begin.wait()
        finished = False
        while not finished:
            finished = all(one.done() for one in administrators)
            audited.checkpoint()

    audited.checkpoint()
    administrators = []
    with ThreadPoolExecutor(3) as pool:
        administrators += [pool.submit(administrate, number) for number in (1, 2)]
        for one in [pool.submit(check), *administrators]:
            one.result()
    assert len(made(audited)) > 1
    audited.assert_whole()


def test_a_chain_that_rests_is_signed_once_more_by_a_new_key(audited):
    """Else nobody could check its last checkpoint once the old key has left the JWKS."""
    house = audited.installation
    audited.upkeep.once()  # which finds the first key old, and rotates
    quiet = house.organization(scopes=["a:b"])
    audited.later(minutes=5)
    audited.upkeep.once()
    kid = house.rotate_signing_key()
    audited.upkeep.once()
    assert made(audited, quiet) == [(1, 2), (2, 2)]
    audited.upkeep.once()
    assert made(audited, quiet) == [(1, 2), (2, 2)]
    for previous in house.rows("SELECT kid FROM signing_keys WHERE stage = 'previous'"):
        house.retire_signing_key(previous.kid)
    report = audited.assert_whole()
    (chain,) = [chain for chain in report.chains if chain.stream == quiet]
    assert (chain.checkpoints_checked, chain.checkpoints_not_checkable) == (1, 1)
    assert chain.signed_until == 2
    last = checkpoints_of(audited.export(organization_id=quiet))[-1]
    assert jwt.get_unverified_header(last)["kid"] == kid


def test_more_chains_than_are_held_at_once(fresh_installation, start_of_day, monkeypatch):
    monkeypatch.setattr("app.tokens.checkpoints.AT_ONCE", 3)
    audited = Audited(fresh_installation)
    organizations = [fresh_installation.organization() for _ in range(10)]
    audited.at(start_of_day)
    audited.upkeep.once()
    assert all(made(audited, one) == [(1, 1)] for one in organizations)
    audited.assert_whole()


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_with_every_algorithm(tmp_path, algorithm):
    with installed(tmp_path, KEYTURN_SIGNING_ALGORITHM=algorithm) as house:
        audited = Audited(house)
        audited.checkpoint()
        report = audited.assert_whole()
        assert all(chain.checkpoints_checked == 1 for chain in report.chains)


# No token -----------------------------------------------------------------------------------------


@pytest.fixture
def statements(fresh_installation):
    """A checkpoint and a manifest: signed by the very key that signs tokens."""
    audited = Audited(fresh_installation)
    audited.checkpoint()
    lines = audited.export()
    return audited, [checkpoints_of(lines)[0], json.loads(lines[0])["manifest"]]


def test_the_library_refuses_them_by_their_type(statements):
    audited, found = statements
    verifier = TokenVerifier(
        issuer=audited.installation.services.settings.issuer,
        audience="https://api.example.com",
        keys=FixedKeys.of_jwks(audited.jwks()),
    )
    for statement in found:
        with pytest.raises(InvalidToken) as refused:
            verifier.verify(statement)
        assert refused.value.reason is Reason.WRONG_TYPE


def test_the_server_refuses_them(statements):
    audited, found = statements
    house = audited.installation
    caller = house.client(["keyturn:introspect"])
    for statement in found:
        answer = house.http.post("/oauth/introspect", data={"token": statement}, auth=caller)
        assert answer.json() == {"active": False}
        bearer = {"Authorization": f"Bearer {statement}"}
        assert house.http.get("/v1/me", headers=bearer).status_code == 401


def test_a_checkpoint_with_the_claims_of_a_token_is_none(statements):
    """Only the type tells them apart here: issuer, audience, time and signature all fit."""
    audited, _ = statements
    (token,) = audited.tokens(1)
    claims = jwt.decode(token, options={"verify_signature": False})
    signer = audited.installation.services.keyring.signer
    verifier = TokenVerifier(
        issuer=claims["iss"], audience=claims["aud"], keys=FixedKeys.of_jwks(audited.jwks())
    )
    payload = json.dumps(claims).encode()
    assert verifier.verify(signer.sign_as("at+jwt", payload)).jti == claims["jti"]
    with pytest.raises(InvalidToken):
        verifier.verify(signer.sign_as(CHECKPOINT_TYPE, payload))
