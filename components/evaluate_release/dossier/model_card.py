"""Writes a version's model card, and the page that tells users what decides, as Markdown.

Mitchell et al. 2019, "Model Cards for Model Reporting"; for users: Regulation (EU) 2022/2065, article 27.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.evaluate_release.dossier.attention import SIGNIFICANT
from components.evaluate_release.dossier.page import ORIGIN_ROWS
from components.evaluate_release.report.result_files import utc
from components.model_names import LABELS
from feature_repo.printable_text import printable

# Shares of a mix that are named.
NAMED: Final = 6

# Feature of the blend -> what it means to a user.
PARAMETERS: Final = {
    "interest": "what you chose lately, and in which order",
    "transitions": "what people chose soon after the things that you chose last",
    "item_cosine": "things that the same people chose as yours",
    "ease": "things that go together with all that you chose",
    "als": "tastes that you share with other people",
    "user_cosine": "what people with a history like yours chose",
    "sequence_knn": "what people chose next who chose the same things as you",
    "content": "the categories of what you chose",
    "popularity": "how many people chose a thing",
    "trend": "how many people chose a thing lately",
    "repeats": "how often you chose the same thing before",
}


def model_card(
    page: Mapping[str, Any],
    version: int | None = None,
    decisions: Sequence[Mapping[str, Any]] = (),
    receipts: Sequence[int] = (),
) -> str:
    """Return the model card of a version.

    Args:
        page: as contents.contents returns.
        version: None before it is registered.
        decisions: records of the review history about the version, oldest first.
        receipts: numbers of the receipts of erased users that it learned from.
    """
    facts = page["facts"]
    weights = facts.get("ablation", {}).get("without", {})
    parts = ", ".join(name.replace("_", " ") for name in weights)
    return (
        _environment()
        .get_template("model_card.jinja")
        .render(
            name=f"version {version}" if version is not None else "a candidate",
            facts=facts,
            data=facts["data"],
            parts=f"its parts, the most important first: {parts}" if parts else "its parts were not measured",
            fairness=facts.get("fairness"),
            privacy={"pseudonyms": None} | facts.get("privacy", {}),
            decisions=decisions,
            receipts=receipts,
            labels=LABELS,
            origin_rows=ORIGIN_ROWS,
            significant=SIGNIFICANT,
        )
    )


def user_page(page: Mapping[str, Any]) -> str:
    """Return the page for users: what decides, by the fall of HR@10 without it, and how to change it."""
    ablation = page["facts"].get("ablation", {})
    parameters = [
        {"text": PARAMETERS[name], "hr_at_10": figures["hr_at_10"]}
        for name, figures in ablation.get("without", {}).items()
        if name in PARAMETERS and figures["hr_at_10"] < ablation["hr_at_10"]
    ]
    parameters.sort(key=lambda parameter: parameter["hr_at_10"])
    template = _environment().get_template("user_page.jinja")
    is_drawn = "epsilon" in page["facts"].get("privacy", {})
    data = page["facts"]["data"]
    return template.render(data=data, ablation=ablation, parameters=parameters, is_drawn=is_drawn)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # it is Markdown, not HTML
        finalize=_escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["capitalise"] = lambda text: text[:1].upper() + text[1:]
    environment.globals |= {
        "utc": utc,
        "figure": _figure,
        "shares": _shares,
        "percent": lambda value: f"{value:.1%}".replace("%", " %"),
        "hundredths": lambda value: f"{100 * value:.1f}",
    }
    return environment


def _figure(figure: Mapping[str, float]) -> str:
    interval = f" ({figure['low']:.4f} to {figure['high']:.4f})" if "low" in figure else ""
    return f"{figure['value']:.4f}{interval}"


def _shares(mix: Mapping[str, float]) -> str:
    total = max(sum(mix.values()), 1e-9)
    named = [f"{name} {100 * count / total:.0f} %" for name, count in list(mix.items())[:NAMED]]
    more = len(mix) - len(named)
    return ", ".join(named) + (f", and {more} more" if more > 0 else "")


def _escape(value: object) -> str:
    """Return text that is no markup, stays inside a cell of a table, and has no control character."""
    text = " ".join(str(value).split())
    return "".join(f"\\{letter}" if letter in "\\|`*_<>[]#&~" else letter for letter in printable(text))
