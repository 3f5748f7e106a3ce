"""What a model costs for which no prices are listed, and prices that change on a day."""

from datetime import UTC, datetime

import pytest
from tests.catalog.test_reading import GOOD, faults, read

from servery.catalog.price_bands import PriceBands
from servery.core.price import Price
from servery.core.serving_path import ServingPath

BILLION = 1_000_000_000
MODEL = "accounts/servery/models/m"
LISTED = "    prices:\n      standard: {input: 0.10, output: 0.40}\n    created"
NEW_YEAR_NS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("parameters", "moe", "generates", "dollars"),
    [
        (500_000_000, False, True, 0.10),
        (4 * BILLION - 1, False, True, 0.10),
        (4 * BILLION, False, True, 0.20),
        (16 * BILLION, False, True, 0.20),
        (16 * BILLION + 1, False, True, 0.90),
        (405 * BILLION, False, True, 0.90),
        (47 * BILLION, True, True, 0.50),
        (56 * BILLION, True, True, 0.50),
        (141 * BILLION, True, True, 1.20),
        (176 * BILLION, True, True, 1.20),
        (150_000_000, False, False, 0.008),
        (335_000_000, False, False, 0.016),
    ],
)
def test_the_band_of_a_size(parameters: int, moe: bool, generates: bool, dollars: float) -> None:
    """One price for input and output, cached input at half of it; embeddings cost their input alone."""
    prices = PriceBands().prices(parameters, is_moe=moe, generates=generates)
    assert prices is not None
    amount = round(dollars * 1_000_000)
    standard = prices.of(ServingPath.STANDARD)
    assert standard is not None
    assert standard.in_force(0).price == Price(amount, amount // 2, amount if generates else 0)


@pytest.mark.parametrize(("parameters", "moe", "generates"), [(176 * BILLION + 1, True, True), (BILLION, False, False)])
def test_beyond_the_last_band_there_is_no_price(parameters: int, moe: bool, generates: bool) -> None:
    """Such a model needs prices of its own."""
    assert PriceBands().prices(parameters, is_moe=moe, generates=generates) is None


def test_a_model_without_prices_has_its_bands() -> None:
    """In a catalog; its batch price is half of that."""
    catalog = read(GOOD.replace(LISTED, "    parameter_count: 8000000000\n    created").replace(", fast", ""))
    assert catalog.price_schedule(MODEL, ServingPath.STANDARD).in_force(0).price == Price(200_000, 100_000, 200_000)
    assert catalog.price_schedule(MODEL, ServingPath.BATCH).in_force(0).price == Price(100_000, 50_000, 100_000)


def test_a_catalog_may_have_bands_and_gpu_hours_of_its_own() -> None:
    """Instead of the usual ones."""
    text = GOOD.replace(LISTED, "    parameter_count: 8000000000\n    created")
    bands = "price_bands: {dense: [{up_to: 1000, price: 1.00}, {price: 2.00}]}\ngpu_hours: {a100: 3.5}\n"
    catalog = read(bands + text)
    assert (
        catalog.price_schedule(MODEL, ServingPath.STANDARD).in_force(0).price.input_picodollars_per_token == 2_000_000
    )
    assert catalog.gpu_hours == {"a100": 3_500_000}
    assert read(GOOD).gpu_hours["h100"] == 8_000_000


def test_a_row_may_carry_the_price_of_a_later_day() -> None:
    """In force from 00:00 UTC of that day."""
    rows = "[{input: 0.10, output: 0.40}, {from: 2027-01-01, input: 0.12, output: 0.50}]"
    schedule = read(GOOD.replace("{input: 0.10, output: 0.40}", rows)).price_schedule(MODEL, ServingPath.STANDARD)
    assert schedule.in_force(NEW_YEAR_NS - 1).price == Price(100_000, 50_000, 400_000)
    assert schedule.in_force(NEW_YEAR_NS).price == Price(120_000, 60_000, 500_000)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("[{from: 2027-01-01, input: 0.10, output: 0.40}]", "the first price is in force from the beginning"),
        ("[{input: 0.10, output: 0.40}, {input: 0.2, output: 0.4}]", "each price after the first needs a 'from'"),
        (
            (
                "[{input: 0.1, output: 0.4}, {from: 2027-01-02, input: 0.1, output: 0.4},"
                " {from: 2027-01-01, input: 0.1, output: 0.4}]"
            ),
            "prices stand in the order of their 'from'",
        ),
        ("[{input: 0.10, output: 0.40}, {from: 2027-01-01, input: 0.1}]", "prices.standard.1.output: missing"),
        ("[{input: 0.10, output: 0.40}, {from: soon, input: 0.1, output: 1}]", "expected a date such as"),
        ("[]", "prices.standard"),
        ("{input: 0.10, output: 0.000001}", "batch costs half of this"),
    ],
)
def test_prices_that_make_no_sense_are_faults(rows: str, fault: str) -> None:
    """Each with its place."""
    (told,) = faults(GOOD.replace("{input: 0.10, output: 0.40}", rows, 1))
    assert fault in told
    assert told.startswith(("catalog.yaml:19: models.m", "catalog.yaml:20: models.m"))


@pytest.mark.parametrize(
    ("replacement", "fault"),
    [
        ("    created", "models.m.prices: missing: list prices, or give parameter_count"),
        ("    parameter_count: 200000000000\n    moe: true\n    created", "models.m.prices: missing: no price band"),
    ],
)
def test_a_model_that_no_band_reaches_needs_prices(replacement: str, fault: str) -> None:
    """Nothing is given away by accident."""
    assert any(fault in told for told in faults(GOOD.replace(LISTED, replacement)))


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("price_bands: {dense: [{price: 1.00}, {up_to: 5, price: 1.00}]}", "bands stand by rising up_to"),
        ("price_bands: {tiny: []}", "price_bands.tiny: unknown"),
        ("gpu_hours: {h100: cheap}", "'cheap' is not an amount of dollars"),
        ("gpu_hours: {h100: 0.0000001}", "finer than a micro-dollar"),
    ],
)
def test_faults_of_the_other_sections_are_told(section: str, fault: str) -> None:
    """As those of models are."""
    assert any(fault in told for told in faults(f"{section}\n{GOOD}"))


@pytest.mark.parametrize(
    ("parameter_count", "is_moe", "generates", "name"),
    [
        (3_999_999_999, False, True, "under 4B"),
        (4 * 10**9, False, True, "4B to 16B"),
        (16 * 10**9, False, True, "4B to 16B"),
        (16 * 10**9 + 1, False, True, "over 16B"),
        (56 * 10**9, True, True, "MoE up to 56B"),
        (57 * 10**9, True, True, "MoE 56B to 176B"),
        (671 * 10**9, True, True, "MoE over 176B"),
        (150 * 10**6, False, False, "embeddings up to 150M"),
        (8 * 10**9, False, False, "embeddings over 350M"),
    ],
)
def test_bands_have_names(parameter_count: int, is_moe: bool, generates: bool, name: str) -> None:
    """By which usage is told apart by size."""
    assert PriceBands().bucket(parameter_count, is_moe=is_moe, generates=generates) == name
