"""The rules that a bundle is served with, kept up as its product features change."""

from __future__ import annotations

from typing import Self

from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.document import NOTHING, Document, digest_of, read_document


class Rules:
    """One policy over one bundle; :meth:`now` is what it comes to at the bundle's present features.

    Attributes
    ----------
    text
        The policy's file; empty where the bundle's own rules hold.
    digest
        Of that text; empty where there is none.
    policy
        The rules that need no product column.
    open
        Whether no product is hidden or moved by a column.
    """

    def __init__(
        self, bundle: Bundle, document: Document = NOTHING, text: bytes = b"", name: str = ""
    ) -> None:
        """Raises BadInput where the policy cannot be used with the products of ``bundle``."""
        self.text = text
        self.document = document
        self.digest = digest_of(text) if text else ""
        self._bundle = bundle
        self._table = Table(bundle)
        self._name = name
        self._seen = bundle.revision
        self._compiled = self._made(None)
        self.policy = self._compiled.policy
        self.open = not any((document.filter, document.age, document.region, document.boosts))

    @classmethod
    def read(cls, text: bytes, bundle: Bundle, name: str) -> Self:
        """The policy that ``text`` (TOML, from file ``name``) says; raises BadInput with the field."""
        return cls(bundle, read_document(text, name), text, name)

    def now(self) -> Compiled:
        """The rules at the bundle's present product features; made anew where these have changed."""
        revision = self._bundle.revision
        if revision != self._seen:
            self._compiled = self._made(self._compiled)
            self._seen = revision
        return self._compiled

    def _made(self, before: Compiled | None) -> Compiled:
        return Compiled.of(self.document, self._table, self.digest, self._name, before)
