"""Asks the endpoint, and keeps its answer in the bucket."""

import os

import boto3


def handler(event: dict[str, str], context: object) -> str:
    body = event["text"].encode()
    asked = boto3.client("sagemaker-runtime").invoke_endpoint(EndpointName=os.environ["ENDPOINT"], Body=body)
    answer = asked["Body"].read()
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="answer", Body=answer)
    return str(answer, "utf-8")
