import pytest

from pipelines.commands.errors import out


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables as without a terminal, also in a process whose environment names a width."""
    monkeypatch.setattr(out, "width", 120)
