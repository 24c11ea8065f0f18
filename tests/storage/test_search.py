"""Clients, keys and organizations are found by how their names begin, or by id, on either kind of
database."""

import pytest
from flask_migrate import downgrade, upgrade

from app.admin import clients, organizations
from app.apikeys import lifecycle
from app.apikeys.values import ApiKeyFilter

NAMES = ("Billing", "billing, nightly", "BILLBOARD", "Straße 7", "50% off", "_under", "Zürich")


@pytest.fixture
def found(any_installation):
    made = any_installation
    other = made.organization("Others", scopes=["a:b"])
    made.client(["a:b"], name="Billing of others", organization=other)
    for name in NAMES:
        made.client(["bookings:read"], name=name)
        made.api_key(["bookings:read"], name=name)
        made.organization(name)

    def search(text):
        by = {"client": clients.list_page(made.desk, made.operator, search=text).data}
        by["organization"] = organizations.list_page(made.desk, made.operator, search=text).data
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


@pytest.mark.parametrize("table", ["clients", "api_keys", "organizations"])
def test_what_a_node_of_the_version_before_wrote_is_found(found, table):
    """It knows no ``search_name``; letters beyond ASCII need their own case then."""
    made = found.installation
    with made.desk.store.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET search_name = NULL")
    by = {
        "clients": lambda text: clients.list_page(made.desk, made.operator, search=text),
        "api_keys": lambda text: lifecycle.list_page(
            made.desk, made.operator, ApiKeyFilter(search=text)
        ),
        "organizations": lambda text: organizations.list_page(
            made.desk, made.operator, search=text
        ),
    }
    for text, names in (("BILLI", {"Billing", "billing, nightly"}), ("50%", {"50% off"})):
        assert {row.name for row in by[table](text).data} == names
    assert not by[table]("%").data


def test_the_migration_folds_the_names_that_there_are(found):
    made = found.installation
    made.organization("ÜBER uns")
    made.client(["bookings:read"], name="ÜBER uns")
    made.api_key(["bookings:read"], name="ÜBER uns")
    with made.app.app_context():
        downgrade(revision="0019")
        upgrade()
    assert set(found("über")) == {"ÜBER uns"}
    assert set(found("bill")) == {"Billing", "billing, nightly", "BILLBOARD"}
