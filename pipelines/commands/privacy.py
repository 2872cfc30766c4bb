"""The commands about what is held of a person: `penchant export` and `penchant forget`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home


def export(
    user: Annotated[str, typer.Argument(help="A user id.")],
    home: Home = None,
) -> None:
    """Print everything that a home holds about a user as JSON, with what each thing is used for.

    ```
    penchant export 196 > 196.json
    ```
    """
    with exit_on_error():
        from pipelines.privacy.export import export_user
        from pipelines.settings import load_settings

        typer.echo(json.dumps(export_user(load_settings(home=home), user), indent=2, ensure_ascii=False))


def forget(
    user: Annotated[str, typer.Argument(help="A user id; none with --verify.")] = "",
    allow: Annotated[
        bool, typer.Option("--allow", help="Record and ingest interactions of an erased user again.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Verify a receipt instead of erasing a user."),
    ] = None,
    home: Home = None,
) -> None:
    """Erase a user from all stores of a home, and write a signed receipt.

    Running recommenders forget the user within a second, and nothing is recorded under the id until it is
    allowed again. Versions that learned from the user are marked: none is pushed any more, a rollback to one
    needs --accept-tainted, and the next `penchant run` trains one that did not.

    ```
    penchant forget 196
    penchant forget --verify .penchant/receipts/1.json
    penchant forget 196 --allow
    ```
    """
    with exit_on_error():
        from components.erase_user import receipt
        from pipelines.commands.receipt_tables import print_receipt
        from pipelines.privacy.erasure import RECEIPTS, allow_user, erase_user
        from pipelines.settings import load_settings

        if bool(user) == (verify is not None):
            raise ValueError("expected a user id, or --verify FILE")
        settings = load_settings(home=home)
        settings.prepare_home()
        if verify:
            print_receipt(receipt.verify(settings.home / RECEIPTS, verify))
            out.print("The signature is right.")
        elif allow:
            was_erased = allow_user(settings, user)
            out.print("The user may be recorded again." if was_erased else "The user was not erased.")
        else:
            result, file = erase_user(settings, user)
            print_receipt(result)
            out.print(f"Receipt: {file}", soft_wrap=True)
