"""The documents name every header and every metric, and no others."""

import re
from pathlib import Path

from servery.core.errors import LimitExceeded, Unauthenticated
from servery.core.inference import EngineReport
from servery.core.limit_reading import LimitReading
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.serving.reply import StreamStart
from servery.serving.served import Served
from servery.web.anthropic.limit_headers import anthropic_limit_headers
from servery.web.server import response_headers as headers
from servery.web.server.response_writer import header_lines

DOCS = Path(__file__).parents[2] / "docs"
SET_BY_EVERY_SERVER = {"content-type", "www-authenticate"}


def sent_headers() -> set[str]:
    reading = LimitReading(
        prompt=1,
        uncached_prompt=1,
        generated=1,
        requests=1,
        prompt_remaining=1,
        uncached_prompt_remaining=1,
        generated_remaining=1,
        requests_remaining=1,
        read_ns=0,
    )
    report = EngineReport(replica="r", queue_wait_s=0, time_to_first_token_s=0, processing_time_s=0)
    served = Served(request_id="r", model="m", path=ServingPath.STANDARD, usage=Usage(), report=report)
    start = StreamStart(time_to_first_token_s=0, prompt_tokens=1, cached_prompt_tokens=0)
    sent = (
        headers.request_headers("r", b"request-id"),
        headers.limit_headers(reading),
        header_lines(anthropic_limit_headers(reading)),
        headers.budget_headers(0.83),
        headers.route_header("reason=prefix"),
        headers.served_headers(served),
        headers.stream_headers(start),
        headers.refusal_headers(LimitExceeded("x", retry_after_s=1)),
        headers.refusal_headers(Unauthenticated("x")),
    )
    return {line.split(":")[0] for line in b"".join(sent).decode().splitlines()} - SET_BY_EVERY_SERVER


def test_every_response_header_is_documented():
    """docs/api.md lists the response headers that are sent, all of them and no other."""
    section = (DOCS / "api.md").read_text().split("## Response headers")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE)) == sent_headers()


def test_every_metric_is_documented(platform_metrics: set[str]):
    """docs/metrics.md has a heading for each metric, and for nothing else."""
    text = (DOCS / "metrics.md").read_text()
    assert set(re.findall(r"^## (\S+)$", text, re.MULTILINE)) == platform_metrics
