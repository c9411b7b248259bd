"""What people rate on the report's page: kept in the browser, whatever tab they rate in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy.orm import Session

from cosmosq.paths import Workspace
from tests.acceptance.browser import Reader, needs_chromium, report_of, video_job
from tests.ledger_rows import make_prompt, make_workspace

pytestmark = needs_chromium

HARBOUR, STREET = (1, 2), (3, 4)
"""The jobs of each prompt."""


def made(folder: Path, digest: str = "a") -> Workspace:
    """A workspace called `night`, with a report of all its jobs and one of the second prompt's alone."""
    workspace, ledger = make_workspace(folder / "night")
    with Session(ledger.engine, expire_on_commit=False) as session:
        for name in ("harbour", "street"):
            prompt = make_prompt(session, name=name)
            for guidance in (3.0, 7.0):
                video_job(
                    workspace, session, prompt=prompt, parameters={"guidance": guidance}, digest=digest.ljust(64, "0")
                )
        report_of(workspace, session)
        report_of(workspace, session, "--prompt", "street", name="street")
    ledger.close()
    return workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return made(tmp_path_factory.mktemp("ratings"))


@pytest.fixture
def reader(browser: Browser, workspace: Workspace) -> Iterator[Reader]:
    """A fresh profile of the browser, without complaints at the end."""
    fresh = Reader(browser)
    yield fresh
    assert fresh.complaints == []
    fresh.context.close()


def rate(page: Page, job: int, *keys: str) -> None:
    page.locator(f"[data-job='{job}']").focus()
    for key in keys:
        page.keyboard.press(key)


def stars(page: Page) -> dict[int, int]:
    """Stars by job, as the sheet shows them."""
    told: list[tuple[str, int]] = page.eval_on_selector_all(
        "#sheet .cell[data-job]", "all => all.map(e => [e.dataset.job, e.querySelector('.stars')?.textContent.length])"
    )
    return {int(job): count for job, count in told if count}


def renewed(page: Page) -> Page:
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def test_what_is_rated_in_one_tab_stays_when_another_rates(reader: Reader, workspace: Workspace) -> None:
    first = reader.open(workspace.root / "page/index.html")
    second = reader.open_beside(workspace.root / "street/index.html")
    rate(first, 1, "4")
    rate(second, 3, "2")
    first.wait_for_selector("[data-job='3'] .stars")
    assert stars(first) == {1: 4, 3: 2}, "an open page takes in what another one rates"
    rate(first, 3, "5")
    rate(second, 4, "1")
    assert stars(renewed(first)) == {1: 4, 3: 5, 4: 1}
    assert stars(renewed(second)) == {3: 5, 4: 1}


def test_comparisons_of_two_tabs_add_up(reader: Reader, workspace: Workspace) -> None:
    pages = [reader.open(workspace.root / "page/index.html"), reader.open_beside(workspace.root / "street/index.html")]
    for page in pages:
        page.get_by_role("button", name="Which is better?").click()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Escape")
    assert renewed(pages[0]).locator("#dock").inner_text().startswith("2 comparisons in this browser")


def test_a_page_forgets_only_what_it_would_export(reader: Reader, workspace: Workspace) -> None:
    first = reader.open(workspace.root / "page/index.html")
    second = reader.open_beside(workspace.root / "street/index.html")
    rate(first, 1, "4")
    rate(first, 3, "3")
    second.wait_for_selector("[data-job='3'] .stars")
    second.on("dialog", lambda dialog: dialog.accept())
    second.get_by_role("button", name="Forget").click()
    first.wait_for_selector("[data-job='3'] .stars", state="detached")
    assert stars(renewed(first)) == {1: 4}


def test_workspaces_of_the_same_name_do_not_mix(reader: Reader, workspace: Workspace, tmp_path: Path) -> None:
    other = made(tmp_path, digest="b")
    rate(reader.open(workspace.root / "page/index.html"), 1, "4")
    page = reader.open(other.root / "page/index.html")
    assert stars(page) == {}
    rate(page, 1, "2")
    assert stars(reader.open(workspace.root / "page/index.html")) == {1: 4}


def test_a_browser_that_keeps_nothing_says_so_as_long_as_it_is_true(reader: Reader, workspace: Workspace) -> None:
    page = reader.open(workspace.root / "page/index.html")
    page.evaluate("""() => {
      window.setItem = Storage.prototype.setItem;
      Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
    }""")
    rate(page, 1, "4")
    rate(page, 2, "5")
    warning = page.get_by_text("This browser keeps nothing for this page: export your ratings before you close it")
    assert warning.is_visible()
    reader.keep("keeps-nothing")
    page.evaluate("() => { Storage.prototype.setItem = window.setItem; }")
    rate(page, 3, "3")
    assert not warning.is_visible()
    assert stars(renewed(page)) == {1: 4, 2: 5, 3: 3}, "what could not be kept before is kept now"


def test_what_to_do_with_an_export_can_be_read(reader: Reader, workspace: Workspace) -> None:
    page = reader.open(workspace.root / "page/index.html")
    rate(page, 1, "4")
    with page.expect_download():
        page.get_by_role("button", name="Export").click()
    told = page.locator("#messages").get_by_text("cosmosq rate --import ratings-night.json")
    rate(page, 2, "5")
    box = told.bounding_box()
    assert box
    assert min(box["width"], box["height"]) > 12
    spot = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('#messages') !== null", spot)
    reader.keep("exported")
    page.locator("#messages").get_by_role("button", name="Close").click()
    assert told.count() == 0


ORDERS = "[...document.querySelectorAll('#tools select')].at(-1).textContent"
PLOTTED = "document.querySelector('#plots .plot')?.data?.[0].y.join()"


def test_menus_and_plots_follow_what_is_rated(reader: Reader, workspace: Workspace) -> None:
    page = reader.open(workspace.root / "page/index.html", "#measure=stars")
    page.evaluate("document.querySelector('#plots-section').scrollIntoView()")
    page.wait_for_selector("#plots .plot svg")
    rate(page, 1, "4")
    rate(page, 2, "2")
    assert "stars" in page.evaluate(ORDERS)
    reader.until(f"{PLOTTED} === '4,2'")
    assert page.evaluate("document.activeElement.dataset.job") == "2", "the keyboard stays where it was"
    rate(page, 2, "3")
    reader.until(f"{PLOTTED} === '4,3'")
    assert "score of comparisons" not in page.evaluate(ORDERS)
    page.get_by_role("button", name="Which is better?").click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert "score of comparisons" in page.evaluate(ORDERS)
    page.get_by_label("Quantity").focus()
    page.get_by_label("Quantity").select_option("comparison_score")
    reader.until(f"{PLOTTED}.split(',').length === 2")
    assert page.evaluate("document.activeElement.labels?.[0].textContent").startswith("Quantity")
