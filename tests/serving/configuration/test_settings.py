"""Settings of the recommender: defaults, sources, and errors that reveal no secret."""

from pathlib import Path

import pytest

from serving.configuration.settings import load_settings


def test_defaults_listen_on_loopback_and_read_the_stores_below_home(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    assert settings.host == "127.0.0.1"
    assert settings.releases == f"{tmp_path}/releases"
    assert settings.interaction_log == f"sqlite:///{tmp_path}/interaction_log.db"


def test_an_argument_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_PORT", "1234")
    monkeypatch.setenv("PENCHANT_TOKENS", '{"recommend": ["a-token-of-some-length"]}')
    assert load_settings().port == 1234
    assert load_settings(port=0).port == 0
    assert load_settings().tokens["recommend"][0].get_secret_value() == "a-token-of-some-length"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("PORT", "70000", "less than or equal to 65535"),
        ("HOME", "", "expected a folder"),
        ("MAX_IN_FLIGHT", "many", "valid integer"),
        ("HISTORY_BUDGET_MS", "-1", "greater than 0"),
    ],
)
def test_an_error_names_the_key_its_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(f"PENCHANT_{key}", value)
    with pytest.raises(ValueError, match=f"PENCHANT_{key}='{value}'.*{allowed}"):
        load_settings()


@pytest.mark.parametrize(
    ("former", "name"),
    [("THREADS", "MAX_IN_FLIGHT"), ("SECRET", "SECRET_NAME"), ("VOLUME", "VOLUME_CLAIM")],
)
def test_a_former_name_is_refused_with_the_new_name(
    monkeypatch: pytest.MonkeyPatch, former: str, name: str
) -> None:
    monkeypatch.setenv(f"PENCHANT_{former}", "4")
    with pytest.raises(ValueError, match=f"PENCHANT_{former} is now called PENCHANT_{name}$"):
        load_settings()


@pytest.mark.parametrize(
    "tokens", ['{"recommend": ["short"]}', '{"other": ["short-but-long-enough"]}', "short"]
)
def test_an_error_does_not_show_tokens(monkeypatch: pytest.MonkeyPatch, tokens: str) -> None:
    monkeypatch.setenv("PENCHANT_TOKENS", tokens)
    with pytest.raises(ValueError, match=r"tokens|TOKENS") as caught:
        load_settings()
    assert "short" not in str(caught.value)
    monkeypatch.delenv("PENCHANT_TOKENS")
    assert "short" not in repr(load_settings(tokens={"record": ["short-but-long-enough"]}))


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("PENCHANT_MAX_IN_FLIHGT", "did you mean PENCHANT_MAX_IN_FLIGHT?"),
        ("PENCHANT_TRACKING_URL", "did you mean PENCHANT_TRACKING_URI?"),
        ("PENCHANT_QQQQQ", "list the settings"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, advice: str
) -> None:
    monkeypatch.setenv(variable, "4")
    with pytest.raises(ValueError, match=f"^settings: {variable} is no setting: .*") as raised:
        load_settings()
    assert advice in str(raised.value)


def test_variables_of_the_other_processes_and_of_kubernetes_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TOKEN", "POLICY", "IMAGE", "RECOMMENDER_SERVICE_HOST", "RECOMMENDER_PORT_50051_TCP_ADDR"):
        monkeypatch.setenv(f"PENCHANT_{name}", "4")
    assert load_settings()


def test_an_address_other_than_loopback_needs_tokens_or_a_decision() -> None:
    with pytest.raises(ValueError, match=r"PENCHANT_HOST='0.0.0.0' without tokens: .*PENCHANT_INSECURE=true"):
        load_settings(host="0.0.0.0")
    tokens = {"admin": ["a-token-of-some-length"]}
    assert load_settings(host="0.0.0.0", tokens=tokens)
    assert load_settings(host="0.0.0.0", insecure=True)
    assert load_settings(host="[::1]")


def test_a_certificate_without_a_key_and_an_unknown_setting_are_refused() -> None:
    with pytest.raises(ValueError, match="tls_certificate and tls_key belong together"):
        load_settings(tls_certificate="cert.pem")
    with pytest.raises(ValueError, match=r"PENCHANT_PROT=1: Extra inputs are not permitted"):
        load_settings(prot=1)
