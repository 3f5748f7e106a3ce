"""A plugin of mypy, for compiling: says in mypyc's words what ``servery.core.acyclic`` says in ours. Its own decorator
is of a package that the product would need at run time."""

from collections.abc import Callable

from mypy.nodes import ArgKind, CallExpr, Expression, IntExpr, NameExpr
from mypy.plugin import ClassDefContext, Plugin

_OURS = "servery.core.acyclic.acyclic"


class AcyclicClasses(Plugin):
    """Replaces the decorator once names have been looked up, so that nothing has to be imported for it."""

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        return _replace if fullname == _OURS else None


def _replace(context: ClassDefContext) -> bool:
    decorators = context.cls.decorators
    said: list[Expression] = [_name("builtins.True"), IntExpr(1)]
    theirs = CallExpr(_name("mypy_extensions.mypyc_attr"), said, [ArgKind.ARG_NAMED] * 2, ["acyclic", "free_list_len"])
    theirs.set_line(context.reason)
    decorators[decorators.index(context.reason)] = theirs
    return True


def _name(fullname: str) -> NameExpr:
    name = NameExpr(fullname.rpartition(".")[2])
    name.fullname = fullname
    return name


def plugin(version: str) -> type[Plugin]:
    return AcyclicClasses
