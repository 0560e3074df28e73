"""What README, documentation and messages tell a person to type exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from sims.assembly.experiment import build_experiment
from sims.config import load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs").glob("*/*.md"))
PAGES = [page for page in PAGES if "_build" not in page.parts and "gallery" not in page.parts]
CODE = [
    path
    for room in ("neuro", "circuits", "encoders", "bridges", "sims", "examples")
    for path in sorted((ROOT / room).rglob("*.py"))
]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced code of a page, without the indentation of the list it stands in."""
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, language, body in BLOCK.findall(page.read_text("utf-8"))
        if language in languages
    ]


def typed_commands() -> list[tuple[str, str]]:
    """`(where, command line)` of each `ember …` in pages and in the messages of the code."""
    found = []
    for page in PAGES:
        for block in blocks(page, "console", "sh", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("ember "):
                    found.append((page.name, line.split("#")[0].strip()))
        without = BLOCK.sub("", page.read_text("utf-8"))
        found += [(page.name, text) for text in re.findall(r"`(ember [a-z-][^`]*)`", without)]
    for path in CODE:
        for text in re.findall(r"`(ember [a-z-][^`{}]*)`", path.read_text("utf-8")):
            found.append((path.name, " ".join(text.replace('"', " ").split())))
    for line in (ROOT / "examples" / "demo.sh").read_text("utf-8").splitlines():
        if line.startswith("ember "):
            found.append(("demo.sh", line))
    return found


def command_tree() -> dict[str, Any]:
    """Each command of `ember` with the options it knows."""
    import typer.main

    from sims.cli import app

    def options(command: Any) -> set[str]:
        """Its own, and those of its commands if it is a group."""
        found = {option for parameter in command.params for option in parameter.opts}
        return found.union(*map(options, getattr(command, "commands", {}).values()))

    group: Any = typer.main.get_command(app)
    tree = {name: options(command) for name, command in group.commands.items()}
    return tree | {"": {o for parameter in group.params for o in parameter.opts} | {"--help"}}


def test_every_command_and_option_that_is_recommended_exists() -> None:
    tree, wrong = command_tree(), []
    commands = typed_commands()
    assert len(commands) > 30
    for where, line in commands:
        words = shlex.split(line)[1:]
        name = "" if words[0].startswith("-") else words[0]
        if name not in tree:
            wrong.append(f"{where}: `{line}`: there is no command `{name}`")
            continue
        for word in words:
            if word.startswith("--") and word.split("=")[0] not in tree[name] | {"--help"}:
                wrong.append(f"{where}: `{line}`: `{name}` has no option `{word}`")
    assert not wrong, "\n".join(wrong)


def test_every_config_that_is_recommended_is_shipped() -> None:
    missing = []
    for where, line in typed_commands():
        words = shlex.split(line)[1:]
        if words[0] in {"run", "sweep", "train", "check"} and len(words) > 1:
            config = words[1]
            if re.fullmatch(r"[a-z_]+", config) and not (ROOT / f"configs/{config}.yaml").exists():
                missing.append(f"{where}: `{line}`")
            if config.startswith("configs/") and not (ROOT / config).exists():
                missing.append(f"{where}: `{line}`")
    assert not [line for line in missing if "configs/NAME" not in line], "\n".join(missing)


WHOLE = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "yaml"))
    if re.search(r"^(name|base):", block, re.MULTILINE)
]


def test_there_are_whole_configs_in_the_documentation() -> None:
    assert len(WHOLE) >= 2


@pytest.mark.parametrize("text", WHOLE)
def test_a_config_in_the_documentation_is_accepted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path).config is not None


def test_every_path_in_a_link_is_there() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            generated = target.startswith(("api/", "gallery/", "../api/", "../gallery/"))
            if not generated and "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken


def test_the_python_in_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page after page, as a reader would, with what the pages before have written."""
    monkeypatch.chdir(tmp_path)
    pages = [ROOT / "docs/howto/run.md", ROOT / "docs/run-files.md", ROOT / "docs/howto/export.md"]
    ran = 0
    for page in pages:
        for block in blocks(page, "python"):
            exec(compile(block, str(page), "exec"), {})
            ran += 1
    assert ran >= 4
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["startle.h5"]


def test_every_override_that_is_recommended_is_accepted() -> None:
    """But for those that name a file only the reader has."""
    checked = 0
    for where, line in typed_commands():
        words = shlex.split(line)[1:]
        if words[0] not in {"run", "sweep", "train", "check"} or len(words) < 2:
            continue
        overrides = [word for word in words[2:] if "=" in word and not word.startswith("--")]
        if re.fullmatch(r"[a-z_]+", words[1]) and overrides and "/path/to" not in line:
            loaded = load(words[1], overrides)
            if loaded.kind == "run":  # as long as it is by itself: ten minutes are heard in six
                short = [text for text in overrides if not text.startswith("duration=")]
                build_experiment(load(words[1], short))
            checked += 1
            assert loaded.overrides == tuple(overrides), where
    assert checked >= 3
