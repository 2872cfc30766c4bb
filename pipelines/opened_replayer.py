"""Opens what answering recorded requests again needs: the stores, the model server and the releases."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.servers.running_servers import running_model_server
from pipelines.settings import Settings
from serving.api.validation import RequestLimits
from serving.configuration.settings import load_settings as load_serving_settings
from serving.exposures.exposure_store import ExposureStore
from serving.interest.model_server_client import AsyncInterestClient
from serving.online_store.online_features import OnlineFeatures
from serving.online_store.past_features import PastFeatures
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import load_scenarios
from serving.release.release_store import ReleaseStore
from serving.replay.replayer import Replayer
from serving.user_data.interaction_log import InteractionLog

# Answers say what they lack, and an error is raised: a line of the recommender's log adds nothing.
logging.getLogger("serving").addHandler(logging.NullHandler())


@asynccontextmanager
async def open_replayer(settings: Settings, exposures: ExposureStore) -> AsyncIterator[Replayer]:
    """Yield a replayer over the stores of the settings; it calls the model server of `penchant serve`, too.

    Raises:
        ValueError: a setting of the recommender is wrong.
    """
    serving = load_serving_settings(home=settings.home)
    address = settings.model_server or running_model_server(settings) or serving.model_server
    log, model = InteractionLog(settings.interaction_log), AsyncInterestClient(address)
    addresses = FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    scenarios = load_scenarios(serving.scenarios)
    try:
        past = partial(PastFeatures, settings.features)
        limits = RequestLimits.of(serving)
        yield Replayer(OnlineFeatures(addresses), past, log, exposures, model, scenarios, limits)
    finally:
        await model.close()
        log.close()


def open_release(settings: Settings, version: int) -> LoadedRelease:
    """Return a published release.

    Raises:
        ReleaseError: it is not published, or can't be opened.
    """
    cache = Path(load_serving_settings(home=settings.home).cache)
    return LoadedRelease(ReleaseStore(settings.releases, cache).open(version))
