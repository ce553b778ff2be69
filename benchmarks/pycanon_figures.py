"""The figures of :mod:`benchmarks.adult` by ``pycanon``, for the environment of the peers (``make peers``).

Prints them as JSON; with ``--golden FILE`` writes them there, without the times.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from pycanon import anonymity

sys.path.insert(0, str(Path(__file__).parent))
import adult  # type: ignore[import-not-found] - it lies beside this file


def figures(frame: pd.DataFrame, quasi: list[str], sensitive: list[str]) -> dict[str, object]:
    """k, and for each sensitive column l, entropy l (rounded down, as it gives it), t and alpha."""
    return {
        "k": int(anonymity.k_anonymity(frame, quasi)),
        "sensitive": {
            name: {
                "distinct": int(anonymity.l_diversity(frame, quasi, [name])),
                "entropy": int(anonymity.entropy_l_diversity(frame, quasi, [name])),
                "closeness": float(anonymity.t_closeness(frame, quasi, [name])),
                "alpha": float(anonymity.alpha_k_anonymity(frame, quasi, [name])[0]),
            }
            for name in sensitive
        },
    }


def main() -> None:
    """Figure every case."""
    frame = pd.DataFrame(adult.table())
    found: dict[str, dict[str, object]] = {}
    for case, (quasi, sensitive) in adult.CASES.items():
        start = time.perf_counter()
        found[case] = figures(frame, list(quasi), list(sensitive))
        found[case]["seconds"] = time.perf_counter() - start
    if sys.argv[1:2] == ["--golden"]:
        cases = {case: {**one, "seconds": None} for case, one in found.items()}
        for one in cases.values():
            del one["seconds"]
        golden = {"pycanon": version("pycanon"), "rows": adult.ROWS, "seed": adult.SEED, "cases": cases}
        Path(sys.argv[2]).write_text(json.dumps(golden, indent=1) + "\n", "utf-8")
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
