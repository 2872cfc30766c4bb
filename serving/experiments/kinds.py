"""The kinds of experiments, and the methods of interleaving; light to import, for commands."""

from typing import Literal

Kind = Literal["shadow", "canary", "ab", "interleaving"]
Method = Literal["team-draft", "probabilistic"]
