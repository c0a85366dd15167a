"""What may be chosen of a stack, and what is refused before anything is made."""

import pytest

from deploy.aws.options import read
from pixelake.aws import terms
from pixelake.errors import SettingsError
from tests.deploy.aws.conftest import CERTIFICATE, DOMAIN, VARIANTS

FAR = CERTIFICATE.replace("us-east-1", "eu-west-1")
REFUSED = {
    "no topology": {},
    "an unknown one": {"topology": "river"},
    "an unknown option": {"topology": "stream", "shard": "2"},
    "no region": {"topology": "stream", "region": "us-east-9"},
    "a region without these machines": {"topology": "fleet", **DOMAIN, "region": "ca-west-1", "certificate": FAR},
    "a domain without a certificate": {"topology": "stream", "domain": "px.example.com"},
    "a certificate without a domain": {"topology": "stream", "certificate": CERTIFICATE},
    "no domain": {"topology": "stream", "domain": "https://px.example.com", "certificate": CERTIFICATE},
    "no certificate": {"topology": "stream", "domain": "px.example.com", "certificate": "mine"},
    "a certificate of another region": {"topology": "stream", "domain": "px.example.com", "certificate": FAR},
    "a certificate that CloudFront does not see": {
        "topology": "queue",
        "domain": "px.example.com",
        "certificate": FAR,
        "region": "eu-west-1",
    },
    "a fleet without a domain": {"topology": "fleet"},
    "a firewall before a fleet": {"topology": "fleet", **DOMAIN, "waf": "true"},
    "a firewall of CloudFront elsewhere": {"topology": "queue", "waf": "true", "region": "eu-west-1"},
    "a list without a firewall": {"topology": "stream", "block": "192.0.2.0/24"},
    "a list of no networks": {"topology": "stream", "waf": "true", "block": "everybody"},
    "logs that there are not": {"topology": "edge", "logs": "daily"},
    "standard logs elsewhere": {"topology": "edge", "logs": "standard", "region": "eu-west-1"},
    "logs of no CloudFront": {"topology": "stream", "logs": "standard"},
    "a distribution of no edge": {"topology": "queue", "distribution": "E1"},
    "a distribution with a firewall of ours": {"topology": "edge", "distribution": "E1", "waf": "true"},
    "half a shard": {"topology": "stream", "shards": "0.5"},
    "shards below none": {"topology": "stream", "shards": "-1"},
    "an hour of records": {"topology": "stream", "retention": "1"},
    "neither true nor false": {"topology": "stream", "keep-data": "perhaps"},
    "a format": {"topology": "firehose", "format": "csv"},
    "a processor": {"topology": "stream", "architecture": "mips"},
    "a way to nowhere": {"topology": "fleet", **DOMAIN, "to": "disk"},
    "a way of no fleet": {"topology": "stream", "to": "s3"},
    "a setting that there is not": {"topology": "stream", "settings": "privat=strict"},
    "a setting that is wrong": {"topology": "stream", "settings": "privacy=perhaps"},
    "no machine": {"topology": "fleet", **DOMAIN, "machines": "0"},
    "a second region of a stream": {"topology": "stream", "second-api": "a.example.com"},
    "a second region that is no host": {"topology": "queue", "second-api": "https://a"},
}


@pytest.mark.parametrize("context", REFUSED.values(), ids=REFUSED)
def test_refused(context: dict[str, str]) -> None:
    """In one line, with one line of what to do."""
    with pytest.raises(SettingsError) as caught:
        read(context)
    assert str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("context", VARIANTS.values(), ids=VARIANTS)
def test_taken(context: dict[str, str]) -> None:
    """Every variant; and what the CDK itself puts into the context is no option."""
    assert read({**context, "@aws-cdk/core:x": True, "aws:cdk:y": []}).topology == context["topology"]


def test_defaults_are_the_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that this machine's cloud has too are from the same place, as it is when they are asked for."""
    monkeypatch.setattr(terms, "SHARDS", 7)
    monkeypatch.setattr(terms, "RETENTION_HOURS", 48)
    found = read({"topology": "stream"})
    assert (found.shards, found.retention) == (7, 48)
    assert found.throttle == terms.throttle(7)
