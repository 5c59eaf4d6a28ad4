"""CITATION.cff is valid, and cites the version that is here."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import ultrarm_eval
from tests.packaging.conftest import ROOT

#: What the Citation File Format 1.2.0 asks of the fields that we use.
TEXT = {"type": "string", "minLength": 1}
URL = {"type": "string", "pattern": r"^https://\S+$"}
NAMES = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {
        "anyOf": [
            {"required": ["name"], "properties": {"name": TEXT}, "additionalProperties": False},
            {
                "required": ["family-names"],
                "properties": {"family-names": TEXT, "given-names": TEXT},
                "additionalProperties": False,
            },
        ]
    },
}
REFERENCE = {
    "type": "object",
    "required": ["authors", "title", "type"],
    "properties": {
        "type": {"enum": ["article", "software"]},
        "title": TEXT,
        "authors": NAMES,
        "year": {"type": "integer"},
        "identifiers": {
            "type": "array",
            "items": {
                "required": ["type", "value"],
                "properties": {"type": {"enum": ["doi", "other", "swh", "url"]}, "value": TEXT},
                "additionalProperties": False,
            },
        },
        "url": URL,
        "repository-code": URL,
    },
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "required": ["authors", "cff-version", "message", "title"],
    "properties": {
        "cff-version": {"const": "1.2.0"},
        "message": TEXT,
        "type": {"enum": ["dataset", "software"]},
        "title": TEXT,
        "abstract": TEXT,
        "authors": NAMES,
        "version": TEXT,
        "license": {"const": "MIT"},
        "repository-code": URL,
        "url": URL,
        "keywords": {"type": "array", "uniqueItems": True, "items": TEXT},
        "references": {"type": "array", "uniqueItems": True, "items": REFERENCE},
    },
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def citation() -> Any:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_it_is_valid(citation: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(citation, SCHEMA)


def test_it_cites_the_version_of_the_package(citation: Any) -> None:
    assert citation["version"] == ultrarm_eval.__version__


def test_it_names_the_repository_that_the_metadata_name(citation: Any) -> None:
    description = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for address in (citation["repository-code"], citation["url"]):
        assert f'"{address}"' in description


def test_it_refers_to_the_paper_and_the_harness(citation: Any) -> None:
    addresses = [one["url"] for one in citation["references"]]
    assert addresses == [
        "https://arxiv.org/abs/2310.01377",
        "https://github.com/EleutherAI/lm-evaluation-harness",
    ]
