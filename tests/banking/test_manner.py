"""How a bank's answer is asked to travel, by what its metadata offers: never unsigned without an id_token, never one in a query."""

from __future__ import annotations

import pytest

from strongroom.banking.connectors.uk_discovery import Discovery, Manner, choose_manner
from strongroom.banking.port import BankUnavailable

HYBRID, CODE = "code id_token", "code"


def offers(types: tuple[str, ...], modes: tuple[str, ...]) -> Discovery:
    bank = "https://bank.example"
    return Discovery(bank, f"{bank}/authorize", f"{bank}/token", f"{bank}/jwks", types, modes)


@pytest.mark.parametrize(
    ("types", "modes", "manner"),
    [
        ((HYBRID,), ("fragment", "form_post"), Manner(HYBRID, "form_post")),
        (("id_token code",), ("form_post",), Manner(HYBRID, "form_post")),
        ((HYBRID,), ("query", "fragment"), Manner(HYBRID, "fragment")),
        ((CODE, HYBRID), ("fragment", "form_post.jwt"), Manner(CODE, "form_post.jwt")),
        ((CODE,), ("query", "query.jwt"), Manner(CODE, "query.jwt")),
        ((HYBRID,), ("query.jwt", "fragment.jwt"), Manner(HYBRID, "fragment.jwt")),
        ((HYBRID,), ("query.jwt",), Manner(HYBRID, "fragment")),
    ],
)
def test_the_safest_manner_that_is_offered_is_chosen(types: tuple[str, ...], modes: tuple[str, ...], manner: Manner) -> None:
    assert choose_manner(offers(types, modes)) == manner


def test_a_bank_whose_answer_nothing_would_vouch_for_is_not_gone_to() -> None:
    with pytest.raises(BankUnavailable) as refused:
        choose_manner(offers((CODE,), ("query", "fragment", "form_post")))
    assert refused.value.code == "no_safe_answer"
