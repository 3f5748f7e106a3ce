"""``servery simulate``: how a fleet would serve a trace, without the fleet."""

from pathlib import Path
from typing import Any

import click
import msgspec

from servery.core.misconfigured import Misconfigured
from servery.simulation.clients import Clients, Retrying
from servery.simulation.described.fleet import DescribedFleet, DescribedTraffic
from servery.simulation.described.policy import Policy
from servery.simulation.described.reading import fleet_from_file
from servery.simulation.reports.picture import picture_of
from servery.simulation.reports.summary import summary_of
from servery.simulation.reports.text import text_of
from servery.simulation.simulation import Simulation
from servery.simulation.traces.request import Trace
from servery.simulation.traces.shaped import Dealing, Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace
from servery.simulation.traces.trace_file import trace_from_file

_SYNTHETIC = "synthetic:"
_REQUESTS = 10_000


@click.command("simulate")
@click.argument("trace")
@click.option("--fleet", required=True, type=click.Path(path_type=Path), help="The fleet, described in a file.")
@click.option("--policy", default="servery", show_default=True, help="How it decides.")
@click.option("--against", multiple=True, help="Another policy beside it, with the differences; may be repeated.")
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
@click.option("--rate", default=1.0, show_default=True, help="Replay so many times as fast.")
@click.option("--from", "from_s", default=0.0, help="Skip so many seconds of the trace.")
@click.option("--until", "until_s", type=float, help="Leave out what comes after so many seconds of the trace.")
@click.option("--requests", type=click.IntRange(min=1), help="At most so many.")
@click.option("--requests-per-s", default=10.0, show_default=True, help="Of a synthetic trace.")
@click.option("--accounts", type=click.IntRange(1, 1_000_000), help="Deal the requests to so many accounts.")
@click.option("--deal", default="session", show_default=True, type=click.Choice(["session", "request"]), help="How.")
@click.option("--skew", default=0.0, show_default=True, help="The k-th account is dealt a share as 1 / k ** SKEW.")
@click.option("--priority", type=float, help="The share of requests that is Priority.")
@click.option("--fast", type=float, help="The share of requests that is Fast.")
@click.option("--batch", type=float, help="The share of requests that are rows of batch jobs.")
@click.option(
    "--retry",
    default="never",
    show_default=True,
    type=click.Choice([one.value for one in Retrying]),
    help="What clients do when they are refused.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers to this file.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Write a picture to this file, as SVG.")
def simulate_command(**given: Any) -> None:
    """Replay TRACE against a fleet, under one policy or several, in virtual time.

    TRACE is a file (Mooncake's JSON lines, Azure's CSV, or the platform's own log as JSON), or synthetic:chat,
    synthetic:agents, synthetic:rag, synthetic:random or synthetic:noisy. Shares of paths that are not given are as the
    fleet's file says.
    """
    fleet = fleet_from_file(given["fleet"])
    policies = [_policy(fleet, name) for name in (given["policy"], *given["against"])]
    trace = _trace(given, _traffic(fleet, given))
    clients = Clients(retrying=Retrying(given["retry"]))
    runs = []
    for policy in policies:
        simulation = Simulation(fleet, policy, trace, clients=clients, seed=given["seed"])
        simulation.run()
        simulation.check_integrity()
        runs.append((policy.name, simulation))
    summaries = [summary_of(name, one.tally, one.pools, fleet=fleet) for name, one in runs]
    click.echo(text_of(summaries), nl=False)
    if given["json_file"] is not None:
        given["json_file"].write_bytes(msgspec.json.format(msgspec.json.encode(summaries), indent=2) + b"\n")
    if given["plot_file"] is not None:
        picture = picture_of([(name, one.tally) for name, one in runs])
        given["plot_file"].write_text(picture, encoding="utf-8")


def _policy(fleet: DescribedFleet, name: str) -> Policy:
    policy = fleet.policies.get(name)
    if policy is None:
        raise Misconfigured(f"no policy is called {name!r}; there are {', '.join(fleet.policies)}")
    return policy


def _traffic(fleet: DescribedFleet, given: dict[str, Any]) -> DescribedTraffic:
    """The fleet's, but for what is given. Raises Misconfigured."""
    described = msgspec.structs.asdict(fleet.traffic)
    shares = {name: share if given[name] is None else given[name] for name, share in described.items()}
    try:
        return msgspec.convert(shares, DescribedTraffic)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"the trace cannot be shaped so: {error}") from error


def _trace(given: dict[str, Any], traffic: DescribedTraffic) -> Trace:
    """The trace in its wanted shape. Raises Misconfigured."""
    written, accounts = given["trace"], given["accounts"]
    is_synthetic = written.startswith(_SYNTHETIC)
    trace = _synthetic(written.removeprefix(_SYNTHETIC), given) if is_synthetic else trace_from_file(Path(written))
    shape = {
        "rate": given["rate"],
        "from_s": given["from_s"],
        "until_s": given["until_s"],
        "most_requests": given["requests"],
        "accounts": accounts or 1,
        "dealing": Dealing.KEEP if is_synthetic or accounts is None else Dealing(given["deal"]),
        "skew": given["skew"],
        "priority_share": traffic.priority,
        "fast_share": traffic.fast,
        "batch_share": traffic.batch,
        "seed": given["seed"],
    }
    try:
        return ShapedTrace(trace, msgspec.convert(shape, Shape))
    except msgspec.ValidationError as error:
        raise Misconfigured(f"the trace cannot be shaped so: {error}") from error


def _synthetic(kind: str, given: dict[str, Any]) -> Trace:
    if kind not in set(Kind):
        raise Misconfigured(f"{kind!r} is no synthetic trace; there are {', '.join(Kind)}")
    if given["requests_per_s"] <= 0:
        raise Misconfigured("--requests-per-s must be more than 0")
    return SyntheticTrace(
        Kind(kind),
        requests=given["requests"] or _REQUESTS,
        requests_per_s=given["requests_per_s"],
        accounts=given["accounts"] or 10,
        seed=given["seed"],
    )
