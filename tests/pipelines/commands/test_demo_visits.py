"""The demo's visitors: their tastes are the categories of their histories, and they click what they like."""

import asyncio
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.commands.demo_visits import Visitors
from serving.exposures.exposure import Exposure
from serving.release.catalog import Catalog
from tests.patience import wait_until
from tests.serving.planted import items
from tests.serving.service import RunningService, running


def exposures(service: RunningService) -> list[Exposure]:
    shown = (each for batch in service.exposures.between(0, 1 << 62) for each in batch)
    return [each for each in shown if each.user_id in ("ann", "bob")]


def test_visitors_click_the_categories_of_their_histories(tmp_path: Path) -> None:
    folder = tmp_path / "steps" / "run" / "ingest-interactions"
    folder.mkdir(parents=True)
    chosen = {"ann": "comedy", "bob": "horror"}
    rows = [(user, f"{category}-{number}") for user, category in chosen.items() for number in range(1, 9)]
    users, names = zip(*rows, strict=True)
    pq.write_table(pa.table({"user_id": users, "item_id": names}), folder / "interactions")
    visitors = Visitors.of(tmp_path, Catalog.from_items(items()))
    assert visitors.commonest_category in ("Comedy", "Horror")
    assert sorted(visitors.user_ids) == ["ann", "bob"]
    with running(tmp_path / "service") as service:
        asyncio.run(visitors.visit(service.address, 60))
        wait_until(lambda: len(exposures(service)) == 60)
        shown = exposures(service)
        clicks = [each for batch in service.log.recorded_between(0, 1 << 62) for each in batch]
    assert {click.request_id for click in clicks} <= {each.request_id for each in shown}
    liked = [click.item_id.startswith(chosen[click.user_id]) for click in clicks]
    assert len(liked) > 20
    assert np.mean(liked) > 0.6  # although what was clicked is not shown again
