"""``servery simulate``, as its document shows it."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import CliRunner

from servery.cli.main import servery
from servery.simulation.described.faults import FAULTS
from servery.simulation.described.fleet import DescribedFleet, DescribedPath, DescribedPool, DescribedTraffic
from servery.simulation.described.policy import CacheAware, Policy
from servery.simulation.engines.engine_rates import EngineRates
from servery.simulation.traces.request import block_count

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
COMMAND = re.search(r"^servery (simulate trace\.jsonl .*)$", DOCUMENT, re.MULTILINE)


def write_trace(file: Path) -> None:
    """Sixty conversations of four turns, as Mooncake would write them."""
    lines = []
    for number in range(240):
        session, turn = number % 60, number // 60
        tokens = 1_000 + 900 * turn
        ids = [session * 100 + place for place in range(block_count(tokens, 512))]
        lines.append({"timestamp": 100 * number, "input_length": tokens, "output_length": 40, "hash_ids": ids})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def simulate(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(servery, ["simulate", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_the_documents_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command, on a trace of that name; the output begins as the document says."""
    assert COMMAND is not None
    write_trace(tmp_path / "trace.jsonl")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    output = simulate(*COMMAND[1].split()[1:])
    shown = re.search(r"```text\n(.*)\n```", DOCUMENT)
    assert shown is not None
    assert output.splitlines()[0].split() == shown[1].split()
    assert output == simulate(*COMMAND[1].split()[1:])


def test_numbers_and_a_picture_are_written(tmp_path: Path) -> None:
    """One entry and one curve for each policy."""
    write_trace(tmp_path / "trace.jsonl")
    fleet = str(ROOT / "examples" / "fleet.yaml")
    files = ["--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "picture.svg")]
    simulate(str(tmp_path / "trace.jsonl"), "--fleet", fleet, "--against", "fifo", "--against", "plain", *files)
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert [one["policy"] for one in numbers] == ["servery", "fifo", "plain"]
    assert all(one["total"]["endings"]["completed"] == 240 for one in numbers)
    picture = ElementTree.fromstring((tmp_path / "picture.svg").read_text())
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 3


def test_synthetic_traffic_needs_no_file() -> None:
    """As many requests as were asked for."""
    fleet = str(ROOT / "examples" / "fleet.yaml")
    output = simulate("synthetic:agents", "--fleet", fleet, "--requests", "300", "--fast", "0.2", "--priority", "0.2")
    assert re.search(r"^requests +300$", output, re.MULTILINE)
    assert {"standard", "priority", "fast"} <= {line.split()[0] for line in output.splitlines() if line.split()}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("synthetic:dreams",), "'dreams' is no synthetic trace"),
        (("synthetic:chat", "--policy", "none"), "no policy is called 'none'; there are servery"),
        (("synthetic:chat", "--priority", "1.5"), "the trace cannot be shaped so"),
        (("synthetic:chat", "--priority", "0.5", "--fast", "0.6"), "priority, fast and batch are more than all"),
        (("synthetic:chat", "--requests-per-s", "0"), "--requests-per-s must be more than 0"),
        (("/nowhere/trace",), "/nowhere/trace: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(arguments: tuple[str, ...], told: str) -> None:
    """With status 2, and why."""
    output = simulate(*arguments, "--fleet", str(ROOT / "examples" / "fleet.yaml"), status=2)
    assert told in output
    assert len(output.splitlines()) == 1


def test_shares_of_the_fleets_file_hold_unless_others_are_given(tmp_path: Path) -> None:
    """The example with Fast and Batch: its own shares, and with one of them changed."""

    def requests(*shares: str) -> dict[str, int]:
        fleet = str(ROOT / "examples" / "fleet-fast-batch.yaml")
        numbers = tmp_path / "numbers.json"
        simulate("synthetic:chat", "--requests", "400", "--fleet", fleet, *shares, "--json", str(numbers))
        (summary,) = json.loads(numbers.read_text())
        return {path: row["requests"] for path, row in summary["by_path"].items()}

    own, other = requests(), requests("--batch", "0")
    assert sorted(own) == ["batch", "fast", "priority", "standard"]
    assert sorted(other) == ["fast", "priority", "standard"]
    assert other["fast"] == own["fast"]


def test_each_field_of_a_fleet_is_told() -> None:
    """Whatever may be written in the file stands in the document."""
    described = [DescribedFleet, DescribedPool, DescribedPath, DescribedTraffic, EngineRates, Policy, CacheAware]
    structs = [*described, *FAULTS.values()]
    fields = {field.encode_name for struct in structs for field in msgspec.structs.fields(struct)} - {"name"}
    prose = re.sub(r"^```.*?^```", "", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    told = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", prose))))
    assert fields <= told
