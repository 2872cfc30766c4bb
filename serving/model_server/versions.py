"""Which versions of a model stand on disk, and which of them are to be served."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

# Versions found -> versions to serve.
VersionPolicy = Callable[[Collection[int]], set[int]]


def find_versions(base_path: Path) -> dict[int, Path]:
    """Version -> its directory, for every directory under `base_path` named by a number.

    Of `1` and `01` the last in order of name counts, as in TensorFlow Serving
    (sources/storage_path/file_system_storage_path_source.cc).
    """
    directories = sorted(path for path in base_path.iterdir() if path.is_dir())
    return {int(path.name): path for path in directories if re.fullmatch(r"[0-9]+", path.name)}


def latest(count: int) -> VersionPolicy:
    return lambda found: set(sorted(found)[-max(count, 1) :])


def every() -> VersionPolicy:
    return lambda found: set(found)


def specific(versions: Collection[int]) -> VersionPolicy:
    return lambda found: set(versions) & set(found)


def none() -> VersionPolicy:
    """The policy of a model that has left the configuration."""
    return lambda found: set()


def parse_policy(text: str) -> VersionPolicy:
    """The policy that `latest:2`, `all` or `specific:3,4` names.

    Raises:
        ValueError: it names none.
    """
    kind, _, argument = text.partition(":")
    if kind == "all" and not argument:
        return every()
    if kind == "latest" and re.fullmatch(r"[1-9][0-9]*", argument):
        return latest(int(argument))
    if kind == "specific" and re.fullmatch(r"[0-9]+(,[0-9]+)*", argument):
        return specific([int(version) for version in argument.split(",")])
    raise ValueError(f"version policy: expected latest:COUNT, all or specific:VERSION,..., got {text!r}")


def configured_policy(config: "ModelConfig") -> VersionPolicy:
    """The policy that a model's configuration asks for: the latest version when it says nothing."""
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return every()
    if choice == "specific":
        return specific(policy.specific.versions)
    return latest(policy.latest.num_versions)
