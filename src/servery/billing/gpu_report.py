"""GPU time in sums: by deployment and accelerator type over a period, or for a month's invoice."""

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.store.connection import Connection
from servery.store.sql import load_queries


class GpuSums(msgspec.Struct, frozen=True):
    """What a deployment used of one type of accelerator, at one price."""

    account: str
    deployment: str
    accelerator_type: str
    price_id: str
    accelerator_seconds: int
    nanodollars: int


class DailyGpuSums(msgspec.Struct, frozen=True):
    """What an account's deployments used of one type of accelerator on a day of UTC, counted since 1970."""

    day: int
    accelerator_type: str
    accelerator_seconds: int


def gpu_usage_by_day(connection: Connection, *, account: str, since_ns: int, until_ns: int) -> list[DailyGpuSums]:
    """The intervals that began in the period, in sums."""
    sql = load_queries("servery.billing", "gpu_time.sql")["gpu_usage_by_day"]
    values = {"account": account, "since_ns": since_ns, "until_ns": until_ns}
    return [DailyGpuSums(*row) for row in connection.execute(sql, values).fetchall()]


def gpu_usage(connection: Connection, *, account: str, since_ns: int, until_ns: int) -> list[GpuSums]:
    """The intervals that began in the period, in sums, by the names of deployments."""
    sql = load_queries("servery.billing", "gpu_time.sql")["gpu_usage_in_period"]
    values = {"account": account, "since_ns": since_ns, "until_ns": until_ns}
    return [GpuSums(account, *row) for row in connection.execute(sql, values).fetchall()]


def gpu_usage_of_month(connection: Connection, *, account: str, month: BillingMonth) -> list[GpuSums]:
    """What is on the account's invoice of that month."""
    sql = load_queries("servery.billing", "gpu_time.sql")["gpu_usage_of_month"]
    values = {"account": account, "month": month.number}
    return [GpuSums(account, *row) for row in connection.execute(sql, values).fetchall()]
