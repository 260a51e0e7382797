"""Sets of places kept as runs: which events are sent and which are not, in a few bytes whatever their number."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Runs:
    """Sorted, disjoint, never adjacent runs of integers; both ends of a run belong to it."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __contains__(self, place: int) -> bool:
        index = bisect_right(self._firsts, place) - 1
        return index >= 0 and self._lasts[index] >= place

    def lowest(self) -> int | None:
        """The lowest member; None when empty."""
        return self._firsts[0] if self._firsts else None

    def run_from(self, place: int) -> tuple[int, int] | None:
        """The first run of members at or above `place`, without what lies below it."""
        index = bisect_left(self._lasts, place)
        if index == len(self._lasts):
            return None
        return max(self._firsts[index], place), self._lasts[index]

    def count_from(self, place: int) -> int:
        """Number of members at or above `place`."""
        index = bisect_left(self._lasts, place)
        tail = zip(self._firsts[index:], self._lasts[index:], strict=True)
        return sum(last - max(first, place) + 1 for first, last in tail)

    def clip(self, first: int, last: int) -> list[tuple[int, int]]:
        """The runs of members from `first` to `last`."""
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        pairs = zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        return [(max(begin, first), min(end, last)) for begin, end in pairs]

    def take_lowest(self, count: int, below: int) -> list[tuple[int, int]]:
        """The runs of the `count` lowest members under `below`; they stay."""
        taken = []
        for first, last in self:
            if count <= 0 or first >= below:
                break
            end = min(last, first + count - 1, below - 1)
            taken.append((first, end))
            count -= end - first + 1
        return taken

    def add(self, first: int, last: int) -> tuple[int, int]:
        """Add every place from `first` to `last`; returns the run that they are part of now."""
        low, high = bisect_left(self._lasts, first - 1), bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._replace(low, high, [(first, last)])
        return first, last

    def remove(self, first: int, last: int) -> tuple[int, int]:
        """Take out every place from `first` to `last`; returns the bounds of the runs that were touched."""
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        if low >= high:
            return first, last
        bounds = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        rest = [(bounds[0], first - 1), (last + 1, bounds[1])]
        self._replace(low, high, [(begin, end) for begin, end in rest if begin <= end])
        return bounds

    def _replace(self, low: int, high: int, runs: list[tuple[int, int]]) -> None:
        old = zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        self._count += sum(last - first + 1 for first, last in runs) - sum(last - first + 1 for first, last in old)
        self._firsts[low:high] = [first for first, _ in runs]
        self._lasts[low:high] = [last for _, last in runs]
