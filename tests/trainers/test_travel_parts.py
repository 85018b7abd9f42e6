"""Files that grow, as parts in a store without append and locks: read back byte for byte."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from trainers.recording.travel.parts import Base, ByteSpan, lineage, part_name, pieces, to_write

FILE = "BTCUSDT.decisions.jsonl"
MOST = 10


class Holder:
    """Whoever has an epoch: its file on its own machine, and what it has put into the store."""

    def __init__(self, store, epoch, content):
        self.store, self.epoch, self.content = store, epoch, content
        self.open_at = self.written = len(content)

    def grow(self, data):
        self.content += data

    def ship(self):
        for span in to_write(self.open_at, self.written, len(self.content), MOST):
            key = (self.epoch, span.start)
            assert len(self.store.get(key, b"")) < MOST, "a full part is written again"
            self.store[key] = self.content[span.start : span.stop]
            self.open_at, self.written = span


def read(store, bases, since=0):
    parts = {}
    for (epoch, offset), data in store.items():
        parts.setdefault(epoch, []).append(ByteSpan(offset, offset + len(data)))
    return b"".join(
        store[piece.epoch, piece.offset][piece.start - piece.offset : piece.stop - piece.offset]
        for piece in pieces(FILE, bases, parts, since)
    )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("grow"), st.integers(0, 3), st.binary(max_size=27)),
        st.tuples(st.just("ship"), st.integers(0, 3), st.none()),
        st.tuples(st.just("take over"), st.none(), st.none()),
        st.tuples(st.just("give up"), st.none(), st.none()),
    ),
    max_size=40,
)


@given(steps, st.integers(0, 60))
def test_the_store_has_what_the_newest_holder_has_shipped_whatever_older_ones_still_write(
    steps, since
):
    store, bases = {}, {1: Base(0, {})}
    holders = [Holder(store, 1, b"")]
    epoch, shipped = 1, b""
    for what, who, data in steps:
        if what in ("grow", "ship"):
            holder = holders[min(who, len(holders) - 1)]
            if what == "grow":
                holder.grow(data)
            else:
                holder.ship()
                if holder is holders[-1]:
                    shipped = holder.content
        else:
            epoch += 1
            if what == "take over":  # whoever gives up has raised the epoch and never begun it
                found = read(store, bases)
                assert found == shipped
                bases[epoch] = Base(max(bases), {FILE: len(found)})
                holders.append(Holder(store, epoch, found))
    assert read(store, bases) == shipped
    assert shipped.startswith(shipped[:since])
    if since <= len(shipped):
        assert read(store, bases, since) == shipped[since:]


@given(st.lists(st.integers(0, 100), min_size=1))
def test_parts_follow_each_other_without_a_hole(growth):
    open_at = written = size = 0
    for more in growth:
        size += more
        spans = to_write(open_at, written, size, MOST)
        assert not spans or (spans[0].start in (open_at, written) and spans[-1].stop == size)
        for one, other in itertools.pairwise(spans):
            assert one.stop == other.start
        assert all(span.stop - span.start <= MOST for span in spans)
        if spans:
            open_at, written = spans[-1]
    assert written == size


def test_an_epoch_that_began_after_it_was_replaced_is_in_nobodys_lineage():
    bases = {1: Base(0, {}), 2: Base(1, {FILE: 5}), 3: Base(1, {FILE: 7})}
    assert lineage(bases) == [1, 3]


def test_what_is_missing_ends_the_file_and_is_never_skipped():
    bases = {1: Base(0, {})}
    assert pieces(FILE, bases, {1: [ByteSpan(0, 10), ByteSpan(20, 30)]}) == [(1, 0, 0, 10)]
    assert part_name(FILE, 10) < part_name(FILE, 100)
