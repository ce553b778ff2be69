"""What the signer knows of the log's keys, in a file beside its memory: public, and small.

``{"first": "<verifier key>", "successions": ["<signed note>", …]}``. The memory
(:mod:`broker.receipt.memory`) says how far the log was signed, this file under which keys. A log that has had
one key has none.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from broker.durable import sync_folder
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.log_keys import LogKeys, Trust
from broker.receipt.note import VerifierKey


def keys_file(state: Path) -> Path:
    """Where it is."""
    return Path(f"{state}.keys")


def dump_keys(keys: LogKeys) -> str:
    """The content, one line."""
    return json.dumps({"first": str(keys.first), "successions": keys.notes}, ensure_ascii=False) + "\n"


def parse_keys(text: str) -> LogKeys:
    """What :func:`dump_keys` wrote.

    Raises:
        VerificationFailed: it is something else, or the successions do not hold.
    """
    try:
        content = json.loads(text)
        first, notes = content["first"], content["successions"]
    except (ValueError, TypeError, KeyError):
        first = notes = None
    if (
        not isinstance(first, str)
        or not isinstance(notes, list)
        or not all(isinstance(n, str) for n in notes)
    ):
        raise VerificationFailed("密钥历史格式不符 / log keys: malformed")
    return LogKeys(VerifierKey.parse(first), tuple(notes))


def read_keys(state: Path) -> LogKeys | None:
    """The keys that the signer with this memory knows; None where there has been one only.

    Raises:
        SetUpError: the file cannot be read, or is damaged.
    """
    file = keys_file(state)
    try:
        return parse_keys(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, VerificationFailed) as error:
        raise SetUpError(
            f"无法使用密钥历史 {file}（{error}）。可删除它：服务会从数据库重新得知并核验。",
            f"The key history {file} cannot be used ({error}). It may be deleted: the broker learns it again "
            "from the database, and verifies it.",
        ) from None


def known_keys(state: Path, trust: Trust) -> LogKeys:
    """The keys that ``trust`` leads to by what the signer knows.

    Raises:
        SetUpError: as of :func:`read_keys`.
        VerificationFailed: the signer's keys are another log's.
    """
    keys, known = LogKeys.of(trust), read_keys(state)
    return keys if known is None else keys.extended(known.notes)


def write_keys(state: Path, keys: LogKeys) -> None:
    """Durably, and in one step.

    Raises:
        OSError: it cannot be written; what was there is there.
    """
    file = keys_file(state)
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(dump_keys(keys))
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    sync_folder(file.parent)
