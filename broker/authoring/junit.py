"""Results of cases as JUnit XML, in the form that continuous-integration servers read.

Elements and attributes are those of the Ant task's schema (Apache Ant, JUnitReport): ``testsuite`` per case
file, ``testcase`` per case, ``failure`` where it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as Xml

from broker.authoring.cases import Result
from broker.authoring.expected import Difference
from broker.authoring.facts import written


def junit(results: Sequence[Result]) -> bytes:
    """The report as an XML document in UTF-8; ``results`` stand in the order of their files."""
    root = Xml.Element("testsuites", _counts(results))
    for file, group in groupby(results, key=lambda result: result.case.at.file):
        of_file = tuple(group)
        suite = Xml.SubElement(root, "testsuite", {"name": file, **_counts(of_file)})
        for result in of_file:
            _case(suite, file, result)
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _case(suite: Xml.Element, file: str, result: Result) -> None:
    at = {"classname": file, "name": result.case.id, "file": file, "line": str(result.case.at.line)}
    case = Xml.SubElement(suite, "testcase", {**at, "time": "0"})
    if not result.passed:
        facts = ", ".join(difference.fact for difference in result.differences)
        failure = Xml.SubElement(case, "failure", {"type": "difference", "message": f"不符 differs: {facts}"})
        failure.text = "\n".join(map(_line, result.differences))


def _line(difference: Difference) -> str:
    return (
        f"{difference.fact}: 期望 expected {written(difference.expected)}, 实际 got {written(difference.got)}"
    )


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0", "time": "0"}
