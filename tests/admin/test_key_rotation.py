"""A key is followed by another one: the same again, never for longer, and only once."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from app.apikeys import endings, lifecycle, succession
from app.apikeys.values import ApiKeyFilter
from app.errors import AdminError, Conflict
from tests.admin.conftest import Tenant
from tests.admin.test_api_keys import THREADS, make, together


@pytest.mark.row("S2-50", "S2-52", "S2-53", "S2-56")
def test_a_successor_is_the_same_key_again(tenant):
    old = make(
        tenant,
        name="n",
        description="d",
        environment="test",
        scopes=["rooms:write"],
        allowed_ips=["10.0.0.0/8"],
        allowed_domains=["a.example"],
        rate_limits=["5/minute"],
        expires_in=3600,
    )
    new = succession.rotate(
        tenant.desk, tenant.administrator, old.api_key.id, grace_seconds=0, reason="leaver"
    )
    before = lifecycle.show(tenant.desk, tenant.administrator, old.api_key.id)
    assert (before.status, before.rotated_to) == ("rotated", new.api_key.id)
    assert new.key != old.key
    own = {"id", "last_four", "created_at", "updated_at", "rotated_from", "status"}
    for field in dataclasses.fields(new.api_key):
        if field.name not in own:
            assert getattr(new.api_key, field.name) == getattr(old.api_key, field.name), field.name
    assert new.api_key.rotated_from == old.api_key.id
    [event] = tenant.events("api_key.rotated")
    assert "leaver" in str(event.details)


def test_grace_shortens_a_life_and_never_extends_it(tenant):
    soon = make(tenant, expires_in=60).api_key
    succession.rotate(tenant.desk, tenant.administrator, soon.id, grace_seconds=3600)
    assert lifecycle.show(tenant.desk, tenant.administrator, soon.id).expires_at == soon.expires_at
    late = make(tenant).api_key
    succession.rotate(tenant.desk, tenant.administrator, late.id, grace_seconds=3600)
    left = lifecycle.show(tenant.desk, tenant.administrator, late.id)
    assert left.status == "active"
    assert timedelta(minutes=59) < left.expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_the_end_of_grace_is_called_rotated(house, tenant):
    desk = dataclasses.replace(house.desk, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
    old = make(tenant).api_key
    plain = make(tenant, expires_in=60).api_key
    succession.rotate(tenant.desk, tenant.administrator, old.id, grace_seconds=3600)
    for key, status in ((old.id, "rotated"), (plain.id, "expired")):
        assert lifecycle.show(desk, tenant.administrator, key).status == status
        found = lifecycle.list_page(desk, tenant.administrator, ApiKeyFilter(status=status))
        assert [one.id for one in found.data] == [key]


def test_the_profile_says_how_long_grace_is(house, tenant):
    key = make(tenant).api_key
    succession.rotate(tenant.desk, tenant.administrator, key.id)
    assert lifecycle.show(tenant.desk, tenant.administrator, key.id).status == "active"
    house.change_organization(tenant.id, profile="experiencelocal")
    key = make(tenant, environment="live").api_key
    succession.rotate(tenant.desk, tenant.administrator, key.id)
    assert lifecycle.show(tenant.desk, tenant.administrator, key.id).status == "rotated"


@pytest.mark.parametrize("end", [succession.rotate, endings.revoke, lifecycle.disable])
def test_only_an_active_key_is_rotated(tenant, end):
    key = make(tenant).api_key.id
    end(tenant.desk, tenant.administrator, key)
    with pytest.raises(Conflict):
        succession.rotate(tenant.desk, tenant.administrator, key)
    count = 2 if end is succession.rotate else 1
    assert len(lifecycle.list_page(tenant.desk, tenant.administrator).data) == count


@pytest.mark.parametrize("grace", [0, 3600])
def test_rotating_at_once_makes_one_successor(postgres_house, grace):
    tenant = Tenant(postgres_house)
    key = make(tenant).api_key.id
    answers = together(*[
        lambda: succession.rotate(tenant.desk, tenant.administrator, key, grace_seconds=grace)
    ] * THREADS)  # fmt: skip
    made = [answer for answer in answers if not isinstance(answer, AdminError)]
    assert len(made) == 1
    assert {type(answer) for answer in answers if answer not in made} == {Conflict}
    assert len(lifecycle.list_page(tenant.desk, tenant.administrator).data) == 2
    assert len(tenant.events("api_key.rotated")) == 1
