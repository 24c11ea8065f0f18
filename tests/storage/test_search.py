"""Clients and keys are found by how their names begin, or by id, on either kind of database."""

import pytest
from sqlalchemy import event

from app.admin import clients
from app.apikeys import lifecycle
from app.apikeys.values import ApiKeyFilter

NAMES = ("Billing", "billing, nightly", "BILLBOARD", "Straße 7", "50% off", "_under", "Zürich")


@pytest.fixture
def found(any_installation):
    made = any_installation
    other = made.organization(scopes=["a:b"])
    made.client(["a:b"], name="Billing of others", organization=other)
    for name in NAMES:
        made.client(["bookings:read"], name=name)
        made.api_key(["bookings:read"], name=name)

    def search(text):
        by = {"client": clients.list_page(made.desk, made.operator, search=text).data}
        by["key"] = lifecycle.list_page(made.desk, made.operator, ApiKeyFilter(search=text)).data
        [one] = {tuple(sorted(row.name for row in rows)) for rows in by.values()}
        return one

    search.installation = made
    return search


def test_by_how_the_name_begins(found):
    for text, names in (
        ("bill", {"Billing", "billing, nightly", "BILLBOARD"}),
        ("BILLING", {"Billing", "billing, nightly"}),
        ("strasse", {"Straße 7"}),
        ("50%", {"50% off"}),
        ("%", set()),
        ("_", {"_under"}),
        ("zü", {"Zürich"}),
        ("illing", set()),
    ):
        assert set(found(text)) == names, text


def test_a_new_name_is_found_and_the_old_one_is_not(found):
    made = found.installation
    page = clients.list_page(made.desk, made.operator, search="_under").data
    clients.update(made.desk, made.operator, page[0].client_id, clients.ClientChanges(name="Over"))
    assert not clients.list_page(made.desk, made.operator, search="_under").data
    assert clients.list_page(made.desk, made.operator, search="over").data


def test_by_id_in_ones_own_organization(found):
    made = found.installation
    mine = clients.list_page(made.desk, made.operator, search="zürich").data[0]
    [same] = clients.list_page(made.desk, made.operator, search=mine.client_id).data
    assert same == mine
    other = made.organization()
    there = clients.list_page(
        made.desk, made.operator, search=mine.client_id, organization_id=other
    )
    assert not there.data


def test_no_table_is_read_from_end_to_end(fresh_installation):
    """As SQLite plans it: by an index, whatever is searched for."""
    made, said = fresh_installation, []
    engine = made.services.store.engine
    event.listen(engine, "before_cursor_execute", lambda *a: said.append((a[2], a[3])))
    clients.list_page(made.desk, made.operator, search="bill")
    lifecycle.list_page(made.desk, made.operator, ApiKeyFilter(search="bill"))
    searches = [one for one in said if "search_name" in one[0].partition("WHERE")[2]]
    assert len(searches) == 2
    with engine.connect() as connection:
        for statement, parameters in searches:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in plan]
            assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step]
            assert [step for step in steps if "search_name" in step], steps
