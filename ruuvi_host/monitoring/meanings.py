"""What each counter means: the docstring below it, read from the source."""

import ast
import inspect
from contextlib import suppress
from dataclasses import is_dataclass
from textwrap import dedent


def meanings(counters: object) -> dict[str, str]:
    """Counter → docstring on one line, of all that `counters` contains; nothing of those whose
    source is not there."""
    found: dict[str, str | None] = {}
    source = ""
    with suppress(OSError):
        source = inspect.getsource(type(counters))
    for definition in ast.parse(dedent(source)).body:
        assert isinstance(definition, ast.ClassDef)
        body = definition.body
        for statement, after in zip(body, [*body[1:], None], strict=True):
            match statement, after:
                case ast.AnnAssign(target=ast.Name(id=name)), _ if is_dataclass(
                    contained := getattr(counters, name)
                ):
                    found |= meanings(contained)
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = text
                case ast.FunctionDef(name=name), _:
                    found[name] = ast.get_docstring(statement)
    return {name: " ".join((text or "").split()).rstrip(".") for name, text in found.items()}
