"""Whatever stands in a config, it loads or is refused in one line: never another exception."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import ConfigError
from sims.config import from_resolved, load
from sims.config.shipped import shipped

WRITTEN: dict[str, Any] = {
    "name": "written",
    "duration": "10 ms",
    "stimulus": {"path": {"width": "1 m"}},
    "circuits": {
        "mine": {
            "populations": {
                "a": {
                    "n": 2,
                    "equations": "dv/dt = (gain*x - v)/tau : volt",
                    "inputs": {"x": "m"},
                    "refractory": "2 ms",
                    "parameters": {"gain": "1 mV/m", "tau": ["1 ms", "2 ms"]},
                    "initial": {"v": {"uniform": {"low": "0 mV", "high": "1 mV"}}},
                    "coordinates": {"cf_hz": {"geomspace": [1, 2]}, "x_m": [1, 2]},
                },
                "b": {"n": 2, "model": "lif", "initial": {"v": "E_L"}},
            },
            "projections": [
                {"from": "a", "to": "b", "synapse": "delta", "rule": {"fixed_total": {"n": 3}},
                 "delay": {"normal": {"mean": "2 ms", "sd": "1 ms"}}},
                {"from": "a", "to": "b", "synapse": {"on_pre": "v += w"}, "weight": "1 mV",
                 "rule": {"listed": {"source": [0], "target": [1]}}},
            ],
            "drives": [{"from": "path.x", "to": "a", "variable": "x"}],
        }
    },
    "modulation": {
        "na": {"schedule": [["0 s", "1 nM"], ["1 s", "2 nM"]],
               "receptors": {"r": {"ec50": "1 nM", "effects": [
                   {"on": "b", "parameter": "C", "at_saturation": 2}]}}},
    },
    "sweep": {"vary": {"seed": [1, 2], "duration": {"linspace": ["1 ms", "2 ms", 3]}}},
}  # fmt: skip
CONFIGS = [WRITTEN, WRITTEN, *(load(name).resolved for name in shipped())]

words = st.sampled_from(
    ["", "20 ms", "-3 mV", "1e400 s", "nan", "a.b", "lif", "reasoner", "sound.nerve", "x", "5",
     "\x00", "é", "one_to_one", "normal", "uniform", "pairwise", "equations", "populations",
     "circuit"]
)  # fmt: skip
scalars = st.one_of(
    words, st.booleans(), st.integers(-5, 5), st.just(10**30), st.floats(), st.none()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested mappings and lists."""
    found = [path] if path else []
    if isinstance(data, (dict, list)):
        for key, inner in data.items() if isinstance(data, dict) else enumerate(data):
            found += paths(inner, (*path, key))
    return found


@settings(max_examples=100)
@given(st.data())
def test_a_config_with_anything_in_it_loads_or_is_refused(data: st.DataObject) -> None:
    config = copy.deepcopy(data.draw(st.sampled_from(CONFIGS)))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(paths(config)))
        level: Any = config
        for key in path[:-1]:
            level = level[key]
        action = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "remove":
            del level[path[-1]]
        elif action == "add" and isinstance(level, dict):
            level[data.draw(words)] = data.draw(values)
        else:
            level[path[-1]] = data.draw(values)
        if not paths(config):
            break
    refusal = ""
    try:
        loaded = from_resolved(config)
    except ConfigError as error:
        refusal = str(error)
    if refusal:
        assert refusal.strip()
        assert "\n" not in refusal
        return
    again = from_resolved(loaded.resolved)
    assert again.resolved == loaded.resolved
    assert again.hash == loaded.hash
