"""Activity, refusals and signing keys: what the pages show, to whom, and as which file."""

import csv
import io
import json

import pytest

from app.admin.advice import ADVICE
from app.web.dashboard.words import with_code
from tests.support.installation import Credentials


@pytest.fixture
def refused(installation):
    """A client, and the id of a request of it with a wrong secret; its event is written."""
    client = installation.client(["bookings:read"])
    wrong = Credentials(client.client_id, "kts_live_" + "x" * 39)
    form = {"grant_type": "client_credentials"}
    answer = installation.http.post("/oauth/token", data=form, auth=wrong)
    installation.services.shipper.ship_now()
    return client, answer.headers["X-Request-Id"]


def test_events_are_shown_and_filtered(installation, site, refused):
    client, request_id = refused
    ada = site()
    page = ada.get("/activity", actor_id=client.client_id, outcome="refused").text
    assert "token.refused" in page
    assert "secret_mismatch" in page
    assert request_id in page
    assert "client.created" not in page
    assert "client.created" in ada.get("/activity", type="client.*").text
    assert "No events" in ada.get("/activity", actor_id="nobody").text


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"since": "yesterday"}, "since must be a date"),
        ({"ip": "\x00"}, "ip is nothing that an entry has"),
        ({"actor_id": "x" * 600}, "actor_id is nothing that an entry has"),
    ],
)
def test_a_filter_that_cannot_be_is_named(site, asked, says):
    page = site().get("/activity", **asked)
    assert says in page.text
    assert page.status_code == 400


def test_older_events_are_on_further_pages(installation, site):
    organization = installation.organization()
    for number in range(60):
        installation.scope(f"many:s{number}", organization=organization)
    ada = site(organization_id=organization)
    first = ada.get("/activity", type="scope.*").text
    assert "many:s59" in first
    assert "many:s0<" not in first
    cursor = first.split("cursor=")[1].split('"')[0]
    older = ada.get("/activity", type="scope.*", cursor=cursor).text
    assert "many:s0<" in older
    assert "many:s59" not in older


def test_an_export_is_what_the_filters_let_through(site, refused):
    client, request_id = refused
    ada = site()
    asked = {"actor_id": client.client_id, "outcome": "refused"}
    lines = ada.get("/activity/export/jsonl", **asked)
    assert lines.headers["Content-Type"].startswith("application/jsonl")
    assert "attachment" in lines.headers["Content-Disposition"]
    [event] = map(json.loads, lines.text.splitlines())
    assert (event["request_id"], event["reason"]) == (request_id, "secret_mismatch")
    [row] = csv.DictReader(io.StringIO(ada.get("/activity/export/csv", **asked).text))
    assert (row["request_id"], row["actor_id"]) == (request_id, client.client_id)
    assert ada.get("/activity/export/xml").status_code == 404


def test_the_chain_says_how_far_it_is_signed(installation, site, refused):
    ada = site()
    assert "to be signed" in ada.get("/activity").text
    installation.desk.checkpoints.make_now()
    page = ada.get("/activity").text
    assert "Audit chain" in page
    assert installation.organization_id in page
    assert "not yet" not in page.split("Audit chain")[1]


def test_the_reason_is_found_by_the_request_id(site, refused):
    client, request_id = refused
    page = site().get("/refusals", request_id=f" {request_id} ").text
    assert "secret_mismatch" in page
    assert with_code(ADVICE["secret_mismatch"]) in page
    assert client.client_id in page
    assert "No refusal under this ID" in site().get("/refusals", request_id="req_unknown").text


def test_what_lacked_a_scope_at_the_management_api_is_found(installation, site):
    key = installation.api_key(["bookings:read"])
    headers = {"Authorization": f"Bearer {key.key}"}
    answer = installation.http.get("/v1/clients", headers=headers)
    assert answer.status_code == 403
    installation.services.uses.write()
    asked = {"request_id": answer.headers["X-Request-Id"]}
    page = site().get("/refusals", **asked).text
    assert "GET /v1/clients" in page
    assert with_code(ADVICE["insufficient_scope"]) in page
    assert key.id in page
    elsewhere = site(organization_id=installation.organization())
    assert "No refusal under this ID" in elsewhere.get("/refusals", **asked).text


def test_nobody_finds_what_was_refused_to_others(installation, site, refused):
    _, request_id = refused
    elsewhere = site(organization_id=installation.organization())
    assert "No refusal under this ID" in elsewhere.get("/refusals", request_id=request_id).text
    assert request_id not in elsewhere.get("/activity").text


def test_the_operator_finds_what_strangers_were_refused(installation, site):
    form = {"grant_type": "client_credentials"}
    answer = installation.http.post("/oauth/token", data=form, auth=("client_no", "kts_x"))
    installation.services.shipper.ship_now()
    asked = {"request_id": answer.headers["X-Request-Id"]}
    assert "invalid_client" in site().get("/refusals", **asked).text
    elsewhere = site(organization_id=installation.organization())
    assert "invalid_client" not in elsewhere.get("/refusals", **asked).text


def test_advice_reads_as_text_with_code_in_it():
    assert with_code("See `KEYTURN_<X>` & go") == "See <code>KEYTURN_&lt;X&gt;</code> &amp; go"


def test_what_strangers_send_is_text_not_markup(installation, site):
    client = installation.client(["bookings:read"])
    form = {"grant_type": "client_credentials", "scope": "bookings:write"}
    agent = {"User-Agent": "<script>alert(1)</script>"}
    answer = installation.http.post("/oauth/token", data=form, auth=client, headers=agent)
    installation.services.shipper.ship_now()
    ada = site()
    for page in (
        ada.get("/activity").text,
        ada.get("/refusals", request_id=answer.headers["X-Request-Id"]).text,
    ):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
    ada.get("/refusals", request_id='"><script>alert(2)</script>')
    assert "<script>alert" not in ada.get("/refusals", request_id='"><script>').text


def test_a_signing_key_is_rotated_and_retired(installation, site):
    ada = site()

    def stages():
        rows = installation.rows("SELECT stage, kid FROM signing_keys ORDER BY created_at")
        return dict(rows)

    before = stages()
    assert ada.send("/signing-keys/rotate").status_code == 303
    after = stages()
    assert (after["previous"], after["current"]) == (before["current"], before["next"])
    # The one that follows was made a moment ago: verifiers may not know it yet.
    refused = ada.send("/signing-keys/rotate")
    assert refused.status_code == 409
    assert "may not know" in refused.text
    page = ada.get("/signing-keys").text
    assert after["next"] in page
    assert page.count("<title>") == 1 + len(after)
    refused = ada.send(f"/signing-keys/{after['current']}/retire")
    assert refused.status_code == 409
    assert "rotate first" in refused.text
    assert ada.send(f"/signing-keys/{after['previous']}/retire").status_code == 303
    assert stages()["retired"] == after["previous"]
    assert ada.send("/signing-keys/rotate", force="y").status_code == 303
    assert stages()["current"] == after["next"]


@pytest.mark.parametrize("role", ["admin", "developer", "auditor"])
def test_signing_keys_are_for_owners_of_the_operator(installation, site, role):
    for somebody in (site(role=role), site(organization_id=installation.organization())):
        assert somebody.get("/signing-keys").status_code == 403
        assert "/dashboard/signing-keys" not in somebody.get("/").text
