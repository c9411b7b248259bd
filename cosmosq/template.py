"""The `cosmosq.toml` of a new workspace."""

TEMPLATE = """\
# cosmosq.toml: the settings of this workspace. Every key is described in REFERENCE.md.

# Host of jobs that name none.
default_host = "sim"

# How often a job is repeated after a failure that a repetition may cure (a lost session, a crash).
retries = 2

# The simulated engine on this machine: no GPU needed, every video is marked SIMULATED.
[hosts.sim]
transport = "local"
engine = "simulated"
# Seconds that an open session waits for the next job before it is closed.
idle_close = 60

# What the simulated engine is told, e.g. how long loading and a step take.
[hosts.sim.simulator]
load_s = 1.0
step_s = 0.01
"""
