"""Keys that another system has given out: taken over whole, once, and without being shown."""

from __future__ import annotations

import hashlib
import json

import pytest

from app.apikeys import endings
from app.apikeys.importing import ForeignKey, import_keys
from app.apikeys.values import NewApiKey
from app.errors import AdminError, Conflict, Forbidden, Invalid, PlanLimit
from keyturn.apikey import DEFAULT_API_KEY
from tests.admin.test_api_keys import make, on_plan, together

OPAQUE = "abcdef1234567890"
STRONG = "Zm9vYmFyLWJhei1xdXV4LXZlcnktbG9uZw"


def sha256(key):
    return hashlib.sha256(key.encode()).hexdigest()


def foreign(place="line 1", *, key=None, sha256=None, prefix="", last_four="", **new):
    new = {"name": "x", **({} if "preset" in new else {"scopes": ["rooms:read"]}), **new}
    return ForeignKey(
        place=place, new=NewApiKey(**new), key=key, sha256=sha256, prefix=prefix,
        last_four=last_four,
    )  # fmt: skip


def imported(tenant, *keys, actor=None, **also):
    return import_keys(tenant.desk, actor or tenant.administrator, keys, **also)


def count(tenant):
    [row] = tenant.house.rows(
        "SELECT count(*) AS n FROM api_keys WHERE organization_id = :id", id=tenant.id
    )
    return row.n


@pytest.mark.row("S4-3")
def test_a_key_is_kept_as_its_hash_with_what_was_said_of_it(house, tenant):
    clear, hashed = imported(
        tenant,
        foreign(key=OPAQUE + tenant.id, name="clear", allowed_ips=["10.0.0.0/8"], expires_in=60),
        foreign("line 2", sha256=sha256(STRONG + tenant.id), environment="test", prefix="sk",
                last_four="abcd", scopes=["rooms:*"]),
    )  # fmt: skip
    assert (clear.is_new, clear.api_key.prefix, clear.api_key.name) == (True, "", "clear")
    assert clear.api_key.allowed_ips == ("10.0.0.0/8",)
    assert clear.api_key.expires_at is not None
    assert (hashed.api_key.prefix, hashed.api_key.last_four) == ("sk", "abcd")
    assert hashed.api_key.scopes == ("rooms:create", "rooms:read", "rooms:write")
    for one, key, environment in ((clear, OPAQUE, "live"), (hashed, STRONG, "test")):
        found = house.services.credentials.api_key(key + tenant.id).key
        assert (found.id, found.environment) == (one.api_key.id, environment)
    events = tenant.events("api_key.imported")
    assert [event.target_id for event in events] == [clear.api_key.id, hashed.api_key.id]


def test_a_second_time_changes_nothing(tenant):
    keys = [foreign(key=STRONG + tenant.id), foreign("line 2", key=STRONG + tenant.id)]
    first, again = imported(tenant, *keys)
    assert (first.is_new, again.is_new, again.api_key.id) == (True, False, first.api_key.id)
    endings.revoke(tenant.desk, tenant.administrator, first.api_key.id)
    [known] = imported(tenant, foreign(key=STRONG + tenant.id, name="other"))
    assert (known.is_new, known.api_key.status, known.api_key.name) == (False, "revoked", "x")
    assert len(tenant.events("api_key.imported")) == 1


def test_the_same_hash_or_key_with_other_settings_is_refused(tenant):
    with pytest.raises(Conflict, match="line 2: the key of line 1, with other settings"):
        imported(
            tenant,
            foreign(key=STRONG + tenant.id),
            foreign("line 2", key=STRONG + tenant.id, scopes=["desks:read"]),
        )
    assert count(tenant) == 0


BAD = {
    "neither": ({}, "give either key or sha256"),
    "both": ({"key": STRONG, "sha256": sha256(STRONG)}, "give either key or sha256"),
    "no hash": ({"sha256": "ab" * 31}, "64 hexadecimal digits"),
    "short": ({"key": "abc1234"}, "8 to 512 characters"),
    "long": ({"key": "a" * 513}, "8 to 512 characters"),
    "blank": ({"key": "two words of it"}, "no Authorization header takes"),
    "not ASCII": ({"key": "schlüssel-1234567"}, "no Authorization header takes"),
    "token": ({"key": "SG.abcdefgh.ijklmnop"}, "taken for a token"),
    "like ours": ({"key": "kt_live_" + "a" * 32}, "none of their form"),
    "no name": ({"key": STRONG, "name": " "}, "name must have"),
    "scope": ({"key": STRONG, "scopes": ["rooms:paint"]}, "rooms:paint"),
    "neither scope": ({"key": STRONG, "scopes": None}, "scopes or a preset"),
    "preset": ({"key": STRONG, "preset": "nosuch"}, "No such preset: nosuch"),
    "environment": ({"key": STRONG, "environment": "stage"}, "environment must be one of"),
    "past": ({"key": STRONG, "expires_in": 0}, "expires_in must lie"),
    "address": ({"key": STRONG, "allowed_ips": ["10.1"]}, "Not an address"),
    "kind": ({"key": STRONG, "kind": "publishable"}, "needs a domain"),
    "shown": ({"sha256": sha256(STRONG), "last_four": "abcde"}, "at most 4"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_entries_are_named_and_leave_nothing(tenant, case):
    said, why = BAD[case]
    with pytest.raises(Invalid) as refused:
        imported(tenant, foreign(key=OPAQUE + tenant.id), foreign("line 2", **said))
    assert refused.value.description.startswith("line 2: ")
    assert why in refused.value.description
    assert count(tenant) == 0
    assert not tenant.events("api_key.imported")


def test_every_bad_entry_is_named_up_to_ten(tenant):
    with pytest.raises(Invalid) as refused:
        imported(tenant, *(foreign(f"line {n}", key="short") for n in range(1, 15)))
    said = refused.value.description.split("; ")
    assert (len(said), said[9][:8], said[10]) == (11, "line 10:", "and 4 more")


def test_a_key_in_a_wrong_column_is_not_repeated(tenant):
    for column in ("allowed_ips", "allowed_domains", "scopes"):
        with pytest.raises(Invalid) as refused:
            imported(tenant, foreign(sha256=sha256("x"), **{column: [OPAQUE + '"']}))
        assert OPAQUE not in refused.value.description


def test_anothers_key_is_refused(tenant, other):
    made = make(other)
    with pytest.raises(Conflict, match="another organization's"):
        imported(tenant, foreign(key=made.key))
    assert count(tenant) == 0


def test_a_former_key_of_ours_keeps_its_prefix(tenant):
    [one] = imported(tenant, foreign(key=DEFAULT_API_KEY.generate("live")))
    assert (one.api_key.prefix, one.is_weak) == ("kt_live", False)


@pytest.mark.parametrize(
    ("key", "weak"),
    [(OPAQUE, True), ("0123456789" * 3, True), ("0123456789" * 4, False), ("ab" * 16, False),
     ("Xy1" * 7, True), (STRONG, False)],
)  # fmt: skip
def test_a_key_that_could_be_guessed_is_told(tenant, key, weak):
    # Keys are known to the installation as a whole, so each is imported once a database.
    [one] = imported(tenant, foreign(key=key))
    assert one.is_weak is weak


def test_the_cap_of_the_plan(house, tenant):
    on_plan(house, tenant, max_active_keys=2)
    make(tenant)
    two = [foreign(f"line {n}", key=f"{STRONG}{n}{tenant.id}") for n in range(2)]
    with pytest.raises(PlanLimit):
        imported(tenant, *two)
    assert count(tenant) == 1
    with pytest.raises(Forbidden):
        imported(tenant, *two, over_plan=True)
    imported(tenant, *two, actor=house.operator, organization_id=tenant.id, over_plan=True)
    assert count(tenant) == 3
    imported(tenant, *two)  # known, so nothing is to fit
    assert "over_plan" in str(tenant.events("api_key.imported")[0].details)


def test_nobody_gives_what_they_do_not_hold(tenant):
    keeper = tenant.actor(["keyturn:keys:write", "desks:read"])
    with pytest.raises(Forbidden, match="line 1: You cannot give"):
        imported(tenant, foreign(key=STRONG + tenant.id), actor=keeper)
    with pytest.raises(Forbidden):
        imported(tenant, foreign(key=STRONG + tenant.id), actor=tenant.actor(["rooms:read"]))


def test_two_that_import_the_same_at_once_make_it_once(tenant):
    answers = together(
        *[lambda: imported(tenant, foreign(key=STRONG + tenant.id)) for _ in range(4)]
    )
    made = [one for one in answers if not isinstance(one, AdminError)]
    assert sum(one.is_new for [one] in made) == 1
    assert count(tenant) == 1


# On the command line ------------------------------------------------------------------------


def test_json_lines(flask, installation, tmp_path):
    file = tmp_path / "keys.jsonl"
    file.write_text(
        json.dumps({"key": OPAQUE, "name": "page", "scopes": ["bookings:read"]})
        + "\n\n"
        + json.dumps({"sha256": sha256(STRONG), "name": "backend", "rate_limits": ["9/minute"]})
    )
    also = ("--environment", "test", "--scope", "bookings:* reports:read")
    result = flask("key", "import", str(file), *also, "--json")
    assert result.exit_code == 0, result.output
    page, backend = json.loads(result.stdout)["data"]
    assert (page["outcome"], page["place"], page["environment"]) == ("imported", "line 1", "test")
    assert (page["scopes"], backend["place"]) == (["bookings:read"], "line 3")
    assert len(backend["scopes"]) == 5
    assert result.stderr == "line 1: this key is so short that it could be guessed\n"
    assert OPAQUE not in result.output
    asker = installation.client(["keyturn:introspect"])
    answer = installation.http.post("/oauth/introspect", data={"token": OPAQUE}, auth=asker)
    assert (answer.json()["client_id"], answer.json()["active"]) == (page["id"], True)
    again = flask.ok("key", "import", str(file), *also)
    assert again.count("known") == 2
    shown = flask.ok("key", "inspect", "--environment", "test", stdin=STRONG)
    assert "BLOCKS" not in shown


def test_csv(flask, tmp_path):
    file = tmp_path / "keys.csv"
    file.write_text(
        "\ufeffname,key,scopes,allowed_ips,expires_at\n"
        '"shop, east",sk-0123456789abcdefghijklmnopqrstuv,bookings:read reports:read,'
        "10.0.0.1 10.0.0.2,2099-01-01T00:00:00Z\n"
        "back,sk-vutsrqponmlkjihgfedcba9876543210,bookings:read,,\n",
        encoding="utf-8",
    )
    shop, back = flask.json("key", "import", str(file))["data"]
    assert (shop["name"], shop["scopes"]) == ("shop, east", ["bookings:read", "reports:read"])
    assert (shop["allowed_ips"], shop["expires_at"][:4]) == (["10.0.0.1", "10.0.0.2"], "2099")
    assert (back["allowed_ips"], back["expires_at"], back["last_four"]) == ([], None, "3210")


FILES = {
    "not JSON": ("{", "line 1: not JSON"),
    "no object": ("[]", "line 1: not a JSON object"),
    "unknown field": ('{"name": "x", "secret": "s"}', "line 1: fields are"),
    "wrong type": ('{"name": 1}', "line 1: name is of the wrong type"),
    "no list": ('{"name": "x", "scopes": "a b"}', "line 1: scopes is of the wrong type"),
    "no name": ('\n{"key": "0123456789"}', "line 2: name is missing"),
    "no time": ('{"name": "x", "expires_at": "tomorrow"}', "line 1: expires_at must be"),
    "no zone": (
        json.dumps({"name": "x", "key": STRONG[::-1], "scopes": ["bookings:read"],
                    "expires_at": "2099-01-01"}),
        "line 1: expires_at must say its time zone",
    ),
    "not UTF-8": (b"\xff\xfe", "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_files_that_cannot_be_read(flask, case):
    content, why = FILES[case]
    assert why in flask.refused("key", "import", "-", stdin=content)


@pytest.mark.parametrize(
    ("content", "why"),
    [("name,key\nx", "line 2: not as many fields"), ("name,key\nx,y,z", "line 2: not as many"),
     ('name,key\n"x', "not CSV"), ("name,colour\nx,red", "line 2: fields are")],
)  # fmt: skip
def test_csv_that_cannot_be_read(flask, content, why):
    assert why in flask.refused("key", "import", "-", "--format", "csv", stdin=content)
