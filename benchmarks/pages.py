"""``python -m benchmarks.pages``: the dashboard's pages with real amounts, in one process.

Server time of each page that the navigation leads to and of the searches that look furthest, over
an installation that ``flask seed`` has filled; the aim is 100 ms.
"""

from __future__ import annotations

import argparse
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
from sqlalchemy import select, update

from app.admin import account, organizations, scopes, sign_in, users
from app.admin.operator import command_line
from app.apikeys import seeding
from app.apikeys.seeding import Amounts
from app.records import Origin
from app.storage.models import ApiKeyRow, ClientSecretRow
from app.web.dashboard import cookies
from app.web.dashboard.cookies import PATH
from app.wiring import Services
from benchmarks.installation import Installation
from benchmarks.machine import interpreter, system
from benchmarks.report import table

SEARCHES = (
    "/activity?type=organization.*",
    "/activity?reason=nothing",
    "/activity?ip=203.0.113.1&until=2100-01-01",
    "/activity?actor_id=nobody",
    "/activity?request_id=nothing",
    "/clients?search=data+warehouse",
    "/clients?search=nothing",
    "/api-keys?search=b",
    "/api-keys?search=nothing",
    "/api-keys?status=rotated",
    "/api-keys?created_by=nobody",
    "/api-keys?environment=nothing",
    "/api-keys?kind=publishable",
    "/api-keys?inactive_days=30",
    "/organizations?search=bench",
    "/organizations?search=nothing",
    "/organizations?status=suspended",
    "/scopes/show?name=bookings:read",
    "/scopes/show?name=nobody:holds",
    "/people/{leaver}/credentials",
    "/refusals?request_id=req_nothing",
)
"""Those that find nothing look furthest."""
ORGANIZATIONS = 10_000
"""Beside the one with all the credentials."""
HELD = 1_000
"""Keys, and secrets, that the leaver has made."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, look at each page, print the table."""
    given = options(arguments)
    print(system(), interpreter(), sep="\n")
    with filled(given) as pages:
        lines = [
            [path, *measured(pages, path, given.rounds)]
            for path in (*pages.linked, *pages.searches)
        ]
    amounts = f"{given.clients:,} clients, {given.keys:,} keys, {given.events:,} events"
    print(f"\nThe dashboard with {amounts} in {given.kind}: ms of server time")
    print(table(["page", "status", "median", "longest"], lines))


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--database-url", help="an empty database (a new one of SQLite)")
    given = parser.parse_args(arguments)
    given.kind = "PostgreSQL" if "postgresql" in (given.database_url or "") else "SQLite"
    return given


class Pages:
    """A browser of an owner, and the paths that its navigation leads to."""

    def __init__(self, http: httpx.Client, leaver: str) -> None:
        self.http = http
        self.searches = [path.format(leaver=leaver) for path in SEARCHES]
        overview = http.get("/").text
        links = dict.fromkeys(re.findall(rf'href="{PATH}(/[^"?#]*)"', overview))
        self.linked = [path for path in links if not path.startswith("/static")]


@contextmanager
def filled(given: argparse.Namespace) -> Iterator[Pages]:
    """An installation with that much in it."""
    url = {"KEYTURN_DATABASE_URL": given.database_url} if given.database_url else {}
    with tempfile.TemporaryDirectory() as directory:
        installation = Installation(Path(directory), **url)
        found = installation.services
        amounts = Amounts(clients=given.clients, keys=given.keys, events=given.events)
        seeding.seed(found.desk, command_line(found.desk), amounts, even_if_in_use=True)
        leaver = _also(found)
        with _signed_in(found, installation) as http:
            yield Pages(http, leaver)
        installation.close()


def _also(found: Services) -> str:
    """What no seed makes: organizations, a scope that nobody holds, and somebody who has made
    credentials, whose id it answers."""
    actor = command_line(found.desk)
    scopes.add(found.desk, actor, scopes.NewScope(name="nobody:holds"))
    new = users.NewUser(email="leaver@example.com", role="admin", name="Leaver")
    leaver = users.create(found.desk, actor, new).user.id
    with found.desk.store.transaction(actor) as work:
        for n in range(ORGANIZATIONS):
            organizations.new_row(work, f"Bench {n}", environments=["live"], key_template={},
                                  profile=organizations.PROFILES[0])  # fmt: skip
        for row in (ApiKeyRow, ClientSecretRow):
            some = select(row.id).order_by(row.id).limit(HELD)
            made = update(row).where(row.id.in_(some)).values(created_by=leaver)
            work.session.execute(made, execution_options={"synchronize_session": False})
    return leaver


@contextmanager
def _signed_in(found: Services, installation: Installation) -> Iterator[httpx.Client]:
    new = users.NewUser(email="bench@example.com", role="owner", name="Bench")
    invited = users.create(found.desk, command_line(found.desk), new)
    origin = Origin("req_bench", "127.0.0.1", "bench")
    begun = sign_in.by_link(found.desk, invited.secret, origin)
    opened = account.choose_password(found.desk, begun.session, secrets.token_hex(16), origin)
    with httpx.Client(
        transport=httpx.WSGITransport(installation.app),
        base_url=f"{found.settings.issuer}{PATH}",
        cookies={cookies.SESSION: opened.secret},
    ) as http:
        yield http


def measured(pages: Pages, path: str, rounds: int) -> list[str]:
    """Status, median and longest; the first answer, which fills memories, is not counted."""
    status, took = pages.http.get(path).status_code, []
    for _ in range(rounds):
        begun = time.perf_counter()
        pages.http.get(path)
        took.append((time.perf_counter() - begun) * 1e3)
    return [str(status), f"{median(took):.1f}", f"{max(took):.1f}"]


if __name__ == "__main__":
    main()
