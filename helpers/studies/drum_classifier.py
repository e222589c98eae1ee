"""Train the frozen drum classifier of `helpers.metrics` on 4,000 sounds, and write its weights.

Run `python -m helpers.studies.drum_classifier`, some seconds; the held-out sounds choose nothing, they only report.
"""

from pathlib import Path

import numpy as np
import torch

from helpers.audio import log_spectrogram
from helpers.data import batches, drum_sounds
from helpers.metrics import HELD_OUT_DRUMS, DrumClassifier
from helpers.training import seed_everything, train

FILE = Path(__file__).parents[1] / "drum_classifier.npz"
SEED, EPOCHS = 2000, 8  # sounds that no generator is trained on


def main() -> None:
    torch.set_num_threads(1)
    generator = seed_everything(0)
    sounds, labels, _ = drum_sounds(4000, SEED)
    model, steps = DrumClassifier(), EPOCHS * 80
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)

    def step(batch):
        x, y = batch
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        return {"loss": loss.detach()}

    for _ in train(step, batches((log_spectrogram(sounds), labels), 50, generator), steps, progress=False):
        pass
    np.savez_compressed(FILE, **{name: w.half().numpy() for name, w in model.state_dict().items()})
    model.eval()
    for split, seed in HELD_OUT_DRUMS.items():
        sounds, labels, _ = drum_sounds(2000, seed)
        right = model(log_spectrogram(sounds)).argmax(1) == labels
        print(f"{split}: {100 * right.float().mean():.1f} % right")
    print(f"{FILE.name}: {FILE.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
