"""The open sources of the bundle in force."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.sources.contract import Source, SourceError
from broker.errors import SetUpError
from broker.model import Catalog, Dataset

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Sources:
    """Opens what a catalog names. What two catalogs in succession both name stays open. For one thread.

    Args:
        kinds: the kinds of source that may be used.
        base: folder at which relative paths of the catalog start.
    """

    def __init__(self, kinds: Mapping[str, type[Source]], base: str) -> None:
        self._kinds = kinds
        self._base = base
        self._open: dict[_Key, Source] = {}

    def open(self, catalog: Catalog) -> Mapping[str, Source]:
        """The source of each dataset. Those that ``catalog`` no longer names are closed.

        Raises:
            SetUpError: a kind may not be used, or a source cannot be opened; all is as it was before.
        """
        keys = {dataset.id: _key(dataset) for dataset in catalog.datasets.values()}
        opened: dict[_Key, Source] = {}
        try:
            for dataset in catalog.datasets.values():
                key = keys[dataset.id]
                if key not in self._open and key not in opened:
                    opened[key] = self._new(dataset)
        except SetUpError:
            _close(opened)
            raise
        known = self._open | opened
        self._open = {key: known[key] for key in keys.values()}
        _close({key: source for key, source in known.items() if key not in self._open})
        return {dataset: self._open[key] for dataset, key in keys.items()}

    def close(self) -> None:
        """Close them all."""
        _close(self._open)
        self._open = {}

    def _new(self, dataset: Dataset) -> Source:
        kind = self._kinds.get(dataset.source.kind)
        if kind is None:
            raise SetUpError(
                f"数据资源 {dataset.id} 的来源类型 {dataset.source.kind} 未安装或未获准使用。",
                f"Dataset {dataset.id}: source kind {dataset.source.kind} is not installed or not allowed.",
            )
        try:
            return kind(dataset.source.options, self._base)
        except SourceError as error:
            raise SetUpError(
                f"数据资源 {dataset.id} 的来源无法打开：{error}",
                f"Dataset {dataset.id}: its source cannot be opened: {error}",
            ) from None


def _key(dataset: Dataset) -> _Key:
    return dataset.source.kind, tuple(sorted(dataset.source.options.items()))


def _close(sources: Mapping[_Key, Source]) -> None:
    for source in sources.values():
        source.close()
