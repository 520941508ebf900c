"""From a `source:` in models.yaml to files on this machine whose digests are known.

`bundled:` and `path:` are here already; `hf:`, `s3:` and `oci:` are fetched once into the store, by
`bailey models pull` or at the first start, and are used from there without asking anybody again.
Everything here blocks; call it in a thread.
"""

from inference.weights.manifest import weights_digest
from inference.weights.store import WeightsStore

__all__ = ["WeightsStore", "weights_digest"]
