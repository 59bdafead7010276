"""The network on the CPU: an ONNX model compiled by OpenVINO. Why OpenVINO, and why so: docs/decisions/0050."""

import ctypes
import io
import sys
from collections import deque
from functools import cache

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino.frontend import FrontEndManager

from inference.artifact import ArtifactError
from inference.photo.preprocessing import Pixels

Logits = npt.NDArray[np.float32]


class Network:
    """A classifier's network, ready to run. Safe to call from several threads at once.

    Raises ArtifactError for bytes that are no ONNX model, and for a network that is no classifier of photos: it must
    take one tensor (photos, 3, side, side) and answer one of (photos, classes).
    """

    def __init__(self, model: bytes, *, threads: int) -> None:
        graph = _read(model)
        self.classes = _classes(graph)
        _take_one_photo_at_a_time(graph)
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,  # every thread works on the same photo
            "INFERENCE_PRECISION_HINT": "f32",  # the default rounds to bf16 where the processor can
        }
        try:
            self._compiled = _core().compile_model(graph, "CPU", options)
        except Exception as error:
            raise _unloadable(error) from error
        del graph
        _return_memory()
        self._idle = deque([self._compiled.create_infer_request()])

    def logits(self, batch: Pixels) -> Logits:
        """(n, 3, side, side) in, (n, classes) out."""
        answers = np.empty((len(batch), self.classes), dtype=np.float32)
        for number in range(len(batch)):  # a larger batch gains nothing on a CPU, and would be compiled when it comes
            answers[number] = self._of_one(batch[number : number + 1])
        return answers

    def _of_one(self, photo: Pixels) -> Logits:
        try:
            request = self._idle.pop()  # a deque needs no lock
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            request.infer([photo], share_inputs=True)
            logits: Logits = request.get_output_tensor(0).data[0].copy()
        finally:
            self._idle.append(request)
        return logits


@cache
def _core() -> ov.Core:
    """One for the process, and for ever.

    Each gives its thread a stack for signal handlers and, when it goes, the one that was there before: with two that go
    in the order in which they came that is one that has been freed, and the next SIGTERM ends in a segmentation fault.
    Seen with OpenVINO 2026.4.1; tests/unit/test_runtime.py tells when it is mended.
    """
    return ov.Core()


def _read(model: bytes) -> ov.Model:
    # Not Core.read_model: it would take any of half a dozen other formats, and what they may refer to.
    onnx = FrontEndManager().load_by_framework("onnx")
    try:
        return onnx.convert(onnx.load(io.BytesIO(model)))
    except Exception as error:
        raise _unloadable(error) from error


def _classes(graph: ov.Model) -> int:
    inputs = [port.get_partial_shape() for port in graph.inputs]
    outputs = [port.get_partial_shape() for port in graph.outputs]
    if len(inputs) != 1 or len(outputs) != 1 or outputs[0].rank != 2 or outputs[0][1].is_dynamic:
        raise ArtifactError(
            "model.onnx must take one tensor and answer one of (photos, classes), but it takes "
            f"{len(inputs)} and answers {', '.join(map(str, outputs)) or 'none'}; train again."
        )
    return int(outputs[0][1].get_length())


def _take_one_photo_at_a_time(graph: ov.Model) -> None:
    """Fix the batch at one: memory is then reserved while loading, and no first request pays for it."""
    shape = graph.inputs[0].get_partial_shape()
    shape[0] = 1
    try:
        graph.reshape(shape)
    except Exception as error:
        raise _unloadable(error) from error


def _unloadable(error: Exception) -> ArtifactError:
    return ArtifactError(f"model.onnx cannot be loaded by OpenVINO ({cause(error)}); train again.")


def cause(error: Exception) -> str:
    """One line of an exception. OpenVINO's begin with the places in its own source that it passed."""
    lines = [line.strip() for line in str(error).splitlines()]
    places = ("Exception from ", "Check ", "FrontEnd API failed", "Model wasn't", "Summary:")
    told = [line.removeprefix("-- ") for line in lines if line and not line.startswith(places)]
    return f"{type(error).__name__}: {(told or lines or [''])[0]}"[:200]


def _return_memory() -> None:
    """Hand back to the system what parsing and compiling took, which glibc would keep."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
