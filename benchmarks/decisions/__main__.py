"""``python -m benchmarks.decisions [PART ...]``: print what each decision costs, with its bar."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.decisions import admission, limits, routing
from benchmarks.decisions.row import Row
from benchmarks.form import Form, add_form_option, form_found, python_with_servery

PARTS: Mapping[str, Callable[[], list[Row]]] = {
    "limits": limits.rows,
    "admission": admission.rows,
    "routing": routing.rows,
}


def main() -> int:
    """1 when a bar is not kept."""
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
    kept = True
    print(form_found(python))
    print(f"{'part':<10}{'decision':<56}{'us':>8}  bar")
    for part in wanted:
        for row in PARTS[part]():
            kept = _shown(row) and kept
    return 0 if kept else 1


def _shown(row: Row) -> bool:
    within = row.bar_us is None or row.us <= row.bar_us
    bar = "" if row.bar_us is None else f"<= {row.bar_us:g} {'kept' if within else 'MISSED'}"
    print(f"{row.part:<10}{row.what:<56}{row.us:>8.2f}  {bar}")
    return within


if __name__ == "__main__":
    sys.exit(main())
