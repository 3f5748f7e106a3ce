"""Settings: parsed once, frozen; the only reader of the environment.

Each field of ``Settings`` is one setting. Its environment variable is ``SERVERY_`` and its name in capitals; each
is an option of ``servery serve`` too, and an option wins. ``docs/settings.md`` has a heading for each.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from servery.core.misconfigured import Misconfigured
from servery.core.release import Release
from servery.core.setting_forms import (
    AccountId,
    Domain,
    FourDollars,
    Positive,
    PostgresqlUrl,
    Seconds,
    Share,
    reworded,
)

PREFIX: Final = "SERVERY_"
DATABASE_FILE: Final = "servery.db"
JOURNAL_DIRECTORY: Final = "journals"
SPOOL_DIRECTORY: Final = "spool"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


_CLOSED_SETS: Final[dict[str, type[StrEnum]]] = {
    "log_level": LogLevel,
    "log_format": LogFormat,
    "release_after": Release,
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings with their defaults. Units stand last in the names; the text beside each is its one-line meaning.

    ``catalog`` None: the packaged catalog, or the one made for ``model``; both given at once are refused.
    """

    data_dir: Annotated[
        Path, Meta(description="Where all state lives: the database, the engines' logs, downloaded models.")
    ]
    database: Annotated[
        PostgresqlUrl | None,
        Meta(description="PostgreSQL instead of a file in the data directory: postgresql://user@host/name."),
    ] = None
    host: Annotated[str, Meta(description="The address to listen on. 0.0.0.0 opens the platform to the network.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65_535, description="The port to listen on; 0 picks a free one.")] = 8000
    workers: Annotated[
        int, Meta(ge=1, le=256, description="Processes that serve, all from the one port; 1: a single one does all.")
    ] = 1
    catalog: Annotated[Path | None, Meta(description="The catalog file; none: the packaged one.")] = None
    model: Annotated[
        str | None,
        Meta(description="Serve this model (a .gguf file or a Hugging Face name) instead of a catalog's."),
    ] = None
    platform_account: Annotated[
        AccountId | None,
        Meta(description="The account in the ids of models and routers; none: the one the catalog names."),
    ] = None
    platform_domain: Annotated[
        Domain, Meta(description="The platform's domain, in the e-mail addresses of service accounts.")
    ] = "servery.local"
    first_account: Annotated[
        AccountId, Meta(description="The account that is opened, with a key, when the data directory is new.")
    ] = "default"

    spend_tier_thresholds_dollars: Annotated[
        FourDollars,
        Meta(description="Whole dollars, spent or added in all, from which an account belongs to spend tiers 1 to 4."),
    ] = "0,50,500,5000"
    spend_tier_budgets_dollars: Annotated[
        FourDollars, Meta(description="Whole dollars that an account of spend tiers 1 to 4 may owe in a month (UTC).")
    ] = "50,500,5000,50000"

    webhook_private_hosts: Annotated[
        bool, Meta(description="Let webhooks be on private addresses; false: on public ones alone.")
    ] = False
    smtp_host: Annotated[
        str | None, Meta(description="The mail server that notices are handed to; none: no e-mail is sent.")
    ] = None
    smtp_port: Annotated[int, Meta(ge=1, le=65_535, description="The mail server's port.")] = 587
    smtp_starttls: Annotated[bool, Meta(description="Speak TLS with the mail server (STARTTLS).")] = True
    smtp_sender: Annotated[str, Meta(description="The address that notices come from.")] = "servery@localhost"
    smtp_username: Annotated[str | None, Meta(description="Who logs in to the mail server; none: nobody.")] = None
    smtp_password_file: Annotated[
        Path | None, Meta(description="A file with the password for the mail server, and nothing else.")
    ] = None

    print_key: Annotated[
        bool, Meta(description="Make a new API key for the first account at each start, and print it.")
    ] = True

    tls_certificate: Annotated[
        Path | None, Meta(description="A PEM file with the certificate chain; with it, HTTPS is spoken.")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="A PEM file with the certificate's private key.")] = None

    max_header_bytes: Annotated[
        int, Meta(ge=1024, le=1_048_576, description="The most that a request's line and headers may take.")
    ] = 32_768
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=1_073_741_824, description="The most that a request's body may take; beyond it 413.")
    ] = 16_777_216
    max_connections: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Client connections at once, TLS handshakes too; others are closed.")
    ] = 4096
    header_timeout_s: Annotated[
        Seconds, Meta(description="How long a request's headers may take to arrive whole; then 408.")
    ] = 10.0
    body_timeout_s: Annotated[
        Seconds, Meta(description="How long a request's body may take to arrive whole; then 408.")
    ] = 60.0
    idle_timeout_s: Annotated[
        Seconds, Meta(description="How long a connection may stay open between two requests.")
    ] = 75.0
    write_stall_timeout_s: Annotated[
        Seconds, Meta(description="How long a client may take nothing of a response; then it counts as gone.")
    ] = 30.0

    queue_wait_limit_s: Annotated[
        Seconds, Meta(description="How long a request may wait for a place in its pool; then 503.")
    ] = 30.0
    prefill_ahead_s: Annotated[
        float,
        Meta(ge=0, le=3_600, description="An engine that should compute prompts for longer is sent no further ones."),
    ] = 0.05
    standard_wait_budget_s: Annotated[
        Seconds, Meta(description="A Standard request that would wait so long is refused at once with 503.")
    ] = 10.0
    priority_wait_budget_s: Annotated[
        Seconds, Meta(description="A Priority request that would wait so long is refused at once with 503.")
    ] = 30.0
    standard_floor: Annotated[
        float,
        Meta(ge=0, le=0.9, description="The share of a full pool that is Standard's, however much Priority comes."),
    ] = 0.1
    batch_headroom: Annotated[
        float, Meta(ge=0, le=0.9, description="The most of each replica that Batch leaves free for others, as a share.")
    ] = 0.2
    recalls_per_request: Annotated[
        int,
        Meta(ge=0, le=100, description="How often a request may be called back for one of a higher class; 0: never."),
    ] = 4
    connect_timeout_s: Annotated[Seconds, Meta(description="How long connecting to an engine may take.")] = 2.0
    first_token_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may take until its first token; then 504.")
    ] = 120.0
    answer_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may take for an answer that is not streamed; then 504.")
    ] = 600.0
    chunk_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may pause within a stream; then the stream ends as broken.")
    ] = 60.0
    slot_isolation: Annotated[
        bool,
        Meta(description="Keep accounts apart in the prompt caches of llama.cpp engines; false: one tenant, faster."),
    ] = True

    prompt_cache_tokens: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000_000,
            description="What an engine's prompt cache holds, where neither it nor the catalog tells.",
        ),
    ] = 1_048_576

    limit_start_prompt_tokens_per_minute: Annotated[
        Positive, Meta(description="Where an account's limit of prompt tokens for a model starts; its lower bound.")
    ] = 3_600_000
    limit_start_uncached_prompt_tokens_per_minute: Annotated[
        Positive, Meta(description="The same for uncached prompt tokens.")
    ] = 900_000
    limit_start_generated_tokens_per_minute: Annotated[Positive, Meta(description="The same for generated tokens.")] = (
        36_000
    )
    limit_burst_minutes: Annotated[
        float, Meta(gt=0, le=60, description="How many minutes of a limit can be saved up, and used at once.")
    ] = 1.0
    limit_increase_factor: Annotated[float, Meta(ge=1, le=10, description="By how much a limit rises at a time.")] = (
        1.25
    )
    limit_increase_above: Annotated[
        Share, Meta(description="The share of a limit that a minute has to use for it to rise.")
    ] = 0.5
    limit_increase_interval_minutes: Annotated[
        Positive, Meta(description="How long a limit stays before it rises.")
    ] = 15
    limit_decrease_factor: Annotated[Share, Meta(description="What is left of a limit when it falls.")] = 0.8
    limit_decrease_below: Annotated[
        Share, Meta(description="The share of a limit that no sample of the window may have used for it to fall.")
    ] = 0.33
    limit_decrease_not_above: Annotated[
        Share, Meta(description="The share of the lower limit that the last minute may use for it to fall.")
    ] = 0.5
    limit_decrease_interval_minutes: Annotated[
        Positive, Meta(description="How long a limit stays before it falls.")
    ] = 1_440
    limit_decrease_window_minutes: Annotated[
        Positive, Meta(description="How far back samples are looked at before a limit falls.")
    ] = 4_320
    limit_sample_minutes: Annotated[Positive, Meta(description="How long a sample of use is.")] = 15
    limit_idle_minutes: Annotated[
        Positive, Meta(description="After how long without use an account's limits for a model go back to their start.")
    ] = 4_320
    limit_ceiling_small_prompt_tokens_per_minute: Annotated[
        Positive, Meta(description="How high the limit of prompt tokens can rise for small models.")
    ] = 216_000_000
    limit_ceiling_medium_prompt_tokens_per_minute: Annotated[
        Positive, Meta(description="How high it can rise for medium models.")
    ] = 43_200_000
    limit_ceiling_large_prompt_tokens_per_minute: Annotated[
        Positive, Meta(description="How high it can rise for large models, and those of unknown size.")
    ] = 21_600_000
    limit_small_below_parameters: Annotated[Positive, Meta(description="A model with fewer parameters is small.")] = (
        600_000_000_000
    )
    limit_medium_below_parameters: Annotated[
        Positive, Meta(description="A model with fewer parameters, and not small, is medium.")
    ] = 1_600_000_000_000
    limit_tier_1_ceiling_share: Annotated[
        Share, Meta(description="The share of these ceilings that accounts of spend tier 1 have.")
    ] = 0.25
    limit_tier_2_ceiling_share: Annotated[
        Share, Meta(description="The share that accounts of spend tier 2 have; higher tiers have all of it.")
    ] = 0.5
    limit_requests_per_minute: Annotated[
        Positive, Meta(description="Requests per minute of an account, over all models.")
    ] = 6_000
    limit_unfunded_requests_per_minute: Annotated[
        Positive, Meta(description="The same for an account that has nothing to pay with.")
    ] = 10
    limit_retry_jitter: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            description="The share of itself by which the wait told with a 429 is lengthened at most, at random.",
        ),
    ] = 0.5
    limit_tracked_accounts: Annotated[
        Positive, Meta(description="How many accounts' limits are remembered at once.")
    ] = 100_000
    money_lease_s: Annotated[
        Seconds,
        Meta(description="How long a gateway that is not heard of keeps what it borrowed of accounts' money."),
    ] = 300.0
    limit_save_interval_s: Annotated[Seconds, Meta(description="How often adapted limits are written down.")] = 60.0

    startup_timeout_s: Annotated[
        Seconds, Meta(description="How long an embedded engine may take to load its model.")
    ] = 300.0
    health_interval_s: Annotated[Seconds, Meta(description="How often each replica's health is looked at.")] = 2.0
    drain_timeout_s: Annotated[
        Seconds, Meta(description="How long running requests may go on after Ctrl-C or SIGTERM.")
    ] = 30.0

    commit_group_size: Annotated[
        int, Meta(ge=1, le=10_000, description="The most database writes that share one durable commit.")
    ] = 1024
    commit_gather_ms: Annotated[
        float,
        Meta(ge=0, le=1000, description="The longest that requests which end at once wait for each other; 0: none."),
    ] = 5.0
    invoice_grace_s: Annotated[Seconds, Meta(description="How long after a month's end its invoices become final.")] = (
        21_600.0
    )
    commit_queue_size: Annotated[
        int, Meta(ge=1, le=1_000_000, description="The most database writes that wait for a commit at once.")
    ] = 32_768

    commit_timeout_s: Annotated[
        Seconds,
        Meta(description="How long a response's end waits for its commit while the database is away; then 503."),
    ] = 10.0

    release_after: Annotated[
        Release,
        Meta(description="What has a charge when its response ends: spool (on the gateway's disk) or database."),
    ] = Release.SPOOL
    spool_size: Annotated[
        int,
        Meta(
            ge=1, le=100_000_000, description="How many charges the spool takes while the database is away; then 503."
        ),
    ] = 100_000

    log_level: Annotated[LogLevel, Meta(description="What is logged: debug, info, warning or error.")] = LogLevel.INFO
    log_format: Annotated[LogFormat, Meta(description="How it is logged: text, or json with one object a line.")] = (
        LogFormat.TEXT
    )

    @property
    def database_file(self) -> Path:
        return self.data_dir / DATABASE_FILE

    @property
    def database_place(self) -> Path | str:
        """The file, or PostgreSQL's URL."""
        return self.database or self.database_file

    @property
    def spool_directory(self) -> Path:
        return self.data_dir / SPOOL_DIRECTORY

    @property
    def journal_directory(self) -> Path:
        return self.data_dir / JOURNAL_DIRECTORY


def read_settings(options: Mapping[str, str] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Defaults, over them the ``SERVERY_*`` variables of ``environment``, over them ``options`` (by setting's name).

    All values come as text. Raises Misconfigured with one line for each value that cannot be, naming its variable or
    option.
    """
    options = options or {}
    fields = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    assert options.keys() <= fields.keys(), "an option is the option of a setting"
    values: dict[str, object] = {}
    faults: list[str] = []
    for name, wanted in fields.items():
        text, place = options.get(name), "--" + name.replace("_", "-")
        if text is None:
            text, place = environment.get(variable(name)), variable(name)
        if text is None:
            continue
        try:
            values[name] = msgspec.convert(text, wanted, strict=False, dec_hook=_path)
        except msgspec.ValidationError as error:
            faults.append(f"{place}: {reworded(str(error), text, closed_set=_CLOSED_SETS.get(name))}")
    if values.get("catalog") is not None and values.get("model") is not None:
        faults.append("--catalog and --model: give one of them (a catalog names its models itself)")
    if faults:
        raise Misconfigured("\n".join(faults))
    return msgspec.convert({"data_dir": default_data_dir(environment), **values}, Settings, dec_hook=_path)


def variable(name: str) -> str:
    """The environment variable of the setting ``name``."""
    return PREFIX + name.upper()


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that look like settings and are none: most likely misspelt, so worth a warning."""
    known = {variable(field.name) for field in msgspec.structs.fields(Settings)}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def default_data_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_DATA_HOME/servery``, which is ``~/.local/share/servery`` where that variable is not set."""
    data_home = environment.get("XDG_DATA_HOME", "")
    return (Path(data_home) if data_home else Path.home() / ".local" / "share") / "servery"


def inherited_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For a child process whose library has variables of its own, such as a proxy or a token."""
    return dict(environment)


def secret(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The value of the variable that a catalog names for an engine's API key. Raises Misconfigured when not set."""
    value = environment.get(name)
    if not value:
        raise Misconfigured(f"{name}: the catalog names this environment variable for an API key, and it is not set")
    return value


def _path(wanted: type, value: object) -> object:
    assert wanted is Path, "no other type needs a hook"
    if value == "":
        raise ValueError("is empty")
    try:
        return Path(str(value)).expanduser()
    except RuntimeError as error:  # there is no such user
        raise ValueError(str(error)) from error
