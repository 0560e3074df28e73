"""Reasoning over tokens and sensation: TRM, HRM and a plain transformer, made of the same parts.

A training, one optimizer step each time round::

    settings = dataclasses.replace(TRM_MLP, length=16, vocabulary=6, hidden=64, multiple=16)
    model = build(settings, seed=0)
    carry = start(model, batch)
    for batch in batches:
        carry, losses, metrics = supervision_step(model, carry, batch, generator=generator)
        losses.total.backward()
        optimizer.step(); optimizer.zero_grad(set_to_none=True)
    answers = evaluate(average, batch)  # all steps, or halting=True

What a reasoner is:

- `settings`: `ReasonerSettings`; `TRM_MLP`, `TRM_ATTENTION`, `HRM`; `ABLATIONS`
- `reasoner`: `build(settings, seed=0, device=None) -> Reasoner`, `parameter_count(model)`;
  `size`: what it will hold, and whether there is room
- `inputs`: tokens, sensory embeddings and slots become x; `puzzles`: one vector a puzzle
- `layers`: RMSNorm, SwiGLU, attention, convolution, one block; `undrawn`: layers without values yet
- `recursion`: rounds of z and y, and which of them learns

How it is supervised:

- `carry`: `Batch`, `State`, `Carry`, `refilled`: what lives across optimizer steps
- `checked`: whether a batch fits
- `supervision`: `start`, `supervision_step`; a compiled model goes in as `forward`, exploration
  that was drawn elsewhere as `at_least`
- `halting`: when a slot halts; `losses`: stablemax cross-entropy and the halt head's honesty
- `evaluation`: `evaluate(model, batch, halting=False) -> Answered`, `refinement(model, batch)`
- `ema`: the running average that is evaluated
- `compiled`: networks through torch.compile, refused unless they answer and learn as eager does
- `modulation`: gain, budget, temperature and noise, as named inputs
"""
