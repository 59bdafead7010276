"""Which file holds pretrained weights, and whether its tensors are those of a network.

It imports neither torch nor safetensors, so that `kennel weights upload` works with few packages.
"""

import shlex
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

PICKLES = (".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt", ".tar")
"""File names that torch.save is used with."""

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of each tensor, by its name."""


class WeightsError(Exception):
    """Pretrained weights are missing, unreadable or of another network. The message is one sentence with the remedy."""


def weights_file(path: Path) -> Path:
    """The path, or the only file of weights if it is a folder, as SageMaker's channels are.

    Raises WeightsError if there is none, or if it is a pickle, which is not opened.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in (".safetensors", *PICKLES))
        usable = [each for each in files if each.suffix.lower() == ".safetensors"]
        if len(usable) > 1 or (not usable and len(files) != 1):
            found = ", ".join(each.name for each in files) or "no weights"
            raise WeightsError(f"{path} contains {found}; it must contain exactly one .safetensors file.")
        (path,) = usable or files
    if not path.is_file():
        raise WeightsError(
            f"The file of pretrained weights {path} does not exist; name a file, or `imagenet` to download ImageNet's "
            "(training without weights: --pretrained none)."
        )
    if path.suffix.lower() in PICKLES:
        raise WeightsError(
            f"{path} is a pickle, which can run code when it is loaded, so it was not opened. If you trust it, convert "
            f"it to .safetensors with{_torch_first()}: {conversion(path)}"
        )
    return path


def conversion(path: Path) -> str:
    """The command that converts a file of torch.save, a state dict or a dict that contains one, to .safetensors."""
    code = (
        "import sys, torch; from safetensors.torch import save_file; "
        'found = torch.load(sys.argv[1], map_location="cpu", weights_only=True); '
        'state = found.get("state_dict", found.get("model", found)); '
        "save_file({name: tensor.contiguous() for name, tensor in state.items()}, sys.argv[2])"
    )
    return shlex.join([sys.executable, "-c", code, str(path), str(path.with_suffix(".safetensors"))])


def _torch_first() -> str:
    return "" if find_spec("torch") else " the following command, after `make setup`, which installs torch"


def unreadable(path: Path, reason: object) -> WeightsError:
    """The error for a file that is not complete, or of another kind."""
    return WeightsError(
        f"{path} is not a .safetensors file, or is incomplete ({reason}); download it again, or name another file. In "
        "an artifact it is model.safetensors."
    )


def unfit(source: str, backbone: str, reason: str) -> WeightsError:
    """The error for weights of another network. backbone: its name."""
    return WeightsError(f"The weights in {source} are not those of {backbone}: {reason}. Name another file.")


def bare(name: str) -> str:
    """A tensor's name without the prefix that DistributedDataParallel gives it."""
    return name.removeprefix("module.")


def misfit(found: Shapes, wanted: Shapes, *, in_head: Callable[[str], bool]) -> str:
    """Why tensors of these names and shapes do not fill a network that has the tensors `wanted`; empty if they do.

    The head is left out, because the file's classes may be other ones, and so are the counts of batches, which files of
    old versions of torch lack.
    """
    found, wanted = ({n: shape for n, shape in each.items() if not in_head(n)} for each in (found, wanted))
    if unknown := sorted(found.keys() - wanted.keys()):
        return f"{unknown[0]} is not part of it"
    for name, shape in wanted.items():
        if name not in found:
            if name.endswith("num_batches_tracked"):
                continue
            return f"{name} is missing"
        if found[name] != shape:
            return f"{name} has the shape {found[name]}, not {shape}"
    return ""
