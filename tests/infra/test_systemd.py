"""The systemd units start a command that exists, every night, and once for a night that was missed."""

import configparser
import re
import shlex
from pathlib import Path

import typer.main

from pipelines.cli import app
from pipelines.settings import Settings
from tests.infra.conftest import INFRA

UNITS = INFRA / "systemd"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS / name)
    return parser


def home_of(name: str) -> Path:
    (home,) = re.findall(r"PENCHANT_HOME=(\S+)", unit(name)["Service"]["Environment"])
    return Path(home)


def test_the_service_runs_a_command_that_exists() -> None:
    program, name, *arguments = shlex.split(unit("penchant-training.service")["Service"]["ExecStart"])
    assert program.endswith("/penchant")
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.make_context(name, arguments).params["hyperparameter"] == ["warm_start=true"]


def test_the_service_runs_once_and_may_write_its_home() -> None:
    service = unit("penchant-training.service")["Service"]
    assert service["ReadWritePaths"] == str(home_of("penchant-training.service").parent)
    assert service["Type"] == "oneshot"


def test_the_variables_of_the_service_are_settings() -> None:
    for file in ("penchant-training.service", "penchant-home.service"):
        named = re.findall(r"PENCHANT_([A-Z_]+)", (UNITS / file).read_text())
        assert named
        assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_a_unit_of_its_own_unlocks_and_locks_an_encrypted_home() -> None:
    service = unit("penchant-home.service")["Service"]
    group = typer.main.get_command(app).commands["home"]  # type: ignore[attr-defined]
    for key, name in (("ExecStart", "unlock"), ("ExecStop", "lock")):
        assert shlex.split(service[key])[1:] == ["home", name]
        assert name in group.commands
    assert service["RemainAfterExit"] == "true"
    assert home_of("penchant-home.service") == home_of("penchant-training.service")
    files = [unit(f"penchant-{name}.service")["Service"]["EnvironmentFile"] for name in ("home", "training")]
    assert files == ["/etc/penchant/settings.env", "-/etc/penchant/settings.env"]
    assert not {"PrivateTmp", "ProtectSystem", "ProtectHome", "NoNewPrivileges"} & set(service)


def test_the_timer_starts_the_service_and_makes_up_for_a_missed_night() -> None:
    timer = unit("penchant-training.timer")
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Timer"]["OnCalendar"].startswith("*-*-* 03:00:00")
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert (UNITS / "penchant-training.service").exists()
