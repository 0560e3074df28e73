"""How the documentation is built: pages by hand, reference from docstrings, a gallery that runs."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any, get_origin

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("MPLBACKEND", "agg")

from _generated import write_keys, write_models, write_reference
from _results import write_results
from _speed import write_speed

QUANTITIES = (
    "Capacitance", "Concentration", "Conductance", "Current", "Frequency", "Length", "Level",
    "Speed", "Temperature", "Time", "Voltage",
)  # fmt: skip

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
suppress_warnings = [
    "config.cache",  # the gallery's settings hold a function
    "ref.python",  # a short name in an annotation may be that of several classes
]

html_theme = "furo"
html_title = "Ember"
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# A quantity's type is told by its name; its dimension in full would fill a line.
autodoc_type_aliases = {name: name for name in QUANTITIES}
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


SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Examples?|Note|Notes):$")


def as_restructured_text(
    _app: Any, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Make a docstring reStructuredText, before its sections are read.

    Docstrings quote code as `this`, and draw: an indented paragraph, or one with columns, is shown
    as it stands.
    """
    written: list[str] = []
    for paragraph in re.split(r"\n[ ]*\n", "\n".join(lines)):
        rows = paragraph.splitlines()
        drawn = all(row.startswith(("    ", "|")) for row in rows)
        columns = rows and not rows[0].startswith(" ") and re.search(r"\S {3,}\S", paragraph)
        if SECTION.match(rows[0].strip() if rows else "") or ">>>" in paragraph:
            drawn = columns = False
        if rows and (drawn or columns):
            announced = written[-2:-1] and written[-2].endswith("::")  # by the paragraph before
            written += [*([] if announced else ["::", ""]), *(f"    {row}" for row in rows), ""]
        else:
            text = paragraph.replace("\\", "\\\\")
            written += [*re.sub(r"(?<!`)`([^`]+)`(?!`|_)", r"``\1``", text).splitlines(), ""]
    lines[:] = written


def skip_aliases(
    _app: Any, _what: str, _name: str, obj: object, skip: bool, _options: object
) -> bool | None:
    """Annotated types read badly; what they mean is said where they are used."""
    return True if get_origin(obj) is Annotated else None


def setup(app) -> None:
    app.connect("autodoc-process-docstring", as_restructured_text, priority=400)
    app.connect("autodoc-skip-member", skip_aliases)


write_reference(HERE / "api", HERE.parent)
write_keys(HERE / "api")
write_models(HERE / "api")
write_speed(HERE)
write_results(HERE)
