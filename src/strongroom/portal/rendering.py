"""Turn a view into a page: template, texts of the language, the frame around it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from markupsafe import Markup

from strongroom.kit.pages import Assets, make_environment
from strongroom.portal import formats, paths
from strongroom.portal.texts import DEFAULT_LANGUAGE, Texts, load_texts
from strongroom.portal.views.frame import FieldProblem, Frame, View
from strongroom.portal.views.handing_over import FollowStage
from strongroom.portal.views.paying import ElsewhereState, PayStage
from strongroom.portal.views.sharing import ShareElsewhereState, ShareStage

_FOLDER: Final = Path(__file__).parent


class LiveAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a status address answers: shown as it is; `final` makes the page load itself anew, or go to `next`."""

    text: str
    final: bool
    next: str = ""


class Pages:
    """Every page of the customer's website, in every language; built once."""

    def __init__(self, texts: Mapping[str, Texts] | None = None) -> None:
        self._texts = load_texts() if texts is None else texts
        self.assets = Assets(_FOLDER / "static", paths.STATIC)
        self._environment = make_environment(_FOLDER / "templates")
        self._environment.globals["asset"] = self.assets.url
        self._environment.globals["to"] = paths
        self._environment.filters["money"] = formats.money
        self._environment.filters["sort_code"] = formats.sort_code
        self._environment.filters["clock"] = formats.clock

    def render(self, frame: Frame, view: View) -> str:
        """Render a view as an HTML document."""
        texts = self._in(frame.language)
        return self._environment.get_template(view.template).render(
            v=view,
            frame=frame,
            t=texts.text,
            plural=texts.plural,
            day=partial(formats.day, texts),
            moment=partial(formats.moment, texts),
            moment_exact=partial(formats.moment_exact, texts),
            since=partial(formats.since, texts),
            problem_text=partial(_problem_text, texts),
        )

    def payment_answer(self, language: str, stage: PayStage | None, bank_name: str) -> LiveAnswer:
        """Answer a payment's status address; None is a final state."""
        return self._answer(language, "payment_live.stage", stage, bank_name)

    def sharing_answer(self, language: str, stage: ShareStage | None, bank_name: str) -> LiveAnswer:
        """Answer a sharing's status address; None is a final state."""
        return self._answer(language, "share_live.stage", stage, bank_name)

    def elsewhere_answer(self, language: str, state: ElsewhereState) -> LiveAnswer:
        """Answer the status address that another browser asks: no names."""
        text = str(self._in(language).text(f"elsewhere.state.{state}"))
        return LiveAnswer(text, final=state is not ElsewhereState.CHECKING)

    def share_elsewhere_answer(self, language: str, state: ShareElsewhereState) -> LiveAnswer:
        """Answer the status address that a browser without session asks about a sharing: no names."""
        text = str(self._in(language).text(f"share_elsewhere.state.{state}"))
        return LiveAnswer(text, final=state is not ShareElsewhereState.READING)

    def phone_answer(self, language: str, *, is_waiting: bool) -> LiveAnswer:
        """Answer the phone that shows its number."""
        return LiveAnswer(str(self._in(language).text("phone_number.state")), final=not is_waiting)

    def follow_answer(self, language: str, stage: FollowStage, bank_name: str) -> LiveAnswer:
        """Answer the computer that follows a phone."""
        text = self._in(language).text(f"follow_phone.stage.{stage}", bank=bank_name)
        return LiveAnswer(text.unescape(), final=False)

    def old_code_answer(self, language: str) -> LiveAnswer:
        """Answer the page whose code has gone by."""
        return LiveAnswer(str(self._in(language).text("banks.phone_old")), final=False)

    def _answer(self, language: str, key: str, stage: PayStage | ShareStage | None, bank_name: str) -> LiveAnswer:
        text = self._in(language).text(f"{key}.{stage or 'final'}", bank=bank_name)
        return LiveAnswer(text.unescape(), final=stage is None)

    def _in(self, language: str) -> Texts:
        return self._texts.get(language) or self._texts[DEFAULT_LANGUAGE]


def _problem_text(texts: Texts, problem: FieldProblem) -> Markup:
    key = f"problem.{problem.field}.{problem.problem}"
    return texts.text(key) if problem.count is None else texts.plural(key, problem.count)
