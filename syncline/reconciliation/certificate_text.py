"""The certificate of a reconciliation, as it is read by people: text and rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from syncline.reconciliation.rules import IN_WORDS, Cause

COLUMNS = (
    *("period", "kind", "currency", "highlevel_count", "highlevel_total", "halo_count"),
    *("halo_total", "differences"),
)


NOT_ALL = "not everything was compared"
"""Stands beside the figures of a run that could not compare everything."""

_LONGEST_SENTENCE = 240


def lines(certificate: Mapping[str, Any]) -> list[str]:
    """The certificate as text: a line for each kind and currency, then what it rests on."""
    period = str(certificate["period"])
    told = [_line(period, one) for one in certificate["kinds"]]
    if not told:
        told = [f"{period}: nothing that was to be compared."]
    return [*told, *_remarks(certificate)]


def sentence(certificate: Mapping[str, Any]) -> str:
    """The kinds in one sentence, each currency for itself where that is not too long."""
    period = str(certificate["period"])
    told = [_line(period, one) for one in certificate["kinds"]] or lines(certificate)[:1]
    told += [NOT_ALL] * (not certificate.get("compared", True))
    said = "; ".join(told)
    return said if len(said) <= _LONGEST_SENTENCE else _summary(certificate)


def _summary(certificate: Mapping[str, Any]) -> str:
    """How many of each kind, all currencies together."""
    counts: dict[str, tuple[int, int]] = {}
    for one in certificate["kinds"]:
        ours, theirs = counts.get(one["kind"], (0, 0))
        counts[one["kind"]] = (
            ours + one["highlevel"]["count"],
            theirs + one["halo"]["count"],
        )
    told = [
        f"{ours:,} {kind}" if ours == theirs else f"{kind}: HighLevel {ours:,}, Halo {theirs:,}"
        for kind, (ours, theirs) in counts.items()
    ]
    told.append(_many(sum(certificate["by_cause"].values()), "difference"))
    told += [NOT_ALL] * (not certificate.get("compared", True))
    return f"{certificate['period']}: {'; '.join(told)}"


def rows(certificate: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The same as rows under `COLUMNS`, for a spreadsheet."""
    return [
        (
            *(certificate["period"], one["kind"], one["currency"]),
            *(one["highlevel"]["count"], one["highlevel"]["total"]),
            *(one["halo"]["count"], one["halo"]["total"], one["differences"]),
        )
        for one in certificate["kinds"]
    ]


def _line(period: str, one: Mapping[str, Any]) -> str:
    ours, theirs = one["highlevel"], one["halo"]
    end = _many(one["differences"], "difference")
    if ours == theirs:
        return f"{period}: {_side(one, ours)} on both sides, {end}"
    return f"{period}: HighLevel {_side(one, ours)}; Halo {_side(one, theirs)}; {end}"


def _side(one: Mapping[str, Any], side: Mapping[str, Any]) -> str:
    kind = one["kind"] if side["count"] != 1 else one["kind"].removesuffix("s")
    counted = f"{side['count']:,} {kind}"
    if side["total"] is None:
        return counted
    return f"{counted}, {one['currency']} {Decimal(side['total']):,f}"


def _remarks(certificate: Mapping[str, Any]) -> list[str]:
    told = [
        f"{_many(many, 'difference')}: {IN_WORDS[Cause(cause)]}"
        for cause, many in certificate["by_cause"].items()
    ]
    told += [
        f"{_many(certificate[state], 'difference')} {state} before"
        for state in ("marked", "accepted")
        if certificate[state]
    ]
    told += [f"{one['count']:,} {one['what']} left out" for one in certificate["left_out"]]
    told += [
        f"{_many(one['count'], 'order')} with a line for what HighLevel does not tell, "
        f"{one['currency']} {Decimal(one['total']):,f} in all, such as {', '.join(one['examples'])}"
        for one in certificate.get("untold", ())
    ]
    told += [
        f"{_many(one['count'], one['kind'].removesuffix('s'))} of which HighLevel says two things, "
        f"neither newer: not compared, such as {', '.join(one['examples'])}"
        for one in certificate.get("contested", ())
    ]
    if certificate["on_the_way"]:
        told.append(f"{certificate['on_the_way']:,} on their way, not compared")
    if certificate["unconfirmed"]:
        told.append(
            f"{certificate['unconfirmed']:,} more seem to differ and were not read again: "
            "put right what is listed, and run it again"
        )
    told += [
        f"{one['count']:,} {one['kind']} of which {one['side']} does not show "
        f"{', '.join(one['fields'])}: "
        f"not compared in that, such as {', '.join(one['examples'])}"
        for one in certificate.get("unshown", ())
    ]
    told += [
        f"{one['count']:,} {one['kind']} taken as not voided: this Halo shows voided of no invoice "
        "that is not"
        for one in certificate.get("taken", ())
    ]
    told += [
        f"{_many(one['count'], 'row')} in Halo's list of {one['kind']} without an id or a "
        "reference: nobody can tell whose they are"
        for one in certificate.get("illegible", ())
    ]
    told += [_of_highlevel(one) for one in certificate["complete"] if not one["equal"]]
    told.append(_highlevel(certificate))
    if certificate["statement"]:
        told.append(certificate["statement"])
    calls = certificate["calls"]
    ways = ", ".join(f"{kind} by {way}" for kind, way in certificate["ways"].items())
    told.append(
        f"{certificate['mode']}, {calls['halo']} calls to Halo ({ways or 'none'}), "
        f"{calls['highlevel']} to HighLevel, {certificate['seconds']:.0f} s"
    )
    return told


def _of_highlevel(one: Mapping[str, Any]) -> str:
    theirs = "it does not tell how many it has"
    if one["highlevel"] is not None:
        theirs = f"it has {one['highlevel']:,}"
    rest = ", the rest is being read" if one.get("being_read") else ""
    return f"{one['kind']}s of HighLevel: {theirs}, {one['ledger']:,} were read{rest}"


def _highlevel(certificate: Mapping[str, Any]) -> str:
    """What HighLevel's side rests on."""
    read = certificate.get("read_again", 0)
    if read:
        return f"HighLevel: counted by itself, and {_many(read, 'reading')} by id made again"
    return "HighLevel: as its pulls and events were read, counted by itself"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
