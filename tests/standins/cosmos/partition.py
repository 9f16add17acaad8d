"""A physical partition: a range of hashed keys, its items in the order of their last change."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

type Body = dict[str, object]
type Place = tuple[str, str]
"""The effective partition key and the id: where an item is."""


@dataclass(frozen=True, slots=True)
class Item:
    """One version of an item."""

    place: Place
    body: Body
    lsn: int
    size_bytes: int
    expires_at: float | None


@dataclass
class Partition:
    """Items whose keys hash into [low, high).

    Attributes
    ----------
    lsn : int
        The last change's number; a child of a split goes on from its parent's.
    """

    id: str
    low: str
    high: str
    parents: list[str] = field(default_factory=list)
    lsn: int = 0
    items: dict[Place, Item] = field(default_factory=dict)
    _changes: list[tuple[int, Place]] = field(default_factory=list)
    _ids: dict[str, list[str]] = field(default_factory=dict)

    def put(self, item: Item) -> None:
        """Keep an item's new version."""
        if item.place not in self.items:
            self._ids.setdefault(item.place[0], []).append(item.place[1])
        self.items[item.place] = item
        self._changes.append((item.lsn, item.place))

    def remove(self, place: Place) -> None:
        """Forget an item."""
        del self.items[place]
        self._ids[place[0]].remove(place[1])

    def changes(self, after: int, low: str, high: str) -> Iterator[Item]:
        """Give items of a range whose last change came after an LSN, oldest change first."""
        for lsn, place in self._changes[bisect_right(self._changes, after, key=lambda change: change[0]) :]:
            item = self.items.get(place)
            if item is not None and item.lsn == lsn and low <= place[0] < high:
                yield item

    def within(self, low: str, high: str) -> list[Item]:
        """Give the items of a range; one whole key is looked up and not searched for."""
        if high == successor(low):
            return [self.items[low, name] for name in self._ids.get(low, ())]
        return [item for item in self.items.values() if low <= item.place[0] < high]

    def halves(self, ids: tuple[str, str]) -> tuple["Partition", "Partition"]:
        """Give the two children of a split in the middle of the range."""
        ends = [int((end or "0").ljust(32, "0"), 16) for end in (self.low, self.high)]
        middle = f"{sum(ends) // 2:032X}" if self.high != "FF" else f"{(ends[0] + (0x40 << 120)) // 2:032X}"
        children = [
            Partition(ids[place], low, high, [*self.parents, self.id], self.lsn)
            for place, (low, high) in enumerate(((self.low, middle), (middle, self.high)))
        ]
        for item in self.changes(0, "", "FG"):
            children[bisect_left([middle], item.place[0] + "0")].put(item)
        return children[0], children[1]

    def restore(self, items: dict[Place, Item], lsn: int) -> None:
        """Go back to earlier items: what a batch did is undone."""
        self.items, self.lsn = items, lsn
        self._changes = [(change, place) for change, place in self._changes if change <= lsn]
        self._ids = {}
        for hashed, name in items:
            self._ids.setdefault(hashed, []).append(name)

    @property
    def row(self) -> Body:
        """The partition as `pkranges` lists it."""
        return {
            "id": self.id,
            "_rid": self.id,
            "minInclusive": self.low,
            "maxExclusive": self.high,
            "parents": self.parents,
            "ridPrefix": int(self.id),
            "throughputFraction": 1,
            "status": "online",
            "lsn": self.lsn,
        }


def successor(key: str) -> str:
    """Give the end of the range that holds one hashed key alone."""
    return f"{int(key, 16) + 1:0{len(key)}X}" if key else key
