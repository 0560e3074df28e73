"""What hypothesis draws: the same in every run of the tests, something new in every search.

`fixed`, the profile of every test run, draws from the source of a test alone. `search`, the profile
of `make fuzz`, draws anew, `TIMES` as much, and prints each failure as a line to keep in the test.
"""

from __future__ import annotations

import os
import re
import textwrap
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from hypothesis.internal.conjecture import providers

__all__ = ["examples_to_keep", "register_profiles", "widen_search"]

TIMES = "EMBER_FUZZ_TIMES"
_FAILED = re.compile(
    r"^ *(?:Falsifying example|Failing test case|Failing example): \w+(\(.*?^ *\))", re.M | re.S
)
_BLOB = re.compile(r"@reproduce_\w+\('[^']+', b'[^']*'\)")


def register_profiles() -> None:
    """Register both profiles and load `fixed`."""
    # Compiling a kernel in the first example would break any deadline.
    common: dict[str, Any] = {
        "deadline": None, "suppress_health_check": [HealthCheck.too_slow], "database": None,
    }  # fmt: skip
    settings.register_profile("fixed", derandomize=True, **common)
    settings.register_profile("search", derandomize=False, print_blob=True, **common)
    settings.load_profile("fixed")
    # Hypothesis also draws numbers that stand in the source of the modules imported so far, which
    # depend on the tests that ran before; derandomize alone does not make a run repeat.
    nothing = type(providers.GLOBAL_CONSTANTS)()
    providers._get_local_constants = lambda: nothing


def widen_search(items: list[pytest.Item]) -> None:
    """In a search, let each test draw `TIMES` as many examples as it asks for."""
    if settings.get_current_profile_name() != "search":
        return
    times = int(os.environ.get(TIMES, "10"))
    for item in items:
        test = getattr(item, "obj", None)
        if is_hypothesis_test(test):
            test = getattr(test, "__func__", test)
            own = test._hypothesis_internal_use_settings
            test._hypothesis_internal_use_settings = settings(
                own, max_examples=own.max_examples * times
            )


def examples_to_keep(report: str) -> list[str]:
    """The decorators that make a test draw again what failed in this report of it."""
    report = re.sub(r"^E {0,7}", "", report, flags=re.M)
    found = []
    for arguments in _FAILED.findall(report):
        if "data(" not in arguments:  # what `st.data()` drew cannot be written as an argument
            found.append("@example" + textwrap.dedent(arguments))
    return found or _BLOB.findall(report)
