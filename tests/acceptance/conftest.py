"""Scenes of the acceptance tests: real labs, the real command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dr.lab.testing import LabFactory, lab_factory
from tests.acceptance.scene import Scene
from tests.integration.postgres_server import postgres_server

__all__ = ["lab_factory", "postgres_server"]

SceneFactory = Callable[..., Scene]


@pytest.fixture(scope="session")
def make_scene(lab_factory: LabFactory) -> SceneFactory:
    """Make scenes: ``make_scene(staging=True)`` takes the fields of LabOptions."""

    def make(*, database: str = "", **options: object) -> Scene:
        return Scene(lab_factory(**{"staging": False, **options}), database)

    return make


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """One lab for a module whose tests are one story told in order."""
    return make_scene()
