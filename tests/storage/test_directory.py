"""The directory: what it keeps is right, what is changed it lets go of, and it never grows."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import event

from app.storage.models import ClientRow
from keyturn.recent import Recent
from tests.support.installation import installed
from tests.support.statements import statements

GRANT = {"grant_type": "client_credentials"}


def status(installation, client):
    return installation.http.post("/oauth/token", data=GRANT, auth=client).status_code


# Memory ----------------------------------------------------------------------------------------


class RecentMachine(RuleBasedStateMachine):
    """Whatever is put, read and dropped in whatever order: bounded, and never a stale value."""

    SIZE = 8

    def __init__(self):
        super().__init__()
        self.recent = Recent(self.SIZE)
        self.latest = {}
        self.used = []

    keys = st.integers(0, 20)

    @rule(key=keys, value=st.integers(1, 1000))
    def put(self, key, value):
        self.recent.put(key, value)
        self.latest[key] = value
        self._use(key)

    @rule(key=keys)
    def get(self, key):
        found = self.recent.get(key)
        assert found in (None, self.latest.get(key))
        if found is not None:
            self._use(key)

    @rule(key=keys)
    def drop(self, key):
        self.recent.drop(key)
        self.latest.pop(key, None)
        self.used = [one for one in self.used if one != key]
        assert self.recent.get(key) is None

    @rule()
    def clear(self):
        self.recent.clear()
        self.latest.clear()
        self.used.clear()

    def _use(self, key):
        self.used = [one for one in self.used if one != key] + [key]

    @invariant()
    def bounded(self):
        assert len(self.recent) <= self.SIZE

    @invariant()
    def the_lately_used_are_there(self):
        lately = self.used[-self.SIZE // 2 :]
        for key in lately[-1:]:
            assert self.recent.get(key) == self.latest[key]


TestRecent = RecentMachine.TestCase
TestRecent.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


@given(st.integers(-3, 3))
def test_the_smallest_memory_still_works(size):
    recent = Recent(size)
    for number in range(10):
        recent.put(number, str(number))
        assert recent.get(number) == str(number)
        assert len(recent) <= 2


def test_what_is_read_by_two_at_once_is_found_by_both():
    """While one moves an entry from the old generation to the young, the other must not miss it:
    a miss is a reading of the database, and an error where there is none."""
    missed = []
    for _ in range(200):
        recent = Recent(4)
        recent.put("wanted", 1)
        recent.put("b", 1)
        recent.put("c", 1)  # turns the page: "wanted" is old now
        together = threading.Barrier(4)

        def read(recent=recent, together=together):
            together.wait()
            if recent.get("wanted") is None:
                missed.append(1)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert missed == []


def test_however_many_clients_there_are(tmp_path):
    with installed(tmp_path / "small", KEYTURN_DIRECTORY_SIZE="16") as installation:
        many = [installation.client() for _ in range(60)]
        directory = installation.services.directory
        for client in many + many[:10]:
            assert status(installation, client) == 200
            assert len(directory._clients) <= 16
        for number in range(200):
            unknown = (f"client_{number}", "wrong")
            assert status(installation, unknown) == 401
        assert len(directory._clients) <= 16
        key = [installation.api_key() for _ in range(40)]
        api = installation.client(["keyturn:introspect"])
        for one in key:
            data = {"token": one.key}
            answer = installation.http.post("/oauth/introspect", data=data, auth=api)
            assert answer.json()["active"]
        assert len(directory._keys) <= 16


def test_however_many_questions_a_client_asks(tmp_path):
    """Decisions are kept as well, by what was asked: the client's choice."""
    with installed(tmp_path / "small", KEYTURN_DIRECTORY_SIZE="16") as installation:
        client = installation.client(["bookings:*"])
        server = installation.services.server
        for number in range(100):
            data = GRANT | {"scope": "bookings:read " * (number % 2) + "bookings:cancel"}
            data["resource"] = [installation.services.settings.issuer] * (1 + number % 7)
            response = installation.http.post("/oauth/token", data=data, auth=client)
            assert response.status_code == 200
        assert len(server._decisions) <= 16


# Races -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["client", "organization"])
def test_a_change_while_it_is_read_is_not_lost(any_installation, another_node, what):
    """A reads the row; B changes it and tells everybody; A keeps what it has read: for ever.
    So what is read while something is let go of is used once and not kept."""
    organization = any_installation.organization(scopes=["a:b"])
    client = any_installation.client(["a:b"], organization=organization)
    reader = another_node(any_installation)
    reader.feed.poll()
    has_read, go_on = threading.Event(), threading.Event()
    found = []
    table = {"client": "client_secrets", "organization": "resources"}[what]

    def read():
        if what == "client":
            found.append(reader.directory.client(client.client_id).status)
        else:
            found.append(reader.directory.organization(organization).status)

    reading = threading.Thread(target=read)

    def after(_connection, _cursor, statement, *_):
        # The last statement of this reading: all it will know of the row, it knows.
        if threading.current_thread() is reading and f"FROM {table}" in statement:
            has_read.set()
            assert go_on.wait(20)

    event.listen(reader.store.engine, "after_cursor_execute", after)
    try:
        reading.start()
        assert has_read.wait(20)
        if what == "client":
            any_installation.disable(client.client_id, organization=organization)
        else:
            any_installation.suspend(organization)
        reader.feed.poll()  # told, while the other is still at it
        go_on.set()
        reading.join(timeout=20)
    finally:
        go_on.set()
        event.remove(reader.store.engine, "after_cursor_execute", after)
    assert found == ["active"]  # it was, when it was read
    if what == "client":
        assert reader.directory.client(client.client_id).status == "disabled"
    else:
        assert reader.directory.organization(organization).status == "suspended"


def test_a_revocation_while_the_list_is_read_is_not_lost(any_installation, another_node):
    client = any_installation.client()
    response = any_installation.http.post("/oauth/token", data=GRANT, auth=client)
    token = response.json()["access_token"]
    reader = another_node(any_installation)
    reader.feed.poll()
    has_read, go_on = threading.Event(), threading.Event()
    jti = any_installation.services.credentials.token(token).claims.jti
    reading = threading.Thread(target=reader.directory.is_revoked, args=(jti,))

    def after(_connection, _cursor, statement, *_):
        if threading.current_thread() is reading and "FROM revoked_tokens" in statement:
            has_read.set()
            assert go_on.wait(20)

    event.listen(reader.store.engine, "after_cursor_execute", after)
    try:
        reading.start()
        assert has_read.wait(20)
        any_installation.http.post("/oauth/revoke", data={"token": token}, auth=client)
        reader.feed.poll()
        go_on.set()
        reading.join(timeout=20)
    finally:
        go_on.set()
        event.remove(reader.store.engine, "after_cursor_execute", after)
    assert reader.directory.is_revoked(jti)


# What a request asks of the database -------------------------------------------------------------


@pytest.fixture
def warm(any_installation):
    """An installation whose one client, key and resource server are known."""
    client = any_installation.client(["bookings:*"])
    api = any_installation.client(["keyturn:introspect"])
    key = any_installation.api_key()
    response = any_installation.http.post("/oauth/token", data=GRANT, auth=client)
    token = response.json()["access_token"]
    for presented in (token, key.key):
        data = {"token": presented}
        assert any_installation.http.post("/oauth/introspect", data=data, auth=api).json()["active"]
    return any_installation, client, api, key, token


def test_a_known_clients_grant_asks_nothing_and_writes_nothing(warm):
    installation, client, *_ = warm
    with statements(installation) as made:
        for form in (
            {},
            {"scope": "bookings:read"},
            {"scope": "bookings:*"},
            {"resource": installation.services.settings.issuer},
        ):
            response = installation.http.post("/oauth/token", data=GRANT | form, auth=client)
            assert response.status_code == 200
        for form in ({"scope": "reports:read"}, {"resource": "https://x"}, {"grant_type": "x"}):
            response = installation.http.post("/oauth/token", data=GRANT | form, auth=client)
            assert response.status_code == 400
    assert made == []


def test_introspection_of_what_is_known_asks_nothing(warm):
    installation, _, api, key, token = warm
    with statements(installation) as made:
        for presented in (token, key.key):
            data = {"token": presented}
            answer = installation.http.post("/oauth/introspect", data=data, auth=api)
            assert answer.json()["active"]
    assert made == []


def test_metadata_and_keys_ask_nothing(warm):
    installation, *_ = warm
    installation.http.get("/.well-known/jwks.json")
    with statements(installation) as made:
        installation.http.get("/.well-known/jwks.json")
        installation.http.get("/.well-known/oauth-authorization-server")
        installation.http.get("/health")
    assert made == []


def test_unknown_client_and_wrong_secret_cost_the_same(warm):
    installation, client, *_ = warm
    costs = []
    for credentials in (("client_01zzzzzzzzzzzzzzzzzzzzzzzz", "x"), (client.client_id, "x")):
        with statements(installation) as made:
            assert status(installation, credentials) == 401
        costs.append(made)
    assert costs[0] == costs[1]


def test_a_grant_costs_the_same_among_many_clients(any_installation):
    """The first grant of a client that nobody knows yet, before and after 300 others exist."""

    def cost():
        client = any_installation.client()
        with statements(any_installation) as made:
            assert status(any_installation, client) == 200
        return len(made)

    cost()  # also reads the organization, which they share
    before = cost()
    with any_installation.desk.store.transaction(any_installation.operator) as work:
        model = work.session.query(ClientRow).first()
        columns = {c.name: getattr(model, c.name) for c in ClientRow.__table__.columns}
        for number in range(300):
            work.session.add(ClientRow(**columns | {"client_id": f"client_{number}"}))
    assert cost() == before
