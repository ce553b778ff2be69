"""The manifest: which place in the history of bundles one takes, so that its hash covers that too."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from broker.approve.files import MANIFEST, Files
from broker.errors import VerificationFailed

FORMAT = "share-manifest/v1"
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Made when a bundle is proposed."""

    sequence: int
    """From 1, by one with each bundle that was in force."""
    previous: str
    """Hash of the bundle it follows."""

    def content(self) -> bytes:
        """The file: JSON with sorted keys on one line."""
        said = {"format": FORMAT, "previous": self.previous, "sequence": self.sequence}
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)

    def among(self, files: Files) -> dict[str, bytes]:
        """The bundle: ``files`` with this manifest in the place of any other."""
        return {**files, MANIFEST: self.content()}


def without_manifest(files: Files) -> dict[str, bytes]:
    """The files that people write."""
    return {file: content for file, content in files.items() if file != MANIFEST}


def manifest_of(files: Files) -> Manifest | None:
    """The manifest of a bundle; None when it has none: it was put in force without being proposed.

    Raises:
        VerificationFailed: it is not as :meth:`Manifest.content` writes it.
    """
    content = files.get(MANIFEST)
    if content is None:
        return None
    try:
        said = orjson.loads(content)
        manifest = Manifest(said["sequence"], said["previous"])
        is_sound = type(manifest.sequence) is int and bool(_HASH.fullmatch(manifest.previous))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        is_sound = False
    if not is_sound or manifest.content() != content:
        raise VerificationFailed("策略包的 manifest.json 格式不符 / manifest: malformed")
    return manifest
