"""The form in which Servery is measured is chosen, and what the table says of it is looked up."""

import sys
from pathlib import Path

from benchmarks.form import Form, form_found, python_with_servery

import servery.serving.pipeline


def test_pure_python_runs_where_the_benchmark_does() -> None:
    """Without a compiler, and without another environment."""
    assert python_with_servery(Form.PURE) == Path(sys.executable)


def test_the_form_is_that_of_what_is_imported() -> None:
    """Whatever was asked for."""
    is_native = not str(servery.serving.pipeline.__file__).endswith(".py")
    assert form_found(Path(sys.executable)) == ("compiled" if is_native else "pure Python")
