# %% [markdown]
# # A night in numbers, with pandas
#
# Open this file as a notebook (VS Code, PyCharm, or Jupyter with jupytext), or run it in a workspace whose jobs have
# ended: `pip install pandas`, then `python …/examples/notebook.py`. Of the workspace of first-night.sh it prints:
#
#     succeeded    7
#
#     varied: guidance, seed, edge_weight
#
#                  videos  each_s  together_s
#     prompt_name
#     first-snow        2  …       …
#     morning           3  …       …
#     night-rain        2  …       …
#
#     blur_ssim
#     edge_weight    0.5    0.7    1.0
#     prompt_name
#     first-snow     NaN  …        NaN
#     morning      …        NaN  …
#     night-rain   …        NaN    NaN
#
#     spread of blur_ssim among seeds: …
#
#        id prompt_name  guidance  seed  edge_weight  measure_blur_ssim  output_path
#         …
#
# and above the last two a table like it for each other parameter that was varied, but for the seed.

# %% All that the ledger knows, a row a job. Run this cell again in the morning.
import io
import subprocess

import pandas as pd

WORKSPACE = "."
MEASURE = "blur_ssim"

command = ["cosmosq", "-w", WORKSPACE, "report", "--csv", "-"]
table = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
jobs = pd.read_csv(
    io.StringIO(table), parse_dates=["created_at", "started_at", "ended_at"], dtype={"prompt_name": "str"}
)
jobs["prompt_name"] = jobs["prompt_name"].fillna(jobs["prompt_id"])
videos = jobs[(jobs["status"] == "succeeded") & (jobs["kind"] != "upsample")]

# %% How the jobs ended, and the failures by what kind they were.
print(jobs["status"].value_counts().to_string(header=False), end="\n\n")
failed = jobs[jobs["error"].notna()]
if not failed.empty:
    print(failed.groupby("error")["id"].agg(["count", list]).to_string(), end="\n\n")

# %% Which numbers were varied. The parameters stand side by side; REFERENCE.md lists all columns.
parameters = videos.loc[:, "num_steps":"upscale_weight"].select_dtypes("number")
varied = [name for name in parameters if videos[name].nunique(dropna=False) > 1]
print("varied:", ", ".join(varied) or "nothing", end="\n\n")

# %% What the prompts took, in GPU seconds.
took = videos.groupby("prompt_name")["generate_s"].agg(videos="count", each_s="mean", together_s="sum")
print(took.round(1).to_string(), end="\n\n")

# %% What each parameter did, prompt by prompt: another prompt is another picture, and says nothing of a parameter.
measured = f"measure_{MEASURE}"
if measured not in videos:
    raise SystemExit(f"{MEASURE} was not measured: cosmosq measure --pending")
for name in varied:
    if name != "seed":
        means = videos.pivot_table(measured, index="prompt_name", columns=name)
        print(MEASURE, means.round(3).to_string(), sep="\n", end="\n\n")

# %% How much of it is chance: the standard deviation among videos that differ in their seed alone.
same = ["prompt_id", *(name for name in varied if name != "seed")]
spread = videos.groupby(same, dropna=False)[measured].std().mean()
print(f"spread of {MEASURE} among seeds: {spread:.3f}", end="\n\n")

# %% The best five, and where they are.
best = videos.nlargest(5, measured)
print(best[["id", "prompt_name", *varied, measured, "output_path"]].to_string(index=False))
