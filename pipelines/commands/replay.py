"""`penchant replay`: answers a recorded request again."""

import asyncio
from pathlib import Path
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

    Says whether the answer is the same, byte for byte. Possible until the next run of the pipeline replaces
    the features. A model server must run (`penchant serve`) if the user had recorded anything since the
    last run.

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
    from feature_repo.store_addresses import FeatureStoreAddresses
    from pipelines.commands.replay_tables import comparison_table, replay_sentence, replay_table
    from pipelines.servers.running_servers import running_model_server
    from serving.answer_differences import differences
    from serving.api.validation import RequestLimits
    from serving.configuration.settings import load_settings as load_serving_settings
    from serving.interest.model_server_client import AsyncInterestClient
    from serving.online_store.online_features import OnlineFeatures
    from serving.ranking.loaded_release import LoadedRelease
    from serving.ranking.scenarios import load_scenarios
    from serving.release.release_store import ReleaseStore
    from serving.replay import Replayer
    from serving.user_data.interaction_log import InteractionLog

    serving = load_serving_settings(home=settings.home)
    releases = ReleaseStore(settings.releases, Path(serving.cache))
    address = settings.model_server or running_model_server(settings) or serving.model_server
    log, model = InteractionLog(settings.interaction_log), AsyncInterestClient(address)
    features = OnlineFeatures(
        FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    )
    limits = RequestLimits(serving.max_k, serving.max_explained_k, serving.max_history, serving.max_record)
    replayer = Replayer(features, log, store, model, load_scenarios(serving.scenarios), limits)
    try:
        live = LoadedRelease(releases.open(exposure.release_version))
        then = await replayer.replay(exposure, live)
        out.print(replay_sentence(exposure, then), soft_wrap=True)
        out.print(replay_table(exposure, then))
        if other_version is not None:
            other_release = LoadedRelease(releases.open(other_version))
            other = await replayer.replay(exposure, other_release)
            k = serving.max_explained_k
            explained = [await replayer.replay(exposure, each, k) for each in (live, other_release)]
            out.print(
                comparison_table(
                    exposure.release_version,
                    other_version,
                    list(differences(then.answer, other.answer, *(each.answer for each in explained))),
                )
            )
    finally:
        await model.close()
        log.close()
