"""Tracking as people write it in a note: a carrier's name and a number, with or without a label.

A number counts if somebody calls it tracking, if a carrier's name stands beside it, if somebody
calls it a parcel's and it has the form of a carrier who is named nearby, or if its check digit
proves it. Phone numbers, dates and order numbers do not. What is in doubt is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape
from typing import Final

from syncline.parcels.carriers import NAME, carrier_named, site_of
from syncline.parcels.numbers import Form, forms_of, proved
from syncline.parcels.words import (
    NAMED_AFTER,
    NAMED_BELOW,
    OTHER_NUMBERS,
    PHONE,
    REFERENCE,
    TRACKING,
    WORD,
    Wording,
)

LONGEST_NOTE: Final = 10_000
"""Characters that are looked at: somebody's note may be a book."""

_BULLET: Final = r"^[ >*\u2022-]*"

_URL: Final = re.compile(r"https?://[^\s<>\"'()]+", re.IGNORECASE)
_LINK: Final = re.compile(r"<a\s[^<>]*?href=[\"']?(https?://[^\s\"'<>]+)[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(
    r"</?(?:(a|b|i|u|em|strong|span|font|code|small|sup|sub)\b|(?:p|br|div|li|ul|ol|t[rdh]|table"
    r"|h[1-6])\b)[^<>]*>",
    re.IGNORECASE,
)
_CARRIER_LINE: Final = re.compile(
    rf"{_BULLET}(?:carrier|courier) ?[:=] ?(\S.*)$", re.IGNORECASE | re.MULTILINE
)
_LABEL: Final = re.compile(
    rf"{_BULLET}(?:(?P<before>{NAME}) )?{TRACKING}"
    r"(?: ?(?:numbers?|no\.?|nos\.?|nr\.?|id|codes?|ref(?:erence)?|urls?|links?|#))?"
    rf"(?: ?\((?P<behind>{NAME})\))? ?[:=] ?(?P<value>\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_PIECES: Final = re.compile(r"[,;|/&]|\band\b", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[\w-]*[0-9][\w-]*")
_BRACKETS: Final = "()[]\"'. "

_TOKEN: Final = re.compile(r"[0-9A-Za-z]+")
_BETWEEN: Final = (" ", ".", "-")
_LONGEST_NUMBER: Final = 23
_MOST_GROUPS: Final = 8
_LONGEST_GROUP: Final = 8
_SHORT_GROUP: Final = 5
_OF_ITS_OWN: Final = 6

_ANY_NUMBER: Final = re.compile(r"(?=(?:[A-Z]*[0-9]){8})[0-9A-Z]{9,30}")
"""What is taken right beside a carrier's name, or the word tracking, in whatever form."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Where one parcel can be followed; an empty text is not known."""

    number: str
    carrier: str
    url: str


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a note, and where it stood."""

    at: int
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class _Window:
    """A run of a text that may be a number; `torn` if digits stand right beside it."""

    start: int
    end: int
    number: str
    parts: int
    torn: bool


def parcels_in(note: str, carriers: Sequence[str] = ()) -> list[Parcel]:
    """The parcels that a note tells of, in its order.

    Args:
        note: as a person wrote it, as text or as HTML.
        carriers: names that are known from elsewhere; they go before those of the note.
    """
    text = re.sub(r"[^\S\n]+", " ", _plain(note[:LONGEST_NOTE]))
    told = [*carriers] or [_told(found[1].strip()) for found in _CARRIER_LINE.finditer(text)]
    links = [(found.start(), found[0].rstrip(".,;:!?")) for found in _URL.finditer(text)]
    words = _URL.sub(lambda found: " " * len(found[0]), text)
    labelled = list(_labelled(words))
    rest = words
    for start, end, _ in labelled:
        rest = f"{rest[:start]}{' ' * (end - start)}{rest[end:]}"
    told = [one for one in told if one]
    near = {name for one in told if (name := carrier_named(one))}
    read = [one for _, _, many in labelled for one in many] + list(_free(rest, near))
    ordered = [one.parcel for one in sorted(read, key=lambda one: one.at)]
    once = list({one.number: one for one in reversed(ordered)}.values())[::-1]
    stated = [link for at, link in links if _is_labelled(text, at)]
    every = [link for _, link in links if link in stated or _number_of(link)]
    return _linked(_carried(once, told), every, stated)


def carrier_of(number: str) -> str:
    """The carrier whose number this is by its form and its check digit; empty where it may be any.

    >>> carrier_of("1z 999 aa1 01 2345 6784")
    'UPS'
    >>> carrier_of("123456789012")
    ''
    """
    form = proved(_joined(number))
    return "" if form is None else form.carrier


def _joined(text: str) -> str:
    """Its letters and digits, without what stands between them."""
    return "".join(_TOKEN.findall(text)).upper()


def _plain(note: str) -> str:
    """A note without tags, where it is HTML; the addresses of its links stay."""
    if not _TAG.search(note):
        return note
    shown = _LINK.sub(lambda found: f" {found[1]} ", note)
    return unescape(_TAG.sub(lambda found: " " if found[1] else "\n", shown))


def _told(carrier: str) -> str:
    """A carrier as a line of its own names it; one with its number behind it by its name alone."""
    is_more = any(len(token) >= _OF_ITS_OWN for token in re.findall(r"[0-9]+", carrier))
    return carrier_named(carrier) if is_more else carrier


def _labelled(text: str) -> Iterator[tuple[int, int, list[_Read]]]:
    """Lines that say of themselves that they hold tracking, as far as their values are numbers."""
    for found in _LABEL.finditer(text):
        carrier = carrier_named(found["before"] or found["behind"] or "")
        parts = [part for one in _PIECES.split(found["value"]) if (part := one.strip(_BRACKETS))]
        numbers = [_stated(part) for part in parts]
        if all(numbers):
            carriers = [name for part in parts if (name := carrier_named(part))]
            carrier = carrier or (carriers[0] if len(set(carriers)) == 1 else "")
            start = found.start("value")
            read = [
                _Read(start + at, Parcel(number, own or carrier or carrier_of(number), ""))
                for at, (number, own) in enumerate(one for many in numbers for one in many)
                if number
            ]
            yield found.start(), found.end(), read


def _stated(part: str) -> list[tuple[str, str]]:
    """The numbers of one part of a labelled line with their carriers; nothing if it is words."""
    carrier = carrier_named(part)
    words = re.sub(NAME, " ", part, flags=re.IGNORECASE).strip(_BRACKETS + ":#-").split()
    if not words:
        return [("", carrier)] if carrier else []
    joined = _joined(" ".join(words))
    if proved(joined) or any(forms_of(joined, carrier)):
        return [(joined, carrier)]
    if not all(_PLAIN.fullmatch(word) for word in words):
        return []
    if len(words) > 1 and all(len(word) <= _SHORT_GROUP for word in words):
        return [(joined, carrier)]
    if len(words) == 1 or all(len(word) >= _OF_ITS_OWN for word in words):
        return [(word, carrier) for word in words]
    return []


def _free(text: str, known: Collection[str]) -> Iterator[_Read]:
    """Numbers beside a carrier's name or the word tracking, and those that prove themselves."""
    said, at = Wording(next(iter(known)) if len(known) == 1 else None), 0
    near = _Nearby(text, known)
    while at < len(text):
        taken = None
        if text[at].isalnum() and not (at and text[at - 1].isalnum()):
            taken = _taken(text, at, said, near)
        if taken is not None:
            window, carrier = taken
            yield _Read(at, Parcel(window.number, carrier, ""))
            at = window.end
            continue
        found = WORD.match(text, at)
        if found is None:
            at += 1  # a line's end that is not followed by anything
            continue
        at = found.end()
        said.hear(found)


class _Nearby:
    """The carriers that are named on a line, or on the one before or behind it."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        self._text = text
        self._known = set(known)
        self._named = [
            {carrier_named(found[0]) for found in re.finditer(NAME, line, re.IGNORECASE)}
            for line in text.split("\n")
        ]

    def of(self, at: int) -> set[str]:
        """Around this place of the text."""
        line = self._text.count("\n", 0, at)
        return self._known.union(*self._named[max(line - 1, 0) : line + 2])


def _taken(text: str, at: int, said: Wording, near: _Nearby) -> tuple[_Window, str] | None:
    """The longest number that begins here and is tracking, with its carrier."""
    for window in sorted(_windows(text, at), key=lambda one: -one.end):
        carrier = _carrier_of(text, window, said, near)
        if carrier is not None:
            return window, carrier
    return None


def _windows(text: str, at: int) -> Iterator[_Window]:
    """The words from here on, one, two and more of them, as one number each."""
    joined, end = "", at
    torn = re.search(r"[0-9][ .\-]$", text[max(at - 2, 0) : at]) is not None
    for parts in range(1, _MOST_GROUPS + 1):
        token = _TOKEN.match(text, end)
        if token is None or (parts > 1 and token[0].upper() != token[0]):
            return
        joined, end = joined + token[0].upper(), token.end()
        if parts == 1 or _is_grouped(joined, text[at:end]):
            torn_here = re.match(r"[ .\-][0-9]", text[end : end + 2]) is not None
            yield _Window(at, end, joined, parts, torn or torn_here)
        is_last = text[end : end + 1] not in _BETWEEN or len(joined) > _LONGEST_NUMBER
        if is_last or token[0].upper() != token[0]:
            return
        end += 1


def _is_grouped(joined: str, text: str) -> bool:
    """Whether several words may be one number that was written in groups."""
    if not any(forms_of(joined)):
        return False
    return proved(joined) is not None or max(map(len, _TOKEN.findall(text))) <= _LONGEST_GROUP


def _carrier_of(text: str, window: _Window, said: Wording, near: _Nearby) -> str | None:
    """The carrier of a number, empty where nobody says; None if it is no tracking at all."""
    number = window.number
    sure, after = proved(number), None if said.beside else _named_after(text, window)
    here = after if after is not None else said.beside
    if sure is not None:
        is_theirs = here and any(forms_of(number, here))
        return here if here and (is_theirs or not sure.decides) else sure.carrier
    if said.last in OTHER_NUMBERS and (after is not None or said.beside is None):
        return None
    is_phone = text[: window.start].rstrip(" (").endswith("+") or bool(PHONE.fullmatch(number))
    around = near.of(window.start)
    if here is None:
        named = () if is_phone and not said.parcel else around
        is_called_so = said.parcel and not (is_phone or _is_torn(window))
        return _of_the_form(number, named, is_called_so=is_called_so)
    if not _is_theirs(window, here, said, is_phone=is_phone):
        return None
    return here or (next(iter(around)) if len(around) == 1 else "")


def _is_theirs(window: _Window, here: str, said: Wording, *, is_phone: bool) -> bool:
    """Whether a number is tracking that stands beside a carrier's name, or beside that word."""
    forms = list(forms_of(window.number, here))
    if here and any(one.is_proved(window.number) for one in forms):
        return True
    if is_phone:
        return False
    if said.last == REFERENCE:
        return not _is_torn(window) and any(_is_right(one, window.number) for one in forms)
    by_place = window.parts == 1 and _ANY_NUMBER.fullmatch(window.number) is not None
    return by_place or (bool(forms) and not _is_torn(window))


def _is_torn(window: _Window) -> bool:
    """Whether several words are taken for a number, and digits stand right beside them."""
    return window.torn and window.parts > 1


def _named_after(text: str, window: _Window) -> str | None:
    """The carrier that is named right behind a number, or alone on the line below its own line."""
    found = NAMED_AFTER.match(text, window.end)
    if found is not None:
        return carrier_named(found[1])
    line = text.rfind("\n", 0, window.start) + 1
    below = NAMED_BELOW.match(text, window.end)
    is_alone = not text[line : window.start].strip(" *\u2022-")
    if below is None or not is_alone or not any(forms_of(window.number, carrier_named(below[1]))):
        return None
    return carrier_named(below[1])


def _of_the_form(number: str, around: Collection[str], *, is_called_so: bool) -> str | None:
    """The carrier nearby whose number this is: by its check digit, or if it is called a parcel's.

    One that several of them may have is nobody's.
    """
    forms = [one for one in forms_of(number) if one.carrier in around]
    right = {one.carrier for one in forms if one.is_proved(number) or is_called_so}
    return right.pop() if len(right) == 1 else None


def _is_right(form: Form, number: str) -> bool:
    """Whether a number of a form may be called a reference: a customer's own may look like one."""
    return form.speaks or form.check is None or form.is_proved(number)


def _carried(parcels: Sequence[Parcel], told: Sequence[str]) -> list[Parcel]:
    """With the carriers of lines of their own: one stands for all, several beside each other."""
    if len(told) == 1:
        return [replace(one, carrier=told[0]) for one in parcels]
    if len(told) < len(parcels):
        return list(parcels)
    return [replace(one, carrier=name) for one, name in zip(parcels, told, strict=False)]


def _linked(
    parcels: Sequence[Parcel], links: Iterable[str], stated: Collection[str]
) -> list[Parcel]:
    """With the addresses that name their numbers; those of lines of their own, in their order."""
    done = list(parcels)
    for link in dict.fromkeys(links):
        where = next(
            (at for at, one in enumerate(done) if one.number and one.number in _joined(link)), None
        )
        if where is None and link in stated:
            where = next((at for at, one in enumerate(done) if one.number and not one.url), None)
        if where is None:
            done.append(Parcel(_number_of(link), site_of(link), link))
        elif not done[where].url:
            done[where] = replace(done[where], url=link)
    return done


def _is_labelled(text: str, at: int) -> bool:
    """Whether an address is the value of a line that says that it is tracking."""
    start = text.rfind("\n", 0, at) + 1
    found = _LABEL.match(text[start:].split("\n", 1)[0])
    return found is not None and start + found.start("value") <= at


def _number_of(link: str) -> str:
    """The number that an address of a carrier asks for; empty where it is not sure."""
    tokens = [token.upper() for token in _TOKEN.findall(link)]
    carrier = site_of(link)
    for token in tokens:
        forms = forms_of(token, carrier) if carrier else ()
        if proved(token) or any(one.check is None or one.is_proved(token) for one in forms):
            return str(token)
    return ""
