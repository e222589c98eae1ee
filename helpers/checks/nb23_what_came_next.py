"""Checks of notebook 23: the noise-prediction loss of a network that predicts clean data, and one DDIM step."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.feedback import Case, Close, Feedback, Observe, Row, Task, Wanted, diagnose, in_any_order
from helpers.feedback.fallbacks import scaled

# A: the noise-prediction loss, by a network that predicts x_0.


class TinyClean(nn.Module):
    """A network that returns something of the shape of x, and notices the time."""

    def __init__(self, size: int):
        super().__init__()
        self.mix = nn.Linear(size, size)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.mix(x.flatten(1)).view(x.shape).tanh() + 0.1 * t.to(x).view(-1, *[1] * (x.ndim - 1))


def _chain(rows: int, shape: tuple[int, ...], steps: int) -> Case:
    """Rows at different steps, among them the first and the last; no two steps remove the same share."""
    alpha = torch.linspace(0.93, 0.7, steps)
    t = torch.randint(1, steps + 1, (rows,))
    t[:2] = torch.tensor([1, steps])
    x, eps = 1.5 * torch.randn(rows, *shape) + 0.5, torch.randn(rows, *shape)
    kept = torch.cat([torch.ones(1), alpha.cumprod(0)])
    return Case(network=TinyClean(x[0].numel()), x=x, t=t, eps=eps, alpha_bar=kept)


def _as(c: Case, values: Tensor) -> Tensor:
    return values.to(c.x).view(-1, *[1] * (c.x.ndim - 1))


SHARES = [
    Row("right", lambda c: _as(c, c.alpha_bar[c.t]), ok=True),
    Row("one_step_early", lambda c: _as(c, c.alpha_bar[c.t - 1]),
        "You take ᾱ of one step earlier. `alpha_bar` begins with ᾱ_0 = 1, so that of step t is `alpha_bar[t]`."),
    Row("single_step", lambda c: _as(c, c.alpha_bar[c.t] / c.alpha_bar[c.t - 1]),
        "That is α_t, what one step keeps. The jump from x_0 to x_t needs ᾱ_t, the product of all steps so far."),
    Row("one_for_all", lambda c: _as(c, c.alpha_bar[c.t])[:1].expand_as(_as(c, c.t)),
        "All rows share the ᾱ of the first. Each row has a step of its own."),
]  # fmt: skip
JUMPS = [
    Row("right", lambda x, e, k: k.sqrt() * x + (1 - k).sqrt() * e, ok=True),
    Row("noise_root", lambda x, e, k: k.sqrt() * x + (1 - k) * e,
        "In your x_t the noise is multiplied by 1 − ᾱ_t, which is its variance. The standard deviation is the root."),
    Row("data_root", lambda x, e, k: k * x + (1 - k).sqrt() * e,
        "In your x_t the data are multiplied by ᾱ_t, where its root belongs."),
    Row("both_roots", lambda x, e, k: k * x + (1 - k) * e,
        "In your x_t both roots are missing. With them, data of variance 1 keep variance 1."),
    Row("exchanged", lambda x, e, k: (1 - k).sqrt() * x + k.sqrt() * e,
        "Data and noise have changed their factors: for small t, x_t should be nearly x_0."),
    Row("unshrunk", lambda x, e, k: x + (1 - k).sqrt() * e,
        "In your x_t the data are not shrunk: what multiplies x_0?"),
    Row("root_inside", lambda x, e, k: k.sqrt() * x + (1 - k.sqrt()) * e,
        "You take 1 − √ᾱ_t. The root belongs around the whole of 1 − ᾱ_t."),
]  # fmt: skip
NOISES = [
    Row("right", lambda x_t, x_0, k: (x_t - k.sqrt() * x_0) / (1 - k).sqrt(), ok=True),
    Row("undivided", lambda x_t, x_0, k: x_t - k.sqrt() * x_0,
        "x_t − √ᾱ_t x̂_0 is √(1 − ᾱ_t) times the noise: solve the equation of the jump to the end."),
    Row("by_variance", lambda x_t, x_0, k: (x_t - k.sqrt() * x_0) / (1 - k),
        "You divide by 1 − ᾱ_t; to find ε̂, divide by its root."),
    Row("clean_unshrunk", lambda x_t, x_0, k: (x_t - x_0) / (1 - k).sqrt(),
        "You subtract x̂_0 itself from x_t. In x_t the data are shrunk by √ᾱ_t."),
    Row("clean_root", lambda x_t, x_0, k: (x_t - k * x_0) / (1 - k).sqrt(),
        "You subtract ᾱ_t x̂_0 from x_t, and a root is missing there."),
    Row("clean_as_noise", lambda x_t, x_0, k: x_0,
        "You compare what the network returns with ε, but this network returns x̂_0. Which ε̂ belongs to x_t and x̂_0?"),
    Row("sign", lambda x_t, x_0, k: (k.sqrt() * x_0 - x_t) / (1 - k).sqrt(),
        "Your ε̂ has the wrong sign: x_t = √ᾱ_t x̂_0 + √(1 − ᾱ_t) ε̂."),
]  # fmt: skip
SCORES = [
    Row("right", lambda d: d.square().flatten(1).sum(1), ok=True),
    Row("mean", lambda d: d.square().flatten(1).mean(1),
        "You average over the dimensions of a row; in this course a loss is their sum."),
    Row("root", lambda d: d.flatten(1).norm(dim=1), "You take the length of the error. Asked for is its square."),
    Row("absolute", lambda d: d.abs().flatten(1).sum(1), "You sum absolute values; the KL gave squares."),
    Row("half", lambda d: d.square().flatten(1).sum(1) / 2, "Yours is half as large: L_simple has no factor ½."),
]  # fmt: skip


def _loss(c: Case, share: Callable, jump: Callable, noise: Callable, score: Callable) -> Tensor:
    k = share(c)
    x_t = jump(c.x, c.eps, k)
    return score(c.eps - noise(x_t, c.network(x_t, c.t), k))


def _error_of_the_data(c: Case) -> Tensor:
    k = SHARES[0].f(c)
    return (c.x - c.network(JUMPS[0].f(c.x, c.eps, k), c.t)).square().flatten(1).sum(1)


WAYS = [
    Row("data_error", _error_of_the_data,
        "That is the squared error of x̂_0. It is a good loss too, but with another weight for each t: asked for is the "
        "error of the noise."),
    Row("not_noised", lambda c: _loss(c.but(eps=0 * c.eps), *(t[0].f for t in (SHARES, JUMPS, NOISES, SCORES))),
        "The network looks at data without noise, and `eps` has no effect."),
]  # fmt: skip
NOISE_LOSS = Task(
    usage="my_loss(network, x, t, eps, alpha_bar)",
    cases=lambda: [_chain(5, (3,), 6), _chain(7, (1, 2, 4), 9)],
    tables=(SHARES, JUMPS, NOISES, SCORES),
    compose=_loss,
    ways=WAYS,
    observe=Observe(
        Wanted("(B,)", lambda c: (len(c.x),), lambda c: {
            (): "The step takes the mean over the batch; here each row keeps its number.",
            tuple(c.x.shape): "Sum the squares over the dimensions of each row.",
        }),
        at=("network",),
    ),
    close=Close(1e-3, 1e-5),
    praise="From x̂_0 and x_t the noise follows, so a network may predict either of them.",
    probes=(in_any_order("rows", {"x": 0, "t": 0, "eps": 0}),),
    fallbacks=(scaled("Your loss"),),
)  # fmt: skip


def check_noise_loss(f: Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(network, x, t, eps, alpha_bar)` is |ε − ε̂|² of each row, where network(x_t, t) predicts x_0.

    x and ε (B, …), t (B,) whole numbers 1 … T, ᾱ (T + 1,). Wanted are (B,) and their gradients at the network. Raises
    nothing.
    """
    return diagnose(NOISE_LOSS, f)


# B: one DDIM step, from ᾱ_t = `kept` to ᾱ_s = `kept_next`.

CLEANS = [
    Row("right", lambda x, e, k: (x - (1 - k) ** 0.5 * e) / k**0.5, ok=True),
    Row("noise_root", lambda x, e, k: (x - (1 - k) * e) / k**0.5,
        "For x̂_0 you subtract (1 − ᾱ_t) ε̂, and a root is missing there."),
    Row("undivided", lambda x, e, k: x - (1 - k) ** 0.5 * e,
        "For x̂_0 the division by √ᾱ_t is missing: in x_t the data are shrunk."),
    Row("data_root", lambda x, e, k: (x - (1 - k) ** 0.5 * e) / k,
        "For x̂_0 you divide by ᾱ_t, where its root belongs."),
    Row("sign", lambda x, e, k: (x + (1 - k) ** 0.5 * e) / k**0.5,
        "For x̂_0 you add the noise. It has to be taken away from x_t."),
    Row("divided_first", lambda x, e, k: x / k**0.5 - (1 - k) ** 0.5 * e,
        "Only x_t is divided by √ᾱ_t. Check the brackets around x_t − √(1 − ᾱ_t) ε̂."),
    Row("noisy", lambda x, e, k: x, "You take x_t for x̂_0. First remove the predicted noise from it."),
]  # fmt: skip
NEXTS = [
    Row("right", lambda x_0, e, k, n: n**0.5 * x_0 + (1 - n) ** 0.5 * e, ok=True),
    Row("stays", lambda x_0, e, k, n: n**0.5 * x_0 + (1 - k) ** 0.5 * e,
        "The noise comes back with the factor of step t. Step s has less noise: √(1 − ᾱ_s)."),
    Row("shrunk_as_before", lambda x_0, e, k, n: k**0.5 * x_0 + (1 - n) ** 0.5 * e,
        "x̂_0 is shrunk by √ᾱ_t. At step s the data are shrunk less: √ᾱ_s."),
    Row("noise_root_next", lambda x_0, e, k, n: n**0.5 * x_0 + (1 - n) * e,
        "The noise comes back with the factor 1 − ᾱ_s, which is a variance. Where is the root?"),
    Row("data_root_next", lambda x_0, e, k, n: n * x_0 + (1 - n) ** 0.5 * e,
        "x̂_0 is multiplied by ᾱ_s, where its root belongs."),
    Row("exchanged", lambda x_0, e, k, n: (1 - n) ** 0.5 * x_0 + n**0.5 * e,
        "x̂_0 and ε̂ have changed their factors: at s = 0 only x̂_0 should be left."),
    Row("only_clean", lambda x_0, e, k, n: x_0 + 0 * n,
        "You return x̂_0, all the way in one step. Put back as much of the noise as step s has."),
    Row("no_noise_back", lambda x_0, e, k, n: n**0.5 * x_0,
        "No noise comes back. At step s the point is √ᾱ_s x̂_0 plus some of the same ε̂."),
    Row("noise_sign", lambda x_0, e, k, n: n**0.5 * x_0 - (1 - n) ** 0.5 * e,
        "The noise comes back with a minus. x_s is √ᾱ_s x̂_0 *plus* the noise, as in the jump."),
    Row("unshrunk_next", lambda x_0, e, k, n: x_0 + (1 - n) ** 0.5 * e,
        "x̂_0 is not shrunk to step s: which factor do the data have there?"),
]  # fmt: skip


def _steps(rows: int, dims: int, kept: float, kept_next: float) -> Case:
    return Case(x=1.3 * torch.randn(rows, dims) + 0.4, eps_hat=torch.randn(rows, dims) - 0.2,
                kept=torch.tensor(kept), kept_next=torch.tensor(kept_next))  # fmt: skip


DDIM = Task(
    usage="my_ddim_step(x, eps_hat, kept, kept_next)",
    cases=lambda: [_steps(5, 3, 0.3, 0.65), _steps(7, 2, 0.55, 0.9)],
    tables=(CLEANS, NEXTS),
    compose=lambda c, clean, onward: onward(clean(c.x, c.eps_hat, c.kept), c.eps_hat, c.kept, c.kept_next),
    ways=(
        Row("backwards", lambda c: DDIM.compose(c.but(kept=c.kept_next, kept_next=c.kept), CLEANS[0].f, NEXTS[0].f),
            "`kept` and `kept_next` have changed places: your step adds noise. It leads from ᾱ_t to the larger ᾱ_s."),
    ),
    observe=Observe(Wanted("(B, d)", lambda c: tuple(c.x.shape), otherwise="Each point stays a point.")),
    close=Close(1e-4, 1e-6),
    noise=("noise", "Two calls gave two results: fresh noise is drawn. DDIM uses the same ε̂ at both ends of a step."),
    praise="A clean prediction, and the same noise put back in a smaller dose: that is all of DDIM.",
)  # fmt: skip


def check_ddim_step(f: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(x, eps_hat, kept, kept_next)` is the DDIM step from ᾱ_t = kept to ᾱ_s = kept_next, (B, d).

    Compared are the points, to 1e-4. Raises nothing.
    """
    return diagnose(DDIM, f)
