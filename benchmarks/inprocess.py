"""``python -m benchmarks.inprocess``: what one grant costs without a server, and its parts.

Also: cold verification by the library beside the bare signature check, shipping the journal, and
what the number of registered clients changes.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from app.ids import new_request_id
from app.oauth.request import OAuthRequest
from app.policy.decide import decide
from app.records import Origin
from app.web.forms import read_form
from app.wiring import Services, services
from benchmarks.installation import (
    FORM,
    LIMITED,
    TOKEN_PATH,
    Credentials,
    Installation,
)
from benchmarks.machine import Cores, interpreter, pinned, software, system
from benchmarks.report import table
from benchmarks.timing import Effort, Measure, Timed, in_turn, timed
from benchmarks.verification import TOKENS, measures
from keyturn.limits.values import Limit
from keyturn.wire import base64url

CLIENTS = 100
FEW, MANY = 1_000, 100_000
SHIPPED, SHIPMENTS = 5_000, 5
UNSHIPPED = {"KEYTURN_JOURNAL_LIMIT": str(1 << 33)}
"""Nobody ships while parts are timed: half a gigabyte would not last."""

# As Granian builds it, without the body and who asks.
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": TOKEN_PATH,
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "CONTENT_TYPE": "application/x-www-form-urlencoded",
    "CONTENT_LENGTH": str(len(FORM)),
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_USER_AGENT": "python-requests/2.32.5",
    "HTTP_ACCEPT": "*/*",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate",
    "HTTP_CONNECTION": "keep-alive",
    "wsgi.url_scheme": "http",
    "wsgi.version": (1, 0),
}


class Grants:
    """The whole WSGI call of a grant in this process: ``Authorization`` in, the answer out."""

    def __init__(self, app: Any) -> None:
        self.services: Services = services(app)
        # Shipping and the feed's polls are measured on their own, not in between.
        app.wsgi_app._start = self.services.feed.poll
        self._app = app.wsgi_app

    def remember(self, clients: Sequence[str]) -> None:
        """Ask once for each, so that none is read from the database while time is taken."""
        for authorization in clients:
            self.token(authorization)

    def __call__(self, authorization: str) -> bytes:
        environ = {**ENVIRON, "HTTP_AUTHORIZATION": authorization, "wsgi.input": io.BytesIO(FORM)}
        body: bytes
        (body,) = self._app(environ, _start_response)
        return body

    def token(self, authorization: str) -> str:
        """Raises RuntimeError where the answer is none."""
        answer = json.loads(self(authorization))
        if "access_token" not in answer:
            raise RuntimeError(f"no token: {answer}")
        token: str = answer["access_token"]
        return token


def _start_response(status: str, headers: object, _error: object = None) -> None:
    pass


def parts_of_a_grant(grants: Grants, clients: Sequence[Credentials]) -> list[Measure]:
    """The whole call, then what it consists of; what is left over is edge, core and glue."""
    found = grants.services
    server, signer = found.server, found.keyring.signer
    everybody = [one.basic for one in clients]
    grants.remember(everybody)
    environ = {**ENVIRON, "HTTP_AUTHORIZATION": everybody[0], "wsgi.input": io.BytesIO(FORM)}
    form, several = read_form(environ)
    origin = Origin(new_request_id(), "127.0.0.1", ENVIRON["HTTP_USER_AGENT"])
    request = OAuthRequest(form, several, everybody[0], origin)
    client_auth, journal = server._client_auth, server._journal
    limiter, limit = server._limiter, Limit.parse(LIMITED["KEYTURN_TOKEN_RATE_LIMIT"])
    client, secret_id = client_auth.authenticate(request, time.time())
    organization = found.directory.organization(client.organization_id)
    claims = _decoded(grants.token(everybody[0]), 1)
    payload = orjson.dumps(claims)
    details = {name: claims[name] for name in ("scope", "aud", "exp", "env")}
    details["secret_id"] = secret_id

    def form_read() -> object:
        return read_form({**ENVIRON, "wsgi.input": io.BytesIO(FORM)})

    def decided_anew() -> object:
        scope = request.scope
        return decide(client, organization, found.settings, scope=scope, resources=several)

    def journalled() -> None:
        journal.issued(time.time_ns(), client, claims["jti"], origin, details)

    return [
        Measure("whole WSGI call of a grant", in_turn(grants, everybody)),
        Measure("  form reading", form_read),
        Measure("  client authentication", lambda: client_auth.authenticate(request, time.time())),
        Measure("  decision, remembered", lambda: server.decide(client, request)),
        Measure("  counting a hit against a limit", lambda: limiter.count(limit, "token:bench")),
        Measure("  claims as JSON", lambda: orjson.dumps(claims)),
        Measure("  signature, as compact JWS", lambda: signer.sign(payload)),
        Measure("  journal line: JSON and write", journalled),
        Measure("decision, made anew", decided_anew),
    ]


def verification(grants: Grants, clients: Sequence[Credentials]) -> list[Measure]:
    """Tokens never seen before, beside the bare signature check of the same tokens."""
    found, following = grants.services, itertools.cycle(clients)
    tokens = [grants.token(next(following).basic) for _ in range(TOKENS)]
    return measures(found.settings.issuer, found.keyring.published().jwks, tokens)[0]


def _decoded(token: str, part: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64url(token.split(".")[part].encode()))
    return found


def shipping(installation: Installation, events: int, effort: Effort) -> list[Timed]:
    """Moving one event from the journal to the database: with few there already, and with many."""
    found = []
    for before in (0, events):
        installation.history(before)
        taken = tuple(_shipped(installation) for _ in range(min(SHIPMENTS, effort.rounds)))
        found.append(Timed(f"an event, {before:,} there before", taken))
    return found


def _shipped(installation: Installation) -> float:
    installation.journal(SHIPPED)
    begun = time.process_time_ns()
    shipped = installation.ship()
    return (time.process_time_ns() - begun) / shipped / 1e3


def by_number_of_clients(directory: Path, many: int) -> list[Measure]:
    """The same grant where a thousand clients are registered, and where very many are."""
    few = min(FEW, many)
    small, large = (Installation(_made(directory / name)) for name in ("few", "many"))
    chance = random.Random(1)
    asking = [[one.basic for one in at.fill(n)] for at, n in ((small, few), (large, many))]
    for each in asking:
        chance.shuffle(each)
    thousand, everybody = asking
    bounded, roomy = (
        Grants(large.beside(KEYTURN_DIRECTORY_SIZE=str(size))) for size in (many // 2, many * 2)
    )
    crowd = Grants(small.app)
    crowd.remember(thousand)
    bounded.remember(everybody[:few])
    roomy.remember(everybody)
    return [
        Measure(f"{few:,} registered, all ask", in_turn(crowd, thousand)),
        Measure(f"{many:,} registered, {few:,} ask", in_turn(bounded, everybody[:few])),
        Measure(f"{many:,} registered, all ask, all remembered", in_turn(roomy, everybody)),
        Measure(f"{many:,} registered, all ask, memory for half", in_turn(bounded, everybody)),
    ]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inprocess", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each measure (15)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of one measure in one (0.2)")
    parser.add_argument("--clients", type=int, default=MANY, help=f"that are many ({MANY})")
    parser.add_argument("--events", type=int, default=MANY, help=f"in the log, later ({MANY})")
    given = parser.parse_args()
    effort = Effort(given.rounds, given.seconds)
    cores = Cores.apart()
    print(f"Machine      {system()}; everything on one core")
    print(f"Interpreter  {interpreter()}")
    print(f"Packages     {software()}")
    print(
        f"Rounds       {effort.rounds} of {effort.seconds:g} s, all measures in turn\n", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name, pinned(cores.server):
        directory = Path(name)
        installation = Installation(_made(directory / "parts"), **LIMITED, **UNSHIPPED)
        clients = [installation.client() for _ in range(CLIENTS)]
        grants = Grants(installation.app)
        parts = timed(parts_of_a_grant(grants, clients), effort)
        _print("A grant, µs of CPU", parts, parts[0])
        checks = timed(verification(grants, clients), effort)
        _print("Verification, µs of CPU", checks, checks[0])
        installation.ship()
        shipped = shipping(installation, given.events, effort)
        _print("Shipping, µs of CPU", shipped, shipped[0])
        installation.close()
        sizes = timed(by_number_of_clients(directory, given.clients), effort)
        _print("A grant by the number of clients, µs of CPU", sizes, sizes[0])


def _print(title: str, found: Sequence[Timed], of: Timed) -> None:
    heads = [title, "median", "lowest", "highest", "share"]
    lines = []
    for one in found:
        figures = (one.median, one.lowest, max(one.rounds))
        lines.append([one.name, *(f"{one:.2f}" for one in figures), f"{one.share_of(of):.0%}"])
    print(table(heads, lines) + "\n", flush=True)


if __name__ == "__main__":
    main()
