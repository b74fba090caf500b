"""Names that are joined are one set, however long the chain."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from training.datasets.groups import Joined

NAMES = st.sampled_from("abcdefghij")


@given(st.lists(st.tuples(NAMES, NAMES), max_size=15))
@settings(max_examples=80, deadline=None)
def test_two_names_are_one_set_exactly_when_a_chain_leads_from_one_to_the_other(pairs: list[tuple[str, str]]) -> None:
    joined = Joined()
    for pair in pairs:
        joined.join(pair)
    reached = {name: {name} for name in "abcdefghij"}
    for _ in reached:
        for one, other in pairs:
            reached[one] |= reached[other]
            reached[other] |= reached[one]
    for name, others in reached.items():
        assert joined.find(name) == min(others)
