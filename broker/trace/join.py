"""Pseudonyms: made anew of what the providers have, or of a list, and looked for among the words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.contract import BoundMask
from adapters.sources.contract import Query, Source, SourceError
from broker.arrow import arrow_type
from broker.errors import Unavailable
from broker.model import Catalog, Dataset
from broker.reasons import Reason
from broker.trace.contexts import Context, Key
from broker.transmit.quality import check

SHORTEST = 16
"""Characters: a shorter result can be met with by chance."""
EACH = 2.0**-40
"""At most the chance that a word of that length is met with among all the values of a city."""
MOST_PEOPLE = 200_000
_ROWS = 65_536


@dataclass(slots=True)
class Met:
    """What of a context was found among the words."""

    words: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    """Identifiers of the subjects whose rows they are of."""

    def add(self, words: pa.Array, people: Sequence[pa.Array]) -> None:
        """``people`` has for each subject field the identifiers of the rows."""
        self.words.update(words.to_pylist())
        for identifiers in people:
            if len(self.people) < MOST_PEOPLE:
                self.people.update(filter(None, identifiers.to_pylist()))


def met_in_sources(
    contexts: Sequence[Context],
    words: pa.Array,
    catalog: Catalog,
    sources: Mapping[str, Source],
    zone: tzinfo,
) -> dict[Key, Met]:
    """What is found of each context, from the providers' rows as they are now, a batch at a time.

    Raises:
        Unavailable: SOURCE_UNAVAILABLE, it names the dataset.
    """
    found: dict[Key, Met] = defaultdict(Met)
    for dataset, of_dataset in _by_dataset(contexts, catalog).items():
        names = dict.fromkeys((*(name for name, _ in of_dataset), *catalog.datasets[dataset].subject_fields))
        for batch in _rows(catalog.datasets[dataset], list(names), sources[dataset], zone):
            for name, context in of_dataset:
                hit = _found(context, batch.column(name), words)
                if hit is not None:
                    rows = batch.filter(hit[1])
                    subjects = catalog.datasets[dataset].subject_fields
                    found[context.key].add(hit[0], [rows.column(subject) for subject in subjects])
    return found


def met_in_list(contexts: Sequence[Context], words: pa.Array, values: Sequence[str]) -> dict[Key, Met]:
    """The same from a list of values of text fields."""
    found: dict[Key, Met] = defaultdict(Met)
    listed = pa.array(values, pa.string())
    for context in contexts:
        if arrow_type(context.masked.type) == pa.string():
            hit = _found(context, listed, words)
            if hit is not None:
                found[context.key].add(hit[0], [listed.filter(hit[1])] if context.identifies else [])
    return found


def _found(context: Context, values: pa.Array, words: pa.Array) -> tuple[pa.Array, pa.Array] | None:
    """The words met with, and in which rows."""
    mask: BoundMask = context.masked.bind(context.keys)
    results = mask(values)
    if results.type != pa.string():
        return None
    hit = pc.is_in(results, value_set=words)
    return (results.filter(hit), hit) if hit.true_count else None


def _by_dataset(contexts: Sequence[Context], catalog: Catalog) -> dict[str, list[tuple[str, Context]]]:
    """Dataset → its fields with the contexts they were released in, as far as the catalog has them."""
    found: dict[str, list[tuple[str, Context]]] = defaultdict(list)
    for context in contexts:
        for dataset, name in context.places:
            known = catalog.datasets.get(dataset)
            if known is not None and name in known.fields:
                found[dataset].append((name, context))
    return found


def _rows(dataset: Dataset, names: Sequence[str], source: Source, zone: tzinfo) -> Iterator[pa.RecordBatch]:
    query = Query({name: dataset.source.columns[name] for name in names}, [], [])
    try:
        for batch in source.read(query, _ROWS):
            yield check(batch, dataset, zone).good()
    except SourceError:
        failed = Unavailable(Reason.SOURCE_UNAVAILABLE, about=dataset.id)
    else:
        return
    raise failed
