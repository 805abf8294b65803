"""The page on the policy file says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reco_assets.recommender.policy.document import Boost, Document, Promotion, Restricted, read_document
from reco_assets.recommender.policy.parser import parse

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [Document, Restricted, Boost, Promotion])
def test_every_field_is_explained(kind: type[Document | Restricted | Boost | Promotion]) -> None:
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    missing = [
        name for name in kind.__struct_fields__ if f"`{name}`" not in table and f"[{name}]" not in table
    ]
    assert missing == []


def test_the_file_on_it_can_be_read() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 1
    document = read_document(blocks[0].encode(), "docs/policy.md")
    assert [one.name for one in document.boosts] == ["margin", "last ones"]


def test_the_expressions_on_it_can_be_read() -> None:
    lines = PAGE.split("## Expressions\n\n```\n")[1].split("```")[0].splitlines()
    assert len(lines) == 3
    for line in lines:
        parse(line)
