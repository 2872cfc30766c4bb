"""`penchant experiment`: what is started, shown, ramped and stopped, and what is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from serving.experiments.experiment import Act
from tests.serving.experiments.experiments import AT, experiment, file_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with releases 7 and 8, of which 7 is live."""
    for version in (7, 8):
        for file in (f"ranking/{version}/manifest.json", f"interest/{version}/saved_model.pb"):
            path = tmp_path / "releases" / file
            path.parent.mkdir(parents=True)
            path.touch()
    (tmp_path / "releases" / "live.json").write_text('{"version": 7}')
    return tmp_path


def run(home: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["experiment", *arguments, "--home", str(home)])
    return result.exit_code, " ".join(result.output.split())


def start(home: Path, *arguments: str) -> tuple[int, str]:
    return run(home, "start", *arguments, "--by", "ada")


def test_a_canary_is_started_ramped_and_stopped_and_each_act_is_kept(home: Path) -> None:
    code, output = start(home, "canary", "c", "--candidate", "8", "--share", "1%", "--ramp", "6h:20%")
    assert (code, "canary c: running" in output) == (0, True)
    assert "│ live │ the live release │ 99 % │ │ candidate │ release 8 │ 1 % │" in output
    assert run(home, "ramp", "0.5", "--by", "ben", "--reason", "all is well")[0] == 0
    assert run(home, "stop", "--by", "cem")[0] == 0
    code, output = run(home, "show")
    assert (code, "canary c: stopped" in output) == (0, True)
    assert "│ candidate │ release 8 │ 50 % │" in output
    assert "ramped by ben: all is well" in output
    content = json.loads((home / "releases" / "experiment.json").read_text())
    assert [(act["what"], act["by"]) for act in content["acts"]] == [
        ("started", "ada"),
        ("ramped", "ben"),
        ("stopped", "cem"),
    ]
    assert len(content["ramp"]) == 2  # the step of six hours later is gone


def test_former_experiments_stay_and_their_names_are_used_up(home: Path) -> None:
    for name in ("one", "two"):
        assert start(home, "shadow", name, "--candidate", "8")[0] == 0
        assert run(home, "stop", "--by", "ada")[0] == 0
    _, output = run(home, "show", "--all")
    assert output.index("shadow one: stopped") < output.index("shadow two: stopped")
    code, output = start(home, "shadow", "one", "--candidate", "8")
    assert (code, "experiment one exists already" in output) == (2, True)


def test_the_live_release_of_now_is_an_arm_of_an_ab_experiment(home: Path) -> None:
    arms = ("--arm", "old=live:30%", "--arm", "varied=live/content:30%", "--requests", "content")
    assert start(home, "ab", "x", *arms)[0] == 0
    started = file_of(home).read()
    assert started is not None
    assert [(arm.release, arm.scenario, arm.share) for arm in started.arms] == [
        (7, None, 0.3),
        (7, "content", 0.3),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("canary", "c", "--candidate", "9"), "release 9 is not published; published are 7, 8"),
        (("canary", "c", "--candidate", "7"), "arms live and candidate are the same: release 7 is live"),
        (("canary", "c"), "arms: expected two arms for canary, got 0"),
        (("canary", "c", "--candidate", "8", "--share", "2"), "--share: expected a share from 0 to 1"),
        (("canary", "c", "--candidate", "8", "--ramp", "soon"), "--ramp: expected DELAY:SHARE"),
        (("canary", "c", "--candidate", "8", "--guardrail", "slowness=2"), "known are errors, slow"),
        (("shadow", "c", "--candidate", "8", "--slow-ms", "9"), "only a canary has guardrails"),
        (("shadow", "No name!", "--candidate", "8"), "name: String should match pattern"),
        (("ab", "x", "--arm", "a=7:60%", "--arm", "b=8:60%"), "arm shares that sum to at most 1, got 1.2"),
        (("ab", "x", "--arm", "a=7", "--arm", "b=8:50%"), "each arm of an A/B experiment needs one"),
        (("ab", "x", "--arm", "a=7:50%", "--arm", "a=8:50%"), "arms: expected different names, got a, a"),
        (("ab", "x", "--arm", "a=7:50%", "--arm", "b=live:50%"), "a and b are the same, release 7"),
        (("ab", "x", "--arm", "a=7:50%", "--arm", "b=8:50%", "--share", "1"), "have fixed shares instead"),
        (("ab", "x", "--arm", "seven"), "--arm: expected NAME=RELEASE[/SCENARIO][:SHARE]"),
        (
            ("ab", "x", "--arm", "a=7/content:50%", "--arm", "b=7/none:50%", "--requests", "content"),
            "scenario 'none' is unknown; known are ads, content",
        ),
        (
            ("ab", "x", "--arm", "a=7/content:50%", "--arm", "b=8:50%"),
            "requests of one scenario only",
        ),
        (
            ("ab", "x", "--arm", "a=7:50%", "--arm", "b=7/email:50%", "--requests", "content"),
            "records impressions",
        ),
    ],
)
def test_wrong_use_is_one_sentence(home: Path, arguments: tuple[str, ...], sentence: str) -> None:
    code, output = start(home, *arguments)
    assert code == 2
    assert sentence in output
    assert not (home / "releases" / "experiment.json").exists()


def test_one_experiment_runs_at_a_time_and_without_one_nothing_is_stopped(home: Path) -> None:
    for command in (("stop", "--by", "ada"), ("ramp", "0.5", "--by", "ada")):
        code, output = run(home, *command)
        assert (code, "no experiment is running" in output) == (2, True)
    assert start(home, "interleaving", "i", "--candidate", "8")[0] == 0
    code, output = start(home, "shadow", "s", "--candidate", "8")
    assert (code, "experiment i is running" in output) == (2, True)


def test_the_shares_of_an_ab_experiment_are_fixed(home: Path) -> None:
    assert start(home, "ab", "x", "--arm", "a=7:50%", "--arm", "b=8:50%")[0] == 0
    code, output = run(home, "ramp", "1", "--by", "ada")
    assert (code, "have fixed shares, or users would change their arm" in output) == (2, True)


def test_a_damaged_file_is_named(home: Path) -> None:
    (home / "releases" / "experiment.json").write_text("{}")
    code, output = run(home, "show")
    assert code == 2
    assert "experiment.json can't be used: name: Field required; kind: Field required" in output


def test_a_killed_start_can_be_repeated(home: Path) -> None:
    """The former experiment was archived, and then the command was killed."""
    former = experiment("shadow").with_act(Act(what="stopped", by="ada", at=AT))
    file_of(home).replace(former)
    folder = home / "releases" / "experiments"
    folder.mkdir()
    (folder / "e.json").write_text(former.model_dump_json())
    assert start(home, "shadow", "next", "--candidate", "8")[0] == 0
    assert [each.name for each in file_of(home).history()] == ["e", "next"]
