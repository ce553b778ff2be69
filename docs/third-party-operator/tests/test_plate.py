"""The operator keeps the contract, as every other does; that is all a third party has to show."""

import pytest
from sharebroker_plate import Plate

from adapters.masking.conformance import check_operator


def test_conformance():
    """Known answers, every encoding, no plaintext in the bytes that leave, types, threads."""
    check_operator(Plate())


def test_parameters_are_strict():
    """A policy that asks for anything else is refused when it is loaded."""
    with pytest.raises(ValueError, match="to"):
        Plate().params.model_validate({"to": "district"})
