"""Draws the data of a private run, which trains in a home of its own beside the home of the real data."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Sources
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.privacy_statement import privacy_of
from components.ingest_interactions.warehouse.recorded_interactions import log_exists
from feature_repo.counts import counted
from pipelines.pipeline_arguments import ADDRESSES, source_arguments
from pipelines.privacy.private_data import INTERACTIONS, ITEMS, PrivateData, make_private_data
from pipelines.settings import Settings
from serving.user_data.interaction_log import InteractionLog

FOLDER: Final = "drawn"
# Both homes may use the same model server.
OWN: Final = tuple(name for name in ADDRESSES if name != "model_server")


def private_settings(settings: Settings) -> Settings:
    """Return the settings of the private home: the home with `-private` at its end.

    Raises:
        ValueError: it would have a store of the home itself, or has interactions that were not drawn.
    """
    private = Settings.load(home=f"{settings.home}-private", policy=settings.policy)
    if shared := [name for name in OWN if getattr(private, name) == getattr(settings, name)]:
        names = ", ".join(f"PENCHANT_{name.upper()}" for name in shared)
        raise ValueError(
            f"{private.home} would have the same stores as {settings.home}, where all users are as they are: "
            f"leave {names} out, or use `penchant data private FOLDER` and the settings of another home"
        )
    _check_all_drawn(settings, private)
    return private


def draw_sources(
    settings: Settings, private: Settings, epsilon: float, arguments: Mapping[str, Any]
) -> tuple[PrivateData, dict[str, str]]:
    """Ingest into the home, and draw from it; returns what the drawn data is, and the sources of the run.

    Args:
        arguments: parameters of the training pipeline: its sources, how they are read, and what they mean.

    Raises:
        As `make_private_data`.
    """
    named = ("dataset", "interactions_file", "items_file", "users_file", "reading", "accept_smaller")
    given = {name: arguments[name] for name in named}
    sources = Sources(interaction_log=settings.interaction_log, **given)
    feedback = FeedbackOptions.parse(arguments["feedback"])
    private.prepare_home()
    folder = private.home / FOLDER / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    about = make_private_data(settings, folder, epsilon, sources=sources, feedback=feedback)
    return about, source_arguments("", str(folder / INTERACTIONS), str(folder / ITEMS), "")


def _check_all_drawn(settings: Settings, private: Settings) -> None:
    watermarks = Warehouse(private.warehouse).watermarks
    if watermarks.parts and not privacy_of(watermarks):
        raise ValueError(
            f"{private.home} has interactions that were not drawn, so no release of it would be private: "
            "move it away"
        )
    if log_exists(private.interaction_log):
        log = InteractionLog(private.interaction_log)
        try:
            recorded = log.depth(0)
        finally:
            log.close()
        if recorded:
            raise ValueError(
                f"{private.interaction_log} has {counted(recorded, 'recorded interaction')}, from which "
                f"the run would learn as they are: move it away, and start "
                f"`penchant serve --home {private.home}` with "
                f"PENCHANT_INTERACTION_LOG={settings.interaction_log}, from which the next run draws"
            )
