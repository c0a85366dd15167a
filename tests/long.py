"""Tests that `.ci/run` leaves to `scripts/test`: each takes seconds, and has a sibling of the same kind that stays.

`scripts/test -m long` runs them alone.
"""

from typing import Final

LONG: Final = {
    "tests/browser/test_axe.py": {
        "test_pages_with_data": (
            "overview of all sites",
            "a site that waits",
            "an address that says too much",
            "live, paused",
            "no such events",
            "sql, wrong",
            "funnels",
            "goals",
            "shop",
            "cohorts",
        ),
        "test_pages_without_data": ("live", "rejects", "funnels", "goals", "shop", "cohorts", "sites", "account"),
    },
    "tests/browser/test_board.py": {
        "test_a_click_filters": (
            "Pages-Entry-a.example/shop-wanted1",
            "Pages-Titles-Shop-wanted2",
            "Sources-Channels-search-wanted3",
            "Sources-Referrers-google.com-wanted4",
            "Sources-Campaigns-spring-wanted5",
            "Devices-Systems-Linux-wanted8",
            "Events-Events-pageview-wanted9",
        ),
        "test_invisible_characters_are_made_visible": ("zero-width", "line break", "emoji and hebrew"),
        "test_long_text_does_not_widen_the_page": ("768",),
        "test_nothing_moves_while_it_is_filled": ("1440",),
        "test_a_part_says_why_it_is_empty": ("series", "pages", "site-names", "countries"),
        "test_the_rest_needs_no_picture": ("map.js",),
    },
    "tests/browser/test_events.py": {
        "test_older_and_new_at_once_lose_and_double_nothing": ("some new",),
    },
    "tests/browser/test_hostile.py": {
        "test_live_while_they_come": ("360",),
        "test_events_and_rejects": ("360",),
        "test_names_on_the_pages_of_owners": ("sites#settings?site=--1",),
        "test_files": ("titles", "pages", "properties"),
        "test_terminals_obey_nothing": ("titles in CSV", "sql in JSON", "sites"),
    },
    "tests/browser/test_live.py": {"test_it_fits_every_screen": ("768",)},
    "tests/browser/test_way.py": {
        "test_every_filter_is_asked_and_shown": ("is not", "does not contain", "matches", "does not match"),
        "test_a_filter_is_chosen": ("path-does not match-^/l-35", "referrer_host-is--35"),
    },
    "tests/crash/test_disk.py": {"test_a_full_disk": ("0",)},
    "tests/crash/test_reload.py": {
        "test_a_reload_drops_nothing": ("plain",),
        "test_reloads_in_a_row": ("plain",),
        "test_a_stop_during_a_reload": ("plain",),
        "test_a_kill_during_a_reload": ("plain",),
    },
    "tests/crash/test_topologies.py": {"test_a_design_under_faults": ("edge",)},
    "tests/operate/test_demo_alone.py": {"test_nothing_of_ones_own_is_touched": ("environment",)},
    "tests/properties/test_rollups.py": {"test_they_agree": ("april", "february")},
}
"""By file and by test: the names of its parameters."""
NAMES: Final = frozenset(
    f"{file}::{test}[{name}]" for file, tests in LONG.items() for test, names in tests.items() for name in names
)
"""The same as pytest names them."""
