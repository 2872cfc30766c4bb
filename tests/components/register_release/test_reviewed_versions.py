from components.register_release.review_history import Act, Record
from components.register_release.reviewed_versions import ReviewedVersion, reviewed_versions


def record(number: int, act: Act, by: str = "ada", at: str = "") -> Record:
    return Record(0, at, act, number, by, "", None, None, {"ndcg_at_10": 0.1 * number})


def test_versions_have_their_last_decision_and_the_figures_of_their_registration() -> None:
    records = [
        record(1, Act.REGISTERED, "run 7", at="monday"),
        record(2, Act.REGISTERED, "run 8", at="tuesday"),
        record(1, Act.APPROVED),
        record(1, Act.PUSHED),
        record(2, Act.APPROVED, "bob"),
        record(2, Act.SMOKE_TEST_FAILED, "smoke test"),
        record(2, Act.PRUNED),
        record(1, Act.ROLLED_BACK),
    ]

    assert reviewed_versions(records) == [
        ReviewedVersion(2, "failed its smoke test", "smoke test", "tuesday", {"ndcg_at_10": 0.2}, True),
        ReviewedVersion(1, "approved", "ada", "monday", {"ndcg_at_10": 0.1}),
    ]


def test_an_interrupted_promotion_lets_the_version_wait_again() -> None:
    records = [record(1, Act.REGISTERED), record(1, Act.APPROVED), record(1, Act.INTERRUPTED, "penchant")]

    (version,) = reviewed_versions(records)
    assert (version.review, version.by) == ("waiting", "")
