"""ELAN annotations (EAF 3.0): a tier of segments per speaker, with their words in a tier below."""

from __future__ import annotations

import datetime
import mimetypes
import xml.etree.ElementTree as ET
from urllib.parse import quote

from nbasr.text.cleaning import flat
from nbasr.transcript.lanes import SEGMENTS, WORDS, Lane, lanes
from nbasr.transcript.transcript import Segment, Transcript, Word

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_TICK = 0.001
"""ELAN counts milliseconds."""


def to_eaf(transcript: Transcript) -> str:
    """Return the XML of an ELAN document, in the order that its schema demands.

    Tiers are ``segments`` and, with word times, ``words`` inside them (stereotype Included_In);
    speakers and overlaps as in `lanes`.
    """
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "nbasr",
            "DATE": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _INSTANCE,
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    name = flat(transcript.name)
    if name:
        kind = mimetypes.guess_type(name)[0] or "audio/x-wav"
        url = quote(name.replace("\\", "/"))
        media = {"MEDIA_URL": url, "RELATIVE_MEDIA_URL": f"./{url}", "MIME_TYPE": kind}
        ET.SubElement(header, "MEDIA_DESCRIPTOR", media)
    body = _Body()
    tiers = [tier for lane in lanes(transcript, _TICK) for tier in body.tiers(lane)]
    last = ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    last.text = str(body.annotations)
    root.append(body.time_order)
    root.extend(tiers)
    for kind, constraint in ((SEGMENTS, {}), (WORDS, {"CONSTRAINTS": "Included_In"})):
        ET.SubElement(
            root,
            "LINGUISTIC_TYPE",
            {
                "LINGUISTIC_TYPE_ID": kind,
                "TIME_ALIGNABLE": "true",
                "GRAPHIC_REFERENCES": "false",
                **constraint,
            },
        )
    ET.SubElement(
        root,
        "CONSTRAINT",
        {
            "STEREOTYPE": "Included_In",
            "DESCRIPTION": "Time alignable annotations within the parent annotation's time "
            "interval, gaps are allowed",
        },
    )
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


class _Body:
    """The annotations of one document, numbered as they come, and their time slots."""

    def __init__(self) -> None:
        self.annotations = 0
        self._slots: list[tuple[int, ET.Element]] = []

    @property
    def time_order(self) -> ET.Element:
        """The time slots in the order of their times; to be asked for when all tiers are made."""
        order = ET.Element("TIME_ORDER")
        numbered = sorted(self._slots, key=lambda slot: slot[0])
        order.extend(element for _, element in numbered)
        return order

    def tiers(self, lane: Lane) -> list[ET.Element]:
        """Return the tier of segments of one lane, and that of its words if it has any."""
        upper = self._tier(SEGMENTS, lane, list(lane.segments))
        words = lane.words
        if not words:
            return [upper]
        lower = self._tier(WORDS, lane, words)
        lower.set("PARENT_REF", SEGMENTS + lane.suffix)
        return [upper, lower]

    def _tier(self, kind: str, lane: Lane, values: list[Segment] | list[Word]) -> ET.Element:
        tier = ET.Element("TIER", {"LINGUISTIC_TYPE_REF": kind, "TIER_ID": kind + lane.suffix})
        if lane.speaker:
            tier.set("PARTICIPANT", lane.speaker)
        for value in values:
            self.annotations += 1
            outer = ET.SubElement(tier, "ANNOTATION")
            inner = ET.SubElement(
                outer,
                "ALIGNABLE_ANNOTATION",
                {
                    "ANNOTATION_ID": f"a{self.annotations}",
                    "TIME_SLOT_REF1": self._slot(value.start),
                    "TIME_SLOT_REF2": self._slot(value.stop),
                },
            )
            ET.SubElement(inner, "ANNOTATION_VALUE").text = flat(value.text)
        return tier

    def _slot(self, seconds: float) -> str:
        name = f"ts{len(self._slots) + 1}"
        milliseconds = round(seconds * 1000)
        slot = ET.Element("TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(milliseconds)})
        self._slots.append((milliseconds, slot))
        return name
