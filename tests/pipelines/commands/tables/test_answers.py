"""The tables that the commands print."""

from pipelines.commands.tables.answers import recommendations_table
from pipelines.terminal import Terminal
from serving.answers import Answer, Basis, DislikeEffect, Recommendation, Removed, Rule


def test_the_table_of_an_answer_says_what_it_has_less_of_and_which_rule_removed_an_item() -> None:
    answer = Answer(
        [Recommendation("a", "Alien", ["Horror"], 1.5, [], "trending")],
        release_version=3,
        request_id="r1",
        basis=Basis.TRENDING,
        removed=[Removed("s", "Shining, The", 2.0, Rule.DISLIKED)],
        dislike_effects=[DislikeEffect("less Horror: you disliked Shining, The", "Horror", ["s"])],
    )
    console = Terminal(width=120)
    with console.capture() as capture:
        console.print(recommendations_table(answer))
    printed = " ".join(capture.get().split())
    assert "release 3, basis: trending, request id: r1" in printed
    assert "less Horror: you disliked Shining, The removed: Shining, The (disliked)" in printed
