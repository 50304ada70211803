# noqa: INP001 - scripts are no package
# ruff: noqa: T201 - its output is its product
"""Black Friday at two sizes: what each arm took, and how its memory grows with the crowd.

The figures are those that the run itself measures (``costs`` in ``results.json``). Seconds are those
of a whole arm, from the first process to the verdict. The bytes a shopper are the growth of all
programs' memory together between the two sizes; what a small site needs anyway is not among them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KINDS = ("servers", "balancer", "store", "shoppers", "driver")
#: Of memory a shopper, whatever the arm.
MOST_BYTES = 3_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[50_000, 200_000], metavar="SHOPPERS")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    sizes: list[int] = sorted(asked.sizes)
    if len(sizes) != 2:  # noqa: PLR2004 - growth is between two points
        parser.error(f"two sizes were expected, got {len(sizes)}")
    small, large = (_measured(size, asked.seed) for size in sizes)
    _print_costs(sizes[0], small)
    _print_costs(sizes[1], large)
    growth = {
        arm: (large["arms"][arm]["costs"]["memory"] - small["arms"][arm]["costs"]["memory"])
        / (sizes[1] - sizes[0])
        for arm in small["arms"]
    }
    for arm, each in growth.items():
        print(f"{arm}: {each:,.0f} bytes more a shopper (at most {MOST_BYTES:,} were expected)")
    return int(max(growth.values()) > MOST_BYTES)


def _measured(shoppers: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", "black-friday", "--fast", "--no-input", "--json"]
        words += ["--shoppers", str(shoppers), "--seed", str(seed), "--runs", folder]
        print(f"{shoppers:,} shoppers ...", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lab", *words], stdout=subprocess.PIPE, check=False, text=True
        )
        if done.returncode:
            sys.exit(
                f"the run with {shoppers:,} shoppers ended with {done.returncode}: {done.stdout[-2000:]}"
            )
        results: dict[str, Any] = json.loads(done.stdout)
        lines = (Path(folder) / "latest" / "timeline.jsonl").read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
    began = [event["at"] for event in events if event["event"] == "RunBegan"]
    judged = {event["arm"]: event["at"] for event in events if event["event"] == "Judged"}
    for start, arm in zip(began, results["arms"], strict=True):
        results["arms"][arm]["took"] = judged[arm] - start
    return results


def _print_costs(shoppers: int, results: dict[str, Any]) -> None:
    head = ("arm", "seconds", "of them shopping", *(f"{kind}: CPU s (us)" for kind in KINDS), "MB", "errors")
    print(f"\n{shoppers:,} shoppers\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, arm in results["arms"].items():
        costs, ledger = arm["costs"], arm["ledger"]
        cpu = (_each(costs, kind) for kind in KINDS)
        row = (name, f"{arm['took']:.1f}", f"{costs['seconds']:.1f}", *cpu, f"{costs['memory'] / 1e6:.0f}")
        print(f"| {' | '.join((*row, str(ledger['errors']['seen'])))} |")
    print(flush=True)


def _each(costs: dict[str, Any], kind: str) -> str:
    seconds = costs["cpu"].get(kind)
    return "-" if seconds is None else f"{seconds:.1f} ({1e6 * seconds / costs['requests']:.0f})"


if __name__ == "__main__":
    sys.exit(main())
