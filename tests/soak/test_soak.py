"""Both tools, small, so that they stay true: they run as ``make soak`` runs them and find nothing wrong."""

import pytest

from soak.__main__ import main
from soak.kills import longest_gap


def test_kills(tmp_path, capsys):
    """Random kills under load, on SQLite: nothing that a client was given is lost, forked or belied."""
    assert main(["kills", "--kills", "2", "--seed", "7", "--keep", str(tmp_path / "soak")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("seed 7,")
    assert "2 kills" in said
    assert len((tmp_path / "soak" / "kills.jsonl").read_text().splitlines()) == 2


@pytest.mark.postgres
def test_kills_on_postgresql(tmp_path, capsys):
    """The same with the log in a PostgreSQL that is killed, too."""
    assert main(["kills", "--kills", "1", "--seed", "7", "--postgres", "--keep", str(tmp_path / "soak")]) == 0
    assert "1 kills" in capsys.readouterr().out


def test_load(tmp_path, capsys):
    """Some hundred exchanges, every acknowledged one in a log that an auditor finds sound."""
    arguments = ["--exchanges", "300", "--workers", "2", "--seed", "7", "--keep", str(tmp_path / "soak")]
    assert main(["load", *arguments]) == 0
    said = capsys.readouterr().out
    assert "nothing wrong" in said
    assert "too short" in said
    assert all(name in said for name in ("supervisor", "signer", "unary worker", "stream worker"))


def test_folder_of_another_run_is_not_used(tmp_path):
    """What an earlier run left is not mixed with a new one's."""
    with pytest.raises(FileExistsError):
        main(["load", "--keep", str(tmp_path)])


def test_longest_gap_touches_the_window():
    """A pause counts for a kill when it lies, at least in part, between it and the next."""
    times = [0.0, 1.0, 5.0, 6.0, 9.0]
    assert longest_gap(times, 2.0, 5.5) == 4.0
    assert longest_gap(times, 5.5, 6.5) == 3.0
    assert longest_gap(times, 10.0, float("inf")) == 0.0
