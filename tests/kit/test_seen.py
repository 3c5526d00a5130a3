"""Texts that came before, remembered within a fixed memory."""

from __future__ import annotations

import resource

from strongroom.kit.seen import Seen


def test_a_text_is_new_once() -> None:
    with Seen() as seen, Seen() as other:
        assert [seen.is_new(text) for text in ("a", "b", "a", "")] == [True, True, False, True]
        assert other.is_new("a")


def test_many_texts_take_no_more_memory_than_fewer() -> None:
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with Seen() as seen:
        for number in range(100_000):
            seen.is_new(f"A-{number}")
        before = peak()
        for number in range(100_000, 300_000):
            seen.is_new(f"A-{number}")
        assert peak() - before < 2_048  # KiB
        assert not seen.is_new("A-0")
        assert not seen.is_new("A-299999")
