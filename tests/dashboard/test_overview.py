"""The overview, what it counts and warns of; and the inspector."""

from datetime import timedelta

import pytest

from app.apikeys import policies
from tests.support.pages import cells


@pytest.fixture
def tenant(installation):
    return installation.organization(scopes=["a:b"])


def test_uses_are_counted_by_outcome_in_picture_and_table(installation, site, tenant):
    client = installation.client(["a:b"], organization=tenant)

    def ask(**form):
        data = {"grant_type": "client_credentials", **form}
        return installation.http.post("/oauth/token", data=data, auth=client).status_code

    assert [ask(), ask(), ask(scope="no:such")] == [200, 200, 400]
    installation.services.shipper.ship_now()
    page = site(organization_id=tenant).get("/").text
    rows = cells(page, "Uses in the last 24 hours")
    assert len(rows) == 24
    assert rows[0][1:] == ["2", "1", "0"]
    assert 'aria-label="Uses in the last 24 hours: accepted 2, refused 1, over a limit 0"' in page
    assert 'class="bar-accepted"' in page.partition("<svg")[2].partition("</svg>")[0]


def test_what_wants_doing_is_said(installation, site, tenant):
    policies.update(
        installation.desk,
        installation.operator,
        policies.KeyPolicyChanges(rotate_after_days=1),
        organization_id=tenant,
    )
    installation.api_key(["a:b"], name="Aged", organization=tenant)
    client = installation.client(["a:b"], name="Soon without", organization=tenant)
    now = installation.desk.clock()
    for days in (3, 90):
        installation.secret(
            client.client_id, organization=tenant, expires_at=now + timedelta(days=days)
        )
    ended = installation.secret(
        client.client_id, organization=tenant, expires_at=now + timedelta(days=1)
    )
    installation.end_secret(client.client_id, ended.id, organization=tenant)
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE api_keys SET created_at = '2020-01-01 00:00:00' WHERE name = 'Aged'"
        )
    page = site(organization_id=tenant).get("/").text
    [key] = cells(page, "Keys due for rotation")
    assert (key[0], key[2]) == ("Aged", "Overdue")
    [secret] = cells(page, "Client secrets expiring within 30 days")
    assert (secret[0], secret[2]) == ("Soon without", "in 3 days")
    assert cells(site().get("/").text, "Keys due for rotation") == [["None."]]


def test_limits_that_are_nearly_used_up_are_named(installation, site, tenant):
    key = installation.api_key(["keyturn:keys:read"], organization=tenant, rate_limits=["5/hour"])
    for _ in range(4):
        installation.http.get("/v1/me", headers={"Authorization": f"Bearer {key.key}"})
    installation.services.uses.write()
    ada = site(organization_id=tenant)
    [near] = cells(ada.get("/").text, "Limits nearly used up")
    assert near[:3] == [key.id, "5/hour", "4"]
    assert cells(ada.get(f"/api-keys/{key.id}").text, "Limits now")[0][1] == "5/hour"
    assert cells(ada.get(f"/api-keys/{key.id}").text, "Uses in the last 30 days")[0][1] == "4"


def test_a_developer_of_another_organization_counts_nothing_of_it(installation, site, tenant):
    key = installation.api_key()
    installation.http.get("/v1/me", headers={"Authorization": f"Bearer {key.key}"})
    installation.services.uses.write()
    page = site(organization_id=tenant, role="developer").get("/").text
    assert key.id not in page
    rows = cells(page, "Uses in the last 24 hours")
    assert sum(int(number) for row in rows for number in row[1:] if number.isdigit()) < 10


@pytest.mark.row("S1-25")
def test_the_inspector_says_which_rule_blocks(installation, site):
    ada = site()
    key = installation.api_key(["bookings:read"], allowed_ips=["192.0.2.0/24"])

    def rules(text, **situation):
        page = ada.send("/inspector", key=text, **situation)
        assert page.status_code == 200
        assert text not in page.text
        return {row[0]: row[1] for row in cells(page.text, "Rules")}

    found = rules(key.key, ip="198.51.100.1", scopes="bookings:read bookings:cancel")
    assert {name: found[name] for name in ("Header", "Format", "Status")} == dict.fromkeys(
        ("Header", "Format", "Status"), "Passed"
    )
    assert (found["Scopes"], found["Network"]) == ("Failed", "Failed")
    installation.revoke_key(key.id)
    assert rules(key.key)["Status"] == "Failed"
    mistyped = key.key[:-1] + ("a" if key.key[-1] != "a" else "b")
    assert rules(mistyped)["Checksum"] == "Failed"
    assert rules(f"other_{key.key}")["Format"] == "Failed"
    assert rules("nothing of ours")["Header"] == "Failed"
    assert ada.send("/inspector", key="").status_code == 400


def test_another_organizations_key_is_unknown_to_the_inspector(installation, site, tenant):
    key = installation.api_key(name="Not theirs")
    page = site(organization_id=tenant).send("/inspector", key=key.key)
    assert "Not theirs" not in page.text
    assert "no such key" in page.text
