"""Renders a matplotlib figure as an SVG element of a page."""

import io
import re

from matplotlib.figure import Figure as Canvas

from components.plots.plot_style import PAGE_COLORS


def svg(canvas: Canvas) -> str:
    """Render a plot as an SVG element without prologue and date; the page sets its width and its colors."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    for color, variable in PAGE_COLORS.items():
        text = text.replace(color, variable)
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", text[text.index("<svg") :], count=1)
