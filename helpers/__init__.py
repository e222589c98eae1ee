"""The tested code of the course *From Minimax to ELBO*: a notebook introduces an idea, this package keeps it.

The floors, arrows only downward::

    5  bench, studies        figures for the README, evidence that needs more than a minute
    4  widgets, checks       live views, feedback on learners' answers
    3  plotting, metrics     every figure, every judgement of samples
    2½ vae_gan               the two families joined: VAE-GAN as a table of loss weights
    2  gan, vae              losses, networks and steps of each family
    1  training, data        the one loop, seeds, checkpoints; tensors in, batches out
    1  theory                exact results that serve as oracles
"""

__version__ = "0.1.0"
