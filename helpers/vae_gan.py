"""VAE-GAN: an encoder, a decoder that is also a generator, and a discriminator whose features judge reconstructions.

Images are in [−1, 1] here, as a generator draws them. Source: Larsen, Sønderby, Larochelle, Winther (2016).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from helpers.data import door, expect_same_shape, expect_tanh_images
from helpers.training import noise_like
from helpers.vae import gaussian_kl


class Encoder(nn.Module):
    """Images (B, 1, 28, 28) in [−1, 1] to μ and log σ² of q(z|x), each (B, latent)."""

    def __init__(self, latent: int = 20, width: int = 16):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),  # (B, width, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # (B, 2 width, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * width * 7 * 7, 2 * latent),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.net(images).chunk(2, dim=1)
        return mu, log_var


def features_and_logits(discriminator: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """D's last hidden layer, f(x) (B, features), and its logits (B,), of images (B, 1, 28, 28)."""
    features = discriminator.net[:-1](images)
    return features, discriminator.net[-1](features).squeeze(1)


def _expect_loss_weights(networks: dict, real: Tensor, loss_weights: dict) -> None:
    if [*networks] != ["encoder", "decoder", "discriminator"] or loss_weights.keys() - networks.keys():
        raise ValueError(
            f"The networks are encoder, decoder and discriminator, in this order, and the loss weights are theirs: "
            f"here are {', '.join(networks)}, with loss weights for {', '.join(loss_weights)}."
        )
    expect_tanh_images(real, networks["encoder"])


@door(expect_same_shape, "a", "b")
def half_square(a: Tensor, b: Tensor) -> Tensor:
    """½ |a − b|², (B, …), (B, …) to (B,): −log N(a | b, I) less its constant, in nats; divide by σ² for another σ."""
    return (a - b).square().flatten(1).sum(dim=1) / 2


@door(expect_tanh_images, "real", "encoder")
def gaussian_vae_step(
    encoder: nn.Module,
    decoder: nn.Module,
    optimiser: torch.optim.Optimizer,
    real: Tensor,
    deviation: float = 0.5,
    beta: float = 1.0,
    eps: Tensor | None = None,
) -> dict[str, Tensor]:
    """One update of a VAE with p(x|z) = N(decoder(z), σ²I) on its −ELBO: pixel error plus β · KL, mean over the batch.

    real (B, 1, 28, 28) in [−1, 1]; σ = `deviation` is fixed; ε (B, latent) is drawn when it is not given. Returns both
    terms in nats, the first less the constant 392 log(2πσ²). Source: Kingma and Welling (2014), eq. 10.
    """
    mu, log_var = encoder(real)
    eps = torch.randn_like(mu) if eps is None else eps
    reconstruction = half_square(real, decoder(mu + (log_var / 2).exp() * eps)).mean() / deviation**2
    kl = gaussian_kl(mu, log_var).mean()
    optimiser.zero_grad()
    (reconstruction + beta * kl).backward()
    optimiser.step()
    return {"reconstruction": reconstruction.detach(), "kl": kl.detach()}


@door(expect_tanh_images, "real", "encoder")
def vae_gan_terms(
    encoder: nn.Module,
    decoder: nn.Module,
    discriminator: nn.Module,
    real: Tensor,
    eps: Tensor,
    z: Tensor | None = None,
) -> dict[str, Tensor]:
    """The eight terms from which a VAE, a GAN and a VAE-GAN are made, each the mean over its images, in nats.

    With x̂ = decoder(μ + σ ε), x_p = decoder(z), and f of `features_and_logits`: `kl` = KL(q(z|x) ‖ p(z)); `pixels` =
    ½ |x − x̂|²; `features` = ½ |f(x) − f(x̂)|²; `fool_recon` = −log D(x̂); `fool_sample` = −log D(x_p); `real` =
    −log D(x); `reject_recon` = −log(1 − D(x̂)); `reject_sample` = −log(1 − D(x_p)). real (B, 1, 28, 28) in
    [−1, 1], ε and z (B, latent); without z the two terms of x_p are left out. Source: after Larsen et al. (2016).
    """
    mu, log_var = encoder(real)
    code = mu + (log_var / 2).exp() * eps
    fake = decoder(code if z is None else torch.cat([code, z]))
    features, logits = features_and_logits(discriminator, torch.cat([real, fake]))
    n = len(real)
    recon = fake[:n]
    terms = {
        "kl": gaussian_kl(mu, log_var).mean(),
        "pixels": half_square(real, recon).mean(),
        "features": half_square(features[:n], features[n : 2 * n]).mean(),
        "real": softplus(-logits[:n]).mean(),
        "reject_recon": softplus(logits[n : 2 * n]).mean(),
        "fool_recon": softplus(-logits[n : 2 * n]).mean(),
    }
    if z is not None:
        terms["reject_sample"] = softplus(logits[2 * n :]).mean()
        terms["fool_sample"] = softplus(-logits[2 * n :]).mean()
    return terms


def vae_gan_loss_weights(gamma: float = 0.1) -> dict[str, dict[str, float]]:
    """The weight of each term in the loss of each network of a VAE-GAN: a dict for each network, without the zeros.

    Encoder: KL + features. Decoder: γ · features + the adversarial loss. Discriminator: its own. Both kinds of fakes
    are averaged, so that real and fake weigh the same. Source: Larsen et al. (2016), algorithm 1, with −log D for the
    decoder in place of log(1 − D), and a mean where they add.
    """
    return {
        "encoder": {"kl": 1.0, "features": 1.0},
        "decoder": {"features": gamma, "fool_recon": 0.5, "fool_sample": 0.5},
        "discriminator": {"real": 1.0, "reject_recon": 0.5, "reject_sample": 0.5},
    }


@door(_expect_loss_weights, "networks", "real", "loss_weights")
def vae_gan_step(
    networks: dict[str, nn.Module],
    optimisers: dict[str, torch.optim.Optimizer],
    real: Tensor,
    loss_weights: dict[str, dict[str, float]],
    eps: Tensor | None = None,
    z: Tensor | None = None,
) -> dict[str, Tensor]:
    """One update of each network in `loss_weights`, along the gradient of its own weighted sum and of nothing else.

    `networks` holds encoder, decoder and discriminator in this order. All gradients are taken at the weights before the
    update. ε and z (B, latent) are drawn when not given; z only where a term of it counts. Returns the terms.
    """
    shape = len(real), networks["decoder"].latent
    eps = noise_like(real, *shape) if eps is None else eps
    if z is None and any(name.endswith("sample") for weights in loss_weights.values() for name in weights):
        z = noise_like(real, *shape)
    terms = vae_gan_terms(*networks.values(), real, eps, z)
    for name, weights in loss_weights.items():
        loss = sum(weight * terms[term] for term, weight in weights.items())
        optimisers[name].zero_grad()
        loss.backward(inputs=list(networks[name].parameters()), retain_graph=True)
    for name in loss_weights:
        optimisers[name].step()
    return {name: value.detach() for name, value in terms.items()}
