"""``python -m benchmarks.decisions [PART ...]``: print what each decision costs, with its bar."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.decisions import admission, limits, routing
from benchmarks.decisions.row import Kind, Row
from benchmarks.form import Form, add_form_option, form_found, python_with_servery

PARTS: Mapping[str, Callable[[], list[Row]]] = {
    "limits": limits.rows,
    "admission": admission.rows,
    "routing": routing.rows,
}


BAR_US = 12.0
"""For all decisions on a request together."""


def main() -> int:
    """1 when the bar is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    add_form_option(parser)
    given = parser.parse_args()
    wanted = given.parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: not a part; there are {', '.join(PARTS)}")
    python = python_with_servery(given.form)
    if python != Path(sys.executable):
        return subprocess.run(
            [python, "-m", "benchmarks.decisions", "--form", Form.PURE, *wanted], check=False
        ).returncode
    print(form_found(python))
    print(f"{'part':<10}{'decision':<56}{'us':>8}  bar")
    rows = []
    for part in wanted:
        for row in PARTS[part]():
            rows.append(row)
            print(f"{row.part:<10}{row.what:<56}{row.us:>8.2f}{'  *' if row.asked_by else ''}")
    if set(wanted) != set(PARTS):
        return 0
    print("\n* what one request asks, at 64 replicas and 1,000 accounts, with a prompt of 8,000 tokens:")
    kept = [_shown_in_all(kind, rows) for kind in Kind]
    return 0 if all(kept) else 1


def _shown_in_all(kind: Kind, rows: list[Row]) -> bool:
    us = sum(row.us for row in rows if kind in row.asked_by)
    print(f"{'in all':<10}{kind.value:<56}{us:>8.2f}  <= {BAR_US:g} {'kept' if us <= BAR_US else 'MISSED'}")
    return us <= BAR_US


if __name__ == "__main__":
    sys.exit(main())
