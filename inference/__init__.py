"""What runs in the serving container: bytes in, prediction out. Knows nothing of AWS, of torch, or of training."""

import sys

# Importing OpenVINO imports its converters, of which nothing is used here. They report to a server of Intel's that they
# were imported, and warn where the home folder cannot be written. OpenVINO does without them where they are not there.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
