"""What a notebook says of its own numbers, tested in its own kernel after its last cell.

`tests/claims/NN.py` holds functions without arguments, one a claim, named after what is claimed: the notebook's names
are their globals, as in `def the_bound_lies_below(): assert (bounds < evidence).all()`. Names that begin with an
underscore are helpers of the file.
"""

import traceback
from pathlib import Path
from types import FunctionType

FOLDER = Path(__file__).parent / "claims"


def claims_of(notebook: str) -> Path | None:
    """The file with the claims of a notebook, given by its name or path, if there is one."""
    file = FOLDER / f"{Path(notebook).name[:2]}.py"
    return file if file.is_file() else None


def cell_for(file: Path) -> str:
    """The source of the cell that tests the claims of `file` in a notebook's kernel."""
    place = str(Path(__file__).parent)
    return f"import sys\nsys.path.append({place!r})\nfrom notebook_claims import hold\nhold({str(file)!r}, globals())"


def hold(file: str | Path, names: dict) -> None:
    """Call every claim of `file` with `names` for its globals. Raises AssertionError that lists those that fail."""
    file, own = str(file), dict(names)
    exec(compile(Path(file).read_text(encoding="utf-8"), file, "exec"), own)
    claims = [f for name, f in own.items() if _defined_in(file, f) and not name.startswith("_")]
    failed = []
    for claim in claims:
        try:
            claim()
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            failed.append(
                f"{claim.__name__}: {type(error).__name__} {error} (line {line.lineno}: {line.line})"
            )
    assert claims, f"{file} holds no claim"
    assert not failed, f"{len(failed)} of {len(claims)} claims fail: " + "; ".join(failed)
    print(f"{len(claims)} claims hold")


def _defined_in(file: str, thing: object) -> bool:
    return isinstance(thing, FunctionType) and thing.__code__.co_filename == file
