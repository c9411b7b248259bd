"""What stands in for torchrun: runs a script in a process of its own session, and wraps whatever goes wrong with it.

    python3 -m simulated.torchrun --nproc_per_node=N SCRIPT [ARGUMENT …]

Only one process is started, whatever N is: the stand-in has no GPU to share. As with torchrun, the script's own exit
code is told in a report, and the exit code is 1.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

RULE = "=" * 60
REPORT = """\
Traceback (most recent call last):
  File "torch/distributed/launcher/api.py", line 269, in launch_agent
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
{rule}
{script} FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : {time}
  rank      : 0 (local_rank: 0)
  exitcode  : {code} (pid: {pid})
  error_file: <N/A>
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
{rule}
"""


def main(arguments: Sequence[str]) -> int:
    own = list(itertools.takewhile(lambda argument: argument.startswith("--"), arguments))
    script, *rest = arguments[len(own) :]
    environment = {**os.environ, "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    worker = subprocess.Popen([sys.executable, script, *rest], env=environment, start_new_session=True)

    def end(number: int, frame: FrameType | None) -> None:
        worker.kill()
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    code = worker.wait()
    if code:
        when = time.strftime("%Y-%m-%d_%H:%M:%S")
        sys.stderr.write(REPORT.format(rule=RULE, script=script, time=when, code=code, pid=worker.pid))
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
