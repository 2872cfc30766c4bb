"""Settings default to the embedded parts in the home, and refuse unknown names and values."""

from pathlib import Path

import pytest

from pipelines.settings import Settings, load_settings


def test_addresses_default_to_the_home(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)

    assert settings.warehouse == f"{tmp_path}/warehouse"
    assert settings.interaction_log == f"sqlite:///{tmp_path}/interaction_log.db"
    assert settings.features == f"{tmp_path}/warehouse/features"


def test_urls_of_the_home_quote_its_path(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "a?b%20c")

    assert settings.interaction_log == f"sqlite:///{tmp_path}/a%3Fb%2520c/interaction_log.db"
    assert settings.releases == f"{tmp_path}/a?b%20c/releases"


def test_a_home_that_is_a_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^settings: home='.*/runs\[1\]': expected a path without \["):
        load_settings(home=tmp_path / "runs[1]")


def test_the_environment_overrides_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_ONLINE_STORE", "redis://cache:6379")

    settings = load_settings(home=tmp_path)

    assert settings.online_store == "redis://cache:6379"
    assert settings.registry == f"{tmp_path}/feast/registry.db"


def test_a_wrong_value_is_reported_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_POLICY", "yolo")

    with pytest.raises(ValueError, match=r"PENCHANT_POLICY='yolo'.*'auto', 'auto-unless-worse' or 'review'"):
        load_settings()


def test_a_wrong_engine_is_reported_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_COMPUTE", "yarn")
    monkeypatch.setenv("PENCHANT_SPARK_PROPERTIES", '{"memory": "8g"}')
    allowed = r"PENCHANT_COMPUTE='yarn': expected duckdb, .*; PENCHANT_SPARK_PROPERTIES=.*'memory': expected"
    with pytest.raises(ValueError, match=allowed):
        load_settings()


@pytest.mark.parametrize("workers", ["0", "-1", "65", "two"])
def test_a_wrong_number_of_workers_is_refused(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_TRAINING_WORKERS", workers)
    with pytest.raises(ValueError, match=f"PENCHANT_TRAINING_WORKERS='{workers}'"):
        load_settings()


@pytest.mark.parametrize("name", ["MIN_PROVIDER_EXPOSURE", "BALANCED_EXPOSURE_GAP"])
def test_a_limit_of_providers_needs_their_column(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PENCHANT_{name}", "0.5")
    with pytest.raises(ValueError, match=f"PENCHANT_{name} without PENCHANT_PROVIDER_COLUMN"):
        load_settings()
    monkeypatch.setenv("PENCHANT_PROVIDER_COLUMN", "seller")
    assert load_settings().provider_column == "seller"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="PENCHANT_POLICIES='auto'"):
        load_settings(policies="auto")


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.policy = "review"  # type: ignore[misc]


def test_every_setting_has_a_description() -> None:
    undocumented = [name for name, field in Settings.model_fields.items() if not field.description]
    assert Settings.model_fields
    assert undocumented == []
