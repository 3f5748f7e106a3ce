"""What a policy came to on some traces."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

import msgspec

from servery.simulation.reports.summary import Summary

# Student's t, two-sided 95 %, by degrees of freedom from 1 on; beyond, 2 is near enough.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)


class MeasuredPolicy(msgspec.Struct, frozen=True):
    """A figure for each trace: the share of prompt tokens that was cached, times to the first token in seconds, the
    busiest replica's work over the mean, and the share of prompt tokens that routing was wrong about."""

    name: str
    cached: list[float]
    mean_s: list[float]
    p99_s: list[float]
    balance: list[float]
    index_error: list[float] | None

    @classmethod
    def of(cls, summaries: Sequence[Summary]) -> "MeasuredPolicy":
        """``summaries`` are of one policy, one for each trace."""
        firsts = [one for summary in summaries if (one := summary.total.time_to_first_token_s) is not None]
        assert len(firsts) == len(summaries), "every request of the yardstick is served"
        errors = [one.index_error for one in summaries if one.index_error is not None]
        return cls(
            name=summaries[0].policy,
            cached=[one.total.hit_rate for one in summaries],
            mean_s=[one.mean for one in firsts],
            p99_s=[one.p99 for one in firsts],
            balance=[one.balance["shared"] for one in summaries],
            index_error=errors if len(errors) == len(summaries) else None,
        )


def against(ours: list[float], theirs: list[float]) -> str:
    """Our mean over theirs; of several, with what it may be off by at 95 %, found from how it differs between them."""
    ratio = fmean(ours) / fmean(theirs)
    if len(ours) == 1:
        return f"{ratio:.3f}"
    # The ratio of two means, to the first order: how far each trace lies beside the common ratio.
    beside = [(our - ratio * their) / fmean(theirs) for our, their in zip(ours, theirs, strict=True)]
    t = _T[len(ours) - 2] if len(ours) - 2 < len(_T) else 2.0
    return f"{ratio:.3f} ± {t * stdev(beside) / sqrt(len(ours)):.3f}"
