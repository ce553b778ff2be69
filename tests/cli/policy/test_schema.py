"""``policy schema``: files for editors, beside the policies and no part of them."""

import json

import pytest
from jsonschema import Draft202012Validator

from broker.errors import SetUpError


def test_schemas_are_printed(run, folder):
    """One JSON object, kind of file → schema; the catalog's names are among the values that complete."""
    made = json.loads(run("schema", folder))
    assert {"city.json", "catalog.json", "policy.json", "cases.json"} <= set(made)
    assert "住房公积金管理中心 Housing Provident Fund Centre" in json.dumps(
        made["policy.json"], ensure_ascii=False
    )


def test_schemas_are_written_and_change_nothing(run, folder):
    """They lie in a hidden folder that is no part of the bundle, and the editor's settings are shown."""
    before = run("show", folder)
    said = run("schema", folder, "--write")
    assert '"./policies/.schema/policy.json": "policies/sharing/*.yaml"' in said
    for path in (folder / ".schema").iterdir():
        Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))
    assert run("show", folder) == before


def test_a_broken_catalog_makes_no_schema(run, folder):
    """Half a catalog would call right names wrong."""
    (folder / "city.yaml").unlink()
    with pytest.raises(SetUpError, match="FILE_MISSING"):
        run("schema", folder, "--write")
    assert not (folder / ".schema").exists()
