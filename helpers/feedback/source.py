"""Reading the source of a learner's function: is it still a stub, where is a blank, which line stopped?"""

import ast
import functools
import inspect
import linecache
import textwrap
from collections.abc import Callable


def plain(function: Callable) -> Callable:
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return (
        function if hasattr(function, "__code__") else getattr(function, "__func__", type(function).__call__)
    )


def body(function: Callable) -> tuple[list[ast.stmt], int]:
    """The statements of `function` and the number of lines before it; no statements where there is no source."""
    try:
        lines, first = inspect.getsourcelines(plain(function))
        node = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return [], 0
    return (node.body if isinstance(node, ast.FunctionDef) else []), max(first, 1) - 1


def is_empty(function: Callable) -> bool:
    statements, _ = body(function)
    return bool(statements) and all(
        isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in statements
    )


def is_stub(function: Callable) -> bool:
    """Whether nothing but `return ...` (or no source) is there."""
    statements, _ = body(function)
    left = [s for s in statements if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return not left or isinstance(left[0], ast.Return)


def blank(function: Callable) -> int | None:
    """The line of the first `...` that waits to be replaced; the one in `x[..., 0]` does not."""
    statements, before = body(function)
    waiting = list(statements)
    lines = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and node.value is ...:
            lines.append(before + node.lineno)
        waiting.extend([node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node))
    return min(lines, default=None)


def place(function: Callable, error: BaseException) -> str:
    """The deepest line of the learner's own cell or file that the exception passed."""
    code = getattr(plain(function), "__code__", None)
    frame, found = error.__traceback__, "your function"
    while frame is not None:
        here = frame.tb_frame.f_code
        if code is not None and here.co_filename == code.co_filename:
            line = linecache.getline(here.co_filename, frame.tb_lineno).strip()
            found = f"line {frame.tb_lineno}" + (f", `{short(line)}`," if line else "")
        frame = frame.tb_next
    return found


def short(text: str, letters: int = 160) -> str:
    return text if len(text) <= letters else text[:letters] + " …"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
