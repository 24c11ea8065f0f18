"""Scopes, presets and resources: who may do what, what a form refuses, and what a page shows."""

from html import unescape

import pytest

from tests.support.pages import form_of
from tests.support.people import PASSWORD

NASTY = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)"
READERS = ("owner", "admin", "developer", "auditor")
WRITERS = ("owner", "admin")
AREAS = ("scopes", "presets", "resources")
NEW = {
    "scopes": {"name": "rooms:read", "description": "Look at rooms"},
    "presets": {"name": "visitors", "scopes": ["bookings:read"], "wildcards": "reports:*"},
    "resources": {"identifier": "https://rooms.example.com", "scopes": ["bookings:read"]},
}
REFUSED = [
    ("scopes", {"name": ""}, "name", "This field is required"),
    ("scopes", {"name": "rooms read"}, "name", "printable ASCII"),
    ("scopes", {"name": "keyturn:rooms"}, "name", "are built in"),
    ("scopes", {"name": "bookings:read"}, "name", "declared already"),
    ("scopes", {"name": "a:b", "implies": ["c:d"]}, "implies", "is not a valid choice"),
    ("scopes", {"name": "a:b", "description": "x" * 1001}, "description", "at most 1000"),
    ("presets", {"name": "a b", "scopes": ["bookings:read"]}, "name", "letters, digits"),
    ("presets", {"name": "empty"}, "scopes", "at least one entry"),
    ("presets", {"name": "wild", "wildcards": "halls:*"}, "wildcards", "Unknown scope: halls:*"),
    ("resources", {"identifier": "rooms"}, "identifier", "absolute URI"),
    ("resources", {"identifier": "https://a.example/#b"}, "identifier", "without fragment"),
    ("resources", {"identifier": "a:b", "name": "\u202ex"}, "name", "control character"),
    (
        "resources",
        {"identifier": "a:b", "environments": ["moon"]},
        "environments",
        "is not a valid choice",
    ),
]


@pytest.mark.parametrize("role", READERS)
def test_all_read_and_some_write(site, role):
    somebody = site(role=role)
    for area in AREAS:
        listed = somebody.get(f"/{area}")
        assert listed.status_code == 200
        assert (f'href="/dashboard/{area}/new"' in listed.text) == (role in WRITERS)
        opened = somebody.get(f"/{area}/new")
        sent = somebody.post(f"/{area}/new", {**somebody.token(), "once": "x" * 16})
        if role in WRITERS:
            assert (opened.status_code, sent.status_code) == (200, 400)
        else:
            assert (opened.status_code, sent.status_code) == (403, 403)
            assert "keyturn:scopes:write" in opened.text


@pytest.mark.parametrize("area", AREAS)
def test_what_is_made_is_shown_once_made(site, installation, area):
    somebody = site()
    form = {**somebody.form(f"/{area}/new"), **NEW[area]}
    made = somebody.post(f"/{area}/new", form)
    assert made.status_code == 303, made.text
    page = somebody.follow(made.headers["Location"])
    assert page.status_code == 200
    for value in NEW[area].values():
        assert (value if isinstance(value, str) else value[0]) in page.text

    again = somebody.post(f"/{area}/new", form)
    assert (again.status_code, again.headers["Location"]) == (303, made.headers["Location"])
    assert "done already" in somebody.follow(made.headers["Location"]).text
    table = {"scopes": "scope.added", "presets": "preset.created", "resources": "resource.created"}
    events = installation.rows(
        "select id from audit_events where type = :type and actor_type = 'user'", type=table[area]
    )
    assert len(events) == 1


@pytest.mark.parametrize(("area", "typed", "field", "says"), REFUSED)
def test_a_refusal_stands_at_its_field_and_keeps_what_was_typed(site, area, typed, field, says):
    refused = site().send(f"/{area}/new", **typed)
    assert refused.status_code in (400, 409)
    text = refused.text
    at = text.index(f'id="{field}-wrong"')
    assert says in text[at : text.index("</div>", at)]
    assert f'aria-describedby="{field}-about {field}-wrong"' in text or (
        f'aria-describedby="{field}-wrong"' in text
    )
    kept = form_of(refused)
    for name, value in typed.items():
        if isinstance(value, str):
            assert kept[name] == [value]


def test_a_scope_is_changed_and_removed(site, installation):
    somebody = site()
    installation.scope("lists:read", description="Look")
    installation.scope("lists:write")
    changed = somebody.send(
        "/scopes/edit?name=lists:write", description="Change", implies=["lists:read"], public="y"
    )
    assert changed.headers["Location"] == "/dashboard/scopes/show?name=lists:write"
    page = somebody.get("/scopes/show", name="lists:write").text
    assert "Change" in page
    assert "may hold it" in page
    assert "Scope</td>" in somebody.get("/scopes/show", name="lists:read").text

    refused = somebody.send("/scopes/remove?name=lists:read")
    assert refused.status_code == 409
    assert "Still named by scope lists:write" in refused.text
    for name in ("lists:write", "lists:read"):
        assert somebody.send(f"/scopes/remove?name={name}").headers["Location"].endswith("/scopes")
        assert somebody.get("/scopes/show", name=name).status_code == 404


def test_who_names_a_scope(site, installation):
    installation.scope("guests:read")
    client = installation.client(["guests:read"], name=NASTY)
    key = installation.api_key(["guests:read"])
    gone = installation.api_key(["guests:read"])
    installation.revoke_key(gone.id)
    installation.preset("greeters", ["guests:read"])
    resource = installation.resource("urn:guests", scopes=["guests:read"])
    page = site(role="auditor").get("/scopes/show", name="guests:read").text
    for named in (client.client_id, key.id, "greeters", resource, ESCAPED):
        assert named in page
    assert gone.id not in page
    for link in (f"/clients/{client.client_id}", f"/api-keys/{key.id}", f"/resources/{resource}"):
        assert f'href="/dashboard{link}"' in page
    assert NASTY not in page


@pytest.mark.parametrize(
    ("query", "found", "missing"),
    [
        ({"search": "BOOKINGS:c"}, ["bookings:create", "bookings:cancel"], ["bookings:read"]),
        ({"search": "nobody has this"}, ["None fits"], ["bookings:read"]),
        ({"search": "rotate and retire"}, ["None fits"], ["keyturn:signing-keys:write"]),
        (
            {"search": "rotate and retire", "all": "yes"},
            ["keyturn:signing-keys:write"],
            ["None fits"],
        ),
        ({"search": "%"}, ["None fits"], []),
    ],
)
def test_scopes_are_found_by_what_they_say(site, query, found, missing):
    page = site(role="developer").get("/scopes", **query).text
    assert all(text in page for text in found)
    assert not any(f"<code>{text}</code>" in page for text in missing)


def test_long_lists_have_pages(site, installation):
    owner = installation.organization()
    for number in range(60):
        installation.scope(f"long:s{number:02}", organization=owner)
    somebody = site(role="admin", organization_id=owner)
    first = somebody.get("/scopes").text
    assert "long:s49" in first
    assert "long:s50" not in first
    further = first.split('rel="next" href="')[1].split('"')[0]
    second = somebody.follow(further).text
    assert "long:s50" in second
    assert "long:s49" not in second
    assert "To the first" in second


def test_what_a_preset_opens(site, installation):
    installation.preset("opener", ["bookings:write", "reports:*"])
    installation.resource("https://bookings.example.com", scopes=["bookings:create"])
    page = site().get("/presets/show", name="opener").text
    row = page[page.index("<code>bookings:create</code></th>") :]
    assert "<code>bookings:write</code>" in row.split("</tr>")[0]
    assert "https://bookings.example.com" in row.split("</tr>")[0]
    assert "<code>reports:read</code></th>" in page
    assert "bookings:cancel" not in page


def test_a_preset_is_changed_and_deleted_and_takes_nothing_away(site, installation):
    somebody = site()
    installation.preset("changing", ["bookings:read", "reports:*"])
    key = installation.api_key(preset="changing")
    opened = somebody.form("/presets/edit?name=changing")
    assert (opened["scopes"], opened["wildcards"]) == (["bookings:read"], ["reports:*"])
    somebody.send("/presets/edit?name=changing", scopes=["bookings:cancel"], wildcards="")
    assert "bookings:cancel" in somebody.get("/presets/show", name="changing").text
    assert somebody.send("/presets/delete?name=changing").status_code == 303
    assert somebody.get("/presets/show", name="changing").status_code == 404
    held = installation.rows("select scopes from api_keys where id = :id", id=key.id)[0][0]
    assert "bookings:read" in held


def test_a_resource_is_changed_and_not_deleted_under_its_clients(site, installation):
    somebody = site()
    made = installation.resource("https://kept.example.com")
    typed = {"name": "Kept", "environments": ["test"], "profile": "reservekit"}
    saved = somebody.send(f"/resources/{made}/edit", **typed)
    page = somebody.follow(saved.headers["Location"]).text
    assert "<h1>Kept</h1>" in page
    assert "reservekit" in page
    somebody.send(f"/resources/{made}/edit", profile="")
    assert installation.rows("SELECT profile FROM resources WHERE id = :i", i=made) == [(None,)]
    client = installation.client(audiences=["https://kept.example.com"])
    refused = somebody.send(f"/resources/{made}/delete")
    assert refused.status_code == 409
    assert client.client_id in refused.text
    installation.delete_client(client.client_id)
    assert somebody.send(f"/resources/{made}/delete").status_code == 303
    assert somebody.get(f"/resources/{made}").status_code == 404


def test_what_is_anothers_does_not_exist(site, installation):
    other = installation.organization(scopes=["theirs:read"])
    installation.preset("theirs", ["theirs:read"], organization=other)
    resource = installation.resource("urn:theirs", organization=other)
    somebody = site()
    for path in (
        "/scopes/show?name=theirs:read",
        "/scopes/edit?name=theirs:read",
        "/presets/show?name=theirs",
        "/presets/edit?name=theirs",
        f"/resources/{resource}",
        f"/resources/{resource}/edit",
        f"/resources/{resource}/delete",
    ):
        assert somebody.get(path).status_code == 404, path
    for path in (
        "/scopes/remove?name=theirs:read",
        "/presets/delete?name=theirs",
        f"/resources/{resource}/delete",
    ):
        assert somebody.post(path, somebody.token()).status_code == 404, path
    assert site(organization_id=other).get(f"/resources/{resource}").status_code == 200


def test_texts_are_no_markup(site, installation):
    installation.scope("nasty:read", description=NASTY)
    somebody = site()
    made = somebody.send("/resources/new", identifier="urn:nasty", name=NASTY)
    resource = made.headers["Location"].removeprefix("/dashboard")
    for path in (
        "/scopes",
        "/scopes/show?name=nasty:read",
        "/scopes/edit?name=nasty:read",
        "/resources",
        resource,
        f"{resource}/edit",
        f"{resource}/delete",
    ):
        page = somebody.get(path).text
        assert NASTY not in page
        assert ESCAPED in page
    refused = somebody.send("/presets/new", name=NASTY, description=NASTY, wildcards=NASTY)
    assert refused.status_code == 400
    assert NASTY not in refused.text
    assert refused.text.count(ESCAPED) >= 3


@pytest.mark.parametrize("name", ["a/../b:c", "..", "//evil.example", "a?b=c&d", "a%2Fb", "a#b"])
def test_odd_names_have_pages(site, installation, name):
    installation.scope(name)
    somebody = site()
    page = somebody.get("/scopes", search=name).text
    link = page.split('<th scope="row"><a href="')[1].split('"')[0]
    assert somebody.follow(link).status_code == 200
    assert somebody.send(f"/scopes/remove?{unescape(link).partition('?')[2]}").status_code == 303


def test_what_ends_something_asks_for_the_password_again(site, installation):
    ada = site()
    installation.scope("ending:read")
    with installation.desk.store.begin() as connection:
        connection.exec_driver_sql("UPDATE sessions SET confirmed_at = NULL")
    asked = ada.send("/scopes/remove?name=ending:read")
    assert asked.status_code == 403
    assert "Your password" in asked.text
    assert ada.get("/scopes/show", name="ending:read").status_code == 200
    form = {**form_of(asked), "confirm_password": PASSWORD}
    assert ada.post("/scopes/remove?name=ending:read", form).status_code == 303
    assert site().get("/scopes/show", name="ending:read").status_code == 404
