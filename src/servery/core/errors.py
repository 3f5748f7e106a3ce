"""Every refusal a caller can meet, in one tree. Domains raise; only ``web`` renders.

ServeryError
├── InvalidRequest        400  the request cannot be understood or cannot be served by this model
│   ├── PromptTooLong     400  the prompt alone leaves no room for an answer in the model's context
│   └── ContextExceeded   400  prompt and answer together are longer than the model's context
├── Unauthenticated       401  no key, or a key that is unknown, expired or revoked
├── PermissionDenied      403  a good key that may not do this
├── NotFound              404  no such model, path or resource
├── MethodNotAllowed      405  the path exists, not with this method
├── RequestTimeout        408  the request did not arrive whole in time
├── AlreadyExists         409  an id that is taken
├── PreconditionFailed    412  the account is suspended or out of money
├── PayloadTooLarge       413  the body is larger than the server takes
├── LimitExceeded         429  the account's own limit; the caller's own doing
├── InternalError         500  a fault of ours
├── EngineUnavailable     502  the engine refused, vanished or answered nonsense before the first byte
├── EngineBroke           502  the engine failed after the first byte; sent as an error frame
│   └── EngineAborted     502  the engine gave up on an answer and said so
├── Overloaded            503  the shared pool is busy or has no ready replica
│   └── ShuttingDown      503  this server ends; a stream that runs too long for it is cut, with an error frame
├── EngineTimeout         504  the engine did not answer in time
└── ClientGone            499  the client closed its connection; never rendered
"""

from typing import ClassVar, Final

from servery.core.limit_reading import LimitReading, Shortage

LONGEST_MESSAGE: Final = 2_000
"""Characters."""


class ServeryError(Exception):
    """A refusal with its status, a code for programs, and a message for people.

    ``param`` names the offending field where there is one; ``retry_after_s`` says when a retry may succeed.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"
    retry_helps: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        if len(message) > LONGEST_MESSAGE:  # it quotes a client or an engine, and is kept for a while
            message = f"{message[: LONGEST_MESSAGE - 1]}…"
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(ServeryError):
    status = 400
    code = "INVALID_ARGUMENT"


class PromptTooLong(InvalidRequest):
    """Tokens, as the engine told them."""

    def __init__(self, *, prompt_tokens: int, context_tokens: int) -> None:
        super().__init__(f"The prompt is too long: {prompt_tokens}, model maximum context length: {context_tokens}")
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class ContextExceeded(InvalidRequest):
    """``context_tokens`` and ``prompt_tokens`` are as the engine told them, None where it did not."""

    def __init__(self, message: str, *, context_tokens: int, prompt_tokens: int | None) -> None:
        super().__init__(message, param="max_tokens")
        self.context_tokens = context_tokens
        self.prompt_tokens = prompt_tokens


class Unauthenticated(ServeryError):
    status = 401
    code = "UNAUTHORIZED"


class PermissionDenied(ServeryError):
    status = 403
    code = "PERMISSION_DENIED"


class NotFound(ServeryError):
    status = 404
    code = "NOT_FOUND"


class MethodNotAllowed(ServeryError):
    """``allowed`` are the methods that the path has."""

    status = 405
    code = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class RequestTimeout(ServeryError):
    status = 408
    code = "REQUEST_TIMEOUT"
    retry_helps = True


class AlreadyExists(ServeryError):
    status = 409
    code = "ALREADY_EXISTS"


class PreconditionFailed(ServeryError):
    status = 412
    code = "PRECONDITION_FAILED"


class PayloadTooLarge(ServeryError):
    status = 413
    code = "PAYLOAD_TOO_LARGE"


class LimitExceeded(ServeryError):
    """``shortage`` tells the limit that is in the way for longest, ``reading`` all of the account's."""

    status = 429
    code = "RATE_LIMIT_EXCEEDED"
    retry_helps = True
    shortage: Shortage | None = None
    reading: LimitReading | None = None

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        shortage: Shortage | None = None,
        reading: LimitReading | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.shortage = shortage
        self.reading = reading


class ClientGone(ServeryError):
    status = 499
    code = "CLIENT_GONE"


class InternalError(ServeryError):
    status = 500
    code = "INTERNAL"
    retry_helps = True


class EngineUnavailable(ServeryError):
    status = 502
    code = "ENGINE_UNAVAILABLE"
    retry_helps = True


class EngineBroke(ServeryError):
    status = 502
    code = "ENGINE_BROKE"
    retry_helps = True


class EngineAborted(EngineBroke):
    code = "ENGINE_ABORTED"


class Overloaded(ServeryError):
    status = 503
    code = "SERVER_OVERLOADED"
    retry_helps = True


class ShuttingDown(Overloaded):
    code = "SHUTTING_DOWN"

    def __init__(self) -> None:
        super().__init__("the server is shutting down", retry_after_s=1.0)


class EngineTimeout(ServeryError):
    status = 504
    code = "ENGINE_TIMEOUT"
    retry_helps = True
