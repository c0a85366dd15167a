"""What reads the records that others deliver: hits as JSON, lines of CloudFront's logs."""

from typing import TYPE_CHECKING

from pixelake.build.judging import dialects
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.collect.logs.records import Records


def records(settings: Settings) -> "Records":
    """What makes hits of records.

    Raises:
        SettingsError: `log_fields` names what is no field of a real-time log, or lacks what a hit needs.
    """
    from pixelake.collect.logs import cloudfront
    from pixelake.collect.logs.cloudfront_fields import DEFAULT
    from pixelake.collect.logs.records import Records
    from pixelake.collect.logs.visits import Wanted, routes_of
    from pixelake.stream import messages
    from pixelake.stream.aggregate import unpack

    realtime = cloudfront.realtime(settings.log_fields or DEFAULT)
    wanted = Wanted("", routes_of(dialects(settings)))
    return Records(
        lambda data: [each.data for each in unpack(data, "")],
        messages.hit,
        realtime.read,
        cloudfront.standard().read,
        wanted,
    )
