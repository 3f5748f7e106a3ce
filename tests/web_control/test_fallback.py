"""Refusals where no route answers: in whose form they are."""

from tests.web_control.conftest import Plane

from servery.core.errors import InternalError
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
