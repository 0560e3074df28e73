"""How the documentation is built: pages by hand, reference from docstrings, a gallery that runs."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("MPLBACKEND", "agg")

from _generated import write_keys, write_reference

project = "Ember"
copyright = "2026, the Ember authors"
version = release = version_of("ember-neuro")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
exclude_patterns = ["_build", "images"]
suppress_warnings = ["config.cache"]  # the gallery's settings hold a function

html_theme = "furo"
html_title = "Ember"
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "image_scrapers": ("matplotlib", "conf.ember_pictures"),
    "abort_on_example_error": True,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 5,
    "download_all_examples": False,
    "remove_config_comments": True,
}


def ember_pictures(_block, variables: dict[str, Any], gallery: dict[str, Any]) -> str:
    """Pictures of `sims.report.figures`, which need no window and so no pyplot, are shown too."""
    from sphinx_gallery.scrapers import figure_rst

    from sims.report.figures import Picture

    shown = []
    for value in variables["example_globals"].values():
        if isinstance(value, Picture) and not getattr(value, "in_gallery", False):
            path = next(variables["image_path_iterator"])
            value.savefig(path, dpi=150)
            value.in_gallery = True
            shown.append(path)
    return figure_rst(shown, gallery["src_dir"])


def as_restructured_text(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """Docstrings quote code as `this`; reStructuredText needs ``this``."""
    lines[:] = re.sub(
        r"(?<!`)`([^`]+)`(?!`|_)", r"``\1``", "\n".join(lines).replace("\\", "\\\\")
    ).splitlines()


def setup(app) -> None:
    app.connect("autodoc-process-docstring", as_restructured_text)


write_reference(HERE / "api", HERE.parent)
write_keys(HERE / "api")
