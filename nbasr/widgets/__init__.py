"""Panels for Jupyter: bring recordings in, see and hear them, tune where they are cut."""
