"""Models in Llama's layout: read right, written so that others can read them, refused if wrong."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bridges.language.generate import generate
from bridges.language.llama import load_model, load_tokenizer, save_model
from bridges.language.sampling import GREEDY
from bridges.language.sequence import Text, interleave, text
from bridges.language.settings import Sense
from bridges.language.tokens import ByteTokenizer
from neuro.errors import ConfigError, EmberError, StoreError
from tests.reasoning._language import MIXED_ITEM, TINY, generator, model, needs_tokenizers
from tests.reasoning._llama_by_hand import llama_logits

IDS = [3, 17, 0, 9, 9, 18, 2, 5, 11]
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
# Weights are single precision; with ten sums of up to 40 terms of size 1 rounding at 6e-8 each,
# logits of size 1 agree within 1e-5; a wrong model differs by 0.1 and more.
SINGLE = 1e-5

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 24,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "model_type": "llama",
    "num_attention_heads": 6,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500.0,
    "tie_word_embeddings": False,
    "vocab_size": 19,
}


def weights(config: dict[str, Any], seed: int = 0) -> dict[str, NDArray[Any]]:
    """Random weights under the names and in the shapes that Llama's files have."""
    hidden, inner, heads = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads")
    )
    width = config.get("head_dim") or hidden // heads
    queries, keys = heads * width, config["num_key_value_heads"] * width
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (19, hidden)}
    for layer in range(config["num_hidden_layers"]):
        shapes |= {
            f"model.layers.{layer}.{name}.weight": shape
            for name, shape in {
                "input_layernorm": (hidden,),
                "self_attn.q_proj": (queries, hidden),
                "self_attn.k_proj": (keys, hidden),
                "self_attn.v_proj": (keys, hidden),
                "self_attn.o_proj": (hidden, queries),
                "post_attention_layernorm": (hidden,),
                "mlp.gate_proj": (inner, hidden),
                "mlp.up_proj": (inner, hidden),
                "mlp.down_proj": (hidden, inner),
            }.items()
        }
    shapes["model.norm.weight"] = (hidden,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (19, hidden)
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(1 if len(shape) == 1 else 0, shape[-1] ** -0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write(folder: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A small model in the layout of existing ones; nothing of `bridges` is used."""
    config = {key: value for key, value in {**CONFIG, **changes}.items() if value != "absent"}
    folder.mkdir(exist_ok=True)
    made = weights(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(made, folder / "model.safetensors")
    return config, made


def shard(folder: Path) -> dict[str, str]:
    """Lay the weights out in two files with an index, as larger models are."""
    made = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(made)
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for file, part in zip(files, (names[::2], names[1::2]), strict=True):
        save_file({name: made[name] for name in part}, folder / file)
    places = {name: files[n % 2] for n, name in enumerate(names)}
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return places


def logits(folder: Path, **how: Any) -> NDArray[Any]:
    lm = load_model(folder, **how)
    with torch.no_grad():
        return lm.logits(lm(text(torch.tensor([IDS]))))[0].double().numpy()


def by_hand(config: dict[str, Any], made: dict[str, NDArray[Any]], **rope: Any) -> NDArray[Any]:
    return llama_logits(
        made, IDS, layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"], epsilon=config["rms_norm_eps"],
        **{"theta": 500.0, **rope},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "rope"),
    [
        ({}, {}),
        ({"tie_word_embeddings": True}, {}),
        ({"head_dim": 6}, {}),
        ({"num_key_value_heads": 6}, {}),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, {"scaling": {"factor": 4.0}}),
        (
            {"rope_scaling": LLAMA3},
            {"scaling": {"factor": 8.0, "low": 1.0, "high": 4.0, "original": 32.0}},
        ),
        (  # as newer files say it
            {"rope_theta": "absent", "rope_parameters": {**LLAMA3, "rope_theta": 300.0}},
            {"theta": 300.0, "scaling": {"factor": 8.0, "low": 1.0, "high": 4.0, "original": 32.0}},
        ),
    ],
)
def test_a_model_computes_what_its_files_describe(
    tmp_path: Path, changes: dict[str, Any], rope: dict[str, Any]
) -> None:
    config, made = write(tmp_path, **changes)
    expected = by_hand(config, made, **rope)
    assert np.abs(expected).max() > 1  # it says something
    assert np.abs(logits(tmp_path) - expected).max() < SINGLE
    # In double precision what is left is the rounding of sums at 1e-16.
    assert np.abs(logits(tmp_path, dtype=torch.float64) - expected).max() < 1e-12


def no_gain(config: dict[str, Any], made: dict[str, NDArray[Any]]) -> NDArray[Any]:
    name = "model.layers.1.input_layernorm.weight"
    return by_hand(config, {**made, name: np.ones_like(made[name])})


def other_group(config: dict[str, Any], made: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The two heads of keys in the other order, as if queries were grouped otherwise."""
    name = "model.layers.0.self_attn.k_proj.weight"
    return by_hand(config, {**made, name: np.roll(made[name], 4, axis=0)})


@pytest.mark.parametrize(
    "wrong",
    [
        no_gain,
        other_group,
        lambda config, made: by_hand(config, made, theta=10_000.0),
        lambda config, made: by_hand(config, made, scaling={"factor": 4.0}),
        lambda config, made: by_hand({**config, "rms_norm_eps": 0.1}, made),
    ],
)
def test_the_comparison_finds_a_wrong_model(
    tmp_path: Path,
    wrong: Callable[[dict[str, Any], dict[str, NDArray[Any]]], NDArray[Any]],
) -> None:
    config, made = write(tmp_path)
    assert np.abs(logits(tmp_path) - wrong(config, made)).max() > 100 * SINGLE


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    write(tmp_path)
    whole = logits(tmp_path)
    shard(tmp_path)
    assert np.array_equal(logits(tmp_path), whole)


def test_older_and_redundant_tensors_do_not_disturb(tmp_path: Path) -> None:
    """Rotations that follow from the config, and a tied head that is stored all the same."""
    _, made = write(tmp_path, tie_word_embeddings=True)
    plain = logits(tmp_path)
    made["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(2, np.float32)
    made["lm_head.weight"] = made["model.embed_tokens.weight"].copy()
    save_file(made, tmp_path / "model.safetensors")
    assert np.array_equal(logits(tmp_path), plain)
    made["lm_head.weight"] += 1
    save_file(made, tmp_path / "model.safetensors")
    with pytest.raises(StoreError, match=r"ties `lm_head\.weight` to the embedding"):
        load_model(tmp_path)


def test_half_precision_files_are_read_in_the_precision_asked_for(tmp_path: Path) -> None:
    config, made = write(tmp_path)
    half = {name: values.astype(np.float16) for name, values in made.items()}
    save_file(half, tmp_path / "model.safetensors")
    assert np.abs(logits(tmp_path) - by_hand(config, half)).max() < SINGLE
    brief = load_model(tmp_path, dtype=torch.bfloat16)
    assert {part.dtype for part in brief.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("shard_bytes", [None, 6000])
def test_what_is_written_is_a_llama_that_others_read(
    tmp_path: Path, shard_bytes: int | None
) -> None:
    """Read here by the plain loops: names, shapes and config as Llama has them."""
    lm = model(exact=False, vocabulary=19)
    save_model(lm, tmp_path, shard_bytes=shard_bytes)
    files = sorted(tmp_path.glob("model*.safetensors"))
    assert (len(files) > 3) == (shard_bytes is not None)
    made = {name: values for file in files for name, values in load_file(file).items()}
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    got = by_hand(config, made, theta=config["rope_theta"])
    with torch.no_grad():
        ours = lm.logits(lm(text(torch.tensor([IDS]))))[0].numpy()
    # The tiny model's embedding has unit variance: logits are sums of 64 such, of size 10.
    assert np.abs(got - ours).max() < 10 * SINGLE
    if shard_bytes is not None:
        index = json.loads((tmp_path / "model.safetensors.index.json").read_text("utf-8"))
        assert set(index["weight_map"]) == set(made)
        assert index["metadata"]["total_size"] == sum(values.nbytes for values in made.values())


def test_a_model_with_senses_comes_back_whole(tmp_path: Path) -> None:
    lm = model()
    save_model(lm, tmp_path)
    again = load_model(tmp_path, dtype=torch.float64)
    assert again.settings == lm.settings
    for (name, one), two in zip(lm.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two), name
    inputs = interleave([MIXED_ITEM], TINY)
    assert torch.equal(lm(inputs), again(inputs))


def test_senses_are_added_to_a_model_of_text(tmp_path: Path) -> None:
    write(tmp_path)
    smell = (Sense("smell", 5),)
    with pytest.raises(ConfigError, match="pass a `generator`"):
        load_model(tmp_path, senses=smell)
    lm = load_model(tmp_path, senses=smell, generator=generator(3))
    again = load_model(tmp_path, senses=smell, generator=generator(3))
    for one, two in zip(lm.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two) and torch.isfinite(one).all()
    with torch.no_grad():
        said = lm.logits(lm(text(torch.tensor([IDS]))))[0].double().numpy()
    assert np.array_equal(said, logits(tmp_path))


def test_a_folder_has_all_that_generation_needs(tmp_path: Path) -> None:
    needs_tokenizers()
    lm, tokenizer = model(exact=False), ByteTokenizer()
    save_model(lm, tmp_path, tokenizer=tokenizer)
    lm, read = load_model(tmp_path), load_tokenizer(tmp_path)
    assert (read.begin, read.ends) == (tokenizer.begin, tokenizer.ends)
    prompt = interleave([[Text(read.encode("a spike"))]], lm.settings)
    said = generate(lm, prompt, limit=4, decoding=GREEDY, stop=read.ends)[0]
    assert isinstance(read.decode(said.ids), str) and said.log_probability


def test_saving_again_leaves_nothing_of_the_old(tmp_path: Path) -> None:
    lm = model(exact=False)
    save_model(lm, tmp_path, shard_bytes=50_000)
    save_model(model(exact=False, senses=()), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert load_model(tmp_path).settings.senses == ()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1  # whoever may read the config may read the weights


def test_a_save_that_fails_leaves_the_model_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(model(exact=False, seed=1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}  # and nothing hidden

    def full(path: Path, _: object) -> None:
        path.write_text("half", encoding="utf-8")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("bridges.language.llama.write_json", full)
    with pytest.raises(StoreError, match=r"cannot write a model to .*No space left on device"):
        save_model(model(exact=False, seed=2), tmp_path, shard_bytes=50_000)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot write a model to"):
        save_model(model(exact=False), tmp_path / "file" / "folder")


Damage = Callable[[Path], None]


def config(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(
            json.dumps({**json.loads(path.read_text("utf-8")), **changes}), encoding="utf-8"
        )

    return damage


def tensor(name: str, values: NDArray[Any] | None) -> Damage:
    def damage(folder: Path) -> None:
        made = load_file(folder / "model.safetensors")
        made.pop(name, None)
        if values is not None:
            made[name] = values
        save_file(made, folder / "model.safetensors")

    return damage


def index(**changes: str) -> Damage:
    def damage(folder: Path) -> None:
        places = {**shard(folder), **changes}
        path = folder / "model.safetensors.index.json"
        path.write_text(json.dumps({"weight_map": places}), encoding="utf-8")

    return damage


def content(name: str, data: bytes | None) -> Damage:
    def damage(folder: Path) -> None:
        if data is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(data)

    return damage


def pickle_alone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02c__builtin__\nexit\n.")


def cut_in_half(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lost_shard(folder: Path) -> None:
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


Q = "model.layers.1.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (config(model_type="mamba"), r'`model_type` must be "llama" .*found "mamba"'),
        (config(attention_bias=True), "`attention_bias` must be false .*found true"),
        (config(hidden_act="gelu"), r'`hidden_act` must be "silu" .*found "gelu"'),
        (config(quantization_config={"bits": 4}), "`quantization_config` must be null"),
        (config(rope_scaling={"type": "yarn", "factor": 2}), 'llama3 or none, found "yarn"'),
        (config(rope_scaling={"rope_type": "dynamic"}), 'llama3 or none, found "dynamic"'),
        (config(rope_scaling={"type": "linear"}), r"`rope_scaling\.factor` must be a number"),
        (config(rope_scaling="linear"), "must be objects or null"),
        (config(rope_parameters={"partial_rotary_factor": 0.5}), "`partial_rotary_factor` must"),
        (config(hidden_size="24"), r'`hidden_size` must be .* of 1 or more, found "24"'),
        (config(num_hidden_layers=None), "`num_hidden_layers` must be a whole .* found none"),
        (config(tie_word_embeddings="no"), "`tie_word_embeddings` must be true or false"),
        (config(num_key_value_heads=0), "`num_key_value_heads` must be .* 1 or more, found 0"),
        (config(head_dim=0), "`head_dim` must be .* 1 or more, found 0"),
        (config(rope_theta=10**400), r"`rope_theta` must be .* fits in double .* found 10+…$"),
        (config(rms_norm_eps=1e999), "`rms_epsilon` must be positive and finite, found inf"),
        (tensor("model.norm.weight", np.full(24, np.nan, np.float32)), "norm.weight` must be fin"),
        (tensor("model.norm.weight", np.full(24, 1e39)), "must be finite in float32, found NaN or"),
        (config(num_key_value_heads=4), "`kv_heads` must divide `heads`"),
        (config(num_hidden_layers=3), "must hold the 3 layers of its config, found 2"),
        (config(num_hidden_layers=10**12), "must hold the 1000000000000 layers"),
        (config(vocab_size=10**18), r"must be 1000000000000000000 x 24 by the config, found 19 x"),
        (config(intermediate_size=48), r"gate_proj\.weight` must be 48 x 24 .*found 40 x 24"),
        (tensor(Q, None), r"must hold the tensor `model\.layers\.1\.self_attn\.q_proj"),
        (tensor(Q, np.ones((24, 12), np.float32)), "q_proj.weight` must be 24 x 24 .*24 x 12"),
        (tensor(Q, np.ones((24, 24), np.int8)), "floating point numbers, found I8; quantised"),
        (tensor("model.layers.1.bias", np.ones(3, np.float32)), "found `model.layers.1.bias`"),
        (content("config.json", None), "must hold `config.json`, found: No such file"),
        (content("config.json", b"{"), "must be JSON, found"),
        (content("config.json", b"[" * 100_000), "must be JSON, found"),
        (content("config.json", b"\xff\xff"), "must be UTF-8, found"),
        (content("config.json", b"[]"), "must be a JSON object, found list"),
        (content("model.safetensors", None), "`model.safetensors` or .*found neither in"),
        (content("model.safetensors", b""), "must be a whole safetensors file, found"),
        (content("model.safetensors", b"\xff" * 64), "must be a whole safetensors file, found"),
        (cut_in_half, "must be a whole safetensors file, found"),
        (pickle_alone, "found only a pickle, `pytorch_model.bin`, which could run anything"),
        (lost_shard, "there is no such file"),
        (index(**{"model.extra": "model-00001-of-00002.safetensors"}), "must hold `model.extra`"),
        (index(**{Q: "../model.safetensors"}), "must name safetensors files beside it"),
        (index(**{Q: "pytorch_model.bin"}), "must name safetensors files beside it"),
        (content("model.safetensors.index.json", b"{}"), "must hold a `weight_map`"),
        (content("model.safetensors.index.json", b"[]"), "must hold a `weight_map`"),
        (content("model.safetensors.index.json", b'{"weight_map": 3}'), "hold a `weight_map`"),
        (content("ember.json", b"{}"), "must list a model's senses"),
        (
            content("ember.json", b'{"senses": [{"name": "a", "width": 2, "perceived": true}]}'),
            "ember.safetensors`: there is no such file",
        ),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_folder_is_refused(tmp_path: Path, damage: Damage, says: str) -> None:
    write(tmp_path)
    load_model(tmp_path)
    damage(tmp_path)
    with pytest.raises(EmberError, match=says) as refused:
        load_model(tmp_path)
    assert "\n" not in str(refused.value)


def rows(**changes: Any) -> str:
    first = {"name": "sound", "width": 24, "perceived": True, **changes}
    others = [
        {"name": "answer", "width": 16, "perceived": False},
        {"name": "request", "width": 4, "perceived": False},
    ]
    return json.dumps({"senses": [first, *others]})


@pytest.mark.parametrize(
    ("senses", "says"),
    [
        (rows(width=25), r"`senses\.0\.projection\.weight` must be 64 x 25, found 64 x 24"),
        # Held against the file before memory is taken: this would be 51 TB.
        (rows(width=200_000_000_000), "must be 64 x 200000000000, found 64 x 24"),
        (rows(width=math.inf), "found that `width` is Infinity, not a whole number"),
        (rows(width=True), "found that `width` is true, not a whole number"),
        (rows(width=0), "`sound` must be 1 number wide or more, found 0"),
        (rows(perceived="false"), 'found that `perceived` is "false", not true or false'),
        (rows(name=3), "found that `name` is 3, not a word"),
        (rows(name="a b"), "a sense's name must be a plain word, found `a b`; fetch"),
        (rows(colour=1), "where name, width and perceived should be"),
        ('{"senses": "abc"}', "found no list of them under `senses`"),
        ('{"senses": ["abc"]}', 'found "abc", where name, width and perceived should be'),
        ('{"senses": []}', "what the senses in `ember.json` add and nothing else, found `"),
        ("[]", "found no list of them under `senses`"),
        ("[" * 100_000, "must list a model's senses, found "),
    ],
)  # fmt: skip
def test_senses_that_are_not_those_of_the_files_are_refused(
    tmp_path: Path, senses: str, says: str
) -> None:
    save_model(model(), tmp_path)
    assert json.loads((tmp_path / "ember.json").read_text("utf-8")) == json.loads(rows())
    (tmp_path / "ember.json").write_text(senses, encoding="utf-8")
    with pytest.raises(StoreError, match=says) as refused:
        load_model(tmp_path)
    assert "\n" not in str(refused.value) and "Error(" not in str(refused.value)


def test_a_sense_whose_weights_are_no_numbers_is_refused(tmp_path: Path) -> None:
    lm = model(exact=False)
    with torch.no_grad():
        lm.senses[0].mark[3] = math.inf  # type: ignore[operator]
    save_model(lm, tmp_path)
    with pytest.raises(StoreError, match=r"`senses\.0\.mark` must be finite in float32, found NaN"):
        load_model(tmp_path)


def test_weights_that_a_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    _, made = write(tmp_path)
    made["model.norm.weight"][0] = 1e5
    save_file(made, tmp_path / "model.safetensors")
    load_model(tmp_path, dtype=torch.bfloat16)
    with pytest.raises(StoreError, match=r"norm\.weight` must be finite in float16, found"):
        load_model(tmp_path, dtype=torch.float16)


def test_ends_of_a_text_are_read_from_the_config(tmp_path: Path) -> None:
    needs_tokenizers()
    write(tmp_path, bos_token_id=1, eos_token_id=[2, 3])
    ByteTokenizer().save(tmp_path / "tokenizer.json")
    read = load_tokenizer(tmp_path)
    assert (read.begin, read.ends) == (1, frozenset({2, 3}))
    config(eos_token_id="end")(tmp_path)
    with pytest.raises(ConfigError, match=r'config\.json: .* found `eos_token_id`: "end"'):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        ({"eos_token_id": [4, 5]}, (1, {4, 5})),
        ({"eos_token_id": 6, "bos_token_id": 7}, (7, {6})),
        ({"temperature": 0.6}, (1, {2, 3})),
        ({"eos_token_id": None}, (1, {2, 3})),
    ],
)
def test_ends_of_an_answer_in_the_generation_config_count_first(
    tmp_path: Path, generation: dict[str, Any], expected: tuple[int, set[int]]
) -> None:
    needs_tokenizers()
    write(tmp_path, bos_token_id=1, eos_token_id=[2, 3])
    ByteTokenizer().save(tmp_path / "tokenizer.json")
    (tmp_path / "generation_config.json").write_text(json.dumps(generation), encoding="utf-8")
    read = load_tokenizer(tmp_path)
    assert (read.begin, read.ends) == (expected[0], frozenset(expected[1]))
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [true]}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"generation_config\.json: .*found `eos_token_id`"):
        load_tokenizer(tmp_path)
