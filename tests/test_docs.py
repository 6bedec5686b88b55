"""Docs that are derived are as they would be written now."""

from scripts.write_docs import PAGE, page


def test_the_page_of_the_strategies_is_up_to_date():
    assert PAGE.read_text() == page(), "run `make docs`"
