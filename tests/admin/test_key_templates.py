"""A key outlives the template it was made by (C-4)."""

from __future__ import annotations

import json

import pytest

from app.admin.key_templates import MAX_FORMER
from app.errors import Conflict
from keyturn import KeyTemplate
from keyturn.errors import InvalidToken, Reason

BASE36 = {"prefix": "el", "alphabet": "base36", "checksum_length": 4}
TEMPLATES = [
    {},
    BASE36,
    {**BASE36, "length": 40},
    {**BASE36, "checksum": "none"},
    {"prefix": "sk_rsv", "environments": []},
    {"prefix": "", "environments": [], "checksum": "none", "alphabet": "hex"},
    {"length": 64},
]


def reason(house, key):
    """Why the server refuses a key; None: it does not."""
    try:
        house.services.credentials.api_key(key)
    except InvalidToken as error:
        return error.reason
    return None


def test_a_changed_template_leaves_every_key_alive(house, tenant):
    made = []
    for template in TEMPLATES:
        house.change_organization(tenant.id, key_template=template)
        made.append(house.api_key(["rooms:read"], organization=tenant.id).key)
    assert [reason(house, key) for key in made] == [None] * len(TEMPLATES)
    assert len({len(key) for key in made}) > 3


def test_what_looks_like_a_former_key_is_still_refused_unseen(house, tenant):
    """A wrong checksum costs no look-up, whatever the template is now."""
    house.change_organization(tenant.id, key_template=BASE36)
    key = house.api_key(["rooms:read"], organization=tenant.id).key
    house.change_organization(tenant.id, key_template={**BASE36, "length": 40})
    slipped = key[:-1] + ("0" if key[-1] != "0" else "1")
    looked_up = house.services.directory.key_lookups.misses
    assert reason(house, slipped) is Reason.BAD_CHECKSUM
    assert house.services.directory.key_lookups.misses == looked_up


def test_the_former_templates_are_shown_and_each_once(house, tenant):
    for template in (BASE36, {}, BASE36):
        house.change_organization(tenant.id, key_template=template)
    [row] = house.rows(
        "SELECT former_key_templates FROM organizations WHERE id = :id", id=tenant.id
    )
    former = row.former_key_templates
    former = json.loads(former) if isinstance(former, str) else former
    assert [KeyTemplate.of(one).prefix for one in former] == ["kt"]


def test_there_is_an_end_to_changing_it(house, tenant):
    for length in range(32, 32 + MAX_FORMER):
        house.change_organization(tenant.id, key_template={"prefix": "z", "length": length})
    with pytest.raises(Conflict) as refused:
        house.change_organization(tenant.id, key_template={"prefix": "z", "length": 64})
    assert refused.value.field == "key_template"
    house.change_organization(tenant.id, key_template={"prefix": "z", "length": 40})
