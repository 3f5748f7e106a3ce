"""Where requests come in: inference goes straight to the pipeline, the rest to the ASGI app."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from servery.core.caller import Caller
from servery.core.cancellation import uncancel
from servery.core.clock import Clock
from servery.core.errors import InternalError, LimitExceeded, MethodNotAllowed, ServeryError, ShuttingDown
from servery.core.ids import RequestIds, pseudo_random_bits
from servery.core.inference import InferenceRequest
from servery.metering.refused_requests import RefusedRequest, RefusedRequests
from servery.serving.counting import Counting
from servery.serving.pipeline import Pipeline
from servery.telemetry.event_line import EventKind
from servery.telemetry.gathered_lines import PlainEvent
from servery.telemetry.log import event_writer
from servery.telemetry.metrics import Metrics
from servery.tenancy.key_ring import KeyRing
from servery.web.server.asgi_bridge import AsgiBridge
from servery.web.server.content_encoding import BodyDecoder
from servery.web.server.http_reply import HttpReply
from servery.web.server.http_request import HttpRequest
from servery.web.server.inference_route import InferenceRoute
from servery.web.server.response_headers import JSON, LimitLines, refusal_headers, request_headers
from servery.web.server.response_writer import ResponseWriter
from servery.web.server.write_pressure import WritePressure

_DEBUG_HEADER: Final = "x-servery-debug"
_REFUSED: Final = EventKind("request refused", ("request_id", "status", "code"))


class Entrance:
    """``routes`` are inference endpoints by path, of which some only count; ``max_body_bytes`` bounds a body once it is
    decompressed. ``bridged_refusal`` is the body of a refusal at a path that the bridge leads to. While draining,
    everything is refused; from ``cut_off`` on, what is cancelled as well."""

    def __init__(
        self,
        *,
        routes: Mapping[str, InferenceRoute],
        pipeline: Pipeline,
        counting: Counting,
        key_ring: KeyRing,
        bridge: AsgiBridge,
        bridged_refusal: Callable[[str, ServeryError], bytes],
        metrics: Metrics,
        logger: logging.Logger,
        refused: RefusedRequests,
        clock: Clock,
        max_body_bytes: int,
    ) -> None:
        self._routes = dict(routes)
        self._decoder = BodyDecoder(most_bytes=max_body_bytes)
        self._pipeline = pipeline
        self._counting = counting
        self._key_ring = key_ring
        self._bridge = bridge
        self._bridged_refusal = bridged_refusal
        self._metrics = metrics
        self._logger = logger
        self._tell_refused = event_writer(logger, _REFUSED)
        self._refused = refused
        self._clock = clock
        self._request_ids = RequestIds(pseudo_random_bits())
        self._limit_lines = LimitLines()
        self.is_draining = False

    def cut_off(self) -> None:
        """From now on a request that is cancelled is so because the platform ends, and its client is told."""
        self._pipeline.is_ending = True

    def handle(
        self, request: HttpRequest, writer: ResponseWriter, pressure: WritePressure, task: asyncio.Task[None]
    ) -> Awaitable[None]:
        """Serve one request; every way out leaves a response, unless the client is gone."""
        route = self._routes.get(request.head.path)
        if route is None:
            return self._bridge_over(request, writer)
        return self._infer(route, request, writer, pressure, task)

    async def _bridge_over(self, request: HttpRequest, writer: ResponseWriter) -> None:
        try:
            await self._bridge.serve(request, writer)
        except asyncio.CancelledError:
            if not self._pipeline.is_ending or writer.started:
                raise
            uncancel()
            self._refuse_bridged(ShuttingDown(), request.head.path, writer)
        except Exception:  # the last door: a fault of ours must not take the connection's other requests with it
            self._logger.exception("fault", extra={"fields": {"path": request.head.path}})
            self._refuse_bridged(InternalError("internal error"), request.head.path, writer)

    def _refuse_bridged(self, error: ServeryError, path: str, writer: ResponseWriter) -> None:
        self._metrics.refusals.labels(str(error.status), error.code).inc()
        if not writer.started:
            writer.whole(error.status, JSON + refusal_headers(error), self._bridged_refusal(path, error))

    async def _infer(
        self,
        route: InferenceRoute,
        request: HttpRequest,
        writer: ResponseWriter,
        pressure: WritePressure,
        task: asyncio.Task[None],
    ) -> None:
        request_id = self._request_ids.new()
        reply: HttpReply | None = None
        caller: Caller | None = None
        try:
            if self.is_draining:
                raise ShuttingDown
            if request.head.method != "POST":
                raise MethodNotAllowed(f"{request.head.path} takes POST, not {request.head.method}", allowed="POST")
            headers, key_ring = request.head.by_name, self._key_ring
            caller = key_ring.find_hashed(request.head.key_sha256)
            if caller is None:
                caller = await key_ring.authenticate(request.head.key)
            caller.require_unsuspended()
            body, encoding = request.body, headers.get("content-encoding")
            if encoding is not None:
                body = await self._decoder.decoded(body, encoding)
            call = route.parse(body, headers, request_id, caller)
            reply = HttpReply(
                writer,
                pressure,
                call.presenter,
                request_id=request_id,
                id_header=route.id_header,
                stream=call.request.stream,
                limit_lines=self._limit_lines,
                limit_headers=route.limit_headers,
                tells_route=caller.admin and headers.get(_DEBUG_HEADER) == "1",
            )
            await self._serve(route, caller, call.request, reply, task)
        except ServeryError as error:
            self._refuse(error, route, request_id, writer, reply)
            if caller is not None:
                self._remember(error, caller, request_id)
        except asyncio.CancelledError:
            if not self._pipeline.is_ending:
                raise
            uncancel()
            self._refuse(ShuttingDown(), route, request_id, writer, reply)
        except Exception:  # the last door: a fault of ours must leave an answer and a trace
            self._logger.exception("fault", extra={"fields": {"request_id": request_id, "path": request.head.path}})
            self._refuse(InternalError("internal error"), route, request_id, writer, reply)

    def _serve(
        self,
        route: InferenceRoute,
        caller: Caller,
        request: InferenceRequest,
        reply: HttpReply,
        task: asyncio.Task[None],
    ) -> Coroutine[Any, Any, None]:
        if route.only_counts:
            return self._counting.serve(caller, request, reply)
        return self._pipeline.serve(caller, request, reply, task)

    def _remember(self, error: ServeryError, caller: Caller, request_id: str) -> None:
        self._refused.add(
            RefusedRequest(
                request_id=request_id,
                account=caller.account,
                key_id=caller.key_id,
                status=error.status,
                code=error.code,
                message=error.message,
                retry_after_s=error.retry_after_s,
                refused_ns=self._clock.wall_ns(),
            )
        )

    def _refuse(
        self,
        error: ServeryError,
        route: InferenceRoute,
        request_id: str,
        writer: ResponseWriter,
        reply: HttpReply | None,
    ) -> None:
        self._metrics.refusals.labels(str(error.status), error.code).inc()
        if isinstance(error, LimitExceeded) and error.shortage is not None:
            self._metrics.limit_refusals.labels(error.shortage.metric.value).inc()
        if self._tell_refused is not None:
            self._tell_refused(PlainEvent((request_id, error.status, error.code)))
        if reply is not None:
            reply.refuse(error)
        else:
            headers = JSON + request_headers(request_id, route.id_header) + refusal_headers(error)
            writer.whole(error.status, headers, route.render_error(error, request_id))
