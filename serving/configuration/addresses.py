"""The addresses that training and serving share, read from the environment."""

import os
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from feature_repo.printable_text import printable
from feature_repo.pseudonyms import Pseudonyms, read_pseudonyms
from serving.configuration.encrypted_home import open_home
from serving.configuration.encryption_key import read_encryption_key
from serving.configuration.variables import check_names

# TensorFlow finds no model below a folder with one of these in its name.
_PATTERNS: Final = ("*", "[", "\\")

# Settings whose value may be a secret; the path of a webhook often is.
_SECRETS: Final = ("tokens", "webhook_url")


class Addresses(BaseSettings):
    """Each address defaults to an embedded store below `home`; a variable PENCHANT_… sets another one.

    Put a password into a secret that the client library reads (PGSERVICEFILE, AWS_…), not into an address:
    addresses are pipeline parameters, which everyone who may see a run can read.
    """

    model_config = SettingsConfigDict(
        env_prefix="PENCHANT_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    # The default of each address that is left empty; in a URL the characters ?, # and % of a path are quoted.
    EMBEDDED: ClassVar[dict[str, str]] = {
        "interaction_log": "sqlite:///{quoted_home}/interaction_log.db",
        "registry": "{home}/feast/registry.db",
        "online_store": "{home}/feast/online_store.db",
        "releases": "{home}/releases",
    }

    home: Path = Field(Path(".penchant"), description="the folder of all embedded stores")
    interaction_log: str = Field("", description="SQLAlchemy URL: sqlite or postgresql")
    registry: str = Field("", description="Feast's registry: a file or a SQL URL")
    online_store: str = Field("", description="Feast's online store: a SQLite file or redis://host:port")
    releases: str = Field("", description="where releases are published: a directory or an fsspec URL")
    pseudonym_key_file: Path | None = Field(
        None, description="file with the key of the pseudonyms that are stored instead of user ids"
    )
    encryption_key_file: Path | None = Field(None, description="file with the key of an encrypted home")
    encryption_key_command: str = Field(
        "", description="command that prints the key of an encrypted home, such as that of a KMS"
    )

    @field_validator("home", mode="before")
    @classmethod
    def _check_home(cls, home: str | Path) -> str | Path:
        if home == "":  # a path would be the current folder
            raise ValueError("expected a folder; leave it out for .penchant")
        return home

    @field_validator("encryption_key_file", mode="before")
    @classmethod
    def _leave_out_empty(cls, file: str | Path | None) -> str | Path | None:
        return file or None  # a path would be the current folder

    def model_post_init(self, context: Any, /) -> None:
        home = self.home.expanduser().absolute()
        if found := [character for character in _PATTERNS if character in str(home)]:
            raise ValueError(
                f"home={str(home)!r}: expected a path without {' '.join(found)}, which TensorFlow reads as a "
                "pattern; choose another folder with --home or PENCHANT_HOME"
            )
        object.__setattr__(self, "home", home)
        for name, embedded in self.EMBEDDED.items():
            if not getattr(self, name):
                object.__setattr__(self, name, embedded.format(home=home, quoted_home=quote(str(home))))

    @property
    def pseudonyms(self) -> Pseudonyms | None:
        """The pseudonyms of user ids; None where user ids are stored as they are.

        Raises:
            ValueError: the file can't be read, or its key is too short.
        """
        return read_pseudonyms(self.pseudonym_key_file)

    @classmethod
    def known_settings(cls) -> frozenset[str]:
        """The names of the settings that this process and the others of one environment have."""
        return frozenset(cls.model_fields)

    def encryption_key(self) -> bytes | None:
        """Return the key of an encrypted home; None where there is none.

        Raises:
            ValueError: the file can't be read, the command fails, or the key is too short.
        """
        return read_encryption_key(self.encryption_key_file, self.encryption_key_command)

    @classmethod
    def load(cls, **arguments: Any) -> Self:
        """Read the settings, and unlock the home if it is encrypted.

        Raises:
            ValueError: as of `read`; or the home can't be unlocked.
        """
        settings = cls.read(**arguments)
        settings.open_home()
        return settings

    def open_home(self) -> None:
        """Unlock the home if it is encrypted and locked.

        Raises:
            ValueError: as of `encrypted_home.open_home`.
        """
        has_key = bool(self.encryption_key_file or self.encryption_key_command)
        open_home(self.home, has_key, self.encryption_key)

    @classmethod
    def read(cls, **arguments: Any) -> Self:
        """Read the environment; an argument that is not None overrides it.

        Raises:
            ValueError: lists each wrong key, its value and what is allowed, but shows no secret. Or lists the
                variables with a former or unknown name, which would have no effect.
        """
        check_names(os.environ, cls.known_settings())
        try:
            return cls(**{name: value for name, value in arguments.items() if value is not None})
        except ValidationError as error:
            raise ValueError(
                "settings: " + "; ".join(_describe(fault) for fault in error.errors())
            ) from error
        except SettingsError as error:
            raise ValueError(f"settings: {error}; expected a JSON value") from error


def _describe(fault: Any) -> str:
    problem = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return problem
    key = str(fault["loc"][0])
    value = "(not shown)" if key in _SECRETS else printable(repr(fault["input"]))
    return f"PENCHANT_{key.upper()}={value}: {problem}"
