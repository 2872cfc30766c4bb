"""The external parts of the recommender: stores, the model server and the interaction log."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from feature_repo.pseudonyms import check_value
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.configuration.settings import ServingSettings
from serving.errors import Unavailable
from serving.exposures.exposure_log import StoredExposures
from serving.exposures.exposure_store import ExposureStore
from serving.interest.model_server_client import AsyncInterestClient, InterestClient
from serving.interest.user_interest import InterestModelClient
from serving.online_store.online_features import OnlineFeatures
from serving.recorder import WritableLog
from serving.release.release_store import ReleaseStore
from serving.release_watcher import ServedVersions
from serving.telemetry.interaction_log_depth import CountedLog
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.erasure_watcher import Erasures
from serving.user_data.history_reader import Features, Log
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.preference_store import PreferenceStore
from serving.user_data.request_context import ImpressionLog
from serving.user_data.user_preferences import Preferences


class SharedLog(Log, WritableLog, CountedLog, ImpressionLog, Protocol):
    """The parts of the interaction log that all its users need together."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Dependencies:
    """The external parts of the recommender; tests pass their own."""

    store: ReleaseStore
    model: InterestModelClient
    model_server: ServedVersions
    log: SharedLog
    exposures: StoredExposures
    erasures: Erasures
    preferences: Preferences
    open_features: Callable[[], Features]

    @classmethod
    def of(cls, settings: ServingSettings) -> "Dependencies":
        """Create them from the settings; call it in the event loop that serves.

        Raises:
            WrongPseudonymKey: the interaction log has user ids that were made with another key, or without.
        """
        credentials = settings.tls.client_credentials()

        log = InteractionLog(settings.interaction_log, key_check=check_value(settings.pseudonyms))
        with suppress(Unavailable):  # a database that is down at the start is checked once it is up
            log.open()

        def open_features() -> Features:
            return OnlineFeatures(
                FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
            )

        return cls(
            store=ReleaseStore(settings.releases, Path(settings.cache)),
            model=AsyncInterestClient(settings.model_server, credentials=credentials),
            model_server=InterestClient(settings.model_server, credentials=credentials),
            log=log,
            exposures=ExposureStore(settings.interaction_log),
            erasures=ErasureStore(settings.interaction_log),
            preferences=PreferenceStore(settings.interaction_log),
            open_features=open_features,
        )

    def close(self) -> None:
        self.model_server.close()
        self.log.close()
        self.exposures.close()
        self.erasures.close()
        self.preferences.close()
