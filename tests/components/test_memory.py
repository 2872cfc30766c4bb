"""A step that needs more memory than there is ends before it begins, with the estimate and the setting."""

from pathlib import Path

import pytest

from components import memory
from components.errors import StepError
from components.memory import check_memory, duckdb_memory_limit, memory_limit


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the limit of the container."""
    monkeypatch.setattr(memory, "_CONTAINER_LIMITS", (tmp_path / "memory.max", tmp_path / "absent"))
    return tmp_path / "memory.max"


def test_the_limit_of_the_container_counts_if_it_is_below_that_of_the_machine(container: Path) -> None:
    machine = memory_limit()
    container.write_text("max\n")
    assert memory_limit() == machine
    container.write_text("500000000\n")
    assert memory_limit() == 500_000_000 < machine
    container.write_text(f"{2 * machine}\n")
    assert memory_limit() == machine


def test_duckdb_leaves_a_part_of_a_small_container_to_others(container: Path) -> None:
    container.write_text("500000000\n")
    assert duckdb_memory_limit() == "300000000B"


def test_what_fits_is_reported_and_what_does_not_fit_ends_the_step(
    container: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    container.write_text("500000000\n")
    check_memory("filters", "7 items", 4e8, "sell some")
    assert "filters: 7 items take about 0.4 GB of memory\n" in capsys.readouterr().out
    expected = "filters: 9 items take about 0.6 GB of memory, and this process can have 0.5 GB: sell some"
    with pytest.raises(StepError, match=f"^{expected}$"):
        check_memory("filters", "9 items", 6e8, "sell some")
