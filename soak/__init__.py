"""Long runs against a whole broker: kills, leaks and load. ``make soak`` runs them, apart from the tests.

``kills`` ends processes with SIGKILL under load and holds what clients wrote down against the log; ``load``
makes many exchanges, watches every process for growth, and verifies the log as an auditor would. What they
prove is in ``docs/soak.md``. The tests of :mod:`broker` under kills use the same house, ledgers and judge.
"""
