"""The kinds of experiments; light to import, for commands."""

from typing import Literal

Kind = Literal["shadow", "canary", "ab", "interleaving"]
