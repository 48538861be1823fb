"""An index says what a dict would say, in a sixth of its room."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from batchrunner.outputs.index import MAX_PLACE, Index

# Many keys want the same slot, also the last one, behind which the first comes.
keys = st.builds(
    lambda high, low: high << 61 | low, st.integers(0, 7), st.sampled_from([0, 1, 1022, 1023])
) | st.integers(0, 2**64 - 1)
puts = st.lists(st.tuples(keys, st.integers(0, MAX_PLACE)), max_size=200)


@given(puts, st.lists(keys, max_size=20))
def test_it_says_what_a_dict_would_say(puts, others):
    index, known = Index(), {}
    for key, place in puts:
        index.put(key, place)
        known[key] = place

    assert len(index) == len(known)
    for key in [*known, *others]:
        assert index.get(key) == known.get(key)


@given(puts)
def test_with_room_from_the_start_it_says_the_same(puts):
    grown, roomy = Index(), Index(5000)
    for key, place in puts:
        grown.put(key, place)
        roomy.put(key, place)

    assert [grown.get(key) for key, _ in puts] == [roomy.get(key) for key, _ in puts]


def test_it_grows_and_forgets_nothing():
    index = Index()
    for number in range(20_000):
        index.put(number * 0x9E3779B97F4A7C15 % 2**64, number)

    assert len(index) == 20_000
    assert all(
        index.get(number * 0x9E3779B97F4A7C15 % 2**64) == number for number in range(20_000)
    )


def test_it_is_full_at_three_quarters_and_takes_22_to_43_bytes_an_answer():
    tracemalloc.start()
    index = Index()
    for number in range(200_000):
        index.put(number * 0x9E3779B97F4A7C15 % 2**64, number)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 21 <= size / 200_000 <= 43


def test_where_all_is_foreseen_nothing_moves():
    tracemalloc.start()
    index = Index(200_000)
    before, _ = tracemalloc.get_traced_memory()
    for number in range(200_000):
        index.put(number * 0x9E3779B97F4A7C15 % 2**64, number)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1.1 * before
