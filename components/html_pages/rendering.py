"""Renders self-contained HTML pages: a template beside its module, in the frame and style of all pages."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from feature_repo.counts import counted

_HERE: Final = Path(__file__).parent


def render_page(template: Path, **variables: Any) -> str:
    """Return the page of a template that extends base_template.html and fills its blocks `title` and `main`.

    Templates can call `counted`.

    Raises:
        jinja2.UndefinedError: the template needs a variable that is missing.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["counted"] = counted
    style = Markup((_HERE / "page_style.css").read_text())
    return environment.get_template(template.name).render(style=style, **variables)
