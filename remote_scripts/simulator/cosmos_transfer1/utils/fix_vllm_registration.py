"""Imported for its effect before vLLM; here it leaves a trace, so that the order of imports can be seen."""

import os

os.environ["COSMOS_SIMULATED_VLLM_REGISTRATION"] = str(os.getpid())
