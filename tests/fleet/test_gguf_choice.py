"""Which files of a repository are taken as the model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.fleet.gguf_choice import choose_files
from servery.fleet.weights_unavailable import WeightsUnavailable

SEVERAL = ["README.md", "m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-UD-Q8_0.gguf", "mmproj-m-Q8_0.gguf"]


def parts(stem: str, count: int) -> list[str]:
    return [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("names", "quantization", "chosen"),
    [
        (SEVERAL, "Q2_K", "m-Q2_K.gguf"),
        (SEVERAL, "q4_k_m", "m-Q4_K_M.gguf"),
        (SEVERAL, "Q8_0", "m-Q8_0.gguf"),
        (SEVERAL, None, "m-Q4_K_M.gguf"),
        (["m-Q8_0.gguf", "m-Q2_K.gguf"], None, "m-Q8_0.gguf"),
        (["m-f16.gguf", "m-bf16.gguf"], None, "m-f16.gguf"),
        (["a.gguf", "mmproj-Q8_0.gguf", "imatrix_x.gguf", "x/MMPROJ-f16.gguf"], None, "a.gguf"),
        (["m.Q4_K_M.gguf"], "Q4_K_M", "m.Q4_K_M.gguf"),
        (["m_q4_k_m.GGUF"], "Q4_K_M", "m_q4_k_m.GGUF"),
        (["Q6_K/m.gguf", "Q5_K/m.gguf"], "Q6_K", "Q6_K/m.gguf"),
    ],
)
def test_the_file_that_fits_is_chosen(names: list[str], quantization: str | None, chosen: str) -> None:
    """By the word in its path if one is given, else by what is usual; never a projector or a matrix."""
    assert choose_files(names, quantization) == (chosen,)


@pytest.mark.parametrize("quantization", ["Q4_K", "4_K_M", "Q4_0", "Q9_9"])
def test_a_quantization_is_a_whole_word(quantization: str) -> None:
    """A piece of another word does not fit; the refusal lists what there is."""
    with pytest.raises(WeightsUnavailable, match=r"with 'Q?\d.*' in its name, but m-IQ4_0\.gguf, m-Q4_K_M\.gguf"):
        choose_files(["m-Q4_K_M.gguf", "m-IQ4_0.gguf"], quantization)


@pytest.mark.parametrize("names", [[], ["README.md"], ["mmproj-f16.gguf"], parts("m", 3)[:2], parts("m", 3)[1:]])
def test_nothing_to_choose_from(names: list[str]) -> None:
    """No model, or only a part of one, is said to be none."""
    with pytest.raises(WeightsUnavailable, match="has no GGUF file of a model"):
        choose_files(names, None)


@given(count=st.integers(1, 30), stem=st.sampled_from(["m-Q4_K_M", "Q4_K_M/m", "a/b/m-q4_k_m"]), data=st.data())
def test_a_split_model_is_taken_whole(count: int, stem: str, data: st.DataObject) -> None:
    """All parts in their order, the first to be loaded, however the repository lists them."""
    names = data.draw(st.permutations([*parts(stem, count), *parts("m-Q8_0", 2), "m-Q2_K.gguf"]))
    assert choose_files(names, "Q4_K_M") == tuple(parts(stem, count))
    assert choose_files(names, None) == tuple(parts(stem, count))


def test_a_long_list_is_cut() -> None:
    """What there is fits on a line, however many files there are."""
    with pytest.raises(WeightsUnavailable) as refused:
        choose_files([f"m-{number:03}.gguf" for number in range(100)], "Q4_0")
    assert "m-000.gguf" in str(refused.value)
    assert str(refused.value).endswith("and 88 more")
