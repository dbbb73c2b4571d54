"""Plotly figures that stay pictures in saved notebooks."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import plotly.io


class StillFigure(go.Figure):  # type: ignore[misc]
    """A Plotly figure that stays a picture on GitHub and in pages made by nbconvert."""

    still = ""
    """HTML to show where Plotly does not run."""
    about = "Figure"
    """Text to show where no HTML is."""

    def _ipython_display_(self) -> None:
        """Show Plotly's data beside the still, where Plotly would send only its data."""
        from IPython.display import display

        if plotly.io.renderers.default != "plotly_mimetype":
            super()._ipython_display_()
            return
        bundle: dict[str, Any] = plotly.io.renderers["plotly_mimetype"].to_mimebundle(
            self.to_dict()
        )
        display(  # type: ignore[no-untyped-call]
            {**bundle, "text/html": self.still, "text/plain": self.about}, raw=True
        )
