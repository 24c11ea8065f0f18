"""A form that is sent several times at once makes one thing, on both databases."""

import re
from concurrent.futures import ThreadPoolExecutor

from tests.support import people
from tests.support.pages import Site

THREADS = 6
SECRET = re.compile(r'<code id="secret">([^<]+)</code>')


def test_a_form_that_is_sent_many_times_at_once_makes_one_key(any_installation):
    person = people.signed_in(any_installation)
    ada = Site(any_installation, person.opened.secret, person.user)
    form = {
        **ada.form("/api-keys/new"),
        "name": "At once",
        "scopes": ["bookings:read"],
        "environment": "live",
    }
    # As when the feed has just been lost: what the directory knew is read from the database again.
    any_installation.services.directory.drop_everything()
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(lambda _: ada.post("/api-keys/new", form), range(THREADS)))
    ada.close()
    [made] = any_installation.rows("SELECT id FROM api_keys WHERE name = 'At once'")
    assert sorted(answer.status_code for answer in answers) == [200] + [303] * (THREADS - 1)
    for answer in answers:
        if answer.status_code == 200:
            assert SECRET.search(answer.text)
        else:
            assert answer.headers["Location"] == f"/dashboard/api-keys/{made.id}"
    events = any_installation.rows(
        "SELECT count(*) FROM audit_events WHERE type = 'api_key.created'"
    )
    assert events == [(1,)]
