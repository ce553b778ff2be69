"""``make bench``: run every measurement, or those named, and print one table for each."""

from __future__ import annotations

import sys

from benchmarks import (
    appends,
    bulk,
    decisions,
    differences,
    exchanges,
    growth,
    killswitch,
    masks,
    risk,
    stages,
    streams,
    vault,
    verify,
)

ALL = {
    "exchanges": exchanges.run,
    "streams": streams.run,
    "stages": stages.run,
    "decisions": decisions.run,
    "differences": differences.run,
    "appends": appends.run,
    "verify": verify.run,
    "growth": growth.run,
    "killswitch": killswitch.run,
    "vault": vault.run,
    "masks": masks.run,
    "risk": risk.run,
    "bulk": bulk.run,
}


def main(names: list[str]) -> None:
    """Run the named measurements, all when none is named."""
    unknown = set(names) - set(ALL)
    if unknown:
        sys.exit(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    for name in names or ALL:
        ALL[name]()


if __name__ == "__main__":  # processes that a measurement spawns import this module, too
    main(sys.argv[1:])
