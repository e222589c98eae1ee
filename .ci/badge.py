"""Point the Binder badge of README.md at a repository: badge.py owner/name (without it, at GitHub's `origin`)."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(r"(<!-- binder -->)(.*?)(<!-- /binder -->)", re.DOTALL)
FIRST = "lab/tree/notebooks/00_start_here.ipynb"


def badge(repository):
    """The badge's Markdown: a click opens the first notebook of the repository's default branch."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError("Name your repository on GitHub as owner/name: make badge REPO=owner/name")
    link = f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath={FIRST}"
    return f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({link})"


def origin():
    """owner/name of the clone's origin on GitHub, or nothing."""
    command = ["git", "config", "--get", "remote.origin.url"]
    try:
        url = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    except OSError:
        return ""
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?\s*$", url)
    return found[1] if found else ""


def with_badge(text, repository):
    """README's text with everything between the two marks replaced."""
    text, count = MARKED.subn(rf"\g<1>{badge(repository)}\g<3>", text)
    if count != 1:
        raise ValueError(
            "README.md needs one pair of marks, <!-- binder --> and <!-- /binder -->, around the badge."
        )
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    repository = sys.argv[1] if len(sys.argv) > 1 else origin()
    try:
        readme.write_text(with_badge(readme.read_text(encoding="utf-8"), repository), encoding="utf-8")
    except ValueError as problem:
        sys.exit(str(problem))
    print(f"README's badge now opens {repository} on Binder.")
