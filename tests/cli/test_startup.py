"""A command loads what it needs and nothing else, since most of a short run is imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from sims.cli import app

ROOT = Path(__file__).parents[2]
HEAVY = {
    "brian2", "sympy", "scipy", "matplotlib", "pandas", "torch", "norse", "dask", "distributed",
    "jinja2", "soundfile", "cffi", "xarray", "neo", "rich", "pyarrow",
}  # fmt: skip
SMALL = """\
seed: 1
duration: 20 ms
circuits: {mine: {populations: {cells: {n: 3, model: lif, parameters: {I_ext: 600 pA}}}}}
"""


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_warm_run_needs_neither_brian_nor_scipy(tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL, encoding="utf-8")
    cold = CliRunner().invoke(app, ["run", str(config), "--out", str(tmp_path / "cold.h5")])
    assert cold.exit_code == 0, cold.stderr
    out = python(
        f"sys.argv = ['ember', 'run', {str(config)!r}, '--out', {str(tmp_path / 'warm.h5')!r}]\n"
        "from sims.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = set(out.splitlines()[-1].split())
    assert {"numba", "h5py", "pydantic"} <= loaded
    assert not loaded & HEAVY
    assert (tmp_path / "warm.h5").exists()


def test_what_is_hidden_from_numba_is_there_afterwards() -> None:
    out = python(
        "from sims.terminal.startup import import_numba\n"
        "import_numba()\n"
        "import_numba()\n"
        "assert 'scipy' not in sys.modules and 'cffi' not in sys.modules\n"
        "import numba, numpy as np, scipy.signal, cffi\n"
        "product = numba.njit(lambda a, b: (np.dot(a, b), np.linalg.inv(a)))\n"
        "a = np.array([[2.0, 1.0], [1.0, 3.0]])\n"
        "dot, inverse = product(a, a)\n"
        "assert np.allclose(dot, a @ a) and np.allclose(inverse @ a, np.eye(2))\n"
        "print('fine')"
    )
    assert out == "fine\n"
