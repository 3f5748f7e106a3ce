"""A run in numbers."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from servery.core.serving_path import ServingPath
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.simulated_pool import SimulatedPool
from servery.simulation.tally import Ending, Group, Tally

MOST_ACCOUNTS = 20


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and percentiles (nearest rank), in the unit that the field's name says."""

    mean: float
    p50: float
    p90: float
    p99: float


class Speeds(msgspec.Struct, frozen=True, kw_only=True):
    """Of streams, in tokens per second: nine in ten were at least as fast as ``p10``, half as ``p50``."""

    p10: float
    p50: float


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What Fast's streams were promised, and the share of them that kept it."""

    target_tokens_per_s: float
    kept_share: float | None


class BatchProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of batch jobs: all, those that were answered while requests still came, and when the last was, in seconds
    from the first request's arrival."""

    rows: int
    timely_rows: int
    last_s: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a run's requests. Spreads are of completed ones, None where there are none. ``hit_rate`` is the share of
    their prompt tokens that was cached; ``goodput_tokens_per_s`` is prompt and generated tokens of requests
    that completed while requests came, over that time: what ends afterwards says nothing of a busy fleet."""

    requests: int
    endings: Mapping[Ending, int]
    time_to_first_token_s: Spread | None
    time_per_token_s: Spread | None
    stream_tokens_per_s: Speeds | None
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    hit_rate: float
    goodput_tokens_per_s: float
    nanodollars: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """``models`` are the paths' names where the fleet gives them any. ``by_account`` has the ``MOST_ACCOUNTS`` that
    asked for most tokens, and ``others`` together. ``fairness`` is Jain's index over what accounts were served on a
    path while requests came, in comparison to what they were entitled to: an equal share, or all that they asked for
    where that is less (afterwards whoever has most waiting has it all). Paths are apart, because Priority goes before
    Standard whoever asks. ``balance`` is the uncached prompt tokens of the busiest replica over their mean, by pool; of
    replicas that are not equally fast, the time that those take. ``index_error`` is by how much routing was wrong about
    cached tokens, as a share of prompt tokens."""

    policy: str
    duration_s: float
    total: Row
    by_path: Mapping[ServingPath, Row]
    models: Mapping[ServingPath, str]
    promise: Promise | None
    batch: BatchProgress | None
    by_account: Mapping[str, Row]
    others: Row | None
    fairness: Mapping[ServingPath, float]
    balance: Mapping[str, float]
    index_error: float | None
    retries: int
    attempts_elsewhere: int
    called_back: int
    most_waiting: int


def summary_of(
    policy: str, tally: Tally, pools: Mapping[str, SimulatedPool], *, fleet: DescribedFleet | None = None
) -> Summary:
    """``fleet`` tells what was promised, and what paths are called."""
    total = _merged(tally.groups.values())
    began_s = tally.first_arrival_s or 0.0
    arrivals_s = tally.last_arrival_s - began_s - tally.fresh_s
    duration_s = max(total.last_s, tally.last_arrival_s) - began_s
    accounts: dict[str, list[Group]] = {}
    paths: dict[ServingPath, list[Group]] = {}
    for (account, path), group in tally.groups.items():
        accounts.setdefault(account, []).append(group)
        paths.setdefault(path, []).append(group)
    by_account = {name: _merged(groups) for name, groups in accounts.items()}
    ranked = sorted(by_account, key=lambda name: (-by_account[name].offered_tokens, name))
    shown, rest = ranked[:MOST_ACCOUNTS], ranked[MOST_ACCOUNTS:]
    of = tally.predicted_of_tokens
    described = {} if fleet is None else fleet.paths
    return Summary(
        policy=policy,
        duration_s=duration_s,
        total=_row(total, arrivals_s),
        by_path={path: _row(_merged(groups), arrivals_s) for path, groups in sorted(paths.items())},
        models={path.name: path.model for path in described.values() if path.model is not None},
        promise=_promise(fleet, paths.get(ServingPath.FAST, [])),
        batch=_batch_progress(paths.get(ServingPath.BATCH, []), began_s),
        by_account={name: _row(by_account[name], arrivals_s) for name in shown},
        others=_row(_merged(by_account[name] for name in rest), arrivals_s) if rest else None,
        fairness={path: _fairness_of(tally, path) for path in sorted(paths)},
        balance={name: _balance(pool) for name, pool in pools.items()},
        index_error=tally.predicted_error_tokens / of if of else None,
        retries=tally.retries,
        attempts_elsewhere=tally.attempts_elsewhere,
        called_back=tally.called_back,
        most_waiting=tally.most_waiting,
    )


def _fairness_of(tally: Tally, path: ServingPath) -> float:
    groups = [group for (_, its_path), group in tally.groups.items() if its_path is path]
    return fairness([(group.timely_tokens, group.offered_tokens) for group in groups])


def fairness(served_and_offered: Sequence[tuple[float, float]]) -> float:
    """Jain's index (1984) over served tokens in comparison to the max-min fair shares of all that was served; 1 where
    nothing was."""
    served = sum(one for one, _ in served_and_offered)
    if served <= 0:
        return 1.0
    entitled = _max_min_shares([offered for _, offered in served_and_offered], served)
    ratios = [one / share for (one, _), share in zip(served_and_offered, entitled, strict=True) if share > 0]
    return sum(ratios) ** 2 / (len(ratios) * sum(ratio * ratio for ratio in ratios))


def spread_of(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    p50, p90, p99 = (ordered[min(last, int(share * len(ordered)))] for share in (0.5, 0.9, 0.99))
    return Spread(mean=sum(ordered) / len(ordered), p50=p50, p90=p90, p99=p99)


def speeds_of(per_token_s: Sequence[float]) -> Speeds | None:
    """From the time that each stream took for a token."""
    if not per_token_s:
        return None
    ordered = sorted(per_token_s, reverse=True)
    p10, p50 = (ordered[int(share * len(ordered))] for share in (0.1, 0.5))
    return Speeds(p10=1.0 / p10, p50=1.0 / p50)


def _promise(fleet: DescribedFleet | None, groups: Iterable[Group]) -> Promise | None:
    targets = [] if fleet is None else list(fleet.speed_targets().values())
    if not targets:
        return None
    took_s, most_s = _merged(groups).per_token_s, 1.0 / targets[0]
    kept = sum(one <= most_s for one in took_s)
    return Promise(target_tokens_per_s=targets[0], kept_share=kept / len(took_s) if took_s else None)


def _batch_progress(groups: Sequence[Group], began_s: float) -> BatchProgress | None:
    if not groups:
        return None
    rows = _merged(groups)
    return BatchProgress(rows=rows.requests, timely_rows=rows.timely, last_s=max(0.0, rows.last_s - began_s))


def _max_min_shares(wanted: Sequence[float], total: float) -> list[float]:
    """Of ``total`` everybody gets the same, but nobody more than wanted; what that leaves goes to the others."""
    shares = [0.0] * len(wanted)
    left, count = total, len(wanted)
    for place in sorted(range(len(wanted)), key=wanted.__getitem__):
        shares[place] = min(wanted[place], left / count)
        left -= shares[place]
        count -= 1
    return shares


def _merged(groups: Iterable[Group]) -> Group:
    merged = Group()
    for group in groups:
        merged.add(group)
    return merged


def _row(group: Group, arrivals_s: float) -> Row:
    return Row(
        requests=group.requests,
        endings={ending: group.endings[ending] for ending in Ending if group.endings[ending]},
        time_to_first_token_s=spread_of(group.first_s),
        time_per_token_s=spread_of(group.per_token_s),
        stream_tokens_per_s=speeds_of(group.per_token_s),
        prompt_tokens=group.prompt_tokens,
        cached_prompt_tokens=group.cached_tokens,
        generated_tokens=group.generated_tokens,
        hit_rate=group.cached_tokens / group.prompt_tokens if group.prompt_tokens else 0.0,
        goodput_tokens_per_s=group.timely_tokens / arrivals_s if arrivals_s > 0 else 0.0,
        nanodollars=group.nanodollars,
    )


def _balance(pool: SimulatedPool) -> float:
    took_s = [machine.engine.computed_s for machine in pool.machines]
    return max(took_s) * len(took_s) / sum(took_s) if sum(took_s) else 1.0
