"""Tables of DynamoDB for tests, on moto's server."""

import uuid

from pixelake.stream import aws


def new_table() -> str:
    """The name of a new, empty table, with the keys that `pixelake.warehouse.dynamodb` wants, and a time to live."""
    name, client = f"pixelake-{uuid.uuid4().hex[:12]}", aws.client("dynamodb")
    keys = {"pk": "HASH", "sk": "RANGE"}
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    ttl = {"Enabled": True, "AttributeName": "ttl"}
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
    return name
