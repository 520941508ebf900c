"""The group `vllm`: Bailey's gateway in front of vLLM beside vLLM alone, measured with vLLM's own client."""
