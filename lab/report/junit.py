"""``junit.xml``: one case for each arm's expectation and one for each claim, for CI systems to show.

| verdict | case |
|---|---|
| held | passed |
| broken | failure |
| cannot tell | skipped: no evidence is neither success nor failure |
| the lab broke, or was interrupted | error |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from lab.view.glyphs import clean

if TYPE_CHECKING:
    from lab.report.results import Results


def junit(results: Results) -> str:
    root = JUnitXml(f"cartlab {results.scenario}")
    root.add_testsuite(_suite(results, "expectations", _expectations(results)))
    if results.claims:
        root.add_testsuite(_suite(results, "claims", _claims(results)))
    root.update_statistics()  # type: ignore[no-untyped-call]  # junitparser leaves these two unannotated
    return str(root.tostring().decode())  # type: ignore[no-untyped-call]


def _suite(results: Results, name: str, cases: list[TestCase]) -> TestSuite:
    suite = TestSuite(f"{results.scenario}.{name}")
    suite.timestamp = results.started
    suite.add_property("seed", str(results.seed))
    suite.add_property("repeat", results.repeat)
    suite.add_testcases(cases)
    return suite


def _expectations(results: Results) -> list[TestCase]:
    return [
        _case(
            f"{results.scenario}.expectations",
            f"{name}: carts {arm.expected or 'never judged'}",
            arm.verdict,
            arm.reason or results.problem or "never judged",
            arm.sentence or "",
            results.seconds / len(results.arms),
        )
        for name, arm in results.arms.items()
    ]


def _claims(results: Results) -> list[TestCase]:
    return [
        _case(
            f"{results.scenario}.claims",
            f"{claim.id} {claim.arm}: {claim.said}",
            claim.verdict,
            claim.measured,
            f"said: {claim.said}\nmeasured: {claim.measured}",
            0.0,
        )
        for claim in results.claims
    ]


def _case(group: str, name: str, verdict: str | None, message: str, details: str, seconds: float) -> TestCase:
    """Names and messages may quote what a server said; XML knows no control characters."""
    case = TestCase(clean(name), group, round(seconds, 3))
    kind = {"held": None, "broken": Failure, "cannot tell": Skipped}.get(verdict or "", Error)
    if kind is not None:
        case.result = [kind(clean(message), verdict or "no verdict")]
    case.system_out = "\n".join(clean(line) for line in (details or message).splitlines())
    return case
