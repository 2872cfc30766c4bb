"""Each code cell of the examples follows an explanation; `end_to_end` runs them."""

import re
from pathlib import Path

FIRST_RECOMMENDER = Path(__file__).with_name("first_recommender.py")


def test_each_code_cell_of_the_first_recommender_follows_an_explanation() -> None:
    cells = re.findall(r"^# %%(.*)$", FIRST_RECOMMENDER.read_text(), re.MULTILINE)
    assert len(cells) > 10
    assert cells == [" [markdown]", ""] * (len(cells) // 2)
