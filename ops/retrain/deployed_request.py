"""The request of the deployed Training stack: the properties that CloudFormation gave its custom resource."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.operate.account import Account
from ops.operate.deployed import Deployed
from ops.retrain.errors import RetrainError
from stacks.training.handler.request import JobRequest

JOB, ROLE = "Custom::TrainingJob", "AWS::IAM::Role"


def deployed_request(account: Account, deployed: Deployed) -> JobRequest:
    """What the stack's function would start a job with.

    Raises RetrainError if the stack has no job, changes at this moment, or has another job than its template says, and
    AccountError if AWS refuses a call.
    """
    stack = deployed.stacks["training"]
    if stack.changes:
        raise RetrainError(
            f"The stack {stack.name} is {stack.status}: a deploy changes it now. Wait for its end (kennel logs deploy "
            "-f), then try again."
        )
    template = deployed.template("training")
    template = json.loads(template) if isinstance(template, str) else template
    jobs = [each for each in template.get("Resources", {}).values() if each["Type"] == JOB]
    if not jobs:
        raise RetrainError(
            f"The stack {stack.name} has no training job: it was deployed with training.model_data. Remove this "
            "setting and deploy once (make deploy); then that deploy's job can be started with other options."
        )
    names = Names(
        parameters={
            "AWS::AccountId": account.number,
            "AWS::Partition": stack.id.split(":")[1],
            "AWS::Region": account.region,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if account.region.startswith("cn-") else "amazonaws.com",
        },
        roles={each.id: each.name for each in deployed.resources("training", ROLE)},
        outputs={
            (other.name, name): value for other in deployed.stacks.values() for name, value in other.outputs.items()
        },
        mappings=template.get("Mappings", {}),
    )
    properties = {name: value for name, value in jobs[0]["Properties"].items() if name != "ServiceToken"}
    request = JobRequest.of({name: names.resolved(value) for name, value in properties.items()})
    job = deployed.output("training", "JobName")
    if job and not request.has_same_inputs(job):
        raise RetrainError(
            f"The job of the stack {stack.name} is {job}, and the inputs in its template make a job whose name starts "
            f"with {request.inputs_name}. Deploy the Training stack with this version of Kennel, then try again: make "
            "deploy STACKS=Training"
        )
    return request


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What the references of a template stand for."""

    parameters: Mapping[str, str]
    """Pseudo parameters, such as AWS::Region."""
    roles: Mapping[str, str]
    """The names of the stack's roles by their logical ids."""
    outputs: Mapping[tuple[str, str], str]
    """By stack and name."""
    mappings: Mapping[str, Any]

    def resolved(self, value: Any) -> Any:
        """A property with the values that CloudFormation put into it.

        Raises RetrainError for a reference that a template of Kennel's does not have in this resource.
        """
        if isinstance(value, list):
            return [self.resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        function, argument = next(iter(value.items())) if len(value) == 1 else ("", None)
        match function, argument:
            case "Ref", str(name) if name in self.parameters:
                return self.parameters[name]
            case "Fn::GetAtt", [role, "Arn"] if role in self.roles:
                account, partition = self.parameters["AWS::AccountId"], self.parameters["AWS::Partition"]
                return f"arn:{partition}:iam::{account}:role/{self.roles[role]}"
            case "Fn::Join", [separator, list(parts)]:
                return separator.join(map(self.resolved, parts))
            case "Fn::Sub", str(text):
                return re.sub(r"\$\{([^}!]+)\}", lambda name: str(self.resolved({"Ref": name[1]})), text)
            case "Fn::FindInMap", [mapping, first, second]:
                found = self.mappings[self.resolved(mapping)].get(self.resolved(first), {})
                if self.resolved(second) in found:
                    return found[self.resolved(second)]
            case "Fn::GetStackOutput", {"StackName": stack, "OutputName": name}:
                if (self.resolved(stack), name) in self.outputs:
                    return self.outputs[self.resolved(stack), name]
            case _ if not (function == "Ref" or function.startswith("Fn::")):
                return {name: self.resolved(each) for name, each in value.items()}
        raise RetrainError(
            f"The template of the Training stack has the reference {json.dumps(value)}, whose value is not known here. "
            "Deploy it with this version of Kennel, then try again: make deploy STACKS=Training"
        )
