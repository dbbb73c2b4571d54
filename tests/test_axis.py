"""Time axes: round times, no more than fit."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr.audio import _axis


@pytest.mark.parametrize(
    ("duration", "labels"),
    [
        (0, "0:00.0"),
        (2.2, "0:00.0 0:00.5 0:01.0 0:01.5 0:02.0"),
        (71.6, "0:00 0:15 0:30 0:45 1:00"),
        (200, "0:00 0:30 1:00 1:30 2:00 2:30 3:00"),
        (3600, "0:00 10:00 20:00 30:00 40:00 50:00"),
        (5 * 3600, "0:00 1:00:00 2:00:00 3:00:00 4:00:00"),
    ],
)
def test_times_are_round_and_written_in_one_way(duration, labels):
    assert " ".join(label for _, label in _axis.ticks(duration)) == labels


@given(st.floats(0.01, 1e6))
def test_labels_stand_at_their_times_and_fill_the_width(duration):
    found = _axis.ticks(duration)
    assert 1 <= len(found) <= 8
    assert len({label for _, label in found}) == len(found)
    labels = ET.fromstring(_axis.html(duration)).findall("span")
    widths = [float(label.get("style").split("%")[0].removeprefix("width:")) for label in labels]
    assert sum(widths) == pytest.approx(100, abs=0.1)
    for at, (time, _) in enumerate(found):
        assert sum(widths[:at]) == pytest.approx(100 * time / duration, abs=0.1)
