"""A card says where its pictures are from: as the collections tell, else as the table of known sources does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.settings import MODELS
from convert.card_page import describe_model
from convert.provenance import list_sources
from training.manifest import ManifestError

OWN = {"label": "fake", "family": "sdxl", "origin": "A/B@1", "terms": "CC BY\n4.0", "note": "few"}


def test_a_source_is_described_by_its_collection_the_table_or_as_unknown(tmp_path: Path) -> None:
    (tmp_path / "collections.json").write_text(json.dumps({"mine": {**OWN, "faces": {"train": 3}}}))
    sources = list_sources(["mine", "ffhq", "stray", "mine"], tmp_path / "faces.csv")
    assert list(sources) == ["ffhq", "mine", "stray"]
    assert sources["mine"] == {**OWN, "terms": "CC BY 4.0"}
    assert sources["ffhq"]["terms"] == "CC BY-NC-SA 4.0"
    assert set(sources["stray"].values()) == {"not stated"}


def test_what_a_collection_says_comes_before_the_table(tmp_path: Path) -> None:
    (tmp_path / "collections.json").write_text(json.dumps({"ffhq": OWN}))
    assert list_sources(["ffhq"], tmp_path / "faces.csv")["ffhq"]["family"] == "sdxl"


def test_a_damaged_collections_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "collections.json").write_text("{")
    with pytest.raises(ManifestError, match=r"collections\.json is damaged.*build the data set again"):
        list_sources(["mine"], tmp_path / "faces.csv")


def test_the_page_lists_sources_and_their_terms_and_a_card_of_before_has_none(tmp_path: Path) -> None:
    card = json.loads((MODELS / "model_card.json").read_text())
    card["data"].pop("sources", None)
    assert "came under these terms" not in describe_model(card)
    (tmp_path / "collections.json").write_text(json.dumps({"mine": OWN}))
    card["data"]["sources"] = list_sources(["mine", "ffhq"], tmp_path / "faces.csv")
    page = describe_model(card)
    assert "- CC BY 4.0: mine" in page
    assert "| mine | fake | sdxl | A/B@1 | CC BY 4.0 | few |" in page
    assert (
        page.index("## Terms") < page.index("came under these terms") < page.index("## Data") < page.index("| mine |")
    )
