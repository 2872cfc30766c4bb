"""Colors and matplotlib settings of the plots in pages."""

from typing import Final

from components.model_names import ALS, ALS_FOLDED_IN, INTEREST, LIVE, POPULARITY, SERVED, TRANSITIONS

# Okabe & Ito 2008: distinguishable with every kind of color vision.
COLORS: Final = {
    SERVED: "#0072B2",
    INTEREST: "#CC79A7",
    TRANSITIONS: "#E69F00",
    POPULARITY: "#8C8C8C",
    LIVE: "#009E73",
    ALS: "#D55E00",
    ALS_FOLDED_IN: "#56B4E9",
}
INK, SOFT, FAINT, GRID = "#111827", "#4b5563", "#b6bcc6", "#e5e7eb"
# In the page these are colors of its style, which differ in the dark.
PAGE_COLORS: Final = {INK: "var(--ink)", SOFT: "var(--soft)", FAINT: "var(--soft)", GRID: "var(--line)"}
STYLE: Final = {
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "penchant",
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
