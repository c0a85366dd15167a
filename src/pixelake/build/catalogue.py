"""The tables of a lake in the catalogue of AWS Glue, as the settings name the lake."""

from collections.abc import Sequence

from pixelake.build.judging import own_enrichers
from pixelake.build.places import BUCKET
from pixelake.errors import SettingsError
from pixelake.settings import Settings


def registered(settings: Settings, database: str, landing: str = "") -> Sequence[str]:
    """Make the tables, or bring them up to date; returns their names.

    Args:
        settings: say where the lake is, and which columns it has.
        database: of the catalogue; it is made if it is not there.
        landing: ``s3://bucket/prefix`` of what Firehose delivers; empty if nothing does.

    Raises:
        SettingsError: the lake is in no bucket, `landing` names none, a database cannot have that name, or the extra
            ``aws`` is missing.
        WarehouseError: Glue does not do it.
        StreamUnavailable: the environment does not say how AWS is reached.
    """
    for name, place in (("lake", settings.lake), ("landing", landing)):
        if (place or name == "lake") and not BUCKET.fullmatch(place):
            raise SettingsError(f"{name} names no bucket and prefix", "write s3://bucket/prefix")
    try:
        from pixelake.stream import aws
        from pixelake.transform.enrich.own import own_fields
        from pixelake.warehouse import glue
    except ImportError as error:
        raise SettingsError(f"Glue cannot be asked: {error.name} is missing", "pip install 'pixelake[aws]'") from None
    return glue.register(aws.client("glue"), database, settings.lake, landing, own_fields(own_enrichers(settings)))
