"""Lists: every entry once, in pages of any size, and cursors that are ours."""

import pytest

LISTS = {
    "/v1/clients": "client_id",
    "/v1/api-keys": "id",
    "/v1/scopes": "name",
    "/v1/presets": "name",
    "/v1/resources": "id",
    "/v1/users": "id",
    "/v1/activity": "id",
    "/v1/organizations": "id",
    "/v1/plans": "id",
    "/v1/signing-keys": "kid",
    "secrets": "id",
}


@pytest.fixture(scope="module")
def filled(installation, operator, things):
    """Seven of everything; the paths by the keys of LISTS."""
    for _ in range(7):
        made = things(operator.organization_id)
        for name in ("key_id", "scope_name", "preset", "resource_id", "user_id", "plan_id"):
            made[name]
        installation.organization()
        installation.rotate_signing_key()
        installation.secret(made["client_id"])
    client_id = made["client_id"]
    for _ in range(6):
        installation.secret(client_id)
    return {path: path for path in LISTS} | {"secrets": f"/v1/clients/{client_id}/secrets"}


def walk(caller, path, limit, most=200):
    """Every page of a list."""
    pages, cursor = [], None
    while True:
        joint = "&" if "?" in path else "?"
        url = f"{path}{joint}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = caller.get(url).json()
        pages.append(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages
        assert len(pages) < most, "a list without an end"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
@pytest.mark.parametrize("name", LISTS)
def test_a_walk_finds_everything_once(filled, operator, name, limit):
    whole = operator.admin.get(f"{filled[name]}?limit=200").json()
    assert whole["next_cursor"] is None
    ids = [entry[LISTS[name]] for entry in whole["data"]]
    assert len(ids) == len(set(ids)) >= 7
    pages = walk(operator.admin, filled[name], limit)
    assert [entry[LISTS[name]] for page in pages for entry in page] == ids
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit


def test_fifty_is_the_default(operator, installation, tenant):
    ours = tenant()
    for _ in range(51):
        installation.api_key(["rooms:read"], organization=ours.organization_id)
    page = ours.admin.get("/v1/api-keys").json()
    assert len(page["data"]) == 50
    assert page["next_cursor"]
    rest = ours.admin.get(f"/v1/api-keys?cursor={page['next_cursor']}").json()
    assert (len(rest["data"]), rest["next_cursor"]) == (2, None)


def test_what_is_made_meanwhile_does_not_disturb_a_walk(tenant, installation):
    ours = tenant()
    own = {"organization": ours.organization_id}
    made = [installation.client(["rooms:read"], **own).client_id for _ in range(4)]
    first = ours.admin.get("/v1/clients?limit=2").json()
    installation.client(["rooms:read"], **own)
    second = ours.admin.get(f"/v1/clients?limit=2&cursor={first['next_cursor']}").json()
    seen = [one["client_id"] for one in first["data"] + second["data"]]
    assert seen == made[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=1.0",
        "limit=1e1",
        "limit=+1",
        "limit=%201",
        "limit=1_0",
        "limit=%D9%A1",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "cursor=",
        "cursor=%00",
        "cursor=!!!",
        "cursor=a",
        "cursor=AAAA",
        "cursor=" + "Y" * 1025,
        "cursor=Y&cursor=Y",
        "cursor=//8",
        "offset=1",
        "LIMIT=1",
        "access_token=x",
    ],
)
@pytest.mark.parametrize("name", LISTS)
def test_malformed_pages(filled, operator, name, query):
    response = operator.admin.get(f"{filled[name]}?{query}")
    assert response.status_code == 400
    field = query.partition("=")[0]
    assert response.json()["error"]["details"][0]["field"] == field


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/clients?status=disabled", 200),
        ("/v1/clients?status=asleep", 400),
        ("/v1/clients?status=", 400),
        ("/v1/clients?environment=test", 200),
        ("/v1/clients?environment=%00", 400),
        ("/v1/api-keys?status=revoked&environment=live&kind=secret&created_by=tests", 200),
        ("/v1/api-keys?kind=root", 400),
        ("/v1/api-keys?created_by=%27", 400),
        ("/v1/scopes?builtin=false", 200),
        ("/v1/scopes?builtin=0", 400),
        ("/v1/organizations?status=suspended", 200),
        ("/v1/organizations?search=a&plan_id=plan_nowhere", 200),
        ("/v1/organizations?status=x", 400),
        ("/v1/activity?type=client.*&since=2020-01-01T00:00:00Z&until=2090-01-01T00:00:00Z", 200),
        ("/v1/activity?type=%25&actor_id=%25&target_id=_&request_id=req_1", 200),
        ("/v1/activity?since=yesterday", 400),
        ("/v1/activity?since=2020-01-01T00:00:00", 400),
        ("/v1/activity?type=" + "x" * 201, 400),
        ("/v1/activity?type=%00", 400),
        ("/v1/activity?everywhere=yes", 400),
        ("/v1/clients?organization_id=%00", 400),
    ],
)
def test_filters(operator, path, status):
    response = operator.admin.get(path)
    assert response.status_code == status, response.text


def test_filters_choose(operator, installation):
    made = installation.client(["bookings:read"], environment="test")
    installation.disable(made.client_id)
    found = operator.admin.get("/v1/clients?status=disabled&environment=test").json()["data"]
    assert [one["client_id"] for one in found] == [made.client_id]
    assert operator.admin.get("/v1/clients?status=disabled&environment=live").json()["data"] == []
    declared = operator.admin.get("/v1/scopes?builtin=false&limit=200").json()["data"]
    assert not [one for one in declared if one["builtin"]]


def test_activity_tells_who_did_what(operator):
    made = operator.admin.post("/v1/clients", json={"name": "seen", "scopes": []})
    client_id = made.json()["client_id"]
    me = operator.admin.get("/v1/me").json()
    found = operator.admin.get(f"/v1/activity?target_id={client_id}").json()["data"]
    assert [(event["type"], event["actor"]) for event in found] == [
        ("client.created", {"type": "api_key", "id": me["id"]})
    ]
    assert found[0]["target"] == {"type": "client", "id": client_id}
    assert found[0]["request_id"] == made.headers["X-Request-Id"]
    assert found[0]["ip"] == "127.0.0.1"
    assert made.json()["client_secret"] not in str(found)
