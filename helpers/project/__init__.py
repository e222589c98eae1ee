"""What a project needs beside its model: a log of all that was tried, figures with their errors, and a model card."""

from helpers.project.card import model_card
from helpers.project.evidence import is_supported, luck_of_the_best, paired_difference
from helpers.project.log import ExperimentLog

__all__ = ["ExperimentLog", "is_supported", "luck_of_the_best", "model_card", "paired_difference"]
