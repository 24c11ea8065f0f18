"""Limits of keys and plans at the management API."""

import pytest

from app.admin import organizations, plans
from app.admin.organizations import OrganizationChanges
from app.admin.plans import NewPlan, PlanChanges

LIMITED = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining",
           "X-RateLimit-Reset")  # fmt: skip


@pytest.fixture
def ours(installation, tenant):
    """An organization, and how to put it on a plan."""
    made = tenant()

    def on_plan(*rate_limits, **also):
        new = NewPlan(name=f"plan of {made.organization_id}", rate_limits=rate_limits, **also)
        plan = plans.create(installation.desk, installation.operator, new).id
        organizations.update(
            installation.desk,
            installation.operator,
            made.organization_id,
            OrganizationChanges(plan_id=plan),
        )
        return plan

    made.on_plan = on_plan
    return made


def key_of(installation, ours, **also):
    return installation.api_key(["keyturn:keys:read"], organization=ours.organization_id, **also)


def statuses(api, times, path="/v1/me"):
    return [api.get(path).status_code for _ in range(times)]


@pytest.mark.row("S2-59", "S2-63", "S2-64", "S1-19", "S1-20")
def test_n_pass_and_every_answer_says_what_is_left(installation, api, ours):
    ours.on_plan("4/day", "1000/month")
    limited = api(key_of(installation, ours).key)
    paths = ("/v1/me", "/v1/api-keys/key_nobody", "/v1/clients", "/v1/me?no=such", "/v1/me")
    answers = [limited.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 404, 403, 400, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == list("32100")
    for answer in answers:
        assert all(header in answer.headers for header in LIMITED)
        assert answer.headers["RateLimit-Policy"] == '"day";q=4;w=86400, "month";q=1000;w=2592000'
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "rate_limited"
    assert f'"day";r=0;t={refused.headers["Retry-After"]}' in refused.headers["RateLimit"]
    assert '"month";r=996' in refused.headers["RateLimit"]


def test_who_has_no_limits_is_told_of_none(installation, api, ours):
    answer = api(key_of(installation, ours).key).get("/v1/me")
    assert not [header for header in LIMITED if header in answer.headers]


@pytest.mark.row("S1-18", "S3-30")
def test_a_changed_plan_holds_without_new_keys(installation, api, ours):
    limited = api(key_of(installation, ours).key)
    assert statuses(limited, 3) == [200, 200, 200]
    plan = ours.on_plan("2/day")
    assert statuses(limited, 3) == [200, 200, 429]
    plans.update(installation.desk, installation.operator, plan, PlanChanges(rate_limits=["4/day"]))
    assert statuses(limited, 2) == [200, 429]


@pytest.mark.row("S2-59")
def test_a_class_default_of_the_organization_stands_behind_plan_and_key(
    installation, api, ours, operator
):
    """Key before plan, plan before the class's default, and that only for its class."""
    url = f"/v1/organizations/{ours.organization_id}"
    limits = [{"limit": 2, "window": "day", "class": "management"}]
    for others in ([{"limit": 1, "window": "day", "class": "booking"}], limits):
        changed = operator.admin.patch(url, json={"rate_limits": others})
        assert changed.json()["rate_limits"] == others
        assert operator.admin.get(url).json()["rate_limits"] == others
        passed = 3 if others is not limits else 2
        limited = api(key_of(installation, ours).key)
        assert statuses(limited, 3).count(200) == passed
    own = api(key_of(installation, ours, rate_limits=["1/day"]).key)
    assert statuses(own, 2) == [200, 429]
    ours.on_plan("3/day")
    assert statuses(api(key_of(installation, ours).key), 4) == [200, 200, 200, 429]
    refused = operator.admin.patch(url, json={"rate_limits": [{"limit": 1, "window": "eon"}]})
    assert refused.status_code == 400


@pytest.mark.row("S2-4", "S2-8", "S2-66")
def test_keys_have_their_own_counters_and_may_have_their_own_limits(installation, api, ours):
    ours.on_plan("1/day:management", custom_key_limits=True)
    one, other = (api(key_of(installation, ours).key) for _ in range(2))
    more = key_of(installation, ours, rate_limits=["3/day"])
    assert statuses(one, 2) == [200, 429]
    assert statuses(other, 2) == [200, 429]
    assert statuses(api(more.key), 4) == [200, 200, 200, 429]
    body = {"rate_limits": [{"limit": 5, "window": "day"}]}
    operator = api(installation.api_key(["keyturn:*"]).key)
    path = f"/v1/api-keys/{more.id}?organization_id={ours.organization_id}"
    changed = operator.patch(path, json=body)
    assert changed.status_code == 200
    assert statuses(api(more.key), 2) == [200, 429]
    acts = f"/v1/activity?type=api_key.updated&organization_id={ours.organization_id}"
    [event] = operator.get(f"{acts}&target_id={more.id}").json()["data"]
    assert event["request_id"] == changed.headers["X-Request-Id"]
    assert "rate_limits" in str(event["details"])


def test_tokens_of_a_client_are_counted_together(installation, api, ours, token):
    ours.on_plan("3/day")
    client = installation.client(["keyturn:keys:read"], organization=ours.organization_id)
    form = {"grant_type": "client_credentials"}
    tokens = [
        installation.http.post("/oauth/token", auth=tuple(client), data=form).json()["access_token"]
        for _ in range(2)
    ]
    assert [s for text in tokens for s in statuses(api(text), 2)] == [200, 200, 200, 429]


def test_what_is_refused_before_uses_nothing(installation, api, ours):
    ours.on_plan("1/day")
    bound = key_of(installation, ours, allowed_domains=["a.example"])
    presented = api(bound.key)
    assert statuses(presented, 3) == [403, 403, 403]
    good = {"Origin": "https://a.example"}
    assert presented.get("/v1/me", headers=good).status_code == 200
    assert presented.get("/v1/me", headers=good).status_code == 429
    slip = bound.key[:-1] + ("A" if bound.key[-1] != "A" else "B")
    assert statuses(api(slip), 2) == [401, 401]
