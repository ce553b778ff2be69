"""``python -m soak kills|faults|load``: see ``docs/soak.md``."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from soak import faults, kills, load

EXIT_WRONG, EXIT_INTERRUPTED = 1, 130


def main(arguments: list[str]) -> int:
    """Run one of them; the exit code is 0 only when nothing is wrong."""
    options = _parser().parse_args(arguments)
    with ExitStack() as stack:
        if options.keep:
            folder = options.keep.resolve()
            folder.mkdir(parents=True)  # an old run's folder is not mixed with a new one's
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sharebroker-soak-")))
        try:
            return 0 if options.run(options, folder) else EXIT_WRONG
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            return EXIT_INTERRUPTED


def _kills(options: argparse.Namespace, folder: Path) -> bool:
    plan = kills.Plan(folder, options.kills, options.seed, options.postgres)
    return kills.run(plan)


def _faults(options: argparse.Namespace, folder: Path) -> bool:
    plan = faults.Plan(folder, options.rounds, options.states, options.seed, options.postgres)
    return faults.run(plan)


def _load(options: argparse.Namespace, folder: Path) -> bool:
    plan = load.Plan(folder, options.exchanges, options.seed, options.postgres, options.workers)
    return load.run(plan)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("kills", help="kill random processes under load, judge what clients hold")
    command.add_argument("--kills", type=int, default=200, metavar="N")
    command.set_defaults(run=_kills)
    _common(command)
    command = commands.add_parser(
        "faults", help="make disks fail under load, cut the power, restore old backups"
    )
    command.add_argument(
        "--rounds", type=int, default=100, metavar="N", help="of a disk that fails for a while"
    )
    command.add_argument(
        "--states", type=int, default=1_000, metavar="N", help="of a disk after power failures"
    )
    command.set_defaults(run=_faults)
    _common(command)
    command = commands.add_parser("load", help="make many exchanges, look for growth, verify the log")
    command.add_argument("--exchanges", type=int, default=1_000_000, metavar="N")
    command.add_argument("--workers", default="auto", help="two or more; one for every core by default")
    command.set_defaults(run=_load)
    _common(command)
    return parser


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--postgres", action="store_true", help="the log in a throw-away PostgreSQL")
    command.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of everything random")
    command.add_argument("--keep", type=Path, metavar="DIR", help="a new folder for everything, to be kept")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
