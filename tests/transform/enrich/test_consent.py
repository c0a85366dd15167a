"""Consent as it is sent, and the policy of a site."""

from hypothesis import given
from hypothesis import strategies as st

from pixelake.transform.enrich.consent import LONGEST, NAMES, Policies, consent
from tests.work import growth

TCF = "CQAAAAAQAAAAAAKAyAENBLFgAAAAAAAAAAYgAAAAAAAA.YAAAAAAAAAAA"
"""As long as none, of the form of one."""
GPP = "DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN"


def test_one_text() -> None:
    """The IAB's names in a fixed order, whatever the order sent; they are no properties then."""
    properties = {
        "plan": ["gold"],
        "us_privacy": ["1ynn"],
        "gpp_sid": ["2_6"],
        "gpp": [GPP],
        "gdpr_consent": [f" {TCF} "],
        "gdpr": ["1"],
    }
    expected = f"consent=yes&gdpr=1&gdpr_consent={TCF}&gpp={GPP}&gpp_sid=2,6&us_privacy=1YNN"
    assert consent("yes", properties) == expected
    assert properties == {"plan": ["gold"]}


def test_our_own_name_alone() -> None:
    """What the page's dialogue says stands as it was sent."""
    assert consent("granted", {"plan": ["gold"]}) == "granted"
    assert consent(None, {}) is None


def test_what_is_no_consent_stays_a_property() -> None:
    """Macros that nobody filled in, values sent twice, nonsense and the much too long are kept where they were."""
    sent = {
        "gdpr": ["${GDPR}"],
        "gdpr_consent": ["A" * (LONGEST + 1)],
        "us_privacy": ["1YNN", "1YYN"],
        "gpp": ["a b\r\n"],
        "gpp_sid": [""],
    }
    properties = dict(sent)
    assert consent(None, properties) is None
    assert consent("yes", properties) == "yes"
    assert properties == sent


@given(st.dictionaries(st.sampled_from(NAMES[1:]), st.lists(st.text(max_size=20), min_size=1, max_size=2)))
def test_nothing_is_lost(sent: dict[str, list[str]]) -> None:
    """Whatever is sent is either in the text or still a property."""
    properties = dict(sent)
    told = consent(None, properties) or ""
    taken = [pair.partition("=")[0] for pair in told.split("&") if pair]
    assert sorted([*taken, *properties]) == sorted(sent)


def test_hostile_values_take_linear_time() -> None:
    """Eight times the letters take about eight times as long."""
    for name in NAMES[1:]:
        for run in ("A.", "1,", "~", " "):
            assert growth(lambda text, name=name: consent(None, {name: [text]}), run) < 24


def test_a_site_s_policy_is_dated() -> None:
    """What holds is what held when the hit was received; other sites have the default."""
    policies = Policies("anonymous", {"a": ((10, "withhold"), (20, "ignore"), (30, ""))})
    found = [policies.of("a", at) for at in (9, 10, 19, 20, 29, 30)]
    assert found == ["anonymous", "withhold", "withhold", "ignore", "ignore", "anonymous"]
    assert policies.of("b", 15) == "anonymous"
    assert Policies("ignore").of("a", 15) == "ignore"
