"""How every picture of the report looks, and what the models are called in it."""

from typing import Final

# Okabe & Ito 2008: told apart with any colour vision.
COLORS: Final = {
    "served": "#0072B2",
    "interest": "#CC79A7",
    "transitions": "#E69F00",
    "popularity": "#8C8C8C",
    "live": "#009E73",
    "als": "#D55E00",
    "als_folded_in": "#56B4E9",
}
LABELS: Final = {
    "served": "Served ranking",
    "interest": "Interest model alone",
    "transitions": "Transition counts",
    "popularity": "Popularity",
    "live": "Live version",
    "als": "ALS, retrained by night",
    "als_folded_in": "ALS, folded in",
}
STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "penchant",
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b6bcc6",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": "#4b5563",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
