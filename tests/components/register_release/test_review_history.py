import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from components.errors import StepError
from components.register_release.review_history import Act, ReviewHistory


@pytest.fixture
def history(database_url: str) -> ReviewHistory:
    return ReviewHistory(database_url, "penchant")


def change(history: ReviewHistory, statement: str) -> None:
    """Change the table as somebody with access to the database could."""
    with history._engine.begin() as connection:
        connection.execute(sa.text(statement))


def planted(history: ReviewHistory) -> ReviewHistory:
    history.append(Act.REGISTERED, 1, "nightly run", figures={"ndcg@10": 0.17})
    history.append(Act.APPROVED, 1, "ann", "better for new users", (None, None))
    history.append(Act.PUSHED, 1, "ann", live=(None, 1))
    return history


def test_records_are_kept_in_order_with_all_that_was_known(history: ReviewHistory) -> None:
    records = planted(history).records()

    assert [(record.sequence, record.act, record.by) for record in records] == [
        (1, "registered", "nightly run"),
        (2, "approved", "ann"),
        (3, "pushed", "ann"),
    ]
    assert records[0].figures == {"ndcg@10": 0.17}
    assert records[1].reason == "better for new users"
    assert (records[2].live_before, records[2].live_after) == (None, 1)
    assert records[2].previous == records[1].hash()
    assert history.verify() == []


def test_models_have_histories_of_their_own(history: ReviewHistory, database_url: str) -> None:
    other = ReviewHistory(database_url, "other")
    planted(history)

    assert other.records() == []
    assert other.append(Act.REGISTERED, 1, "nightly run").sequence == 1


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM penchant_review_history WHERE sequence = 2", "record 2 is missing"),
        (
            "UPDATE penchant_review_history SET content = replace(content, 'ann', 'bob') WHERE sequence = 2",
            "record 2 was changed",
        ),
    ],
)
def test_a_missing_or_changed_record_is_found(history: ReviewHistory, statement: str, fault: str) -> None:
    change(planted(history), statement)

    assert history.verify() == [fault]


def test_a_rewritten_record_breaks_the_chain(history: ReviewHistory) -> None:
    planted(history)
    content = json.loads(history.records()[1].content()) | {"by": "bob"}
    forged = history.records()[1].__class__(**content)
    change(
        history,
        f"UPDATE penchant_review_history SET content = '{forged.content()}', hash = '{forged.hash()}' "
        "WHERE sequence = 2",
    )

    assert history.verify() == ["record 3 does not follow from record 2"]


def test_of_two_decisions_at_once_one_is_told(history: ReviewHistory) -> None:
    last_seen = len(planted(history).records())
    history.append(Act.REJECTED, 1, "bob", "too few new items", last_seen=last_seen)

    with pytest.raises(StepError, match=r"bob has rejected version 1 at .*, after you looked"):
        history.append(Act.APPROVED, 1, "ann", "fine", last_seen=last_seen)
    assert history.append(Act.APPROVED, 2, "ann", "fine", last_seen=last_seen).sequence == 5


def test_records_appended_at_once_are_all_kept(history: ReviewHistory) -> None:
    history.records()  # creates the table
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: history.append(Act.REGISTERED, number, "run"), range(1, 9)))

    assert sorted(record.version for record in history.records()) == list(range(1, 9))
    assert history.verify() == []


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    history = ReviewHistory(f"sqlite:///{tmp_path}/missing/history.db", "penchant")

    with pytest.raises(StepError, match="database of the review history cannot be reached: unable to open"):
        history.records()
