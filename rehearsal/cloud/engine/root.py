"""Who is the root user: the holder of the one key that was made for this local AWS."""

from ministack.core import iam_evaluator


def accept_one_root_key(root: str) -> None:
    """By itself the engine takes `test` and each number of twelve digits for the root user's key, with any secret.

    A call without a key stays that of the engine itself, such as a scheduled one.
    """
    iam_evaluator.is_root_access_key = lambda key: not key or key == root
