"""Options that say what event types and ratings mean."""

from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions, parse_options
from feature_repo.event_types import Kind


def parse(min_value: str | None = None, all_positive: bool | None = None, **kinds: str) -> dict[str, Any]:
    return parse_options({Kind(kind): [text] for kind, text in kinds.items()}, min_value, all_positive)


def test_names_are_written_as_known_event_types_and_weights_are_numbers() -> None:
    parsed = parse("3.5", True, positive="Purchased=3,unbox", negative="dislike=0.4")
    assert parsed == {
        "kinds": {"purchase": "positive", "unbox": "positive", "dislike": "negative"},
        "weights": {"purchase": 3.0, "dislike": 0.4},
        "min_value": 3.5,
        "all_positive": True,
    }
    assert FeedbackOptions.parse(parsed).to_dict() == parsed


def test_what_is_not_given_is_absent_and_leaves_what_is_kept() -> None:
    kept = FeedbackOptions.parse({"min_value": 3.0, "kinds": {"a": "negative"}, "weights": {"a": 0.3}})
    assert parse() == {}
    assert FeedbackOptions.parse({}).over(kept) == kept
    changed = FeedbackOptions.parse(parse("auto", positive="a")).over(kept)
    assert (changed.min_value, changed.kinds, changed.weights) == (None, {"a": Kind.POSITIVE}, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive": "a,,b"}, "--positive a,,b: expected NAME"),
        ({"positive": "a=many"}, "--positive a: 'many' is not a number"),
        ({"positive": "a=0"}, "a=0: expected a weight above 0"),
        ({"positive": "a=nan"}, "a=nan: expected a weight above 0"),
        ({"neutral": "a=2"}, "a=2: only positive and negative event types have a weight"),
        ({"positive": "a", "negative": "A ,a"}, "--negative a: it is in --positive too"),
        ({"positive": "Impression"}, "always an exposure"),
        ({"positive": "rating"}, "use --min-value"),
        ({"min_value": "three"}, "--min-value: 'three' is not a number"),
        ({"min_value": "inf"}, "expected a number"),
    ],
    ids=str,
)
def test_a_malformed_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError, match=message):
        parse(**options)


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StepError, match="unknown key 'minimum'; expected one of kinds, weights, min_value"):
        FeedbackOptions.parse({"minimum": 3})
