"""The tables of the lake in Glue's catalogue, and a workgroup of Athena with bounds and with the questions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aws_cdk import Aws
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue

from deploy.aws.house import ANSWERS, House
from pixelake.aws import terms
from pixelake.warehouse.glue import tables

SCANNED: Final = 100 << 30
"""Bytes that a question may read: half a dollar."""
SAVED: Final[Mapping[str, Mapping[str, str]]] = json.loads(
    (Path(__file__).parent / "terraform" / "saved.json").read_text("utf-8")
)
"""What `deploy.aws.saved` has written: the questions by their titles."""


def database(house: House) -> str:
    """The name of its database."""
    return house.options.name.replace("-", "_")


def catalogue(house: House, *, landing: bool = False) -> Mapping[str, glue.CfnTable]:
    """The tables, each by its name.

    Args:
        house: the stack.
        landing: also what Firehose delivers, and the view of it.
    """
    name, bucket = database(house), f"s3://{house.bucket.bucket_name}"
    of = glue.CfnDatabase(house, "Database", catalog_id=Aws.ACCOUNT_ID, database_input={"name": name})
    landed = f"{bucket}/{terms.LANDING}" if landing else ""
    wanted = tables(name, f"{bucket}/{terms.LAKE}", landed, kind=house.options.format)
    group = _workgroup(house)
    for title, question in SAVED.items():
        _saved(house, group, title, question)
    return {told["Name"]: _table(house, of, name, told) for told in wanted}


def _table(house: House, of: glue.CfnDatabase, name: str, told: Mapping[str, Any]) -> glue.CfnTable:
    made = glue.CfnTable(
        house,
        f"Table{told['Name'].capitalize()}",
        catalog_id=Aws.ACCOUNT_ID,
        database_name=name,
        table_input=glue.CfnTable.TableInputProperty(name=told["Name"]),
    )
    made.add_property_override("TableInput", told)
    made.add_resource_dependency(of)
    return made


def _saved(house: House, group: athena.CfnWorkGroup, title: str, question: Mapping[str, str]) -> None:
    """A question that is found in the console, below the saved queries of the workgroup."""
    name = database(house)
    athena.CfnNamedQuery(
        house,
        f"Saved{title}",
        name=title,
        description=question["description"],
        database=name,
        work_group=group.ref,
        query_string=question["sql"].replace("FROM lake.", f'FROM "{name}".'),
    )


def _workgroup(house: House) -> athena.CfnWorkGroup:
    """It bounds what a question may read; answers are forgotten with the rule of the bucket."""
    result = athena.CfnWorkGroup.ResultConfigurationProperty(
        output_location=f"s3://{house.bucket.bucket_name}/{ANSWERS}",
        encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(encryption_option="SSE_S3"),
    )
    engine = athena.CfnWorkGroup.EngineVersionProperty(selected_engine_version="Athena engine version 3")
    configuration = athena.CfnWorkGroup.WorkGroupConfigurationProperty(
        enforce_work_group_configuration=True,
        bytes_scanned_cutoff_per_query=SCANNED,
        publish_cloud_watch_metrics_enabled=True,
        engine_version=engine,
        result_configuration=result,
    )
    return athena.CfnWorkGroup(
        house,
        "Workgroup",
        name=house.options.name,
        recursive_delete_option=True,
        work_group_configuration=configuration,
    )
