"""Every exhibit there is."""

from __future__ import annotations

from tests.engine.gallery import holding, running, shipping, sound

FLAWED = (*running.EXHIBITS, *holding.EXHIBITS, *shipping.EXHIBITS)
SOUND = sound.EXHIBITS
EXHIBITS = (*FLAWED, *SOUND)
