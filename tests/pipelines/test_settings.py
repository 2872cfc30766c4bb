"""Settings default to embedded parts below the home, and refuse what they don't know."""

from pathlib import Path

import pytest

from pipelines.settings import load_settings


def test_embedded_parts_stand_below_the_home(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)

    assert settings.warehouse == f"{tmp_path}/warehouse"
    assert settings.interaction_log == f"sqlite:///{tmp_path}/interaction_log.db"
    assert settings.features == f"{tmp_path}/warehouse/features"


def test_an_address_in_the_environment_replaces_the_embedded_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_ONLINE_STORE", "redis://cache:6379")

    settings = load_settings(home=tmp_path)

    assert settings.online_store == "redis://cache:6379"
    assert settings.registry == f"{tmp_path}/feast/registry.db"


def test_a_wrong_value_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_POLICY", "yolo")

    with pytest.raises(ValueError, match=r"PENCHANT_POLICY='yolo'.*'auto' or 'review'"):
        load_settings()


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="PENCHANT_POLICIES='auto'"):
        load_settings(policies="auto")


def test_settings_do_not_change_after_the_entry_point(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.policy = "review"  # type: ignore[misc]
