"""A test facility: die at a named point, as by a power failure, to prove what survives.

``SHAREBROKER_FAILPOINTS="after_commit=0.01,before_signature=1"``, read once when this module is imported,
makes the process send itself SIGKILL at those points with those probabilities. Without the variable a point
costs one look into an empty dictionary.

============================ ===========================================================================
point                        where
============================ ===========================================================================
vault_before_commit,         around the commit of a batch of the subject vault: numbers are given out, whose
vault_after_commit           statements are not recorded yet
before_commit, after_commit  around the commit of a batch of the receipt log
before_signature,            around the signature of the log's head over that batch
after_signature
before_send                  a unary exchange is complete; its answer has not been given to gRPC
before_cosigning,            a witness is about to put a head on disk; it is on disk, and nobody has been
after_cosigning              given the cosignature
after_send                   gRPC has ended the call of a unary exchange: its answer was handed to transport,
                             or the caller had gone. Whether it arrived, nobody on this side can know
============================ ===========================================================================
"""

from __future__ import annotations

import os
import random
import signal

VARIABLE = "SHAREBROKER_FAILPOINTS"


def _parse(text: str) -> dict[str, float]:
    points = (item.partition("=") for item in text.split(",") if item)
    return {name.strip(): float(probability) for name, _, probability in points}


_POINTS = _parse(os.environ.get(VARIABLE, ""))


def hit(name: str) -> None:
    """Dies here, if the environment says so."""
    probability = _POINTS.get(name)
    if probability is not None and random.random() < probability:  # noqa: S311 - chance, not a secret
        os.kill(os.getpid(), signal.SIGKILL)
