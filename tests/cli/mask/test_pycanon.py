"""Our figures are those of ``pycanon``, an independent tool, on a public-style table."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import adult

GOLDEN = json.loads((Path(__file__).parent / "golden" / "pycanon.json").read_text("utf-8"))
"""Written by ``make peers``, in an environment that has pycanon."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The table that the golden figures are of."""
    path = tmp_path_factory.mktemp("adult") / "adult.parquet"
    pq.write_table(pa.table(adult.table()), path)
    return path


def test_golden_figures_are_of_this_table():
    """Whoever changes the table runs ``make peers`` again."""
    assert (GOLDEN["rows"], GOLDEN["seed"], set(GOLDEN["cases"])) == (
        adult.ROWS,
        adult.SEED,
        set(adult.CASES),
    )


@pytest.mark.parametrize("case", adult.CASES)
def test_figures_agree(run, file, case):
    """k, l, entropy l, t by both distances, and α of every case; some with classes of one, some without."""
    quasi, sensitive = adult.CASES[case]
    golden = GOLDEN["cases"][case]
    words = ("risk", file, "--quasi", ",".join(quasi), "--sensitive", ",".join(sensitive), "--json")
    found = json.loads(run(*words, code=int(golden["k"] < 5)))
    assert found["anonymity"]["k"] == golden["k"]
    assert set(found["sensitive"]) == set(golden["sensitive"])
    for name, theirs in golden["sensitive"].items():
        ours = found["sensitive"][name]["disclosure"]
        assert found["sensitive"][name]["ordered"] == (name == "hours")
        assert ours["distinct"] == theirs["distinct"]
        assert int(ours["entropy"]) == theirs["entropy"]
        assert ours["closeness"] == pytest.approx(theirs["closeness"], abs=1e-12)
        assert ours["alpha"] == pytest.approx(theirs["alpha"], abs=1e-12)
