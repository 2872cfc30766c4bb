"""Where the parts stand that training and serving share; settings are read once, at an entry point."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


class Addresses(BaseSettings):
    """Every address defaults to an embedded part below `home`; each is one variable (PENCHANT_…) away.

    A password belongs into the mounted secret of its own client (PGSERVICEFILE, AWS_…), not into an address:
    addresses are pipeline parameters, and those are shown to everyone who may see a run.
    """

    model_config = SettingsConfigDict(
        env_prefix="PENCHANT_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    # What stands for an address that isn't given.
    EMBEDDED: ClassVar[dict[str, str]] = {
        "interaction_log": "sqlite:///{home}/interaction_log.db",
        "registry": "{home}/feast/registry.db",
        "online_store": "{home}/feast/online_store.db",
        "releases": "{home}/releases",
    }

    home: Path = Field(Path(".penchant"), description="holds everything that embedded parts keep")
    interaction_log: str = Field("", description="SQLAlchemy URL: sqlite or postgresql")
    registry: str = Field("", description="Feast's registry: a file or a SQL URL")
    online_store: str = Field("", description="Feast's online store: a SQLite file or redis://host:port")
    releases: str = Field("", description="where releases are published: a directory or an fsspec URL")

    def model_post_init(self, context: Any, /) -> None:
        home = self.home.expanduser().absolute()
        object.__setattr__(self, "home", home)
        for name, embedded in self.EMBEDDED.items():
            if not getattr(self, name):
                object.__setattr__(self, name, embedded.format(home=home))

    @classmethod
    def load(cls, **given: Any) -> Self:
        """From the environment, overridden by what is given and not None.

        Raises:
            ValueError: names each key, its value and what is allowed; a secret is not shown.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise ValueError("settings: " + "; ".join(_fault(fault) for fault in error.errors())) from error
        except SettingsError as error:
            raise ValueError(f"settings: {error}; expected JSON there") from error


def _fault(fault: Any) -> str:
    if not fault["loc"]:
        return str(fault["msg"])
    key = str(fault["loc"][0])
    value = "(not shown)" if key == "tokens" else repr(fault["input"])
    return f"PENCHANT_{key.upper()}={value}: {fault['msg']}"
