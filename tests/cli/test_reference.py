"""The generated reference is current, and names everything there is to set or to read."""

from __future__ import annotations

from reco_assets.cli.reference import PAGE, page
from reco_assets.features.catalogue import all_features, names
from reco_assets.platform.settings import Settings


def test_the_page_in_docs_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/reference.md is out of date: run `make reference`"
    )


def test_every_setting_and_every_feature_is_on_the_page() -> None:
    made = page()
    wanted = [f"`RECO_{name.upper()}`" for name in Settings.model_fields]
    wanted += [f"`{name}`" for name in names(all_features())]
    assert [name for name in wanted if name not in made] == []
