"""From photos to an artifact that serving loads. Nothing here knows of AWS but its variables' names."""

import os

# Tensors in pages of 2 MB, where the kernel lends them: a pass through the network touches some 80,000 small pages anew
# (docs/decisions/0030). torch reads it once, with its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
