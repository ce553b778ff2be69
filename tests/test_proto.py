"""The wire contract: what is generated from it is current, and it keeps buf's rules."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROTO = ROOT / "proto"
SOURCES = sorted(file.relative_to(PROTO) for file in PROTO.rglob("*.proto"))
BUF = Path(sys.executable).with_name("buf")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """What `make proto` writes now."""
    folder = tmp_path_factory.mktemp("generated")
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    sources = [str(PROTO / source) for source in SOURCES]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outputs, *sources], check=True, timeout=600
    )
    return folder


def test_generated_code_is_current(generated):
    """A file of broker/v1 that `make proto` would write differently, or not at all, fails the build."""
    expected = {file.relative_to(generated): file.read_bytes() for file in generated.rglob("*.py*")}
    assert len(expected) == 3 * len(SOURCES)
    committed = {file.relative_to(ROOT): file.read_bytes() for file in (ROOT / "broker/v1").glob("*.py*")}
    assert sorted(committed) == sorted(expected)
    assert [file for file in expected if committed[file] != expected[file]] == []


@pytest.mark.parametrize("check", [["lint"], ["format", "--diff", "--exit-code"]])
def test_buf(check):
    """Names, comments and layout are as buf's STANDARD and COMMENTS rules want them."""
    done = subprocess.run([BUF, *check], cwd=PROTO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
