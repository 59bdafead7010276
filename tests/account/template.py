"""The values of a CloudFormation template: parameters, conditions and functions, as far as CDK's templates use them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Json = dict[str, Any]
_PLACE = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML has no types
    """YAML with CloudFormation's short forms, such as !Sub and !GetAtt."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Json:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def parsed(text: str) -> Json:
    """A template, which the CDK command line sends as JSON or, when it bootstraps, as YAML."""
    found: Json = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    return found


class UnknownValueError(Exception):
    """A template uses a function or a name that does not exist. CloudFormation refuses such a template."""


@dataclass(kw_only=True)
class Values:
    """Resolves the values of one template."""

    template: Json
    parameters: Mapping[str, str]
    pseudo: Mapping[str, str]
    """AWS::Region, AWS::AccountId, ..."""
    ref: Callable[[str], str]
    """The physical id of a resource."""
    attribute: Callable[[str, str], str]
    stack_output: Callable[[str, str], str]
    """From a stack's name and an output's name to its value."""

    def of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self.of, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self.of(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                return self.attribute(*argument)
            case "Fn::Sub":
                text, own = (argument, {}) if isinstance(argument, str) else (argument[0], self.of(argument[1]))
                return _PLACE.sub(lambda found: str(own.get(found[1], None) or self._place(found[1])), text)
            case "Fn::Join":
                return str(argument[0]).join(map(str, self.of(argument[1])))
            case "Fn::Split":
                return str(self.of(argument[1])).split(argument[0])
            case "Fn::Select":
                return self.of(argument[1])[int(argument[0])]
            case "Fn::If":
                return self.of(argument[1 if self.condition(argument[0]) else 2])
            case "Fn::GetAZs":
                return [f"{self.pseudo['AWS::Region']}{letter}" for letter in "abcdef"]
            case "Fn::FindInMap":
                mapping, first, second = self.of(argument[:3])
                return self.template["Mappings"][mapping][first][second]
            case "Fn::Base64":
                return base64.b64encode(str(self.of(argument)).encode()).decode()
            case "Fn::GetStackOutput":
                return self.stack_output(*self.of([argument["StackName"], argument["OutputName"]]))
            case "Fn::ToJsonString":
                return json.dumps(self.of(argument))
        raise UnknownValueError(f"Template error: the stand-in has no function {name}")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.template.get("Parameters", {}):
            declared = self.template["Parameters"][name]
            return str(self.parameters.get(name, declared.get("Default", "")))
        return self.ref(name)

    def _place(self, name: str) -> Any:
        return self.attribute(*name.split(".", 1)) if "." in name and "::" not in name else self._ref(name)

    def condition(self, condition: Any) -> bool:
        """Whether a condition, by its name or its own definition, is true."""
        if isinstance(condition, str):
            return self.condition(self.template["Conditions"][condition])
        name, argument = next(iter(condition.items()))
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                first, second = self.of(argument)
                return str(first) == str(second)
            case "Fn::Not":
                return not self.condition(argument[0])
            case "Fn::And":
                return all(map(self.condition, argument))
            case "Fn::Or":
                return any(map(self.condition, argument))
        raise UnknownValueError(f"Template error: the stand-in has no condition {name}")


NO_VALUE = object()
"""AWS::NoValue: the property that has it is left out."""


def needed(value: Any) -> set[str]:
    """The names that a value refers to: resources, parameters and pseudo parameters."""
    if isinstance(value, list):
        return set().union(*map(needed, value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, one in value.items():
        if key == "Ref":
            found.add(one)
        elif key == "Fn::GetAtt":
            found.add(one[0] if isinstance(one, list) else one.split(".")[0])
        elif key == "Fn::Sub":
            text = one if isinstance(one, str) else one[0]
            found |= {name.split(".")[0] for name in _PLACE.findall(text)} | needed(one)
        else:
            found |= needed(one)
    return found
