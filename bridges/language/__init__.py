"""A causal transformer that reads words and sensations alike, and may ask to sense more.

- `settings`: every number that makes a model; `sizes`: the sizes by name, counted unbuilt
- `sequence`: text, sensations and a reasoner's answers in one sequence, at any positions
- `rope`, `attention`, `block`, `model`: the transformer
- `kv_cache`: keys and values kept, so that only what is new is computed
- `tokens`: text to numbers and back, from bytes or from a `tokenizer.json`
- `filters`, `repetition`, `contrast`, `sampling`, `generate`: from logits to text
- `requests`: what a model may ask of the senses; `sensing`: the loop that serves it; `stored`: a
  sensor over what was recorded once
- `thinking`: the recursive reasoner, whose y enters the sequence as tokens, from the first look on
- `modulation`: how neuromodulators reach all of this without passing through words
- `llama`: weights of existing models read, and ours written, in the layout of Llama
"""
