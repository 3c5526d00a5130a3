import io
import json
import logging
import sys

import pytest
import structlog

from strongroom.kit.log import MASK, configure_logging, mask


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)  # the stream of the process, not code of ours
    structlog.reset_defaults()
    configure_logging(readable=False)
    yield out
    monkeypatch.undo()
    structlog.reset_defaults()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


@pytest.mark.parametrize(
    "secret",
    ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "12345678", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
)
def test_what_looks_like_a_secret_is_masked(secret: str):
    assert mask(f"x {secret} y") in (f"x {MASK} y", f"x whsec_{MASK} y")


@pytest.mark.parametrize("kind", ["Bearer", "BEARER", "basic", "DPoP", "Ba\N{LATIN SMALL LETTER LONG S}ic"])
def test_a_token_is_masked_and_its_kind_stays_in_whichever_letters(kind: str):
    assert mask(f"Authorization: {kind} abcDEF123-_.xyz") == f"Authorization: {kind} {MASK}"


def test_every_secret_of_a_line_is_masked_whatever_stands_between_them():
    line = "Bearer abcdefgh,12345678;whsec_abc.4111111111111111 41111111111111112 é 5061810000000152048"
    assert mask(line) == f"Bearer {MASK},{MASK};whsec_{MASK}.{MASK} 41111111111111112 é {MASK}"


@pytest.mark.parametrize(
    "text",
    ["4111111111111112", "95061810000000152048", "1234567", "123456789", "2026-11-21T02:04:48.123456Z", "cse-0123456789012"],
)
def test_other_figures_stay(text: str):
    assert mask(text) == text


def test_a_line_is_json_and_a_planted_secret_is_masked(printed: io.StringIO):
    structlog.get_logger("t").warning("card 4111111111111111 seen", reason="Bearer abcdefghijk", status=200)
    line = json.loads(printed.getvalue())
    assert "4111111111111111" not in printed.getvalue()
    assert "abcdefghijk" not in printed.getvalue()
    assert line["status"] == 200


def test_a_field_that_is_not_allowed_is_dropped_and_named(printed: io.StringIO):
    structlog.get_logger("t").warning("hello", email="a@example.com", job="x")
    line = json.loads(printed.getvalue())
    assert line["dropped"] == ["email"]
    assert "a@example.com" not in printed.getvalue()


def test_an_exception_shows_places_and_never_its_message(printed: io.StringIO):
    try:
        try:
            raise ValueError("Key (email)=(a@example.com)")  # noqa: TRY301  # a cause is needed
        except ValueError as cause:
            raise KeyError("secret text") from cause
    except KeyError as error:
        structlog.get_logger("t").error("failed", exc_info=error)
    line = json.loads(printed.getvalue())
    assert line["error"] == "KeyError"
    assert "ValueError" in line["stack"]
    assert any("test_log.py" in place for place in line["stack"])
    assert "example.com" not in printed.getvalue()
    assert "secret text" not in printed.getvalue()


def test_lines_of_libraries_pass_the_same_walls(printed: io.StringIO):
    logging.getLogger("uvicorn.error").warning("got %s", "whsec_abcdef")
    assert json.loads(printed.getvalue())["logger"] == "uvicorn.error"
    assert "abcdef" not in printed.getvalue()


def test_the_request_id_is_bound(printed: io.StringIO):
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        structlog.get_logger("t").info("hello")
    assert json.loads(printed.getvalue())["request_id"] == "req-1"
