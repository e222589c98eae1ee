"""The break-even calculator and the inspection form without a browser: numbers, sliders, buttons."""

import ipywidgets
import pytest
import torch
from test_widgets import page, press, widgets_in

from helpers.acceptance import cost_of_accepted, wilson
from helpers.widgets import BreakEven, LiveFrame, break_even_calculator, inspection_form

ALT = "A falling curve of costs, a level price, and a bar on the axis."


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    for frame in list(LiveFrame.open_frames.values()):
        frame.close()


def sliders(frame):
    kinds = (ipywidgets.FloatSlider, ipywidgets.IntSlider)
    return {w.description: w for w in widgets_in(frame.box) if isinstance(w, kinds)}


def test_its_numbers():
    bench = BreakEven(0.01, 0.2, 1.2, accepted=12, of=20)
    assert bench.threshold() == pytest.approx(0.175) and bench.interval() == wilson(12, 20)
    assert bench.cost(0.6) == cost_of_accepted(0.6, 0.01, 0.2)
    assert bench.verdict() == "it pays"
    bench.review = 1.0
    assert bench.verdict() == "it does not pay"
    bench.review = 0.7
    assert bench.verdict() == "not yet known"
    bench.slipped, bench.error = 0.3, 5.0
    assert bench.verdict() == "it does not pay" and "no accepted share is enough" in bench.sentence()


def test_nothing_accepted_has_a_picture_and_a_sentence():
    bench = BreakEven(accepted=0, of=20)
    assert bench.picture(ALT).alt == ALT and "nothing accepted yet" in bench.sentence()
    bench.accepted = 30  # more than there are: counts as all
    assert "accepted 20 of 20" in bench.sentence()


def test_more_reviews_narrow_the_interval():
    bench = BreakEven(accepted=12, of=20)
    widths = []
    while bench.of < 1000:
        widths.append(bench.interval()[1] - bench.interval()[0])
        bench.grow()
    assert widths == sorted(widths, reverse=True) and bench.accepted == pytest.approx(600, abs=15)


def test_its_sliders_and_buttons():
    frame = break_even_calculator(alt=ALT, accepted=12, of=20)
    start = frame.picture.data
    assert f'alt="{ALT}"' in page(frame) and "p* = 0.175 · it pays" in page(frame)
    sliders(frame)["review, €"].value = 1.0
    assert frame.picture.data != start and "it does not pay" in page(frame)
    press(frame, "Step")  # begins with the first picture's place, then grows
    assert sliders(frame)["of"].value > 20
    press(frame, "Reset")
    assert frame.picture.data == start and sliders(frame)["of"].value == 20
    assert sliders(frame)["review, €"].value == pytest.approx(0.2)


def test_it_describes_itself_without_an_alt():
    assert "break-even" in break_even_calculator().picture.alt


def test_the_form_counts_verdicts():
    frame = inspection_form(torch.rand(3, 1, 28, 28), [4, 5, 6])
    assert "Ordered: 4 (card 1 of 3)" in page(frame)
    first = frame.picture.data
    press(frame, "Accept")
    assert frame.picture.data != first and "Ordered: 5" in page(frame)
    press(frame, "Reject")
    press(frame, "Accept")
    press(frame, "Accept")  # all are judged: nothing happens
    assert frame.inspection.accepted() == (2, 3) and frame.inspection.verdicts == [True, False, True]
    assert "Accepted 2 of 3" in page(frame) and "All are judged" in page(frame)
    press(frame, "Reset")
    assert frame.inspection.accepted() == (0, 0) and frame.picture.data == first


def test_the_form_shows_all_items_to_those_without_a_kernel():
    frame = inspection_form(torch.rand(20, 1, 28, 28), [*range(10)] * 2)
    assert "Columns: 0, 1, 2" in frame.static.alt and "20 cards" in frame.static.caption


def test_the_form_wants_an_order_for_each_image():
    with pytest.raises(ValueError, match="orders"):
        inspection_form(torch.rand(3, 1, 28, 28), [1, 2])
