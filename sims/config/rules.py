"""Connection rules in a config: a name, or one key with the rule's numbers."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from neuro.wiring import (
    AllToAll,
    FixedInDegree,
    FixedTotal,
    Listed,
    NearestCF,
    OneToOne,
    Pairwise,
    Rule,
)
from sims.config.base import Fraction01, Listing, Positive, StrictModel
from sims.config.errors import KeyProblem, shown

__all__ = ["RuleSpec"]

Index: TypeAlias = Annotated[int, Field(ge=0)]


class OneToOneSpec(StrictModel):
    """Cell i reaches cell i."""


class AllToAllSpec(StrictModel):
    """Every cell reaches every cell."""

    autapses: bool = False
    """Whether a cell may reach itself."""


class PairwiseSpec(StrictModel):
    """Each pair is joined with one probability."""

    probability: Fraction01
    """0 to 1."""
    autapses: bool = False
    """Whether a cell may reach itself."""


class FixedInDegreeSpec(StrictModel):
    """Every target hears the same number of sources."""

    n: Positive
    """Sources of each target."""
    multapses: bool = False
    """Whether a source may be drawn twice for one target."""
    autapses: bool = False
    """Whether a cell may reach itself."""


class FixedTotalSpec(StrictModel):
    """Exactly n edges, both ends drawn independently."""

    n: Positive
    """How many edges."""


class NearestCFSpec(StrictModel):
    """Each target hears the sources of the nearest characteristic frequency."""

    fan_in: Positive
    """Sources of each target."""


class ListedSpec(StrictModel):
    """Edges one by one."""

    source: Listing[Index]
    """Source cell of each edge."""
    target: Listing[Index]
    """Target cell of each edge."""

    @model_validator(mode="after")
    def _same_length(self) -> ListedSpec:
        if len(self.source) != len(self.target):
            raise KeyProblem(
                f"expected as many sources as targets, found {len(self.source)} "
                f"and {len(self.target)}"
            )
        return self


class RuleSpec(StrictModel):
    """Who reaches whom: exactly one rule. A rule without numbers may be given by its name."""

    one_to_one: OneToOneSpec | None = None
    all_to_all: AllToAllSpec | None = None
    pairwise: PairwiseSpec | None = None
    fixed_in_degree: FixedInDegreeSpec | None = None
    fixed_total: FixedTotalSpec | None = None
    nearest_cf: NearestCFSpec | None = None
    listed: ListedSpec | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_its_name(cls, data: Any) -> Any:
        return {data: {}} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"enum": ["one_to_one", "all_to_all"]}, handler(schema)]}

    @model_validator(mode="after")
    def _exactly_one(self) -> RuleSpec:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            known = ", ".join(f"`{name}`" for name in type(self).model_fields)
            raise KeyProblem(f"expected one rule of {known}, found {shown(' and '.join(given))}")
        return self

    def rule(self) -> Rule:
        """The rule as the engine draws it."""
        if self.all_to_all is not None:
            return AllToAll(self.all_to_all.autapses)
        if self.pairwise is not None:
            return Pairwise(self.pairwise.probability, self.pairwise.autapses)
        if self.fixed_in_degree is not None:
            given = self.fixed_in_degree
            return FixedInDegree(given.n, given.multapses, given.autapses)
        if self.fixed_total is not None:
            return FixedTotal(self.fixed_total.n)
        if self.nearest_cf is not None:
            return NearestCF(self.nearest_cf.fan_in)
        if self.listed is not None:
            return Listed(np.array(self.listed.source), np.array(self.listed.target))
        return OneToOne()
