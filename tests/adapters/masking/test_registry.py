"""Finding operators: only what is allowed, each name once, and clear words when something is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from adapters.masking.contract import ENTRY_POINT_GROUP
from adapters.masking.registry import load_operators

MODULE = """
from adapters.masking.contract import Params, Properties

class Shift:
    name = "shift"
    version = "1"
    title = "偏移"
    summary = "Shifts."
    params = Params
    properties = Properties()
    accepts = {}
    known_answers = ()
    def result_type(self, values, params): return values
    def bind(self, params, keys): return lambda values: values

class Misnamed(Shift):
    name = "other"

class Bare:
    name = "bare"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a package that offers operators: entry point name → attribute of its module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "third_party_masks.py").write_text(MODULE, encoding="utf-8")

    def installed(package: str, **points: str) -> None:
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {target}\n" for name, target in points.items())
        (folder / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{lines}")

    yield installed
    sys.modules.pop("third_party_masks", None)


def test_all_that_is_installed_or_only_what_is_allowed() -> None:
    """None means every operator installed; a list means exactly those."""
    assert {"redact", "partial", "pseudonym", "year", "region", "predicate"} <= set(load_operators(None))
    assert set(load_operators(["year", "redact", "year"])) == {"year", "redact"}
    assert not load_operators([])


def test_a_third_party_operator_is_found(install) -> None:
    """Installing a package with an entry point is all it takes."""
    install("masks-a", shift="third_party_masks:Shift")
    assert load_operators(["shift"])["shift"].title == "偏移"


def test_what_is_not_allowed_is_not_imported(install) -> None:
    """A package that nobody asked for runs no code in the broker."""
    install("masks-a", shift="third_party_masks:Shift")
    load_operators(["redact"])
    assert "third_party_masks" not in sys.modules


def test_one_name_offered_twice_is_refused(install) -> None:
    """Which of two packages masks must never depend on the order they are found in."""
    install("masks-a", redact="third_party_masks:Shift")
    with pytest.raises(ValueError, match=r"'redact' is offered more than once: adapters.*third_party"):
        load_operators(["redact"])


@pytest.mark.parametrize(
    ("point", "target", "complaint"),
    [
        ("shift", "third_party_masks:Gone", "cannot be loaded"),
        ("shift", "no_such_module:Shift", "cannot be loaded"),
        ("shift", "third_party_masks:Misnamed", "calls itself 'other'"),
        ("bare", "third_party_masks:Bare", "has no version, title"),
    ],
)
def test_broken_operators_are_refused(install, point, target, complaint) -> None:
    """An operator that cannot be loaded, is incomplete or misnamed stops the start with its name."""
    install("masks-a", **{point: target})
    with pytest.raises(ValueError, match=complaint):
        load_operators([point])


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    """A typing error in the settings is answered with the names to choose from."""
    with pytest.raises(ValueError, match=r"'redcat' is installed; there are .*redact"):
        load_operators(["redcat"])


def test_a_name_may_carry_its_version(install) -> None:
    """What an officer approved is one version; another one, which may mask otherwise, is not taken for it."""
    install("masks-a", shift="third_party_masks:Shift")
    assert set(load_operators(["shift@1", "redact", "shift"])) == {"shift", "redact"}
    with pytest.raises(ValueError, match=r"'shift' is installed in version 1, .* 2 is allowed.*shift@1"):
        load_operators(["shift@2"])


@pytest.mark.parametrize(
    ("allowed", "complaint"),
    [
        (["redact@"], "'redact@' is no operator"),
        (["@1"], "'@1' is no operator"),
        (["redact@1", "redact@2"], "'redact' is allowed in two versions: 1, 2"),
    ],
)
def test_a_version_that_says_nothing_is_refused(allowed, complaint) -> None:
    """A slip in the settings never widens what they allow."""
    with pytest.raises(ValueError, match=complaint):
        load_operators(allowed)
