"""What a lint rule looks at: the file, its positions and the actions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dr.engine.core.model import Effect
from dr.engine.core.ports import ActionKind, ActionSpec
from dr.engine.loader.actionspecs import Specs
from dr.engine.loader.compiling import effect_of
from dr.engine.loader.layout import Layout, Placed
from dr.inventory.strictyaml.document import Document


@dataclass(frozen=True)
class Subject:
    """A right file on its way through the rules."""

    layout: Layout
    document: Document
    specs: Specs

    def spec(self, placed: Placed) -> ActionSpec | None:
        """Return the spec of a step's action; None for a ladder or when not known."""
        return self.specs.find(placed.step.uses)

    def effect(self, placed: Placed) -> Effect:
        """Return a step's effect: READ for a ladder, and for people if nothing else is declared."""
        if placed.step.try_ is not None:
            return Effect.READ
        return effect_of(placed.step, self.specs)

    def asks_people(self, placed: Placed) -> bool:
        """Tell whether the step is a gate or a task."""
        spec = self.spec(placed)
        return spec is not None and spec.kind is not ActionKind.ACTION

    def is_gate(self, placed: Placed) -> bool:
        """Tell whether the step asks for approval."""
        spec = self.spec(placed)
        return spec is not None and spec.kind is ActionKind.GATE

    def gate_before(self, placed: Placed) -> bool:
        """Tell whether a gate has been passed whenever the step starts."""
        return self.layout.is_any_before(self._gates, placed.id)

    @cached_property
    def _gates(self) -> int:
        gates = (p.id for p in self.layout.by_id.values() if self.is_gate(p))
        return self.layout.bits(gates)
