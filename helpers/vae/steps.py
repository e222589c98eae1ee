"""One update of a VAE."""

import torch
from torch import Tensor

from helpers.data import door, expect_images
from helpers.vae.bounds import bernoulli_log_likelihood, gaussian_kl


@door(expect_images, "x", "vae")
def vae_step(
    vae, optimiser: torch.optim.Optimizer, x: Tensor, beta: float = 1.0, eps: Tensor | None = None
) -> dict[str, Tensor]:
    """One update of encoder and decoder on −E log p(x|z) + β · KL, averaged over the batch: −ELBO for β = 1.

    x (B, 1, 28, 28) in [0, 1] is binarised anew, x ~ Bernoulli(grey), so that the likelihood is one; ε (B, latent) is
    drawn when it is not given. Returns this loss, −E log p(x|z) and KL, means over the batch in nats.
    """
    x = torch.bernoulli(x)
    mu, log_var = vae.encode(x)
    eps = torch.randn_like(mu) if eps is None else eps
    logits = vae.decode(mu + (log_var / 2).exp() * eps)
    reconstruction = -bernoulli_log_likelihood(x.flatten(1), logits).mean()
    kl = gaussian_kl(mu, log_var).mean()
    loss = reconstruction + beta * kl
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.detach()}
