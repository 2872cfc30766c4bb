"""The draw of a private run: what it draws from, what the private home has of it, and what is refused."""

from functools import partial
from pathlib import Path

import pytest

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.privacy_statement import privacy_of
from feature_repo.interaction import Interaction
from pipelines.pipeline_arguments import feedback_arguments, parse_hyperparameters, reading_arguments
from pipelines.privacy import private_run
from pipelines.privacy.private_data import make_private_data
from pipelines.privacy.private_run import draw_sources, private_settings
from pipelines.settings import Settings
from serving.user_data.interaction_log import InteractionLog
from tests.occurrences import files_with

MARK = "Marked-Person"


def arguments(interactions: str = "", items: str = "") -> dict[str, object]:
    sources = {"dataset": "", "interactions_file": interactions, "items_file": items, "users_file": ""}
    feedback = feedback_arguments(None, None, None, None, None, None)
    return sources | reading_arguments() | feedback | {"accept_smaller": False}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(private_run, "make_private_data", partial(make_private_data, sequences=40, length=10))
    return Settings(home=tmp_path / "shop")


def recorded(settings: Settings, user: str) -> None:
    settings.prepare_home()
    log = InteractionLog(settings.interaction_log)
    log.record([Interaction(f"r-{user}", user, "i1", "view", 1_700_000_000_000_000)])
    log.close()


def test_each_draw_adds_to_the_private_home_and_both_are_bounded_together(
    settings: Settings, tmp_path: Path
) -> None:
    rows = [f"{MARK}-{user},i{(user + step) % 4},{step}" for user in range(60) for step in range(1, 9)]
    interactions, items = tmp_path / "interactions.csv", tmp_path / "items.csv"
    interactions.write_text(
        "user_id,item_id,timestamp\n" + "".join(f"{row[:-1]}2024-01-01 00:00:0{row[-1]}\n" for row in rows)
    )
    items.write_text("item_id,title\n" + "".join(f"i{item},Item {item}\n" for item in range(5)))
    recorded(settings, f"{MARK}-recorded")
    private = private_settings(settings)
    assert private.home == tmp_path / "shop-private"
    outputs = Outputs(*(tmp_path / name for name in ("i.parquet", "t.parquet", "u.parquet", "f.json")))
    given = arguments(str(interactions), str(items))
    for epsilon, rows_after in ((4.0, 400), (2.0, 800)):
        about, sources = draw_sources(settings, private_settings(settings), epsilon, given)
        files = Sources(sources["dataset"], sources["interactions_file"], sources["items_file"])
        ingest(files, FeedbackOptions(), private.warehouse, outputs)
        own = Warehouse(private.warehouse).watermarks
        assert sum(part.rows for part in own.parts if part.table == "interactions") == rows_after
        assert (about.epsilon, privacy_of(own)["epsilon"]) == (epsilon, pytest.approx(about.spent))
        given = arguments()
    assert sorted(part.table for part in own.parts) == ["interactions", "interactions", "items"]
    assert files_with(private.home, MARK) == []
    # What was recorded is in the home that was drawn from.
    stored = Warehouse(settings.warehouse).watermarks.parts
    assert [part.source for part in stored if part.table == "interactions"] == ["interactions.csv", "log"]


def test_a_private_home_with_recorded_interactions_is_refused(settings: Settings) -> None:
    recorded(private_settings(settings), "ann")
    with pytest.raises(ValueError, match="has 1 recorded interaction, from which the run would learn"):
        private_settings(settings)


def test_a_private_home_with_other_interactions_is_refused(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "real.csv"
    file.write_text("user_id,item_id,timestamp\nann,i1,2024-01-01 00:00:00\n")
    outputs = Outputs(*(tmp_path / name for name in ("i.parquet", "t.parquet", "u.parquet", "f.json")))
    warehouse = private_settings(settings).warehouse
    ingest(Sources(interactions_file=str(file)), FeedbackOptions(), warehouse, outputs)
    with pytest.raises(ValueError, match="has interactions that were not drawn"):
        private_settings(settings)


def test_a_store_of_both_homes_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_WAREHOUSE", str(tmp_path / "warehouse"))
    with pytest.raises(ValueError, match=r"the same stores as .*: leave PENCHANT_WAREHOUSE out"):
        private_settings(Settings(home=settings.home))


def test_privacy_as_a_hyperparameter_names_the_option() -> None:
    with pytest.raises(ValueError, match="use `penchant run --epsilon 8`"):
        parse_hyperparameters(["dp_epsilon=8"])
