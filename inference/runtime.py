"""The network on the CPU: an ONNX model compiled by OpenVINO. docs/decisions/0050 has the reasons."""

import ctypes
import io
import sys
from collections import deque
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino.frontend import FrontEndManager

from inference.artifact import ArtifactError
from inference.photo.preprocessing import Pixels
from inference.weights import WeightsFile, unnamed_file

Logits = npt.NDArray[np.float32]


class Network:
    """A classifier's network, ready to run. Safe to call from several threads at once.

    Raises ArtifactError for bytes that are not an ONNX model, and for a network that is not an image classifier: it
    must take one tensor (photos, 3, side, side) and return one of (photos, classes).

    model: the bytes of model.onnx. An io.BytesIO is closed as soon as it has been read, so that its bytes are freed.
    """

    def __init__(self, model: bytes | io.BytesIO, *, threads: int) -> None:
        graph = _read(model if isinstance(model, io.BytesIO) else io.BytesIO(model))
        self.classes = _classes(graph)
        _fix_batch_size(graph)
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,  # every thread works on the same photo
            "INFERENCE_PRECISION_HINT": "f32",  # the default rounds to bf16 where the processor can
        }
        weights = WeightsFile(graph)
        _trim_heap()
        try:
            with weights.dropped():
                self._compiled = _core().compile_model(graph, "CPU", options)
        except Exception as error:
            raise _load_error(error) from error
        del graph
        _trim_heap()
        self._idle = deque([self._compiled.create_infer_request()])

    def logits(self, batch: Pixels) -> Logits:
        """(n, 3, side, side) in, (n, classes) out."""
        logits = np.empty((len(batch), self.classes), dtype=np.float32)
        for number in range(len(batch)):  # a larger batch is no faster on a CPU, and would be compiled at its first use
            logits[number] = self._logits_of_one(batch[number : number + 1])
        return logits

    def _logits_of_one(self, photo: Pixels) -> Logits:
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
    """One core for the process, never destroyed.

    A core replaces its thread's signal stack, and restores the previous one when it is destroyed. If two cores are
    destroyed in the order of their creation, the second restores a stack that has been freed, and the next SIGTERM is a
    segmentation fault. Seen with OpenVINO 2026.4.1; a test in tests/unit/test_runtime.py fails once it is fixed.
    """
    return ov.Core()


def _read(model: io.BytesIO) -> ov.Model:
    """Read the model, and close the stream."""
    # Core.read_model would also read half a dozen other formats, and the files that they refer to.
    onnx = FrontEndManager().load_by_framework("onnx")
    file = unnamed_file([model.getbuffer()])
    path = None if file is None else Path(f"/proc/self/fd/{file.fileno()}")
    try:
        if path is None or not path.exists():  # a container may have no /proc
            return onnx.convert(onnx.load(model))
        model.close()
        # from a path, because OpenVINO copies a stream into memory before it reads it
        return onnx.convert(onnx.load(str(path)))
    except Exception as error:
        raise _load_error(error) from error
    finally:
        model.close()
        if file is not None:
            file.close()


def _classes(graph: ov.Model) -> int:
    inputs = [port.get_partial_shape() for port in graph.inputs]
    outputs = [port.get_partial_shape() for port in graph.outputs]
    if len(inputs) != 1 or len(outputs) != 1 or outputs[0].rank != 2 or outputs[0][1].is_dynamic:
        raise ArtifactError(
            "model.onnx must take one tensor and return one of (photos, classes), but it takes "
            f"{len(inputs)} and returns {', '.join(map(str, outputs)) or 'none'}; train again."
        )
    return int(outputs[0][1].get_length())


def _fix_batch_size(graph: ov.Model) -> None:
    """Fix the batch size at one, so that memory is reserved while loading and not by the first request."""
    shape = graph.inputs[0].get_partial_shape()
    shape[0] = 1
    try:
        graph.reshape(shape)
    except Exception as error:
        raise _load_error(error) from error


def _load_error(error: Exception) -> ArtifactError:
    return ArtifactError(f"model.onnx cannot be loaded by OpenVINO ({cause(error)}); train again.")


def cause(error: Exception) -> str:
    """One line of an exception. OpenVINO's messages begin with places in its own source, which are left out."""
    lines = [line.strip() for line in str(error).splitlines()]
    places = ("Exception from ", "Check ", "FrontEnd API failed", "Model wasn't", "Summary:")
    causes = [line.removeprefix("-- ") for line in lines if line and not line.startswith(places)]
    return f"{type(error).__name__}: {(causes or lines or [''])[0]}"[:200]


def _trim_heap() -> None:
    """Return to the system the memory that parsing and compiling took; glibc would keep it."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
