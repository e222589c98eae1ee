"""A VAE for clips: a content code for what flies, a motion code for how it starts, and learned dynamics.

Frames are (n, T, 1, 32, 32) in [0, 1] and positions (n, T, 2) in pixels, as in `helpers.data.clips`. Networks see
positions in units of half the box, (p − 15.5)/8, and steps in units of 2 pixels: all of them between about −1 and 1.
"""

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from helpers.data.clips import FRAMES, HALF, MIDDLE, PATCH, draw
from helpers.training import noise_like
from helpers.vae.bounds import gaussian_kl
from helpers.vae.dense import dense
from helpers.video import SEEN, aligned, track

STEP = 2.0  # pixels
START = 3  # positions from which the next one follows: a step in which a wall was hit is shorter, and hides the speed


class ContentVAE(nn.Module):
    """q(c|x) = N(μ(x), diag σ²(x)), and a decoder from c to one patch (n, 1, 14, 14) in [0, 1] for the whole clip.

    The encoder looks at `inputs` numbers: a patch, or four whole frames where nobody says where the digit is.
    """

    def __init__(self, latent: int = 12, hidden: int = 256, inputs: int = PATCH**2):
        super().__init__()
        self.latent = latent
        self.encoder = dense(inputs, hidden, 2 * latent)
        self.decoder = dense(latent, hidden, PATCH**2)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (n, …) to μ and log σ², each (n, latent)."""
        mu, log_var = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return mu, log_var

    def decode(self, c: Tensor) -> Tensor:
        """c (n, latent) to patches (n, 1, 14, 14)."""
        return self.decoder(c).sigmoid().view(-1, 1, PATCH, PATCH)


class Dynamics(nn.Module):
    """Three positions to the next one, across and down by the same small network: x + v + f(x, v, v_before)."""

    def __init__(self, hidden: int = 64):
        super().__init__()
        self.f = dense(3, hidden, hidden, 1)

    def forward(self, positions: Tensor) -> Tensor:
        """The last three positions (…, 3, 2) in pixels to the next one, (…, 2)."""
        before, last = positions.diff(dim=-2).unbind(-2)
        x = positions[..., -1, :]
        seen = torch.stack([(x - MIDDLE) / HALF, last / STEP, before / STEP], dim=-1)  # (…, 2, 3)
        return x + last + STEP * self.f(seen).squeeze(-1)

    def fly(self, positions: Tensor, frames: int = FRAMES) -> Tensor:
        """A flight of so many frames that begins with these three or more positions (n, T, 2) in pixels."""
        flight = list(positions.unbind(1))
        while len(flight) < frames:
            flight.append(self(torch.stack(flight[-START:], dim=1)))
        return torch.stack(flight, dim=1)


class MotionVAE(nn.Module):
    """q(m|x) = N(μ(x), diag σ²(x)), a decoder from m to the first three positions, and dynamics for all others.

    `inputs` numbers are what the encoder sees: three positions, or four whole frames.
    """

    def __init__(self, latent: int = 6, hidden: int = 64, inputs: int = START * 2):
        super().__init__()
        self.latent = latent
        self.encoder = dense(inputs, hidden, hidden, 2 * latent)
        self.start = dense(latent, hidden, hidden, START * 2)
        self.dynamics = Dynamics(hidden)
        # in pixels: of the first position, of the two steps after it, of a predicted position
        self.log_std = nn.Parameter(torch.zeros(3))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Positions (n, T ≥ 3, 2), of which the first three are read, or frames, to μ and log σ², (n, latent)."""
        if x.ndim == 3:
            x = torch.cat([(x[:, :1] - MIDDLE) / HALF, x[:, :START].diff(dim=1) / STEP], dim=1)
        mu, log_var = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return mu, log_var

    def decode(self, m: Tensor, frames: int = FRAMES) -> Tensor:
        """m (n, latent) to a flight, positions (n, frames, 2) in pixels."""
        position, steps = self.start(m).view(-1, START, 2).split([1, START - 1], dim=1)
        first = torch.cat([MIDDLE + HALF * position, STEP * steps], dim=1).cumsum(dim=1)
        return self.dynamics.fly(first, frames)


def sampled(mu: Tensor, log_var: Tensor, eps: Tensor | None = None) -> Tensor:
    """z = μ + σ·ε, as in notebook 11."""
    return mu + (log_var / 2).exp() * (torch.randn_like(mu) if eps is None else eps)


def take_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def content_step(
    vae: ContentVAE,
    optimiser: torch.optim.Optimizer,
    patches: Tensor,
    frames: Tensor,
    positions: Tensor,
    std: float,
    eps: Tensor | None = None,
) -> dict[str, Tensor]:
    """One update on −E log p(frame|c, position) + KL(q(c|patch) ‖ p(c)), up to a constant, in nats a clip.

    p(frame|c, position) = N(draw(decode(c), position), std² I): the patch is drawn where it was seen in *another* frame
    of the clip. patches (n, 1, 14, 14), frames (n, 1, 32, 32), positions (n, 2).
    """
    mu, log_var = vae.encode(patches)
    drawn = draw(vae.decode(sampled(mu, log_var, eps)), positions[:, None])[:, 0]
    reconstruction = ((drawn - frames) / std).square().flatten(1).sum(dim=1).mean() / 2
    kl = gaussian_kl(mu, log_var).mean()
    take_step(optimiser, reconstruction + kl)
    return {"loss": (reconstruction + kl).detach(), "kl": kl.detach()}


def motion_step(
    vae: MotionVAE, optimiser: torch.optim.Optimizer, positions: Tensor, eps: Tensor | None = None
) -> dict[str, Tensor]:
    """One update on −E log p(first three|m) + KL(q(m|first three) ‖ p(m)) − Σₜ log p(xₜ|the three before), in nats.

    positions (n, T, 2) in pixels. The likelihoods are Gaussians with learned standard deviations, for the first three
    of a position and two steps; in training the dynamics read true positions (teacher forcing).
    """
    mu, log_var = vae.encode(positions)
    windows = positions.unfold(1, START + 1, 1).mT  # (n, T − 3, 4, 2)
    first, true = vae.decode(sampled(mu, log_var, eps), START), positions[:, :START]
    errors = (
        first[:, :1] - true[:, :1],
        first.diff(dim=1) - true.diff(dim=1),
        vae.dynamics(windows[:, :, :START]) - windows[:, :, START],
    )
    stds = vae.log_std.exp()
    nll = sum(-Normal(0.0, std).log_prob(e).sum((1, 2)) for e, std in zip(errors, stds, strict=True)).mean()
    kl = gaussian_kl(mu, log_var).mean()
    take_step(optimiser, nll + kl)
    return {"loss": (nll + kl).detach(), "kl": kl.detach(), "error": stds[2].detach()}


class ClipVAE(nn.Module):
    """A content VAE and a motion VAE together: frames from the codes of both, and codes from the first four frames.

    If `tracked`, the encoders see the patch around the centre of mass and its positions; otherwise the four frames.
    """

    def __init__(self, content: ContentVAE, motion: MotionVAE, tracked: bool = True):
        super().__init__()
        self.content, self.motion, self.tracked = content, motion, tracked

    def encode(self, frames: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """(μ, log σ²) of the content and of the motion code, from the first four of the frames (n, T, 1, 32, 32)."""
        seen = frames[:, :SEEN]
        if not self.tracked:
            return self.content.encode(seen), self.motion.encode(seen)
        return self.content.encode(aligned(seen).mean(dim=1)), self.motion.encode(track(seen).to(frames))

    def decode(self, c: Tensor, m: Tensor, frames: int = FRAMES) -> Tensor:
        """Content codes (n, C) and motion codes (n, M) to frames (n, frames, 1, 32, 32)."""
        return draw(self.content.decode(c), self.motion.decode(m, frames))

    @torch.no_grad()
    def forecast(self, seen: Tensor, steps: int = FRAMES - SEEN) -> tuple[Tensor, Tensor]:
        """The frames and the positions after the frames seen (n, 4, 1, 32, 32), without noise: (n, steps, …)."""
        (c, _), (m, _) = self.encode(seen)
        if self.tracked:
            positions = self.motion.dynamics.fly(track(seen).to(seen), SEEN + steps)[:, SEEN:]
        else:
            positions = self.motion.decode(m, SEEN + steps)[:, SEEN:]
        return draw(self.content.decode(c), positions), positions

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` clips, both codes from N(0, I)."""
        codes = [
            noise_like(self, n, each.latent, generator=generator) for each in (self.content, self.motion)
        ]
        return self.decode(*codes)


def clip_step(
    vae: ClipVAE, optimiser: torch.optim.Optimizer, frames: Tensor, std: float, eps: Tensor | None = None
) -> dict[str, Tensor]:
    """End to end: one update on −E log p(frames|c, m) + KL of both codes, up to a constant, in nats a clip.

    p(frames|c, m) = N(decode(c, m), std² I), frames (n, T, 1, 32, 32).
    """
    codes = vae.encode(frames)
    eps = [None, None] if eps is None else eps.split([vae.content.latent, vae.motion.latent], dim=1)
    c, m = (sampled(*code, noise) for code, noise in zip(codes, eps, strict=True))
    drawn = vae.decode(c, m, frames.shape[1])
    reconstruction = ((drawn - frames) / std).square().flatten(1).sum(dim=1).mean() / 2
    kl = sum(gaussian_kl(*code).mean() for code in codes)
    take_step(optimiser, reconstruction + kl)
    return {"loss": (reconstruction + kl).detach(), "kl": kl.detach()}
