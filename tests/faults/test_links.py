"""Another user's link does not choose where an output is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neuro.errors import StoreError
from neuro.files.links import real_path
from neuro.files.lock import locked_output
from sims.store.atomic import write_text

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder like /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def strange(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    os.lchown(link, NOBODY, NOBODY)
    return link


@as_root
@pytest.mark.parametrize("exists", [True, False])
def test_an_output_that_is_a_strange_link_is_refused(
    shared: Path, tmp_path: Path, exists: bool
) -> None:
    precious = tmp_path / "precious"
    if exists:
        precious.write_text("kept", encoding="utf-8")
    link = strange(shared / "run.h5", precious)
    with pytest.raises(StoreError, match=r"link of another user \(uid 65534\)"):
        write_text(link, "lost", force=True)
    with pytest.raises(StoreError, match="link of another user"), locked_output(link):
        pass
    assert precious.exists() == exists and (not exists or precious.read_text("utf-8") == "kept")


@as_root
def test_a_strange_link_on_the_way_is_refused_where_all_may_write(
    shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    strange(shared / "runs", tmp_path / "home")
    with pytest.raises(StoreError, match="link of another user"):
        write_text(shared / "runs" / "x.txt", "lost")
    inner = shared / "mine"
    inner.symlink_to(shared / "runs")  # a link of ours that leads to theirs
    with pytest.raises(StoreError, match="link of another user"):
        write_text(inner / "x.txt", "lost")
    group = tmp_path / "group"  # in a folder of a group a colleague's link is meant
    group.mkdir()
    strange(group / "runs", tmp_path / "home")
    write_text(group / "runs" / "x.txt", "found")
    assert (tmp_path / "home" / "x.txt").read_text("utf-8") == "found"


def test_links_of_our_own_are_followed_as_open_does(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (shared / "a").symlink_to("../real")
    (shared / "b").symlink_to(shared / "a" / "x.txt")
    for path in (shared / "b", shared / "a" / "x.txt", shared / "a" / ".." / "real" / "x.txt",
                 shared / "none" / "y"):  # fmt: skip
        assert real_path(path) == Path(os.path.realpath(path))
    assert real_path(os.path.relpath(shared / "b")) == tmp_path / "real" / "x.txt"
    (shared / "round").symlink_to(shared / "round")
    with pytest.raises(StoreError, match="circle"):
        real_path(shared / "round")
