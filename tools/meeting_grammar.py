"""Sentences of a work meeting in a recording studio: the language of the small checkpoints.

`sentence` draws a natural one. `salad` draws the same words in orders that no sentence has: without
those, a model learns to mend every new sentence into one that it knows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable


def _words(text: str) -> list[str]:
    return text.split()


def _phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split("|")]


ONES = _words("one two three four five six seven eight nine")
TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
ORDINALS = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth"
)

Choice = random.Random


def number(draw: Choice) -> str:
    """Draw a number from one to ninety-nine."""
    if draw.random() < 0.3:
        return f"{draw.choice(TENS)} {draw.choice(ONES)}"
    return draw.choice(draw.choice((ONES, TEENS, TENS)))


def amount(draw: Choice) -> str:
    """Draw a number of hundreds or thousands."""
    kind = draw.random()
    if kind < 0.2:
        return f"{draw.choice(ONES)} hundred"
    if kind < 0.35:
        return f"{draw.choice(ONES)} hundred and {number(draw)}"
    if kind < 0.8:
        return f"{number(draw)} thousand"
    return f"{draw.choice(ONES)} thousand {draw.choice(ONES)} hundred"


def ordinal(draw: Choice) -> str:
    """Draw the number of a day of the month."""
    kind = draw.random()
    if kind < 0.2:
        return f"twenty {draw.choice(ORDINALS[:9])}"
    return "thirty first" if kind < 0.25 else draw.choice(ORDINALS)


def digits(draw: Choice) -> str:
    """Draw a few digits, as of a telephone number."""
    return " ".join(draw.choice(["zero", *ONES]) for _ in range(draw.randint(3, 7)))


Slot = Callable[[Choice], str] | list[str]


SLOTS: dict[str, Slot] = {
    "n": number,
    "few": ONES + TEENS,
    "amount": amount,
    "ordinal": ordinal,
    "digits": digits,
    "date": _phrases("{month} {ordinal} | the {ordinal} of {month}"),
    "day": _words("monday tuesday wednesday thursday friday saturday sunday"),
    "month": _words(
        "january february march april may june july august september october november december"
    ),
    "name": _words("anna david maria peter susan thomas laura john emma robert sarah james"),
    "part": _words("morning afternoon evening"),
    "when": _phrases(
        "today | tomorrow | next week | this week | next month | later | soon | now | by {day} | "
        "on {day} {part} | on {date} | in {few} days | after the meeting | again tomorrow"
    ),
    "deadline": _phrases(
        "by {day} | before {day} | by {date} | before the end of {month} | by tomorrow {part} | "
        "by the end of the week"
    ),
    "room": _words("room studio office kitchen hall"),
    "gear": _words("microphone cable speaker recorder battery camera table screen"),
    "gears": _words("microphones cables speakers headphones batteries chairs tables screens files"),
    "kind": _words("new old better cheap expensive good second small other black white red"),
    "size": _words("small large quiet new old big"),
    "document": _words(
        "report contract list plan agenda invoice budget summary email file schedule"
    ),
    "state": _words("new last short final next first old complete"),
    "city": _words("london paris berlin boston"),
    "vehicle": _words("train flight hotel"),
    "customer": _words("customer hotel band singer manager"),
    "voice": _words("voice music piano guitar drums singer meeting"),
    "money": _words("dollars euros"),
    "span": _words("hours days weeks minutes months"),
    "modal": _words("will can could should must"),
    "who": _phrases("{name} | {name} | {name} and {name} | i | we | you | they | he | she"),
    "adjective": _words(
        "good ready late early important done open clear loud quiet better expensive cheap "
        "possible easy great bad slow"
    ),
    "very": _phrases("| very | not | also | still | now | almost | not very | too | a bit"),
    "yes": _phrases("yes | okay | sure | right | great | all right | of course | no | well"),
    "topic": _phrases(
        "the budget | the schedule | the {room} | the {gears} | the trip to {city} | "
        "the contract | the {state} recording | the noise | the customer | the music | "
        "the sound test | the {state} {document}"
    ),
    "task": _phrases(
        "send the {state} {document} to {name} | send {name} the {document} | "
        "write the {document} | call the {customer} | call {name} | check the {gears} | "
        "check the {gear} in the {room} | "
        "buy {few} {kind} {gears} | bring the {gear} | order {few} {gears} | fix the {gear} | "
        "plan the trip to {city} | prepare the {room} | book the {vehicle} | clean the {room} | "
        "book the {size} {room} | install the {kind} {gear} | update the {document} | "
        "test the {gears} | move the {gears} to the {room} | record the {voice} | "
        "read the {document} | listen to the recording | ask {name} about {topic} | "
        "pay the invoice | sign the contract | finish the {document} | record the {ordinal} song"
    ),
}
"""What may stand in each place: a list to choose from, or a function that draws."""

SENTENCES = _phrases(
    """
    good {part} everyone | good {part} everyone and welcome to the meeting | thank you {name} |
    hello {name} how are you today | hello everyone let us start | thank you all for the time |
    good {part} {name} can you see the screen | let us talk about {topic} |
    let us start with {topic} | thank you very much {name} that was very {adjective} |
    today we have {few} points on the agenda | the {ordinal} point on the agenda is {topic} |
    the next topic is {topic} | we will discuss {topic} {when} | let us move to point {few} |
    let us come back to {topic} {when} | the budget for {month} is {amount} {money} |
    the {kind} {gear} costs {amount} {money} | we have {amount} {money} for {topic} |
    that is {n} percent of the budget | the total cost is {amount} {money} |
    we spent {amount} {money} on {gears} in {month} | the price is {very} {adjective} |
    we can save {n} percent if we buy {few} {gears} | each {gear} costs {n} {money} |
    how much does the {kind} {gear} cost | how much money do we have for {topic} |
    how much do we have for the {kind} {gears} | my phone number is {digits} |
    the number is {digits} | we need {n} {money} for the {gear} |
    we have {n} {money} for each {gear} and we need {n} of them | the recording is on {date} |
    the meeting is on {day} the {ordinal} of {month} |
    when is the recording with the {customer} from {city} | the next meeting is {when} |
    the deadline is {date} | {name} will be here {deadline} |
    we start on {date} and finish on {date} | the studio is open from {day} to {day} |
    is {day} the {ordinal} possible for you | we need {few} {kind} {gears} for the {room} |
    the {kind} {gear} is in the {size} {room} | the {gear} in the {room} is {very} {adjective} |
    the {gears} are {very} {adjective} | who has the {kind} {gear} | where is the {kind} {gear} |
    where are the {gears} | the sound in the {size} {room} is {very} {adjective} |
    there is a problem with the {gear} | there is noise in the {room} from the street |
    room {n} is {very} {adjective} | the {gear} was too {adjective} in the last sound test |
    the {kind} {gear} was {very} {adjective} |
    the {gear} is {adjective} but it is more {adjective} | we need more {gears} and more time |
    put the {gear} on the table in room {few} | please close the door of the {room} |
    {name} will travel to {city} {when} | i will take the train to {city} on {day} |
    the {vehicle} to {city} leaves at {few} in the {part} |
    the {vehicle} in {city} was {very} {adjective} |
    could you book the {vehicle} near the station | we arrive in {city} at {few} in the {part} |
    the trip to {city} takes {few} {span} | who will go to {city} with {name} |
    {name} {modal} {task} {deadline} | {who} {modal} {task} | {who} {modal} {task} {when} |
    {name} {modal} {task} {when} | {who} {modal} {task} and {task} | please {task} {deadline} |
    {name} please {task} | i need to {task} {when} | we need to {task} {deadline} |
    {name} wants to {task} | do not {task} {when} | let us {task} {when} | can you {task} {when} |
    could you {task} please | who can {task} {when} | when can you {task} |
    should we {task} or {task} | what do you think about {topic} | how many {gears} do we need |
    how long is the {document} | why is the {gear} {very} {adjective} |
    does {name} have the {document} | do you have a question about {topic} |
    when is the deadline for the {document} | what is the next point on the agenda |
    are there any other questions | there is one more question |
    which {gear} is better for the {size} {room} | who will call the {customer} about {topic} |
    {yes} i agree with {name} | {yes} i agree | {yes} that is a good idea |
    {yes} {who} {modal} {task} | {yes} it is {very} {adjective} for me | i do not agree |
    i think the {kind} one is {adjective} | i think we should {task} |
    maybe we should {task} {when} | no problem i will {task} | i will do that {when} |
    sorry i am late the {vehicle} was very {adjective} | i am in {city} {when} |
    that sounds {adjective} | i hope the {document} is {adjective} | we all agree on {topic} |
    {yes} one moment please | then the {gears} and the {gears} must be ready {deadline} |
    for how many {span} | for how many people | it takes about {n} {span} |
    we have {n} {span} until the deadline | the song is {few} minutes long |
    {who} worked on {topic} for {few} {span} | the {document} has {n} pages |
    it was {very} {adjective} last {month} |
    the {customer} from {city} arrives on {day} the {ordinal} of {month} |
    the {customer} arrives {when} | {name} orders the {gears} and {name} books the {vehicle} |
    for {few} people and {few} nights | to sum up {name} orders {few} {gears} |
    to sum up {name} will {task} | to sum up the budget is {amount} {money} |
    so {name} will {task} and i will {task} | that was the last point for today |
    that is all for today | see you all {when} | see you on {day} {part} |
    have a nice {part} everyone | thank you all and have a nice day |
    thanks {name} see you {when} | {name} comes from {city} {when} | the concert is on {date} |
    the {gear} needs a {kind} {gear} | we have {few} rooms and {few} {gears} |
    please book {few} tickets to {city} | the {gears} were too {adjective} |
    it was a long day for our team | i like the {gears} but we need only {few} of them
    """
)

_SLOT = re.compile(r"\{(\w+)\}")


def sentence(draw: Choice) -> str:
    """Draw a sentence: lower case, no punctuation, numbers as words."""
    text = draw.choice(SENTENCES)
    while found := _SLOT.search(text):
        slot = SLOTS[found[1]]
        word = slot(draw) if callable(slot) else draw.choice(slot)
        text = text[: found.start()] + word + text[found.end() :]
    return " ".join(text.split())


def vocabulary() -> list[str]:
    """Return every word that a sentence can hold, sorted."""
    phrases = [*SENTENCES, *(p for slot in SLOTS.values() if isinstance(slot, list) for p in slot)]
    words = {word for phrase in phrases for word in _SLOT.sub(" ", phrase).split()}
    return sorted(words | {*ONES, *TEENS, *TENS, *ORDINALS, "zero", "hundred", "thousand", "and"})


_SOUND_ALIKE = {"to", "too", "for", "by", "our", "read", "no", "one"}
_TELLABLE = [word for word in vocabulary() if word not in _SOUND_ALIKE]


def salad(draw: Choice) -> str:
    """Draw pieces of sentences put together, with a word exchanged here and there."""
    words: list[str] = []
    wanted = draw.randint(2, 13)
    while len(words) < wanted:
        whole = sentence(draw).split()
        size = draw.randint(1, 5)
        at = draw.randrange(max(1, len(whole) - size + 1))
        words += whole[at : at + size]
    return " ".join(draw.choice(_TELLABLE) if draw.random() < 0.15 else word for word in words)
