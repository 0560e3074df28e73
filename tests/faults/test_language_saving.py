"""A language model saved over another: killed at every step, and with every step failing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bridges.language import llama
from bridges.language._tensor_files import SINGLE
from bridges.language.llama import load_model, load_tokenizer, save_model
from neuro.errors import StoreError
from tests.reasoning._language import model

# One interpreter imports torch and forks a child for each step that is to go wrong.
AT_EVERY_STEP = """
import errno, json, os, shutil, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from bridges.language.llama import load_model, save_model
from neuro.errors import StoreError
from tests.reasoning._language import model

os.fsync = lambda handle: None  # a kill needs none, and disks may be slow
small = {"exact": False, "hidden": 16, "layers": 1}
folder = Path(sys.argv[1])
# In several files with senses, and in one without: what stays of either spoils the other.
saved = {
    "rich": (model(seed=1, **small), {"shard_bytes": 60_000}),
    "plain": (model(seed=2, senses=(), **small), {}),
}

def files(where):
    return {path.name: path.read_bytes() for path in where.iterdir() if path.is_file()}

def save(which, where):
    save_model(saved[which][0], where, **saved[which][1])

def same(one, other):
    mine, yours = one.state_dict(), other.state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[n], yours[n]) for n in mine)

expected = {}
for which in saved:
    save(which, folder / which)
    expected[which] = files(folder / which)

def go_wrong_at(step, target, way, new):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event == "open" or event.startswith("os."):
            if any(str(target) in os.fsdecode(a) for a in arguments if isinstance(a, (str, bytes))):
                seen += 1
                if seen == step and way == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                if seen == step:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
    sys.addaudithook(hook)
    try:
        save(new, target)
    except StoreError as error:
        print(error, file=sys.stderr)
        says = {"left as it was": 3, "the new one is whole": 4}
        os._exit(next((code for part, code in says.items() if part in str(error)), 5))
    os._exit(0 if seen >= step else 1)

def at_every_step(way, order):
    old, new = ("rich", "plain") if order == "thinner" else ("plain", "rich")
    steps = []
    while True:
        target = folder / way / order / f"at-{len(steps) + 1}"
        shutil.copytree(folder / old, target)
        child = os.fork()
        if child == 0:
            go_wrong_at(len(steps) + 1, target, way, new)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
            break  # there is no such step any more
        found = load_model(target)
        steps.append([
            next((w for w, n in (("old", old), ("new", new)) if same(found, saved[n][0])), None),
            "killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
            # What programs see that know nothing of this: one model's files, or no config.
            next((w for w in saved if expected[w].items() <= files(target).items()), None),
            (target / "config.json").exists(),
        ])
        save(new, target)
        assert files(target) == expected[new], sorted(files(target))
        assert not any(path.is_dir() for path in target.iterdir()), sorted(target.iterdir())
        assert same(load_model(target), saved[new][0])
        shutil.rmtree(target)
    return steps

ways = (("kill", "thinner"), ("kill", "richer"), ("fail", "thinner"))
print(json.dumps({f"{way} {order}": at_every_step(way, order) for way, order in ways}))
"""

State = tuple[str, str | int, str | None, bool]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[State]]:
    got = subprocess.run(
        [sys.executable, "-c", AT_EVERY_STEP, str(tmp_path_factory.mktemp("saves"))],
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert got.returncode == 0, got.stderr[-2000:]
    return {name: [tuple(each) for each in one] for name, one in json.loads(got.stdout).items()}


@pytest.mark.parametrize("order", ["thinner", "richer"])
def test_a_save_killed_at_any_step_leaves_the_old_model_or_the_new(
    states: dict[str, list[State]], order: str
) -> None:
    every = states[f"kill {order}"]
    models = [found for found, *_ in every]
    assert {how for _, how, *_ in every} == {"killed"} and len(every) > 20
    turn = models.index("new")
    assert models == ["old"] * turn + ["new"] * (len(models) - turn) and turn > 3
    old = "rich" if order == "thinner" else "plain"
    for found, _, complete, has_config in every:
        if found == "old":
            assert complete == old and has_config
        elif has_config:
            assert complete is not None
    assert every[-1][2] not in (None, old)
    assert any(not has_config for *_, has_config in every)  # a kill in the middle was met


def test_a_save_that_fails_at_any_step_says_which_model_is_there(
    states: dict[str, list[State]],
) -> None:
    """3: said that the old one is left; 4: that the new one is whole; 0: it did not matter."""
    every = states["fail thinner"]
    assert {(found, how) for found, how, *_ in every} == {("old", 3), ("new", 4), ("new", 0)}


def test_a_file_system_without_links_is_served_by_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    save_model(model(exact=False, seed=1), tmp_path)
    second = model(exact=False, seed=2)
    save_model(second, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    assert torch.equal(load_model(tmp_path).embedding.weight, second.embedding.weight)


def test_a_load_that_a_save_overtakes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shapes are the same: nothing else would tell that config and weights are of two."""
    save_model(model(exact=False, seed=1), tmp_path)
    reads = llama.stored_tensors

    def overtaken(folder: Path) -> object:
        save_model(model(exact=False, seed=2), tmp_path)
        return reads(folder)

    monkeypatch.setattr(llama, "stored_tensors", overtaken)
    with pytest.raises(StoreError, match=r"found that .* was replaced; read it again") as refused:
        load_model(tmp_path)
    assert "\n" not in str(refused.value)
    monkeypatch.undo()
    load_model(tmp_path)


@pytest.mark.parametrize("shard_bytes", [None, 200_000])
def test_so_is_one_whose_files_a_save_takes_away_or_makes_others(
    tmp_path: Path, shard_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After their tables were read: the file is gone, or its tensors are of other shapes."""
    save_model(model(exact=False, seed=1), tmp_path, shard_bytes=shard_bytes)
    checks = llama.check_table

    def overtaken(*found: Any) -> None:
        checks(*found)
        save_model(model(exact=False, hidden=32), tmp_path)

    monkeypatch.setattr(llama, "check_table", overtaken)
    with pytest.raises(StoreError, match=r"found that .* was replaced; read it again"):
        load_model(tmp_path)


def test_a_file_that_vanishes_while_it_is_read_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(model(exact=False), tmp_path)
    monkeypatch.setattr(llama, "check_table", lambda *_: (tmp_path / SINGLE).unlink())
    with pytest.raises(StoreError, match=r"model\.safetensors`: there is no such file") as no:
        load_model(tmp_path)
    assert "\n" not in str(no.value)


def test_a_tokenizer_on_its_way_is_read_with_its_own_config(tmp_path: Path) -> None:
    """As a kill right after the deciding step leaves it."""
    from bridges.language.tokens import ByteTokenizer
    from tests.reasoning._language import needs_tokenizers

    needs_tokenizers()
    save_model(model(exact=False, seed=1), tmp_path)
    save_model(model(exact=False, seed=2), tmp_path / ".ember-new", tokenizer=ByteTokenizer())
    assert load_tokenizer(tmp_path).begin == 256
    assert torch.equal(
        load_model(tmp_path).embedding.weight, model(exact=False, seed=2).embedding.weight
    )
