"""Reports on simulated users, whose true rates are known."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.evaluate_online.attribution import AttributedEvents
from components.evaluate_online.online_gauges import online_gauges, publish
from components.evaluate_online.online_metrics import Measured, OnlineSlice
from components.evaluate_online.online_report import Attribution, OnlineReport, evaluate_online
from components.evaluate_online.page import render
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from pipelines.synthetic_data.simulated_users import SimulatedUsers
from tests.chromium import rendered_html
from tests.components.evaluate_online.shown_world import event, simulated_log, write_log
from tests.serving.exposures.exposures import exposure

START_US = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[OnlineReport, float]:
    """The report on three days of 200 users with 40 items, of whom one half are men, and the true rate."""
    root = tmp_path_factory.mktemp("online")
    pq.write_table(
        pa.table({"user_id": [f"u{n}" for n in range(200)], "sex": ["m", "f"] * 100}), root / "u.parquet"
    )
    rows = "".join(f"u{n % 200},i{n % 40},2020-01-{n % 20 + 1:02}\n" for n in range(400))
    (root / "log.csv").write_text("user_id,item_id,timestamp\n" + rows)
    outputs = Outputs(*(root / name for name in ("interactions", "items", "users", "feedback")))
    sources = Sources(interactions_file=str(root / "log.csv"), users_file=str(root / "u.parquet"))
    ingest(sources, FeedbackOptions(), str(root / "warehouse"), outputs)
    url, expected = simulated_log(root, SimulatedUsers(users=200, items=40, drift=0.3), days=3)
    now = time.time_ns() // 1000
    report = evaluate_online(url, str(root / "warehouse"), START_US, now, Attribution(), root / "kept")
    assert pq.read_table(root / "kept" / "exposures.parquet").num_rows == 1200
    return report, expected


def one(report: OnlineReport, dimension: str, label: str) -> OnlineSlice:
    (found,) = (each for each in report.slices if (each.dimension, each.label) == (dimension, label))
    return found


def rate(each: OnlineSlice) -> Any:
    return each.metrics["click_through_rate"]


def test_the_interval_of_the_click_through_rate_holds_the_true_one(
    simulated: tuple[OnlineReport, float],
) -> None:
    report, expected = simulated
    total = report.total
    assert (total.answers, total.places, total.users, total.items) == (1200, 6000, 200, 40)
    assert rate(total).low < expected < rate(total).high
    assert rate(total).high - rate(total).low < 0.04
    assert report.events.by_request == round(rate(total).value * 6000)


def test_dimensions_show_what_differs(simulated: tuple[OnlineReport, float]) -> None:
    report, _ = simulated
    first, second = one(report, "release", "1"), one(report, "release", "2")
    assert rate(second).low > rate(first).high  # only appealing items
    assert (first.items, second.items) == (40, 20)
    assert (first.coverage, second.coverage) == (1.0, 0.5)
    assert rate(one(report, "place", "1")).low > rate(one(report, "place", "5")).high
    assert [each.label for each in report.slices if each.dimension == "place"] == list("12345")
    assert {each.label for each in report.slices if each.dimension == "source"} == {"interest", "transitions"}
    assert len([each for each in report.slices if each.dimension == "day"]) == 3
    men = one(report, "segment: sex", "m")
    assert (men.users, men.answers) == (100, 600)
    assert one(report, "", "").metrics["novelty_bits"].value == pytest.approx(5.32, abs=0.01)  # log2(40)


def test_what_one_user_did_or_nobody_has_no_interval(tmp_path: Path) -> None:
    at_s = time.time() - 3600
    shown = [exposure(f"r{n}", f"u{n}", ["tea", "milk"], round(at_s * 1e6)) for n in range(40)]
    clicks = [event(n, f"u{n}", "tea", at_s + 5, request_id=f"r{n}") for n in range(20)]
    rating = event(99, "u0", "tea", at_s + 9, "rate", "r0", 4.0)
    url = write_log(tmp_path, shown, [*clicks, rating])
    report = evaluate_online(url, str(tmp_path / "warehouse"), 0, time.time_ns() // 1000, Attribution())
    metrics = report.total.metrics
    assert rate(report.total).low < 0.25 < rate(report.total).high
    assert metrics["mean_rating"] == Measured(4.0)
    assert metrics["dismissal_rate"] == Measured(0.0)


def test_the_gauges_have_the_figures(simulated: tuple[OnlineReport, float], tmp_path: Path) -> None:
    report, _ = simulated
    registry = online_gauges(report)
    labels = {"dimension": "release", "label": "2", "bound": "low"}
    value = registry.get_sample_value("penchant_online_click_through_rate", labels)
    assert value == rate(one(report, "release", "2")).low
    publish(registry, "", tmp_path)
    assert (
        'penchant_online_coverage{dimension="all",label="all"} 1.0'
        in (tmp_path / "penchant_online.prom").read_text()
    )


def test_the_page_shows_the_figures(simulated: tuple[OnlineReport, float], tmp_path: Path) -> None:
    report, _ = simulated
    page = tmp_path / "report.html"
    page.write_text(render(report))
    text = rendered_html(page)
    total = f"{100 * rate(report.total).value:.2f} %"
    assert f"<b>{total}</b>" in text
    assert all(f"<h2>By {dimension}</h2>" in text for dimension in ("release", "place", "segment: sex"))
    assert "click-through (%)" in text  # a panel of the plots over time
    assert "novelty (bits)" in text[: text.index("<h2>By release</h2>")]
    assert "<td>50.0 %</td>" in text[text.index("<h2>By release</h2>") :]  # coverage of release 2
    assert 'src="' not in text  # loads nothing


def test_what_a_run_ingested_stays_in_the_report_when_the_log_loses_it(tmp_path: Path) -> None:
    at_s = time.time() - 3600
    shown = [exposure("r1", "u", ["tea", "milk"], round(at_s * 1e6))]
    clicked = [event(1, "u", "tea", at_s + 5, request_id="r1"), event(2, "u", "milk", at_s + 90_000, "hide")]
    url = write_log(tmp_path, shown, clicked)

    def report() -> OnlineReport:
        return evaluate_online(url, str(tmp_path / "warehouse"), 0, time.time_ns() // 1000, Attribution())

    before = report()
    outputs = Outputs(*(tmp_path / name for name in ("interactions", "items", "users", "feedback")))
    ingest(Sources(interaction_log=url), FeedbackOptions(), str(tmp_path / "warehouse"), outputs)
    assert report().events == before.events == AttributedEvents(1, 0, 1, 0, 0, 0)
    with closing(sqlite3.connect(tmp_path / "log.db")) as database, database:
        database.execute("DELETE FROM interactions")
    after = report()
    assert after.events == AttributedEvents(1, 0, 0, 0, 0, 0)  # the dislike of tomorrow is not in the window
    assert rate(after.total) == rate(before.total)
