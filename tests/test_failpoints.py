"""The test facility that kills the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("points", "code"),
    [("here=1", -signal.SIGKILL), ("there=1,here=0", 0), ("there=0.5, here=1.0", -signal.SIGKILL), ("", 0)],
)
def test_only_a_named_point_kills(points: str, code: int) -> None:
    """Without the variable, or at another point, nothing happens."""
    ran = subprocess.run(
        [sys.executable, "-c", "from broker import failpoints; failpoints.hit('here')"],
        env={**os.environ, "SHAREBROKER_FAILPOINTS": points},
        check=False,
    )
    assert ran.returncode == code
