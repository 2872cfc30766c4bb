"""Fairness in a terminal: a table of gaps, and one of providers."""

from rich.console import Console

from pipelines.commands.tables.fairness import fairness_tables

GAP = {"attribute": "age", "metric": "HR@10", "best": "[b]young", "worst": "old", "p_value": 0.01}
PROVIDER = {"provider": "[i]s", "items": 1_000, "catalog": 0.2, "relevance": 0.0, "exposure": 0.1}


def test_data_are_text_and_what_is_not_known_is_left_out() -> None:
    gap = GAP | {"best_value": 0.3, "worst_value": 0.1, "low": 0.05, "high": 0.25}
    provider = PROVIDER | {"first_place": 0.0, "low": None, "high": None}
    console = Console(width=140, record=True)
    for table in fairness_tables({"gaps": [gap], "providers": [provider], "provider_column": "seller"}):
        console.print(table)
    text = console.export_text()
    assert "HR@10 by age │ [b]young 0.3000 │  old 0.1000 │ 0.2000 │ +0.0500 to +0.2500 │ 0.010" in text
    assert "[i]s   │ 1,000 │          20.0% │      0.0% │    10.0% │" in text
    assert list(fairness_tables({"gaps": [], "providers": []})) == []
