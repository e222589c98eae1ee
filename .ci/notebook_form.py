"""The one form in which notebooks are committed: nothing of the machine, the moment or the live kernel in them."""

import copy

import nbformat

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# What JupyterLab puts there from the kernel, or a notebook would be marked as changed as soon as it is opened. The
# version is that of the Python that ran the committed notebooks: with another one the mark comes, and this one line.
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": "3.11.7",
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def normalise(notebook):
    """Return a copy of the notebook in the committed form; doing it twice changes nothing more."""
    notebook = nbformat.convert(copy.deepcopy(notebook), to_version=4)
    if notebook.nbformat_minor < 5:
        notebook = nbformat.v4.upgrade(notebook)
    notebook.nbformat_minor = 5
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE})
    for cell in notebook.cells:
        cell.metadata = _kept_metadata(cell.metadata)
        if cell.cell_type == "code":
            cell.outputs = [_without_live_view(output) for output in _joined_streams(cell.outputs)]
    return notebook


def as_text(notebook):
    """The notebook as the text of its file: keys sorted, indented by one, one newline at the end."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def _kept_metadata(metadata):
    kept = {key: metadata[key] for key in ("tags", "nbgrader") if metadata.get(key)}
    if metadata.get("jupyter", {}).get("source_hidden"):
        kept["jupyter"] = {"source_hidden": True}
    return nbformat.from_dict(kept)


def _joined_streams(outputs):
    """Neighbouring pieces of one stream as one, each line as a terminal shows it in the end, empty ones dropped."""
    outputs = _joined(outputs)
    _cut_continued_bars(outputs)
    for output in outputs:
        if output.output_type == "stream":
            lines = output.text.replace("\r\n", "\n").split("\n")
            output.text = "\n".join(_last_state(line) for line in lines)
    outputs = [output for output in outputs if output.output_type != "stream" or output.text.strip()]
    return _joined(outputs)  # what stood between two pieces may be gone


def _joined(outputs):
    joined = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and "stream" == before.output_type == output.output_type and before.name == output.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def _cut_continued_bars(outputs):
    """A progress bar interrupted by a picture goes on below it: drop the half above."""
    streams = [output for output in outputs if output.output_type == "stream"]
    for i, output in enumerate(streams):
        goes_on = any(later.name == output.name and later.text.startswith("\r") for later in streams[i + 1 :])
        whole_lines, newline, bar = output.text.rpartition("\n")
        if goes_on and "\r" in bar:
            output.text = whole_lines + newline


def _last_state(line):
    """What a carriage return leaves to be seen: the last piece that is not empty."""
    pieces = [piece for piece in line.split("\r") if piece]
    return pieces[-1].rstrip() if len(pieces) > 1 else line.strip("\r")


def _without_live_view(output):
    """Widgets of this course carry a static picture: without a kernel that is what is shown."""
    if "text/html" in output.get("data", {}):
        output.data.pop(WIDGET_VIEW, None)
    return output
