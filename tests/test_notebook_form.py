"""Committed notebooks carry nothing of the machine, the moment or the live kernel."""

import re

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import KernelSpecManager
from nbformat import v4
from notebook_form import LANGUAGE, WIDGET_VIEW, as_text, normalise


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def with_outputs(*outputs):
    return v4.new_notebook(cells=[v4.new_code_cell("1", outputs=list(outputs))])


def outputs_of(*outputs):
    return normalise(with_outputs(*outputs)).cells[0].outputs


def texts_of(*outputs):
    return [(output.name, output.text) for output in outputs_of(*outputs)]


def test_metadata_name_the_kernel_and_the_language_only():
    notebook = v4.new_notebook(
        metadata={"widgets": {"state": {}}, "language_info": {"name": "x", "version": "3"}}
    )
    assert normalise(notebook).metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": LANGUAGE,
    }


def test_opening_a_notebook_does_not_change_it():
    """JupyterLab sets kernelspec and language_info from the kernel and marks the notebook where they were others."""
    spec = KernelSpecManager().get_kernel_spec("python3")
    written = normalise(v4.new_notebook()).metadata
    assert written.kernelspec == {
        "name": "python3",
        "display_name": spec.display_name,
        "language": spec.language,
    }
    of_the_kernel = dict(IPythonKernel.language_info)
    assert written.language_info == of_the_kernel | {"version": LANGUAGE["version"]}
    assert re.fullmatch(r"3\.\d+\.\d+", LANGUAGE["version"])


def test_cells_keep_tags_and_hidden_sources_and_lose_the_moment():
    cell = v4.new_code_cell("1")
    cell.metadata.update(
        tags=["hint"],
        jupyter={"source_hidden": True, "outputs_hidden": True},
        execution={"iopub.execute_input": "2026-11-24T10:15:00Z"},
        collapsed=True,
        scrolled=True,
        editable=True,
    )
    kept = normalise(v4.new_notebook(cells=[cell])).cells[0]
    assert kept.metadata == {"tags": ["hint"], "jupyter": {"source_hidden": True}}
    assert kept.id == cell.id


def test_a_live_view_goes_where_a_static_picture_stands_beside_it():
    data = {WIDGET_VIEW: {"model_id": "1"}, "text/html": "<img alt='a seven'>", "text/plain": "a seven"}
    (kept,) = outputs_of(v4.new_output("display_data", data=data))
    assert kept.data == {"text/html": "<img alt='a seven'>", "text/plain": "a seven"}


def test_a_live_view_alone_stays():
    data = {WIDGET_VIEW: {"model_id": "1"}, "text/plain": "IntSlider()"}
    (kept,) = outputs_of(v4.new_output("display_data", data=data))
    assert kept.data == data


def test_pieces_of_one_stream_are_joined_and_two_streams_are_not():
    pieces = [stream("a\n"), stream("b\n"), stream("careful\n", "stderr"), stream("c\n")]
    assert texts_of(*pieces) == [("stdout", "a\nb\n"), ("stderr", "careful\n"), ("stdout", "c\n")]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\r 0%\r 50%\r100%\n", "100%\n"),
        ("\r 0%\r 50%\r    \rdone\n", "done\n"),
        ("loss 1\r\nloss 2\r\n", "loss 1\nloss 2\n"),
        ("plain\n  indented\n", "plain\n  indented\n"),
    ],
)
def test_a_progress_bar_leaves_its_last_state(text, seen):
    assert texts_of(stream(text)) == [("stdout", seen)]


def test_a_cleared_progress_bar_leaves_nothing():
    assert texts_of(stream("\r 0%"), stream("\r 50%\r     \r")) == []


def test_a_bar_interrupted_by_a_picture_is_not_left_above_it():
    picture = v4.new_output("display_data", data={"text/plain": "digits"})
    kept = outputs_of(stream("start\n\r 50%"), picture, stream("\r100%\r      \r"))
    assert [output.output_type for output in kept] == ["stream", "display_data"]
    assert kept[0].text == "start\n"


def test_pieces_are_joined_when_what_stood_between_them_is_gone():
    assert texts_of(stream("a\n"), stream("\r   \r", "stderr"), stream("b\n")) == [("stdout", "a\nb\n")]


def test_twice_is_once_and_the_argument_is_left_alone():
    picture = v4.new_output("display_data", data={WIDGET_VIEW: {}, "text/html": "<p>", "text/plain": "p"})
    notebook = with_outputs(
        stream("a\r"), stream("b\n"), picture, stream("\r  \r", "stderr"), stream("\rc\r \rd")
    )
    before = nbformat.writes(notebook)
    once = normalise(notebook)
    assert normalise(once) == once
    assert nbformat.writes(notebook) == before
    nbformat.validate(once)


def test_an_old_notebook_is_brought_to_the_present_format():
    old = nbformat.from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 2,
            "metadata": {},
            "cells": [{"cell_type": "markdown", "metadata": {}, "source": "x"}],
        }
    )
    new = normalise(old)
    assert (new.nbformat, new.nbformat_minor) == (4, 5)
    assert new.cells[0].id


def test_the_text_is_indented_by_one_and_ends_in_one_newline():
    text = as_text(normalise(with_outputs()))
    assert text.startswith('{\n "cells": [\n  {')
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
