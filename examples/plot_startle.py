"""
The story of a startle
======================

A voice murmurs and then cries out; something hot touches the skin. The ear and the pain fibres
reach a small amygdala, its central nucleus drives locus coeruleus, and locus coeruleus releases
noradrenaline, which raises the gain of the bushy cells in the ear's first nucleus and lowers the
compute budget that the reasoning model is given.
"""

from sims.config import load
from sims.report import figures
from sims.run import run_experiment

# %%
# The shipped config, cut short before second pain arrives. ``ember run startle`` runs all of it.
story = run_experiment(load("startle", ["duration=1.6 s", "stimulus.heat.onset=1.2 s"]))
for name, spikes in story.recording.spikes.items():
    print(f"{name:24} {len(spikes):6} spikes  {spikes.rate_hz:6.1f} Hz")

# %%
# In a notebook the picture shows itself; from a script, ``picture.savefig("startle.png")``.
picture = figures.overview(story)

# %%
# With its release blocked, noradrenaline stays at its baseline and the gain does not change.
changes = ["duration=1.6 s", "stimulus.heat.onset=1.2 s"]
blocked = run_experiment(load("startle", [*changes, "modulation.noradrenaline.per_spike=0 nM"]))
for name, run in (("as it is", story), ("blocked", blocked)):
    leak = run.recording.factors["bushy.g_L"].values.min()
    budget = run.recording.factors["reasoner.budget"].values.min()
    print(f"{name:10} leak of bushy cells ×{leak:.2f}, reasoner's budget ×{budget:.2f}")
