"""The tags of the page's url, else the ones sent -> campaign."""

from pixelake.transform.page import Tags


def campaign(tags: Tags, *sent: str | None) -> Tags:
    """The five tags: of the url if it has any, else as they were sent."""
    return tags if any(tags) else sent
