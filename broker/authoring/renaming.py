"""Names that are one slip of a finger from the only one that can be meant (``lint --fix --names``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from broker.approve.bundle import bundle_of
from broker.approve.files import Files
from broker.approve.masks import CheckMask
from broker.approve.problem import Kind, PolicyProblems, Position, Problems


class _Unknown(Problems):
    """Problems that remember which names were not found, where one known name is a slip away."""

    def __init__(self) -> None:
        super().__init__()
        self.meant: dict[Position, tuple[str, str]] = {}

    def unknown(self, at: Position, kind: Kind, name: str, known: Collection[str]) -> None:
        super().unknown(at, kind, name, known)
        near = [candidate for candidate in known if one_slip(name, candidate)]
        if len(near) == 1:
            self.meant[at] = name, near[0]


def renamed(files: Files, check_mask: CheckMask) -> Mapping[str, bytes]:
    """``files`` with each unknown name put right where exactly one that exists is one slip away."""
    unknown = _Unknown()
    with suppress(PolicyProblems):
        bundle_of(files, check_mask, unknown)
    texts = {at.file: files[at.file].decode("utf-8-sig").split("\n") for at in unknown.meant}
    for at in sorted(unknown.meant, reverse=True):
        name, meant = unknown.meant[at]
        line, column = texts[at.file][at.line - 1], at.column - 1
        column += line[column : column + 1] in ('"', "'")
        if line.startswith(name, column):
            texts[at.file][at.line - 1] = line[:column] + meant + line[column + len(name) :]
    return {**files, **{file: "\n".join(lines).encode() for file, lines in texts.items()}}


def one_slip(written: str, meant: str) -> bool:
    """Whether one letter is too many, missing, another, or two neighbours have changed places."""
    if written == meant:
        return False
    while written and meant and written[0] == meant[0]:
        written, meant = written[1:], meant[1:]
    while written and meant and written[-1] == meant[-1]:
        written, meant = written[:-1], meant[:-1]
    if len(written) == len(meant) == 2:
        return written == meant[::-1]
    return len(written) <= 1 and len(meant) <= 1
