"""The parts of a causal LM that a read-out needs, found by watching one short forward pass.

No table of architectures: the blocks are the list of modules that a text forward runs through one by one, the final
norm is what runs between the last block and the decoder's end, and
`lager.extract.readout.self_check` proves the result.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...data.errors import LagerError
from .head import Head, find_head, state_of
from .tail import Tail, find_tail

_PROBE_LENGTH = 4


class Parts(NamedTuple):
    """Modules of one model.

    Attributes
    ----------
    decoder : Module
        Takes token ids and returns the states after the final norm; the vocabulary head is not part of it.
    blocks : tuple of Module
        The L decoder blocks in order.
    norm : tuple of Module
        What a state passes through after the last block, in order: the final norm, if there is one.
    projection : Module or None
        A linear map between the final norm and the unembedding (OPT-350m), None in most models.
    head : Head
        The unembedding with its bias, scale and cap.
    tail : Tail
        What may be run at the read-out position only.
    paths : dict
        Where decoder, blocks, norm, projection and head were found.
    whole : bool
        Whether these are all blocks of the model. The last of the first blocks alone is read like any other layer,
        before the final norm.
    """

    decoder: nn.Module
    blocks: tuple[nn.Module, ...]
    norm: tuple[nn.Module, ...]
    projection: nn.Module | None
    head: Head
    tail: Tail
    paths: dict[str, Any]
    whole: bool = True


def find_parts(model: Any, *, layers_path: str | None = None, norm_path: str | None = None) -> Parts:
    """Find blocks, final norm and unembedding of a loaded model."""
    modules = dict(model.named_modules())
    with looking_for("the embedding (`get_input_embeddings()` with a weight of shape (vocabulary, width))"):
        ids = _probe_ids(model)
    with looking_for("the logits that the model gives for a short text alone, `model(input_ids=...).logits`"):
        finished, states, logits = _watch(model, modules, ids)
    layers = layers_path or _find_layers(model, modules, finished)
    blocks = _blocks(modules, layers, finished)
    stack = layers.rpartition(".")[0]
    decoder = _find_decoder(modules, layers)
    after = [norm_path] if norm_path else _after_last_block(finished, stack, f"{layers}.{len(blocks) - 1}")
    for path in after:
        if path not in modules:
            raise LagerError(f"the model has no module {path!r}: --norm-path takes a dotted path such as model.norm")
    linear = [path for path in after if isinstance(modules[path], nn.Linear)]
    if len(linear) > 1:
        raise LagerError(f"several linear maps follow the last block ({', '.join(linear)}): name one with --norm-path")
    norm = [path for path in after if path not in linear]
    with looking_for("the unembedding (`get_output_embeddings()` after the decoder's last state)"):
        head, head_path = find_head(model, modules, modules[decoder], ids, logits)
    _check_states(states, layers, len(blocks), ids)
    final = tuple(modules[path] for path in norm)
    with looking_for(f"the final norm ({', '.join(norm) or 'none'}), which takes the last block's state alone"):
        _pass_through(final, states[f"{layers}.{len(blocks) - 1}"], device=ids.device)
    tail = find_tail(modules[decoder], blocks[-1], final, ids)
    paths = {"decoder": decoder, "layers": layers, "norm": norm, "projection": linear[0] if linear else None}
    return Parts(
        decoder=modules[decoder],
        blocks=blocks,
        norm=final,
        projection=modules[linear[0]] if linear else None,
        head=head,
        tail=tail,
        paths={**paths, "head": head_path},
    )


def _probe_ids(model: Any) -> Tensor:
    """Return a few different token ids, shape (1, 4)."""
    size = model.get_input_embeddings().weight.shape[0]
    step = max(size // (_PROBE_LENGTH + 1), 1)
    ids = torch.arange(1, _PROBE_LENGTH + 1, device=model.device) * step % size
    return ids[None]


@contextmanager
def looking_for(what: str) -> Iterator[None]:
    """Turn what code of an unknown architecture raises into one line that says what was looked for."""
    try:
        yield
    except (LagerError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # it cannot be foreseen
        first = (str(error).strip() or "no message").splitlines()[0]
        raise LagerError(
            f"this architecture cannot be read: looked for {what}, and the model's code raised {type(error).__name__}: "
            f"{first}"
        ) from None


class _State(NamedTuple):
    """What is known of the state that a module gave."""

    shape: tuple[int, ...]
    dtype: torch.dtype


def _watch(
    model: Any, modules: dict[str, nn.Module], ids: Tensor
) -> tuple[list[str], dict[str, _State | None], Tensor]:
    """Run a short text and return the module paths in the order they finished, the state that each gave, if it gave
    one, and the model's logits.
    """
    finished: list[str] = []
    states: dict[str, _State | None] = {}

    def hook_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            finished.append(path)
            state = state_of(output)
            states[path] = _State(tuple(state.shape), state.dtype) if isinstance(state, Tensor) else None

        return hook

    handles = [module.register_forward_hook(hook_of(path)) for path, module in modules.items()]
    try:
        with torch.inference_mode():
            logits = model(input_ids=ids, use_cache=False).logits
    finally:
        for handle in handles:
            handle.remove()
    return finished, states, logits


def _check_states(states: dict[str, _State | None], layers: str, n_blocks: int, ids: Tensor) -> None:
    """Raise `LagerError` unless each block gives one state a token."""
    for number in range(n_blocks):
        state = states[f"{layers}.{number}"]
        if state is None or len(state.shape) != 3 or state.shape[:2] != tuple(ids.shape):
            raise LagerError(
                "this architecture cannot be read: looked for one state a token after each block, of shape "
                f"(1, {ids.shape[1]}, width), and block {number} of {layers!r} gives "
                f"{'no tensor' if state is None else state.shape}; other blocks are named with --layers-path"
            )


def _pass_through(norm: tuple[nn.Module, ...], state: _State | None, *, device: torch.device) -> None:
    """Run the final norm on a state of its own; what does not give one for it raises."""
    assert state is not None
    weights = [weight for module in norm for weight in module.parameters() if weight.device.type != "meta"]
    device = weights[0].device if weights else device
    with torch.inference_mode():
        output: Any = torch.ones(state.shape, dtype=state.dtype, device=device)
        for module in norm:
            output = module(output)
        if output.shape != state.shape:
            raise TypeError(f"it gives {tuple(output.shape)} for {state.shape}")


def _find_layers(model: Any, modules: dict[str, nn.Module], finished: list[str]) -> str:
    """Return the path of the outermost module list whose members each ran exactly once."""
    with looking_for("the configuration of the text model (`get_text_config()`)"):
        expected = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    lists = {path: module for path, module in modules.items() if isinstance(module, nn.ModuleList) and len(module)}
    ran = [p for p, m in lists.items() if all(finished.count(f"{p}.{i}") == 1 for i in range(len(m)))]
    outer = [p for p in ran if not any(p.startswith(f"{q}.") for q in ran)]
    right = [p for p in outer if expected is None or len(lists[p]) == expected]
    if not right:  # some configurations count otherwise; the self-check compares with the model's own states
        right = outer
    if len(right) != 1:
        seen = ", ".join(f"{path} ({len(module)})" for path, module in list(lists.items())[:6]) or "none"
        raise LagerError(
            f"cannot find the decoder blocks: looked for one list of {expected or 'some'} modules that a text passes "
            f"through once each, found {len(right)}; module lists: {seen}; name it with --layers-path"
        )
    return right[0]


def _blocks(modules: dict[str, nn.Module], layers: str, finished: list[str]) -> tuple[nn.Module, ...]:
    """Return the blocks at a path, through each of which a text passes once."""
    blocks = modules.get(layers)
    if not isinstance(blocks, nn.ModuleList) or not len(blocks):
        raise LagerError(f"the model has no list of blocks at {layers!r}: --layers-path takes a path like model.layers")
    if any(finished.count(f"{layers}.{i}") != 1 for i in range(len(blocks))):
        raise LagerError(f"a text does not pass once through each block of {layers!r}: choose another --layers-path")
    return tuple(blocks)


def _find_decoder(modules: dict[str, nn.Module], layers: str) -> str:
    """Return the nearest module around the blocks that can be called with token ids."""
    path = layers
    while path:
        path = path.rpartition(".")[0]
        if path and "input_ids" in inspect.signature(modules[path].forward).parameters:
            return path
    raise LagerError(
        f"no module around {layers!r} takes token ids apart from the whole model: looked for a `forward` with "
        "`input_ids`; this architecture is not supported"
    )


def _after_last_block(finished: list[str], stack: str, last: str) -> list[str]:
    """Return the direct children of `stack` that ran after its last block, in order."""
    prefix = f"{stack}." if stack else ""
    tail = finished[finished.index(last) + 1 :]
    return [p for p in tail if p.startswith(prefix) and "." not in p[len(prefix) :] and p != stack]
