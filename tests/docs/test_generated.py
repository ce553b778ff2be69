"""The generated pages of the docs say what the code says."""

import importlib.util
from pathlib import Path

import pytest

from broker.reasons import SENTENCES, Reason

DOCS = Path(__file__).parents[2] / "docs"


def _generator():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["error-reasons.md", "settings.md", "masking.md", "applications.md"])
def test_page_is_current(page):
    """A generated page that `make docs` would write differently fails the build."""
    assert (DOCS / page).read_text("utf-8") == _generator().PAGES[page]()


def test_every_reason_is_documented_once():
    """Each reason has its sentences and stands under exactly one heading of docs/error-reasons.md."""
    documented = [reason for reasons in _generator().GIVEN_AS.values() for reason in reasons]
    assert sorted(documented) == sorted(Reason)
    assert set(SENTENCES) == set(Reason)


def test_sentences_are_bilingual_and_whole():
    """Every sentence has a Chinese and an English form that ends as a sentence does."""
    for sentence in SENTENCES.values():
        assert sentence.zh.endswith("。")
        assert sentence.en.endswith(".")
