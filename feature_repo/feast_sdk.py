"""Feast, imported without its run-time type checks: in a third of the time (`python -X importtime`).

Feast decorates its classes with typeguard's `typechecked`, which compiles each of their methods anew. And it
turns deprecation warnings on for the whole process, which is not a library's to decide.
"""

import warnings
from typing import Any

import typeguard


def _unchecked(target: Any = None, **_: Any) -> Any:
    return target or _unchecked


_typechecked: Any = typeguard.typechecked
typeguard.typechecked = _unchecked
try:
    with warnings.catch_warnings():
        import feast
finally:
    typeguard.typechecked = _typechecked

__all__ = ["feast"]
