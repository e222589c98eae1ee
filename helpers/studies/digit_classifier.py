"""Train the frozen digit classifier of `helpers.metrics` on the 4,000 training digits, and write its weights.

Run `python -m helpers.studies.digit_classifier`; the validation images choose nothing here, they only report.
"""

from pathlib import Path

import numpy as np
import torch

from helpers.data import batches, load_digits
from helpers.metrics import DigitClassifier
from helpers.training import seed_everything, set_threads, train

FILE = Path(__file__).parents[1] / "digit_classifier.npz"


def shifted(images: torch.Tensor) -> torch.Tensor:
    """The whole batch moved by up to two pixels each way, so that the classifier does not care."""
    dx, dy = torch.randint(-2, 3, (2,)).tolist()
    return torch.roll(images, (dx, dy), dims=(2, 3))


def main(epochs: int = 15) -> None:
    set_threads()
    generator = seed_everything(0)
    images, labels = load_digits("train")
    model = DigitClassifier()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    steps = epochs * len(images) // 50
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)

    def step(batch):
        x, y = batch
        loss = torch.nn.functional.cross_entropy(model(shifted(x)), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        return {"loss": loss.detach()}

    for _ in train(step, batches((images, labels), 50, generator), steps):
        pass
    np.savez_compressed(FILE, **{name: w.half().numpy() for name, w in model.state_dict().items()})
    model.eval()
    for split in ("validation", "test"):
        x, y = load_digits(split)
        print(f"{split}: {100 * (model(x).argmax(1) == y).float().mean():.1f} % right")
    print(f"{FILE.name}: {FILE.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
