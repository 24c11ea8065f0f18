"""Who sees what in the example, and how it says no."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from examples.bookings.declare import read_catalogue
from tests.examples.support import ROUTES, SCOPES, Route, declare
from tests.support.served import eventually

BOOK = Route("POST", "/v1/bookings", frozenset({"bookings:create"}))
CREDENTIALS = ["token", "key"]


def credential(api, kind, environment="live", organization=None):
    """One that may do everything."""
    if kind == "token":
        return api.token(SCOPES, environment, organization)
    return api.key(SCOPES, environment, organization).key


def data(response):
    assert response.status_code < 300, response.text
    return response.json["data"]


def ids(response):
    return {one["id"] for one in data(response)}


# Whose data ----------------------------------------------------------------------------------


@pytest.mark.row("S2-1")
@pytest.mark.row("S3-4")
@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("where", ["sandbox", "another organization"])
def test_a_live_booking_is_not_there_for(bookings, hills, kind, where):
    place = ("test", None) if where == "sandbox" else ("live", hills)
    owner, stranger = credential(bookings, kind), credential(bookings, kind, *place)
    booking = data(bookings.ask(BOOK, owner))
    path = f"/v1/bookings/{booking['id']}"
    assert data(bookings.call("GET", path, owner)) == booking
    seen = bookings.call("GET", path, stranger)
    assert (seen.status_code, seen.json["code"]) == (404, "not_found")
    assert bookings.call("PATCH", path, stranger, json={"guests": 9}).status_code == 404
    assert data(bookings.call("GET", path, owner)) == booking
    assert booking["id"] in ids(bookings.call("GET", "/v1/bookings", owner))
    assert booking["id"] not in ids(bookings.call("GET", "/v1/bookings", stranger))


@pytest.mark.row("S3-4")
@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("path", ["/v1/experiences", "/v1/properties", "/v1/widget/experiences"])
def test_live_and_sandbox_have_nothing_in_common(bookings, kind, path):
    live = ids(bookings.call("GET", path, credential(bookings, kind)))
    test = ids(bookings.call("GET", path, credential(bookings, kind, "test")))
    assert live
    assert test
    assert not live & test
    if "widget" not in path:
        other = credential(bookings, kind, "test")
        assert bookings.call("GET", f"{path}/{min(live)}", other).status_code == 404


def test_the_sandbox_changes_nothing_in_the_live_figures(bookings):
    live, test = (credential(bookings, "token", name) for name in ("live", "test"))
    before = data(bookings.call("GET", "/v1/analytics", live))
    slots = data(bookings.call("GET", "/v1/availability", live))
    bookings.ask(BOOK, test, "test")
    assert data(bookings.call("GET", "/v1/analytics", live)) == before
    assert data(bookings.call("GET", "/v1/availability", live)) == slots


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_nothing_in_a_request_names_another_shelf(bookings, hills, kind):
    booking = data(bookings.ask(BOOK, credential(bookings, kind)))
    test = credential(bookings, kind, "test")
    response = bookings.call(
        "GET",
        f"/v1/bookings/{booking['id']}?organization={hills}&environment=live&env=live",
        test,
        headers={"X-Org-Id": bookings.organization, "X-Mode": "live"},
    )
    assert response.status_code == 404


# Which credentials ---------------------------------------------------------------------------


def cut(key):
    return f"Bearer {key.rpartition('_')[0]}"


def mistyped(key):
    return f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}"


def of_the_other_environment(key):
    return f"Bearer {key.replace('_live_', '_test_')}"


@pytest.mark.parametrize(
    ("present", "code", "reason"),
    [
        pytest.param(cut, "invalid_token", "malformed", marks=pytest.mark.row("S2-20")),
        pytest.param(str, "malformed", "malformed", marks=pytest.mark.row("S2-23")),
        (mistyped, "invalid_token", "bad_checksum"),
        (of_the_other_environment, "invalid_token", "bad_checksum"),
        (lambda key: f"Basic {key}", "malformed", "malformed"),
        (lambda key: f"Bearer {key} {key}", "malformed", "malformed"),
    ],
)
def test_what_is_not_quite_a_key(bookings, caplog, present, code, reason):
    key = bookings.key(SCOPES).key
    with caplog.at_level(logging.INFO, "keyturn"):
        response = bookings.call("GET", "/v1/experiences", headers={"Authorization": present(key)})
    assert (response.status_code, response.json["code"]) == (401, code)
    assert f"refused GET /v1/experiences: {reason} " in caplog.text
    assert response.headers["X-Request-Id"] in caplog.text
    assert key[8:30] not in caplog.text + response.text


@pytest.mark.row("S2-22")
def test_a_key_in_the_address_opens_nothing(bookings):
    key = bookings.key(SCOPES).key
    for name in ("api_key", "access_token", "key"):
        response = bookings.call("GET", f"/v1/experiences?{name}={key}")
        assert (response.status_code, response.json["code"]) == (401, "in_query")


def test_a_token_for_another_api_opens_nothing(bookings, installation, server, harbour):
    client = installation.client(["bookings:read"], organization=harbour)
    token = server.token(client, resource=server.url)
    assert bookings.call("GET", "/v1/bookings", token).status_code == 401


def test_a_revoked_key_opens_nothing(forgetful, installation, harbour):
    key = forgetful.key(SCOPES)
    assert forgetful.call("GET", "/v1/bookings", key.key).status_code == 200
    installation.revoke_key(key.id, organization=harbour)
    eventually(lambda: forgetful.call("GET", "/v1/bookings", key.key).status_code == 401, timeout=2)


@pytest.mark.row("S2-5")
@pytest.mark.row("S2-24")
@pytest.mark.row("S2-25")
def test_a_restricted_key_opens_it_from_where_it_may(bookings):
    key = bookings.key(
        preset="widget", allowed_ips=["192.0.2.0/24"], allowed_domains=["shop.example"]
    ).key

    def ask(ip, origin):
        headers = {"Origin": origin} if origin else {}
        response = bookings.call(
            "GET",
            "/v1/widget/experiences",
            key,
            headers=headers,
            environ_base={"REMOTE_ADDR": ip},
        )
        return response.status_code, response.json.get("code")

    assert ask("192.0.2.7", "https://shop.example") == (200, None)
    assert ask("192.0.3.7", "https://shop.example") == (403, "ip_not_allowed")
    assert ask("192.0.2.7", "https://notshop.example") == (403, "origin_mismatch")
    assert ask("192.0.2.7", None) == (403, "origin_mismatch")


# Declaring -----------------------------------------------------------------------------------


@pytest.mark.row("S2-32")
def test_the_catalogue_of_the_document_is_declared(bookings, installation, harbour):
    rows = installation.rows(
        "SELECT name, description FROM scopes WHERE organization_id = :id", id=harbour
    )
    described = {one["name"]: one["description"] for one in read_catalogue()["scopes"]}
    assert dict(map(tuple, rows)) == described
    assert described["availability:write"] == "Update availability and capacity"
    assert len(described.keys() - {"bookings:create"}) == 8
    with pytest.raises(Exception, match="Unknown scope: bookings:burn"):
        bookings.key(["bookings:burn"])


@pytest.mark.row("S2-38")
def test_writing_brings_creating_and_not_reading(bookings):
    token = bookings.token({"bookings:write"})
    assert bookings.ask(BOOK, token).status_code == 201
    assert bookings.call("GET", "/v1/bookings", token).status_code == 403


def test_declaring_again_changes_nothing(installation, harbour):
    again = declare(installation, "--org", "Harbour")
    assert (again.returncode, again.stdout.count("is there")) == (0, 14), again.stderr
    assert "declared" not in again.stdout


def test_declaring_where_it_cannot_be(installation):
    refused = declare(installation, "--org", "Nowhere")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_the_commands_can_be_printed(installation):
    printed = declare(installation, "--print").stdout.splitlines()
    assert len(printed) == 14
    assert all(line.startswith("flask ") for line in printed)
    assert any("scope add bookings:write" in line and "--implies" in line for line in printed)


# The rest of an API --------------------------------------------------------------------------


def booking_body(api, **changes):
    slot = max(api.shelf().slots(), key=lambda slot: slot.free)
    place = {"experience_id": slot.experience_id, "starts_at": slot.starts_at.isoformat()}
    return {**place, "guests": 1, "name": "Ada", **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"guests": 0},
        {"guests": 21},
        {"guests": "2"},
        {"guests": True},
        {"guests": None},
        {"name": ""},
        {"name": "x" * 101},
        {"starts_at": "tomorrow"},
        {"starts_at": "2026-01-01T10:00:00"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},
        {"starts_at": "9999-12-31T23:59:59-14:00"},
        {"organization": "org_1"},
    ],
    ids=str,
)
def test_a_bad_field_is_named(bookings, changes):
    token = bookings.token(SCOPES)
    response = bookings.call("POST", "/v1/bookings", token, json=booking_body(bookings, **changes))
    assert (response.status_code, response.json["code"]) == (400, "invalid_request")
    assert response.json["detail"].startswith(next(iter(changes)))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 60000])
def test_a_bad_body_is_refused(bookings, body):
    response = bookings.call("POST", "/v1/bookings", bookings.token(SCOPES), data=body)
    assert (response.status_code, response.json["code"]) == (400, "invalid_request")


def test_a_large_body_is_not_read(bookings):
    token = bookings.token(SCOPES)
    response = bookings.call("POST", "/v1/bookings", token, data=b"x" * 70000)
    assert (response.status_code, response.json["code"]) == (
        413,
        "request_entity_too_large",
    )


@pytest.mark.parametrize("changes", [{}, {"status": "lost"}, {"id": "bk_1"}])
def test_a_bad_change_is_refused(bookings, changes):
    token = bookings.token(SCOPES)
    booking = data(bookings.ask(BOOK, token))
    response = bookings.call("PATCH", f"/v1/bookings/{booking['id']}", token, json=changes)
    assert response.status_code == 400


def test_no_more_guests_than_places(bookings):
    token = bookings.token(SCOPES, "test")
    shelf = bookings.shelf("test")
    slot = shelf.slots()[0]
    place = {"experience_id": slot.experience_id, "starts_at": slot.starts_at.isoformat()}
    wanted = json.dumps({**place, "guests": 1, "name": "Ada"})

    def book(_):
        return bookings.app.test_client().post(
            "/v1/bookings", data=wanted, headers={"Authorization": f"Bearer {token}"}
        )

    with ThreadPoolExecutor(8) as pool:
        statuses = [response.status_code for response in pool.map(book, range(slot.free + 12))]
    assert (statuses.count(201), statuses.count(409)) == (slot.free, 12)
    assert shelf.slots()[0].free == 0
    fewer = bookings.call("PUT", "/v1/availability", token, json={**place, "capacity": 1})
    assert (fewer.status_code, fewer.json["code"]) == (409, "conflict")


def test_a_cancelled_booking_frees_its_places(bookings):
    token = bookings.token(SCOPES)
    path = f"/v1/bookings/{data(bookings.ask(BOOK, token))['id']}"
    free = sum(slot.free for slot in bookings.shelf().slots())
    for status, change in (("cancelled", 1), ("cancelled", 1), ("confirmed", 0)):
        assert (
            data(bookings.call("PATCH", path, token, json={"status": status}))["status"] == status
        )
        assert sum(slot.free for slot in bookings.shelf().slots()) == free + change
    assert bookings.call("PATCH", path, token, json={"guests": 20}).status_code in (200, 409)


def test_a_booking_says_when_in_utc_and_where_it_is(bookings):
    token = bookings.token(SCOPES)
    slot = max(bookings.shelf().slots(), key=lambda slot: slot.free)
    local = slot.starts_at.isoformat().replace("+00:00", "Z")
    response = bookings.call(
        "POST", "/v1/bookings", token, json=booking_body(bookings, starts_at=local)
    )
    assert data(response)["starts_at"] == local
    assert response.headers["Location"] == f"/v1/bookings/{data(response)['id']}"
    nothing = booking_body(bookings, starts_at="2050-01-01T00:00:00Z")
    assert bookings.call("POST", "/v1/bookings", token, json=nothing).status_code == 409


def test_other_paths_and_methods(bookings):
    missing = bookings.call("GET", "/v1/secrets")
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")
    wrong = bookings.call("DELETE", "/v1/bookings")
    assert (wrong.status_code, wrong.json["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"]


def test_browsers_may_call_the_widget_and_nothing_else(bookings):
    def allowed(path):
        response = bookings.call("OPTIONS", path, headers={"Origin": "https://shop.example"})
        return response.headers.get("Access-Control-Allow-Origin")

    widget = {route.path for route in ROUTES if "widget" in route.path}
    assert {allowed(path) for path in widget} == {"*"}
    assert {allowed(route.path) for route in ROUTES if route.path not in widget} == {None}
    refused = bookings.call("GET", "/v1/widget/experiences")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
