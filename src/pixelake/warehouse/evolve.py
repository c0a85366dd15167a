"""A table is given the columns that it does not have yet. Columns are only ever added, and are null in older rows."""

from typing import Final

from deltalake import DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError

from pixelake.errors import LakeUnavailable, SettingsError
from pixelake.event import REQUIRED

ATTEMPTS: Final = 20
"""Commits of others that may come first."""
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def add_columns(table: DeltaTable, wanted: Schema) -> list[str]:
    """Give the table the columns of `wanted` that it lacks, in one commit; return their names.

    It may have more columns than that: who writes rows without them leaves them null. The commit is as durable as
    any of `deltalake`: the caller syncs its entry.

    Args:
        table: of the newest version, or an older one.
        wanted: the columns of what is to be written.

    Raises:
        SettingsError: the table has a column of such a name and another type, or a new one may not be null.
        LakeUnavailable: others always came first.
    """
    for _ in range(ATTEMPTS):
        known = {field.name: field for field in table.schema().fields}
        new = [field for field in wanted.fields if field.name not in known]
        for field in wanted.fields:
            had = known.get(field.name)
            if had is not None and had.type != field.type:
                raise SettingsError(
                    f"column {field.name} of the lake cannot change its type",
                    "give the enricher's output another name: a column is never retyped",
                )
            if had is None and (not field.nullable or field.name in REQUIRED):
                raise SettingsError(f"column {field.name} cannot be added: older rows have none", "start a new lake")
        if not new:
            return []
        try:
            table.alter.add_columns(new, post_commithook_properties=_NO_HOOKS)
        except CommitFailedError:
            table.update_incremental()
        else:
            return [field.name for field in new]
    raise LakeUnavailable(f"{ATTEMPTS} others committed first while columns were added", "try again")
