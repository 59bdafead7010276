"""The HTTP API, beside its template."""

from collections.abc import Iterator

from ops.operate.changed.declared import Change, Declared, answered, command


def api(declared: Declared) -> Iterator[Change]:
    """Whether it exists and can be called."""
    api_id, client = declared.physical, declared.client("apigatewayv2")
    live = answered(lambda: client.get_api(ApiId=api_id))
    if live is None:
        yield declared.deleted()
        return
    wanted = bool(declared.get("DisableExecuteApiEndpoint", default=False))
    put_back = command("aws", "apigatewayv2", "update-api", "--api-id", api_id)
    put_back += f" --{'' if wanted else 'no-'}disable-execute-api-endpoint"
    now = bool(live.get("DisableExecuteApiEndpoint", False))
    yield from declared.compared("DisableExecuteApiEndpoint", now, wanted, put_back)


def stage(declared: Declared) -> Iterator[Change]:
    """Whether it exists, with its limits."""
    api_id, name, client = _api(declared), declared.text(declared.get("StageName")), declared.client("apigatewayv2")
    live = answered(lambda: client.get_stage(ApiId=api_id, StageName=name))
    if live is None:
        yield declared.deleted()
        return
    settings = declared.get("DefaultRouteSettings", default={})
    now = live.get("DefaultRouteSettings", {})
    limits = {key: settings[key] for key in ("ThrottlingBurstLimit", "ThrottlingRateLimit") if key in settings}
    whole = ",".join(f"{key}={value}" for key, value in limits.items())
    put_back = command("aws", "apigatewayv2", "update-stage", "--api-id", api_id, "--stage-name", name)
    put_back += f" --default-route-settings {whole}"
    for key, value in limits.items():
        found = now.get(key)
        if found is not None:  # without a limit, API Gateway refuses fewer calls than the template says
            live_value = int(found) if float(found).is_integer() else found
            yield from declared.compared(key, live_value, value, put_back, "throttled")
    for route, each in live.get("RouteSettings", {}).items():
        if not declared.get("RouteSettings") and each.get("ThrottlingRateLimit") is not None:
            how = f"its route {route} has a limit of its own, {each['ThrottlingRateLimit']} calls a second"
            undo = command("aws", "apigatewayv2", "delete-route-settings", "--api-id", api_id, "--stage-name", name)
            yield declared.changed(how, f"{undo} --route-key '{route}'", "throttled")


def route(declared: Declared) -> Iterator[Change]:
    """Whether it exists, with its authorization."""
    api_id, key = _api(declared), declared.physical.rpartition("/")[2]
    live = answered(lambda: declared.client("apigatewayv2").get_route(ApiId=api_id, RouteId=key))
    if live is None:
        yield declared.deleted()
        return
    wanted = declared.get("AuthorizationType", default="NONE")
    put_back = command("aws", "apigatewayv2", "update-route", "--api-id", api_id, "--route-id", key)
    put_back += f" --authorization-type {wanted}"
    yield from declared.compared("authorization", live.get("AuthorizationType") or "NONE", wanted, put_back)


def integration(declared: Declared) -> Iterator[Change]:
    """Whether it exists, and invokes the alias of the template."""
    api_id, key = _api(declared), declared.physical.rpartition("/")[2]
    live = answered(lambda: declared.client("apigatewayv2").get_integration(ApiId=api_id, IntegrationId=key))
    if live is None:
        yield declared.deleted()
        return
    wanted = declared.get("IntegrationUri")
    put_back = command("aws", "apigatewayv2", "update-integration", "--api-id", api_id, "--integration-id", key)
    put_back += f" --integration-uri {declared.text(wanted)}"
    yield from declared.compared("target", live.get("IntegrationUri", ""), wanted, put_back)


def _api(declared: Declared) -> str:
    return declared.text(declared.get("ApiId"))
