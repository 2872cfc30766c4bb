"""Refuses addresses that the steps of a run on Kubeflow cannot reach, before anything is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pipelines.kubernetes_config import SECRET_FOLDER
from pipelines.pipeline_arguments import ADDRESSES
from pipelines.run_receivers import is_loopback
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
        elif is_loopback(address):
            yield _loopback(key, address)
    yield from _receiver_faults(settings)


def _receiver_faults(settings: Settings) -> Iterator[str]:
    """Check the addresses of those who are told how a run ended, as the steps see them."""
    webhook, key_file, pushgateway = settings.webhook_url, settings.webhook_key_file, settings.pushgateway
    if is_loopback(pushgateway):
        yield _loopback("PENCHANT_PUSHGATEWAY", pushgateway)
    if is_loopback(webhook):
        yield _loopback("PENCHANT_WEBHOOK_URL", "(not shown)")
    files = {
        "PENCHANT_WEBHOOK_URL": Path(webhook) if webhook.startswith("/") else None,
        "PENCHANT_WEBHOOK_KEY_FILE": key_file,
        "PENCHANT_PSEUDONYM_KEY_FILE": settings.pseudonym_key_file,
    }
    for key, file in files.items():
        if file and not (
            (settings.secret_name and file.is_relative_to(SECRET_FOLDER))
            or (settings.volume_claim and file.is_relative_to(settings.home))
        ):
            yield (
                f"{key}={file}: expected a file in {SECRET_FOLDER}, where PENCHANT_SECRET_NAME is mounted in "
                "each step"
            )


def _loopback(key: str, address: str) -> str:
    return f"{key}={address}, which is this machine: set an address that the cluster can resolve"


def _local_path(address: str) -> Path | None:
    """Return the path that an address names: a plain path, a file:// URL, or an SQLite URL."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return Path(address) if address.startswith(("/", ".")) else None
    if scheme == "file" or scheme.split("+")[0] == "sqlite":
        return Path(rest.removeprefix("/") if scheme != "file" else rest)
    return None
