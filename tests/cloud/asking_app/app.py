"""A CDK app whose deployment invokes an endpoint, with a function whose role has no right to."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

app = cdk.App()
stack = cdk.Stack(app, "Asking", synthesizer=cdk.LegacyStackSynthesizer())
function = lambda_.Function(
    stack, "Function", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", timeout=cdk.Duration.seconds(30),
    code=lambda_.Code.from_inline((Path(__file__).parent / "index.py").read_text()),
)  # fmt: skip
cdk.CustomResource(stack, "Question", service_token=function.function_arn)
app.synth()
