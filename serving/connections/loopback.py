"""Keeps connections to this machine away from the proxy that the environment names."""

import os
from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Final

# How gRPC, urllib and the libraries on top of them name this machine.
_HOSTS: Final = ("localhost", "127.0.0.1", "::1")

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


def channel_options(address: str) -> tuple[tuple[str, int], ...]:
    """Return the gRPC options of a channel to `address`: gRPC sends loopback to a proxy too, unless told."""
    return (("grpc.enable_http_proxy", 0),) if is_loopback(address) else ()


def is_loopback(address: str) -> bool:
    """Return whether gRPC's target, such as host:port or dns:///host:port, is this machine."""
    target = address.rpartition("/")[2].removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:")
    # Not the colons of a bare IPv6 address, which has no port.
    host = target.rpartition(":")[0] if target.count(":") == 1 or "]:" in target else target
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip = ip_address(host)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified


def bypass_proxy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Add this machine to `no_proxy`, which other libraries read, here and in child processes."""
    if not any(environment.get(name) or environment.get(name.upper()) for name in _PROXIES):
        return
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if (hosts := [host.strip() for host in given.split(",") if host.strip()]) == ["*"]:
        return
    # Both, because some libraries read only one of them.
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(dict.fromkeys([*hosts, *_HOSTS]))
