"""A form in which the reader accepts or rejects cards, one after the other."""

from collections.abc import Iterator, Sequence

from ipywidgets import Button, HBox, Layout
from torch import Tensor

from helpers.acceptance import wilson
from helpers.plotting import Picture, image_grid
from helpers.widgets.frame import LiveFrame


class Inspection:
    """Images (n, 1, H, W) in [0, 1], what was ordered, and a verdict on each as soon as there is one."""

    def __init__(self, images: Tensor, orders: Sequence):
        if len(images) != len(orders) or not len(images):
            raise ValueError(f"There are {len(images)} images and {len(orders)} orders: give one for each.")
        self.images, self.orders = images, list(orders)
        self.verdicts: list[bool] = []

    @property
    def done(self) -> bool:
        return len(self.verdicts) == len(self.images)

    def judge(self, accepted: bool) -> None:
        """The verdict on the image that is shown; nothing where all are judged."""
        if not self.done:
            self.verdicts.append(accepted)

    def accepted(self) -> tuple[int, int]:
        """How many were accepted, and of how many."""
        return sum(self.verdicts), len(self.verdicts)

    def picture(self) -> Picture:
        """The image to be judged next, or the last one."""
        place = min(len(self.verdicts), len(self.images) - 1)
        alt = f"Card {place + 1} of {len(self.images)}, for the order {self.orders[place]}."
        return image_grid(self.images[place : place + 1], alt=alt, scale=4)

    def sentence(self) -> str:
        k, n = self.accepted()
        so_far = f"Accepted {k} of {n}"
        if n:
            low, high = wilson(k, n)
            so_far += f", 95 % interval {low:.2f} to {high:.2f}"
        if self.done:
            return f"{so_far}. All are judged: run the next cell."
        return f"Ordered: {self.orders[n]} (card {n + 1} of {len(self.images)}). {so_far}."

    def sheet(self, columns: int = 10) -> Picture:
        """All images with their orders, for readers without a kernel."""
        titles, columns = [str(order) for order in self.orders], min(columns, len(self.orders))
        rows = [titles[i : i + columns] for i in range(0, len(titles), columns)]
        same = all(row == rows[0] for row in rows)
        return image_grid(
            self.images,
            columns=columns,
            titles=rows[0] if same else "",
            caption=f"{len(titles)} cards; above each column what was ordered." if same else "",
        )


def inspection_form(images: Tensor, orders: Sequence, *, name: str | None = None) -> LiveFrame:
    """A frame with the buttons Accept and Reject; its `.inspection` holds the verdicts. Reset begins again."""
    inspection = Inspection(images, orders)

    def look() -> tuple[Picture, str]:
        return inspection.picture(), inspection.sentence()

    def begin() -> Iterator[tuple[Picture, str]]:
        inspection.verdicts.clear()
        yield look()

    def button(label: str, icon: str, accepted: bool) -> Button:
        def pressed(_) -> None:
            def judge() -> tuple[Picture, str]:
                inspection.judge(accepted)
                return look()

            frame.on_loop(lambda: frame.attempt(judge))

        made = Button(description=label, icon=icon, layout=Layout(width="auto"))
        made.on_click(lambda told: frame.guarded(pressed)(told))
        return made

    controls = HBox([button("Accept", "check", True), button("Reject", "times", False)])
    alt = "The card to be judged."
    frame = LiveFrame(begin, alt, name=name or "inspection", static=inspection.sheet(), controls=[controls])
    frame.inspection = inspection
    return frame
