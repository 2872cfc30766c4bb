"""The commands of `penchant home`: encrypt a home, unlock it and lock it."""

from typing import TYPE_CHECKING

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home

if TYPE_CHECKING:
    from pipelines.settings import Settings

home = typer.Typer(
    help="""Encrypt all data of a home on this machine with gocryptfs.

```
openssl rand -hex 32 > key && chmod 600 key
export PENCHANT_ENCRYPTION_KEY_FILE=$PWD/key     # or PENCHANT_ENCRYPTION_KEY_COMMAND
penchant home encrypt                            # once
penchant run                                     # every command unlocks the home
penchant home lock
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@home.command()
def encrypt(home: Home = None) -> None:
    """Encrypt a home, or make a new encrypted one, and unlock it.

    The encrypted files lie beside the home, in `<home>.encrypted`. What the home has is copied, compared, and
    then deleted. Stop `penchant serve` before. If it is interrupted, repeat it.

    ```
    penchant home encrypt
    ```
    """
    with exit_on_error():
        from pipelines.privacy.home_encryption import encrypt_home, stores_outside
        from pipelines.settings import Settings

        settings = Settings.read(home=home)
        encrypted = encrypt_home(settings, _key(settings))
        out.print(f"{settings.home} is encrypted in {encrypted.ciphertext}, and unlocked.", soft_wrap=True)
        out.print(
            "Without the key nobody can read it again: keep a copy of the key elsewhere, but not with "
            "backups of the encrypted files."
        )
        for name, address in stores_outside(settings).items():
            out.print(f"Not encrypted, because it lies outside the home: {name} ({address})", soft_wrap=True)


@home.command()
def unlock(home: Home = None) -> None:
    """Unlock an encrypted home until it is locked, or the machine restarts.

    Every other command does so, too, if it has the key.

    ```
    penchant home unlock
    ```
    """
    with exit_on_error():
        from pipelines.settings import Settings, load_settings
        from serving.configuration.encrypted_home import encrypted_home

        settings = Settings.read(home=home)
        if not encrypted_home(settings.home).exists:
            raise ValueError(f"{settings.home} is not encrypted: run `penchant home encrypt` first")
        load_settings(home=home)
        out.print(f"{settings.home} is unlocked.", soft_wrap=True)


@home.command()
def lock(home: Home = None) -> None:
    """Lock an encrypted home: nobody can read it without the key. A home in use is not locked.

    ```
    penchant home lock
    ```
    """
    with exit_on_error():
        from pipelines.settings import Settings
        from serving.configuration.encrypted_home import encrypted_home

        settings = Settings.read(home=home)
        encrypted = encrypted_home(settings.home)
        if not encrypted.exists:
            raise ValueError(f"{settings.home} is not encrypted: run `penchant home encrypt` first")
        encrypted.lock()
        out.print(f"{settings.home} is locked.", soft_wrap=True)


def _key(settings: "Settings") -> bytes:
    key = settings.encryption_key()
    if key is None:
        raise ValueError(
            "expected a key: `openssl rand -hex 32 > key && chmod 600 key`, then set "
            "PENCHANT_ENCRYPTION_KEY_FILE to that file"
        )
    return key
