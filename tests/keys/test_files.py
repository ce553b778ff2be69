"""Key files: private from the first moment, refused when others can read them, never half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from broker.errors import SetUpError
from broker.keys.files import read_private_file, write_private_file


def test_written_file_is_private_and_read_back(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask, also over an older file that was open to others."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    umask = os.umask(0)
    try:
        write_private_file(path, b"secret")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private_file(path) == b"secret"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o644, 0o777, 0o601])
def test_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of group or others, reading or writing, makes the key worthless."""
    path = tmp_path / "key"
    path.write_bytes(b"secret")
    path.chmod(mode)
    with pytest.raises(SetUpError, match="chmod 600") as caught:
        read_private_file(path)
    assert "secret" not in str(caught.value)


def test_missing_file_and_folder_are_set_up_errors(tmp_path: Path) -> None:
    """What the operator must mend is said with the path, not as a traceback."""
    with pytest.raises(SetUpError, match="cannot be read"):
        read_private_file(tmp_path / "none")
    with pytest.raises(SetUpError):
        read_private_file(tmp_path)
    with pytest.raises(SetUpError, match="cannot be written"):
        write_private_file(tmp_path / "none" / "key", b"secret")
