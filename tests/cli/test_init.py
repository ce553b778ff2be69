"""``sharebroker init``: a city that loads."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from broker.approve.bundle import load_bundle
from broker.cli.main import app
from broker.errors import SetUpError
from broker.model import Catalog, DepartmentKind
from broker.settings import load_settings
from broker.store.schema import schema_state


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


def failure(*arguments: object) -> SetUpError:
    error = run(*arguments).exception
    assert isinstance(error, SetUpError), error
    assert error.zh != error.en
    return error


def catalog(folder: Path) -> Catalog:
    return load_bundle(folder / "policies", lambda *_: None).catalog


def test_defaults(tmp_path: Path) -> None:
    """Without any option there is a whole city: policies, keys, certificates, settings and database."""
    done = run(tmp_path / "mine")
    assert done.exit_code == 0, done.exception
    folder = tmp_path / "mine"
    found = catalog(folder)
    assert list(found.departments) == ["data_authority", "civil_affairs", "housing_fund"]
    assert found.departments["data_authority"].kind is DepartmentKind.AUTHORITY
    assert [item.department for item in found.service_items.values()] == ["civil_affairs", "housing_fund"]
    assert not found.datasets
    settings = load_settings(folder / "sharebroker.toml")
    assert settings.path(settings.policies.folder) == folder / "policies"
    assert "current" in schema_state(settings.store_url)
    assert (folder / "log.vkey").read_text("utf-8").startswith(settings.log.origin)
    for department in found.departments:
        for role in ("system", "auditor"):
            assert stat.S_IMODE((folder / "pki" / f"{department}-{role}" / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    for command in ("cd ", "sharebroker catalog import", "sharebroker serve"):
        assert f"  {command}" in done.output


def test_the_authority_is_marked_loudly(tmp_path: Path) -> None:
    """In the certificate, in the folder and in what is said: this is for development only."""
    said = run(tmp_path / "mine").output
    assert "仅供开发" in said
    assert "DEVELOPMENT ONLY" in said
    root = x509.load_pem_x509_certificate((tmp_path / "mine" / "pki" / "ca.pem").read_bytes())
    assert "DEVELOPMENT ONLY" in root.subject.rfc4514_string()
    assert (tmp_path / "mine" / "pki" / "DEVELOPMENT-ONLY.txt").is_file()


def test_a_city_of_ones_own(tmp_path: Path) -> None:
    """Names, titles and departments are those given, whatever signs they hold."""
    options = ("--city", "yunhai", "--title", '云海市: "试点"', "--region", "990200")
    done = run(
        tmp_path / "mine", *options, "--department", "tax=税务局", "--department", "school=第一中学、小学"
    )
    assert done.exit_code == 0, done.exception
    found = catalog(tmp_path / "mine")
    assert (found.city, found.title) == ("yunhai", '云海市: "试点"')
    titles = {name: department.title for name, department in found.departments.items()}
    assert titles == {"data_authority": "政务数据管理局", "tax": "税务局", "school": "第一中学、小学"}
    assert {department.region for department in found.departments.values()} == {"990200"}
    named = run(tmp_path / "other", "--department", "data_authority=大数据局", "--department", "tax=税务局")
    assert named.exit_code == 0
    assert catalog(tmp_path / "other").departments["data_authority"].title == "大数据局"


def test_mistakes_change_nothing(tmp_path: Path) -> None:
    """A folder with anything in it stays as it is; every option is checked before anything is written."""
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    assert "nothing was changed" in failure(full).en
    assert [path.name for path in full.iterdir()] == ["x"]
    (tmp_path / "file").touch()
    assert "not empty" in failure(tmp_path / "file").en
    for wrong in (
        ("--city", "My City"),
        ("--title", " "),
        ("--title", "a\nb"),
        ("--region", "99"),
        ("--department", "tax"),
        ("--department", "Tax=x"),
        ("--department", "tax= "),
        ("--department", "data_authority=只有主管部门"),
    ):
        failure(tmp_path / "none", *wrong)
        assert not (tmp_path / "none").exists()


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    """Somebody may have made it already."""
    assert run(tmp_path).exit_code == 0


@pytest.mark.parametrize("file", ["catalog/README.md", "sharing/README.md"])
def test_the_folders_teach(tmp_path: Path, file: str) -> None:
    """In both languages, by the names of the departments there are."""
    run(tmp_path, "--department", "tax=税务局")
    text = (tmp_path / "policies" / file).read_text("utf-8")
    assert "tax" in text
    assert any("\u4e00" <= character <= "\u9fff" for character in text)


def test_the_rule_that_is_taught_is_sound_yaml(tmp_path: Path) -> None:
    """But for the dataset it speaks of, which does not exist yet, the example would load."""
    run(tmp_path)
    example = (
        (tmp_path / "policies/sharing/README.md")
        .read_text("utf-8")
        .partition("```yaml\n")[2]
        .partition("```")[0]
    )
    (tmp_path / "policies/sharing/example.yaml").write_text(example, "utf-8")
    with pytest.raises(SetUpError) as refusal:
        catalog(tmp_path)
    assert "UNKNOWN_DATASET" in refusal.value.en
    assert refusal.value.en.count(".yaml:") == 1


def test_masking_profiles_are_the_sample_city_s(tmp_path: Path) -> None:
    """A new city's words for masks are those that the documentation explains, and its operators do them."""
    run(tmp_path / "mine")
    shipped = (Path(__file__).parents[2] / "policies/masking-profiles.yaml").read_text("utf-8")
    assert (tmp_path / "mine/policies/masking-profiles.yaml").read_text("utf-8") == shipped
