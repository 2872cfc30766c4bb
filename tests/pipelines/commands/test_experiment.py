"""`penchant experiment`: what is started, shown, ramped and stopped, and what is refused."""

import itertools
import json
import random
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from components.evaluate_online.always_valid import compare
from components.evaluate_online.experiment_report import ArmReport, ExperimentReport, recommendation
from feature_repo.interaction import Interaction
from pipelines.cli import app
from pipelines.commands.tables.experiment_reports import report_parts
from pipelines.commands.tables.experiments import experiment_parts
from serving.experiments.assignment import assign
from serving.experiments.experiment import Act, Experiment
from serving.experiments.experiment_file import ExperimentFile
from serving.exposures.exposure import Exposure
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import taint
from tests.components.evaluate_online.shown_world import event, write_log
from tests.serving.experiments.experiments import AT, experiment, file_of, write
from tests.serving.exposures.exposures import exposure


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


def test_steps_that_have_taken_effect_are_listed_beside_those_to_come() -> None:
    hours = [(0, 0.01), (6, 0.05), (12, 0.2)]
    steps = [{"at": AT + timedelta(hours=hour), "share": share} for hour, share in hours]
    shown = experiment("canary", ramp=steps)

    def lines(of: Experiment) -> list[str]:
        parts = experiment_parts(of, AT + timedelta(hours=7))
        return [part for part in parts if isinstance(part, str) and part.startswith(("since", "from"))]

    effective = ["since 2026-11-01 00:00 UTC: 1 %", "since 2026-11-01 06:00 UTC: 5 %"]
    assert lines(shown) == [*effective, "from 2026-11-01 12:00 UTC on: 20 %"]
    stopped = shown.with_act(Act(what="stopped", by="ada", at=AT + timedelta(hours=6)))
    assert lines(stopped) == effective


def test_an_act_between_reading_and_writing_is_not_lost(home: Path) -> None:
    start(home, "canary", "c", "--candidate", "8")
    file = file_of(home)
    read = file.read()
    assert read is not None
    assert run(home, "ramp", "0.5", "--by", "ben")[0] == 0
    with pytest.raises(ValueError, match="experiment c was changed meanwhile"):
        file.replace(read.with_act(Act(what="stopped", by="cem", at=AT)))
    file.stop("c", Act(what="stopped", by="cem", at=AT))
    stopped = file.read()
    assert stopped is not None
    assert [act.by for act in stopped.acts] == ["ada", "ben", "cem"]
    file.stop("c", Act(what="stopped", by="dan", at=AT))
    assert file.read() == stopped


def test_of_two_starts_at_the_same_time_the_second_one_waits_and_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = ExperimentFile.history
    with ThreadPoolExecutor() as pool:
        second: list[Future[None]] = []

        def slow(file: ExperimentFile) -> list[Experiment]:
            if not second:
                second.append(pool.submit(file_of(home).start, experiment("shadow", name="second")))
                wait(second, timeout=0.1)
            return history(file)

        monkeypatch.setattr(ExperimentFile, "history", slow)
        file_of(home).start(experiment("shadow", name="first"))
        with pytest.raises(ValueError, match="experiment first is running"):
            second[0].result()


def test_both_scenarios_of_an_interleaving_have_the_release_that_is_live_at_the_start(home: Path) -> None:
    start(home, "interleaving", "i", "--candidate", "/social", "--requests", "content")
    started = file_of(home).read()
    assert started is not None
    assert [arm.treatment for arm in started.arms] == [(7, None), (7, "social")]


def test_no_experiment_answers_with_a_release_that_learned_from_an_erased_user(home: Path) -> None:
    taint(PublishedVersions(str(home / "releases")), [7, 8], 1)
    code, output = start(home, "shadow", "s", "--candidate", "8")
    assert (code, "release 8 learned from users who were erased since" in output) == (2, True)
    assert start(home, "interleaving", "i", "--candidate", "/social", "--requests", "content")[0] == 0


def test_former_experiments_stay_and_their_names_are_used_up(home: Path) -> None:
    for name in ("one", "two"):
        assert start(home, "shadow", name, "--candidate", "8")[0] == 0
        assert run(home, "stop", "--by", "ada")[0] == 0
    _, output = run(home, "show", "--all")
    assert "│ live │ the live release │ 100 % │ │ candidate │ release 8 │ 100 %, unseen │" in output
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
        (("shadow", "c", "--candidate", "8", "--method", "probabilistic"), "only interleaving has one"),
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
    code, output = start(home, "interleaving", "i", "--candidate", "8", "--method", "probabilistic")
    assert (code, "method: probabilistic" in output) == (0, True)
    code, output = start(home, "shadow", "s", "--candidate", "8")
    assert (code, "experiment i is running" in output) == (2, True)


def test_the_shares_of_an_ab_experiment_are_fixed(home: Path) -> None:
    assert start(home, "ab", "x", "--arm", "a=7:50%", "--arm", "b=8:50%")[0] == 0
    code, output = run(home, "ramp", "1", "--by", "ada")
    assert (code, "the shares of an A/B experiment are fixed" in output) == (2, True)


def recorded_experiment(home: Path, kind: str) -> None:
    """Let 200 users be shown two items each; they click most of those of the new arm, or second ranking."""
    arms = {"old": 0.2, "new": 0.8}
    at_s, rng = AT.timestamp() + 100, random.Random(0)
    shown: list[Exposure] = []
    events: list[Interaction] = []
    for number in range(200):
        user, arm = f"u{number}", "new" if number % 2 else "old"
        fields = {"arm": "interleaved", "credits": (-1.0, 1.0)} if kind == "interleaving" else {"arm": arm}
        shown.append(exposure(user, user, ["a", "b"], round(at_s * 1e6), experiment="e", **fields))
        for place, item in enumerate("ab"):
            team = ("old", "new")[place] if kind == "interleaving" else arm
            if rng.random() < arms[team]:
                events.append(event(len(events), user, item, at_s + 1 + place, request_id=user))
    write_log(home, shown, events)
    (home / "log.db").rename(home / "interaction_log.db")


def test_the_report_of_an_ab_experiment_has_a_verdict(home: Path) -> None:
    recorded_experiment(home, "ab")
    arms = [{"name": "old", "release": 7, "share": 0.5}, {"name": "new", "release": 8, "share": 0.5}]
    write(home, experiment("ab", arms))
    code, output = run(home, "report")
    assert code == 0
    assert "│ users │ 100 │ 100 │" in output
    assert "users of the arms: as their shares say (always-valid p = 1.00)" in output
    assert "new is better: `penchant review approve 8` makes it live" in output


def test_the_report_of_a_ramped_canary_compares_the_arms_at_the_same_times(home: Path) -> None:
    """Nearly all click before the share grows, when few are in the canary, and few afterwards."""
    steps, rng = ((AT, 0.1, 0.9), (AT + timedelta(hours=1), 0.5, 0.1)), random.Random(0)
    canary = experiment("canary", ramp=[{"at": at, "share": share} for at, share, _ in steps])
    shown: list[Exposure] = []
    events: list[Interaction] = []
    for number, (at, _, clicks) in itertools.product(range(400), steps):
        user, seconds = f"u{number}", at.timestamp() + 60
        arm, request = assign(canary, user, seconds), f"r{len(shown)}"
        assert arm
        shown.append(exposure(request, user, ["a"], round(seconds * 1e6), experiment="e", arm=arm.name))
        if rng.random() < clicks:
            events.append(event(len(events), user, "a", seconds + 1, request_id=request))
    write_log(home, shown, events)
    (home / "log.db").rename(home / "interaction_log.db")
    write(home, canary)
    code, output = run(home, "report")
    assert (code, "not decided yet" in output) == (0, True)
    assert "users of the arms: as their shares say" in output


def test_of_an_ended_experiment_the_end_is_shown(home: Path) -> None:
    ramp = [{"at": AT, "share": 0.1}, {"at": AT + timedelta(hours=1), "share": 0.5}]
    stopped = Act(what="stopped", by="guardrail slow", at=AT + timedelta(minutes=9), reason="9 of 9 users")
    arms: list[dict[str, object]] = [{"name": "old"}, {"name": "new", "release": 8}]
    write(home, experiment("canary", arms, ramp=ramp).with_act(stopped))
    code, output = run(home, "show")
    assert (code, "users at the end" in output, "50 %" in output) == (0, True, False)
    assert "│ new │ release 8 │ 10 % │" in output
    report = ExperimentReport(experiment("canary", arms, ramp=ramp).with_act(stopped), [], None, (0, 0), None)
    assert recommendation(report) == "stopped by guardrail slow: 9 of 9 users"
    by_ada = stopped.model_copy(update={"by": "ada"})
    report = replace(report, experiment=experiment("canary", arms, ramp=ramp).with_act(by_ada))
    assert recommendation(report) == "not decided: it ended before a difference was certain"


def arm_reports(*names: str) -> list[ArmReport]:
    """Return arms with many users, each of which is clicked more than the first one."""
    rates, better = {"clicks": 0.1, "conversions": 0.02, "dismissals": 0.01}, compare(0.26, 0.0005, 0.1)
    assert better.is_certain
    return [
        ArmReport(name, 12_000, 123_456, 1_234_560, rates, dict.fromkeys(rates, better if number else None))
        for number, name in enumerate(names)
    ]


def test_a_canary_that_a_guardrail_stopped_is_not_advised_although_it_is_clicked_more() -> None:
    stopped = Act(what="stopped", by="guardrail errors", at=AT, reason="41 of 50 users")
    ended = experiment("canary").with_act(stopped)
    report = ExperimentReport(ended, arm_reports("live", "candidate"), 1.0, (0, 0), None)
    assert recommendation(report) == "stopped by guardrail errors: 41 of 50 users"


@pytest.mark.parametrize("names", [("live", "candidate"), ("old", "new", "newer")])
def test_a_report_of_many_users_fits_80_columns(names: tuple[str, ...]) -> None:
    report = ExperimentReport(experiment("canary"), arm_reports(*names), 1.0, (0, 0), None)
    table = next(part for part in report_parts(report) if isinstance(part, Table))
    with (console := Console(width=80)).capture() as captured:
        console.print(table)
    assert captured.get().count("10.00 (1.21–1.39)") == len(names) - 1


def test_the_report_finds_a_wrong_ratio_of_the_users(home: Path) -> None:
    recorded_experiment(home, "ab")
    arms = [{"name": "old", "release": 7, "share": 0.2}, {"name": "new", "release": 8, "share": 0.6}]
    write(home, experiment("ab", arms))
    code, output = run(home, "report", "e")
    assert (code, "so nothing can be concluded" in output) == (0, True)


def test_the_report_of_interleaved_answers_has_a_verdict(home: Path) -> None:
    recorded_experiment(home, "interleaving")
    arms = [{"name": "live", "release": 7}, {"name": "candidate", "release": 8}]
    write(home, experiment("interleaving", arms))
    code, output = run(home, "report")
    assert code == 0
    assert "clicks on items that only one ranking would have picked, candidate has" in output
    assert "candidate is better: `penchant review approve 8` makes it live" in output


def test_what_cannot_be_reported_is_one_sentence(home: Path) -> None:
    code, output = run(home, "report")
    assert (code, "no experiment was started yet" in output) == (2, True)
    write(home, experiment("shadow"))
    code, output = run(home, "report")
    assert (code, "users do not see the answers of a shadow" in output) == (2, True)
    code, output = run(home, "report", "other")
    assert (code, "there is no experiment 'other'; there are e" in output) == (2, True)
    write_log(home, [exposure("r", timestamp=round(AT.timestamp() * 1e6))], [])
    (home / "log.db").rename(home / "interaction_log.db")
    write(home, experiment("canary"))
    code, output = run(home, "report")
    assert (code, "no answer of experiment e was recorded" in output) == (2, True)


def test_a_damaged_file_is_named(home: Path) -> None:
    (home / "releases" / "experiment.json").write_text("{}")
    code, output = run(home, "show")
    assert code == 2
    assert "experiment.json can't be used: name: Field required; kind: Field required" in output


def test_a_killed_start_can_be_repeated(home: Path) -> None:
    """The former experiment was archived, and then the command was killed."""
    former = experiment("shadow").with_act(Act(what="stopped", by="ada", at=AT))
    write(home, former)
    folder = home / "releases" / "experiments"
    folder.mkdir()
    (folder / "e.json").write_text(former.model_dump_json())
    assert start(home, "shadow", "next", "--candidate", "8")[0] == 0
    assert [each.name for each in file_of(home).history()] == ["e", "next"]
