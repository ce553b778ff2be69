"""One trace: words, keys, certainty, receipts.

1. the words of the file, whatever it is (:mod:`~broker.trace.words`);
2. the keys under which anything was released, from the log (:mod:`~broker.trace.contexts`);
3. which of these keys the words are of: reversible tokens turned back (:mod:`~broker.trace.reverse`),
   pseudonyms made anew (:mod:`~broker.trace.join`), both held against chance (:mod:`~broker.trace.chance`);
4. under which receipts (:mod:`~broker.trace.sightings`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from adapters.sources.contract import Source
from broker.keys.keyring import Keyring
from broker.marks import NO_VAULT, Marks
from broker.model import Catalog
from broker.releases import Masks
from broker.store.store import Store
from broker.trace.chance import LIKELY, SURE, chance_of
from broker.trace.contexts import Context, Contexts, Key, statements
from broker.trace.join import EACH, SHORTEST, Met, met_in_list, met_in_sources
from broker.trace.reverse import turned_back
from broker.trace.sightings import ANSWERS, TAGGED, Sighting, Sightings, sight
from broker.trace.words import Leaked
from broker.transmit.watermark import REQUEST


@dataclass(frozen=True, slots=True)
class Finding:
    """Words of the file were released to this consumer, for this purpose."""

    key: Key
    fields: tuple[str, ...]
    """``dataset/field`` in which they can have been released."""
    tried: int
    """Words that may be tokens of this kind."""
    hits: int
    expected: float
    """Hits that chance would give."""
    chance: float
    """At most the chance of as many hits, if it were not so, over all keys that were tried."""
    people: int
    """Different subjects found; 0 where the field does not tell."""
    sightings: Sightings = field(default_factory=Sightings)

    @property
    def is_certain(self) -> bool:
        return self.chance <= SURE


@dataclass(frozen=True, slots=True)
class Marked:
    """What the file says of itself. It stands in the open, and whoever has the file can change it."""

    marks: Mapping[str, str]
    sighting: Sighting | None
    """The receipt of the request it names, if the log has one."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What a trace came to."""

    keys: int
    """That were tried."""
    untried: int
    """Releases whose key, operator or policy is gone."""
    findings: tuple[Finding, ...]
    """The most certain first."""
    marked: Marked | None


@dataclass(frozen=True, slots=True)
class Tracer:
    """What a trace needs of the broker's host."""

    store: Store
    masks: Masks
    keyring: Keyring
    catalog: Catalog
    sources: Mapping[str, Source]
    zone: tzinfo
    marks: Marks = NO_VAULT

    def trace(self, leaked: Leaked, subjects: Sequence[str] = (), dataset: str = "") -> Traced:
        """To whom the words of ``leaked`` were released, of all datasets or of one.

        ``subjects`` are values to make pseudonyms of; without any, those that the providers have.

        Raises:
            Unavailable: database or source cannot be read.
        """
        contexts = Contexts.of(self.store, self.masks, self.keyring, dataset)
        known = list(contexts.by_key.values())
        people: dict[Key, Collection[str]] = {}
        findings = [*self._reversed(known, leaked, people), *self._joined(known, leaked, subjects, people)]
        findings = [finding for finding in findings if finding.chance <= LIKELY or finding.people]
        people = {finding.key: people[finding.key] for finding in findings}
        receipts = sum(1 for _ in statements(self.store, dataset)) if findings else 0
        seen = sight(statements(self.store, dataset), contexts, people, self.marks, self.keyring, receipts)
        findings = [_with(finding, seen[finding.key]) for finding in findings]
        findings = [finding for finding in findings if finding.chance <= LIKELY]
        findings.sort(key=lambda finding: (finding.chance, -finding.hits))
        return Traced(len(known), len(contexts.untried), tuple(findings), self._marked(leaked))

    def _reversed(
        self, contexts: Sequence[Context], leaked: Leaked, people: dict[Key, Collection[str]]
    ) -> list[Finding]:
        words = pa.array(leaked.words, pa.string())
        found = []
        for context in contexts:
            if not context.is_reversible or context.masked.takes != pa.string():
                continue
            hits = turned_back(context, words)
            whom = set(hits.values.to_pylist()) if context.identifies and len(hits.values) else set()
            people[context.key] = whom
            chance = min(1.0, hits.chance * len(contexts))
            found.append(
                Finding(
                    context.key,
                    _fields(context),
                    hits.tried,
                    len(hits.tokens),
                    hits.expected,
                    chance,
                    len(whom),
                )
            )
        return found

    def _joined(
        self,
        contexts: Sequence[Context],
        leaked: Leaked,
        subjects: Sequence[str],
        people: dict[Key, Collection[str]],
    ) -> list[Finding]:
        words = pa.array(leaked.words, pa.string())
        words = words.filter(pc.greater_equal(pc.utf8_length(words), SHORTEST))
        wanted = [context for context in contexts if not context.is_reversible]
        if not wanted or not len(words):
            return []
        if subjects:
            met = met_in_list(wanted, words, subjects)
        else:
            met = met_in_sources(wanted, words, self.catalog, self.sources, self.zone)
        found = []
        for context in wanted:
            here = met.get(context.key, Met())
            people[context.key] = here.people
            chance = min(1.0, chance_of(len(here.words), len(words), EACH) * len(contexts))
            found.append(
                Finding(
                    context.key,
                    _fields(context),
                    len(words),
                    len(here.words),
                    len(words) * EACH,
                    chance,
                    len(here.people),
                )
            )
        return found

    def _marked(self, leaked: Leaked) -> Marked | None:
        if not leaked.marks:
            return None
        request_id = leaked.marks.get(REQUEST, "")
        for leaf_index, statement in statements(self.store):
            if statement["request_id"] == request_id and statement["kind"] in ANSWERS:
                return Marked(leaked.marks, Sighting.of(leaf_index, statement, 0))
        return Marked(leaked.marks, None)


def _fields(context: Context) -> tuple[str, ...]:
    return tuple(sorted(f"{dataset}/{name}" for dataset, name in context.places))


def _with(finding: Finding, sightings: Sightings) -> Finding:
    """A receipt that names somebody found leaves no doubt, however few the words."""
    chance = min(finding.chance, TAGGED) if sightings.by_tag else finding.chance
    return replace(finding, sightings=sightings, chance=chance)
