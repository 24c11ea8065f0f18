"""What holds for every page, those to come included: taken from the routes that there are."""

import re
from urllib.parse import quote

import pytest

from app import create_app
from app.admin import sessions
from app.settings import Settings
from app.web.dashboard.people import SHOWN_OF_LEAVER
from tests.support.pages import Site, cells
from tests.support.people import ORIGIN, PASSWORD, invited, signed_in
from tests.support.served import serving

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PATHS = re.compile(r"<(?:\w+:)?(\w+)>")
OPEN = {"/sign-in", "/sign-in/code", "/sign-in/password", "/sign-in/link", "/sign-out", "/theme"}
"""Reached by people who are not signed in."""
NOT_PAGES = {"dashboard.static", "dashboard.unknown"}

RULES = sorted(
    (
        (method, str(rule).removeprefix("/dashboard"), rule.endpoint)
        for rule in create_app(Settings()).url_map.iter_rules()
        if rule.endpoint.startswith("dashboard.") and rule.endpoint not in NOT_PAGES
        for method in (rule.methods or set()) & {"GET", "POST"}
    ),
)
READING = [(path, endpoint) for method, path, endpoint in RULES if method == "GET"]
WRITING = [(path, endpoint) for method, path, endpoint in RULES if method == "POST"]
GUARDED = [one for one in READING if one[0] not in OPEN]
ACTING = [one for one in WRITING if one[0] not in OPEN]

FORMS = {"form": "csv", "part": "general"}
"""Parts of paths that name no object."""
BY_NAME = {"dashboard.scopes", "dashboard.presets"}
"""Areas whose objects are named in the query."""


def ids(rules):
    return [endpoint.removeprefix("dashboard.") for _, endpoint in rules]


class Things:
    """One object of each kind in an organization; every text that somebody can type is evil."""

    def __init__(self, installation, organization_id):
        self.organization_id = organization_id
        at = {"organization": organization_id}
        self.scope = installation.scope(
            installation._name("things").replace(" ", "-") + ":read", description=EVIL, **at
        )
        self.preset = installation.preset(
            installation._name("preset").replace(" ", "-"), [self.scope], **at
        )
        made = {"name": EVIL[:100], "description": EVIL, **at}
        self.resource = installation.resource(
            f"https://{installation._name('r').replace(' ', '')}.example.com", **at
        )
        self.client = installation.client([self.scope], **made)
        self.secret = installation.secret(self.client.client_id, note=EVIL, **at)
        self.key = installation.api_key([self.scope], **made)
        self.person = signed_in(
            installation, name=EVIL[:100], role="auditor", organization_id=organization_id
        )

    def url(self, path, endpoint):
        """The path with these objects in it. A part of a path that is not known here is an error:
        say what it names."""
        known = {
            "client_id": self.client.client_id,
            "secret_id": self.secret.id,
            "key_id": self.key.id,
            "user_id": self.person.user.id,
            "session_id": self.person.opened.session.id,
            "resource_id": self.resource,
            "organization_id": self.organization_id,
            "plan_id": "plan_00000000000000000000000000",
            "kid": "no-such-key",
            **FORMS,
        }
        url = PATHS.sub(lambda found: quote(known[found[1]], safe=""), path)
        if endpoint.rpartition(".")[0] in BY_NAME and not endpoint.endswith((".index", ".new")):
            name = self.scope if "scopes" in endpoint else self.preset
            url += f"?name={quote(name)}"
        return url


@pytest.fixture(scope="module")
def own(installation):
    return Things(installation, installation.organization_id)


@pytest.fixture(scope="module")
def foreign(installation):
    return Things(installation, installation.organization())


@pytest.fixture(scope="module")
def owner(installation, own):
    """A browser of an owner of the operator organization; own, so that its objects exist."""
    person = signed_in(installation)
    site = Site(installation, person.opened.secret, person.user)
    yield site
    site.close()


@pytest.fixture(scope="module")
def tenants_owner(installation):
    """Of an organization with nothing in it, which is not the operator's."""
    person = signed_in(installation, organization_id=installation.organization())
    site = Site(installation, person.opened.secret, person.user)
    yield site
    site.close()


def token(site):
    return site.form("/account/password")["csrf_token"]


# Strangers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "endpoint"), GUARDED, ids=ids(GUARDED))
def test_strangers_are_asked_to_sign_in(stranger, own, path, endpoint):
    answer = stranger.get(own.url(path, endpoint))
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/dashboard/sign-in")


@pytest.mark.parametrize(("path", "endpoint"), ACTING, ids=ids(ACTING))
def test_strangers_forms_do_nothing(stranger, own, path, endpoint):
    form = stranger.form("/sign-in")
    answer = stranger.post(own.url(path, endpoint), {"csrf_token": form["csrf_token"]})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/dashboard/sign-in")


@pytest.mark.parametrize(("path", "endpoint"), WRITING, ids=ids(WRITING))
def test_no_form_acts_without_its_token(owner, own, path, endpoint):
    """Nor with somebody else's (CSRF)."""
    url = own.url(path, endpoint)
    assert owner.post(url, {}).status_code == 400
    other = Site(owner.installation)
    foreign_token = other.form("/sign-in")["csrf_token"]
    assert owner.post(url, {"csrf_token": foreign_token}).status_code == 400


@pytest.mark.parametrize(("path", "endpoint"), WRITING, ids=ids(WRITING))
def test_no_form_of_another_site_acts(owner, own, path, endpoint):
    """Whatever it knows: browsers say where a form comes from."""
    answer = owner.http.post(
        own.url(path, endpoint),
        data={"csrf_token": token(owner)},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


# Headers, and what people typed --------------------------------------------------------------


@pytest.mark.parametrize(("path", "endpoint"), READING, ids=ids(READING))
def test_every_page_loads_nothing_from_elsewhere_and_is_kept_by_nobody(owner, own, path, endpoint):
    headers = owner.get(own.url(path, endpoint)).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(
        policy.split("; ")
    )
    assert headers["Cache-Control"] == "no-store"
    assert "Cookie" in headers["Vary"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(("path", "endpoint"), GUARDED, ids=ids(GUARDED))
def test_what_people_type_is_text(owner, own, path, endpoint):
    """Every name, note and description in these pages is ``EVIL``."""
    page = owner.get(own.url(path, endpoint))
    assert page.status_code < 500
    if page.headers["Content-Type"].startswith("text/html"):
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


def test_the_evil_texts_are_really_there(owner, own):
    """Else the test above would look at nothing."""
    for path in ("/people", "/clients", "/api-keys", f"/clients/{own.client.client_id}"):
        assert "&lt;script&gt;alert(1)" in owner.get(path).text


# Other organizations -------------------------------------------------------------------------

NAMING = [
    (path, endpoint)
    for path, endpoint in sorted(set(READING + WRITING))
    if (set(PATHS.findall(path)) - FORMS.keys() and "session_id" not in path)
    or (endpoint.rpartition(".")[0] in BY_NAME and not endpoint.endswith((".index", ".new")))
]


@pytest.mark.parametrize(("path", "endpoint"), NAMING, ids=ids(NAMING))
def test_another_organizations_objects_are_not_there(tenants_owner, foreign, path, endpoint):
    """By any page, to look at or to act upon (IDOR)."""
    url = foreign.url(path, endpoint)
    allowed = {method for method, one, _ in RULES if one == path}
    before = _standing(tenants_owner.installation)
    gone = {403, 404} if _is_operators(endpoint) else {404}
    if "GET" in allowed:
        answer = tenants_owner.get(url)
        assert answer.status_code in gone
        assert EVIL[:20] not in answer.text
        assert "&lt;script" not in answer.text
    if "POST" in allowed:
        answer = tenants_owner.post(
            url, {"csrf_token": token(tenants_owner), "role": "owner", "reason": "incident"}
        )
        assert answer.status_code in gone
    assert _standing(tenants_owner.installation) == before


def _is_operators(endpoint):
    return endpoint.startswith(
        ("dashboard.organizations", "dashboard.plans", "dashboard.signing_keys")
    )


def _standing(installation):
    """Of everything that could be changed."""
    return [
        [tuple(row) for row in installation.rows(statement)]
        for statement in (
            "SELECT client_id, status, updated_at FROM clients ORDER BY 1",
            "SELECT id, revoked_at FROM client_secrets ORDER BY 1",
            "SELECT id, status, updated_at FROM api_keys ORDER BY 1",
            "SELECT id, role, status, password_hash, sign_in_digest FROM users ORDER BY 1",
            "SELECT id FROM resources ORDER BY 1",
            "SELECT organization_id, name FROM scopes ORDER BY 1, 2",
            "SELECT organization_id, name FROM presets ORDER BY 1, 2",
        )
    ]


def test_another_persons_session_is_not_ended(owner, own):
    """Not even one of the same organization."""
    session = own.person.opened
    path = f"/account/sessions/{session.session.id}/end"
    owner.post(path, {"csrf_token": token(owner)})
    assert sessions.find(owner.installation.desk, session.secret)


# The password again --------------------------------------------------------------------------

CONFIRMED = {
    "api_key_ends.compromised", "api_key_ends.revoke", "api_key_ends.rotate", "api_keys.new",
    "client_secrets.end", "client_secrets.new", "clients.delete", "clients.new",
    "organizations.suspend", "plans.delete", "presets.delete", "resources.delete", "scopes.remove",
    "people.credentials", "people.disable", "people.enable", "people.new", "people.remove",
    "people.reset", "people.role", "people.second_factor", "people.sign_out",
    "second_factor.begin", "second_factor.recovery_codes",
    "signing_keys.retire", "signing_keys.rotate",
}  # fmt: skip
"""What makes a secret, destroys a credential, or changes what people may do."""


@pytest.mark.parametrize(("path", "endpoint"), ACTING, ids=ids(ACTING))
def test_the_password_is_asked_for_where_it_should_be(a_while_ago, own, path, endpoint):
    before = _standing(a_while_ago.installation)
    url = own.url(path, endpoint)
    answer = a_while_ago.post(url, {"csrf_token": token(a_while_ago), "name": "", "typed": EVIL})
    asked = "Confirm that it is you" in answer.text
    assert asked is (endpoint.removeprefix("dashboard.") in CONFIRMED), answer.status_code
    if asked:
        assert answer.status_code == 403
        assert "<script>alert" not in answer.text
        assert f'action="/dashboard{url}"' not in answer.text  # sent to where it is
        assert _standing(a_while_ago.installation) == before


def test_after_the_password_the_same_form_goes_on(a_while_ago):
    form = {**a_while_ago.form("/people/new"), "email": "later@example.com", "role": "auditor"}
    asked = a_while_ago.post("/people/new", form)
    assert PASSWORD not in asked.text
    again = {**form, "confirm_password": "not it"}
    assert "This is not your password" in a_while_ago.post("/people/new", again).text
    secret = a_while_ago.http.cookies["keyturn_session"]
    made = a_while_ago.post("/people/new", {**form, "confirm_password": PASSWORD})
    assert made.status_code == 200
    assert "/dashboard/sign-in#" in made.text
    assert a_while_ago.http.cookies["keyturn_session"] != secret
    # A reload of what has made the link shows neither the link nor makes another person.
    repeated = a_while_ago.post("/people/new", form)
    assert repeated.status_code == 303
    assert "was done already" in a_while_ago.http.get(repeated.headers["Location"]).text


# Roles ---------------------------------------------------------------------------------------

MAY = {
    "/api-keys": {"owner", "admin", "developer", "auditor"},
    "/api-keys/{key}": {"owner", "admin", "developer", "auditor"},
    "POST /api-keys/new": {"owner", "admin", "developer"},
    "POST /api-keys/{key}/rotate": {"owner", "admin", "developer"},
    "POST /api-keys/{key}/compromised": {"owner", "admin", "developer"},
    "POST /api-keys/{key}/status": {"owner", "admin", "developer"},
    "POST /api-keys/{key}/revoke": {"owner", "admin", "developer"},
    "/people": {"owner", "admin", "auditor"},
    "POST /people/new": {"owner", "admin"},
    "POST /people/{user}/remove": {"owner", "admin"},
    "/requests": {"owner", "admin", "developer", "auditor"},
    "/": {"owner", "admin", "developer", "auditor", "member"},
}
"""Who is not refused."""


def test_what_a_leaver_made_is_shown_by_pages_and_all_ends(installation, site):
    tenant = installation.organization(scopes=["a:b"])
    eve = invited(installation, organization_id=tenant).user.id
    for _ in range(SHOWN_OF_LEAVER + 2):
        installation.api_key(["a:b"], organization=tenant)
    client = installation.client(["a:b"], organization=tenant)
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE api_keys SET created_by = ? WHERE organization_id = ?", (eve, tenant)
        )
        connection.exec_driver_sql(
            "UPDATE client_secrets SET created_by = ? WHERE client_id = ?", (eve, client.client_id)
        )
    ada, path = site(organization_id=tenant), f"/people/{eve}/credentials"
    first = ada.get(path).text
    assert len(cells(first, "API keys")) == SHOWN_OF_LEAVER
    assert 'aria-label="Client secrets"' not in first
    [further] = re.findall(r'href="([^"]+)"[^>]*>Next<', first)
    last = ada.follow(further).text
    assert (len(cells(last, "API keys")), len(cells(last, "Client secrets"))) == (2, 1)
    assert ">Next<" not in last
    assert f'href="/dashboard{path}">To the first<' in last
    wrong = ada.get(path, cursor="no such")
    assert wrong.status_code == 400
    assert 'role="alert">cursor is not one' in wrong.text
    further = further.removeprefix("/dashboard")
    assert ada.send(further, reason="employee_left").status_code == 303
    assert "No more" in ada.get(further).text
    gone = ada.get(path).text
    assert "Nothing left" in gone


@pytest.mark.row("S1-11")
@pytest.mark.row("S2-47")
@pytest.mark.parametrize("role", ["owner", "admin", "developer", "auditor", "member"])
@pytest.mark.parametrize("action", MAY, ids=str)
def test_who_may_do_what(installation, site, role, action):
    """Each action by each role: a 403 that names the scope, or anything but that."""
    someone = site(role=role)
    method, _, path = action.rpartition(" ")
    path = path.format(
        key=installation.api_key(["keyturn:audit:read"]).id,
        user=invited(installation, role="member").user.id,
    )
    if method:
        form = {"csrf_token": token(someone), "once": "x" * 22, "name": "One", "status": "disabled",
                "scopes": ["keyturn:audit:read"], "expires_in": "", "grace": "0",
                "email": "", "role": "member"}  # fmt: skip
        answer = someone.post(path, form)
    else:
        answer = someone.get(path)
    assert (answer.status_code != 403) is (role in MAY[action]), answer.text
    if answer.status_code == 403:
        assert "keyturn:" in answer.text
    assert answer.status_code < 500


def test_the_menu_shows_what_one_may_see(site):
    assert "/dashboard/people" in site(role="auditor").get("/").text
    for role in ("developer", "member"):
        assert "/dashboard/people" not in site(role=role).get("/").text


# Several workers -----------------------------------------------------------------------------


def test_a_session_is_the_same_in_every_worker(fresh_installation):
    person = signed_in(fresh_installation)
    with serving(fresh_installation, workers=2) as server:
        cookie = {"Cookie": f"keyturn_session={person.opened.secret}"}
        for _ in range(20):
            assert server.get("/dashboard/", headers=cookie).status_code == 200
        sessions.end_own(
            fresh_installation.desk,
            person.opened.session,
            person.opened.session.id,
            ORIGIN,
        )
        for _ in range(20):
            assert server.get("/dashboard/", headers=cookie).status_code == 303
