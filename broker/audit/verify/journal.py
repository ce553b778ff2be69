"""What was verified already, so that an interrupted verification goes on.

One JSON line says what is verified, and one for each part what was found and the SHA-256 of all that was read
for it. A part is passed over only if reading it again gives the same bytes; neither names, sizes nor times of
files are relied on. Whoever can write to the journal can make verification say anything: it is the auditor's
own file, and belongs to nobody else.
"""

from __future__ import annotations

import os
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, astuple
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.spans import Checked
from broker.errors import SetUpError
from broker.receipt.finding import Finding
from broker.receipt.retention import Expiry

FORMAT = "audit-verify-journal/v1"


class Journal:
    """What was found so far. Without a file it remembers nothing.

    Raises:
        SetUpError: the file is somebody else's, damaged, or of another verification.
    """

    def __init__(self, file: Path | None, identity: Mapping[str, Any]) -> None:
        self._done: dict[str, Any] = {}
        self._stream = None
        if file is not None:
            self._done = _read(file, identity)
            self._stream = file.open("ab", buffering=0)
            if not file.stat().st_size:
                self._write({"format": FORMAT, **identity})

    def close(self) -> None:
        """Everything told is on disk."""
        if self._stream is not None:
            self._stream.close()

    def earlier(self, name: str) -> Checked | None:
        """What an earlier run has found of the work of that name."""
        told = self._done.get(name)
        return _checked(told) if told else None

    def record(self, name: str, checked: Checked) -> None:
        """The work of that name is done."""
        if self._stream is not None:
            self._write({"done": name, **_told(checked)})

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._stream is not None  # noqa: S101 - who writes has opened it
        self._stream.write(orjson.dumps(line) + b"\n")
        os.fsync(self._stream.fileno())


def _read(file: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Name → line; a last line that is torn was never written.

    Raises:
        SetUpError: the file is somebody else's, or of another verification.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    with open(handle, "rb+") as stream:
        about = os.fstat(handle)
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            raise SetUpError(
                f"核验记录 {file} 可被他人改写，不能采信；请删除，或换一个文件。",
                f"Others can write to the journal {file}: it cannot be relied on. Delete it or name another.",
            )
        content = stream.read()
        whole = content[: content.rfind(b"\n") + 1]
        stream.truncate(len(whole))
    try:
        first, *lines = [orjson.loads(line) for line in whole.splitlines()] or [None]
        if first not in (None, {"format": FORMAT, **identity}):
            raise SetUpError(
                f"{file} 是另一次核验的记录（日志头、公钥、对照文件或软件版本不同）；请删除，或换一个文件。",
                f"{file} is the journal of another verification (another head, key, files to compare or "
                "version of the software); delete it or name another.",
            )
        return {line["done"]: line for line in lines}
    except (ValueError, TypeError, KeyError):
        raise SetUpError(
            f"核验记录 {file} 已损坏，请删除。", f"The journal {file} is damaged; delete it."
        ) from None


def _told(checked: Checked) -> dict[str, Any]:
    return {
        "digest": checked.digest.hex(),
        "roots": b"".join(checked.roots).hex(),
        "edges": {str(size): root.hex() for size, root in checked.edges.items()},
        "remarks": [[remark.nature, asdict(remark.finding)] for remark in checked.remarks],
        "counted": {nature.value: count for nature, count in checked.counted.items()},
        "kinds": {str(kind): count for kind, count in checked.kinds.items()},
        "erased": checked.erased,
        "last_erased": checked.last_erased,
        "emptied": checked.emptied,
        "expiries": [[*astuple(one)[:-1], one.before.isoformat()] for one in checked.expiries],
        "ends": b64encode(zlib.compress(checked.ends, 1)).decode(),
        "oldest": checked.oldest,
        "newest": checked.newest,
    }


def _checked(told: Mapping[str, Any]) -> Checked:
    roots = bytes.fromhex(told["roots"])
    return Checked(
        bytes.fromhex(told["digest"]),
        [roots[at : at + 32] for at in range(0, len(roots), 32)],
        {int(size): bytes.fromhex(root) for size, root in told["edges"].items()},
        [Remark(Nature(nature), Finding(**finding)) for nature, finding in told["remarks"]],
        Counter({Nature(nature): count for nature, count in told["counted"].items()}),
        Counter(told["kinds"]),
        [(first, stop) for first, stop in told["erased"]],
        told["last_erased"],
        [(first, stop) for first, stop in told["emptied"]],
        [
            Expiry(leaf, first, last, count, datetime.fromisoformat(before))
            for leaf, first, last, count, before in told["expiries"]
        ],
        zlib.decompress(b64decode(told["ends"])),
        (told["oldest"][0], told["oldest"][1]),
        told["newest"],
    )
