"""Scenarios: named policies for kinds of answers, such as a feed, an ad slot or an e-mail."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.ranking.candidate_set import SOURCES

SHIPPED: Final = Path(__file__).with_name("scenarios.toml")

_STRICT: Final = ConfigDict(frozen=True, extra="forbid")


class FrequencyCap(BaseModel):
    """An item that the user was shown `impressions` times within the last `days` is not answered."""

    model_config = _STRICT

    impressions: int = Field(ge=1)
    days: float = Field(gt=0, le=366)


class Exploration(BaseModel):
    """How a share of the requests is explored; serving.ranking.exploration explains the methods."""

    model_config = _STRICT

    method: Literal["epsilon_greedy", "plackett_luce"]
    share: float = Field(gt=0, le=1)
    epsilon: float = Field(default=0.1, gt=0, le=1)
    temperature: float = Field(default=1.0, gt=0)
    pool: int = Field(default=50, ge=1, le=1000)
    floor: float = Field(default=2.0, ge=0)


class Scenario(BaseModel):
    """One scenario; the default sets no condition. `scenarios.toml` describes each key."""

    model_config = _STRICT

    name: str = ""
    objective: Literal["score", "expected_value"] = "score"
    domain: str = ""
    categories: tuple[str, ...] = ()
    exclude_categories: tuple[str, ...] = ()
    exclude_item_ids: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    max_followed: int = Field(default=50, ge=0, le=1000)
    max_per_category: int | None = Field(default=None, ge=1)
    min_fresh_share: float = Field(default=0.0, ge=0, le=1)
    diversity: float = Field(default=0.0, ge=0, le=1)
    frequency_cap: FrequencyCap | None = None
    record_impressions: bool = False
    exploration: Exploration | None = None
    balance_exposure: bool = False

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        unknown = sorted(set(self.sources) - set(SOURCES))
        if unknown:
            raise ValueError(f"sources: {unknown} are unknown; allowed are {', '.join(SOURCES)}")
        return self

    @model_validator(mode="after")
    def _check_exploration(self) -> Self:
        if self.exploration and (self.diversifies or self.objective != "score"):
            raise ValueError(
                "exploration: the probabilities of its places are not known with diversity, min_fresh_share, "
                'max_per_category or objective = "expected_value"; leave these out'
            )
        return self

    @model_validator(mode="after")
    def _check_balance(self) -> Self:
        if self.balance_exposure and self.objective != "score":
            raise ValueError(
                'balance_exposure: its offsets belong to scores; leave out objective = "expected_value"'
            )
        if self.balance_exposure and self.exploration:
            raise ValueError(
                "balance_exposure: clicks on its answers can't be estimated for another release; leave out "
                "exploration, or explore in a scenario of its own"
            )
        return self

    @property
    def is_by_score(self) -> bool:
        """Whether the answer is the k best items by score, in this order."""
        reorders = self.diversifies or self.exploration is not None or self.balance_exposure
        return self.objective == "score" and not reorders

    @property
    def diversifies(self) -> bool:
        """Whether the scenario can select other items than the k with the highest values, or reorder them."""
        return bool(self.max_per_category or self.min_fresh_share or self.diversity)


def load_scenarios(file: Path | None = None) -> Mapping[str, Scenario]:
    """Return the scenarios of a TOML file by name; those of `scenarios.toml` if no file is given.

    Raises:
        ValueError: the file can't be read, or a key is unknown or out of range; says what is allowed.
    """
    file = file or SHIPPED
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"scenarios {file}: expected a readable TOML file: {error}") from error
    return {name: _scenario(name, table, file) for name, table in tables.items()}


def _scenario(name: str, table: object, file: Path) -> Scenario:
    if not isinstance(table, dict) or "name" in table:
        raise ValueError(f"scenarios {file}: {name}: expected a table [{name}] of keys, among {_allowed()}")
    try:
        return Scenario(name=name, **table)
    except ValidationError as error:
        errors = "; ".join(_describe(each["loc"], each["msg"], each["type"]) for each in error.errors())
        raise ValueError(f"scenarios {file}: [{name}] {errors}") from error


def _describe(location: tuple[int | str, ...], message: str, kind: str) -> str:
    key = ".".join(map(str, location))
    if kind == "extra_forbidden":
        return f"{key} is unknown; allowed are {_allowed(_TABLES.get(str(location[0]), Scenario))}"
    return f"{key}: {message}" if key else message


_TABLES: Final[dict[str, type[BaseModel]]] = {"frequency_cap": FrequencyCap, "exploration": Exploration}


def _allowed(model: type[BaseModel] = Scenario) -> str:
    return ", ".join(key for key in model.model_fields if key != "name")
