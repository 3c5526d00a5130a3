"""The customer's pages as markup and words: every page in every state, without a browser."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from gallery import LAST, NOW, Gallery, Sample, samples, serving
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kit.pages import CONTENT_SECURITY_POLICY, security_headers
from strongroom.portal import accent, formats
from strongroom.portal.rendering import Pages
from strongroom.portal.texts import FOLDER, Texts, TextsDisagree, UnknownText, load_texts
from strongroom.portal.views import handing_over, paying, plain, requests, sharing, signing_in
from strongroom.portal.views.frame import Frame, View

TEMPLATES = Path(formats.__file__).parent / "templates"
VOID = {"br", "hr", "img", "input", "link", "meta"}
STYLE_SHEET = (Path(formats.__file__).parent / "static" / "portal.css").read_text("utf-8")


class Page(HTMLParser):
    """The elements of a page, in order, with their attributes and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = defaultdict(list)
        self.open: list[str] = []
        self.forms: list[list[dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)
        if tag == "form":
            self.forms.append([attributes])
        elif tag in {"input", "button"} and "form" in self.open:
            self.forms[-1].append(attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and tag in self.open:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        for tag in self.open[-1:]:
            self.texts[tag].append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> str:
        return "".join(self.texts[tag])


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery()


every_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


@every_sample
def test_a_page_is_well_formed_with_one_heading_and_a_title(gallery: Gallery, sample: Sample) -> None:
    page = Page(gallery.html(sample.name))
    assert page.open == []
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == len(page.all("header")) == len(page.all("footer")) == 1
    assert "<" not in page.text("title")
    assert page.text("title").startswith("Error: ") == bool(getattr(sample.view, "problems", ()))
    assert page.text("title").endswith(sample.frame.firm.name if sample.frame.firm else "Strongroom")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@every_sample
def test_nothing_on_a_page_is_inline_or_from_elsewhere(gallery: Gallery, sample: Sample) -> None:
    page = Page(gallery.html(sample.name))
    for tag, attributes in page.elements:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert tag != "script" or attributes["src"].startswith("/customer/static/")
        if tag in {"img", "link", "script"}:
            assert attributes.get("src", attributes.get("href", "")).startswith("/")
    assert not page.text("script").strip()


@every_sample
def test_every_form_that_acts_carries_the_token_and_named_buttons(gallery: Gallery, sample: Sample) -> None:
    for form, *fields in Page(gallery.html(sample.name)).forms:
        if form["method"] == "post" and sample.name != "pay-hand-over":  # the bank's own answer, bound by its state
            assert [field["value"] for field in fields if field.get("name") == "csrf"] == [sample.frame.csrf]
        assert form["action"].startswith("/customer")


@every_sample
def test_every_field_has_a_label(gallery: Gallery, sample: Sample) -> None:
    html = gallery.html(sample.name)
    page = Page(html)
    labelled = {attributes.get("for") for attributes in page.all("label")}
    for field in page.all("input"):
        inside = re.search(r'<label class="choice">\s*<input[^>]*value="{}"'.format(re.escape(field.get("value", ""))), html)
        assert field["type"] == "hidden" or field.get("id") in labelled or inside


@every_sample
def test_a_problem_is_linked_to_its_field_and_told_beside_it(gallery: Gallery, sample: Sample) -> None:
    page = Page(gallery.html(sample.name))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    described = " ".join(attributes.get("aria-describedby", "") for _, attributes in page.elements).split()
    links = {attributes.get("href") for attributes in page.all("a")}
    assert set(described) <= ids
    for problem in getattr(sample.view, "problems", ()):
        assert problem.field in ids
        assert f"#{problem.field}" in links
        assert f"{problem.field}-problem" in described


def test_every_kind_of_page_has_a_title_of_its_own(gallery: Gallery) -> None:
    titles: dict[str, set[str]] = defaultdict(set)
    for sample in samples():
        if "receipt" not in sample.name and not sample.name.startswith(("request-", "unrecognised")):
            title = Page(gallery.html(sample.name)).text("title").removeprefix("Error: ")
            titles[title].add(sample.view.template)
    shared = {title: views for title, views in titles.items() if len(views) > 1}
    assert shared == {}


def test_every_view_and_every_state_is_in_the_gallery() -> None:
    shown = {type(sample.view) for sample in samples()}
    declared = {
        each
        for module in (signing_in, requests, paying, sharing, handing_over, plain)
        for each in vars(module).values()
        if dataclasses.is_dataclass(each) and hasattr(each, "template")
    }
    assert declared <= shown
    assert {path.name for path in TEMPLATES.iterdir()} - {each.template for each in declared} == {
        "base.html",
        "parts.html",
        "go_head.html",
        "go_link.html",
        "reload_head.html",
    }


@pytest.mark.parametrize("path", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_a_template_holds_no_words_no_raw_markup_and_no_addresses(path: Path) -> None:
    source = path.read_text("utf-8")
    bare = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|<[^>]*>", "", re.sub(r"{{.*?}}", "", source), flags=re.DOTALL)
    assert not re.search(r"[A-Za-z]{2,}", bare), bare.strip()
    assert "|safe" not in source.replace(" ", "")
    assert "/customer" not in source
    assert not re.search(r'(?:aria-label|alt|placeholder|title)="[A-Za-z]', source)


# Texts


class RecordingTexts(Texts):
    """English, remembering which texts were asked for."""

    def __init__(self) -> None:
        super().__init__("en", entries())
        self.used: set[str] = set()

    def text(self, key: str, /, **values: object) -> formats.Markup:
        self.used.add(key)
        return super().text(key, **values)


def entries(texts: Texts | None = None) -> dict[str, str]:
    return dict((texts or load_texts()["en"])._entries)


def test_every_text_is_used_by_a_page_and_every_text_used_exists() -> None:
    texts = RecordingTexts()
    gallery = Gallery(Pages({"en": texts}))
    for name in gallery.samples:
        gallery.html(name)
    for month in range(1, 13):
        formats.day(texts, date(2026, month, 1))
    gallery.pages.payment_answer("en", None, LAST.name)
    gallery.pages.sharing_answer("en", None, LAST.name)
    gallery.pages.old_code_answer("en")
    assert entries().keys() - texts.used == set()


def test_a_text_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownText):
        load_texts()["en"].text("no.such.text")


def write_language(folder: Path, language: str, texts: dict[str, str]) -> None:
    lines = (f'"{key}" = "{text}"' for key, text in texts.items())
    (folder / f"{language}.toml").write_text("\n".join(lines), "utf-8")


def test_a_second_language_needs_only_a_second_file(tmp_path: Path) -> None:
    (tmp_path / "en.toml").write_text((FOLDER / "en.toml").read_text("utf-8"), "utf-8")
    write_language(tmp_path, "cy", {key: f"[{text}]" for key, text in entries().items()})
    pages = Pages(load_texts(tmp_path))
    sample = next(each for each in samples() if each.name == "pay-check")
    html = pages.render(dataclasses.replace(sample.frame, language="cy"), sample.view)
    assert '<html lang="cy">' in html
    assert "[Check and agree]" in html
    assert "[21\xa0[November]\xa02026]" not in html


@pytest.mark.parametrize("change", [{"help.title": None}, {"help.title": "{firm}"}, {"help.more": "x"}])
def test_a_language_that_lacks_a_text_or_a_placeholder_is_refused(tmp_path: Path, change: dict[str, str | None]) -> None:
    write_language(tmp_path, "en", entries())
    changed = {key: text for key, text in {**entries(), **change}.items() if text is not None}
    write_language(tmp_path, "cy", changed)
    with pytest.raises(TextsDisagree, match=next(iter(change))):
        load_texts(tmp_path)


def test_what_a_firm_or_a_bank_sends_is_escaped(gallery: Gallery) -> None:
    attack = "<script>alert(1)</script>{amount}"
    sample = next(each for each in samples() if each.name == "pay-result-held")
    slip = dataclasses.replace(sample.view.slip, description=attack, payee=attack, reference=attack)
    view = dataclasses.replace(sample.view, slip=slip, bank_name=attack, reason=attack)
    html = gallery.pages.render(sample.frame, view)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{amount}" in html


# Words that must, or must never, be said


def words(gallery: Gallery, name: str) -> str:
    without = re.sub(r"<script.*?</script>|<title>.*?</title>", "", gallery.html(name), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", without)).replace("&amp;", "&")


@every_sample
def test_no_page_uses_the_trade_s_words(gallery: Gallery, sample: Sample) -> None:
    said = words(gallery, sample.name).lower()
    for word in ("psu", "aspsp", "aisp", "pisp", "consent", "error occurred", "submit", "redirect", "oops", "e-mail"):
        assert not re.search(rf"\b{word}\b", said), word


def test_paid_never_means_received(gallery: Gallery) -> None:
    assert "not yet confirmed as received" in words(gallery, "pay-result-executed")
    assert "does not say that it has been received or cleared" in words(gallery, "pay-receipt-executed")
    assert "not yet confirmed as received" in words(gallery, "actions-done")
    assert "do not pay again" in words(gallery, "pay-result-unconfirmed")


def test_paying_and_sharing_share_no_sentence_about_what_is_agreed(gallery: Gallery) -> None:
    pay = {key.split(".", 1)[1]: text for key, text in entries().items() if key.startswith(("check_pay", "go_pay"))}
    share = [text for key, text in entries().items() if key.startswith(("share_", "go_share", "shared", "not_shared"))]
    assert set(pay.values()).isdisjoint(share)
    assert "£" not in words(gallery, "share-check")


def test_the_provider_is_named_before_agreeing_and_on_the_receipt(gallery: Gallery) -> None:
    for name in ("pay-check", "share-check", "pay-receipt-executed"):
        said = words(gallery, name)
        for fact in ("Strongroom Payments Ltd", "1 Foundry Wharf", "care@strongroom.example", "Financial Conduct", "700001"):
            assert fact in said
    assert "agent of Strongroom Payments Ltd" in words(gallery, "pay-check-limit")
    assert "pretend banks" in words(gallery, "pay-check-unreachable")


@pytest.mark.parametrize("name", [sample.name for sample in samples() if sample.name.startswith("pay-elsewhere")])
def test_another_browser_learns_no_name_and_no_amount(gallery: Gallery, name: str) -> None:
    said = words(gallery, name)
    for secret in ("62,500", "Harcourt", "Mulberry", "OKAFOR", "Larkfield"):
        assert secret not in said


def test_the_page_that_asks_for_a_code_says_nothing_of_the_number_or_the_person(gallery: Gallery) -> None:
    assert "If the details match" in words(gallery, "code")
    fields = {field.name for field in dataclasses.fields(signing_in.EnterCode)}
    assert not fields & {"phone", "digits", "name", "email"}


def test_where_no_code_can_be_sent_the_page_says_what_to_do(gallery: Gallery) -> None:
    said = words(gallery, "code-unsent")
    assert "If you got one before, it works until its time is over" in said
    assert "Wait a few minutes and ask again, or call the firm" in said
    assert "Send another code" in said
    assert "we have sent" not in said


# Formats


def test_amounts_dates_and_sort_codes_are_written_for_people() -> None:
    texts = load_texts()["en"]
    assert formats.money(6_250_000, "GBP").striptags() == "£62,500.00"
    assert formats.money(5, "CHF").striptags() == "CHF 0.05"
    assert formats.sort_code("204512") == "20-45-12"
    assert formats.moment(texts, NOW).striptags() == "21 November 2026 at 14:05"
    summer = NOW.replace(month=7)
    assert formats.moment_exact(texts, summer).striptags() == "21 July 2026 at 15:05:09 BST"
    assert 'datetime="2026-07-21T14:05:09Z"' in formats.clock(summer)


# Colours

colours = st.builds(accent.Colour, *[st.integers(0, 255)] * 3)


@given(colours)
def test_any_accent_reads_at_4_5_to_1_on_light_and_on_dark(colour: accent.Colour) -> None:
    css = accent.accent_css(str(colour))
    light, dark = (dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", half)) for half in css.split("@media"))
    for properties, scheme in ((light, "light"), (dark, "dark")):
        for surface in ("paper", "surface", "sunken"):
            assert contrast(properties["accent"], token(surface, scheme)) >= accent.CONTRAST
        assert contrast(properties["on-fill"], properties["fill"]) >= accent.CONTRAST
        assert contrast(properties["on-fill"], properties["fill-hover"]) >= accent.CONTRAST


@pytest.mark.parametrize("wrong", ["red", "#12345", "#1234567", "#12345g", "#１２３４５６", "#123456;}", ""])
def test_anything_but_a_colour_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="six hexadecimal digits"):
        accent.accent_css(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_of_the_stylesheet_read_on_every_surface(scheme: str) -> None:
    for surface in ("paper", "surface", "sunken"):
        for ink in ("ink", "soft", "accent"):
            assert contrast(token(ink, scheme), token(surface, scheme)) >= accent.CONTRAST
        for mark in ("edge", "focus"):
            assert contrast(token(mark, scheme), token(surface, scheme)) >= 3
    for tone in ("good", "wait", "bad"):
        assert contrast(token(tone, scheme), token(f"{tone}-ground", scheme)) >= accent.CONTRAST
        assert contrast(token(tone, scheme), token("surface", scheme)) >= accent.CONTRAST


def contrast(one: str, other: str) -> float:
    return accent.contrast(accent.parse_colour(one), accent.parse_colour(other))


def token(name: str, scheme: str) -> str:
    light, dark = STYLE_SHEET.split("@media (prefers-color-scheme: dark)")[:2]
    found = re.search(rf"--{name}: (#[0-9a-f]{{6}});", dark if scheme == "dark" else light)
    assert found
    return found[1]


# Headers and static files


async def test_pages_are_never_kept_and_static_files_for_a_year(gallery: Gallery) -> None:
    async with serving(gallery) as site, httpx.AsyncClient(base_url=site) as client:
        page = await client.get("/gallery/page/start")
        assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert page.headers["cache-control"] == "no-store"
        style = await client.get(gallery.pages.assets.url("portal.css"))
        assert style.headers["content-type"] == "text/css; charset=utf-8"
        assert "immutable" in style.headers["cache-control"]
        assert style.text == STYLE_SHEET
        assert (await client.get("/customer/static/portal.css")).status_code == 404


def test_the_policy_allows_nothing_inline_and_https_is_remembered() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")
    assert "Strict-Transport-Security" in security_headers(over_https=True)
    assert "Strict-Transport-Security" not in security_headers(over_https=False)


def frames_and_views() -> Iterator[tuple[Frame, View]]:
    return ((sample.frame, sample.view) for sample in samples())


def test_views_cannot_be_changed_once_made() -> None:
    for frame, view in frames_and_views():
        with pytest.raises(dataclasses.FrozenInstanceError):
            frame.csrf = "other"  # type: ignore[misc]  # that it fails is the point
        assert not hasattr(view, "__dict__")
