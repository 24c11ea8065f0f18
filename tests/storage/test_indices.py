"""What is looked for is found by an index, on either kind of database, as that one says itself.

Each search is sent as people send it; the database then explains every statement that it took.
"""

import json
import re

import pytest
from sqlalchemy import event

from app.admin import organizations
from app.apikeys import policies, seeding
from app.apikeys.seeding import Amounts
from app.ids import record_id
from app.records import RequestRecord
from app.storage import request_records
from app.storage.models import ResourceRow
from app.web.dashboard.cookies import PATH
from tests.support import people
from tests.support.installation import installed
from tests.support.pages import Site

SMALL = {"plans", "signing_keys", "feed_head"}
"""Tables of a few rows, or of one for each organization, however much there is of all else."""
OVER = "ix_api_keys_over"
"""Holds what it is about and nothing else: it needs no condition."""
CLIENTS = "ix_clients_organization_id"
KEYS = "ix_api_keys_organization_id"
EVENTS = "ix_audit_events_organization_id"
RECORDS = "ix_request_records"
SEARCHES = {
    "/clients?search=nothing": [f"{CLIENTS}_search_name_client_id"],
    "/clients?status=disabled": [CLIENTS],
    "/clients?environment=nothing": [CLIENTS],
    "/api-keys?search=nothing": [f"{KEYS}_search_name_id"],
    "/api-keys?created_by=nobody": [f"{KEYS}_created_by_id"],
    "/api-keys?environment=nothing": [KEYS],
    "/api-keys?kind=publishable": [KEYS],
    "/api-keys?status=revoked": [KEYS],
    "/api-keys?status=rotated": [KEYS],
    "/api-keys?inactive_days=100": [KEYS],
    "/api-keys?rotation=overdue": [KEYS],
    "/people/{nobody}/credentials": [
        f"{KEYS}_created_by_id",
        "ix_audit_events_made_keys",
        "ix_client_secrets_created_by",
    ],
    "/organizations?search=nothing": ["ix_organizations_search_name_id"],
    "/organizations?status=suspended": ["ix_organizations_status_id"],
    "/organizations?plan_id=nothing": ["ix_organizations_plan_id_id"],
    "/activity?actor_id=nobody": [f"{EVENTS}_actor_id_id"],
    "/activity?target_id=nothing": [f"{EVENTS}_target_id_id"],
    "/activity?request_id=nothing": ["ix_audit_events_request_id"],
    "/activity?since=2100-01-01": [],
    "/activity?until=2000-01-01": [],
    "/refusals?request_id=nothing": [
        "ix_audit_events_request_id",
        f"{RECORDS}_organization_id_request_id",
    ],
    "/limits?credential=nothing": [],
    "/scopes?search=nothing": [],
    "/scopes?all=yes": [],
    "/scopes/show?name=reports:read": ["pk_namings"],
    "/v1/usage?credential_id=nothing": [],
    "/v1/usage/networks?credential_id=nothing": [],
    "/v1/usage/scopes?credential_id=nothing": [],
    "/requests?credential_id=nothing": [f"{RECORDS}_credential_id_id"],
    "/requests?request_id=nothing": [f"{RECORDS}_organization_id_request_id"],
    "/requests?since=2100-01-01": [],
    "/requests?until=2000-01-01": [],
    "/v1/usage/requests?credential_id=nothing": [f"{RECORDS}_credential_id_id"],
    "/v1/usage/requests?request_id=nothing": [f"{RECORDS}_organization_id_request_id"],
}
"""And indexes by which its statements find what they look for, by how their names begin."""
BOUNDED = {
    *(f"/activity?{name}" for name in ("type", "outcome", "ip")),
    *(f"/requests?{name}" for name in ("method", "route", "status", "outcome", "reason", "ip")),
}
"""Not found by index: so many are looked at and no more (``pages.LOOKED_AT``)."""

NEW = {"environments": ["live"], "key_template": {}, "profile": organizations.PROFILES[0]}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    """An installation with enough in it for PostgreSQL to choose by what there is."""
    directory = tmp_path_factory.mktemp("filled")
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres").create()
    with installed(directory, url) as made:
        seeding.seed(made.desk, made.operator, Amounts(clients=2000, keys=2000, events=3000))
        with made.desk.store.transaction(made.operator) as work:
            for n in range(500):
                owner = organizations.new_row(work, f"Made up {n}", **NEW).id
                resource = {
                    "identifier": "urn:all",
                    "name": "All",
                    "scopes": [],
                    "environments": [],
                }
                times = {"created_at": work.now, "updated_at": work.now}
                row = ResourceRow(id=f"res_{n}", organization_id=owner, **resource, **times)
                work.session.add(row)
            now, whose = work.now, {"organization_id": made.organization_id}
            requests = [
                RequestRecord(
                    id=record_id(now), at=now, credential_type="client",
                    credential_id=f"client_{n}", request_id=f"req_{n}",
                    method="GET", route="/", status=200, **whose,
                )
                for n in range(1000)
            ]  # fmt: skip
            request_records.add(work.session.connection(), requests)
        changes = policies.KeyPolicyChanges(rotate_after_days=30)
        policies.update(made.desk, made.operator, changes)
        if url:  # what it does by itself, sooner or later; SQLite does not
            with made.desk.store.begin() as connection:
                connection.exec_driver_sql("ANALYZE")
        yield made


@pytest.fixture(scope="module")
def site(filled):
    ada = people.signed_in(filled)
    opened = Site(filled, ada.opened.secret, ada.user)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def look(filled, site):
    """``look(path)``: the steps of every statement that the page takes: table, index, condition."""
    key = filled.api_key(["keyturn:usage:read"]).key
    gone = people.signed_in(filled, role="member").user.id
    engine, said = filled.desk.store.engine, []
    event.listen(engine, "before_cursor_execute", lambda *call: said.append(call[2:4]))

    def ask(path):
        if path.startswith("/v1"):
            return filled.http.get(path, headers={"Authorization": f"Bearer {key}"})
        return site.get(path.format(nobody=gone))

    def steps(path):
        ask(path)  # what is kept in memory is read once
        said.clear()
        assert ask(path).status_code in (200, 404)
        selects = [one for one in said if one[0].startswith("SELECT")]
        assert selects
        with engine.connect() as connection:
            plan = sqlite_plan if engine.dialect.name == "sqlite" else postgresql_plan
            return [step for one in selects for step in plan(connection, *one)]

    return steps


def sqlite_plan(connection, statement, parameters):
    said = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    for *_, text in said:
        how, _, rest = text.partition(" ")
        if how in ("SCAN", "SEARCH") and not rest.startswith(("CONSTANT ROW", "(subquery")):
            words = rest.split()
            index = words[words.index("INDEX") + 1] if "INDEX" in words else None
            if "PRIMARY KEY" in rest:  # of a table that is nothing but its primary key
                index = f"pk_{words[0]}"
            yield words[0], index, how == "SEARCH"


def postgresql_plan(connection, statement, parameters):
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    said = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar()
    waiting = [(json.loads(said) if isinstance(said, str) else said)[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if node["Node Type"] != "Bitmap Heap Scan" and {"Relation Name", "Index Name"} & set(node):
            yield node.get("Relation Name"), node.get("Index Name"), "Index Cond" in node


@pytest.mark.parametrize("path", SEARCHES)
def test_it_is_found_by_an_index(look, path):
    steps = look(path)
    for table, index, has_condition in steps:
        assert has_condition or table in SMALL or index == OVER, (table, index)
    for begins in SEARCHES[path]:
        assert any((index or "").startswith(begins) for _, index, _ in steps), steps


def test_every_search_of_the_dashboard_is_looked_at(site):
    """Each field that a page offers to search by."""
    overview = site.get("/").text
    offered = set()
    for path in sorted(set(re.findall(rf'href="{PATH}(/[^"?#]*)"', overview))):
        for form in re.findall(r'<form[^>]*role="search".*?</form>', site.get(path).text, re.S):
            offered |= {f"{path}?{name}" for name in re.findall(r' name="(\w+)"', form)}
    assert len(offered) > 15
    assert offered - {path.partition("=")[0] for path in SEARCHES} == BOUNDED
