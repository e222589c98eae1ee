"""JupyterLab in Chromium, as a learner uses it: run all, play and pause, move a slider, open without running."""

import os
import shutil

import nbformat
import pytest
from jupyterlab import FLAGS, ROOT, Notebook, Server, find_chromium
from notebook_claims import cell_for, claims_of
from playwright.sync_api import expect, sync_playwright

from helpers.plotting import animation, image_grid

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # milliseconds: a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)

LIVE = """\
import torch
from helpers.plotting import image_grid
from helpers.widgets import LiveFrame, latent_explorer
torch.set_num_threads(1)

def start():
    for number in range(500):
        line = torch.eye(28).roll(number, dims=0).expand(8, 1, 28, 28)
        yield image_grid(line, alt=f"Eight lines that climb, picture {number}."), f"picture {number}"

frame = LiveFrame(start, "Eight lines that climb.")
frame"""
EXPLORER = """\
latent_explorer(lambda z: torch.sigmoid(z).sum(1).view(-1, 1, 1, 1).expand(-1, 1, 28, 28) / z.shape[1], DIM,
                alt="Squares of ink that grow darker to the right and upwards.", name="explorer of DIM")"""

SAMPLES = """\
import torch
from helpers.audio import log_spectrogram
from helpers.data.drums import kick
from helpers.listening import player, spectrogram_plot
from helpers.plotting import film
from helpers.widgets import explorer
torch.set_num_threads(1)
codes = {"low": torch.tensor([-2.0, 0.0]), "high": torch.tensor([2.0, 0.0]), "wide": torch.tensor([0.0, 2.0])}

def drum(z):
    sound = kick(60 + 10 * z[0].item(), 0.08, noise=0.0)  # the same at each call
    return spectrogram_plot(log_spectrogram(sound[None])), player({"drum": sound}).html()

def flight(z):
    frames = torch.zeros(1, 8, 1, 16, 16)
    for t in range(8):
        frames[0, t, 0, 8 + round(3 * z[0].item()), 2 * t] = 1
    return film(frames, alt="A dot that flies from left to right.", plays=1000, scale=4)"""
TEXTS = """\
explorer(lambda z: f"It is {z[0]:.2f} < 3.\\nIt is {z[1]:.2f} as well." + " And so on." * int(30 * (z[0] + 2)), codes,
         alt="Sentences that say how much it is.", name="texts", fps=2)"""
SOUNDS = (
    'explorer(drum, codes, alt="A spectrogram and a player of the sound of a drum.", name="sounds", fps=2)'
)
FILMS = 'explorer(flight, codes, alt="A dot that flies, higher or lower.", name="films", fps=2)'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if find_chromium() is None:
        sentence = "no Chromium: `apt-get install chromium` on Debian, or set CHROMIUM=/path/to/it"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    folder = tmp_path_factory.mktemp("notebooks")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, folder)  # JupyterLab saves by itself
    for pictures in ("schematics", "results"):
        shutil.copytree(ROOT / "notebooks" / pictures, folder / pictures)
    write(folder / "live.ipynb", LIVE, EXPLORER.replace("DIM", "2"), EXPLORER.replace("DIM", "5"))
    write(folder / "samples.ipynb", SAMPLES, TEXTS, SOUNDS, FILMS)
    server = Server(folder, tmp_path_factory.mktemp("private"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(server):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def notebook(browser, server):
    """Opens a notebook by name; at the end its kernel is shut down."""
    opened = []

    def open_it(name):
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(PATIENCE)
        opened.append(Notebook(page, server, name))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


@pytest.fixture
def executed(notebook, request):
    """The notebook that the mark `runs` names, all of it run: nbval leaves it out."""
    name = request.node.get_closest_marker("runs").args[0]
    opened = notebook(name + ".ipynb")
    opened.run_all()
    assert opened.errors() == []
    if file := claims_of(name):
        said = opened.execute(cell_for(file))
        assert said.endswith("claims hold\n"), said
    return opened


def write(path, *sources, outputs=()):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell, output in zip(cells, outputs, strict=False):
        cell.outputs = [nbformat.v4.new_output("display_data", data=output)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def press(output, label):
    output.get_by_role("button", name=label).click()


def wait_for_changes(output, count):
    """Wait until the picture in an output has changed so many times, however long that takes."""
    output.locator(".widget-html:has(img)").evaluate(
        """(place, count) => new Promise(resolve => {
            let last = place.querySelector('img').src;
            const watch = new MutationObserver(() => {
                const now = place.querySelector('img')?.src;
                if (now && now !== last) { count -= 1; last = now; }
                if (count <= 0) { watch.disconnect(); resolve(); }
            });
            watch.observe(place, {subtree: true, childList: true, attributes: true});
        })""",
        count,
    )


def check_play_and_pause(notebook, output):
    """Play moves the picture, other cells are answered meanwhile, Pause stops it."""
    press(output, "Play")
    output.get_by_text("Playing.").wait_for()
    wait_for_changes(output, 3)
    for _ in range(5):
        assert notebook.execute("print(6 * 7)") == "42\n"
    assert output.get_by_text("Playing.").is_visible()
    wait_for_changes(output, 1)  # it has gone on playing
    press(output, "Pause")
    output.get_by_text("Paused.").wait_for()
    assert "LiveFrame._run" not in notebook.execute("import asyncio; print(asyncio.all_tasks())")
    still = output.locator("img").get_attribute("src")
    notebook.execute("await asyncio.sleep(0.3)")  # the kernel would have time for another picture
    expect(output.locator("img")).to_have_attribute("src", still)


def check_slider(notebook, output, number=0):
    """An arrow key and a drag move one slider, a level one, and the picture answers."""
    handle = output.locator(".noUi-handle").nth(number)
    image = output.locator("img")
    readout = output.locator(".widget-readout").nth(number)
    before, reading = image.get_attribute("src"), readout.inner_text()
    handle.focus()
    handle.press("ArrowRight")
    expect(image).not_to_have_attribute("src", before)
    expect(readout).not_to_have_text(reading)
    after_key = image.get_attribute("src")
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    notebook.page.mouse.move(x, y)
    notebook.page.mouse.down()
    notebook.page.mouse.move(x + 40, y, steps=4)
    notebook.page.mouse.up()
    expect(image).not_to_have_attribute("src", after_key)
    # ipywidgets holds a slider's last move back until the kernel has answered the one before: let it arrive, or it
    # comes after the next press of Play and pauses it.
    for _ in range(3):
        notebook.execute("pass")


def pictures(notebook):
    """Of each picture in the outputs: its alt, and its width in the document, in the file and on the screen."""
    found = []
    for number, cell in enumerate(notebook.cells()):
        if any("<img" in "".join(o.get("data", {}).get("text/html", "")) for o in cell.get("outputs", [])):
            images = notebook.output_of(number).locator("img")
            images.first.wait_for()
            found += images.evaluate_all(
                "all => all.map(i => [i.alt, Number(i.getAttribute('width')), i.naturalWidth, i.clientWidth])"
            )
    return found


def test_the_frame_in_a_small_notebook(notebook):
    live = notebook("live.ipynb")
    live.run_all(60)
    assert live.errors() == []
    output = live.output("frame = LiveFrame")
    assert output.locator("img").get_attribute("alt") == "Eight lines that climb."
    check_play_and_pause(live, output)
    number = int(output.get_by_text("picture").inner_text().split()[-1])
    press(output, "Step")
    output.get_by_text(f"picture {number + 1}", exact=True).wait_for()
    press(output, "Reset")
    output.get_by_text("picture 0", exact=True).wait_for()
    output.get_by_text("Ready.").wait_for()


def test_the_explorer_in_a_small_notebook(notebook):
    live = notebook("live.ipynb")
    live.run_all(60)
    assert live.errors() == []
    output = live.output("z.shape[1], 2")
    check_slider(live, output)
    check_play_and_pause(live, output)
    press(output, "Play")
    output.get_by_text("Playing.").wait_for()
    check_slider(live, output)
    output.get_by_text("Paused.").wait_for()  # a hand on the slider stops the walk
    output = live.output("z.shape[1], 5")
    output.get_by_label("up").select_option("z₄")
    output.locator(".widget-label", has_text="z₄").wait_for()
    check_slider(live, output)


def check_text_after(output, action):
    """The text changes by what is done, and its place does not."""
    text = output.get_by_role("group", name="Sentences")
    button = output.get_by_role("button", name="Play")  # below the text
    before, box = text.inner_text(), button.bounding_box()
    action()
    expect(text).not_to_have_text(before, use_inner_text=True)
    assert button.bounding_box() == box


def check_sound(output):
    """The sound can be decoded, is neither silent nor clipped, and plays to its end."""
    heard = output.locator("audio").evaluate(
        """async audio => {
            const file = await (await fetch(audio.src)).arrayBuffer();
            const sound = (await new AudioContext().decodeAudioData(file)).getChannelData(0);
            const before = [audio.paused, audio.autoplay, audio.currentTime];
            const ended = new Promise(resolve => { audio.onended = resolve; });
            await audio.play();
            await ended;
            return {before, peak: sound.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
                    end: audio.currentTime, length: audio.duration, error: audio.error?.message || null};
        }"""
    )
    assert heard["before"] == [True, False, 0]  # it had not begun by itself
    assert 0.05 < heard["peak"] < 1
    assert heard["end"] == pytest.approx(heard["length"]) == pytest.approx(0.256, abs=0.01)
    assert heard["error"] is None


def test_texts_sounds_and_films_in_a_small_notebook(notebook):
    live = notebook("samples.ipynb")
    live.run_all(120)
    assert live.errors() == []

    output = live.output("It is {z[0]")
    expect(output.get_by_text("It is -2.00 < 3.")).to_be_visible()
    check_text_after(output, lambda: output.locator(".noUi-handle").first.press("ArrowRight"))
    check_text_after(output, lambda: press(output, "Play"))
    check_text_after(output, lambda: output.get_by_text("Playing.").wait_for())  # it goes on
    press(output, "Pause")
    output.get_by_text("Paused.").wait_for()
    check_text_after(output, lambda: press(output, "Reset"))
    check_text_after(output, lambda: output.get_by_label("from").first.select_option("wide"))
    press(output, "one dimension")
    output.get_by_label("dimension").select_option("z₂")
    expect(output.locator(".widget-readout").nth(1)).to_have_text("2.00")
    check_text_after(output, lambda: output.locator(".noUi-handle").nth(1).press("ArrowLeft"))
    expect(output.get_by_text("It is 1.95 as well.")).to_be_visible()

    output = live.output("explorer(drum")
    check_sound(output)
    output.locator("audio").evaluate("audio => { audio.dataset.mark = 'the same'; }")
    press(output, "Pause")
    press(output, "Reset")
    live.execute("import asyncio; await asyncio.sleep(0.3)")  # the kernel has answered both
    expect(output.locator("audio")).to_have_attribute("data-mark", "the same")  # nothing to interrupt it for
    before = output.locator("audio").get_attribute("src")
    check_slider(live, output)
    expect(output.locator("audio")).not_to_have_attribute("src", before)
    check_sound(output)
    check_play_and_pause(live, output)

    output = live.output("explorer(flight")
    for motion in ("no-preference", "reduce"):
        live.page.emulate_media(reduced_motion=motion)
        image = output.locator("img")
        assert image.get_attribute("alt") == "A dot that flies, higher or lower."
        assert image.evaluate("image => image.naturalWidth") == int(image.get_attribute("width"))
    live.page.emulate_media(reduced_motion="no-preference")
    still = image.screenshot()
    assert any(image.screenshot() != still for _ in range(200))  # it moves
    check_slider(live, output)
    check_play_and_pause(live, output)


def test_pictures_survive_in_a_notebook_that_is_not_trusted(notebook, server):
    import torch

    squares = [
        image_grid(torch.full((4, 1, 28, 28), n / 4), alt=f'Four squares of ink <{n}> "&".', titles="ink")
        for n in range(3)
    ]
    moving = animation(squares, alt="Four squares of ink that grow darker.")
    outputs = [squares[0]._repr_mimebundle_(), moving._repr_mimebundle_()]
    write(server.folder / "still.ipynb", "first", "second", outputs=outputs)
    still = notebook("still.ipynb")
    width = squares[0].width
    assert pictures(still) == [[squares[0].alt, width, 2 * width, width], [moving.alt, width, width, width]]


@pytest.mark.parametrize(
    "name",
    [
        "00_start_here",
        "03_minimax_game",
        "04_first_gan",
        "10_elbo",
        "12_vae_on_digits",
        "13_the_latent_space",
    ],
)
def test_a_committed_notebook_shows_its_pictures_without_running(notebook, name):
    opened = notebook(f"{name}.ipynb")
    found = pictures(opened)
    assert len(found) >= 3
    for alt, width, in_file, on_screen in found:
        assert len(alt) >= 20
        assert in_file >= width > 0
        assert 0 < on_screen <= width
    assert opened.page.get_by_text("Error displaying widget").count() == 0
    assert opened.page.get_by_text("Loading widget").count() == 0


@pytest.mark.runs("00_start_here")
def test_notebook_00_runs_and_plays(executed, server):
    check_play_and_pause(executed, executed.output("LiveFrame("))
    assert server.peak_memory() < 1.3  # GiB, server and kernel


@pytest.mark.runs("12_vae_on_digits")
def test_notebook_12_runs_and_its_latent_space_can_be_explored(executed, server):
    output = executed.output("latent_explorer(")
    check_slider(executed, output)
    check_play_and_pause(executed, output)
    assert server.peak_memory() < 1.3


@pytest.mark.runs("13_the_latent_space")
def test_notebook_13_runs_and_its_explorer_has_three_views(executed, server):
    output = executed.output("latent_explorer(")
    image = output.locator("img")
    check_slider(executed, output)
    check_play_and_pause(executed, output)
    for view, number in (("one dimension", 2), ("morph", 3)):  # each view has sliders of its own
        before = image.get_attribute("src")
        press(output, view)
        expect(image).not_to_have_attribute("src", before)
        check_slider(executed, output, number)
        check_play_and_pause(executed, output)
    before = image.get_attribute("src")
    output.get_by_label("to").last.select_option("9")
    expect(image).not_to_have_attribute("src", before)
    assert server.peak_memory() < 1.3


@pytest.mark.runs("03_minimax_game")
def test_notebook_03_runs_and_its_bench_answers(executed, server):
    output = executed.output("divergence_bench(")
    assert output.locator(".noUi-handle").count() == 11
    check_slider(executed, output, number=9)  # the mean of q; the nine before it stand upright
    bent = output.locator("img").get_attribute("src")
    output.locator(".noUi-handle").first.press("ArrowUp")
    expect(output.locator("img")).not_to_have_attribute("src", bent)
    before = output.get_by_text("ceiling 2·JS").inner_text()
    press(output, "Jump to D*")
    expect(output.get_by_text("ceiling 2·JS")).not_to_have_text(before)
    check_play_and_pause(executed, output)
    assert server.peak_memory() < 1.3


@pytest.mark.runs("10_elbo")
def test_notebook_10_runs_and_its_bench_answers(executed, server):
    output = executed.output("elbo_bench(")
    check_slider(executed, output)
    press(output, "E-step")
    output.get_by_text("posterior) = 0.000").wait_for()
    press(output, "M-step")
    expect(output.get_by_text("posterior) = 0.000")).to_have_count(0)
    check_play_and_pause(executed, output)
    assert server.peak_memory() < 1.3


@pytest.mark.runs("04_first_gan")
def test_the_gan_lab_plays_steps_resets_and_changes_its_preset(executed, server):
    output = executed.output("gan_lab(")
    check_play_and_pause(executed, output)
    image, count = output.locator("img"), output.get_by_text("iterations ·")
    before, rounds = image.get_attribute("src"), count.inner_text().split()[0]
    press(output, "One D step")
    expect(image).not_to_have_attribute("src", before)
    assert count.inner_text().split()[0] == rounds  # a D step is no round
    press(output, "One G step")
    expect(output.get_by_text(f"{int(rounds) + 1} iterations ·")).to_be_visible()
    press(output, "Reset")
    expect(output.get_by_text("0 iterations ·", exact=False).first).to_be_visible()
    output.get_by_label("preset").select_option("collapses")
    expect(output.locator(".widget-readout").nth(1)).to_have_text("0.0100")  # the rate of D
    executed.execute(
        "from helpers.widgets import LiveFrame; [f.close() for f in [*LiveFrame.open_frames.values()]]"
    )
    assert "LiveFrame._run" not in executed.execute("import asyncio; print(asyncio.all_tasks())")
    assert server.peak_memory() < 1.3


@pytest.mark.runs("02_probability_you_need")
def test_notebook_02_runs_and_its_bench_answers(executed):
    output = executed.output("pair_bench(")
    check_slider(executed, output)
    check_play_and_pause(executed, output)
