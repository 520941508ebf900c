"""The group `routing`: how well estimates tell which prompts deserve the stronger model, on RouteLLM's own outcomes."""
