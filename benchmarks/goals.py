"""A figure beside its goal: a line of a benchmark's output."""


def goal(what: str, found: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
    """Print a figure with its goal."""
    met = (at_least is None or found >= at_least) and (at_most is None or found <= at_most)
    bound = f"at least {at_least:.3g}" if at_least is not None else f"at most {at_most:.3g}"
    print(f"{what:70}{found:10.4g}   goal: {bound:15} {'met' if met else 'MISSED'}")
