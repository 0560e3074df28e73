"""Machine instructions that Numba has no words for: select, bit casts, prefetch, a barrier.

`a if c else b` becomes a branch in Numba's IR, which LLVM then threads into masked stores or
leaves scalar; a true `select` keeps loops over cells vectorisable (6 times faster on AVX-512).
"""

from __future__ import annotations

# Numba calls the functions below with types and LLVM builders of its own, which have no stubs.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

__all__ = ["await_all", "bits32", "bits64", "float32_of", "float64_of", "prefetch", "select"]

# A loop over cells that reads and writes many arrays needs a run-time check that they do not
# overlap, one for each pair; beyond LLVM's default of 8 comparisons it would stay scalar.
binding.set_option("ember", "--runtime-memory-check-threshold=512")


@intrinsic
def _select(context, condition, this, other):
    """`this if condition else other`, both computed, without a branch."""
    signature = this(types.boolean, this, this)

    def code(context, builder, signature, arguments) -> Any:
        return builder.select(*arguments)

    return signature, code


select: Any = _select


def _cast(source, result):
    def typed(context, value):
        def code(context, builder, signature, arguments) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(result))

        return result(source), code

    return intrinsic(typed)


float32_of: Any = _cast(types.uint32, types.float32)
"""The float32 with these bits."""
bits32: Any = _cast(types.float32, types.uint32)
"""The bits of a float32."""
float64_of: Any = _cast(types.uint64, types.float64)
"""The float64 with these bits."""
bits64: Any = _cast(types.float64, types.uint64)
"""The bits of a float64."""


@intrinsic
def _prefetch(context, array, index):
    """Ask for the cache line of `array[index]`, which may lie outside the array."""
    signature = types.void(array, types.uint64)

    def code(context, builder, signature, arguments) -> Any:
        data = make_array(array)(context, builder, arguments[0]).data
        pointer = builder.gep(data, [arguments[1]])
        pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, flag(0), flag(3), flag(1)])  # to read, near, data
        return context.get_dummy_value()

    return signature, code


prefetch: Any = _prefetch


@intrinsic
def _arrive(context, counter):
    """Add one to `counter[0]`, seen at once by all threads."""
    signature = types.void(counter)

    def code(context, builder, signature, arguments) -> Any:
        data = make_array(counter)(context, builder, arguments[0]).data
        builder.atomic_rmw("add", data, ir.IntType(64)(1), "seq_cst")
        return context.get_dummy_value()

    return signature, code


@intrinsic
def _arrived(context, counter):
    """`counter[0]`, as other threads left it."""
    signature = types.int64(counter)

    def code(context, builder, signature, arguments) -> Any:
        data = make_array(counter)(context, builder, arguments[0]).data
        return builder.load_atomic(data, "seq_cst", 8)

    return signature, code


@intrinsic
def _give_way(context):
    """Let another thread have the core."""
    signature = types.void()

    def code(context, builder, signature, arguments) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(builder.module, kind, "sched_yield")
        builder.call(function, [])
        return context.get_dummy_value()

    return signature, code


_SPINS = np.int64(20_000)  # engine choice: some 20 µs, longer than a balanced step waits


_waiting: Any = numba.njit(  # type: ignore[call-overload]
    no_cpython_wrapper=True, no_cfunc_wrapper=True
)
_arrive_at: Any = _arrive
_arrived_at: Any = _arrived
_give_way_now: Any = _give_way


@_waiting
def await_all(counter, target):
    """Arrive at a barrier and wait until `counter[0]` has reached `target`."""
    _arrive_at(counter)
    spins = np.int64(0)
    while _arrived_at(counter) < target:
        spins += 1
        if spins > _SPINS:
            _give_way_now()
