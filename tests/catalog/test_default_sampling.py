"""What a model prescribes for drawing its tokens."""

from servery.catalog.default_sampling import DefaultSampling
from servery.core.sampling import NAMES, Sampling


def test_a_model_may_prescribe_whatever_a_request_may_ask_for() -> None:
    """The catalog's shape and the request's value have the same fields, of the same names."""
    assert DefaultSampling.__struct_fields__ == NAMES
    unlike: dict[str, object] = {"logit_bias": {}, "ignore_eos": True, "stop_token_ids": ()}
    every = {name: unlike.get(name, 1) for name in NAMES}
    assert Sampling(**every).given == every  # type: ignore[arg-type]
