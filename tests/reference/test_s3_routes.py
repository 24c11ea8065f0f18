"""Astrocal (S3): what is public and what is guarded, link tokens, one environment."""

from datetime import UTC, datetime, timedelta

import pytest

from examples.bookings import guard
from examples.bookings.app import Settings
from examples.bookings.declare import read_products
from examples.bookings.scheduling import create_app
from keyturn import KeyTemplate
from tests.examples.support import AUDIENCE, SCOPES

PRODUCT = "astrocal"
ENVIRON = {"KEYTURN_API_PROFILE": "astrocal"}
TEMPLATE = KeyTemplate.of(read_products()[PRODUCT]["key_template"])
TIMES = [
    (datetime(2030, 5, 1, 9, tzinfo=UTC) + timedelta(hours=hour)).isoformat() for hour in range(9)
]


class Scheduling:
    """The API in this process, one key of each environment, and an event type of either."""

    def __init__(self, product, **settings):
        asker = product.installation.client(
            ["keyturn:introspect"], organization=product.organization
        )
        ours = {"profile": PRODUCT, "key_templates": (TEMPLATE,), **settings}
        self.app = create_app(Settings(product.server.url, AUDIENCE, *asker, **ours))
        self.http = self.app.test_client()
        self.key = product.key(SCOPES).key
        self.test_key = product.key(SCOPES, environment="test").key
        self.other = product.key(["analytics:read"]).key

    def call(self, method, path, key=None, **also):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.http.open(path, method=method, headers=headers, **also)

    def event_type(self, key=None, **also):
        key = key or self.key
        made = self.call("POST", "/v1/event-types", key, json={"title": "Talk", **also})
        found = made.json["data"]["id"]
        self.call("PUT", f"/v1/event-types/{found}/availability", key, json={"times": TIMES})
        return found

    def book(self, event_type, hour=0):
        new = {"event_type_id": event_type, "starts_at": TIMES[hour], "name": "Ada"}
        return self.call("POST", "/v1/bookings", json=new)


@pytest.fixture(scope="module")
def api(product):
    made = Scheduling(product)
    yield made
    made.app.extensions[guard.VERIFIER].close()


@pytest.fixture(scope="module")
def talk(api):
    return api.event_type()


@pytest.mark.row("S3-13", "S3-17")
@pytest.mark.parametrize("credential", [None, "ac_live_mistyped", "a.b.c"])
def test_what_is_public_needs_no_credential_and_minds_none(api, talk, credential, product):
    assert api.call("GET", "/health", credential).status_code == 200
    assert api.call("GET", f"/v1/event-types/{talk}", credential).status_code == 200
    free = api.call("GET", f"/v1/availability?event_type_id={talk}", credential).json["data"]
    new = {"event_type_id": talk, "starts_at": free[0], "name": "Ada"}
    made = api.call("POST", "/v1/bookings", credential, json=new)
    assert made.status_code == 201
    for act, body in (("reschedule", {"starts_at": free[1]}), ("cancel", None)):
        done = api.call("POST", made.json["links"][act], credential, json=body)
        assert done.status_code == 200, done.text
    assert product.server.get("/v1/openapi.json").status_code == 200


@pytest.mark.row("S3-15")
def test_an_event_type_is_public_while_it_is_active_and_no_test(api):
    inactive, sandboxed = api.event_type(active=False), api.event_type(api.test_key)
    for hidden in (inactive, sandboxed, "evt_none"):
        assert api.call("GET", f"/v1/event-types/{hidden}").status_code == 404
        assert api.call("GET", f"/v1/availability?event_type_id={hidden}").status_code == 404
        assert api.book(hidden).status_code == 404
    api.call("PATCH", f"/v1/event-types/{inactive}", api.key, json={"active": True})
    assert api.call("GET", f"/v1/event-types/{inactive}").status_code == 200


@pytest.mark.row("S3-14")
def test_a_link_is_for_its_act_on_its_booking(api, talk):
    mine, theirs = (api.book(talk, hour).json for hour in (3, 4))
    cancel = mine["links"]["cancel"]
    path, _, token = cancel.partition("?token=")
    others = theirs["links"]["cancel"].partition("?token=")[2]
    wrong = [
        path,
        f"{path}?token=",
        f"{path}?token={others}",
        f"{path}?token={token[:-1]}",
        f"{path}?token={api.key}",
        f"{path.replace('cancel', 'reschedule')}?token={token}",
        f"/v1/bookings/bk_none/cancel?token={token}",
    ]
    for url in wrong:
        refused = api.call("POST", url, json={"starts_at": TIMES[5]})
        assert (refused.status_code, refused.json["error"]["code"]) == (401, "unauthorized"), url
    assert api.call("POST", path, api.key).status_code == 401
    assert api.call("GET", "/v1/bookings", token).status_code == 401
    assert api.call("POST", cancel).json["data"]["status"] == "cancelled"


GUARDED = [
    ("GET", "/v1/event-types", None, 200),
    ("POST", "/v1/event-types", {"title": "New"}, 201),
    ("PATCH", "/v1/event-types/{talk}", {"active": True}, 200),
    ("GET", "/v1/event-types/{talk}/availability", None, 200),
    ("PUT", "/v1/event-types/{talk}/availability", {"times": TIMES}, 200),
    ("POST", "/v1/event-types/{talk}/hosts", {"name": "ada"}, 201),
    ("GET", "/v1/event-types/{talk}/hosts", None, 200),
    ("DELETE", "/v1/event-types/{talk}/hosts/ada", None, 204),
    ("GET", "/v1/bookings", None, 200),
    ("GET", "/v1/bookings/{booking}", None, 200),
    ("GET", "/v1/calendars", None, 200),
    ("DELETE", "/v1/calendars/none", None, 404),
    ("DELETE", "/v1/event-types/{spare}", None, 204),
]


@pytest.mark.row("S3-16", "S3-17", "S3-1")
@pytest.mark.parametrize(("method", "path", "body", "status"), GUARDED, ids=str)
def test_everything_else_needs_a_key(api, talk, method, path, body, status):
    names = {"talk": talk, "spare": "evt_none", "booking": "bk_none"}
    if "{spare}" in path:
        names["spare"] = api.event_type()
    if "{booking}" in path:
        names["booking"] = api.book(talk, 6).json["data"]["id"]
    path = path.format(**names)
    also = {} if body is None else {"json": body}
    refused = api.call(method, path, **also)
    assert (refused.status_code, refused.json["error"]["code"]) == (401, "unauthorized")
    anybody = status if path.startswith("/v1/calendars") and method == "GET" else 403
    assert api.call(method, path, api.other, **also).status_code == anybody
    # A sandbox has its own: neither this event type nor this booking is there.
    if "{" in path or talk in path or "bk_" in path:
        assert api.call(method, path, api.test_key, **also).status_code == 404
    assert api.call(method, path, api.key, **also).status_code == status


@pytest.mark.row("S3-16")
@pytest.mark.parametrize("path", ["/v1/api-keys", "/v1/activity", "/v1/usage"])
def test_and_so_does_what_is_keyturns(product, path):
    assert product.server.get(path).status_code == 401
    key = product.key(["keyturn:keys:read", "keyturn:audit:read", "keyturn:usage:read"]).key
    headers = {"Authorization": f"Bearer {key}"}
    assert product.server.get(path, headers=headers).status_code == 200


@pytest.mark.row("S2-68", "S3-3", "S3-4")
@pytest.mark.parametrize("environment", ["live", "test"])
def test_an_api_of_one_environment_takes_no_other_credential(product, environment):
    api = Scheduling(product, environment=environment)
    other = {"live": "test", "test": "live"}[environment]
    keys = {"live": api.key, "test": api.test_key}
    client = product.installation.client(
        sorted(SCOPES), organization=product.organization, environment=other
    )
    for refused in (keys[other], product.server.token(client)):
        response = api.call("GET", "/v1/event-types", refused)
        assert (response.status_code, response.json["error"]["code"]) == (401, "unauthorized")
    assert api.call("GET", "/v1/event-types", keys[environment]).status_code == 200
    api.app.extensions[guard.VERIFIER].close()
