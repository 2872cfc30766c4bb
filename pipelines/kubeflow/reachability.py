"""Refuses addresses that the steps of a run on Kubeflow cannot reach, before anything is sent."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pipelines.pipeline_arguments import ADDRESSES
from pipelines.settings import Settings

# Parameter of the pipelines -> what sets it, for the addresses of settings.
_SETTING: Final = "PENCHANT_{}"
_OPTIONS: Final = {
    "interactions_file": "--interactions",
    "items_file": "--items",
    "users_file": "--users",
}


def check_reachable(settings: Settings, arguments: dict[str, Any]) -> None:
    """Check the addresses among the parameters of a pipeline.

    A path is reachable only inside the home, and only if PENCHANT_VOLUME_CLAIM mounts the home in each step.

    Raises:
        ValueError: lists each address that is a path of this machine, or its loopback interface.
    """
    faults = list(_faults(settings, arguments))
    if faults:
        raise ValueError("the steps on Kubeflow cannot reach " + "; ".join(faults))


def _faults(settings: Settings, arguments: dict[str, Any]) -> Iterator[str]:
    names = {name: _SETTING.format(name.upper()) for name in ADDRESSES} | _OPTIONS
    for name, key in names.items():
        address = arguments.get(name) or ""
        if path := _local_path(address):
            if not settings.volume_claim:
                expected = "a URL" if name in _OPTIONS else "a server or a bucket"
                yield (
                    f"{key}={address}, a path of this machine: set {expected}, or PENCHANT_VOLUME_CLAIM, "
                    "which mounts the home"
                )
            elif not path.is_relative_to(settings.home):
                yield f"{key}={address}: PENCHANT_VOLUME_CLAIM mounts {settings.home} alone"
        elif _is_loopback(address):
            yield f"{key}={address}, which is this machine: set an address that the cluster can resolve"


def _local_path(address: str) -> Path | None:
    """Return the path that an address names: a plain path, a file:// URL, or an SQLite URL."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return Path(address) if address.startswith(("/", ".")) else None
    if scheme == "file" or scheme.split("+")[0] == "sqlite":
        return Path(rest.removeprefix("/") if scheme != "file" else rest)
    return None


def _is_loopback(address: str) -> bool:
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
