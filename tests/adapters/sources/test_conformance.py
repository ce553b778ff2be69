from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources import files
from adapters.sources.conformance import ROWS, check_source, check_subjects_are_data, read
from adapters.sources.contract import Query, Source, SourceError

Opener = Callable[[Sequence[Mapping[str, Any]], Path], Source]

HOSTILE = (
    "' OR '1'='1",
    "'; DROP TABLE register; --",
    '" OR ""="',
    "%",
    "_",
    "\\",
    "\\'",
    "[1-9]*",
    ":subjects",
    "%(subjects)s",
    "{}",
    "$1",
    "?",
    "NULL",
    "nan",
    "　",
    " A1",
    "A1 ",
    "A1",
    "007",
    "7",
    "甲乙丙",
    "\u00e9",
    "e\u0301",
    "🀄",
    "\ufeff",
    "a,b",
    "a\nb",
    "\t",
    "x" * 5000,
)
"""Texts that are code, patterns, blanks or look alike somewhere."""


def test_conforms(opener: Opener, tmp_path: Path) -> None:
    """Each source keeps every clause of the contract."""
    with closing(opener(ROWS, tmp_path)) as source:
        check_source(source)


def test_a_file_too_large_to_keep_conforms(
    opener: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scanning a file and finding rows by index give the same; what must be cleaned cannot be scanned."""
    monkeypatch.setattr(files, "MOST_RESIDENT_BYTES", 0)
    with closing(opener(ROWS, tmp_path)) as source:
        if getattr(source, "_layout", None) is not None:
            with pytest.raises(SourceError, match="save it as Parquet"):
                read(source, Query({"it": "xm"}, (), ()))
            return
        check_source(source)
        check_subjects_are_data(source, "sfzh", ["A2", "a1"])


@pytest.fixture(scope="module")
def hostile(opener: Opener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """A source that holds every hostile text once."""
    source = opener([{"it": text, "other": None} for text in HOSTILE], tmp_path_factory.mktemp("hostile"))
    yield source
    source.close()


def test_hostile_subjects_are_data(hostile: Source) -> None:
    """Every hostile text finds its own row and no other."""
    check_subjects_are_data(hostile, "it", HOSTILE)


plain = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
texts = st.sampled_from(HOSTILE) | plain | st.builds(str.__add__, st.sampled_from(HOSTILE), plain)


@given(subjects=st.lists(texts, min_size=1, max_size=4))
def test_any_subjects_are_data(hostile: Source, subjects: list[str]) -> None:
    """Whatever is asked for, what comes back equals it."""
    rows = read(hostile, Query({"it": "it"}, ("other", "it"), subjects))
    assert sorted(str(row["it"]) for row in rows) == sorted(set(subjects) & set(HOSTILE))


@given(prefix=texts)
def test_any_prefix_is_data(hostile: Source, prefix: str) -> None:
    """Whatever the prefix, what comes back begins with it."""
    rows = read(hostile, Query({"it": "it"}, (), (), (("it", prefix),)))
    assert sorted(str(row["it"]) for row in rows) == sorted(t for t in HOSTILE if t.startswith(prefix))
