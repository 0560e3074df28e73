"""
Hearing again, closer
=====================

Two short pips, high or low on the cochlea; which of the two came first? They lie within one token
of the first look, so that the answer is not in it. A small language model learns to ask the ear
for another look: at the band where it heard something, at the last 40 ms, 4 ms a token. The ear
runs again for that, with its places laid over the band.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from bridges.language.model import LanguageModel
from bridges.language.requests import Request, ask, asking_loss
from bridges.language.sensing import look
from bridges.language.sequence import Sensed, Text, interleave
from bridges.language.sizes import size
from encoders.sound import Sound
from sims.config.train import NerveSpec
from sims.sensing.live import LiveSensor
from sims.train.loop.device import torch_threads

RATE_HZ, RATIO, TRAIN, TEST = 16_000, 2.2, 64, 32
UP, DOWN, QUESTION = (ord(letter) for letter in "/\\?")


def pips(low_hz: float, rising: bool, seed: int) -> Sound:
    """8 ms each, 12 ms apart, 34 ms before the end; levels are drawn, so that they tell nothing."""
    rng = np.random.default_rng(seed)
    n, sound = round(0.008 * RATE_HZ), np.zeros(round(0.2 * RATE_HZ))
    tones_hz = (low_hz, RATIO * low_hz) if rising else (RATIO * low_hz, low_hz)
    for tone_hz, begins_s in zip(tones_hz, (0.166, 0.178), strict=True):
        pip = np.hanning(n) * np.sin(2 * np.pi * tone_hz * np.arange(n) / RATE_HZ)
        sound[round(begins_s * RATE_HZ) :][:n] = pip * 10 ** (rng.uniform(-8, 8) / 20)
    return Sound(sound, RATE_HZ)


# %%
# The first look: 12 places, 40 ms a token. Its numbers are spikes of a place in 40 ms; so are those
# of any other look.
rng = np.random.default_rng(1)
lows_hz = rng.choice([450.0, 1100.0], TRAIN + TEST)
rising = rng.random(TRAIN + TEST) < 0.5
sounds = {f"sound {n}": pips(lows_hz[n], rising[n], seed=n) for n in range(TRAIN + TEST)}
ear = LiveSensor(
    sounds, NerveSpec(n_channels=12, fibres_per_channel=8),
    duration_ms=200, step_ms=40, level_db=45, width=24,
)  # fmt: skip
first = [[Text((QUESTION,)), Sensed("sound", heard)] for heard in ear.first_look()]

# %%
# What should be asked, a little different each time, and what comes back.
wanted = [
    Request(low / 1.2 * by, low * RATIO * 1.2 * by, 40 * by, 4 * by)
    for low, by in zip(lows_hz, 2 ** rng.uniform(0, 0.15, TRAIN + TEST), strict=True)
]
units = torch.tensor([ear.limits.unit_of(request) for request in wanted])
requests = ear.limits.lay_out(torch.ones(len(units)), units)
again = ear.batch(range(TRAIN)).sense(range(TRAIN), requests.of(range(TRAIN)))
second = [
    [*first[n], Sensed("request", units[n : n + 1]), Sensed("sound", heard)]
    for n, heard in enumerate(again)
]
says = torch.tensor([UP if up else DOWN for up in rising])

# %%
# It is taught to answer after either look, to ask after the first and to be content with the
# second. The ear is not run for this any more.
model = LanguageModel(size("tiny"), generator=torch.Generator().manual_seed(1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with torch_threads(1):  # more would wait for each other: the model is small
    for _ in range(150):
        some = rng.choice(TRAIN, 16, replace=False)
        loss = torch.zeros(())
        for looks, asks in ((first, 1.0), (second, 0.0)):
            state = model(interleave([looks[n] for n in some], model.settings))[:, -1]
            asked = ask(model.request_head, state, ear.limits)
            loss += cross_entropy(model.logits(state), says[some])
            loss += asking_loss(asked, torch.full((16,), asks), units[some]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Sounds that it never heard. Now it asks for itself, and the ear runs for what it asks.
new = range(TRAIN, TRAIN + TEST)
with torch.no_grad():
    seen = look(model, [first[n] for n in new], ear.batch(new), rounds=4)
for number, turn in enumerate(seen.rounds, start=1):
    right = int((turn.logits.argmax(dim=-1) == says[TRAIN:]).sum())
    print(f"look {number}: {right} of {TEST} right, {int((turn.requests.wanted > 0).sum())} ask")
asked = seen.rounds[0].requests.decoded()
print(asked[0])

# %%
# A rising and a falling pair. In the first look they differ by chance; the frame is what the model
# asked to hear again, on the right is what came back.
figure, axes = plt.subplots(2, 2, figsize=(7.2, 4.4), layout="constrained", sharex="col")
for row, way in zip(axes, (True, False), strict=True):
    item = next(n for n in range(TEST) if rising[TRAIN + n] == way and lows_hz[TRAIN + n] > 1000)
    wish, (_, before, _, after) = asked[item], seen.items[item]
    first_look, again = (before, ear.first.request, 60), (after, wish, 160)
    for axis, (heard, what, most) in zip(row, (first_look, again), strict=True):
        hz = np.geomspace(what.low_hz, what.high_hz, ear.width + 1)
        ms = np.linspace(200 - what.window_ms, 200, len(heard.embeddings) + 1)
        mesh = axis.pcolormesh(ms, hz, heard.embeddings.T, vmin=0, vmax=most, cmap="YlOrRd")
        ticks_hz = [at for at in (250, 500, 1000, 2000, 3000) if what.low_hz < at < what.high_hz]
        axis.set(yscale="log", yticks=ticks_hz, yticklabels=ticks_hz)
        axis.minorticks_off()
        figure.colorbar(mesh, ax=axis, label="spikes in 40 ms")
    frame = (200 - wish.window_ms, wish.low_hz, wish.window_ms, wish.high_hz - wish.low_hz)
    row[0].indicate_inset(frame, edgecolor="#0072B2", alpha=1, linewidth=2)
    row[0].set(ylabel=f"{'rising' if way else 'falling'}\nfrequency (Hz)")
for axis, title in zip(axes.T, ("first look", "what was asked for"), strict=True):
    axis[0].set_title(title), axis[1].set_xlabel("time (ms)")
plt.show()
