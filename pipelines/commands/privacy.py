"""The commands about what is held of people: `penchant export`, `preferences`, `forget` and `rotate-key`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.counts import counted
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import UNDESCRIBED_MIN_USERS, Home, Hyperparameter

if TYPE_CHECKING:
    from pipelines.privacy.strict_erasure import Train
    from pipelines.settings import Settings


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


def preferences(
    user: Annotated[str, typer.Argument(help="A user id.")],
    personalized: Annotated[
        bool | None,
        typer.Option("--personalized/--not-personalized", help="Set it; without, it is only printed."),
    ] = None,
    home: Home = None,
) -> None:
    """Set or print whether a user's answers are personalized.

    Running recommenders follow within a second, and keep to it until it is set again. The user's interactions
    are recorded and trained on as before; `penchant forget` ends that.

    ```
    penchant preferences 196 --not-personalized
    ```
    """
    with exit_on_error():
        from pipelines.privacy.preferences import is_personalized, set_personalized
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        settings.prepare_home()
        if personalized is not None:
            set_personalized(settings, user, personalized)
        answers = "are" if is_personalized(settings, user) else "are not"
        out.print(f"The answers to this user {answers} personalized.")


def forget(
    user: Annotated[str, typer.Argument(help="A user id; none with --verify.")] = "",
    allow: Annotated[
        bool, typer.Option("--allow", help="Record and ingest interactions of an erased user again.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Verify a receipt instead of erasing a user."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Train again if the live version has learned from the user."),
    ] = False,
    hyperparameter: Hyperparameter = None,
    home: Home = None,
) -> None:
    """Erase a user from all stores of a home, and write a signed receipt.

    Running recommenders forget the user within a second, and nothing is recorded under the id until it is
    allowed again. Versions that learned from the user are marked: none is pushed any more, a rollback to one
    needs --accept-tainted, and the next `penchant run` trains one that did not. --strict starts this run,
    with the data that the home has and the options of its last run; --set changes its hyperparameters. The
    new version goes live, unless it is worse, or the policy of the home or of its last run is `review`. If it
    does not go live, the command fails.

    ```
    penchant forget 196
    penchant forget 196 --strict
    penchant forget --verify .penchant/receipts/1.json
    penchant forget 196 --allow
    ```
    """
    with exit_on_error():
        from components.erase_user import receipt
        from pipelines.commands.tables.receipts import print_receipt
        from pipelines.privacy.erasure import RECEIPTS, allow_user
        from pipelines.settings import load_settings

        if bool(user) == (verify is not None):
            raise ValueError("expected either a user id or --verify FILE")
        if (strict or hyperparameter) and (verify or allow):
            raise ValueError(
                "--strict and --set belong to an erasure: leave them out with --allow and --verify"
            )
        if hyperparameter and not strict:
            raise ValueError("--set needs --strict: a training is started only by --strict")
        settings = load_settings(home=home)
        settings.prepare_home()
        if verify:
            print_receipt(receipt.verify(settings.home / RECEIPTS, verify))
            out.print("The signature is right.")
        elif allow:
            was_erased = allow_user(settings, user)
            out.print("The user may be recorded again." if was_erased else "The user was not erased.")
        else:
            # A wrong setting ends the command before anything is erased.
            train = _training(settings, hyperparameter or []) if strict else None
            _erase(settings, user, train)


def _erase(settings: "Settings", user: str, train: "Train | None") -> None:
    """Erase the user, run `train` if given, and print the receipt even if the training fails."""
    from pipelines.commands.tables.receipts import print_receipt
    from pipelines.privacy.erasure import erase_user
    from pipelines.privacy.strict_erasure import train_without

    result, file = erase_user(settings, user)
    try:
        if train:
            train_without(settings, result, train)
    finally:
        print_receipt(result)
        out.print(f"Receipt: {file}", soft_wrap=True)


def _training(settings: "Settings", hyperparameters: list[str]) -> "Train":
    """Return the training of what the home has, on this machine, with the options of its last run.

    Unless the policy is `review`, the new version goes live unless it is worse: it has to be without the
    person, not better.

    Raises:
        ValueError: runs are on Kubeflow, or a setting is wrong.
        StepError: a package is missing, or a hyperparameter of the last run is unknown.
    """
    from components.compute.address import Compute
    from components.compute.spark_session import check_installed
    from components.train_interest_model.hyperparameters import Hyperparameters
    from pipelines.commands.data_options import DataOptions
    from pipelines.local_run.runner import run_locally
    from pipelines.local_run.runs import LocalRuns
    from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
    from pipelines.run_receivers import local_receivers
    from pipelines.training_pipeline import training

    if settings.kubeflow:
        raise ValueError(
            "--strict trains on this machine, and PENCHANT_KUBEFLOW names a cluster: erase without --strict, "
            "then start a run there with `penchant submit`"
        )
    check_installed(Compute(settings.compute))
    local_receivers(settings)
    last = LocalRuns(settings.home).last_arguments(training.__name__)
    is_reviewed = "review" in (settings.policy, last.get("policy"))
    settings = settings.model_copy(update={"policy": "review" if is_reviewed else "auto-unless-worse"})
    given = last.get("hyperparameters", {}) | parse_hyperparameters(hyperparameters)
    Hyperparameters.from_dict(given)
    protocol, max_failed_share = last.get("protocol", "time"), last.get("max_failed_share", 0.05)
    arguments = training_arguments(settings, protocol, max_failed_share, given)
    data = DataOptions(undescribed_min_users=last.get("undescribed_min_users", UNDESCRIBED_MIN_USERS))
    arguments |= data.source_arguments() | data.meaning_arguments()
    return lambda: run_locally(training, settings, arguments, "penchant forget --strict")


def rotate_key(
    new_key_file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="The line penchant-keys-1, the present keys, and the new key, one a line.",
        ),
    ],
    home: Home = None,
) -> None:
    """Give a home a new pseudonym key: each stored pseudonym is replaced by its own pseudonym.

    Stop the recommenders before. Afterwards set PENCHANT_PSEUDONYM_KEY_FILE to the new file, for them too,
    and let a run fill the online store.

    ```
    (echo penchant-keys-1; cat key; openssl rand -hex 32) > key-2 && chmod 600 key-2
    penchant rotate-key key-2
    export PENCHANT_PSEUDONYM_KEY_FILE=$PWD/key-2
    penchant run
    ```
    """
    with exit_on_error():
        from pipelines.privacy.key_rotation import rotate_key as rotate
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        settings.prepare_home()
        users = rotate(settings, new_key_file)
        out.print(
            f"The pseudonyms of {counted(users, 'user')} have the new key. Set "
            f"PENCHANT_PSEUDONYM_KEY_FILE={new_key_file}, also for the recommenders, and run `penchant run`, "
            "which fills the online store.",
            soft_wrap=True,
        )
