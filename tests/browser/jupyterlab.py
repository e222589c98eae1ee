"""JupyterLab as a learner sees it: a server of its own, Chromium, and the few things the tests do with them."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """Where the browser is: $CHROMIUM, or one that the system has."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


class Server:
    """`jupyter lab` on the notebooks of one folder, with private settings, so that the user's own stay out of it."""

    def __init__(self, folder: Path, private: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.token = secrets.token_hex()
        self.url = f"http://127.0.0.1:{port}"
        environment = dict(os.environ, JUPYTER_PREFER_ENV_PATH="1", PYTHONPATH=str(ROOT))
        for name in (
            "JUPYTER_CONFIG",
            "JUPYTER_DATA",
            "JUPYTER_RUNTIME",
            "JUPYTERLAB_SETTINGS",
            "JUPYTERLAB_WORKSPACES",
        ):
            environment[f"{name}_DIR"] = str(private / name.lower())
        labconfig = private / "jupyter_config" / "labconfig"
        labconfig.mkdir(parents=True)
        news = "@jupyterlab/apputils-extension:announcements"
        (labconfig / "page_config.json").write_text(json.dumps({"disabledExtensions": {news: True}}))
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"]
        command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={folder}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        self.log = private / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self._wait()

    def _wait(self, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError("JupyterLab did not start:\n" + self.log.read_text()[-2000:])

    def peak_memory(self) -> float:
        """GiB: the peaks of the server and of all its kernels, added."""
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has just ended
                pass
        ours = {self.process.pid}
        while more := {child for child, parent in parents.items() if parent in ours} - ours:
            ours |= more
        kilobytes = 0
        for pid in ours:
            status = Path(f"/proc/{pid}/status").read_text()
            kilobytes += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return kilobytes / 2**20

    def stop(self) -> None:
        self.process.terminate()  # the server ends its kernels
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Notebook:
    """A notebook open in JupyterLab, driven through its commands and its model rather than through menus."""

    def __init__(self, page, server: Server, name: str):
        self.page = page
        page.goto(f"{server.url}/lab?reset&token={server.token}")
        page.wait_for_function("window.jupyterapp", timeout=300_000)
        page.evaluate(
            """async path => {
                const app = window.jupyterapp;
                await app.restored;
                const panel = await app.commands.execute('docmanager:open', {path});
                await panel.context.ready;
                await panel.sessionContext.ready;
                await panel.sessionContext.session.kernel.info;
                app.shell.activateById(panel.id);
                app.shell.collapseLeft();
                window.panel = panel;
            }""",
            name,
        )

    def run_all(self, seconds: float = 1500) -> None:
        """Run every cell and wait until the last has ended, or one has failed."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.page.wait_for_function(
            """() => {
                const code = window.panel.model.toJSON().cells.filter(cell => cell.cell_type === 'code' && cell.source);
                const failed = code.some(cell => cell.outputs.some(output => output.output_type === 'error'));
                return failed || code.every(cell => cell.execution_count);
            }""",
            polling=300,
            timeout=1000 * seconds,
        )

    def cells(self) -> list[dict]:
        return self.page.evaluate("window.panel.model.toJSON().cells")

    def errors(self) -> list[str]:
        """What went wrong, with the number of the cell."""
        return [
            f"cell {number}: {output['ename']}: {output['evalue']}"
            for number, cell in enumerate(self.cells())
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]

    def output(self, text: str):
        """The output of the first code cell whose source contains this text, scrolled into view."""
        codes = [
            (number, cell["source"])
            for number, cell in enumerate(self.cells())
            if cell["cell_type"] == "code"
        ]
        return self.output_of(next(number for number, source in codes if text in source))

    def output_of(self, number: int):
        self.page.evaluate(
            """async number => {
                window.panel.content.activeCellIndex = number;
                await window.panel.content.scrollToItem(number, 'start');
            }""",
            number,
        )
        output = self.page.locator(
            f'.jp-Notebook [data-windowed-list-index="{number}"] .jp-Cell-outputWrapper'
        )
        output.wait_for()
        return output

    def close(self) -> None:
        self.page.evaluate("window.panel.sessionContext.shutdown()")
        self.page.close()

    def execute(self, code: str) -> str:
        """Run some code as another cell would, and wait for its answer: what it prints."""
        return self.page.evaluate(
            """async code => {
                let text = '';
                const future = window.panel.sessionContext.session.kernel.requestExecute({code});
                future.onIOPub = message => { text += message.content.text || message.content.evalue || ''; };
                await future.done;
                return text;
            }""",
            code,
        )
