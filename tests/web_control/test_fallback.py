"""Refusals where no route answers: in whose form they are."""

from tests.web_control.conftest import Plane

from servery.core.errors import InternalError, NotFound
from servery.web.anthropic.errors import error_body as anthropic_error_body
from servery.web.control.resource import Resource, control_error
from servery.web.fallback import refusal_body
from servery.web.openai.errors import error_body


def test_a_path_is_refused_as_its_route_refuses(plane: Plane) -> None:
    """Whatever the route's own refusals look like, a fault in it and a method that it does not take look the same."""
    fault = InternalError("internal error")
    of_control, of_inference = control_error(fault), error_body(fault, "")
    for route in plane.routes:
        assert isinstance(route.app, Resource)
        expected = of_control if route.app._render_error(fault) == of_control else of_inference
        assert refusal_body(route.path, fault) == expected, route.path
    assert refusal_body("/v1/pricing", fault) == of_control
    assert refusal_body("/v1/chat/completions", fault) == of_inference


def test_what_anthropic_has_and_this_has_not_is_refused_in_anthropics_form() -> None:
    """Its clients read a type and a message only from their own envelope, such as when they ask to count tokens."""
    fault = NotFound("Path not found")
    for prefix in ("/v1", "/inference/v1"):
        assert refusal_body(f"{prefix}/messages/count_tokens", fault) == anthropic_error_body(fault, "")
