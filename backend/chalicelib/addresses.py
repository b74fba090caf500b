"""Whether an address lies on the public internet: one pure rule, the same on every Python that we run on.

`ipaddress.is_global` alone lets 224.0.0.1, fec0::1, ::127.0.0.1 and 64:ff9b::a9fe:a9fe pass, and what it says of some
networks changes with Python's patch version, so it only has the last word after the lists below.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

REFUSED_V4 = (
    IPv4Network("168.63.129.16/32"),  # Azure's host, reachable from every machine there
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments, RFC 6890; Oracle's metadata service is 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
)
# All that is handed out for hosts, RFC 4291, section 2.4, and IANA's registry. Outside it lie loopback, unique local,
# link-local, site-local and multicast addresses, 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), the v4 addresses that are
# written into ::/96 and ::ffff:0:0:0/96, and 5f00::/16 (segment routing).
GLOBAL_V6 = IPv6Network("2000::/3")
REFUSED_V6 = (
    IPv6Network("2001::/23"),  # IETF protocol assignments, RFC 2928; 2001::/32 (Teredo) carries a v4 address
    IPv6Network("2001:db8::/32"),  # documentation, RFC 3849
    IPv6Network("2002::/16"),  # 6to4, RFC 3056: carries a v4 address
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Say whether a stranger may make us connect to an address.

    Args:
        address: as the resolver gave it. A v4 address inside a v6 one (RFC 4291, section 2.5.5.2) is judged as itself.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return _is_public_v6(address)
        address = address.ipv4_mapped
    return _is_unicast(address) and not any(address in net for net in REFUSED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address not in GLOBAL_V6 or any(address in net for net in REFUSED_V6):
        return False
    # ISATAP, RFC 5214, section 6.1: the lower half is 5efe and a v4 address, whatever its "u" and "g" bits say.
    return (int(address) >> 32) & 0xFCFF_FFFF != 0x5EFE and _is_unicast(address)


def _is_unicast(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved
