"""POST /v1/leases: permits for APIs that count by themselves, out of one budget."""

from concurrent.futures import ThreadPoolExecutor

import pytest

LIMITS = ["10/day:booking", "100/month:booking"]


@pytest.fixture(scope="module")
def owner(tenant):
    return tenant()


@pytest.fixture(scope="module")
def asker(installation, owner, api):
    """The credential of an API: it may ask about credentials, and nothing else."""
    return api(installation.api_key(["keyturn:introspect"], organization=owner.organization_id).key)


@pytest.fixture
def key(installation, owner):
    return installation.api_key(
        ["rooms:read"], organization=owner.organization_id, rate_limits=LIMITS
    )


@pytest.fixture
def draw(asker):
    def draw(credential_id, by=None, route_class="booking", **also):
        held = [{"window": name, "permits": n} for name, n in also.pop("held", {}).items()]
        body = {"credential_id": credential_id, "route_class": route_class, "held": held, **also}
        response = (by or asker).post("/v1/leases", json=body)
        assert response.status_code == 200, response.text
        return {
            one["window"]: (one["granted"], one["remaining"]) for one in response.json()["limits"]
        }

    return draw


@pytest.mark.parametrize(
    ("asked", "day", "month"),
    [
        ({}, (1, 9), (1, 99)),
        ({"permits": 2}, (2, 8), (2, 98)),
        ({"permits": 50}, (2, 8), (25, 75)),  # a part of what is left
        ({"permits": 50, "held": {"day": 1, "month": 40}}, (2, 8), (10, 90)),
        ({"permits": 50, "held": {"day": 50, "month": 60}}, (0, 10), (0, 100)),
        ({"permits": 5, "needed": 8}, (8, 2), (8, 92)),
        ({"permits": 5, "needed": 8, "held": {"day": 3}}, (5, 5), (8, 92)),
        ({"needed": 11}, (0, 10), (0, 100)),  # of the month neither: it would be of no use
        ({"permits": 0, "needed": 0}, (0, 10), (0, 100)),
    ],
)
def test_what_is_given(draw, key, asked, day, month):
    assert draw(key.id, **asked) == {"day": day, "month": month}


def test_the_budget_is_the_one_of_the_key_itself(draw, key, asker, installation, owner, api):
    """What was drawn is gone for whoever asks by itself, and the other way round."""
    assert draw(key.id, needed=4)["day"] == (4, 6)
    use = {"key": key.key, "route_class": "booking"}
    for left in (5, 4, 3):
        limits = asker.post("/v1/api-keys/verify", json=use).json()["limits"]
        assert limits[0]["remaining"] == left
    assert draw(key.id, needed=3)["day"] == (3, 0)
    assert asker.post("/v1/api-keys/verify", json=use).json()["reason"] == "rate_limited"
    assert draw(key.id)["day"] == (0, 0)


def test_a_budget_is_given_once_however_many_draw(draw, key):
    with ThreadPoolExecutor(8) as pool:
        granted = [one["day"][0] for one in pool.map(lambda _: draw(key.id, permits=5), range(40))]
    # Two who meet at the end may both go away with nothing, and then it is still there.
    assert sum(granted) + draw(key.id, permits=0, needed=0)["day"][1] == 10


def test_a_client_has_the_limits_of_its_plan_and_who_has_none_is_unlimited(
    installation, draw, owner, operator, tenant
):
    other = tenant()
    installation.change_organization(other.organization_id, profile="experiencelocal")
    limited = installation.client(["keyturn:keys:read"], organization=other.organization_id)
    by = {"by": operator.admin}
    assert draw(limited.client_id, **by) == {"minute": (1, 29), "day": (1, 99)}
    assert draw(limited.client_id, route_class="widget", **by) == {"minute": (1, 99)}
    assert draw(limited.client_id, route_class="report", **by) == {}
    free = installation.client(["keyturn:keys:read"], organization=owner.organization_id)
    assert draw(free.client_id) == {}


@pytest.mark.row("S2-1")
def test_another_organizations_credential_does_not_exist(key, tenant, asker):
    for by, credential in ((tenant().admin, key.id), (asker, "key_nobody"), (asker, "nobody")):
        refused = by.post("/v1/leases", json={"credential_id": credential})
        assert (refused.status_code, refused.json()["error"]["message"]) == (
            404,
            "No such credential",
        )


def test_an_api_that_draws_uses_nothing_of_its_own_limits(installation, api, owner, key):
    own = installation.api_key(
        ["keyturn:introspect"], organization=owner.organization_id, rate_limits=["1/day"]
    )
    drawing = api(own.key)
    for _ in range(3):
        answer = drawing.post("/v1/leases", json={"credential_id": key.id})
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers
    assert [drawing.get("/v1/me").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "credential_id"),
        ({"credential_id": "a b"}, "credential_id"),
        ({"credential_id": "x", "permits": -1}, "permits"),
        ({"credential_id": "x", "permits": 1_000_001}, "permits"),
        ({"credential_id": "x", "needed": "1"}, "needed"),
        ({"credential_id": "x", "held": [{"window": "day"}]}, "held.0.permits"),
        ({"credential_id": "x", "held": [{"window": "day", "permits": -1}]}, "held.0.permits"),
        ({"credential_id": "x", "held": {"day": 1}}, "held"),
        ({"credential_id": "x", "route_class": "x" * 33}, "route_class"),
        ({"credential_id": "x", "scopes": []}, "scopes"),
    ],
)
def test_bad_input_is_named(asker, body, field):
    response = asker.post("/v1/leases", json=body)
    assert response.status_code == 400
    assert [one["field"] for one in response.json()["error"]["details"]] == [field]
