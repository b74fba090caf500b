"""The rule for addresses: the table, and what holds for every address there is.

A test named `test_row_NN_…` proves row NN of the table of untrusted input.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.addresses import is_public
from tests.backend.web import ALLOWED, REFUSED

# Written out here from RFC 6890 and IANA's registries, so that the rule is held against something other than itself.
NETS = {
    5: ["127.0.0.0/8", "0.0.0.0/8", "::/128", "::1/128"],
    6: ["169.254.0.0/16", "168.63.129.16/32", "fd00:ec2::/32"],
    7: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10", "fec0::/10"],
    8: ["100.64.0.0/10"],
    9: [
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
        "3fff::/20",
        "198.18.0.0/15",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "ff00::/8",
        "5f00::/16",
        "100::/64",
    ],
    10: ["::ffff:169.254.0.0/112", "::ffff:127.0.0.0/104", "::ffff:10.0.0.0/104", "::ffff:192.168.0.0/112"],
    11: ["::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "2001::/23"],
}
Address = IPv4Address | IPv6Address


def inside(net: str) -> st.SearchStrategy[Address]:
    """Any address of a network."""
    network = ip_network(net)
    return st.integers(0, network.num_addresses - 1).map(lambda offset: network[offset])


def test_the_table_is_as_long_as_promised() -> None:
    assert sum(map(len, REFUSED.values())) >= 36
    assert sum(map(len, ALLOWED.values())) >= 7


@pytest.mark.parametrize(
    "address",
    [pytest.param(text, id=f"row_{row:02} {text}") for row, texts in REFUSED.items() for text in texts],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [pytest.param(text, id=f"row_{row:02} {text}") for row, texts in ALLOWED.items() for text in texts],
)
def test_its_public_neighbour_is_not(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "net", [pytest.param(net, id=f"row_{row:02} {net}") for row, nets in NETS.items() for net in nets]
)
def test_every_address_of_a_special_network_is_refused(net: str) -> None:
    network = ip_network(net)
    assert not is_public(network[0])
    assert not is_public(network[-1])

    @given(inside(net))
    def refused(address: Address) -> None:
        assert not is_public(address)

    refused()


@given(st.ip_addresses())
def test_nothing_passes_that_python_does_not_call_global(address: Address) -> None:
    if is_public(address):
        plain = getattr(address, "ipv4_mapped", None) or address
        assert plain.is_global
        assert not (plain.is_private or plain.is_multicast or plain.is_reserved or plain.is_loopback)
        assert not (plain.is_link_local or plain.is_unspecified)


@given(st.ip_addresses(v=4))
def test_every_other_v4_address_passes(address: IPv4Address) -> None:
    special = [net for nets in NETS.values() for net in map(ip_network, nets) if isinstance(net, IPv4Network)]
    assert is_public(address) != any(address in net for net in special)


@given(inside("2000::/3"))
def test_every_other_v6_address_passes(address: IPv6Address) -> None:
    special = [net for nets in NETS.values() for net in map(ip_network, nets) if isinstance(net, IPv6Network)]
    isatap = address.exploded[20:].replace(":", "")[:8] in ("00005efe", "01005efe", "02005efe", "03005efe")
    assert is_public(address) != (isatap or any(address in net for net in special))


@given(st.ip_addresses(v=4))
def test_row_10_a_v4_address_is_judged_as_itself_inside_a_v6_one(address: IPv4Address) -> None:
    assert is_public(IPv6Address(f"::ffff:{address}")) == is_public(address)


@given(
    st.sampled_from([0x00005EFE, 0x01005EFE, 0x02005EFE, 0x03005EFE]),
    st.ip_addresses(v=4),
    st.ip_addresses(network="2606:4700::/32"),
)
def test_row_11_no_isatap_address_passes_whatever_it_carries(mark: int, inner: IPv4Address, outer: IPv6Address) -> None:
    prefix = int(outer) >> 64 << 64
    assert not is_public(IPv6Address(prefix | mark << 32 | int(inner)))
    assert is_public(IPv6Address(prefix | (mark ^ 1) << 32 | int(inner)))


def test_a_zone_makes_no_address_public() -> None:
    assert not is_public(ip_address("fe80::1%eth0"))
