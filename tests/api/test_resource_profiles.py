"""Presentation profiles per API: a resource's own, its organization's, and who may ask."""

import json

import pytest

from tests.api.support import fields_of

ONE, OTHER = "https://one.example", "https://other.example"


@pytest.fixture
def owner(tenant, operator):
    made = tenant()
    path = f"/v1/organizations/{made.organization_id}"
    assert operator.admin.patch(path, json={"profile": "reservekit"}).status_code == 200
    for identifier, profile in ((ONE, "astrocal"), (OTHER, None)):
        body = {"identifier": identifier, "profile": profile}
        assert made.admin.post("/v1/resources", json=body).json()["profile"] == profile
    return made


def chosen(api, **params):
    answer = api.get("/v1/profile", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["profile"], answer.json()["source"]


@pytest.mark.row("S0-16")
def test_the_resources_goes_before_the_organizations(owner):
    assert chosen(owner.admin, resource=ONE) == ("astrocal", "resource")
    for params in ({"resource": OTHER}, {"resource": "https://nobody.example"}, {}):
        assert chosen(owner.admin, **params) == ("reservekit", "organization")


def test_it_can_be_changed_and_taken_back(owner):
    found = owner.admin.get("/v1/resources").json()["data"]
    path = next(f"/v1/resources/{one['id']}" for one in found if one["identifier"] == ONE)
    assert owner.admin.patch(path, json={"profile": "oauth"}).json()["profile"] == "oauth"
    assert chosen(owner.admin, resource=ONE) == ("oauth", "resource")
    assert owner.admin.patch(path, json={"profile": None}).json()["profile"] is None
    assert chosen(owner.admin, resource=ONE) == ("reservekit", "organization")


def test_there_must_be_such_a_profile(operator):
    body = {"identifier": "urn:shiny", "profile": "shiny"}
    refused = operator.admin.post("/v1/resources", json=body)
    assert (refused.status_code, fields_of(refused)) == (400, ["profile"])


def test_another_organizations_resource_says_nothing(owner, tenant):
    assert chosen(tenant().admin, resource=ONE) == ("problem+json", "organization")


def test_who_asks_without_the_library_is_told_with_the_verdict(owner, installation):
    key = installation.api_key(["rooms:read"], organization=owner.organization_id)
    for presented in (key.key, "kt_live_cut"):
        for resource, profile in ((ONE, "astrocal"), (None, "reservekit")):
            body = {"key": presented} | ({} if resource is None else {"resource": resource})
            answer = owner.admin.post("/v1/api-keys/verify", json=body)
            assert answer.json()["profile"] == profile


def test_oauth_endpoints_are_never_restyled(owner, installation):
    client = installation.client(["rooms:read"], organization=owner.organization_id)
    form = {"grant_type": "client_credentials", "resource": ONE, "scope": "nothing"}
    answer = installation.http.post("/oauth/token", auth=client, data=form).json()
    assert set(answer) == {"error", "error_description"}


def test_on_the_command_line(installation, owner):
    run = installation.app.test_cli_runner().invoke
    named = ["--org", owner.organization_id, "--json"]
    made = json.loads(
        run(args=["resource", "create", "urn:cli", "--profile", "oauth", *named]).stdout
    )
    assert made["profile"] == "oauth"
    for also, profile in ((["--profile", "astrocal"], "astrocal"), (["--no-profile"], None)):
        done = run(args=["resource", "update", made["id"], *also, *named])
        assert json.loads(done.stdout)["profile"] == profile
