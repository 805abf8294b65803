"""For which products an expression is true: one look at whole columns, no loop over products."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Never

import numpy as np
import numpy.typing as npt

from reco_assets.catalogue.attributes import SEPARATORS
from reco_assets.catalogue.items import LEVEL
from reco_assets.errors import BadExpression
from reco_assets.recommender.policy.columns import PRODUCT_ID, Table, Texts
from reco_assets.recommender.policy.expression import (
    Both,
    Compare,
    Either,
    Expression,
    Has,
    In,
    IsNull,
    Not,
    Test,
    Value,
)
from reco_assets.recommender.policy.parser import parse

Bools = npt.NDArray[np.bool_]

_OPERATORS: Final[Mapping[str, Callable[..., Bools]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: Columns of which a text means what is below it as well.
_PATHS: Final = ("category",)


@dataclass(frozen=True)
class _Kleene:
    """Where an expression is true and where it is false; elsewhere it is not known. ``bool[n]`` each."""

    yes: Bools
    no: Bools


def holds(text: str, table: Table) -> Bools:
    """``bool[n_items]``: for which products the expression ``text`` is true.

    Raises
    ------
    BadExpression
        It cannot be read, names a column that the products do not have, or compares a text as a number.
    """
    return _Evaluated(text, table).of(parse(text)).yes


@dataclass(frozen=True)
class _Evaluated:
    text: str
    table: Table

    def of(self, expression: Expression) -> _Kleene:
        match expression:
            case Not(of):
                found = self.of(of)
                return _Kleene(found.no, found.yes)
            case Both(left, right):
                one, other = self.of(left), self.of(right)
                return _Kleene(one.yes & other.yes, one.no | other.no)
            case Either(left, right):
                one, other = self.of(left), self.of(right)
                return _Kleene(one.yes | other.yes, one.no & other.no)
            case IsNull(column, _):
                known = self._known(expression)
                return _Kleene(~known, known)
            case Compare(_, operation, value, _):
                known = self._known(expression)
                yes = self._true(expression, "=" if operation == "!=" else operation, [value])
                return _Kleene(~yes & known, yes) if operation == "!=" else _Kleene(yes, ~yes & known)
            case In(_, values, _):
                known = self._known(expression)
                yes = self._true(expression, "=", values)
                return _Kleene(yes, ~yes & known)
            case Has(column, value, _):
                texts = self.table.text(column)
                known = self._known(expression)
                if texts is None:
                    self._fail(expression, f"{column} is not a text, so it has no members; use =")
                if not isinstance(value, str):
                    self._fail(expression, f"the members of {column} are texts; put {value:g} in quotes")
                yes = _of_names(texts, [value in members(name) for name in texts.names])
                return _Kleene(yes, ~yes & known)

    def _known(self, test: Test) -> Bools:
        known = self.table.known(test.column)
        if known is None:
            raise BadExpression(
                self.text,
                test.at,
                f"products have no column {test.column}",
                hint=self.table.like(test.column),
            )
        return known

    def _true(self, test: Test, operation: str, values: Sequence[Value]) -> Bools:
        """Whether the column of ``test``, which there is, is in that relation to one of ``values``."""
        number, texts = self.table.number(test.column), self.table.text(test.column)
        if number is not None:
            compare = _OPERATORS[operation]
            found = np.zeros(len(number), np.bool_)
            for value in values:
                if isinstance(value, str):
                    self._fail(test, f"{test.column} is a number, {value!r} is a text")
                found |= compare(number, np.float32(value))
            return found
        if operation != "=":
            self._fail(test, f"{test.column} is a text: it can be compared with =, !=, in and has only")
        wanted = []
        for value in values:
            if not isinstance(value, str):
                self._fail(test, f"{test.column} is a text; put {value:g} in quotes")
            wanted.append(value)
        if test.column == PRODUCT_ID:
            return self._products(wanted)
        assert texts is not None, "a known column is of numbers, of texts, or the id"
        exact, below = set(wanted), tuple(f"{value}{LEVEL}" for value in wanted)
        path = test.column in _PATHS
        return _of_names(texts, [name in exact or (path and name.startswith(below)) for name in texts.names])

    def _products(self, ids: Sequence[str]) -> Bools:
        found = np.zeros(len(self.table.items), np.bool_)
        rows = [self.table.items.row(product_id) for product_id in ids]
        found[[row for row in rows if row >= 0]] = True
        return found

    def _fail(self, test: Test, reason: str) -> Never:
        raise BadExpression(self.text, test.at, reason)


def members(text: str) -> tuple[str, ...]:
    """The members of a list that is written as one text."""
    return tuple(part.strip() for part in SEPARATORS.split(text) if part.strip())


def _of_names(texts: Texts, chosen: Sequence[bool]) -> Bools:
    """Products whose text is one of the ``chosen`` of the column's names."""
    # an unknown text has code -1, which is the last place
    found: Bools = np.array([*chosen, False], np.bool_)[texts.codes]
    return found
