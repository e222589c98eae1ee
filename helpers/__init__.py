"""The tested code of the course *From Minimax to ELBO*: a notebook introduces an idea, this package keeps it.

The floors, arrows only downward: a file imports from lower floors and from its own folder, never sideways or upward.
tests/test_floors.py reads this table, so a new file or folder gets its place in it first::

    5  bench, studies                 figures for the README, evidence that needs more than a minute
    4  widgets, checks                live views, the checks of learners' answers
    3  plotting, metrics, diagnosis   every figure, every judgement of samples and of logs
    3½ judging                        generators judged by samples: bias, precision and recall, two-sample tests, copies
    3½ listening                      players of sounds, pictures of spectrograms
    3  privacy                        generated records: of what use they are, and whom they give away
    3  lesions                        generated scans: what is left of a lesion, a reader that finds one
    3  acceptance                     generated items: what an accepted one costs, shares corrected for errors
    3  project                        a project's log and card, and which claims its figures support
    3  watermark                      a mark in generated text, and how it is found
    2½ vae_gan                        the two families joined: VAE-GAN as a table of loss weights
    2½ scale                          one training in several processes, and a model of its time
    2  gan, vae                       losses, networks and steps of each family
    2  diffusion                      noise step by step and back: schedules, bounds, samplers, flow matching
    2  language                       models that write text: a knowledge base, n-grams, a recurrent network
    1½ audio                          spectrograms and back, pitch and decay as heard in a sound
    1½ video                          motion and identity as seen in a clip, forecasts without learning
    1  training, data                 the one loop, seeds, checkpoints; tensors in, batches out
    1  theory                         exact results that serve as oracles
    1  feedback                       how a check speaks, whatever it is about
    1  described                      what a figure shows, in words

In checks, each notebook has a file of its own, `nb05_….py`, which imports nothing else of checks but `shared`.
"""

import os

# A thread that waits for the other gives its core away instead of spinning. Otherwise two threads on two cores, one of
# them busy with another program, make a small step 75 times as slow. PyTorch reads this when it is loaded; the first
# cell of every notebook loads this package before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
