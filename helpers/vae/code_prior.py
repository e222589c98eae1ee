"""A small autoregressive prior over a grid of tokens: each is predicted from those before it, then sampled."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class CodePrior(nn.Module):
    """p(k) = Πᵢ p(kᵢ | k₁ … kᵢ₋₁) over `positions` tokens of `size` kinds, row by row, by a GRU.

    At position i its inputs are the token before (i − 1), the token above (i − row), and the position itself; its
    hidden state carries the rest. Source: van den Oord et al. (2017), section 3.3, with a GRU in place of a PixelCNN.
    """

    def __init__(self, size: int = 64, hidden: int = 128, positions: int = 49, row: int = 7):
        super().__init__()
        self.size, self.positions, self.row = size, positions, row
        self.before = nn.Embedding(size + 1, 32)  # number `size` itself: no token
        self.above = nn.Embedding(size + 1, 32)
        self.position = nn.Parameter(0.02 * torch.randn(positions, 64))
        self.gru, self.head = nn.GRU(64, hidden, batch_first=True), nn.Linear(hidden, size)

    def shifted(self, k: Tensor) -> Tensor:
        """The inputs at each position, made of earlier tokens of k alone: (B, positions) to (B, positions, 64)."""
        none = torch.full_like(k[:, : self.row], self.size)
        before, above = torch.cat([none[:, :1], k[:, :-1]], 1), torch.cat([none, k[:, : -self.row]], 1)
        return torch.cat([self.before(before), self.above(above)], 2) + self.position

    def forward(self, k: Tensor) -> Tensor:
        """Tokens (B, positions) to the logits of each, given those before it: (B, positions, size)."""
        return self.head(self.gru(self.shifted(k))[0])


def prior_nll(prior: CodePrior, k: Tensor) -> Tensor:
    """−log p(k), tokens (B, positions) to (B,), in nats, summed over the positions."""
    return cross_entropy(prior(k).transpose(1, 2), k, reduction="none").sum(dim=1)


def prior_step(prior: CodePrior, optimiser: torch.optim.Optimizer, k: Tensor) -> dict[str, Tensor]:
    """One update of the prior on the mean of −log p(k), k (B, positions); returns it, in nats an image."""
    loss = prior_nll(prior, k).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"nats": loss.detach()}


@torch.no_grad()
def sample_tokens(prior: CodePrior, n: int, generator: torch.Generator | None = None) -> Tensor:
    """`n` grids of tokens, sampled one position after the other, whole numbers (n, positions)."""
    k, state = torch.full((n, prior.positions), prior.size, device=prior.position.device), None
    for i in range(prior.positions):
        out, state = prior.gru(prior.shifted(k)[:, i : i + 1], state)
        probabilities = prior.head(out[:, 0]).softmax(dim=1)
        k[:, i] = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    return k
