"""Where the feature expressions run: the settings COMPUTE and SPARK_PROPERTIES, and what they may be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

DUCKDB: Final = "duckdb"
ALLOWED: Final = (
    "expected duckdb, local[N] or local[*] (Spark in the step's own process), spark://host:port (a Spark "
    "master) or sc://host:port (Spark Connect)"
)

_LOCAL: Final = re.compile(r"local\[(\*|[1-9]\d*)\]")
_MASTER: Final = re.compile(r"spark://[\w.-]+:\d{1,5}(,[\w.-]+:\d{1,5})*")  # standby masters follow a comma
# Parameters, such as a token, would be readable in a pipeline run; TLS is the exception.
_CONNECT: Final = re.compile(r"sc://[\w.-]+(:\d{1,5})?(/;use_ssl=true)?")

_FORBIDDEN: Final = re.compile(r"password|secret|token|credential|access\.key|^spark\.(master|remote)$", re.I)


@dataclass(frozen=True)
class Compute:
    """Where the feature expressions run."""

    address: str = DUCKDB
    spark_properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_spark(self) -> bool:
        return self.address != DUCKDB

    @property
    def is_connect(self) -> bool:
        return self.address.startswith("sc://")

    @property
    def is_cluster(self) -> bool:
        """Whether other machines read the files."""
        return self.address.startswith(("spark://", "sc://"))


# The default of functions that have a parameter `compute`.
IN_PROCESS: Final = Compute()


def check_address(value: str) -> str:
    """Return `value` if it is an address; raises ValueError that lists what is allowed."""
    if value == DUCKDB or any(pattern.fullmatch(value) for pattern in (_LOCAL, _MASTER, _CONNECT)):
        return value
    raise ValueError(ALLOWED)


def check_properties(values: dict[str, str]) -> dict[str, str]:
    """Return `values` if each is a Spark property that may be seen in a pipeline run; raises ValueError."""
    for name in values:
        if not name.startswith("spark."):
            raise ValueError(
                f"{name!r}: expected the name of a Spark property, such as spark.executor.memory"
            )
        if _FORBIDDEN.search(name):
            raise ValueError(
                f"{name!r} is not set here: PENCHANT_COMPUTE says where Spark runs, and a secret belongs in "
                "the configuration of the Spark cluster, because all who may see a run can read its settings"
            )
    return values
