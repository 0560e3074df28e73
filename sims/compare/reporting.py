"""From what was found to the report: verdicts, costs, notes and the exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from neuro.recording import Recording
from sims.compare.analyse import Found, costs
from sims.compare.named import Named
from sims.compare.plan import Plan
from sims.compare.processes import Answer
from sims.compare.report import (
    AGREE,
    DIFFER,
    FORMAT,
    INCOMPLETE,
    BackendReport,
    Cost,
    Report,
    Tolerances,
)
from sims.compare.rounding import MEMORY_MS, Rounding
from sims.compare.verdict import ALPHA, FACTOR
from sims.run import provenance_of

__all__ = ["TWINS", "backend_report", "whole_report"]

TWINS = 2
"""Of each size of roundings; engineering choice: each costs the reference a run."""


def whole_report(
    plan: Plan, reports: Sequence[BackendReport], reference: Sequence[Recording]
) -> Report:
    """Everything about the comparison, around what was found of each back end."""
    config = plan.loaded.config
    verdicts = {one.verdict for one in reports}
    status = AGREE
    if "differs" in verdicts:
        status = DIFFER
    elif verdicts - {"reference", "agrees"}:
        status = INCOMPLETE
    provenance = asdict(provenance_of(plan.loaded))
    del provenance["peak_memory_bytes"], provenance["failure"]
    return Report(
        format=FORMAT,
        kind="comparison",
        name=config.name,
        reference=plan.reference.label,
        reference_because=plan.because,
        random=plan.random,
        duration_ms=float(config.duration),
        dt_ms=float(config.dt),
        seeds=plan.seeds,
        tolerances=Tolerances(
            plan.jitter_ms, ALPHA, FACTOR, 0 if plan.random else TWINS, MEMORY_MS, plan.needed
        ),
        backends=tuple(reports),
        status=status,
        notes=tuple(_notes(plan, reports, reference)),
        provenance=provenance,
    )


def backend_report(
    plan: Plan, one: Named, answer: Answer, found: Found | None, runs: Sequence[Recording],
    rounding: Rounding | None,
) -> BackendReport:  # fmt: skip
    """What is to be said of one back end; `found` is None for the reference, or if it failed."""
    verdict = answer.verdict or "reference"
    if found is not None:
        verdict = "agrees" if all(check.passed for check in found.checks) else "differs"
    own = answer.done[0]["rounding"] if answer.done else None
    cost = None
    if answer.done:
        told = answer.done[0]
        cost = Cost(**costs(told["timings"]), peak_memory_bytes=told["peak_memory_bytes"])
    return BackendReport(
        label=one.label,
        backend=one.name,
        options=one.options,
        threads=one.threads,
        arithmetic=own["arithmetic"] if own else "",
        rounding=rounding.largest if rounding else None,
        verdict=verdict,  # type: ignore[arg-type]  # an Answer has no others
        error=answer.error,
        cost=cost,
        spikes=sum(len(runs[0].spikes[name]) for name in plan.spiking) if runs else None,
        identical=all(p.identical for p in found.populations) if found else None,
        f=found.f if found else None,
        populations=found.populations if found else (),
        first_moved=found.first_moved if found else None,
        first_divergence=found.first_divergence if found else None,
        traces=found.traces if found else (),
        distributions=found.distributions if found else (),
        checks=found.checks if found else (),
    )


def _notes(
    plan: Plan, reports: Sequence[BackendReport], reference: Sequence[Recording]
) -> list[str]:
    found = []
    silent_ones = [n for n in plan.spiking if not any(len(run.spikes[n]) for run in reference)]
    if silent_ones:
        found.append(
            f"silent in the reference: {', '.join(silent_ones)}; silence agrees with anything"
        )
    if not plan.random and not reference[0].traces:
        found.append("no membrane could be recorded, so spikes alone are compared")
    apart = [o.label for o in reports if o.verdict == "agrees" and o.first_divergence]
    if apart and not plan.random:
        found.append(
            f"spikes come apart on {', '.join(apart)}, no sooner than roundings explain; from "
            "there on rates and intervals are compared in distribution"
        )
    return found
