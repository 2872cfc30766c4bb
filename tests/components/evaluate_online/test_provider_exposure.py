"""The share of exposure over time of providers whose exposure is planted."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from components.errors import StepError
from components.evaluate_online.online_report import Attribution, OnlineReport, evaluate_online
from components.evaluate_online.page import render
from components.evaluate_online.provider_exposure import ExposureOverTime, ProviderOverTime
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from pipelines.commands.tables.online import online_tables
from pipelines.terminal import Terminal
from serving.exposures.exposure import Exposure
from tests.chromium import rendered_html
from tests.components.evaluate_online.shown_world import event, write_log
from tests.serving.exposures.exposures import exposure

DAY_S = 86_400
# The log knows an interaction from when it was recorded, so the windows end now.
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
THREE_DAYS_AGO = TODAY - timedelta(days=3)
MONDAY = TODAY - timedelta(days=TODAY.weekday(), weeks=6)
# The discounts of three places, of one unit of exposure in all.
FIRST, SECOND, THIRD = np.array([1, 1 / np.log2(3), 0.5]) / (1.5 + 1 / np.log2(3))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Six items of the seller "grow", six of "fall", three of "same", and one without a seller."""
    root = tmp_path_factory.mktemp("catalog")
    sellers = ["grow"] * 6 + ["fall"] * 6 + ["same <b> $\\foo$"] * 3 + [""]
    items = "".join(f"{seller[:4]}{number},{seller}\n" for number, seller in enumerate(sellers))
    (root / "items.csv").write_text(f"item_id,seller\n{items}")
    (root / "log.csv").write_text("user_id,item_id,timestamp\nann,grow0,2023-01-01\n")
    outputs = Outputs(*(root / name for name in ("interactions", "items", "users", "feedback")))
    sources = Sources(interactions_file=str(root / "log.csv"), items_file=str(root / "items.csv"))
    ingest(sources, FeedbackOptions(), str(root / "warehouse"), outputs)
    return str(root / "warehouse")


def shown(user: int, day: int, items: list[str], first_day: datetime = THREE_DAYS_AGO) -> Exposure:
    at_s = first_day.timestamp() + day * DAY_S + user
    return exposure(f"r{day}-{user}", f"u{user}", items, round(at_s * 1e6), sources=[1] * len(items))


def evaluated(folder: Path, warehouse: str, answers: list[Exposure], column: str = "seller") -> OnlineReport:
    """Return the report of the answers; the first item of the first one was clicked."""
    first = answers[0]
    clicked = event(
        0, first.user_id, first.item_ids[0], first.timestamp / 1e6 + 5, request_id=first.request_id
    )
    url, now = write_log(folder, answers, [clicked]), time.time_ns() // 1000
    start = first.timestamp
    return evaluate_online(url, warehouse, start, now, Attribution(), provider_column=column)


def measured(report: OnlineReport, name: str) -> tuple[ExposureOverTime, ProviderOverTime]:
    assert report.exposure is not None
    (found,) = (each for each in report.exposure.providers if each.provider == name)
    return report.exposure, found


def test_shares_are_those_of_the_discounted_places(tmp_path: Path, warehouse: str) -> None:
    """Whoever has two answers of three places and one of one place has three units of exposure."""
    answers = [shown(user, 0, ["grow0", "fall6", "same12"]) for user in range(40)]
    answers += [shown(user, 1, ["fall7", "grow1", "unknown"]) for user in range(40)]
    answers += [shown(user, 2, ["fall8"]) for user in range(20)]
    report = evaluated(tmp_path, warehouse, answers)

    over_time, grow = measured(report, "grow")
    assert (over_time.period, over_time.users) == ("day", [40, 40, 20])
    assert over_time.starts == [f"{THREE_DAYS_AGO + timedelta(days=day):%Y-%m-%d}" for day in range(3)]
    assert over_time.compared == (0, 1)
    assert [each.value for each in grow.exposures] == pytest.approx([FIRST, SECOND, 0])
    assert grow.exposure.value == pytest.approx((40 * FIRST + 40 * SECOND) / 100)
    assert grow.exposures[0].low == pytest.approx(FIRST)  # all users see the same
    assert grow.exposures[2].low is None  # too few users
    assert grow.items == 6
    assert grow.catalog == pytest.approx(6 / 17)
    assert (grow.clicks, grow.clicks_by_period) == (1.0, [1.0, None, None])
    _, without = measured(report, "(no provider)")
    assert [each.value for each in without.exposures] == pytest.approx([0, THIRD, 0])
    assert without.items == 2  # one of them in no items table
    assert over_time.providers[0].provider == "fall"


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory, warehouse: str) -> OnlineReport:
    """Six weeks of 60 users, in which "grow" takes from "fall" five points of exposure each week."""
    rng = np.random.default_rng(3)
    names = {"grow": range(6), "fall": range(6, 12), "same": range(12, 15)}
    answers = []
    for week in range(6):
        shares = [0.25 + 0.05 * week, 0.55 - 0.05 * week, 0.2]
        for user in range(60):
            for day in (0, 3):
                sellers = rng.choice(list(names), 3, p=shares).tolist()
                items = [f"{name}{rng.choice(names[name])}" for name in sellers]
                answers.append(shown(user, 7 * week + day, items, MONDAY))
    return evaluated(tmp_path_factory.mktemp("log"), warehouse, answers)


def test_a_planted_drift_is_found_and_none_where_there_is_none(drifted: OnlineReport) -> None:
    over_time, grow = measured(drifted, "grow")
    assert (over_time.period, len(over_time.starts), over_time.compared) == ("week", 6, (0, 5))
    for number, share in enumerate(grow.exposures):
        assert share.low is not None
        assert share.high is not None
        assert share.low < 0.25 + 0.05 * number < share.high
        assert share.high - share.low < 0.2
    assert grow.change is not None
    assert grow.change.low is not None
    assert 0 < grow.change.low < 0.25 < grow.change.high  # type: ignore[operator]
    _, fall = measured(drifted, "fall")
    assert fall.change is not None
    assert fall.change.high is not None
    assert fall.change.high < 0
    _, same = measured(drifted, "same <b> $\\foo$")
    assert same.change is not None
    assert same.change.low < 0 < same.change.high  # type: ignore[operator]
    assert measured(drifted, "(no provider)")[1].change is None  # never shown
    assert sum(each.exposure.value for each in over_time.providers) == pytest.approx(1)


def test_users_are_resampled_not_answers(tmp_path: Path, warehouse: str) -> None:
    """One half of the users always sees one seller: ten answers of each tell no more than one."""
    pairs = [(user, day) for user in range(60) for day in range(10)]
    answers = [shown(user, day, ["grow0" if user % 2 else "fall6"], MONDAY) for user, day in pairs]
    _, grow = measured(evaluated(tmp_path, warehouse, answers), "grow")
    assert grow.exposure.value == pytest.approx(0.5)
    assert grow.exposure.low is not None
    assert grow.exposure.low < 0.42  # 0.5 - 1.96 × (0.25 / 60) ** 0.5 = 0.37; over answers 0.46


def test_the_page_and_the_table_show_the_drift(drifted: OnlineReport, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(drifted))
    text = rendered_html(page)
    section = text[text.index("Exposure of providers over time") : text.index("<h2>By release</h2>")]
    last = MONDAY + timedelta(weeks=5)
    assert f"from the week of {MONDAY:%Y-%m-%d} to that of {last:%Y-%m-%d}" in section
    assert "<figure>" in section
    assert str(escape("same <b> $\\foo$")) in section
    _, grow = measured(drifted, "grow")
    assert grow.change is not None
    assert f"+{100 * grow.change.value:.1f}" in section

    terminal = Terminal(width=160)
    with terminal.capture() as captured:
        for part in online_tables(drifted, 160):
            terminal.print(part)
    assert f"+{100 * grow.change.value:.1f}" in captured.get()


def test_a_wrong_column_is_told_and_none_is_no_section(tmp_path: Path, warehouse: str) -> None:
    answers = [shown(user, 0, ["grow0"]) for user in range(3)]
    with pytest.raises(StepError, match=r"no column 'brand' of text .* PENCHANT_PROVIDER_COLUMN to one of"):
        evaluated(tmp_path, warehouse, answers, "brand")
    (tmp_path / "other").mkdir()
    report = evaluated(tmp_path / "other", warehouse, answers, "")
    assert report.exposure is None
    assert "Exposure of providers" not in render(report)
