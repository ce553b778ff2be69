"""The worked example of a third party's operator is installed as its README says, and used."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.masking.registry import load_operators
from broker.cli.main import app
from broker.errors import SetUpError
from broker.settings import Masking

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "third-party-operator"
ALLOWED = f"[masking]\nallowed = {json.dumps(['plate', *Masking().allowed])}\n"
PLAN = """\
format: share-mask-plan/v1
provider: traffic_police
consumer: ecology
purpose: scrapping_subsidy
encoding: gb18030
fields:
  plate: {type: text, column: 车牌号, mask: {plate: {to: authority}}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the package, from these sources and nothing else."""
    target = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "plate")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True, capture_output=True)
    return target


@pytest.fixture
def installed(site, tmp_path, monkeypatch):
    """The package is installed, and the test runs in an empty folder; gives what runs a command."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    yield run
    sys.modules.pop("sharebroker_plate", None)


def run(*words, code=0):
    """What the command printed; raises what it raised."""
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_its_own_tests_pass(site):
    """They are what a third party runs: the conformance suite, on the installed package."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    folders = ["--rootdir", str(EXAMPLE), str(EXAMPLE / "tests")]
    environment = {"PYTHONPATH": f"{ROOT}:{site}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *folders], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_installed_is_not_allowed(installed):
    """It is listed as what it is, runs no code, and no policy may name it before the settings do."""
    listed = json.loads(installed("mask", "list", "--json"))
    assert listed["not_allowed"]["plate"] == ["sharebroker-plate 1.0.0"]
    assert "sharebroker_plate" not in sys.modules
    Path("cars.csv").write_text("车牌号\n京A12345\n")
    with pytest.raises(SetUpError, match="没有脱敏算子 plate"):
        installed("mask", "try", "cars.csv", "--mask", "车牌号=plate to=authority")


def test_allowed_it_is_one_of_them(installed):
    """One word in the settings; then it is listed, vetted, explained and tried as any other."""
    Path("sharebroker.toml").write_text(ALLOWED)
    Path("plan.yaml").write_text(PLAN)
    Path("cars.csv").write_text("车牌号\n京A12345\n沪AD12345\n京I12345\n", "gbk")
    (one,) = [o for o in json.loads(installed("mask", "list", "--json"))["operators"] if o["name"] == "plate"]
    assert (one["title"], one["package"]) == ("车牌泛化", "sharebroker-plate 1.0.0")
    assert "✓ plate@1 车牌泛化" in installed("mask", "check", "--operator", "plate")
    assert "to: province | authority（必填 required）" in installed("mask", "show", "plate")
    (column,) = json.loads(installed("mask", "try", "cars.csv", "--plan", "plan.yaml", "--json"))["columns"]
    assert column["after"] == ["京A", "沪A", None]
    assert "1 个值（33.3%）过短或不合算子要求" in installed("mask", "check", "plan.yaml", "cars.csv")


def test_a_policy_names_it(installed, tmp_path):
    """The policy language knows it once it is allowed, its parameters checked; before, it is an error."""
    folder = Path(shutil.copytree(ROOT / "policies", tmp_path / "policies"))
    rules = folder / "sharing" / "public-security-household.yaml"
    written = rules.read_text("utf-8")
    assert "name: surname" in written
    rules.write_text(written.replace("name: surname", "name: {plate: {to: authority}}"), "utf-8")
    assert "没有脱敏算子 plate" in installed("policy", "lint", folder, code=1)
    Path("sharebroker.toml").write_text(ALLOWED)
    assert "plate" in installed("policy", "show", folder, "--department", "public_security")
    rules.write_text(written.replace("name: surname", "name: {plate: {to: district}}"), "utf-8")
    assert "参数" in installed("policy", "lint", folder, code=1)


def test_two_packages_with_one_name_are_refused(installed, site, tmp_path, monkeypatch):
    """Which of them masks must never depend on the order in which they are found."""
    Path("sharebroker.toml").write_text(ALLOWED)
    other = tmp_path / "other" / "another_plate-2.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: another-plate\nVersion: 2.0\n")
    shutil.copy(site / "sharebroker_plate-1.0.0.dist-info" / "entry_points.txt", other)
    monkeypatch.syspath_prepend(str(other.parent))
    with pytest.raises(ValueError, match="'plate' is offered more than once"):
        load_operators(["plate"])
    with pytest.raises(SetUpError, match="无法载入"):
        installed("mask", "list")
