"""What runs in the serving container: bytes in, prediction out. It imports neither AWS's SDK nor torch nor training."""

import sys

# OpenVINO imports its model converters, which are not used here. They report the import to a server of Intel's, and
# warn if the home folder is not writable. OpenVINO works without them.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
