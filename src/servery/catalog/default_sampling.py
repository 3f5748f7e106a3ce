"""How a model's tokens are drawn when a request does not say."""

import msgspec

from servery.core.sampling_ranges import SamplingRanges


class DefaultSampling(SamplingRanges, frozen=True, omit_defaults=True):
    """As ``core.sampling.Sampling``, in the catalog."""

    def given(self) -> dict[str, object]:
        """The fields that are set, by name."""
        given: dict[str, object] = msgspec.to_builtins(self)  # leaves out what is None, as ``omit_defaults`` says
        return given
