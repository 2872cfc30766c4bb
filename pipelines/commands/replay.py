"""`penchant replay`: answers a recorded request again."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from serving.exposures.exposure import Exposure
    from serving.exposures.exposure_store import ExposureStore


def replay(
    request_id: Annotated[str, typer.Argument(help="The request_id of an answer, from a log or a report.")],
    release: Annotated[
        int | None, typer.Option(help="Another published release, whose answer is compared term by term.")
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(help='Another scenario, whose answer is compared; "" for none. With --release: both.'),
    ] = None,
    home: Home = None,
) -> None:
    """Answer a recorded request again, as it was then: with its release, and the user's history as of then.

    With --release or --scenario also as another release or another scenario would have answered it.
    Says whether the answer is the same, byte for byte. Possible while the exposure is kept
    (PENCHANT_EXPOSURE_DAYS). A model server must run (`penchant serve`) if the user had recorded anything
    since the last run.

    ```
    penchant replay 1f0c2f6c7a3f4b0d9d4a1a9f5f0e9c11
    penchant replay 1f0c2f6c7a3f4b0d9d4a1a9f5f0e9c11 --release 7
    penchant replay 1f0c2f6c7a3f4b0d9d4a1a9f5f0e9c11 --scenario content
    ```
    """
    with exit_on_error():
        from components.evaluate_online.recorded_window import check_exists
        from pipelines.settings import load_settings
        from serving.exposures.exposure_store import ExposureStore

        settings = load_settings(home=home)
        check_exists(settings.interaction_log)
        store = ExposureStore(settings.interaction_log)
        try:
            exposures = store.of_request(request_id)
            if not exposures:
                raise ValueError(
                    f"no answer to a request {request_id!r} is recorded: it is unknown, was not of the "
                    "recorded share (PENCHANT_EXPOSURE_SHARE), or is older than PENCHANT_EXPOSURE_DAYS"
                )
            asyncio.run(_replay(settings, store, exposures[-1], release, scenario))
        finally:
            store.close()


async def _replay(
    settings: "Settings",
    store: "ExposureStore",
    exposure: "Exposure",
    release: int | None,
    scenario: str | None,
) -> None:
    from pipelines.commands.tables.replay import comparison_table, replay_sentence, replay_table
    from pipelines.opened_replayer import open_release, open_replayer
    from serving.replay.answer_differences import differences

    async with open_replayer(settings, store) as replayer:
        live = open_release(settings, exposure.release_version)
        then = await replayer.replay(exposure, live)
        out.print(replay_sentence(exposure, then), soft_wrap=True)
        out.print(replay_table(exposure, then))
        if release is None and scenario is None:
            return
        other_release = live if release is None else open_release(settings, release)
        other = await replayer.replay(exposure, other_release, scenario=scenario)
        most = replayer.limits.max_explained_k
        shown = len(then.answer.recommendations), len(other.answer.recommendations)
        ours = [(await replayer.replay(exposure, live, k)).answer for k in (shown[0], most)]
        theirs = [
            (await replayer.replay(exposure, other_release, k, scenario=scenario)).answer
            for k in (shown[1], most)
        ]
        items = differences(ours[0], theirs[0], ours[1], theirs[1])
        out.print(comparison_table(*_names(exposure, release, scenario), items))


def _names(exposure: "Exposure", release: int | None, scenario: str | None) -> tuple[str, str]:
    """Return what the two compared answers are called: by what differs between them."""
    then, other = [], []
    if release is not None:
        then.append(f"release {exposure.release_version}")
        other.append(f"release {release}")
    if scenario is not None:
        then.append(f"scenario {exposure.scenario or 'none'}")
        other.append(f"scenario {scenario or 'none'}")
    return ", ".join(then), ", ".join(other)
