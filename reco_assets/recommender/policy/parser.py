"""From the text of an expression to what it means; every fault names its place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, cast

from reco_assets.errors import BadExpression
from reco_assets.recommender.policy.expression import (
    Both,
    Compare,
    Comparison,
    Either,
    Expression,
    Has,
    In,
    IsNull,
    Not,
    Test,
    Value,
)

#: Longer texts are refused, and so are parentheses and ``not`` in each other deeper than this.
MOST_CHARACTERS: Final = 2_000
DEEPEST: Final = 40

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_0-9.]))
      | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<sign><=|>=|!=|<|>|=|\(|\)|,)
    )""",
    re.VERBOSE,
)
_COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")
_WORDS: Final = ("and", "or", "not", "in", "has", "is", "null", "true", "false")
_END: Final = "the end"


@dataclass(frozen=True)
class _Token:
    kind: str
    said: str
    at: int

    @property
    def word(self) -> str:
        """What it says where it is a sign or a word of the grammar, whatever its case; else nothing."""
        if self.kind == "sign":
            return self.said
        small = self.said.lower()
        return small if self.kind == "word" and small in _WORDS else ""

    @property
    def shown(self) -> str:
        return self.said if self.kind == "end" else repr(self.said)


def parse(text: str) -> Expression:
    """The expression that ``text`` says; raises BadExpression with the place of what is wrong."""
    if len(text) > MOST_CHARACTERS:
        raise BadExpression(
            f"{text[:40]}...", MOST_CHARACTERS + 1, f"it is longer than {MOST_CHARACTERS} characters"
        )
    reading = _Reading(text, _tokens(text))
    found = reading.either(0)
    if reading.here.kind != "end":
        reading.fail(f"'and', 'or' or the end should follow, not {reading.here.shown}")
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            begins = at + len(text[at:]) - len(text[at:].lstrip())
            if text[begins] in "'\"":
                raise BadExpression(text, begins + 1, f"the text that {text[begins]} opens does not end")
            raise BadExpression(text, begins + 1, f"{text[begins]!r} means nothing here")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return [*found, _Token("end", _END, end + 1)]


@dataclass
class _Reading:
    """Recursive descent over ``tokens``; ``place`` is how far it has come."""

    text: str
    tokens: list[_Token]
    place: int = field(default=0)

    @property
    def here(self) -> _Token:
        return self.tokens[self.place]

    def fail(self, reason: str) -> None:
        raise BadExpression(self.text, self.here.at, reason)

    def next(self) -> _Token:
        token = self.here
        self.place += 1
        return token

    def took(self, word: str) -> bool:
        """Whether ``word`` stands here; then it is passed."""
        here = self.here.word == word
        self.place += here
        return here

    def must(self, word: str) -> None:
        if not self.took(word):
            self.fail(f"{word!r} should stand here, not {self.here.shown}")

    def either(self, depth: int) -> Expression:
        found = self.both(depth)
        while self.took("or"):
            found = Either(found, self.both(depth))
        return found

    def both(self, depth: int) -> Expression:
        found = self.factor(depth)
        while self.took("and"):
            found = Both(found, self.factor(depth))
        return found

    def factor(self, depth: int) -> Expression:
        if depth > DEEPEST:
            self.fail(f"it is nested deeper than {DEEPEST} times")
        if self.took("not"):
            return Not(self.factor(depth + 1))
        if self.took("("):
            found = self.either(depth + 1)
            self.must(")")
            return found
        return self.test()

    def test(self) -> Expression:
        if self.here.kind != "word" or self.here.word:
            self.fail(f"the name of a product column should stand here, not {self.here.shown}")
        named = self.next()
        column, at = named.said.lower(), named.at
        if self.here.word in _COMPARISONS:
            operator = cast("Comparison", self.next().said)
            return Compare(column, operator, self.value(), at)
        if self.took("has"):
            return Has(column, self.value(), at)
        if self.took("is"):
            negated = self.took("not")
            self.must("null")
            return _negated(IsNull(column, at), negated)
        negated = self.took("not")
        if not self.took("in"):
            self.fail(f"a comparison, 'in', 'has' or 'is null' should follow {column}, not {self.here.shown}")
        self.must("(")
        values = [self.value()]
        while self.took(","):
            values.append(self.value())
        self.must(")")
        return _negated(In(column, tuple(values), at), negated)

    def value(self) -> Value:
        if self.here.kind not in ("number", "text") and self.here.word not in ("true", "false"):
            self.fail(f"a number, a text in quotes, true or false should stand here, not {self.here.shown}")
        token = self.next()
        if token.kind == "number":
            return float(token.said)
        return token.said[1:-1] if token.kind == "text" else float(token.word == "true")


def _negated(test: Test, negated: bool) -> Expression:
    return Not(test) if negated else test
