"""A small autoregressive prior over a grid of codes: each code is predicted from those before it, then drawn."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class CodePrior(nn.Module):
    """p(k) = Πᵢ p(kᵢ | k₁ … kᵢ₋₁) over `places` codes of `size` kinds, row by row, by one recurrent layer (GRU).

    At place i it is told the code to the left (i − 1), the code above (i − row), and the place itself; its memory holds
    the rest. Source: van den Oord et al. (2017), section 3.3, with a GRU in place of a PixelCNN.
    """

    def __init__(self, size: int = 64, hidden: int = 128, places: int = 49, row: int = 7):
        super().__init__()
        self.size, self.places, self.row = size, places, row
        self.left = nn.Embedding(size + 1, 32)  # number `size` itself: no code
        self.above = nn.Embedding(size + 1, 32)
        self.place = nn.Parameter(0.02 * torch.randn(places, 64))
        self.memory, self.head = nn.GRU(64, hidden, batch_first=True), nn.Linear(hidden, size)

    def told(self, k: Tensor) -> Tensor:
        """What it is told at each place of k (B, places): (B, places, 64)."""
        none = torch.full_like(k[:, : self.row], self.size)
        left, above = torch.cat([none[:, :1], k[:, :-1]], 1), torch.cat([none, k[:, : -self.row]], 1)
        return torch.cat([self.left(left), self.above(above)], 2) + self.place

    def forward(self, k: Tensor) -> Tensor:
        """Codes (B, places) to the logits of each, given those before it: (B, places, size)."""
        return self.head(self.memory(self.told(k))[0])


def prior_nll(prior: CodePrior, k: Tensor) -> Tensor:
    """−log p(k), codes (B, places) to (B,), in nats, summed over the places."""
    return cross_entropy(prior(k).transpose(1, 2), k, reduction="none").sum(dim=1)


def prior_step(prior: CodePrior, optimiser: torch.optim.Optimizer, k: Tensor) -> dict[str, Tensor]:
    """One update of the prior on the mean of −log p(k), k (B, places); returns it, in nats an image."""
    loss = prior_nll(prior, k).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"nats": loss.detach()}


@torch.no_grad()
def sample_codes(prior: CodePrior, n: int, generator: torch.Generator | None = None) -> Tensor:
    """`n` grids of codes, drawn one place after the other, whole numbers (n, places)."""
    k, state = torch.full((n, prior.places), prior.size, device=prior.place.device), None
    for i in range(prior.places):
        out, state = prior.memory(prior.told(k)[:, i : i + 1], state)
        probabilities = prior.head(out[:, 0]).softmax(dim=1)
        k[:, i] = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    return k
