"""Plans, which the operator makes, and the page that tells everybody what theirs allows."""

import pytest

from app.admin import plans, standing
from tests.support.pages import form_of

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def plan(installation):
    """A plan; answers its id."""

    def make(**also):
        new = plans.NewPlan(**{"name": installation._name("plan"), **also})
        return plans.create(installation.desk, installation.operator, new).id

    return make


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 403), ("developer", 403), ("auditor", 403)]
)
def test_plans_are_for_owners_of_the_operator(site, installation, plan, role, status):
    made = plan()
    insider = site(role=role)
    stranger = site(role=role, organization_id=installation.organization())
    for path in ("/plans", "/plans/new", f"/plans/{made}", f"/plans/{made}/edit"):
        assert insider.get(path).status_code == status, path
        assert stranger.get(path).status_code == 403, path
    assert ('href="/dashboard/plans"' in insider.get("/limits").text) == (status == 200)
    assert 'href="/dashboard/plans"' not in stranger.get("/limits").text
    refused = stranger.post(f"/plans/{made}/delete", stranger.token())
    assert refused.status_code == 403


def test_a_plan_is_made_changed_and_deleted(site, installation):
    ada = site()
    typed = {
        "name": "Growth",
        "max_active_keys": "5",
        "rate_limits": "30/minute:booking\r\n\r\n 100/day:booking \r\n1000/minute",
    }
    form = {**ada.form("/plans/new"), **typed}
    made = ada.post("/plans/new", form)
    assert ada.post("/plans/new", form).headers["Location"] == made.headers["Location"]
    page = ada.follow(made.headers["Location"]).text
    for text in ("Growth", "30 each minute", "100 each day", "1,000 each minute", "Every other"):
        assert text in page
    path = made.headers["Location"].removeprefix("/dashboard")
    opened = ada.form(f"{path}/edit")
    assert opened["max_active_keys"] == ["5"]
    assert opened["rate_limits"][0].split() == typed["rate_limits"].split()
    ada.send(f"{path}/edit", max_active_keys="", rate_limits="", custom_key_limits="y")
    page = ada.get(path).text
    assert "no cap" in page
    assert "30 each minute" not in page

    owner = installation.organization(plan_id=path.removeprefix("/plans/"))
    refused = ada.send(f"{path}/delete")
    assert refused.status_code == 409
    assert "Organizations are on this plan" in refused.text
    installation.change_organization(owner, plan_id=None)
    assert ada.send(f"{path}/delete").headers["Location"] == "/dashboard/plans"
    assert ada.get(path).status_code == 404


@pytest.mark.parametrize(
    ("typed", "field", "says"),
    [
        ({"name": ""}, "name", "required"),
        ({"name": "Taken"}, "name", "A plan of this name exists"),
        ({"max_active_keys": "many"}, "max_active_keys", "Not a valid integer"),
        ({"max_active_keys": "-1"}, "max_active_keys", "between 0 and"),
        ({"rate_limits": "a hundred"}, "rate_limits", "LIMIT/WINDOW"),
        ({"rate_limits": "1/fortnight"}, "rate_limits", "one of: second, minute"),
        ({"rate_limits": "1/day\n2/day"}, "rate_limits", "two limits for the same day"),
        ({"rate_limits": f"1/day:{NASTY}"}, "rate_limits", "lower-case letters"),
    ],
)
def test_a_refusal_stands_at_its_field(site, installation, plan, typed, field, says):
    listed = plans.list_page(installation.desk, installation.operator).data
    if not any(one.name == "Taken" for one in listed):
        plan(name="Taken")
    refused = site().send("/plans/new", **{"name": "Fine", **typed})
    assert refused.status_code in (400, 409)
    at = refused.text.index(f'id="{field}-wrong"')
    assert says in refused.text[at : refused.text.index("</div>", at)]
    assert NASTY not in refused.text
    kept = form_of(refused)
    for name, value in typed.items():
        assert kept[name][0].split() == value.split()


@pytest.mark.parametrize("role", ["owner", "admin", "developer", "auditor"])
def test_everybody_sees_what_their_plan_allows(site, installation, plan, role):
    made = plan(
        name=f"Small {role}", max_active_keys=2, rate_limits=("30/minute:booking", "100/day")
    )
    owner = installation.organization(
        scopes=["bookings:read"], plan_id=made, rate_limits=("7/second:widget", "9/hour:booking")
    )
    ada = site(role=role, organization_id=owner)
    installation.api_key(organization=owner)
    page = ada.get("/limits").text
    assert f"Small {role}" in page
    assert "1 of 2" in page
    assert "Said by" in page
    for text in ("30 each minute", "100 each day"):
        assert text in page
    told = standing.show(installation.desk, installation.operator, organization_id=owner)
    assert (told.plan, told.active_keys, told.max_active_keys) == (f"Small {role}", 1, 2)
    assert {(one.route_class, one.limit, one.source) for one in told.limits} == {
        ("booking", 30, "plan"),
        (None, 100, "plan"),
    }
    # The plan speaks for all classes: what the organization says of some is not reached.
    assert "7 each second" not in page
    assert "9 each hour" not in page
    assert "No further key" not in page
    installation.api_key(organization=owner)
    page = ada.get("/limits").text
    assert "2 of 2" in page
    assert "No further key" in page


def test_without_a_plan_the_settings_and_the_profile_speak(site, installation):
    owner = installation.organization(
        profile="experiencelocal", rate_limits=("5/minute:booking",), scopes=["bookings:read"]
    )
    page = site(organization_id=owner).get("/limits").text
    assert "nothing is capped" in page
    rows = {
        row.split("</th>")[0]: row
        for row in page.split('<th scope="row">')[1:]
        if "</th>" in row and "each" in row
    }
    assert "5 each minute" in rows["booking"]
    assert "settings" in rows["booking"]
    assert "100 each minute" in rows["widget"]
    assert "profile" in rows["widget"]


def test_how_a_credential_stands(site, installation):
    owner = installation.organization(scopes=["bookings:read"])
    key = installation.api_key(organization=owner, rate_limits=("40/minute:booking",))
    ada = site(organization_id=owner)
    page = ada.get("/limits", credential=key.id).text
    assert "40 each minute" in page
    assert "<td>40</td>" in page
    for unknown in ("key_nobody", NASTY, installation.api_key(rate_limits=("8/day",)).id):
        page = ada.get("/limits", credential=unknown).text
        assert "No credential of yours" in page
        assert "8 each day" not in page
        assert NASTY not in page
