"""A YAML file as plain text values that know their lines.

Every scalar stays the text that was written (no ``yes`` becomes true, no ``1.10`` becomes a float); types come from
the structs that the values are converted to. Duplicate keys and aliases are refused: each means something else than
what a reader sees.
"""

from collections.abc import Sequence

import yaml

from servery.core.misconfigured import Misconfigured

Path = tuple[str | int, ...]
Plain = str | list["Plain"] | dict[str, "Plain"]

MAX_CHARACTERS = 1_048_576


class Document:
    """``plain`` is the file's top mapping; ``line(path)`` tells where a value stands, counted from 1."""

    def __init__(self, text: str, *, source: str, keys: Sequence[str]) -> None:
        """Parse ``text``; ``source`` names the file in faults, ``keys`` what belongs into its top mapping. Raises
        Misconfigured, naming file and line."""
        self._source = source
        self._lines: dict[Path, int] = {}
        if len(text) > MAX_CHARACTERS:
            raise Misconfigured(f"{source}: longer than {MAX_CHARACTERS} characters")
        try:
            top = yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
            raise Misconfigured(f"{source}:{line}: not YAML: {error.problem}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise Misconfigured(f"{source}: not YAML, or nested too deeply: {error}") from error
        if not isinstance(top, yaml.MappingNode):
            raise Misconfigured(f"{source}:1: expected a mapping with the keys {', '.join(keys)}")
        self._seen: set[int] = set()
        self.plain = self._mapping(top, ())

    def line(self, path: Path) -> int:
        """The line of the value at ``path``, or of the nearest thing around it that was written."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, path: Path, message: str) -> str:
        """One line that names file, line and field."""
        return f"{self._source}:{self.line(path)}: {'.'.join(map(str, path))}: {message}"

    def scalar(self, path: Path) -> str | None:
        """The text at ``path``, None where there is none or a mapping or a list."""
        value: Plain | None = self.plain
        for step in path:
            match value, step:
                case dict(), str():
                    value = value.get(step)
                case list(), int() if step < len(value):
                    value = value[step]
                case _:
                    return None
        return value if isinstance(value, str) else None

    def _value(self, node: yaml.Node, path: Path) -> Plain:
        if id(node) in self._seen:
            raise Misconfigured(self.fault(path, "anchors and aliases are not understood here: write the value out"))
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._placed(item, (*path, place)) for place, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode), "YAML knows mappings, sequences and scalars"
        if node.value == "" and node.style is None:
            raise Misconfigured(self.fault(path, "has no value"))
        return str(node.value)

    def _placed(self, node: yaml.Node, path: Path) -> Plain:
        self._lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Plain]:
        plain: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise Misconfigured(f"{self._source}:{line}: {'.'.join(map(str, path))}: a key is a word")
            key = str(key_node.value)
            if key in plain:
                raise Misconfigured(f"{self._source}:{line}: {'.'.join(map(str, (*path, key)))}: given twice")
            self._lines[(*path, key)] = line
            plain[key] = self._value(value_node, (*path, key))
        return plain
