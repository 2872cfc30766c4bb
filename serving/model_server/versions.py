"""Finds the versions of a model on disk, and selects those to serve by a policy."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

# Versions on disk -> versions to serve.
VersionPolicy = Callable[[Collection[int]], set[int]]


def find_versions(base_path: Path) -> dict[int, Path]:
    """Return the directories below `base_path` whose name is a number, by version.

    Of `1` and `01`, the last one in alphabetical order is used, as in TensorFlow Serving
    (sources/storage_path/file_system_storage_path_source.cc).
    """
    directories = sorted(path for path in base_path.iterdir() if path.is_dir())
    return {int(path.name): path for path in directories if re.fullmatch(r"[0-9]+", path.name)}


def latest(count: int) -> VersionPolicy:
    return lambda versions: set(sorted(versions)[-max(count, 1) :])


def all_versions() -> VersionPolicy:
    return lambda versions: set(versions)


def specific(versions: Collection[int]) -> VersionPolicy:
    return lambda on_disk: set(versions) & set(on_disk)


def no_versions() -> VersionPolicy:
    """Return the policy of a model that was removed from the configuration."""
    return lambda versions: set()


def parse_policy(text: str) -> VersionPolicy:
    """Return the policy for a text like `latest:2`, `all` or `specific:3,4`.

    Raises:
        ValueError: the text has another form.
    """
    kind, _, argument = text.partition(":")
    if kind == "all" and not argument:
        return all_versions()
    if kind == "latest" and re.fullmatch(r"[1-9][0-9]*", argument):
        return latest(int(argument))
    if kind == "specific" and re.fullmatch(r"[0-9]+(,[0-9]+)*", argument):
        return specific([int(version) for version in argument.split(",")])
    raise ValueError(f"version policy: expected latest:COUNT, all or specific:VERSION,..., got {text!r}")


def configured_policy(config: "ModelConfig") -> VersionPolicy:
    """Return the policy in a model's configuration; by default the latest version."""
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return all_versions()
    if choice == "specific":
        return specific(policy.specific.versions)
    return latest(policy.latest.num_versions)
