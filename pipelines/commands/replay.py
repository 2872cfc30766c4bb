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
    home: Home = None,
) -> None:
    """Answer a recorded request again, as it was then: with its release, and the user's history as of then.

    Says whether the answer is the same, byte for byte. Possible while the exposure is kept
    (PENCHANT_EXPOSURE_DAYS). A model server must run (`penchant serve`) if the user had recorded anything
    since the last run.

    ```
    penchant replay 1f0c2f6c7a3f4b0d9d4a1a9f5f0e9c11
    penchant replay 1f0c2f6c7a3f4b0d9d4a1a9f5f0e9c11 --release 7
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
            asyncio.run(_replay(settings, store, exposures[-1], release))
        finally:
            store.close()


async def _replay(
    settings: "Settings", store: "ExposureStore", exposure: "Exposure", other_version: int | None
) -> None:
    from pipelines.commands.replay_tables import comparison_table, replay_sentence, replay_table
    from pipelines.opened_replayer import open_release, open_replayer
    from serving.replay.answer_differences import differences

    async with open_replayer(settings, store) as replayer:
        live = open_release(settings, exposure.release_version)
        then = await replayer.replay(exposure, live)
        out.print(replay_sentence(exposure, then), soft_wrap=True)
        out.print(replay_table(exposure, then))
        if other_version is None:
            return
        other_release, k = open_release(settings, other_version), replayer.limits.max_explained_k
        other = await replayer.replay(exposure, other_release)
        explained = [(await replayer.replay(exposure, each, k)).answer for each in (live, other_release)]
        items = differences(then.answer, other.answer, *explained)
        out.print(comparison_table(exposure.release_version, other_version, items))
