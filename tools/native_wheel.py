"""The compiled form of the wheel: modules named in pyproject.toml become C extensions, by mypyc.

A build hook of hatchling, off unless ``HATCH_BUILD_HOOKS_ENABLE=true`` (``make wheel``). Nothing is written into the
source tree: C files, objects and extensions come to ``build/native``, and from there into the wheel, beside the Python
files, which tracebacks quote.

One C file a module, compiled side by side on all cores, linked into one library; what Python imports under a module's
name is a small extension that hands over to it.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution
from setuptools.command.build_ext import build_ext

# isort: split
# mypyc asks when it is imported whether setuptools has been.
from mypyc.build import mypycify

_READ_SO = Path(__file__).with_name("native_modules.ini")
_CORES = len(os.sched_getaffinity(0))
# Calls from one module's C file into another's, and into mypyc's own runtime, are seen through when all is linked.
_AS_ONE = ["-flto=auto", "-fvisibility=hidden", "-fno-semantic-interposition"]


class NativeModules(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the extensions to the wheel. Options: ``modules`` (dotted names), ``optimization`` (of the C compiler)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises SystemExit with the compiler's or mypy's words when something cannot be compiled."""
        if self.target_name != "wheel" or version == "editable":
            return
        level = self.config["optimization"]
        # A folder for each level: what is there is compiled anew when its source changes, not when its options do.
        source, scratch = Path(self.root, "src"), Path(self.root, "build", "native", f"O{level}")
        modules = [f"{module.replace('.', '/')}.py" for module in self.config["modules"]]
        extensions = _compiled(modules, source, scratch, level)
        build_data["force_include"].update({str(file): str(file.relative_to(scratch / "out")) for file in extensions})
        build_data["pure_python"], build_data["infer_tag"] = False, True


def _compiled(modules: list[str], source: Path, scratch: Path, optimization: str) -> list[Path]:
    """The extensions, below ``scratch/out`` as they shall lie below site-packages."""
    with contextlib.chdir(source), _arguments_of_this_process_hidden():
        extensions = mypycify(
            [
                f"--config-file={_READ_SO}",
                "--strict",
                "--ignore-missing-imports",
                f"--cache-dir={scratch / 'types'}",
                *modules,
            ],
            opt_level=optimization,
            debug_level="0",
            multi_file=True,
            group_name="servery",
            target_dir=str(scratch / "c"),
        )
        for extension in extensions:
            extension.extra_compile_args += _AS_ONE
            extension.extra_link_args += [*_AS_ONE, f"-O{optimization}", "-g0"]
        builder = _Builder(Distribution({"name": "servery", "ext_modules": extensions}))
        builder.build_lib, builder.build_temp = str(scratch / "out"), str(scratch / "objects")
        builder.parallel = _CORES
        builder.ensure_finalized()
        builder.run()
    return [Path(file) for file in builder.get_outputs()]


class _Builder(build_ext):
    """Compiles the C files of one extension side by side too, of which the library has nearly all."""

    def build_extensions(self) -> None:
        compiled_in_turn = self.compiler.compile

        def compiled_side_by_side(sources: list[str], **options: Any) -> list[str]:
            with ThreadPoolExecutor(_CORES) as threads:
                return [
                    each
                    for one in threads.map(lambda source: compiled_in_turn([source], **options), sources)
                    for each in one
                ]

        self.compiler.compile = compiled_side_by_side
        super().build_extensions()


@contextlib.contextmanager
def _arguments_of_this_process_hidden() -> Iterator[None]:
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = arguments
