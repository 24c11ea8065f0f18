"""The inspector: every rule by itself, for the key's owner (S1-25, S2-67, S2-73)."""

import pytest

from tests.support.served import eventually

GOOD = {
    "ip": "10.1.2.3",
    "origin": "https://shop.example.com",
    "environment": "live",
    "scopes": ["rooms:read"],
}
RULES = [
    "header", "format", "checksum", "known", "status", "expiry", "organization", "environment",
    "network", "domain", "scopes", "limits", "use",
]  # fmt: skip


@pytest.fixture(scope="module")
def owner(tenant):
    return tenant()


@pytest.fixture
def key(installation, owner):
    return installation.api_key(
        ["rooms:read"],
        organization=owner.organization_id,
        allowed_ips=["10.0.0.0/8"],
        allowed_domains=["*.example.com"],
    )


@pytest.fixture
def inspect(owner):
    """``inspect(key, …)``: every line by its rule."""

    def lines(key, by=None, **also):
        response = (by or owner.admin).post("/v1/api-keys/inspect", json={"key": key, **also})
        assert response.status_code == 200, response.text
        body = response.json()
        found = {one["rule"]: one for one in body["checks"]}
        assert body["passed"] is (not blocking(found))
        return found

    return lines


def blocking(lines):
    return [rule for rule, one in lines.items() if one["passed"] is False]


@pytest.mark.row("S1-25", "S2-67", "S2-73")
def test_a_good_key_in_a_good_situation(inspect, key):
    lines = inspect(key.key, **GOOD)
    assert list(lines) == RULES
    assert blocking(lines) == []


@pytest.mark.row("S1-25", "S2-67", "S2-68", "S2-73")
@pytest.mark.parametrize(
    ("change", "rule", "advice"),
    [
        ({"ip": "192.0.2.1"}, "network", "only from 10.0.0.0/8"),
        ({"origin": "https://example.org"}, "domain", "only from *.example.com"),
        ({"environment": "test"}, "environment", "use a key of test"),
        ({"scopes": ["rooms:read", "rooms:write"]}, "scopes", "lacks rooms:write"),
    ],
)
def test_one_thing_that_is_wrong_is_one_line(inspect, key, change, rule, advice):
    lines = inspect(key.key, **GOOD | change)
    assert blocking(lines) == [rule]
    assert advice in lines[rule]["says"]


@pytest.mark.row("S1-25")
@pytest.mark.parametrize(
    ("spoil", "rules", "advice"),
    [
        (
            lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
            ["checksum", "known"],
            "mistyped",
        ),
        (lambda key: key[:-7], ["format", "known"], "cut before the checksum"),
        (lambda key: key.removeprefix("kt_"), ["format", "known"], "not of the form kt_"),
        (lambda key: f'"{key}"', ["header", "format", "known"], "quotes"),
        (lambda key: f"{key}\n", ["header", "format", "known"], "line ends"),
        (lambda key: "kt_" + "x" * 16000, ["format", "known"], "longer than"),
    ],
)
def test_a_key_that_is_not_quite_one(inspect, key, spoil, rules, advice):
    lines = inspect(spoil(key.key), **GOOD)
    assert blocking(lines) == rules
    assert advice in lines[rules[0]]["says"]


@pytest.mark.parametrize(
    ("end", "rule", "advice"),
    [
        (lambda at, key, org: at.revoke_key(key.id, organization=org), "status", "make a new one"),
        (
            lambda at, key, org: at.change_organization(org, key_template={"prefix": "zz"}),
            None,
            "of a former template",
        ),
    ],
    ids=["revoked", "another template"],
)
def test_what_became_of_it(installation, inspect, owner, key, end, rule, advice):
    end(installation, key, owner.organization_id)
    lines = inspect(key.key, **GOOD)
    assert blocking(lines) == ([rule] if rule else [])
    assert advice in lines[rule or "format"]["says"]
    installation.change_organization(owner.organization_id, key_template={})


def test_limits_are_shown(installation, inspect, owner):
    limited = installation.api_key(
        ["rooms:read"],
        organization=owner.organization_id,
        rate_limits=[{"limit": 5, "window": "minute", "class": "widget"}],
    )
    assert inspect(limited.key)["limits"]["says"].startswith("its own: 5/minute for widget")


def test_a_strangers_key_is_as_unknown_as_one_that_never_was(inspect, key, tenant):
    other = tenant()
    assert blocking(inspect(key.key, by=other.admin)) == ["known"]
    invented = inspect("kt_live_" + "0" * 32 + "_000000", by=other.admin)
    assert invented["known"] == inspect(key.key, by=other.admin)["known"]


def test_the_key_that_was_inspected_is_nowhere(installation, inspect, key, caplog):
    inspect(key.key)
    assert key.key not in caplog.text
    for table in ("audit_events", "api_keys"):
        assert key.key not in str(installation.rows(f"SELECT * FROM {table}"))


def test_last_use_is_shown(installation, inspect, owner):
    made = installation.api_key(["rooms:read"], organization=owner.organization_id)
    assert inspect(made.key)["use"]["says"] == "never used"
    body = {"key": made.key, "ip": "192.0.2.9"}
    assert owner.admin.post("/v1/api-keys/verify", json=body).json()["valid"] is True
    installation.services.shipper.ship_now()

    def says():
        return inspect(made.key)["use"]["says"]

    eventually(lambda: says().startswith("last used at 2"), timeout=10)
    assert says().endswith("seen from 192.0.2.0/24")


POLICY = {
    "GET /rooms/{id}": "rooms:read",
    "GET /rooms/free": None,
    "POST /rooms": ["rooms:write", "rooms:read rooms:book"],
    "GET /me": "",
}


@pytest.mark.row("S1-25", "S2-67", "S2-73")
@pytest.mark.parametrize(
    ("route", "blocked", "says"),
    [
        ("GET /rooms/7", [], "GET /rooms/{id} asks rooms:read"),
        ("get /rooms/7?page=2", [], "GET /rooms/{id} asks rooms:read"),
        ("HEAD /rooms/7", [], "GET /rooms/{id} asks rooms:read"),
        ("GET /rooms/free", [], "GET /rooms/free asks nobody"),
        ("GET /me", [], "GET /me asks"),
        ("POST /rooms", ["scopes"], "POST /rooms asks rooms:write or rooms:book rooms:read"),
        ("PUT /rooms/7", ["route"], "PUT /rooms/7 is not declared"),
        ("GET /rooms/7/beds", ["route"], "GET /rooms/7/beds is not declared"),
        ("nonsense", ["route"], "NONSENSE"),
    ],
)
def test_scopes_against_a_route(inspect, key, route, blocked, says):
    situation = {"ip": "10.1.2.3", "origin": "https://shop.example.com"}
    lines = inspect(key.key, route=route, policy=POLICY, **situation)
    assert blocking(lines) == blocked
    assert lines["route"]["says"].startswith(says)


@pytest.mark.parametrize(
    ("also", "field"),
    [
        ({"route": "GET /x"}, "route"),
        ({"policy": POLICY}, "route"),
        ({"route": "GET /x", "policy": POLICY, "scopes": ["a:b"]}, "scopes"),
        ({"route": "GET /x", "policy": {"rooms": "a:b"}}, "policy"),
        ({"route": "GET /x", "policy": {"GET /x": 7}}, "policy"),
        ({"route": "GET /x", "policy": {"GET /x": []}}, "policy"),
        ({"route": "GET /x", "policy": {"GET /x": "rooms:*"}}, "policy"),
        ({"route": "GET /x", "policy": ["GET /x"]}, "policy"),
    ],
)
def test_a_route_needs_its_policy(owner, key, also, field):
    answer = owner.admin.post("/v1/api-keys/inspect", json={"key": key.key, **also})
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["error"]["details"]] == [field]


def test_a_route_on_the_command_line(installation, tmp_path):
    key, file = installation.api_key(["bookings:read"]), tmp_path / "policy.json"
    file.write_text('{"GET /bookings/{id}": "bookings:read", "POST /bookings": "bookings:create"}')
    run = installation.app.test_cli_runner().invoke
    for route, status in (("GET /bookings/7", 0), ("POST /bookings", 1)):
        named = ["key", "inspect", "--route", route, "--policy", str(file)]
        done = run(args=named, input=key.key)
        assert (done.exit_code, f"{route.split()[0]} /bookings" in done.stdout) == (status, True)
    file.write_text("[]")
    refused = run(args=[*named[:4], "--policy", str(file)], input=key.key)
    assert (refused.exit_code, "no JSON object" in refused.stderr) == (1, True)
