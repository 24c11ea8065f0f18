"""Coarse networks: one spelling each, and none for what is no address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.networks import coarse_network, is_coarse


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:0DB8:0001::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("192.0.2.0/24", None),
        ("192.0.2.077", None),
        ("localhost", None),
        ("", None),
        (None, None),
    ],
)
def test_networks_of_addresses(address, network):
    assert coarse_network(address) == network


@given(st.ip_addresses())
def test_every_address_has_one(address):
    network = coarse_network(str(address))
    assert is_coarse(network)
    assert coarse_network(network.partition("/")[0]) == network


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1/24", "192.0.2.0/25", "192.0.2.0", "192.0.2.0/24 ", "2001:DB8:1::/48",
     "2001:db8::/32", "::ffff:192.0.2.0/24", "x/24", "/24", ""],
)  # fmt: skip
def test_no_other_spelling_is_taken(text):
    assert not is_coarse(text)
