"""Training: from photos to an artifact that serving loads. Of AWS it uses only the names of SageMaker's environment
variables."""

import os

# Allocate tensors in pages of 2 MB if the kernel allows it: a forward pass faults on about 80,000 small pages otherwise
# (docs/decisions/0030). torch reads this variable once, when it allocates its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
