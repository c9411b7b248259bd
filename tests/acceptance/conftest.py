"""What several acceptance tests share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.paths import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.acceptance.browser import Reader


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium for the tests of a module."""
    from tests.acceptance.browser import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def reader(browser: "Browser") -> "Iterator[Reader]":
    """A fresh profile of it: nothing stored, nothing rated."""
    from tests.acceptance.browser import Reader

    made = Reader(browser)
    yield made
    made.context.close()


@pytest.fixture
def session(workspace: Workspace) -> Iterator[Session]:
    """What is added here is committed by `report_of`."""
    ledger = Ledger(workspace.ledger_path)
    with Session(ledger.engine, expire_on_commit=False) as session:
        yield session
    ledger.close()
