"""Expressions over product columns, as ``category = "shoes" and price < 80``: what they are made of.

::

    expression = term {"or" term}
    term       = factor {"and" factor}
    factor     = "not" factor | "(" expression ")" | test
    test       = column ("=" | "!=" | "<" | "<=" | ">" | ">=") value
               | column ["not"] "in" "(" value {"," value} ")"
               | column "has" value
               | column "is" ["not"] "null"
    value      = number | "text" | 'text' | "true" | "false"

A test of a column that is not known of a product is neither true nor false, and ``not`` does not make it
true; only ``is null`` asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Comparison: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
Value: TypeAlias = float | str


@dataclass(frozen=True)
class Compare:
    """``column operator value``; ``at`` is the column's place in the text, from 1."""

    column: str
    operator: Comparison
    value: Value
    at: int


@dataclass(frozen=True)
class In:
    """``column in (values)``."""

    column: str
    values: tuple[Value, ...]
    at: int


@dataclass(frozen=True)
class Has:
    """``column has value``: the column is a list, and the value is in it."""

    column: str
    value: Value
    at: int


@dataclass(frozen=True)
class IsNull:
    """``column is null``: it is not known."""

    column: str
    at: int


@dataclass(frozen=True)
class Not:
    """The opposite, where it is known."""

    of: Expression


@dataclass(frozen=True)
class Both:
    """``left and right``."""

    left: Expression
    right: Expression


@dataclass(frozen=True)
class Either:
    """``left or right``."""

    left: Expression
    right: Expression


Test: TypeAlias = Compare | In | Has | IsNull
Expression: TypeAlias = Test | Not | Both | Either
