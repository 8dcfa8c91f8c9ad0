"""The unembedding: K rows of it for the read-outs, all of it for the log-sum-exp, always in float32."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...data.errors import LagerError

# Configuration entries that stand for a factor or a cap on the logits. Whether a factor multiplies or divides differs
# between architectures that share a name, so both are tried against the model's own logits.
_FACTORS = (
    "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier", "logits_scale",
    "logits_mup_width_multiplier",
)  # fmt: skip
_CAPS = ("final_logit_softcapping", "final_logit_softcap", "logits_soft_cap", "softcap")
_ROWS_AT_ONCE = 16384
TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 5e-2}


class Head(NamedTuple):
    """From a post-norm state to logits: ``cap * tanh(scale * (W h + b) / cap)``.

    Attributes
    ----------
    weight : Tensor of shape (vocabulary, d)
        The unembedding, in the model's dtype.
    bias : Tensor of shape (vocabulary,), or None
    scale : float
        Factor on the logits, 1 where there is none.
    cap : float or None
        Soft cap on the logits.
    """

    weight: Tensor
    bias: Tensor | None
    scale: float = 1.0
    cap: float | None = None

    def raw(self, states: Tensor, ids: Tensor) -> Tensor:
        """Return ``states . W_U[ids]`` in float32, shape (..., n_ids): no bias, scale or cap."""
        return states.to(self.weight.device).float() @ self.weight[ids].float().T

    def logits(self, states: Tensor, ids: Tensor | slice) -> Tensor:
        """Return the model's logits of the tokens `ids` in float32, shape (..., n_ids)."""
        logits = states.to(self.weight.device).float() @ self.weight[ids].float().T
        if self.bias is not None:
            logits = logits + self.bias[ids].float()
        logits = logits * self.scale
        return logits if self.cap is None else self.cap * torch.tanh(logits / self.cap)

    def logsumexp(self, states: Tensor) -> Tensor:
        """Return the log-sum-exp over the whole vocabulary in float32, shape (...,).

        The vocabulary is taken in slices, so that no float32 copy of the whole unembedding is made.
        """
        return torch.stack([self.logits(states, part).logsumexp(-1) for part in self._slices()]).logsumexp(0)

    def probabilities(self, states: Tensor) -> Tensor:
        """Return the softmax over the whole vocabulary in float32, shape (..., vocabulary)."""
        normaliser = self.logsumexp(states)[..., None]
        return torch.cat([(self.logits(states, part) - normaliser).exp() for part in self._slices()], dim=-1)

    def _slices(self) -> list[slice]:
        """Return parts of the vocabulary that are computed at once, to bound the memory."""
        return [slice(i, i + _ROWS_AT_ONCE) for i in range(0, self.weight.shape[0], _ROWS_AT_ONCE)]


def find_head(
    model: Any, modules: dict[str, nn.Module], decoder: nn.Module, ids: Tensor, logits: Tensor
) -> tuple[Head, str]:
    """Find the unembedding, and the scale and cap with which it gives the model's own logits.

    Parameters
    ----------
    model : PreTrainedModel
        The causal LM.
    modules : dict
        Its modules by path.
    decoder : Module
        What the head sits on.
    ids : Tensor of shape (1, n_tokens)
        A short text.
    logits : Tensor of shape (1, n_tokens, vocabulary)
        The model's logits for it.

    Returns
    -------
    Head
    str
        The path of the unembedding.

    Raises
    ------
    LagerError
        When there is no linear unembedding, or none of the scales and caps tried explains the logits.
    """
    module = model.get_output_embeddings()
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2 or not weight.is_floating_point():
        raise LagerError(
            "cannot find the unembedding: looked for get_output_embeddings() with a floating-point weight of shape "
            f"(vocabulary, d), found {type(module).__name__}; this model cannot be read"
        )
    path = next((path for path, other in modules.items() if other is module), "get_output_embeddings()")
    weight, bias = weight.detach(), getattr(module, "bias", None)
    bias = None if bias is None else bias.detach()
    with torch.inference_mode():
        states = last_states(decoder(input_ids=ids, use_cache=False))
        target = logits.float().to(weight.device)
        size = target.shape[-1]
        best, best_error = Head(weight, bias), math.inf
        scales, caps = _candidates(model, module)
        for scale, cap in itertools.product(scales, caps):
            head = Head(weight, bias, scale, cap)
            error = float((head.logits(states, slice(0, size)) - target).abs().max())
            if error < best_error:
                best, best_error = head, error
    # A model whose logits are not finite cannot be judged here; its rows are found invalid later.
    allowed = TOLERANCE.get(weight.dtype, 5e-2) * (1 + float(target.abs().max()))
    if bool(target.isfinite().all()) and not best_error <= allowed:
        raise LagerError(
            f"the unembedding at {path} does not give the model's own logits (off by {best_error:.3g}): tried "
            f"{len(scales)} scales and {len(caps)} caps named by its configuration; this model cannot be read"
        )
    return best, path


def last_states(output: Any) -> Tensor:
    """Return the states after the final norm from a decoder's output, shape (n, n_tokens, d)."""
    states = getattr(output, "last_hidden_state", None)
    result: Tensor = output[0] if states is None else states
    return result


def state_of(output: Any) -> Any:
    """Return the state in what a block returns, which is it or begins with it."""
    return output[0] if isinstance(output, tuple | list) and output else output


def _candidates(model: Any, module: Any) -> tuple[list[float], list[float | None]]:
    """Return the scales and caps that the model's configuration and attributes name, 1 and None among them."""
    places = (model.config.get_text_config(), model.config, model, module)
    factors = [f for name in _FACTORS for place in places if (f := _number(place, name))]
    caps = [c for name in _CAPS for place in places if (c := _number(place, name))]
    scales = [1.0, *(f for factor in factors for f in (factor, 1.0 / factor))]
    return list(dict.fromkeys(scales)), [*dict.fromkeys(caps), None]


def _number(place: Any, name: str) -> float | None:
    """Return a positive number that a configuration names, None where it does not."""
    value = getattr(place, name, None)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return float(value)
