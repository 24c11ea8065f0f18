"""POST /v1/api-keys/verify: the verdict for APIs that do not have the library."""

import pytest

GOOD = {
    "scopes": ["rooms:read"],
    "ip": "10.1.2.3",
    "origin": "https://shop.example.com",
    "environment": "live",
}
LIMITS = [
    {"limit": 3, "window": "minute", "class": "booking"},
    {"limit": 5, "window": "day", "class": "booking"},
]


@pytest.fixture(scope="module")
def owner(tenant):
    return tenant()


@pytest.fixture(scope="module")
def asker(installation, owner, api):
    """The credential of an API: it may ask about keys, and nothing else."""
    key = installation.api_key(["keyturn:introspect"], organization=owner.organization_id)
    made = api(key.key)
    made.id = key.id
    return made


@pytest.fixture
def key(installation, owner):
    return installation.api_key(
        ["rooms:read"],
        organization=owner.organization_id,
        allowed_ips=["10.0.0.0/8"],
        allowed_domains=["*.example.com"],
        rate_limits=LIMITS,
    )


@pytest.fixture
def verify(asker):
    """``verify(key, …)``: the answer, which is 200 whatever it says."""

    def ask(key, by=None, **also):
        response = (by or asker).post("/v1/api-keys/verify", json={"key": key, **also})
        assert response.status_code == 200, response.text
        body = response.json()
        assert body["valid"] is (body["reason"] is None)
        return body

    return ask


def left(body):
    return [one["remaining"] for one in body["limits"]]


@pytest.mark.row("S2-3", "S2-5")
def test_a_good_key_in_a_good_situation(verify, key, owner):
    body = verify(key.key, **GOOD)
    assert body["reason"] is None
    assert body["key"]["id"] == key.id
    assert body["key"]["organization_id"] == owner.organization_id
    assert body["key"]["environment"] == "live"
    assert body["key"]["scopes"] == ["rooms:read"]
    assert body["limits"] == []
    assert "key" not in body["key"]


@pytest.mark.row("S2-5", "S2-68", "S2-69", "S1-24")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ip": "192.0.2.1"}, "ip_not_allowed"),
        ({"ip": None}, "ip_not_allowed"),
        ({"ip": "10.1.2"}, "ip_not_allowed"),
        ({"origin": "https://evilexample.com"}, "origin_mismatch"),
        ({"origin": None}, "origin_mismatch"),
        ({"environment": "test"}, "environment_mismatch"),
        ({"scopes": ["rooms:read", "rooms:write"]}, "insufficient_scope"),
        ({"scopes": ["rooms:*"]}, "insufficient_scope"),
    ],
)
def test_a_cause_is_named_for_a_whole_key(verify, key, change, reason):
    body = verify(key.key, **GOOD | change)
    assert (body["reason"], body["key"]["id"]) == (reason, key.id)


@pytest.mark.row("S1-23", "S2-46", "S2-67", "S3-10")
def test_the_end_of_a_key_is_seen_at_once(installation, verify, key, owner):
    assert verify(key.key, **GOOD)["valid"]
    installation.revoke_key(key.id, organization=owner.organization_id)
    body = verify(key.key, **GOOD)
    assert (body["reason"], body["key"]["status"]) == ("revoked", "revoked")


@pytest.mark.row("S1-26", "S2-6")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key[:-7],
        lambda key: f"{key}\n",
        lambda key: f"{key}\0",
        lambda key: f"Bearer {key}",
        lambda key: "kt_live_" + "0" * 32 + "_000000",
        lambda key: "é" * 9,
        lambda key: "x.y.z",
    ],
)
def test_what_is_no_whole_key_is_unknown_and_nothing_more(verify, key, spoil):
    nothing = {"valid": False, "reason": "unknown", "key": None, "limits": []}
    nothing["profile"] = "problem+json"
    assert verify(spoil(key.key), **GOOD) == nothing


@pytest.mark.row("S2-1", "S3-2")
def test_another_organizations_key_is_unknown_but_to_the_operator(verify, key, tenant, operator):
    assert verify(key.key, by=tenant().admin, **GOOD)["reason"] == "unknown"
    assert verify(key.key, by=operator.admin, **GOOD)["valid"]


@pytest.mark.row("S2-4", "S2-61", "S2-62", "S1-18", "S1-19", "S1-20", "S3-30")
def test_it_counts_for_the_class_that_is_named(verify, key):
    booking = GOOD | {"route_class": "booking"}
    assert left(verify(key.key, **booking)) == [2, 4]
    assert left(verify(key.key, **booking, cost=0)) == [2, 4]
    assert left(verify(key.key, **booking | {"ip": "192.0.2.1"})) == [2, 4]
    assert left(verify(key.key, **booking, cost=2)) == [0, 2]
    refused = verify(key.key, **booking)
    assert (refused["reason"], left(refused)) == ("rate_limited", [0, 2])
    assert [one["window"] for one in refused["limits"]] == ["minute", "day"]
    assert 0 < refused["limits"][0]["resets_in"] <= 60
    assert verify(key.key, **GOOD)["limits"] == []


@pytest.mark.row("S2-60", "S2-61", "S2-62", "S2-63")
def test_the_numbers_of_a_profile(installation, verify, tenant):
    other = tenant()
    installation.change_organization(other.organization_id, profile="experiencelocal")
    made = installation.api_key(
        ["rooms:read"], organization=other.organization_id, environment="live"
    ).key
    found = {
        name: [(one["limit"], one["window"]) for one in verdict["limits"]]
        for name in ("widget", "booking", "validation")
        for verdict in [verify(made, by=other.admin, route_class=name)]
    }
    assert found == {
        "widget": [(100, "minute")],
        "booking": [(30, "minute"), (100, "day")],
        "validation": [(60, "minute")],
    }


@pytest.mark.row("S2-8")
def test_every_verdict_on_a_whole_key_is_an_event(installation, verify, key, asker):
    verify(key.key, **GOOD)
    verify(key.key, **GOOD | {"ip": "192.0.2.1"})
    installation.services.shipper.ship_now()
    found = installation.rows(
        "SELECT type, reason, ip, target_id FROM audit_events WHERE actor_id = :id"
        " AND target_id <> :id ORDER BY id",
        id=key.id,
    )
    assert [tuple(one) for one in found] == [
        ("api_key.used", None, "10.1.2.3", asker.id),
        ("api_key.refused", "ip_not_allowed", "192.0.2.1", asker.id),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "key"),
        ({"key": ""}, "key"),
        ({"key": "x" * 16385}, "key"),
        ({"key": "x", "cost": -1}, "cost"),
        ({"key": "x", "cost": 1.5}, "cost"),
        ({"key": "x", "scopes": "rooms:read"}, "scopes"),
        ({"key": "x", "route_class": "x" * 33}, "route_class"),
        ({"key": "x", "addr": "x"}, "addr"),
    ],
)
def test_bad_input_is_named(asker, body, field):
    response = asker.post("/v1/api-keys/verify", json=body)
    assert response.status_code == 400
    assert [one["field"] for one in response.json()["error"]["details"]] == [field]
