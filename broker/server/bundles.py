"""The operators that the settings allow, and reading policies with them. Nothing of it needs a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.masking.contract import Operator
from adapters.masking.registry import load_operators
from broker.approve.bundle import Bundle, bundle_of, load_bundle
from broker.approve.files import Files, read_folder
from broker.approve.masks import CheckMask
from broker.approve.problem import Problems
from broker.desensitize.plan import check_mask
from broker.errors import SetUpError
from broker.settings import Settings


def checked_bundle(folder: Path, operators: Mapping[str, Operator]) -> Bundle:
    """The bundle in ``folder``, every mask of it checked against the operators there are.

    Raises:
        SetUpError: everything that is wrong with it, each with its place.
    """
    return load_bundle(folder, checker(operators))


def compiler(operators: Mapping[str, Operator]) -> Callable[[Files], Bundle]:
    """As :func:`checked_bundle`, of files."""
    check = checker(operators)
    return lambda files: bundle_of(files, check)


def operators_of(settings: Settings) -> Mapping[str, Operator]:
    """The masking operators that policies may use.

    Raises:
        SetUpError: one that is allowed is not installed.
    """
    try:
        return load_operators(settings.masking.allowed)
    except ValueError as error:
        raise SetUpError(
            f"脱敏算子无法载入：{error}", f"Masking operators cannot be loaded: {error}"
        ) from None


def read_files(folder: Path) -> Files:
    """The bundle's files in ``folder``, not parsed.

    Raises:
        SetUpError: there is no such folder, or files are missing, unreadable or out of place.
    """
    problems = Problems()
    files = read_folder(folder, problems)
    problems.refuse()
    return files


def checker(operators: Mapping[str, Operator]) -> CheckMask:
    """What says why a mask cannot be applied to a field."""
    return lambda field, mask, subjects=(): check_mask(operators, field.type, mask, subjects)
