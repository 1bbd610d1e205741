"""Addresses typed by hand: the bare page by its name, and pages that are not for everybody."""

from __future__ import annotations

from typing import Any

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.team import people

pytestmark = pytest.mark.browser


def make_lead(store: Store) -> None:
    people.sign_in(store, "lena")  # the first who signs in is lead


def test_an_annotator_is_turned_away_in_words_and_home_has_an_address(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=1, prepare=make_lead)
    page = open_page(server, "anna")
    for address, told in (
        ("review", "This page is for curators."),
        ("data", "This page is for curators and engineers."),
        ("people", "This page is for leads."),
    ):
        page.goto(f"{server.url}/{address}")
        page.wait_for_selector(f"text={told}")
        assert page.locator("text=Page not found").count() == 0
        links = page.locator('[data-testid="stPageLink"]').all_inner_texts()
        assert links == ["Home", "Annotate", "My history", "Rounds"]
    page.goto(f"{server.url}/home")
    page.wait_for_selector(".st-key-card_next")
    assert page.locator("text=Page not found").count() == 0
