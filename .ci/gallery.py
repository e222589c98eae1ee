"""Take the pictures of README's gallery out of the executed notebooks into .github/: python .ci/gallery.py."""

import base64
import io
import json
import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
# The file → the notebook, and how the caption of the picture begins.
PICTURES = {
    "gallery-sounds.png": ("17_audio", "The five steps of the straight line"),
    "gallery-clips.gif": ("18_video", "Six clips from the GAN"),
    "gallery-records.png": ("19_patients_and_privacy", "Age and blood pressure of 500 records each"),
    "gallery-sevens.png": ("23_what_came_next", "Above: noise decoded by the VAE"),
}
INLINE = re.compile(r'src="data:image/(?:png|gif);base64,([^"]+)"')


def picture(notebook: str, caption: str) -> bytes:
    """The first picture whose caption begins so. Raises ValueError where there is none."""
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", []))
            if f">{caption}" in html and (found := INLINE.search(html)):
                return base64.b64decode(found[1])
    raise ValueError(f"No picture of {notebook} has a caption that begins with “{caption}”.")


def on_white(png: bytes) -> Image.Image:
    """The picture without transparency, which a dark page would shine through."""
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(
        "P", palette=Image.ADAPTIVE
    )


def main() -> None:
    for name, (notebook, caption) in PICTURES.items():
        found, target = picture(notebook, caption), ROOT / ".github" / name
        if name.endswith(".png"):
            on_white(found).save(target, optimize=True)
        else:
            target.write_bytes(found)
        print(name, target.stat().st_size // 1000, "KB")


if __name__ == "__main__":
    main()
