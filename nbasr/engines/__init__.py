"""Engines: what turns sound into text."""

from nbasr.engines.base import Engine, EngineSpec, Recognition, Request, open_engine

__all__ = ["Engine", "EngineSpec", "Recognition", "Request", "open_engine"]
