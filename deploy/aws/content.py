"""What is in a bucket while its stack is there: an object that is put first, and nothing when the bucket is deleted.

The text of this file is a function of Lambda, as it stands in the template.
"""

from base64 import b64decode

import boto3
import cfnresponse


def put(told):
    """Put the one object that the stack wants in its bucket."""
    body, kind = b64decode(told["Body"]), told["ContentType"]
    boto3.client("s3").put_object(Bucket=told["Bucket"], Key=told["Key"], Body=body, ContentType=kind)


def empty(told):
    """Delete all objects, and their versions: CloudFormation deletes no bucket that holds something."""
    boto3.resource("s3").Bucket(told["Bucket"]).object_versions.delete()


def handler(event, context):
    """Answer CloudFormation; an error is told, and the bucket stays as it is."""
    told = event["ResourceProperties"]
    # always the same name: with another one CloudFormation would take an update for a new resource, and delete the old
    answer = {"physicalResourceId": told["Bucket"]}
    try:
        if event["RequestType"] == "Delete":
            empty(told)
        elif "Key" in told:
            put(told)
        cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, **answer)
    except Exception as error:  # noqa: BLE001 - whatever it was, CloudFormation waits for an answer
        print(repr(error))
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, reason=str(error)[:200], **answer)
