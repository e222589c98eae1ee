"""Nothing that students can import from helpers answers a question of a lesson.

Run as a program (test_helpers_as_answers.py NN_topic) it prints which public names of helpers pass as an answer.
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from test_lessons import each_lesson, exam, graded_functions, source

from helpers import studies


class TooSlow(BaseException):
    """Sent into a call that takes too long; it passes `except Exception`."""


def public_callables():
    """name -> object, each once, of all that the modules of helpers let a student import."""
    import helpers

    modules = [info.name for info in pkgutil.walk_packages(helpers.__path__, "helpers.")]
    found = {}
    for module in map(importlib.import_module, ["helpers", *modules]):
        for name, thing in vars(module).items():
            if callable(thing) and not name.startswith("_"):
                found.setdefault(id(thing), (f"{module.__name__}.{name}", thing))
    return dict(found.values())


def takes_what(candidate, solution):
    """Whether a test that calls the solution, by position or by name, could call the candidate in the same way."""
    wanted = inspect.signature(solution).parameters.values()
    required = [each.name for each in wanted if each.default is each.empty]
    every = [each.name for each in wanted]
    try:
        call = inspect.signature(candidate)
    except (TypeError, ValueError):  # written in C, without a signature
        return True
    for given in ((every, {}), (required, {}), ((), dict.fromkeys(every)), ((), dict.fromkeys(required))):
        with contextlib.suppress(TypeError):
            call.bind(*given[0], **given[1])
            return True
    return False


def helpers_that_pass(lesson, candidates):
    """(graded function, candidate) for each candidate that passes the hidden tests, the solution at last.

    None may take more than three times the CPU time of the solution (and a tenth of a second more): it would be none.
    """

    def stop(*_):
        raise TooSlow

    signal.signal(signal.SIGPROF, stop)
    examiner, passing = exam(lesson), []
    for function in graded_functions(source(lesson)):
        solution = examiner.names[function]
        begin = time.process_time()
        assert examiner.verdict(function, solution) is None
        limit = 3 * (time.process_time() - begin) + 0.1
        for name, candidate in {**candidates, f"solution of {function}": solution}.items():
            if not takes_what(candidate, solution):
                continue
            try:
                signal.setitimer(signal.ITIMER_PROF, limit)
                try:
                    if examiner.verdict(function, candidate) is None:
                        passing.append((function, name))
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
            except BaseException:  # whatever a helper does with these arguments, it is no answer
                pass
    return passing


@each_lesson
def test_no_helper_is_an_answer(lesson, tmp_path):
    """In a process of its own, since anything may be called with anything. The solution shows that one could pass."""
    command = [sys.executable, __file__, lesson]
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["tried"] > 50
    assert found["passing"] == [[name, f"solution of {name}"] for name in graded_functions(source(lesson))]


if __name__ == "__main__":
    tried = public_callables()
    # write_study, too, is called with whatever an answer gets: in a copy.
    studies.RESULTS = shutil.copytree(studies.RESULTS, Path(tempfile.mkdtemp()) / "results")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        passing = helpers_that_pass(sys.argv[1], tried)
    print(json.dumps({"tried": len(tried), "passing": passing}))
