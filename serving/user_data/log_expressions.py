"""SQL expressions of the interaction log that SQLite and PostgreSQL spell differently."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

_LARGEST: Final = 2**63 - 1


class Lines(sa.sql.functions.FunctionElement[str]):
    """An aggregate of texts, one a line."""

    type = sa.Text()
    inherit_cache = True


@compiles(Lines, "sqlite")
def _sqlite_lines(element: Lines, compiler: Any, **options: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **options)}, char(10))"


@compiles(Lines, "postgresql")
def _postgresql_lines(element: Lines, compiler: Any, **options: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **options)}, chr(10))"


class RowsOfUser(sa.sql.functions.FunctionElement[Any]):
    """Whether a row is of a user and after a position or time: (user column, column, user, bound).

    Order by both columns, descending. PostgreSQL would otherwise take the index of `column` alone for
    `user_id = … ORDER BY column LIMIT …` where it expects many rows, and read the rows of all users. A range
    of both columns has the order of their common index only.
    """

    type = sa.types.NULLTYPE  # SQLAlchemy compares a Boolean with 1 in SQLite, which hides it from indexes
    inherit_cache = True


@compiles(RowsOfUser, "sqlite")
def _sqlite_rows(element: RowsOfUser, compiler: Any, **options: Any) -> str:
    users, column, user, bound = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({users} = {user} AND {column} > {bound})"


@compiles(RowsOfUser, "postgresql")
def _postgresql_rows(element: RowsOfUser, compiler: Any, **options: Any) -> str:
    users, column, user, bound = (compiler.process(clause, **options) for clause in element.clauses)
    row = f"({users}, {column})"
    return f"({row} > ({user}, {bound}) AND {row} <= ({user}, {_LARGEST}))"
